"""Ranks that the code itself proves, of tensors of which nobody tells how many dims they have.

`B, T, C = h.shape` succeeds with three dims only, where `h.dim() == 4` holds there are four, and where
`h.shape == x.shape` holds there are those of the other.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from kernelscope.dims import Dim
from kernelscope.interp.agreement import NOT_TOLD
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.open_shapes import MOST_DIMS
from kernelscope.interp.uses import asked_for_dims, measured
from kernelscope.interp.values import Maybe, Scope, Unpacked, Value, as_size, present
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.blocks import start_of_way_to
from kernelscope.tensor import Shape, Size, Tensor, Unknown

UNTOLD = Unknown("sizes that are not known")


def of_unpacking(run: Interpreter, scope: Scope, targets: Sequence[t.Expr], value: t.Expr) -> None:
    """What `B, T, C = h.shape` proves of `h`, also `B, T, C, device = *h.shape, h.device`."""
    behind = 0
    if isinstance(value, t.Tuple) and value.elts and isinstance(first := value.elts[0], t.Starred):
        behind, value = len(value.elts) - 1, first.value
    name = measured(value)
    if name is not None and not any(isinstance(target, t.Starred) for target in targets) and behind < len(targets):
        sizes = targets[: len(targets) - behind]
        given = _give(run, scope, name, [target.id if isinstance(target, t.Name) else "_" for target in sizes])
        if given is not None and run.symbols.trial is not None:
            run.symbols.trial.unpacked()
        if given is not None and not run.quiet and scope.frame == run.root_frame:
            _tell_before(run, scope, value.span.start, *given)


def of_number(run: Interpreter, scope: Scope, asked: t.Expr, number: Value) -> None:
    """What `h.dim() == 4` proves of `h` where it holds."""
    name, count = asked_for_dims(asked), as_size(number)
    if name is not None and isinstance(count, Dim) and count.const is not None and 0 < count.const <= MOST_DIMS:
        _give(run, scope, name, ["_"] * count.const)


def of_counting(run: Interpreter, scope: Scope, name: str) -> None:
    """What `h.dim() == 4` says of `h` wherever it is asked: it has dims, and others on the other way."""
    old = present(scope.names.get(name))
    if isinstance(old, Unknown):
        _put(run, scope, old, Tensor(Shape.unknown(NOT_TOLD), old))


def of_assertion(run: Interpreter, scope: Scope, test: t.Expr) -> None:
    """What `assert h.shape == x.shape` proves, also of what stands before it."""
    for part in test.values if isinstance(test, t.BoolOp) and test.op == "and" else [test]:
        match part:
            case t.Compare(left=left, ops=ops, comparators=others) if all(op == "==" for op in ops):
                for one, other in itertools.pairwise((left, *others)):
                    of_equal_shapes(run, scope, one, other, is_certain=True)
            case t.BoolOp(op="or", values=ways):
                for way in ways:
                    _may_be_one(run, scope, way)
            case _:
                pass


def _may_be_one(run: Interpreter, scope: Scope, way: t.Expr) -> None:
    """`assert n == 1 or n == m`: a size may be there once for all, so that what it meets does not tell it."""
    match way:
        case t.Compare(left=left, ops=["=="], comparators=[t.Constant(value=1)]):
            run.quiet += 1
            try:
                size = as_size(evaluate(run, scope, left))
            finally:
                run.quiet -= 1
            if isinstance(size, Dim) and size.name is not None:
                run.symbols.ones.add(size.name)
        case _:
            pass


def of_equal_shapes(run: Interpreter, scope: Scope, left: t.Expr, right: t.Expr, is_certain: bool = False) -> None:
    """What `h.shape == (B, C, T)` proves of `h` where it holds, and `h.shape == x.shape` of either.

    What is `is_certain` to hold, or nothing goes on, held before as well.
    """
    for one, other in ((left, right), (right, left)):
        name = measured(one)
        if name is None or not is_open(present(scope.names.get(name))):
            continue
        run.quiet += 1
        try:
            sizes = sizes_of_shape(evaluate(run, scope, other))
        finally:
            run.quiet -= 1
        if sizes is None:
            continue
        given = settle(run, scope, name, len(sizes), lambda axis, _, sizes=sizes: sizes[axis])
        if given is not None and is_certain and not run.quiet and scope.frame == run.root_frame:
            _tell_before(run, scope, left.span.start, *given)


def sizes_of_shape(value: Value) -> tuple[Size, ...] | None:
    """The sizes in a shape, or in a tuple of as many as are known."""
    if isinstance(value, Shape):
        return value.dims
    if not isinstance(value, tuple) or any(isinstance(part, Unpacked) for part in value):
        return None
    found = [as_size(part) for part in value]
    return tuple(size if isinstance(size, Dim) else UNTOLD for size in found)


def is_open(value: Value) -> bool:
    """Whether not even the number of dims of a value is known."""
    return isinstance(value, Unknown) or (isinstance(value, Tensor) and value.rank is None)


def settle(
    run: Interpreter, scope: Scope, name: str, rank: int, size: Callable[[int, str], Size]
) -> tuple[Value, Tensor] | None:
    """Let what a name holds have so many dims, if it is open; `size` gives what is not known of them, with the reason.

    Gives what it was and what it is now.
    """
    old = present(scope.names.get(name))
    if isinstance(old, Unknown):
        old_shape, dtype, place = Shape.unknown(old.reason), old, None
    elif isinstance(old, Tensor) and old.rank is None:
        old_shape, dtype, place = old.shape, old.dtype, old.place
    else:
        return None
    head, tail = old_shape.head, old_shape.tail or ()
    if rank < old_shape.least_rank:
        return None
    middle = [size(axis, old_shape.reason) for axis in range(len(head), rank - len(tail))]
    new = Tensor(Shape((*head, *middle, *tail)), dtype, place)
    _put(run, scope, old, new)
    return old, new


def _put(run: Interpreter, scope: Scope, old: Value, new: Tensor) -> None:
    """Let every name that holds a value hold the same of which more is known."""
    if run.trace is not None:
        run.trace.replaced(old, run.trace.same(new, old))
    for other, value in scope.names.items():
        if present(value) is old:
            scope.names[other] = Maybe(new, value.name) if isinstance(value, Maybe) else new


def _give(run: Interpreter, scope: Scope, name: str, words: Sequence[str]) -> tuple[Value, Tensor] | None:
    """Let a tensor of unknown rank have as many dims as there are words, its unknown sizes called by them."""

    def size(axis: int, reason: str) -> Size:
        if words[axis].strip("_"):
            return run.symbols.new(scope, words[axis], reason)
        made = run.symbols.new(scope, f"{name}_dim{axis}", reason)
        run.symbols.ones.update(made.names())  # a size that nobody works with may be there once for all
        return made

    return settle(run, scope, name, len(words), size)


def _tell_before(run: Interpreter, scope: Scope, place: int, old: Value, new: Tensor) -> None:
    """A tensor had as many dims as are proven where nothing stands between that may keep the code from coming here."""
    node = scope.function.definition.node if scope.function is not None else None
    start = start_of_way_to(node.body, node.span.start, place) if isinstance(node, t.FunctionDef) else place
    for span, seen in (run.unlikely if run.aside else run.seen).items():
        if seen.value is old and start <= span.start < place:
            seen.value = new
