"""Expressions to values. What is not followed is an unknown with its reason, never an error."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernelscope.dims import Dim, dim, maximum, minimum
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.interp.attributes import attribute, subscript
from kernelscope.interp.families import held_in_table, looked_up_by_name
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join, as_given
from kernelscope.interp.limits import MAX_NESTED
from kernelscope.interp.operators import binary, compare, truth, unary
from kernelscope.interp.sequences import MAX_ELEMENTS, any_of, is_callable, iterated, sequence
from kernelscope.interp.sizes_asked import of_expression
from kernelscope.interp.symbols import NAMELESS
from kernelscope.interp.texts import put_together
from kernelscope.interp.values import (
    Alike,
    Flag,
    LambdaValue,
    Number,
    Opaque,
    Open,
    Scope,
    Unpacked,
    Value,
    as_size,
    present,
)
from kernelscope.ops import ShapeError
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown

REMEMBERED = (t.Name, t.Call, t.BinOp, t.Subscript)
"""Expressions whose values are remembered by their span."""


def evaluate(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    """The value of an expression; calls and attributes are remembered by their span."""
    run.step()
    if run.nested > MAX_NESTED:
        return Unknown("nested too deeply", node.span)
    run.nested += 1
    try:
        value = _evaluate(run, scope, node)
    except ShapeError as error:
        value = run.contradiction(scope.path, node.span, error)
    finally:
        run.nested -= 1
    if run.quiet:
        return value
    if isinstance(node, t.Attribute):
        run.record(scope.path, node.attr_span, value)
    elif isinstance(node, REMEMBERED):
        run.record(scope.path, node.span, value)
    return value


def _evaluate(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    match node:
        case t.Name():
            return run.lookup(scope, node.id, node.span)
        case t.Constant():
            value = node.value
            return dim(value) if isinstance(value, int) and not isinstance(value, bool) else value
        case t.Attribute():
            holder = evaluate(run, scope, node.value)
            value = attribute(run, holder, node.attr, node.span)
            if run.trace is None or run.quiet:
                return value
            return run.trace.attribute(holder, node.attr, node.span, value)
        case t.Call():
            from kernelscope.interp.calls import call_node

            if isinstance(node.func, t.Attribute) and node.func.attr == "size":
                of_expression(run, scope, node)
            return call_node(run, scope, node)
        case t.BinOp():
            return binary(run, node.op, evaluate(run, scope, node.left), evaluate(run, scope, node.right), node.span)
        case t.UnaryOp():
            return unary(run, node.op, evaluate(run, scope, node.operand), node.span)
        case t.Compare():
            return _compare(run, scope, node)
        case t.BoolOp():
            return _boolean(run, scope, node)
        case t.IfExp():
            return conditional(run, scope, node)
        case t.Tuple():
            return tuple(elements(run, scope, node.elts))
        case t.List():
            return elements(run, scope, node.elts)
        case t.Dict():
            return _dict(run, scope, node)
        case t.Subscript():
            if isinstance(node.value, t.Attribute | t.Call):
                of_expression(run, scope, node)
            index = index_of(run, scope, node.slice)
            if (holder := held_in_table(run, scope, node.value)) is not None:
                return looked_up_by_name(run, holder, index, node.span)
            return subscript(run, _as_indexed(run, evaluate(run, scope, node.value), index), index, node.span)
        case t.ListComp() | t.GeneratorExp() | t.SetComp():
            return _comprehension(run, scope, node)
        case t.Lambda():
            return LambdaValue(node, scope)
        case t.JoinedStr():
            return _formatted(run, scope, node)
        case t.NamedExpr():
            value = evaluate(run, scope, node.value)
            scope.names[node.target.id] = value
            run.record(scope.path, node.target.span, value)
            return value
        case t.Await():
            return evaluate(run, scope, node.value)
        case t.Yield():
            return _yield(run, scope, node)
        case t.Starred():
            return evaluate(run, scope, node.value)
        case t.DictComp():
            return _dict_comprehension(run, scope, node)
        case _:
            return Unknown(f"{type(node).__name__} is not followed", node.span)


def elements(run: Interpreter, scope: Scope, nodes: list[t.Expr]) -> list[Value]:
    """Values of a display or argument list, starred ones spread; an unknown sequence is one `Unpacked`."""
    found: list[Value] = []
    for node in nodes:
        if not isinstance(node, t.Starred):
            found.append(evaluate(run, scope, node))
            continue
        value = evaluate(run, scope, node.value)
        spread = sequence(value)
        if spread is None:
            found.append(Unpacked(value))
        else:
            found += spread
    return found


def _compare(run: Interpreter, scope: Scope, node: t.Compare) -> Value:
    left = evaluate(run, scope, node.left)
    right = evaluate(run, scope, node.comparators[0])
    if len(node.ops) > 1:
        return Flag()
    if isinstance(left, Opaque) and left.default is not None and isinstance(right, Dim) and is_kind(run, scope, node):
        return (left.default == right.const) == (node.ops[0] == "==")
    return compare(run, node.ops[0], left, right, node.span)


def is_kind(run: Interpreter, scope: Scope, node: t.Compare) -> bool:
    """Whether a name is compared with several numbers in its function: it tells kinds apart, such as 1d, 2d and 3d."""
    function = scope.function.definition.node if scope.function is not None else None
    if node.ops[0] not in ("==", "!=") or not isinstance(node.left, t.Name) or not isinstance(function, t.FunctionDef):
        return False
    return len(run.uses(function).modes.get(node.left.id, ())) > 1


def _boolean(run: Interpreter, scope: Scope, node: t.BoolOp) -> Value:
    """`and` and `or` give one of their values; each part is looked at as the parts before it leave things."""
    from kernelscope.interp.conditions import condition

    candidates: list[Value] = []
    names, known = scope.names, run.known
    scope.names = dict(names)
    try:
        for index, entry in enumerate(node.values):
            test = condition(run, scope, entry)
            last = index == len(node.values) - 1
            decides = test.known is not None and test.known == (node.op == "or")
            if decides and isinstance(test.value, bool) and all(isinstance(c, bool | Flag) for c in candidates):
                return test.value
            if last or decides:
                candidates.append(test.value)
                break
            if test.known is None:
                candidates.append(test.value)
                test.assume(node.op == "and")
    finally:
        scope.names, run.known = names, known
    callables = [c for c in candidates if is_callable(c)]
    if callables and all(is_callable(c) or isinstance(c, Opaque | Unknown) for c in candidates):
        given = next((c.name for c in candidates if isinstance(c, Opaque)), "")
        chosen = any_of(callables)  # `given or Default`: what is given stands for the same
        return chosen if len(callables) == len(candidates) else as_given(chosen, called=given)
    if node.op == "or":  # all but the last are there if they are chosen
        candidates = [*(present(c) for c in candidates[:-1]), candidates[-1]]
    result = candidates[0]
    join = Join(run.symbols, scope)
    for other in candidates[1:]:
        result = join.values(_called(candidates[0]), result, other)
    if isinstance(result, Unknown) and any(isinstance(c, bool | Flag) for c in candidates):
        return Flag()
    if isinstance(result, Dim) and result.name is not None and all(isinstance(c, Opaque) for c in candidates):
        return Opaque(result.name, known_as=candidates[0].name)  # two numbers, or two objects
    return result


def _called(value: Value) -> str:
    """What a value that stands for a setting is called: `head_dim` of `config.head_dim`."""
    name = value.name if isinstance(value, Opaque | Dim) else None
    short = (name or "").partition(SEPARATOR)[0].rpartition(".")[2]
    return short if short.isidentifier() else NAMELESS


def conditional(run: Interpreter, scope: Scope, node: t.IfExp, bound_to: str = "") -> Value:
    """`a if test else b`: a size that may be either is called what it is bound to, unless only others of them have a
    name: `kv_heads = config.heads if config.kv_heads is None else config.kv_heads` is no `heads`."""
    from kernelscope.interp.conditions import condition, is_as_made, known_either_way
    from kernelscope.interp.untaken import untaken_call

    test = condition(run, scope, node.test)
    if test.known is None:
        test.known = is_as_made(run, scope, node.test, [node.body], [node.orelse])
    if test.known is not None:
        taken, untaken = (node.body, node.orelse) if test.known else (node.orelse, node.body)
        untaken_call(run, scope, node.test, not test.known, untaken)
        value = evaluate(run, scope, taken)
        return _chosen_by_default(run, scope, value, untaken, bound_to) if scope.is_usual(node.test) else value
    with test.holding(True):
        one, of_one, names_of_one = _of_way(run, scope, node.body), run.known.facts, scope.names
    with test.holding(False):
        other, of_other, names_of_other = _of_way(run, scope, node.orelse), run.known.facts, scope.names
    run.learn(known_either_way(run, scope, (names_of_one, of_one), (names_of_other, of_other)))
    if (extreme := _extreme(run, scope, node, one, other)) is not None:
        return extreme
    called = [name for v in (one, other) if (name := _called(v)) != NAMELESS]
    name = bound_to if bound_to in called or not called else called[0]
    met = Join(run.symbols, scope, test.name, facts=(of_one, of_other)).values(name or NAMELESS, one, other)
    return _cut_to_extremes(run, scope, node.test, (one, other), met)


def _as_indexed(run: Interpreter, value: Value, index: Value) -> Value:
    """What a call gives that gives values of several kinds, where it is indexed at once: only tensors have several
    axes."""
    if not isinstance(index, tuple) or not isinstance(value, Unknown | Tensor):
        return value
    tensors = [outcome for outcome in run.outcomes_of(value) or [] if isinstance(outcome, Tensor)]
    return tensors[0] if len(tensors) == 1 else value


def _of_way(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    """What one way of a choice gives, if a trial may not pass it by."""
    try:
        return evaluate(run, scope, node)
    except ShapeError as error:
        if run.symbols.trial is None or not run.symbols.trial.may_avoid:
            raise
        return Unknown(error.message)


def _chosen_by_default(run: Interpreter, scope: Scope, value: Value, untaken: t.Expr, bound_to: str) -> Value:
    """A number that a switch chooses which is as it is by default: not known if it is written out, else a size of its
    own where the switch chooses between two: `inner = width if is_shared else width * heads`."""
    if not isinstance(value, Dim):
        return value
    if value.const is not None:
        return Number("a switch chooses the number", True) if value.const >= 0 else value
    if any(isinstance(node, t.Call) for node in t.walk(untaken)):
        return value  # whatever it does is not done
    run.quiet += 1
    try:
        other = as_size(evaluate(run, scope, untaken))
    finally:
        run.quiet -= 1
    if not bound_to or not isinstance(other, Dim) or other.const is not None or other == value:
        return value
    return run.symbols.new(scope, bound_to, "a switch chooses the number")


def _extreme(run: Interpreter, scope: Scope, node: t.IfExp, one: Value, other: Value) -> Dim | None:
    """`a if a < b else b`: the smaller of two sizes, or the larger."""
    first, second = as_size(one), as_size(other)
    module = run.workspace.modules.module(scope.path)
    match node.test:
        case t.Compare(left=left, ops=["<" | "<=" | ">" | ">=" as op], comparators=[right]) if module is not None:
            asked = [module.text.slice(part.span) for part in (left, right)]
            given = [module.text.slice(part.span) for part in (node.body, node.orelse)]
            if sorted(asked) != sorted(given) or not isinstance(first, Dim) or not isinstance(second, Dim):
                return None
            return (minimum if (op[0] == "<") == (asked == given) else maximum)(first, second)
        case _:
            return None


def _cut_to_extremes(run: Interpreter, scope: Scope, test: t.Expr, ways: tuple[Value, Value], met: Value) -> Value:
    """`x if x.size(1) <= n else x[:, -n:]`: as long as the smaller of the sizes that are compared."""
    one, other = (present(way) for way in ways)
    if not (isinstance(test, t.Compare) and len(test.ops) == 1 and test.ops[0] in ("<", "<=", ">", ">=")):
        return met
    if not all(isinstance(v, Tensor) and v.shape.dims is not None for v in (one, other, met)):
        return met
    assert isinstance(one, Tensor) and isinstance(other, Tensor) and isinstance(met, Tensor)
    if not (one.rank == other.rank == met.rank) or one.shape == other.shape:
        return met
    run.quiet += 1
    try:
        left, right = (as_size(evaluate(run, scope, side)) for side in (test.left, test.comparators[0]))
    finally:
        run.quiet -= 1
    if not isinstance(left, Dim) or not isinstance(right, Dim):
        return met
    below, above = (one, other) if test.ops[0][0] == "<" else (other, one)
    low, high = minimum(left, right), maximum(left, right)
    sizes = list(met.shape.head)
    for axis, (first, second) in enumerate(zip(below.shape.head, above.shape.head, strict=True)):
        if first != second and first in (left, low) and second in (right, low):
            sizes[axis] = low
        elif first != second and first in (right, high) and second in (left, high):
            sizes[axis] = high
    if sizes == list(met.shape.head):
        return met
    cut = replace(met, shape=Shape(tuple(sizes)))
    return cut if run.trace is None else run.trace.same(cut, met)


def _formatted(run: Interpreter, scope: Scope, node: t.JoinedStr) -> Value:
    """An f-string of strings and numbers, as far as they are known."""
    parts = [evaluate(run, scope, part) for part in node.values]
    return put_together(parts, node.span)


def _dict(run: Interpreter, scope: Scope, node: t.Dict) -> Value:
    found: dict[Any, Value] = {}
    is_open = False
    for key, value in zip(node.keys, node.values, strict=True):
        held = evaluate(run, scope, value)
        if key is None:
            if isinstance(held, dict):
                found.update(held)
            is_open |= isinstance(held, Open)
            continue
        name = evaluate(run, scope, key)
        if isinstance(name, str | bool | None | Dim):
            found[name] = held
    return Open(found) if is_open else found


def index_of(run: Interpreter, scope: Scope, node: t.Expr) -> Value:
    """The value between brackets; slices become `slice`."""
    match node:
        case t.Slice():
            parts = [None if p is None else evaluate(run, scope, p) for p in (node.lower, node.upper, node.step)]
            return slice(*parts)
        case t.Tuple():
            parts = [
                elements(run, scope, [e]) if isinstance(e, t.Starred) else [index_of(run, scope, e)] for e in node.elts
            ]
            return tuple(value for part in parts for value in part)
        case _:
            return evaluate(run, scope, node)


def _yield(run: Interpreter, scope: Scope, node: t.Yield) -> Value:
    """Give a value to whoever goes through the generator that runs."""
    value = None if node.value is None else evaluate(run, scope, node.value)
    if node.is_from:
        parts = iterated(run, value)
        scope.yielded += [parts.element] if isinstance(parts, Alike) else parts
    else:
        scope.yielded.append(value)
    return Unknown("what is sent to a generator")


def _comprehension(run: Interpreter, scope: Scope, node: t.ListComp | t.GeneratorExp | t.SetComp) -> Value:
    from kernelscope.interp.targets import assign

    if not node.generators:
        return Unknown("a comprehension that did not parse", node.span)
    first, *others = node.generators
    items = iterated(run, evaluate(run, scope, first.iter))
    inner = Scope(scope.path, scope.function, {}, scope, scope.frame)
    if isinstance(items, list) and (found := _each(run, inner, node.elt, items, node.generators)) is not None:
        return found
    assign(run, inner, first.target, items.element if isinstance(items, Alike) else any_of(items))
    for clause in others:
        deeper = iterated(run, evaluate(run, inner, clause.iter))
        assign(run, inner, clause.target, deeper.element if isinstance(deeper, Alike) else any_of(deeper))
    count = items.count if isinstance(items, Alike) and not others and not first.ifs else None
    with run.loop("loop", first.span, count):
        alike = Alike(evaluate(run, inner, node.elt), count)
    if run.configuration is None or others or first.ifs or not run.symbols.building:
        return alike
    from kernelscope.interp.numbered_layers import by_kinds

    return by_kinds(run, scope, first, node.elt, alike)


def _each(
    run: Interpreter,
    inner: Scope,
    element: t.Expr,
    items: list[Value],
    clauses: list[t.Comprehension],
    keeps_open: bool = False,
) -> list[Value] | Alike | None:
    """The elements one by one; alike where it is open which are kept, unless those count as kept; None where they are
    many or not known."""
    from kernelscope.interp.targets import assign

    if len(items) > MAX_ELEMENTS:
        return None
    clause, *others = clauses
    found: list[Value] = []
    for index, item in enumerate(items):
        assign(run, inner, clause.target, item)
        kept = [truth(evaluate(run, inner, test)) for test in clause.ifs]
        if False in kept:
            continue
        if not others:
            with run.element(index, len(items)):
                found.append(evaluate(run, inner, element))
            if not all(kept) and not keeps_open:
                return Alike(found[-1])
            continue
        deeper = iterated(run, evaluate(run, inner, others[0].iter))
        each = _each(run, inner, element, deeper, others) if isinstance(deeper, list) and all(kept) else None
        if not isinstance(each, list) or len(found) + len(each) > MAX_ELEMENTS:
            return None
        found += each
    return found


def _named_ones(run: Interpreter, scope: Scope, node: t.DictComp) -> list[Value] | None:
    """The entries of a dict by names from which some are left out that are not known here: `{k: v for k, v in
    given.items() if k in accepted}`. One that is asked for has been kept."""
    match node:
        case t.DictComp(generators=[t.Comprehension(ifs=[_, *_]) as clause]):
            items = iterated(run, evaluate(run, scope, clause.iter))
        case _:
            return None
    if not isinstance(items, list) or not all(isinstance(i, tuple) and i and isinstance(i[0], str) for i in items):
        return None
    inner = Scope(scope.path, scope.function, {}, scope, scope.frame)
    found = _each(run, inner, t.Tuple([node.key, node.value], node.span), items, [clause], keeps_open=True)
    return found if isinstance(found, list) else None


def _dict_comprehension(run: Interpreter, scope: Scope, node: t.DictComp) -> Value:
    pairs = t.ListComp(t.Tuple([node.key, node.value], node.span), node.generators, node.span)
    found = _named_ones(run, scope, node) or _comprehension(run, scope, pairs)
    entries = found if isinstance(found, list) else [found.element] if isinstance(found, Alike) else []
    pairs = [entry for entry in entries if isinstance(entry, tuple) and len(entry) == 2]
    named: dict[Any, Value] = {key: value for key, value in pairs if isinstance(key, str)}
    if others := [value for key, value in pairs if not isinstance(key, str)]:
        named[Unknown("a key", node.span)] = any_of(others)
    return named
