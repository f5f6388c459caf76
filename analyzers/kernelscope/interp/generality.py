"""The one call that stands for several calls of a function: what they have in common, in the function's own words.

Sizes that are the same in every call stay; sizes that differ become symbols, one for all that always agree. Sizes that
the receiver's constructor was given are called what its parameters are called.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from kernelscope.dims import Dim, dim
from kernelscope.interp.agreement import DIFFERENT_RANKS, NOT_TOLD, joined
from kernelscope.interp.autograd import SAVED
from kernelscope.interp.common_sizes import CommonSizes
from kernelscope.interp.values import (
    CALLABLES,
    Alike,
    Choice,
    Class,
    Copied,
    Flag,
    Function,
    Instance,
    Maybe,
    Number,
    Opaque,
    Open,
    Unpacked,
    Value,
    as_size,
    original,
)
from kernelscope.ops import Module
from kernelscope.tensor import Shape, Size, Tensor, Unknown

MAX_DEPTH = 6
MOST_AXES = 8
"""Numbers up to here may be axes or counts of them, which examples are no examples of."""


@dataclass(slots=True)
class Generality(CommonSizes):
    """Finds common values of `count` calls."""

    make: Callable[[Generality, list[Instance], str], Instance] | None = None
    """Makes the object that stands for several of one class."""
    saved: Sequence[str] = ()
    """What the function calls the tensors that a context kept for it."""
    made: dict[tuple[int, ...], Instance] = field(default_factory=dict[tuple[int, ...], Instance])

    def value(self, name: str, values: Sequence[Value], hints: Sequence[str] = (), depth: int = 0) -> Value:
        """What stands for the values of one parameter; a call that knows nothing says nothing."""
        if depth > MAX_DEPTH:
            return values[0]
        absent = any(v is None or isinstance(v, Maybe) for v in values)
        present = [v.value if isinstance(v, Maybe) else v for v in values]
        there = [v for v in present if v is not None]
        if not there:
            return None
        result = self._present(name, [v if v is not None else Unknown("") for v in present], hints, depth)
        if not absent:
            return result
        return Maybe(result, next((v.name for v in values if isinstance(v, Maybe) and v.name), name))

    def _present(self, name: str, values: list[Value], hints: Sequence[str], depth: int) -> Value:
        telling = [v for v in values if not isinstance(v, Unknown)]
        if not telling:
            return next((v for v in values if v.reason), values[0])
        if all(isinstance(v, Opaque) for v in telling):
            return self._opaque(name, values)
        if all(isinstance(v, Opaque | Copied) for v in telling):
            return self._copied(name, values, depth)
        solid = [v for v in telling if not isinstance(v, Opaque)]
        first = solid[0]
        if all(isinstance(v, Dim) for v in solid):
            sizes = [as_size(v) for v in values]
            called = hints[0] if hints else name
            are_shown = (
                self.examples and not depth and all(isinstance(v, Dim) and (v.const or 0) > MOST_AXES for v in sizes)
            )
            return self.shown(called) if are_shown else self.size(sizes, called)
        if all(v is first for v in telling):
            return self._same(name, first, hints, depth)
        if all(isinstance(v, Tensor) for v in solid):
            return self._tensor(name, values, hints)
        if all(isinstance(v, Number | Dim | float | bool | Flag) for v in solid):
            return self._number(name, solid)
        if all(type(v) is tuple for v in solid) and len({len(v) for v in solid}) == 1:
            if len(solid) < len(telling):
                return self._opaque(name, [v if isinstance(v, Opaque) else Unknown("") for v in values])
            columns = self._columns(values, len(first))
            named = hints if len(hints) == len(first) else ()
            return tuple(self._part(f"{name}_{i}", c, named[i : i + 1], depth + 1) for i, c in enumerate(columns))
        if all(isinstance(v, list | Alike) for v in solid):
            return self._list(name, values, solid, depth)
        if all(isinstance(v, dict) for v in solid):
            keys = dict.fromkeys(key for v in solid for key in v)
            rows = [v if isinstance(v, dict) else None for v in values]
            common = {
                key: self.value(str(key), [Unknown("") if v is None else v.get(key) for v in rows], (), depth + 1)
                for key in keys
            }
            return Open(common) if any(isinstance(v, Open) for v in solid) else common
        if all(isinstance(v, Instance) for v in solid) and len({id(v.cls.node) for v in solid}) == 1:
            return self.instance(name, solid, values, depth)
        if all(isinstance(v, Module) for v in solid) and len({v.name for v in solid}) == 1:
            return self._layer(name, values, solid)
        if all(isinstance(v, Choice) and v.is_of_table for v in solid):
            firsts = [v.entries[0] if isinstance(v, Choice) else v for v in values]
            return first.with_first(self._present(name, firsts, hints, depth))
        if all(isinstance(v, CALLABLES) for v in solid):
            return _one_of(solid) if len(solid) == len(telling) else self._opaque(name, values)
        return _plain(solid)

    def _same(self, name: str, value: Value, hints: Sequence[str], depth: int) -> Value:
        """A value that every call gives, in the words of the function."""
        values = [value] * self.count
        match value:
            case Tensor():
                return self._tensor(name, values, hints)
            case tuple() if type(value) is tuple:
                return tuple(self._part(f"{name}_{i}", [v] * self.count, (), depth + 1) for i, v in enumerate(value))
            case list():
                return [self.value(f"{name}_{i}", [v] * self.count, (), depth + 1) for i, v in enumerate(value)]
            case Copied():
                return self._copied(name, values, depth)
            case dict():
                common = {k: self.value(str(k), [v] * self.count, (), depth + 1) for k, v in value.items()}
                return Open(common) if isinstance(value, Open) else common
            case Alike():
                return Alike(self.value(name, [value.element] * self.count, (), depth + 1), value.count)
            case Instance():
                return self.instance(name, [value] * self.count, values, depth)
            case Module():
                return self._layer(name, values, values)
            case Choice() if value.is_of_table:
                return value.with_first(self._same(name, value.entries[0], hints, depth))
            case _:
                return value

    def _part(self, name: str, column: list[Value], hints: Sequence[str], depth: int) -> Value:
        """One part of tuples; where it stands for any number of parts, it does so for all calls."""
        several = [v.value if isinstance(v, Unpacked) else None for v in column]
        if all(v is None for v in several):
            return self.value(name, column, hints, depth)
        if all(isinstance(v, Alike) for v in several):
            return Unpacked(self.value(name, several, (), depth))
        return Unpacked(Unknown("values of which the number is not known"))

    def _columns(self, values: Sequence[Value], length: int) -> list[list[Value]]:
        """The parts of tuples, by position."""
        return [[v[i] if isinstance(v, tuple) else Unknown("") for v in values] for i in range(length)]

    def _list(self, name: str, values: list[Value], solid: list[Value], depth: int) -> Value:
        if any(isinstance(v, Opaque) for v in values):
            return Opaque(self.free(name))  # one call does not tell how many there are
        if all(isinstance(v, list) for v in solid) and len({len(v) for v in solid}) == 1:
            rows = [tuple(v) if isinstance(v, list) else v for v in values]
            columns = self._columns(rows, len(solid[0]))
            return [self.value(f"{name}_{i}", column, (), depth + 1) for i, column in enumerate(columns)]
        elements = [_element(v) for v in values]
        if any(isinstance(as_size(v), Dim | Number) for v in elements) and any(e != elements[0] for e in elements):
            return Alike(Number("the elements differ", True))  # each is a size of its own
        return Alike(self.value(name, elements, (), depth + 1))

    def _opaque(self, name: str, values: list[Value]) -> Value:
        """An object or number that no call knows more of: called what the parameter is called."""
        names = [v.name if isinstance(v, Opaque) else None for v in values]
        given = [v for v in values if isinstance(v, Opaque)]
        defaults = {v.default for v in given}
        default = defaults.pop() if len(defaults) == 1 else None
        classes = {None if v.cls is None else v.cls.node: v.cls for v in given}
        cls = next(iter(classes.values())) if len(classes) == 1 else None
        if len(set(names)) == 1 and names[0] == name and name not in self.apart:
            return Opaque(name, default, cls=cls)
        vector = tuple(None if n is None else dim(n) for n in names)
        if (word := self.words.get(vector)) is not None and word.name is not None:
            return Opaque(word.name, default, cls=cls)
        called = self.free(name, of_callers=name in self.apart)
        self.words[vector] = dim(called)
        for prefix, n in zip(self.prefixes, names, strict=True):
            if n is not None:
                prefix.setdefault(n, called)
        return Opaque(called, default, cls=cls)

    def _copied(self, name: str, values: Sequence[Value], depth: int) -> Value:
        """What copies of unknown objects have in common: the objects, and what some of them hold otherwise."""
        of = self._opaque(name, [original(v) if isinstance(v, Copied | Opaque) else v for v in values])
        keys = dict.fromkeys(key for v in values if isinstance(v, Copied) for key in v)
        columns = {key: [v.attribute(key) if isinstance(v, Opaque | Copied) else v for v in values] for key in keys}
        return Copied(of, {key: self._stored(key, column, depth + 1) for key, column in columns.items()})

    def _stored(self, key: str, values: list[Value], depth: int) -> Value:
        if key != SAVED or not all(type(v) is tuple and len(v) == len(self.saved) for v in values):
            return self.value(key, values, (), depth)
        columns = self._columns(values, len(self.saved))
        return tuple(self.value(name, column, (), depth + 1) for name, column in zip(self.saved, columns, strict=True))

    def _number(self, name: str, solid: list[Value]) -> Value:
        first = solid[0]
        if all(type(v) is type(first) and v == first for v in solid):
            return first
        if all(isinstance(v, bool | Flag) for v in solid):
            names = {v.name if isinstance(v, Flag) else "" for v in solid}
            return Flag(name=names.pop() if len(names) == 1 else name)
        whole = all(isinstance(v, Dim) or (isinstance(v, Number) and v.is_integer) for v in solid)
        if not whole:
            return Number("the callers give different numbers")
        called = self.free(name)
        self.taken.add(called)
        return Opaque(called)

    def _layer(self, name: str, values: list[Value], solid: list[Module]) -> Value:
        """A layer with the settings that all have."""
        first = solid[0]
        held = [v if isinstance(v, Module) else None for v in values]

        def setting(key: str) -> Value:
            return self.value(f"{name}_{key}", [Unknown("") if v is None else v.settings.get(key) for v in held])

        settings = {key: setting(key) for key in first.settings}
        parameters = {
            key: self.value(
                f"{name}_{key}", [Unknown("") if v is None else v.parameters.get(key, Unknown("")) for v in held]
            )
            for key in first.parameters
            if all(key in v.parameters for v in solid)
        }
        return Module(first.name, settings, {k: v for k, v in parameters.items() if isinstance(v, Tensor)})

    def instance(self, name: str, solid: list[Instance], values: Sequence[Value], depth: int) -> Value:
        """An object that stands for several of one class."""
        key = tuple(id(v) for v in values)
        if key in self.made:
            return self.made[key]
        first = solid[0]
        if first.is_module:
            if self.make is None:
                return first
            made = self.made[key] = self.make(self, [v if isinstance(v, Instance) else first for v in values], name)
            return made
        if not all(v.is_ready for v in solid):
            return first
        self.made[key] = common = Instance(first.cls, {}, True, made_with=first.made_with)
        for attribute in first.attributes:
            if all(attribute in v.attributes for v in solid):
                column = [v.attributes[attribute] if isinstance(v, Instance) else Unknown("") for v in values]
                between = "." if all(isinstance(v, Opaque) for v in column) else "_"
                common.attributes[attribute] = self.value(f"{name}{between}{attribute}", column, (), depth + 1)
        return common

    def _tensor(self, name: str, values: list[Value], hints: Sequence[str]) -> Tensor:
        tensors = [v if isinstance(v, Tensor) else None for v in values]
        there = [v for v in tensors if v is not None]
        dtypes = {repr(v.dtype): v.dtype for v in there if not isinstance(v.dtype, Unknown)}
        dtype = next(iter(dtypes.values())) if len(dtypes) == 1 else Unknown("the callers differ in dtype")
        shapes = [None if v is None else v.shape for v in tensors]
        ranks = {s.rank for s in shapes if s is not None and s.rank is not None}
        telling = sum(s is not None and s.rank is not None for s in shapes)
        varies = any(s is not None and s.rank is None and s.reason == DIFFERENT_RANKS for s in shapes)
        if len(ranks) == 1 and 2 * telling >= len(there) and not varies:
            rank = ranks.pop()
            sizes: list[Size] = []
            for i in range(rank):
                own = len(hints) == rank and hints[i] != "_"
                found = [_size_at(s, i, rank) for s in shapes]
                hint = hints[i] if own else f"{name}_dim{i}"
                sizes.append(self.example(found, hint, i) or self.size(found, hint, own))
            return Tensor(Shape(tuple(sizes)), dtype)
        return Tensor(self._any_rank(name, [s for s in shapes if s is not None]), dtype)

    def _any_rank(self, name: str, shapes: list[Shape]) -> Shape:
        """Calls that give different ranks: the first and last dims that are the same in every one."""
        known = [s for s in shapes if s.rank is not None or s.head or s.tail]
        if len(known) != self.count:
            why = next((f": {s.reason}" for s in shapes if s.reason and not s.reason.startswith(NOT_TOLD)), "")
            return Shape.unknown(f"{NOT_TOLD}{why}")
        head: list[Size] = []
        tail: list[Size] = []
        least = min(s.least_rank for s in known)
        for i in range(1, least + 1):
            size = self.agreed([s.size(-i) for s in known])
            if size is None or (self.examples and (size.const or 0) > 1):
                break  # a number that examples happen to give
            tail.insert(0, size)
        for i in range(least - len(tail)):
            found = [s.size(i) for s in known]
            size = self.example(found, f"{name}_dim{i}", i) or self.agreed(found)
            if size is None:
                break
            head.append(size)
        ranks = {s.rank for s in known if s.rank is not None}
        varies = len(ranks) > 1 or any(s.reason == DIFFERENT_RANKS for s in known)
        return Shape(tuple(head), tuple(tail), DIFFERENT_RANKS if varies else NOT_TOLD)


def _size_at(shape: Shape | None, index: int, rank: int) -> Size:
    """A dim of a shape of which perhaps only the ends are known, when the rank is that of another call."""
    if shape is None:
        return Unknown("")
    if shape.rank is not None or index < len(shape.head):
        return shape.size(index)
    return shape.size(index - rank)


def _element(value: Value) -> Value:
    """What stands for any element of a list in one call."""
    if isinstance(value, Alike):
        return value.element
    if isinstance(value, list) and value:
        found = value[0]
        for other in value[1:]:
            found = joined(found, other)
        return found
    return Unknown("")


def _one_of(solid: Iterable[Value]) -> Value:
    """Callables: the one that all calls give, or a choice of them."""
    values, found = list(solid), list[Value]()
    for value in values:
        for entry in value.entries if isinstance(value, Choice) and not value.is_of_table else [value]:
            if not any(_same_callable(entry, other) for other in found):
                found.append(entry)
    is_guess = any(isinstance(value, Choice) and value.is_guess for value in values)
    return found[0] if len(found) == 1 else Choice(found, is_guess=is_guess)


def _same_callable(one: Value, other: Value) -> bool:
    if one is other:
        return True
    if isinstance(one, Function | Class) and isinstance(other, Function | Class):
        return one.definition.node is other.definition.node
    return type(one) is type(other) and not isinstance(one, Instance) and repr(one) == repr(other)


def _plain(solid: list[Value]) -> Value:
    """Anything else: what is the same in every call."""
    found = solid[0]
    for other in solid[1:]:
        found = joined(found, other)
    return found
