"""Local arrays that loops fill: an element's value is what the round gave that wrote it.

`for (i = 0; i < N; i++) a[i] = f(i)` makes `a[j]` the value `f(j)`; so for several dimensions and nested loops.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from kernelscope.dims import Dim, TooLarge, dim, total
from kernelscope.kernels.cuda.warp.types import Type
from kernelscope.kernels.cuda.warp.values import Int, Pointer, Symbol, Value


@dataclass(frozen=True, slots=True)
class Filled:
    """What an array holds at `start + Σ stride * counter` bytes."""

    start: Dim
    strides: tuple[tuple[str, Dim], ...]
    """By the counter of a loop, the longest first."""
    value: Int | Pointer
    target: Type
    around: frozenset[str]
    """Counters of loops around the filling: in another round of theirs it is another value."""

    def at(self, offset: Dim, target: Type, rounds: Collection[str]) -> Value | None:
        """The element at an offset, within rounds of these counters; None where it does not follow."""
        if target != self.target or not self.around.issubset(rounds):
            return None
        try:
            rest = offset - self.start
            written: dict[str, Dim] = {}
            for counter, stride in self.strides:
                written[counter], rest = _divided(rest, stride)
            if rest.terms:
                return None
            if isinstance(self.value, Int):
                return Int(self.value.d.subs(written))
            return Pointer(self.value.memory, self.value.offset.subs(written), self.value.target)
        except TooLarge:
            return None


def filling(
    offset: Dim, value: Value, target: Type, known: Mapping[str, Symbol], rounds: Collection[str]
) -> Filled | None:
    """What a store in rounds of these counters makes of an array: every other round makes it of its own number.

    Only sizes, positions of threads and the counters themselves are the same function in each round.
    """
    if not isinstance(value, Int | Pointer):
        return None
    made = value.d if isinstance(value, Int) else value.offset
    counters = [name for name in offset.names() if name in rounds]
    for name in made.names():
        symbol = known.get(name)
        if symbol is not None and not (symbol.size or name in rounds):
            return None
    try:
        start = offset.subs(dict.fromkeys(counters, 0))
        strides = [(n, offset.subs({other: int(other == n) for other in counters}) - start) for n in counters]
        if not all(stride.terms for _, stride in strides):
            return None
        if total(stride * name for name, stride in strides) + start != offset:
            return None
    except TooLarge:
        return None
    strides.sort(key=lambda each: (_degree(each[1]), each[1].terms[0][1]), reverse=True)
    around = frozenset(name for name in made.names() if name in rounds and name not in counters)
    return Filled(start, tuple(strides), value, target, around)


def _degree(stride: Dim) -> int:
    return sum(exponent for _, exponent in stride.terms[0][0])


def _divided(d: Dim, stride: Dim) -> tuple[Dim, Dim]:
    """The parts that are whole strides, in strides, and the rest; a number is divided with what is left over."""
    whole: list[Dim] = []
    rest: list[Dim] = []
    for term in d.terms:
        part = Dim((term,))
        count = part.exact_div(stride)
        if count is None and part.const is not None and stride.const:
            count = dim(part.const // stride.const)
            rest.append(part - count * stride)
        elif count is None:
            rest.append(part)
            continue
        whole.append(count)
    return total(whole), total(rest)
