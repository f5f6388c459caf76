"""Sizes that cannot be followed, as symbols named after the variable that holds them: `kept`, `key_dim2`.

A symbol belongs to one call of one function: inside it carries the call's number (`kept·7`), so that two calls are
never taken to agree; what is shown is the name alone.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from kernelscope.dims import Dim, Facts, dim
from kernelscope.dims.spelling import SEPARATOR, call_of
from kernelscope.interp.batches import Batches
from kernelscope.interp.trace import Trace
from kernelscope.interp.trials import Trial
from kernelscope.interp.values import Alike, Copied, Maybe, Number, Opaque, Scope, Value
from kernelscope.ops.families import REDUCED_OR_NOT
from kernelscope.ops.torch.views import BESIDE_ONE
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Called, Fields, Several, Shape, Size, Tensor, Unknown

OF_SOME_CALL = re.compile(f"([^{SEPARATOR}]*){SEPARATOR}([0-9]+)(.*)")
"""A symbol's name, its call, and which part of what it names is meant."""
UNTOLD_PART = re.compile(r"\{\}_?")
"""What stands in the name of an attribute for what is not known of it."""
NAMELESS = "value"
"""What a size is called that is bound to `_` only."""
PERHAPS_ONE = (REDUCED_OR_NOT, BESIDE_ONE)
"""Why sizes are not known that may well be 1."""


@dataclass(slots=True)
class Symbols:
    """The symbols made in one interpretation, with the reasons why their sizes are not known."""

    reasons: dict[str, str] = field(default_factory=dict[str, str])
    made: dict[str, int] = field(default_factory=dict[str, int])
    """How many there were when each was made."""
    of_objects: dict[str, str] = field(default_factory=dict[str, str])
    """Those that were made while an object was made, and what they would be called if there were no others."""
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    """Symbols of one call in the words of another."""
    origins: dict[str, str] = field(default_factory=dict[str, str])
    """The symbol that one is another word for: what goes through a call comes back under its own name."""
    either: dict[str, tuple[Dim, Dim]] = field(default_factory=dict[str, tuple[Dim, Dim]])
    """Those that stand where two ways met, with the sizes that the ways gave."""
    ones: set[str] = field(default_factory=set[str])
    """Those that may well be 1, as on one of two ways."""
    widths: frozenset[str] = frozenset()
    """Those that only the names of inputs promise: where another meets one on another way, the code tells it."""
    spoken: set[str] = field(default_factory=set[str])
    """What sizes of the parameters of the function that is looked at are called."""
    held: set[str] = field(default_factory=set[str])
    """Variables of that function that hold something else than a size of their name."""
    foreign: dict[str, str] = field(default_factory=dict[str, str])
    """What symbols of other calls are called where they are shown, beside those of the call that is looked at."""
    held_by_objects: set[str] = field(default_factory=set[str])
    """What objects are made with, and what their constructors compute: the same in every call."""
    frame: int = 0
    """The call that is running."""
    building: int = 0
    """How many objects are being made: what `__init__` computes belongs to the object, not to a call."""
    batches: Batches = field(default_factory=Batches)
    instead: dict[tuple[int, int], tuple[Unknown, Tensor]] = field(
        default_factory=dict[tuple[int, int], "tuple[Unknown, Tensor]"]
    )
    """Optional arguments, by identity and call, with what either they are or what is made where they are not given."""
    parts: dict[tuple[str, str], Dim] = field(default_factory=dict[tuple[str, str], Dim])
    """What attributes of things that are not known are called, by what these are called."""
    trace: Trace | None = None
    trial: Trial | None = None

    def begin(self) -> None:
        """Another function is looked at."""
        self.renamed.clear()
        self.origins.clear()
        self.either.clear()
        self.ones.clear()
        self.spoken.clear()
        self.held.clear()
        self.batches.met.clear()
        self.instead.clear()
        self.foreign = {}
        self.frame = self.building = 0

    def new(self, scope: Scope, name: str, reason: str, *, may_be_object: bool = False) -> Dim:
        """A symbol that nothing else in this call is called.

        What an object is made with may not lend its name to another size; an object in place of another keeps it.
        """
        name = UNTOLD_PART.sub("", name.partition(SEPARATOR)[0])
        name = self.of_objects.get(name, name) if name.strip("_") else NAMELESS
        end = "" if self.building and not _is_of_nobody(scope) else f"{SEPARATOR}{scope.frame}"
        given = set[str]() if end or may_be_object else _named_by(scope.names.values()) | _parameters(scope)
        full, count = f"{name}{end}", 1
        while full in self.reasons or full in given or full.partition(SEPARATOR)[0] in self.spoken:
            count += 1
            full = f"{name}_{count}{end}"
        self.made[full] = len(self.reasons)
        self.reasons[full] = reason
        if not end:  # what the constructor was given keeps its name; how many others there are is nobody's number
            self.of_objects[full] = f"{name}_2" if name in given else name
            self.held_by_objects.add(full)
        return dim(full)

    def hold(self, values: Iterable[Value]) -> None:
        """An object is made with these values."""
        self.held_by_objects.update(name for name in _named_by(values) if SEPARATOR not in name)

    def is_free(self, name: str) -> bool:
        """Whether a size is called so in one call only; `self.width` and `config.width` mean the same in every one."""
        return name not in self.held_by_objects and _is_of_call(name)

    def renew(self, symbol: str, name: str) -> None:
        """A symbol of a call that is done once more, in the new call."""
        self.made[name] = len(self.reasons)
        self.reasons[name] = self.reasons.get(symbol, "")

    def lasting(self, name: str, reason: str) -> Dim:
        """A symbol for what is the same in every call: the size of a group of ranks."""
        while name in self.spoken:
            name += "_"
        self.reasons[name] = reason
        self.held_by_objects.add(name)
        return dim(name)

    def named(self, scope: Scope, value: Value, name: str) -> Value:
        """A value as the variable that it is bound to knows it: what is not known in it is named after the variable."""
        result = self._named(scope, value, name)
        return result if self.trace is None else self.trace.same(result, value)

    def _named(self, scope: Scope, value: Value, name: str) -> Value:
        match value:
            case Number():
                return self.new(scope, name, value.reason) if value.is_integer else value
            case Dim():
                return self._settled(scope, value, name)
            case Called(size=Dim() as size):
                return replace(value, size=self._settled(scope, size, name))
            case Opaque() if value.name in self.reasons:
                called = self._settled(scope, value.as_dim(), name).name
                return value if called is None else replace(value, name=called)
            case Tensor() if value.shape.dims is not None:
                called = name if name.strip("_") else ""  # what is thrown away has the name that the call gave it
                sizes = tuple(
                    self._size(scope, s, f"{called}_dim{i}" if called else "") for i, s in enumerate(value.shape.dims)
                )
                return value if sizes == value.shape.dims else Tensor(Shape(sizes), value.dtype, value.place)
            case tuple() if type(value) is tuple:
                return tuple(self.named(scope, v, f"{name}_{i}") for i, v in enumerate(value))
            case Maybe():
                return Maybe(self.named(scope, value.value, name), value.name)
            case _:
                return value

    def called(self, scope: Scope, value: Value, name: str) -> Value:
        """What is not known and is bound to a name: if it is a number, that is what it is called."""
        if isinstance(value, Maybe):
            return Maybe(self.called(scope, value.value, name), value.name)
        if type(value) is not Unknown or not name.strip("_") or self.trace is not None:
            return value
        return Called(value.reason, value.span, self.new(scope, name, value.reason))

    def part(self, scope: Scope, whole: Called, name: str) -> Unknown:
        """An attribute of what is not known, the same whenever it is asked for."""
        holder = None if whole.size is None else whole.size.name
        if holder is None:
            return Unknown(whole.reason, whole.span)
        if (key := (holder, name)) not in self.parts:
            self.parts[key] = self.new(scope, f"{holder.partition(SEPARATOR)[0]}.{name}", whole.reason)
        return Called(whole.reason, whole.span, self.parts[key])

    def _size(self, scope: Scope, size: Size, name: str) -> Size:
        if isinstance(size, Unknown):
            made = self.new(scope, name or "size", size.reason)
            self.ones.update(made.names() if size.reason in PERHAPS_ONE else ())
            return made
        return self._settled(scope, size, name)

    def _settled(self, scope: Scope, size: Dim, name: str) -> Dim:
        """Symbols of calls that are over, named in the words of the caller."""
        if not self.reasons:
            return size
        own = f"{SEPARATOR}{scope.frame}"
        changes: dict[str, Dim] = {}
        for symbol in size.names():
            if SEPARATOR not in symbol or symbol.endswith(own) or symbol not in self.reasons:
                continue
            origin = self.origins.get(symbol, symbol)
            key = f"{origin}{own}"
            if origin.endswith(own):
                self.renamed[key] = origin
            elif key not in self.renamed:
                called = name if size.name == symbol and name.strip("_") else _apart_from(scope, symbol)
                self.renamed[key] = made = self.new(scope, called, self.reasons[symbol]).names()[0]
                self.origins[made] = origin
                if symbol in self.ones:
                    self.ones.add(made)
            changes[symbol] = dim(self.renamed[key])
        return size.subs(changes) if changes else size

    def is_made_since(self, size: Dim, count: int) -> bool:
        """Whether a size is a symbol, and no other word for an older one, that was made when there were so many."""
        return size.name is not None and self.made.get(self.origins.get(size.name, size.name), -1) >= count

    def is_of_way(self, scope: Scope, name: str, count: int) -> bool:
        """Whether a name is a symbol of this call that was made when there were so many."""
        return name.endswith(f"{SEPARATOR}{scope.frame}") and self.made.get(name, -1) >= count

    def is_same(self, one: Dim, other: Dim) -> bool:
        """Whether two sizes are one in the words of different calls."""
        return bool(self.origins) and self._original(one) == self._original(other)

    def _original(self, size: Dim) -> Dim:
        changes = {name: dim(self.origins[name]) for name in size.names() if name in self.origins}
        return size.subs(changes) if changes else size

    def in_words(self, size: Dim) -> Dim:
        """A size in the words of the call that is running, as far as it has some: what an object holds has not."""
        own = f"{SEPARATOR}{self.frame}"
        words = {n: self.renamed.get(f"{self.origins.get(n, n)}{own}", n) for n in size.names() if SEPARATOR in n}
        changes = {name: dim(word) for name, word in words.items() if word != name}
        return size.subs(changes) if changes else size

    def carried(self, facts: Facts, caller: int) -> Facts:
        """Facts at the end of a call, also about sizes that it, or its caller, has words of its own for."""
        found = facts
        for name, value in facts.equal.items():
            names = {n: dim(self.origins[n]) for n in (name, *value.names()) if n in self.origins}
            if names:
                found = found.with_equal(value.subs(names), dim(name).subs(names))
        for name, value in list(found.equal.items()):
            word = self.renamed.get(f"{name}{SEPARATOR}{caller}")
            if word is not None and word not in found.equal and word != name:
                found = found.with_equal(value, dim(word))
        return found

    def with_decided(self, facts: Facts) -> Facts:
        """Facts at the end of a function: where two ways met whose sizes turned out to be equal, there is but one."""
        for name, (one, other) in self.either.items():
            if name not in facts.equal and facts.rewrite(one) == facts.rewrite(other):
                facts = facts.with_equal(one, dim(name))
        return facts

    def with_words(self, facts: Facts, frame: int) -> Facts:
        """Facts about sizes of other calls, also under the words that one call has for them.

        What equals a size of an object is left: one object may stand for several, which are called with other sizes.
        """
        own = f"{SEPARATOR}{frame}"
        spoken_of = {*facts.equal, *(name for value in facts.equal.values() for name in value.names())}
        made = {n for n in spoken_of if SEPARATOR not in n and n in self.reasons}
        of_objects = {value for name, value in facts.equal.items() if not made.isdisjoint((name, *value.names()))}
        found = facts
        for word, origin in self.origins.items():
            if origin not in spoken_of or word in spoken_of or not word.endswith(own):
                continue
            if facts.rewrite(dim(origin)) not in of_objects:
                found = found.with_equal(dim(origin), dim(word))
        return found

    def shown(self, value: Value) -> Value:
        """A value with the symbols' plain names; those of other calls stay apart from those of this one."""
        return over_sizes(value, self._plain) if self.reasons else value

    def _plain(self, size: Dim) -> Dim:
        changes = {n: dim(self._plain_name(n)) for n in size.names() if SEPARATOR in n}
        return size.subs(changes) if changes else size

    def _plain_name(self, name: str) -> str:
        own = f"{SEPARATOR}{self.frame}"
        name = self.renamed.get(f"{self.origins.get(name, name)}{own}", name)
        symbol = OF_SOME_CALL.match(name)
        if symbol is None:
            return name
        plain, call, part = symbol[1], symbol[2], symbol[3]
        key = f"{plain}{SEPARATOR}{call}"
        if key.endswith(own) and not (plain in self.held and key in self.origins):
            return f"{plain}{part}"
        if not self.foreign:
            lent = {n for n in self.origins if n.endswith(own) and n.removesuffix(own) in self.held}
            self.foreign = {n: n.removesuffix(own) for n in self.reasons if n.endswith(own) and n not in lent}
            self.foreign |= {n: n for n in (*self.spoken, *self.held)}
        if key not in self.foreign:
            taken, count, called = set(self.foreign.values()), 1, plain
            while called in taken:
                count += 1
                called = f"{plain}_{count}"
            self.foreign[key] = called
        return f"{self.foreign[key]}{part}"


@lru_cache(8192)
def _is_of_call(name: str) -> bool:
    return call_of(name) > 0 or ("." not in name and "(" not in name and "[" not in name)


def _apart_from(scope: Scope, symbol: str) -> str:
    """What a size of another call is called here: not like a variable that holds something else."""
    plain = symbol.partition(SEPARATOR)[0]
    return f"{plain}_2" if plain in scope.names else symbol


def _is_of_nobody(scope: Scope) -> bool:
    """Whether a function that runs belongs to no object: what it computes for a constructor has a name there."""
    return scope.function is not None and not scope.function.is_bound


def over_sizes(value: Value, change: Callable[[Dim], Dim]) -> Value:
    """A value with every size in it changed."""

    def sizes(given: Iterable[Size]) -> tuple[Size, ...]:
        return tuple(change(s) if isinstance(s, Dim) else s for s in given)

    match value:
        case Dim():
            return change(value)
        case Shape():
            return Shape(sizes(value.head), None if value.tail is None else sizes(value.tail), value.reason)
        case Tensor():
            shape = over_sizes(value.shape, change)
            return value if shape == value.shape else Tensor(shape, value.dtype, value.place)
        case Fields():
            return value
        case tuple():
            return tuple(over_sizes(v, change) for v in value)
        case list():
            return [over_sizes(v, change) for v in value]
        case Several():
            return replace(value, element=over_sizes(value.element, change), count=over_sizes(value.count, change))
        case Alike():
            return Alike(over_sizes(value.element, change), over_sizes(value.count, change))
        case Maybe():
            return Maybe(over_sizes(value.value, change), value.name)
        case Copied():
            return Copied(value.of, {key: over_sizes(held, change) for key, held in value.items()})
        case _:
            return value


def _parameters(scope: Scope) -> set[str]:
    node = None if scope.function is None else scope.function.definition.node
    return {param.name for param in node.args} if isinstance(node, t.FunctionDef) else set()


def _named_by(values: Iterable[Value]) -> set[str]:
    """The names of what is not known, and those that sizes are computed of."""
    found: set[str] = set()
    for value in values:
        found.update(value.names() if isinstance(value, Dim) else (value.name,) if isinstance(value, Opaque) else ())
    return found


def sizes_in(values: Iterable[Value]) -> set[str]:
    """The names in all sizes of values."""
    found: set[str] = set()

    def note(size: Dim) -> Dim:
        found.update(size.names())
        return size

    for value in values:
        over_sizes(value, note)
    return found
