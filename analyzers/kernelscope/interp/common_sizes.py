"""Sizes that several calls have in common, in a function's own words.

A size that is the same in every call stays; sizes that differ become symbols, one for all that always agree.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from kernelscope.dims import Dim, difference, dim
from kernelscope.dims.spelling import SEPARATOR, is_of_dim
from kernelscope.tensor import Size
from kernelscope.tensor.broadcasting import is_rest_of_rows

Vector = tuple[Dim | None, ...]
"""What a size is in each call; None where a call does not tell."""
MAX_RELATED = 40
"""Sizes of more parts than this are not tried as sums and products of each other."""


@dataclass(slots=True)
class CommonSizes:
    """Words for the sizes of `count` calls. `taken` are names that mean something else in the function."""

    count: int
    taken: set[str]
    rename: bool = True
    """Whether attributes of the caller's `self` mean something else here."""
    hinted: set[str] = field(default_factory=set[str])
    """What the function calls sizes of its parameters: a caller's size of that name is another one."""
    apart: Set[str] = frozenset()
    """Those of them that are given as another size than what is called so elsewhere."""
    may_be_one: Sequence[Set[str]] = ()
    """For each call, names of sizes that may well be 1."""
    ones: set[str] = field(default_factory=set[str])
    """The words for such sizes."""
    examples: bool = False
    """Whether the calls are a few of many: numbers in them are examples."""
    trials: bool = False
    """Whether they try the function out, on batches of one."""
    of_one_by_default: bool = False
    """Whether the receiver is made with a size that is 1 by default: so is then what they give it, by chance."""
    words: dict[Vector, Dim] = field(default_factory=dict["Vector", Dim])
    axes: dict[Dim, int] = field(default_factory=dict[Dim, int])
    """Of which axis the examples are that words stand for."""
    prefixes: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """For each call, what the objects that it gives are called here: `config.text_config` is `config`."""

    def __post_init__(self) -> None:
        self.prefixes = [{} for _ in range(self.count)]

    @contextmanager
    def own(self, name: str) -> Generator[None]:
        """Inside, the size that a parameter is gets a word: it may be called what the parameter is."""
        is_taken = name in self.taken
        self.taken.discard(name)
        try:
            yield
        finally:
            self.taken.update({name} if is_taken else ())

    def example(self, found: Sequence[Size], hint: str, axis: int) -> Dim | None:
        """A symbol for a number that the few callers of other files happen to give; 1 is none by chance, but as the
        batch of a trial, and the same number of another axis is."""
        least = 1 if self.trials and (self.of_one_by_default or not axis) else 2
        if not self.examples or not all(isinstance(s, Dim) and (s.const or 0) >= least for s in found):
            return None
        vector = self.vector(found)
        word = self.words.get(vector)
        if word is None or self.axes.setdefault(word, axis) != axis:
            word = self._new(vector, hint)
            self.axes[word] = axis
        return word

    def shown(self, name: str) -> Dim:
        """What a number is called that examples give for a parameter: others may be given, and for another parameter
        another, even where the examples give both the same."""
        return self._own(name, may_be_one=False)

    def agreed(self, found: Sequence[Size]) -> Dim | None:
        """A size for which there is a word already, or that is the same number in every call."""
        vector = self.vector(found)
        if any(d is None for d in vector):
            return None
        if (word := self.words.get(vector)) is not None:
            return word
        first = vector[0]
        if first is None or any(d != first for d in vector):
            return None
        return first if first.const is not None else self.spoken(first)

    def size(self, found: Sequence[Size], hint: str, is_own: bool = False) -> Size:
        """One size, from what it is in each call. `is_own` when `hint` is what the function itself calls it."""
        vector = self.vector(found)
        known = [d for d in vector if d is not None]
        if not known:
            return self._own(hint, may_be_one=True)
        first = known[0]
        same = all(d == first for d in known)
        if same and first.const is not None:
            return first if None not in vector else self._own(hint, may_be_one=first == 1)
        if (word := self.words.get(vector)) is not None:
            return word
        is_setting = all("." in name for name in first.names())
        if None in vector and not (same and is_setting):
            return self._new(vector, hint)
        if same and not self._is_better_called(hint, first, is_own):
            return self.spoken(first, vector)
        related = self._longer(first, vector) if same else self._related(vector)
        return self._new(vector, hint) if related is None else related

    def _own(self, name: str, may_be_one: bool) -> Dim:
        """A size that no call tells, or that is a number in those that do: what it is in the others, and what another
        size has to do with it, is open."""
        called = self.free(name)
        self.taken.add(called)
        self.ones.update({called} if may_be_one else ())
        return dim(called)

    def _is_better_called(self, hint: str, size: Dim, is_own: bool) -> bool:
        """Whether the function has a word for what its callers call otherwise, or have no word for.

        What a caller computes of sizes that are not known here, such as `batch*length`, is one size here.
        """
        if self.free(hint) != hint:
            return False
        if size.name is not None:
            return "." not in size.name and (is_own or is_of_dim(size.name))
        names = size.names()
        return len(names) > 1 and any("." not in n and dim(n) not in self.words.values() for n in names)

    def _longer(self, size: Dim, vector: Vector) -> Dim | None:
        """A size that callers compute, in terms of another that has a word already and differs by a number."""
        for known, word in self.words.items():
            other = next((d for d in known if d is not None), None)
            if other is None or other.name is not None or any(d not in (None, other) for d in known):
                continue
            if [d is None for d in known] == [d is None for d in vector] and (number := difference(size, other)):
                return word + number
        return None

    def _new(self, vector: Vector, name: str, of_callers: bool = False) -> Dim:
        word = dim(self.free(name, of_callers))
        self.words[vector] = word
        for size, ones in zip(vector, self.may_be_one, strict=False):
            if size is not None and (size == 1 or size.name in ones or is_rest_of_rows(size)):
                self.ones.update(word.names())
        return word

    def vector(self, found: Sequence[Size]) -> Vector:
        return tuple(
            self._translated(d, prefixes) if isinstance(d, Dim) else None
            for d, prefixes in zip(found, self.prefixes, strict=True)
        )

    def _translated(self, size: Dim, prefixes: dict[str, str]) -> Dim:
        if not prefixes:
            return size
        changes: dict[str, Dim] = {}
        for name in size.names():
            for prefix, called in prefixes.items():
                if prefix != called and name.startswith((f"{prefix}.", f"{prefix}[")):
                    changes[name] = dim(called + name[len(prefix) :])
        return size.subs(changes) if changes else size

    def _related(self, vector: Vector) -> Dim | None:
        """A size that is another one and a number, or a multiple of it, in every call."""
        for known, word in self.words.items():
            if any(d is not None and d.weight > MAX_RELATED for d in (*vector, *known)):
                continue
            pairs = [(a, b) for a, b in zip(vector, known, strict=True) if a is not None and b is not None]
            if len(pairs) < 2 or len(pairs) < self.count or all(b == pairs[0][1] for _, b in pairs):
                continue
            differences = {difference(a, b) for a, b in pairs}
            if len(differences) == 1 and (number := differences.pop()) is not None:
                return word + number
            ratios = [a.exact_div(b) for a, b in pairs]
            if ratios[0] is not None and all(r == ratios[0] for r in ratios) and ratios[0].const is not None:
                return word * ratios[0]
        return None

    def spoken(self, size: Dim, vector: Vector | None = None) -> Dim:
        """A size that is the same in every call: names that mean something else here are changed."""
        changes: dict[str, Dim] = {}
        for name in size.names():
            own: Vector = tuple(dim(name) if vector is None or v is not None else None for v in vector or self._all)
            word = self.words.get(own)
            if word is None:
                word = self._new(own, name, of_callers=True)
            if word.name != name:
                changes[name] = word
        return size.subs(changes) if changes else size

    @property
    def _all(self) -> Vector:
        return (None,) * self.count

    def keeps(self, name: str) -> bool:
        """Whether a name of the callers means the same here."""
        return self.words.get((dim(name),) * self.count) == dim(name)

    def can_say(self, name: str) -> bool:
        if SEPARATOR in name or name in self.taken or name in self.hinted:
            return False
        return not (self.rename and name.startswith("self."))

    def free(self, name: str, of_callers: bool = False) -> str:
        """A name that means nothing else in the function; what callers call a size is not what the function calls
        another one."""
        if self.can_say(name) and dim(name) not in self.words.values():
            return name
        name = name.partition(SEPARATOR)[0].removeprefix("self.")
        taken = {d.name for d in self.words.values()} | (self.hinted if of_callers else set[str]())
        chosen, count = name, 1
        while chosen in taken or chosen in self.taken:
            count += 1
            chosen = f"{name}_{count}"
        return chosen
