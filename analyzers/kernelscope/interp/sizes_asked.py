"""Axes that a tensor of unknown rank is asked for: `B = x.shape[0]` and `H, W = x.shape[-2:]` are sizes of `x`.

What number of dims it has is not told by that.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.open_shapes import MOST_DIMS
from kernelscope.interp.values import Maybe, Scope, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor, Unknown


def of_targets(run: Interpreter, scope: Scope, target: t.Expr, value: t.Expr) -> None:
    """What an assignment asks for is a size of the tensor, called as what it is bound to."""
    match target, value:
        case t.Tuple(elts=targets), t.Tuple(elts=values) if len(targets) == len(values):
            for one, other in zip(targets, values, strict=True):
                of_targets(run, scope, one, other)
        case t.Name(id=word), _ if (asked := _axis(value)) is not None and asked[1] < 0:
            _give(run, scope, asked[0], (), (word, *["_"] * (-asked[1] - 1)))
        case t.Name(id=word), _ if (asked := _axis(value)) is not None:
            _give(run, scope, asked[0], (*["_"] * asked[1], word), ())
        case t.Tuple(elts=targets), t.Subscript(value=whole, slice=t.Slice(lower=start, upper=stop, step=None)) if (
            all(isinstance(part, t.Name) for part in targets) and (name := _whole(whole)) is not None
        ):
            if start is None and _number(stop) == len(targets):
                _give(run, scope, name, _words(targets), ())
            elif stop is None and _number(start) == -len(targets):
                _give(run, scope, name, (), _words(targets))
        case t.Tuple(elts=targets), _ if (name := _whole(value)) is not None:
            starred = [index for index, part in enumerate(targets) if isinstance(part, t.Starred)]
            if len(starred) == 1:
                _give(run, scope, name, _words(targets[: starred[0]]), _words(targets[starred[0] + 1 :]), True)
        case _:
            pass


def of_expression(run: Interpreter, scope: Scope, node: t.Expr) -> None:
    """`x.shape[0]` among other things is a size of `x` as well."""
    asked = _axis(node)
    if asked is not None and asked[1] >= 0:
        _give(run, scope, asked[0], (*["_"] * asked[1], f"{asked[0]}_dim{asked[1]}"), ())


def _words(targets: Sequence[t.Expr]) -> tuple[str, ...]:
    return tuple(part.id if isinstance(part, t.Name) else "_" for part in targets)


def _whole(node: t.Expr) -> str | None:
    """The name in `x.shape` or `x.size()`."""
    match node:
        case t.Attribute(value=t.Name(id=name), attr="shape"):
            return name
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="size"), args=[], keywords=[]):
            return name
        case _:
            return None


def _axis(node: t.Expr) -> tuple[str, int] | None:
    """The name and the axis in `x.shape[1]` or `x.size(-1)`."""
    match node:
        case t.Subscript(value=whole, slice=asked) if (name := _whole(whole)) is not None:
            pass
        case t.Call(func=t.Attribute(value=t.Name(id=name), attr="size"), args=[asked], keywords=[]):
            pass
        case _:
            return None
    number = _number(asked)
    return None if number is None or abs(number) > MOST_DIMS else (name, number)


def _number(node: t.Expr | None) -> int | None:
    match node:
        case t.Constant(value=int() as number):
            return number
        case t.UnaryOp(op="-", operand=t.Constant(value=int() as number)):
            return -number
        case _:
            return None


def _give(
    run: Interpreter, scope: Scope, name: str, first: Sequence[str], last: Sequence[str], are_apart: bool = False
) -> None:
    """Let the first or last sizes of what a name holds be called by words, if it is a tensor of unknown rank.

    Without knowing that they `are_apart`, sizes from either end may be the same ones: then nothing is told.
    """
    old = present(scope.names.get(name))
    if not isinstance(old, Tensor) or old.shape.tail is None:
        return
    head, tail, reason = old.shape.head, old.shape.tail, old.shape.reason
    of_first = len(first) > max(1, len(head)) and bool(tail)
    is_among_last = bool(first) and not head and len(tail) > 1
    if not are_apart and (of_first or is_among_last or (len(last) > len(tail) and len(head) > 1)):
        return

    def size(known: Sequence[Size], axis: int, word: str) -> Size:
        found = known[axis] if axis < len(known) else Unknown(reason)
        return run.symbols.new(scope, word, reason) if isinstance(found, Unknown) and word.strip("_") else found

    begin = [size(head, axis, word) for axis, word in enumerate(first)]
    end = [size(tail[::-1], axis, word) for axis, word in enumerate(reversed(last))][::-1]
    shape = Shape((*begin, *head[len(begin) :]), (*tail[: max(0, len(tail) - len(end))], *end), reason)
    if shape == old.shape:
        return
    new = Tensor(shape, old.dtype, old.place)
    if run.trace is not None:
        run.trace.replaced(old, run.trace.same(new, old))
    for other, value in scope.names.items():
        if present(value) is old:
            scope.names[other] = Maybe(new, value.name) if isinstance(value, Maybe) else new
    for seen in (run.unlikely if run.aside else run.seen).values() if scope.frame == run.root_frame else ():
        if seen.value is old and not run.quiet:
            seen.value = new
