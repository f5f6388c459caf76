"""A run with a rank that is only tried, and what would be odd about it.

Several ranks may do without a contradiction; the one is meant with which nothing odd happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from kernelscope.dims import Dim, Opaque, dim
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.tensor import Shape, ShapeError, Size

TOO_ODD = "rank"
"""What ends a trial that contradicts nothing."""
ALL_NAMED = 3
"""Who indexes so many axes, or more, means all that there are."""
MORE_THAN_A_COLUMN = 2
LAST = slice(dim(-1), None)


@dataclass(slots=True)
class Trial:
    """Counts what would be odd."""

    prefixes: tuple[str, ...]
    """How sizes begin that are tried, or were found so."""
    given: Set[str]
    """What the sizes of the other parameters are called."""
    found: Mapping[str, str]
    """What those were called that were found so and have names of the function now."""
    limit: int
    """With more surprises than this it need not go on."""
    may_avoid: bool = False
    """Whether a way that contradicts what is tried is one that is not gone then, as long as there is another."""
    surprises: int = 0
    """Sizes that have nothing to do with each other and must agree; tensors that become larger by what is tried."""
    is_for_any_axes: bool = False
    """Whether what is tried is given to a layer that is there for data of any number of axes."""
    frame: int = 0
    """The call that is tried."""
    words: dict[str, str] = field(default_factory=dict[str, str])
    """What the function that is tried calls sizes that are: the name to which each is bound first."""

    def is_over(self, more: int = 0) -> bool:
        """Whether with so many more surprises the trial ends."""
        return self.surprises + more > self.limit

    def is_tried(self, size: Size) -> bool:
        return isinstance(size, Dim) and any(self._made(name).startswith(self.prefixes) for name in size.names())

    def _made(self, name: str) -> str:
        """What a size was called when it was tried."""
        return self.found.get(name, name)

    def bound(self, frame: int, value: object, name: str) -> None:
        """A function binds a name to what may be one of the sizes."""
        if frame == self.frame and isinstance(value, Dim) and value.name is not None and self.is_tried(value):
            self.words.setdefault(value.name, name)

    def agree(self, one: Dim, other: Dim) -> None:
        """Two sizes must agree: odd where both were there before and neither follows from what is tried."""
        names = (*one.names(), *other.names())
        if other == 0:  # only an empty tensor would do, and none is what a layer gives or a caller means
            raise ShapeError(TOO_ODD, f"{one} would be 0")
        if one.name is not None and other.name is not None and self._is_of_one(one.name, other.name):
            self._note(True)  # with fewer dims there is only one of the two
            return
        factors = sorted((_factors(one), _factors(other)))
        if factors[0] > 1 and self.is_tried(one) != self.is_tried(other):
            self._note(factors[0] != factors[1])
        if self.is_tried(one) != self.is_tried(other):  # a table is not cut to what has nothing to do with it
            settled = other if self.is_tried(one) else one
            self._note(any(isinstance(atom, Opaque) and atom.op == "min" for atom in settled.atoms()))
        known = all(SEPARATOR not in name and not self._made(name).startswith(self.prefixes) for name in names)
        divided = any(isinstance(atom, Opaque) for atom in (*one.atoms(), *other.atoms()))
        self._note(known and not divided and bool(one.names()) and bool(other.names()))

    def _is_of_one(self, one: str, other: str) -> bool:
        """Whether two sizes are of one tensor that is tried."""
        made = self._made(one), self._made(other)
        return one != other and any(all(name.startswith(p) for name in made) for p in self.prefixes)

    def slid(self, shape: Shape) -> None:
        """Windows slide over a tensor, over as many axes as it has."""
        self.is_for_any_axes |= not self.prefixes or any(map(self.is_tried, shape.head))

    def flattened(self, shape: Shape, start: int) -> None:
        """Axes from one on are joined: odd where there is nothing to join."""
        self._note(shape.rank == start + 1 and self.is_tried(shape.head[-1]))

    def transposed(self, shape: Shape) -> None:
        """`x.T`: odd where it is no matrix; torch warns of it and will refuse it."""
        self._note(shape.rank not in (None, 2) and any(map(self.is_tried, shape.head)))

    def indexed(self, shape: Shape, items: Sequence[object]) -> None:
        """Parts of a tensor are taken: odd where axes are left behind those that are named, if the last is named only
        to take all of it, or so many are named that they are meant to be all; the last along one axis, `x[:, :, -1:]`
        as of the tokens of a sequence, may well be a vector."""
        named = [item for item in items if item is not None]
        if shape.rank is None or not named or not all(isinstance(item, Dim | slice) for item in named):
            return
        is_one_along_axis = all(item == slice(None) for item in named[:-1]) and named[-1] == LAST
        is_full = len(named) > 1 and named[-1] == slice(None)
        is_all_named = is_full or (len(named) >= ALL_NAMED and not is_one_along_axis)
        self._note(is_all_named and any(map(self.is_tried, shape.head[len(named) :])))

    def measured(self, sizes: Sequence[object], start: object) -> None:
        """The sizes from one on are asked for: odd where there are none left."""
        count = start.const if isinstance(start, Dim) else None
        if count is not None and count >= len(sizes) > 0:
            self._note(any(isinstance(size, Dim) and self.is_tried(size) for size in sizes))

    def reshaped(self, shape: Shape, sizes: Sequence[object]) -> None:
        """A tensor gets axes of one behind a first that takes all there is: odd where it is no vector."""
        if len(sizes) > MORE_THAN_A_COLUMN and sizes[0] == -1 and all(size == 1 for size in sizes[1:]):
            self._note(shape.rank is not None and shape.rank > 1 and any(map(self.is_tried, shape.head)))

    def classified(self, scores: Shape, classes: Shape | None) -> None:
        """The scores of classes are judged: odd where they are no rows of scores, or the classes are scores as well."""
        self._note(scores.rank not in (None, 2) and any(map(self.is_tried, scores.head)))
        if classes is not None:
            self._note(classes.rank == scores.rank and any(map(self.is_tried, classes.head)))

    def combined(self, one: Shape, other: Shape) -> None:
        """Two tensors are broadcast: odd where the one that is tried has more dims than another that was given, or
        another number of them than one with an axis that is there to be broadcast: in front, or between others, which
        says of what it meets that it has an axis before that one."""
        if one.rank is None or other.rank is None or one.rank == other.rank:
            return
        low, high = (one, other) if one.rank < other.rank else (other, one)
        if not low.head:
            return
        is_given = self._is_given(low) and len(low.head) > 1
        self._note((is_given or self._is_there_once(low)) and any(map(self.is_tried, high.head)))
        self._note(self._is_there_once(high) and any(map(self.is_tried, low.head)))
        self._note(_meets_axis_between(low, high) and not self._is_of_same(low, high))

    def _is_of_same(self, low: Shape, high: Shape) -> bool:
        """Whether what is tried gave the higher of two tensors, by itself or as it gave the other."""
        behind_low, behind_high = ({p for p in self.prefixes if self._begins(s, p)} for s in (low, high))
        return bool(behind_high & behind_low) or bool(behind_high and not behind_low)

    def _begins(self, shape: Shape, prefix: str) -> bool:
        """Whether sizes of a tensor have to do with one that is tried."""
        sizes = [size for size in shape.head if isinstance(size, Dim)]
        return any(self._made(name).startswith(prefix) for size in sizes for name in size.names())

    def _is_there_once(self, shape: Shape) -> bool:
        """Whether a tensor has an axis of one in front of several others."""
        return len(shape.head) > 2 and shape.head[0] == 1 and not any(map(self.is_tried, shape.head))

    def joined(self, one: Shape, other: Shape) -> None:
        """Two ways give tensors: odd where the one that is tried has another number of dims than one that was given."""
        if one.rank is None or other.rank is None or one.rank == other.rank:
            return
        plain = [any(isinstance(s, Dim) and self.is_tried(s) and s.name for s in shape.head) for shape in (one, other)]
        self._note((self._is_given(one) and plain[1]) or (self._is_given(other) and plain[0]))

    def remarked(self, shape: Shape, told: Shape | None) -> None:
        """A comment tells the shape of what is bound: odd where it tells more dims, or fewer."""
        self._note(told is not None and told.rank != shape.rank)

    def unpacked(self) -> None:
        """The parts of something are taken of which not even the number is known: odd where another rank tells it."""
        self._note(True)

    def _note(self, is_odd: bool) -> None:
        self.add(is_odd)

    def add(self, surprises: int) -> None:
        """So much more is odd."""
        self.surprises += surprises
        if self.is_over():
            raise ShapeError(TOO_ODD, "another rank fits better")

    def _is_given(self, shape: Shape) -> bool:
        """Whether a tensor begins with a size of the other parameters, and has none that is tried."""
        if shape.rank is None or not shape.head or any(map(self.is_tried, shape.head)):
            return False
        first = shape.head[0]
        return isinstance(first, Dim) and any(name in self.given for name in first.names())


def _meets_axis_between(low: Shape, high: Shape) -> bool:
    """Whether an axis of a tensor meets an axis of one with another before it: `x` and `scale[:, None, :]`."""
    if low.rank is None or high.rank is None:
        return False
    return high.head[0] != 1 and any(size == 1 for size in high.head[-low.rank : -1])


def _factors(size: Dim) -> int:
    """How many names a size is the product of; 0 where it is none."""
    if len(size.terms) != 1 or any(not isinstance(atom, str) for atom, _ in size.terms[0][0]):
        return 0
    return sum(exponent for _, exponent in size.terms[0][0])
