"""Broadcasting: the common shape of operands, aligned from the right.

Operands of a call that succeeds agree or are 1. With a number the result is the number. A name is a size in general,
which is not 1: beside an unknown size it stays, and two names are equal, which is noted; beside a name that may well be
1 the other one stays, known or not. Where that cannot be said, the result is the `max`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kernelscope.dims import NO_FACTS, Dim, Facts, dim, maximum, same
from kernelscope.dims.compare import at_most
from kernelscope.dims.polynomial import sole_opaque
from kernelscope.dims.spelling import SEPARATOR, axis_of
from kernelscope.tensor.shape import Shape, ShapeError
from kernelscope.tensor.size import Size, is_batch
from kernelscope.tensor.unknown import Unknown

ONE = dim(1)
MANY = 3
"""A tensor of so many dims is usually not broadcast to one of more: what of unknown rank it meets is a mask or bias."""


def broadcast(shapes: Iterable[Shape], facts: Facts = NO_FACTS) -> Shape:
    """The shape that all operands expand to. Raises ShapeError where sizes certainly differ and none is 1."""
    operands = [s for s in shapes if s.rank != 0]
    if len(operands) < 2:
        return operands[0] if operands else Shape()
    first = operands[0]
    if all(s is first or s == first for s in operands):
        return first
    unknown = next((s for s in operands if s.tail is not None), None)
    if unknown is not None and facts.as_usual:
        operands = _as_usual(operands)
        unknown = next((s for s in operands if s.tail is not None), None)
    lost = None if unknown is None else Unknown(unknown.reason or "the rank of an operand is not known")
    width = max(len(s.head if s.tail is None else s.tail) for s in operands)
    padded = [_padded(s, width, lost) for s in operands]
    sizes = tuple(_column(column, operands, facts) for column in zip(*padded, strict=True))
    return Shape(sizes) if unknown is None else Shape(_front(operands, facts), sizes, unknown.reason)


def _front(operands: Sequence[Shape], facts: Facts) -> tuple[Size, ...]:
    """The first sizes of operands that are all of unknown rank: those that begin alike have as many dims, as usual."""
    fronts = [s.head for s in operands]
    if not facts.as_usual or any(s.tail is None or len(s.head) < 2 for s in operands):
        return ()
    if any(isinstance(front[0], Unknown) or front[0] != fronts[0][0] for front in fronts):
        return ()
    return tuple(_column(column, operands, facts) for column in zip(*fronts, strict=False))


def _as_usual(operands: list[Shape]) -> list[Shape]:
    """Operands of unknown rank with as many dims as the others have, where those are many.

    One that leaves dims to others, `[n, 1, 1]`, may meet more of them, as long as it is none of the largest; a weight
    for each channel, `[n, 1, 1, 1]`, says how many dims there are behind these, and not what stands before them.
    """
    known = [s for s in operands if s.rank is not None and not _is_of_one_axis(s)]
    rank = max((len(s.head) for s in known), default=0)
    leaves_dims = all(ONE in s.head for s in known if s.rank == rank)
    if rank < MANY + leaves_dims or any(s.least_rank > rank for s in operands):
        return operands
    lost = Unknown("how an operand is broadcast is not known")
    return [s if s.tail is None else Shape((*s.head, *(lost,) * (rank - s.least_rank), *s.tail)) for s in operands]


def _is_of_one_axis(shape: Shape) -> bool:
    """Whether all sizes are 1 but the first, which is that of no batch."""
    return len(shape.head) > 1 and not is_batch(shape.head[0]) and all(size == ONE for size in shape.head[1:])


def _padded(shape: Shape, width: int, lost: Unknown | None) -> tuple[Size, ...]:
    """The last `width` sizes: in front of them 1, or unknown where the rank is."""
    sizes = shape.head if shape.tail is None else shape.tail
    fill = ONE if shape.tail is None or lost is None else lost
    return (fill,) * (width - len(sizes)) + sizes


def _column(column: Sequence[Size], shapes: Sequence[Shape], facts: Facts) -> Size:
    chosen: Size = ONE
    for size in column:
        if size in (chosen, ONE):
            continue
        if chosen == ONE:
            chosen = size
        elif isinstance(size, Unknown) or isinstance(chosen, Unknown):
            known, lost = (chosen, size) if isinstance(size, Unknown) else (size, chosen)
            chosen = lost if isinstance(known, Dim) and any(n in facts.ones for n in known.names()) else known
        else:
            chosen = _meet(chosen, size, shapes, facts)
    return chosen


def _meet(a: Dim, b: Dim, shapes: Sequence[Shape], facts: Facts) -> Dim:
    verdict = same(a, b, facts)
    if verdict:
        return b if b.const is not None else a
    if facts.equal and ONE in (known := (facts.rewrite(a), facts.rewrite(b))):
        return b if known[0] == ONE else a
    if verdict is False and same(a, 1, facts) is False and same(b, 1, facts) is False:
        raise ShapeError("broadcast", f"cannot broadcast {' with '.join(map(repr, shapes))}: {a} and {b} differ")
    if a.const is not None or b.const is not None:
        return a if a.const is not None else b
    greater = b if at_most(a, b, facts) else a if at_most(b, a, facts) else None
    if greater is not None:
        if facts.alike is None or facts.with_alike(a, b).rewrite(a - b).terms:
            return greater
        facts.alike.append((a, b))  # `n//2` with `cdiv(n, 2)`: nothing but a division that leaves nothing is meant
        return a
    ones = [any(name in facts.ones for name in size.names()) or is_rest_of_rows(size) for size in (a, b)]
    if any(ones):
        return maximum(a, b) if all(ones) else b if ones[0] else a
    is_solved = facts.with_alike(a, b) is not facts
    axes = [] if is_solved else list(zip(_axes(a), _axes(b), strict=False))
    if facts.alike is not None:
        facts.alike.extend(axes or [(a, b)])
    return a if is_solved or (axes and facts.as_usual) else maximum(a, b)


def is_rest_of_rows(size: Dim) -> bool:
    """Whether a size is what `view(B, -1, …)` leaves of rows, as `x_dim0//B`: there may be one row for each."""
    atom = sole_opaque(size, "//")
    if atom is None or (rows := atom.args[0].name) is None or not is_batch(atom.args[1]):
        return False
    tensor, axis, _ = axis_of(rows.partition(SEPARATOR)[0])
    return tensor != "" and axis == 0


def _axes(size: Dim) -> tuple[Dim, ...]:
    """The two axes of one tensor that were joined to one, in their order: `x_dim2` and `x_dim3` of `x_dim2*x_dim3`."""
    match size.terms:
        case ((((str() as one, 1), (str() as other, 1)), 1),):
            found = sorted((axis_of(one), axis_of(other)))
            return tuple(dim(name) for *_, name in found) if found[0][0] == found[1][0] != "" else ()
        case _:
            return ()
