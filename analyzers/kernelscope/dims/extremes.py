"""The largest and the smallest of several sizes, decided where their bounds decide it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from kernelscope.dims.compare import at_most
from kernelscope.dims.monomial import KEPT
from kernelscope.dims.polynomial import Dim, DimLike, TooLarge, dim, opaque, sole_opaque


def maximum(*dims: DimLike) -> Dim:
    """The largest; what is never larger than another is left out. Raises ArithmeticError for nothing."""
    return _extreme("max", dims)


def minimum(*dims: DimLike) -> Dim:
    """The smallest; what is never smaller than another is left out. Raises ArithmeticError for nothing."""
    return _extreme("min", dims)


def _extreme(op: str, dims: Iterable[DimLike]) -> Dim:
    kept: list[Dim] = []
    for value in dims:
        nested = sole_opaque(dim(value), op)
        for candidate in nested.args if nested else (dim(value),):
            if any(_is_beyond(op, other, candidate) for other in kept):
                continue
            kept = [other for other in kept if not _is_beyond(op, candidate, other)]
            kept.append(candidate)
    if not kept:
        raise ArithmeticError(f"{op} of nothing")
    if len(kept) == 1:
        return kept[0]
    return opaque(op, tuple(sorted(kept, key=lambda d: d.key)))


@lru_cache(KEPT)
def _is_beyond(op: str, one: Dim, other: Dim) -> bool:
    """Whether `one` is certainly as large as `other`, or as small."""
    try:
        return at_most(other, one) if op == "max" else at_most(one, other)
    except TooLarge:
        return False
