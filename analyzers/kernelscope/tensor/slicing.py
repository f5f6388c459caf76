"""The length of `x[start:stop:step]` along one axis, symbolic bounds included.

`[:k]` and `[-k:]` are cut off as Python does and say `min(k, S)`. What is left out is taken to exist: `[k:]` and
`[:-k]` give `S-k`. With numbers on all sides nothing is taken for granted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kernelscope.dims import NO_FACTS, Dim, Facts, ceil_div, dim, minimum
from kernelscope.dims.compare import at_most, bounds
from kernelscope.tensor.size import Size
from kernelscope.tensor.unknown import Unknown

ZERO = dim(0)
ONE = dim(1)


def sliced(size: Size, start: Any, stop: Any, step: Any, facts: Facts = NO_FACTS) -> Size:
    """The length of a slice. Bounds are None, numbers, Dims or unknown."""
    low, high, stride = _bound(start), _bound(stop), _bound(step)
    if low is None and high is None and stride is None:
        return size
    for value in (low, high, stride):
        if isinstance(value, Unknown):
            return value
    if isinstance(size, Unknown):
        return _of_unknown(size, low, high, stride)
    numbers = [None if v is None else v.const for v in (low, high, stride) if not isinstance(v, Unknown)]
    if size.const is not None and all(
        n is not None or v is None for n, v in zip(numbers, (low, high, stride), strict=True)
    ):
        return dim(len(range(*slice(*numbers).indices(size.const))))
    if size == ONE:
        return ONE  # there is no other part of it than all
    assert not isinstance(low, Unknown) and not isinstance(high, Unknown) and not isinstance(stride, Unknown)
    if stride is not None and stride.const is not None and stride.const < 0:
        return ceil_div(size, -stride) if low is None and high is None else Unknown("a slice that goes backwards")
    length = _length(size, low or ZERO, high, facts)
    return length if stride is None or stride == 1 else ceil_div(length, stride)


def _length(size: Dim, low: Dim, high: Dim | None, facts: Facts) -> Dim:
    left = size if low == 0 else _from_start(size, low, facts)
    if high is None:
        return left
    if _counts_from_end(high, facts):
        return left + high
    start = size - left
    return least(high - start, left, facts)


def _from_start(size: Dim, low: Dim, facts: Facts) -> Dim:
    """How much is left behind the first bound."""
    return least(-low, size, facts) if _counts_from_end(low, facts) else size - low


def least(a: Dim, b: Dim, facts: Facts = NO_FACTS) -> Dim:
    """The smaller, decided where it can be; a size is at least 1, and so is usually what sizes are computed of: of
    `S + k - 1`, as long as a kernel of `k` makes `S`, no fewer than `S` are left."""
    if a == ONE or at_most(a, b, facts):
        return a
    if at_most(b, a, facts):
        return b
    if facts.as_usual:
        usual = replace(facts, smallest=dict.fromkeys((*a.names(), *b.names()), 1) | dict(facts.smallest))
        for one, other in ((a, b), (b, a)):
            if at_most(one, other, usual):
                return one
    return minimum(a, b)


def _counts_from_end(bound: Dim, facts: Facts) -> bool:
    """Whether a bound is negative, or is so for all but the smallest sizes: `1 - k`, which is `-(k - 1)` as well."""
    low, high = bounds(bound, facts)
    return high is not None and (high < 0 or (high == 0 and bound != 0) or low is None)


def _of_unknown(size: Unknown, low: Dim | Unknown | None, high: Dim | Unknown | None, stride: Any) -> Size:
    """Of an axis of unknown size only single elements at its ends are certain."""
    if stride is None and ((low in (None, 0) and high == 1) or (low == -1 and high is None)):
        return ONE
    return size


def _bound(value: Any) -> Dim | Unknown | None:
    if value is None or isinstance(value, (Dim, Unknown)):
        return value
    return dim(int(value)) if isinstance(value, int) else Unknown("a bound of the slice is not known")
