"""What one place of a function holds in several rounds of a loop, or on several ways that are followed apart.

Sizes that differ become symbols: one for all that are equal in every round, so that it is seen what a round keeps.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kernelscope.dims import Dim
from kernelscope.interp.agreement import joined
from kernelscope.interp.symbols import Symbols
from kernelscope.interp.values import Scope, Value, present
from kernelscope.tensor import Shape, Size, Tensor, Unknown

if TYPE_CHECKING:
    from kernelscope.interp.findings import Seen

REASON = "it differs from round to round, or from way to way"
Moments = tuple[int, ...]
Vector = tuple[Dim, ...]
"""A size in each of several rounds."""
MAX_WORDS = 16
"""Among more sizes than this no sums are looked for."""
MAX_WEIGHT = 40
HALVES: tuple[Callable[[Dim], Dim], ...] = (lambda size: size // 2, lambda size: (size - 1) // 2 + 1)
"""What layers make of an image's height that halve it."""


class Rounds:
    """Finds what stands for the values of one function's rounds, place by place."""

    def __init__(self, symbols: Symbols, scope: Scope) -> None:
        self.symbols = symbols
        self.scope = scope
        self.words: dict[Moments, dict[Vector, Dim]] = {}
        """For rounds that were seen together, what sizes in them are called."""

    def settle(self, name: str, seen: Seen) -> Value:
        """The one value that stands for all that was seen at a place, which is called `name` if it has a name."""
        if not seen.before:
            return seen.value
        values = [value for _, value in seen.before] + [seen.value]
        moments = (*(moment for moment, _ in seen.before), seen.moment)
        return self._value(name, moments, values)

    def _value(self, name: str, moments: Moments, values: list[Value]) -> Value:
        first = values[0]
        ranks = {v.rank if isinstance(v, Tensor) else None for v in values}
        if len(ranks) == 1 and None not in ranks:
            columns = zip(*(v.shape.head for v in values), strict=True)
            sizes = tuple(self._size(f"{name}_dim{i}", moments, column) for i, column in enumerate(columns))
            dtype = joined_all(values).dtype
            return Tensor(Shape(sizes), dtype, first.place)
        if all(isinstance(v, Dim) for v in values):
            return self._size(name, moments, tuple(values))
        if all(type(v) is tuple for v in values) and len({len(v) for v in values}) == 1:
            columns = zip(*values, strict=True)
            return tuple(self._value(f"{name}_{i}", moments, list(column)) for i, column in enumerate(columns))
        return joined_all(values)

    def _size(self, name: str, moments: Moments, column: tuple[Size, ...]) -> Size:
        lost = next((size for size in column if isinstance(size, Unknown)), None)
        vector = tuple(size for size in column if isinstance(size, Dim))
        if lost is not None:
            return lost
        if all(size == vector[0] for size in vector):
            return vector[0]
        words = self.words.setdefault(moments, {})
        if vector not in words:
            words[vector] = self._related(words, vector) or self.symbols.new(self.scope, name, REASON)
        return words[vector]

    def _related(self, words: dict[Vector, Dim], vector: Vector) -> Dim | None:
        """A size that in every round is another one and a number, a multiple or a part of it, or the sum of two."""
        if any(size.weight > MAX_WEIGHT for size in vector):
            return None
        named = [(known, word) for known, word in words.items() if word.name is not None]
        names = {*vector[0].names()}
        for known, word in named:
            related = _in_terms_of(vector, known, word) if names == {*known[0].names()} else None
            if related is not None:
                return related
        summands = named[:MAX_WORDS]
        for place, (one, word) in enumerate(summands):
            rest = vector[0] - one[0]
            for other, second in summands[place + 1 :]:
                if other[0] == rest and all(a == b + c for a, b, c in zip(vector, one, other, strict=True)):
                    return word + second
        return None


def _in_terms_of(vector: Vector, known: Vector, word: Dim) -> Dim | None:
    """A size that in every round is made of another one, which is called `word`, and a number."""
    pairs = list(zip(vector, known, strict=True))
    difference = vector[0] - known[0]
    if difference.const is not None and all(a - b == difference for a, b in pairs):
        return word + difference
    ratio = vector[0].exact_div(known[0]) if known[0].terms else None
    if ratio is not None and ratio.const is not None and all(a.exact_div(b) == ratio for a, b in pairs):
        return word * ratio
    return next((half(word) for half in HALVES if all(a == half(b) for a, b in pairs)), None)


def joined_all(values: list[Value]) -> Value:
    """What is certain whichever of the values is there."""
    found = values[0]
    for other in values[1:]:
        found = present(joined(found, other))
    return found
