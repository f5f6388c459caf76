"""Targets of assignments: names, attributes, elements, and patterns that take a value apart."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernelscope.dims import Dim, dim
from kernelscope.interp import containers, records
from kernelscope.interp.circles import apart
from kernelscope.interp.expressions import evaluate, index_of
from kernelscope.interp.families import held_in_table, store_under
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.limits import NoSuchWay
from kernelscope.interp.open_shapes import part_of
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.sequences import iterated, sequence, slice_of
from kernelscope.interp.values import (
    Alike,
    Function,
    Instance,
    Number,
    Opaque,
    Scope,
    Unpacked,
    Value,
    has_unknown_length,
    present,
)
from kernelscope.ops import Module, ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Called, Several, Shape, Tensor, Unknown
from kernelscope.tensor.size import is_row_of_tokens


def assign(run: Interpreter, scope: Scope, target: t.Expr, value: Value) -> None:
    """Bind a value to a name, an attribute of `self`, an element, or the parts of a pattern."""
    match target:
        case t.Name():
            value = run.symbols.named(scope, value, target.id)
            if run.trace is not None:
                run.trace.bound(value, target.id)
            if run.symbols.trial is not None:
                run.symbols.trial.bound(scope.frame, value, target.id)
            scope.names[target.id] = value
            scope.outcomes.pop(target.id, None)
            run.record(scope.path, target.span, value)
        case t.Tuple() | t.List():
            _unpack(run, scope, target.elts, value, target.span)
        case t.Starred():
            assign(run, scope, target.value, value)
        case t.Attribute():
            holder = evaluate(run, scope, target.value)
            if isinstance(holder, Instance):
                setter = run.classes.setter(holder.cls, target.attr)
                if setter is not None:
                    from kernelscope.interp.calls import call_function

                    call_function(run, Function(setter, holder, True), [value], {}, target.span)
                    return
                prepare(run, holder)  # else its constructor runs later, and takes this for what it stores itself
                if holder.is_module and holder.is_ready:
                    run.changes.lasting.of_object(holder)
                run.changes.before(holder.attributes)
                holder.attributes[target.attr] = run.symbols.named(scope, value, f"self.{target.attr}")
            elif isinstance(holder, Module) and target.attr in holder.parameters and isinstance(value, Tensor):
                run.changes.lasting.held[id(holder.parameters)] = holder.parameters
                run.changes.before(holder.parameters)
                holder.parameters[target.attr] = value  # two layers share a weight
            elif isinstance(holder, Tensor) and target.attr == "data" and isinstance(value, Tensor | Unknown):
                assign(run, scope, target.value, _with_data(run, holder, value))
            elif isinstance(holder, dict):  # an object without a class of its own
                run.changes.before(holder)
                holder[target.attr] = apart(holder, run.symbols.named(scope, value, target.attr))
            run.record(scope.path, target.attr_span, value)
        case t.Subscript():
            holder = evaluate(run, scope, target.value)
            index = index_of(run, scope, target.slice)
            if (owner := held_in_table(run, scope, target.value)) is not None:
                store_under(run, owner, index, value)
            elif isinstance(holder, dict) and isinstance(index, str | Opaque | Unknown):
                run.changes.before(holder)
                holder[index] = apart(holder, value)
            elif isinstance(holder, list):
                run.changes.before(holder)
                _put(holder, index, apart(holder, value), target.span)
            elif isinstance(holder, Alike) and isinstance(target.value, t.Name):
                scope.names[target.value.id] = _put_somewhere(run, scope, target.value.id, holder, value)
            elif isinstance(holder, Instance) and holder.is_module:
                containers.put(run, holder, index, value)
            elif run.trace is not None and not run.quiet:
                run.trace.store(holder, index, value, target.span)
        case _:
            pass


def _with_data(run: Interpreter, holder: Tensor, value: Tensor | Unknown) -> Value:
    """What a tensor is that is given the data of another: this, in its own dtype; of what is not known nothing is."""
    if isinstance(value, Unknown) or isinstance(holder.dtype, Unknown):
        return value
    fresh = replace(value, dtype=holder.dtype)
    return run.trace.as_of(fresh, value) if run.trace is not None else fresh


def _put(values: list[Value], index: Value, value: Value, span: Span) -> None:
    """`values[index] = value`: any element may be another one where the index is not known."""
    if isinstance(index, slice):
        part, given = slice_of(index), sequence(value)
        if part is not None and given is not None and not has_unknown_length(values):
            _put_in_place_of(values, part, given)
        else:
            values[:] = [Unpacked(Alike(Unknown("an element", span)))]
        return
    number = index.const if isinstance(index, Dim) else None
    if number is not None and -len(values) <= number < len(values):
        values[number] = value
    else:
        values[:] = [Unknown("an element", span)] * len(values)


def _put_somewhere(run: Interpreter, scope: Scope, name: str, values: Alike, value: Value) -> Alike:
    """`values[index] = value` where nobody knows how many there are: any of them may be another one."""
    element = Join(run.symbols, scope).values(name, values.element, value)
    if run.trace is not None:
        element = run.trace.any_of(element, [values.element, value])
    return Alike(element, values.count)


def _put_in_place_of(values: list[Value], part: slice, given: list[Value]) -> None:
    """`values[part] = given`; a part with steps takes as many as it has."""
    if part.step in (None, 1) or len(values[part]) == len(given):
        values[part] = given


def _unpack(run: Interpreter, scope: Scope, targets: list[t.Expr], value: Value, span: Span) -> None:
    whole = value = present(value)
    if run.aside and isinstance(value, Tensor) and value.rank and value.shape.size(0) != dim(len(targets)):
        value = Unknown("where the code goes this way it may be a tuple", span)
    rows = value.shape.size(0) if isinstance(value, Tensor) and value.rank else None
    if isinstance(value, Tensor) and isinstance(rows, Dim) and _is_of_callers(run, rows) and not run.forks:
        starred_too = any(isinstance(target, t.Starred) for target in targets)
        if not starred_too and not run.aside:  # so many rows are what callers have to give
            run.learn(run.known.facts.with_same(dim(len(targets)), rows))
            value = value.with_shape(Shape((dim(len(targets)), *value.shape.head[1:]), value.shape.tail))
            rows = dim(len(targets))
    if isinstance(rows, Dim) and rows.const is None:  # one way of a call gives two: this is another way's
        value = Unknown("a tensor of any number of rows is no pair", span)
    if isinstance(value, Tensor) and value.rank:
        parts = iterated(run, value)
        value = parts if isinstance(parts, Alike) else value
    values = records.elements(run, value) if isinstance(value, Instance | Opaque) else sequence(value)
    starred = [i for i, target in enumerate(targets) if isinstance(target, t.Starred)]
    if values is not None and not starred:
        values = _spread(run, values, len(targets), span)
    if values is not None and any(isinstance(v, Unpacked) for v in values):
        values = None
    if values is None:
        if run.symbols.trial is not None and isinstance(value, Tensor | Shape):
            run.symbols.trial.unpacked()
        element = value.element if isinstance(value, Alike | Several) else _part_of(value, span)
        for index, target in enumerate(targets):
            part = Unknown("some of the values") if isinstance(target, t.Starred) else element
            if part is element and isinstance(part, Unknown | Tensor):
                part = replace(part)  # what is proven of one of them is not proven of the others
            if starred and isinstance(value, Shape):
                part = _part_of_shape(value, index, starred[0], len(targets))
            if isinstance(value, Opaque) and starred and not isinstance(target, t.Starred):
                part = value.element(index if index < starred[0] else index - len(targets))
            if run.trace is not None and isinstance(value, Opaque) and isinstance(target, t.Name):
                part = run.trace.source("input", target.id, target.span, replace(part))
            elif run.trace is not None:
                part = run.trace.part(whole, part)
            assign(run, scope, target, part)
        return
    if starred and len(values) >= len(targets) - 1:
        first = starred[0]
        after = len(targets) - first - 1
        middle = values[first : len(values) - after]
        values = [*values[:first], middle, *values[len(values) - after :]]
    if len(values) != len(targets):
        if run.strict:
            raise ShapeError("rank", f"{len(values)} values for {len(targets)} names")
        if run.forks and isinstance(value, tuple):
            raise NoSuchWay
        run.doubts += 1
        if not run.aside and _is_guessed(run, values):
            run.met.append((dim(len(values)), dim(len(targets))))
        values = [Unknown("as many values as names were expected", span) for _ in targets]
    for target, part in zip(targets, values, strict=True):
        assign(run, scope, target, part)


def _is_of_callers(run: Interpreter, rows: Dim) -> bool:
    """Whether callers choose how many rows there are, other than that of the tokens of a batch, of which nothing takes
    two apart."""
    return rows.name in run.symbols.spoken and not is_row_of_tokens(rows)


def _part_of_shape(shape: Shape, index: int, starred: int, count: int) -> Value:
    """A size of a tensor of unknown rank, or those in the middle, for a target of `B, *middle, D = x.shape`."""
    if index == starred:
        rest = part_of(shape, slice(dim(starred), None, None))
        return part_of(rest, slice(None, dim(starred + 1 - count), None)) if starred + 1 < count else rest
    size = shape.size(index if index < starred else index - count)
    return Number(size.reason, True) if isinstance(size, Unknown) else size


def _spread(run: Interpreter, values: list[Value], count: int, span: Span) -> list[Value]:
    """Values for so many names, where one of them stands for as many as are missing: `q, k, v = (*self.qk(x), y)`."""
    places = [index for index, value in enumerate(values) if isinstance(value, Unpacked)]
    missing = count - len(values) + 1
    if len(places) != 1 or missing < 0:
        return values
    whole = values[places[0]]
    assert isinstance(whole, Unpacked)
    rows = iterated(run, whole.value) if isinstance(whole.value, Tensor | Alike) else whole.value
    part = rows.element if isinstance(rows, Alike) else _part_of(rows, span)
    parts = [replace(part) if isinstance(part, Unknown | Tensor) else part for _ in range(missing)]
    if run.trace is not None:
        parts = [run.trace.part(whole.value, part) for part in parts]
    return [*values[: places[0]], *parts, *values[places[0] + 1 :]]


def _is_guessed(run: Interpreter, sizes: Sequence[Value]) -> bool:
    """Whether they are the sizes of a shape that only names of inputs tell."""
    return any(isinstance(size, Dim) and not run.guessed_sizes.isdisjoint(size.names()) for size in sizes)


def _part_of(value: Value, span: Span) -> Value:
    if isinstance(value, Shape):
        return Number(value.reason, True)
    if isinstance(value, Called):
        return Unknown(value.reason, value.span)
    return value if isinstance(value, Unknown) else Unknown("a part of something that is not known", span)
