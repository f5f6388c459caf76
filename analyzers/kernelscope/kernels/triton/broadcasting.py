"""Sizes of blocks that meet: broadcasting as the Triton front end does it, three-valued where names differ."""

from __future__ import annotations

from kernelscope.dims import Dim, dim, maximum, product, same
from kernelscope.kernels.triton.values import Size, Sizes

ONE = dim(1)


class BlockMismatch(Exception):
    """Two sizes that can never meet."""

    def __init__(self, left: Dim, right: Dim, axis: int) -> None:
        super().__init__(f"sizes {left!r} and {right!r} of dim {axis} cannot be broadcast together")


def broadcast(a: Sizes | None, b: Sizes | None) -> Sizes | None:
    """The shape in which two blocks meet; missing leading dims count as 1. Raises BlockMismatch."""
    if a is None or b is None:
        return None if (a or b) is None else _with_unknown(a if a is not None else b)
    rank = max(len(a), len(b))
    left = (ONE,) * (rank - len(a)) + a
    right = (ONE,) * (rank - len(b)) + b
    return tuple(_meet(x, y, axis) for axis, (x, y) in enumerate(zip(left, right, strict=True)))


def _with_unknown(known: Sizes | None) -> Sizes | None:
    """An operand of unknown rank: it may widen the other, so nothing is certain."""
    return None


def _meet(a: Size, b: Size, axis: int) -> Size:
    if a == ONE:
        return b
    if b in (ONE, a):
        return a
    if a is None or b is None:
        known = a if a is not None else b
        return known if known is not None and known.const is not None and known.const > 1 else None
    agree = same(a, b)
    if agree:
        return a
    if a.const is not None and b.const is not None:
        raise BlockMismatch(a, b, axis)
    if a.const is not None or b.const is not None:  # a number above 1 decides: the name is that number, or 1
        return a if a.const is not None else b
    return maximum(a, b)


def numel(shape: Sizes | None) -> Size:
    """The number of elements, None when a size is not known."""
    if shape is None or any(size is None for size in shape):
        return None
    return product(size for size in shape if size is not None)
