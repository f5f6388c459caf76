"""Expressions of a kernel: names, attributes, subscripts, operators and calls, evaluated to block types.

Calls of helpers are followed with their arguments; nothing is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kernelscope.dims import dim
from kernelscope.kernels.triton.arithmetic import combined, of_plain
from kernelscope.kernels.triton.attributes import attribute
from kernelscope.kernels.triton.bodies import nodes_of
from kernelscope.kernels.triton.broadcasting import BlockMismatch, broadcast
from kernelscope.kernels.triton.call import integer_of
from kernelscope.kernels.triton.calls import applied
from kernelscope.kernels.triton.comparisons import MAX_ITEMS, compared, on_tuples, truth, unary
from kernelscope.kernels.triton.interpretation import MAX_DEPTH, Frame, Interpretation
from kernelscope.kernels.triton.outer_names import outer_value
from kernelscope.kernels.triton.recall import Kept, Trial
from kernelscope.kernels.triton.shape_ops import with_new_axis
from kernelscope.kernels.triton.switches import differ, either
from kernelscope.kernels.triton.values import (
    Const,
    Items,
    Method,
    Namespace,
    Range,
    Tensor,
    Undecided,
    Unknown,
    Value,
    join,
)
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

BUILTINS = frozenset("range min max len float int bool abs print tuple list isinstance hasattr getattr".split())  # noqa: SIM905


def evaluate(run: Interpretation, frame: Frame, node: t.Expr) -> Value:
    """The value of an expression. Never raises but OutOfSteps; a mismatch is reported and gives an unknown block."""
    run.step()
    before, run.frame = run.frame, frame
    outer = run.outer
    if frame.depth == 0:
        run.outer = node.span
    try:
        return _evaluate(run, frame, node)
    except BlockMismatch as mismatch:
        run.problem("block-mismatch", str(mismatch))
        return Tensor(None)
    except (ArithmeticError, RecursionError):
        return Unknown("it is too large to be told")
    finally:
        run.frame = before
        run.outer = outer


def recalled(run: Interpretation, frame: Frame, node: t.Expr) -> Value:
    """The value of an expression of a statement, which is told again where its names hold what they held before."""
    names = run.recall.names(node)
    if names is None:
        return evaluate(run, frame, node)
    held = tuple(map(frame.names.get, names))
    on_top = frame.depth == 0
    kept = run.recall.known(node, on_top, held)
    if kept is not None:
        run.repeat(frame, kept)
        return kept.value
    before = run.steps
    outside, run.trial = run.trial, Trial()
    try:
        value = evaluate(run, frame, node)
        run.recall.keep(node, on_top, Kept(held, value, run.trial, run.steps - before, run.inner))
    finally:
        run.trial = outside
    return value


def evaluate_global(run: Interpretation, path: str, node: t.Expr, around: Sequence[t.FunctionDef] = ()) -> Value:
    """The value that a module, or a function around a kernel, gives to a name of its own."""
    empty = Frame(path, _NOWHERE, MAX_DEPTH - 1, around)
    outside, run.trial = run.trial, None  # it is told once, wherever it is asked for
    try:
        return evaluate(run, empty, node)
    finally:
        run.trial = outside


def _evaluate(run: Interpretation, frame: Frame, node: t.Expr) -> Value:
    form = _FORMS.get(node.__class__)
    return form(run, frame, node) if form is not None else Unknown("this form of expression is not followed")


def _named(run: Interpretation, frame: Frame, node: t.Name) -> Value:
    value = _name(run, frame, node.id)
    run.record(frame, node.span, value)
    return value


def _constant(run: Interpretation, frame: Frame, node: t.Constant) -> Value:
    return of_plain(node.value) or Unknown("a constant of no use here")


def _attribute(run: Interpretation, frame: Frame, node: t.Attribute) -> Value:
    value = attribute(run, evaluate(run, frame, node.value), node.attr)
    if not isinstance(value, Method | Namespace):
        run.record(frame, node.attr_span, value)
    return value


def _unary(run: Interpretation, frame: Frame, node: t.UnaryOp) -> Value:
    return unary(node.op, evaluate(run, frame, node.operand))


def _items(run: Interpretation, frame: Frame, node: t.Tuple | t.List) -> Value:
    return Items(tuple(_spread(run, frame, node.elts)))


def _assigned(run: Interpretation, frame: Frame, node: t.NamedExpr) -> Value:
    value = evaluate(run, frame, node.value)
    frame.names[node.target.id] = value
    run.record(frame, node.target.span, value)
    return value


def _text(run: Interpretation, frame: Frame, node: t.JoinedStr) -> Value:
    return Const(Undecided("str"))


def _starred(run: Interpretation, frame: Frame, node: t.Starred) -> Value:
    return evaluate(run, frame, node.value)


def _conditional(run: Interpretation, frame: Frame, node: t.IfExp) -> Value:
    decided = evaluate(run, frame, node.test)
    holds = truth(decided)
    switch = run.switch(frame, node.test) if holds is None and isinstance(decided, Const) else None
    if holds is None:
        holds = run.holds(frame, node.test) if isinstance(decided, Const) else None
    if holds is not None:
        return evaluate(run, frame, node.body if holds else node.orelse)
    body, orelse = evaluate(run, frame, node.body), evaluate(run, frame, node.orelse)
    if switch is None or not differ(body, orelse):
        return join(body, orelse)
    test, positive = switch
    if isinstance(body, Const):
        if _is_branched_on(run, frame, test):
            run.switches[test] = 2  # what it chooses is certain on the sides of that branch
        return either(test, body, orelse) if positive else either(test, orelse, body)
    run.switches[test] = 2
    return join(body, orelse)


def _is_branched_on(run: Interpretation, frame: Frame, test: str) -> bool:
    """Whether a switch also decides a branch of the function."""
    switches = (run.switch(frame, inner.test) for inner in nodes_of(frame.node, t.If))
    return any(switch is not None and switch[0] == test for switch in switches)


def _spread(run: Interpretation, frame: Frame, nodes: list[t.Expr]) -> list[Value]:
    """Values of a list of expressions with `*x` laid out."""
    found: list[Value] = []
    for node in nodes:
        value = evaluate(run, frame, node)
        if isinstance(node, t.Starred) and isinstance(value, Items):
            found.extend(value.items)
        else:
            found.append(value)
    return found


def _name(run: Interpretation, frame: Frame, name: str) -> Value:
    if name in frame.names:
        return frame.names[name]
    if name in frame.assigned():
        run.refused = True
        if run.trial is not None:
            run.trial.depends = True
        return Unknown(f"{name} has no value on this way")
    value = outer_value(run, frame, name)
    if isinstance(value, Unknown) and name in BUILTINS:
        return Namespace(f"builtins.{name}")
    return value


# -- operators --------------------------------------------------------------------------------------------


def _binary(run: Interpretation, frame: Frame, node: t.BinOp) -> Value:
    left, right = evaluate(run, frame, node.left), evaluate(run, frame, node.right)
    if isinstance(left, Items) or isinstance(right, Items):
        return on_tuples(node.op, left, right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    for side in (left, right):
        if node.op in ("%", "//", "&", "|", "^", "<<", ">>") and isinstance(side, Tensor) and not side.elem:
            run.is_integer(side.inputs)
    return combined(node.op, left, right)


def _compare(run: Interpretation, frame: Frame, node: t.Compare) -> Value:
    left = evaluate(run, frame, node.left)
    result: Value = Const(True)
    for op, right_node in zip(node.ops, node.comparators, strict=False):
        right = evaluate(run, frame, right_node)
        result = compared(run, op, left, right)
        left = right
    return result


def _boolean(run: Interpretation, frame: Frame, node: t.BoolOp) -> Value:
    """Constants decide early; tensors combine as masks."""
    result: Value | None = None
    for part in node.values:
        value = evaluate(run, frame, part)
        known = truth(value) if isinstance(value, Const) else None
        if known is not None and known == (node.op == "or"):
            return value
        if known is not None:
            result = value if result is None else result
            continue
        if isinstance(value, Tensor) and isinstance(result, Tensor):
            result = Tensor(broadcast(result.shape, value.shape), "int1")
        elif isinstance(value, Tensor):
            result = Tensor(value.shape, "int1")
        elif not isinstance(result, Tensor):
            result = Const(Undecided("bool"))
    return result if result is not None else Const(Undecided("bool"))


# -- subscripts -------------------------------------------------------------------------------------------


def _subscript(run: Interpretation, frame: Frame, node: t.Subscript) -> Value:
    owner = evaluate(run, frame, node.value)
    if isinstance(owner, Tensor):
        return _indexed(owner, node.slice)
    if isinstance(owner, Items):
        if isinstance(node.slice, t.Slice):
            bounds = [
                integer_of(evaluate(run, frame, part)) if part is not None else None
                for part in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            return Items(owner.items[slice(*bounds)]) if bounds[2] != 0 else Unknown("a slice of step 0")
        index = integer_of(evaluate(run, frame, node.slice))
        if index is not None and -len(owner.items) <= index < len(owner.items):
            return owner.items[index]
        if index is None and owner.items:
            result = owner.items[0]
            for item in owner.items[1:]:
                result = join(result, item)
            return result
    evaluate(run, frame, node.slice)
    return owner if isinstance(owner, Unknown) else Unknown("this subscript is not followed")


def _indexed(x: Tensor, index: t.Expr) -> Tensor:
    """`x[:, None]`: every `None` is a new dim, every `:` keeps one."""
    parts = index.elts if isinstance(index, t.Tuple) else [index]
    axis = 0
    for part in parts:
        if isinstance(part, t.Constant) and part.value is None:
            x = with_new_axis(x, axis)
        elif isinstance(part, t.Constant) and part.value is Ellipsis and x.shape is not None:
            axis = len(x.shape) - (len(parts) - parts.index(part) - 1)
            continue
        elif not isinstance(part, t.Slice):
            return Tensor(None, x.elem, x.pointer, x.bases, x.inputs)
        axis += 1
    return x


def _comprehension(run: Interpretation, frame: Frame, node: t.ListComp | t.GeneratorExp) -> Value:
    if len(node.generators) != 1 or node.generators[0].ifs:
        return Unknown("a comprehension with conditions")
    generator = node.generators[0]
    source = evaluate(run, frame, generator.iter)
    if isinstance(source, Range) and source.trips is not None and source.trips.const is not None:
        source = Items(tuple(Const(dim(i)) for i in range(min(source.trips.const, MAX_ITEMS))))
    if not isinstance(source, Items) or not isinstance(generator.target, t.Name):
        return Unknown("a comprehension over something that is no tuple")
    found: list[Value] = []
    for item in source.items:
        frame.names[generator.target.id] = item
        found.append(evaluate(run, frame, node.elt))
    return Items(tuple(found))


# -- calls ------------------------------------------------------------------------------------------------


def _call(run: Interpretation, frame: Frame, node: t.Call) -> Value:
    function = evaluate(run, frame, node.func)
    arguments = _spread(run, frame, node.args)
    keywords = {k.arg: evaluate(run, frame, k.value) for k in node.keywords if k.arg is not None}
    run.frame = frame
    run.inner = node.span
    if frame.depth == 0:
        run.outer = node.span
    result = applied(run, frame, function, arguments, keywords)
    if not isinstance(result, Range) and result != Const(None):
        name = node.func.attr_span if isinstance(node.func, t.Attribute) else node.func.span
        run.record(frame, name, result)
    return result


_FORMS: Mapping[type[t.Expr], Callable[[Interpretation, Frame, Any], Value]] = {
    t.Name: _named,
    t.Constant: _constant,
    t.Attribute: _attribute,
    t.BinOp: _binary,
    t.Compare: _compare,
    t.BoolOp: _boolean,
    t.UnaryOp: _unary,
    t.IfExp: _conditional,
    t.Call: _call,
    t.Subscript: _subscript,
    t.Tuple: _items,
    t.List: _items,
    t.NamedExpr: _assigned,
    t.ListComp: _comprehension,
    t.GeneratorExp: _comprehension,
    t.JoinedStr: _text,
    t.Starred: _starred,
}
"""How each form of expression is evaluated."""


def _no_body() -> list[t.Stmt]:
    return []


_NOWHERE = t.FunctionDef("", Span(0, 0), list, None, [], False, Span(0, 0), _no_body)
