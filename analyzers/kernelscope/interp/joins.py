"""What is certain where two ways through the code meet: what agrees stays, sizes that differ become symbols.

Two sizes that meet in several values at one place are one symbol there: after a branch that made `k` and `v` longer
both have the same, new length.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from kernelscope.dims import NO_FACTS, Dim, Facts
from kernelscope.interp.agreement import BY_COMMENT, NOT_TOLD, OF_SOME_RANK, OPTIONAL, OTHER_RANKS, joined
from kernelscope.interp.symbols import Symbols
from kernelscope.interp.values import (
    CALLABLES,
    SPREAD,
    Alike,
    Choice,
    Copied,
    Flag,
    Instance,
    Maybe,
    Number,
    Opaque,
    Scope,
    Test,
    Unpacked,
    Value,
    as_size,
    has_unknown_length,
    original,
    present,
)
from kernelscope.ops.torch.indexing import BY_INDEX
from kernelscope.tensor import COUNTLESS, Shape, Size, Tensor, Unknown
from kernelscope.tensor.size import is_length, is_row_of_tokens

UNTOLD = Unknown(NOT_TOLD)
REASON = "two ways through the code give different sizes"


@dataclass(slots=True)
class Join:
    """One place where two ways meet; `pairs` are the sizes that met so far."""

    symbols: Symbols
    scope: Scope
    condition: str = ""
    """What decides which way is taken, if it has a name: then a value that one way lacks is there under it."""
    pairs: dict[tuple[Size, Size, int], Dim] = field(default_factory=dict[tuple[Size, Size, int], Dim])
    """With the dim at which they met, where one of them is not known: two that are not known need not be equal."""
    since: int | None = None
    """Where the ways began: a symbol that was made since means something on one of them only."""
    equal: list[tuple[Dim, Dim]] = field(default_factory=list[tuple[Dim, Dim]])
    """Symbols of either way that mean the same from here on."""
    facts: tuple[Facts, Facts] = (NO_FACTS, NO_FACTS)
    """What is known at the end of either way."""
    is_of_rounds: bool = False
    """Whether the ways are no round of a loop, and some."""
    test: Test | None = None
    """What decides between the ways: it holds on the first."""
    of_any_rank: Set[str] = frozenset()
    """Names of tensors of which either way may be taken with the number of dims that one of them gives another."""
    ranked: Set[str] = frozenset()
    """Names of tensors of whose number of dims the way depends: what one way puts in, the other has already."""

    def names(self, one: dict[Any, Value], other: dict[Any, Value]) -> dict[Any, Value]:
        """Names after two branches; one that only a branch bound is used as that branch left it.

        So are the keys of dicts, which need not be texts.
        """
        merged: dict[Any, Value] = {}
        order = [*one, *(n for n in other if n not in one)]
        numbers = [n for n in order if isinstance(one.get(n), Dim | Opaque | Number)]
        for name in dict.fromkeys((*numbers, *order)):
            if name in one and name in other:
                merged[name] = self.values(name if isinstance(name, str) else "value", one[name], other[name])
            else:
                merged[name] = one.get(name, other.get(name))
        return merged

    def values(self, name: str, one: Value, other: Value) -> Value:
        """One value for what either way gave."""
        if one is other:
            return one
        result, trace = self._values(name, one, other), self.symbols.trace
        return result if trace is None else trace.met(result, one, other)

    def _values(self, name: str, one: Value, other: Value) -> Value:
        match one, other:
            case (Number(), Dim() | Opaque() | Number() | float()) | (Dim() | Opaque() | float(), Number()):
                whole = all(isinstance(v, Dim) or (isinstance(v, Number) and v.is_integer) for v in (one, other))
                return self.symbols.new(self.scope, name, REASON) if whole else Number(REASON)
            case (Opaque(), Opaque()) if one != other:
                size = self._size(one.as_dim(), other.as_dim(), name, may_be_object=True)
                return Opaque(size.name) if isinstance(size, Dim) and size.name else size
            case (Dim() | Opaque(), Dim() | Opaque()):
                return self._size(as_size(one), as_size(other), name) if one != other else one
            case (Tensor(), Tensor()):
                return self._tensor(name, one, other)
            case (Unknown(reason=reason), Tensor()) | (Tensor(), Unknown(reason=reason)) if reason == OF_SOME_RANK:
                return Tensor(Shape.unknown(OF_SOME_RANK), Unknown(OF_SOME_RANK))
            case (Unknown(), Tensor()):
                return self._instead(one, self._either(name, other))
            case (Tensor(), Unknown()):
                return self._instead(other, self._either(name, one))
            case (Dim() | Opaque() | Number() | float(), Tensor()):
                return self._or_number(other)  # a number is broadcast like a tensor without dims
            case (Tensor(), Dim() | Opaque() | Number() | float()):
                return self._or_number(one)
            case (Unknown(), tuple()):
                return other  # a way that is not followed says nothing
            case (tuple(), Unknown()):
                return one
            case (Unknown() | Opaque(), dict()) if _holds_tensors(other):
                return other
            case (dict(), Unknown() | Opaque()) if _holds_tensors(one):
                return one
            case (Unknown(), Instance(is_module=False)) if _is_record(other):
                return other  # `return (x, *rest) if as_tuple else Outputs(x)`, of which nothing tells how long it is
            case (Instance(is_module=False), Unknown()) if _is_record(one):
                return one
            case (None, _) | (_, None):
                value = other if one is None else one
                return value if isinstance(value, Unknown | Maybe) else Maybe(value, self.condition or name)
            case (Maybe(), _) | (_, Maybe()):
                first = one.value if isinstance(one, Maybe) else one
                second = other.value if isinstance(other, Maybe) else other
                return Maybe(self.values(name, first, second), name)
            case (tuple(), (Unpacked(value=Opaque() as whole),)) if len(one) > 1:
                return self.values(name, one, whole)  # `tuple(x) if is_many(x) else (x, x)`: a pair either way
            case ((Unpacked(value=Opaque() as whole),), tuple()) if len(other) > 1:
                return self.values(name, whole, other)
            case (tuple(), tuple()) if has_unknown_length(one) != has_unknown_length(other):
                return (Unpacked(Unknown(SPREAD.reason)),)
            case (tuple(), tuple()) if len(one) == len(other) and type(one) is type(other) is tuple:
                return tuple(self.values(f"{name}_{i}", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True)))
            case (slice(), slice()):
                bounds = zip((one.start, one.stop, one.step), (other.start, other.stop, other.step), strict=True)
                return slice(*(a if a == b else Unknown(REASON) for a, b in bounds))
            case (list(), list()):
                if len(one) == len(other):
                    return [self.values(f"{name}_{i}", a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))]
                return Alike(self._element(name, [*one, *other]))
            case (Unpacked(), Unpacked()):
                return Unpacked(self.values(name, one.value, other.value))
            case (Alike(), list()) | (list(), Alike()) | (Alike(), Alike()):
                parts = [p for v in (one, other) for p in ([v.element] if isinstance(v, Alike) else v)]
                counts = {repr(v.count): v.count for v in (one, other) if isinstance(v, Alike)}
                is_counted = isinstance(one, Alike) and isinstance(other, Alike) and len(counts) == 1
                return Alike(self._element(name, parts), one.count if is_counted else None)
            case (Copied(), Copied() | Opaque()) | (Opaque(), Copied()) if original(one) == original(other):
                keys = dict.fromkeys(key for each in (one, other) if isinstance(each, Copied) for key in each)
                stored = {key: self.values(key, one.attribute(key), other.attribute(key)) for key in keys}
                return Copied(original(one), stored)
            case (Copied(), Copied() | Opaque()) | (Opaque(), Copied()):
                return Unknown("copies of different objects")
            case (dict(), dict()):
                return self.names(one, other)
            case (Unknown(), Dim() | Number() | Opaque()) | (Dim() | Number() | Opaque(), Unknown()):
                known = one if isinstance(other, Unknown) else other
                if isinstance(known, Opaque) and known.default is None:
                    return joined(one, other)
                whole = not isinstance(known, Number) or known.is_integer
                return self.symbols.new(self.scope, name, REASON) if whole else Number(REASON)
            case (Opaque(), _) if isinstance(other, CALLABLES):
                return as_given(other, called=one.name)  # what is given is of the same kind
            case (_, Opaque()) if isinstance(one, CALLABLES):
                return as_given(one, called=other.name)
            case (Unknown(), _) if isinstance(other, CALLABLES) and self.symbols.building:
                return other  # `act() if act else Identity()` makes layers that do the same to shapes
            case (_, Unknown()) if isinstance(one, CALLABLES) and self.symbols.building:
                return one
            case (Opaque(), str()):
                return one  # `given or "default"`
            case (str(), Opaque()):
                return other
            case (Opaque(), list() | Alike()) if _is_repeated(other, one):
                return one  # `x if isinstance(x, list) else [x] * n`: a list of its own either way
            case (list() | Alike(), Opaque()) if _is_repeated(one, other):
                return other
            case (Opaque(), tuple()) | (tuple(), Opaque()) if (one,) == other or one == (other,):
                return (Unpacked(Unknown(SPREAD.reason)),)  # `x if is_many(x) else (x,)`: any number of them
            case (Opaque(), tuple()):
                return self.values(name, tuple(one.element(i) for i in range(len(other))), other)
            case (tuple(), Opaque()):
                return self.values(name, one, tuple(other.element(i) for i in range(len(one))))
            case (Choice(), Choice()) if one.is_of_table and other.is_of_table:
                return one.with_first(self.values(name, one.entries[0], other.entries[0]))
            case (Instance(), tuple() | list() | Alike()) if not one.is_module:
                return one  # what holds the same in its order is a shorter way to give it
            case (tuple() | list() | Alike(), Instance()) if not other.is_module:
                return other
            case (Instance(), Instance()) if one.cls.node is other.cls.node:
                return Choice([one, other]) if one.is_module and one.made_with != other.made_with else one
            case _:
                return joined(one, other)

    def any_of(self, name: str, items: list[Value]) -> Value:
        """A value that stands for any of a sequence's elements."""
        parts = [part.value.element if _is_any_number(part) else part for part in items]
        result: Value = parts[0] if parts else Unknown("an element of an empty sequence")
        for other in parts[1:]:
            result = self.values(name, result, other)
        return result

    def _element(self, name: str, parts: list[Value]) -> Value:
        """What stands for each element of a list of unknown length; sizes that differ are each one of its own."""
        if any(isinstance(as_size(part), Dim | Number) for part in parts) and any(p != parts[0] for p in parts):
            return Number("the elements differ", True)
        return self.any_of(name, parts)

    def _tensor(self, name: str, one: Tensor, other: Tensor) -> Tensor:
        first, second = one.shape.dims, other.shape.dims
        if (first is None) != (second is None) and name in self.of_any_rank:
            return Tensor(Shape.unknown(OTHER_RANKS), one.dtype if one.dtype == other.dtype else Unknown(REASON))
        if first is None and second is not None and one.shape.reason == NOT_TOLD:
            first = _alike(one.shape, second)
        if second is None and first is not None and other.shape.reason == NOT_TOLD:
            second = _alike(other.shape, first)
        if first is None and second is not None and _says_nothing(one.shape):
            return self._either(name, other, one.shape.reason == BY_INDEX)
        if second is None and first is not None and _says_nothing(other.shape):
            return self._either(name, one, other.shape.reason == BY_INDEX)
        if first is None or second is None or len(first) != len(second):
            if self.symbols.trial is not None:
                self.symbols.trial.joined(one.shape, other.shape)
            return self._of_own_sizes(joined(one, other), one.shape, other.shape)
        sizes = tuple(self._size(a, b, f"{name}_dim{i}", i) for i, (a, b) in enumerate(zip(first, second, strict=True)))
        dtype = one.dtype if one.dtype == other.dtype else Unknown("the branches differ in dtype")
        self.symbols.batches.meet(Shape(sizes), Shape(first), Shape(second))
        return Tensor(Shape(sizes), dtype)

    def _of_own_sizes(self, met: Value, one: Shape, other: Shape) -> Value:
        """What a tensor of unknown rank has in common whose first sizes either way found out: those are the same."""
        if not isinstance(met, Tensor) or one.rank is not None or other.rank is not None or self.since is None:
            return met
        most = min(one.least_rank, other.least_rank) - len(met.shape.tail or ())
        head: list[Size] = []
        for a, b in zip(one.head[:most], other.head[:most], strict=False):
            if a != b and not all(isinstance(s, Dim) and self.symbols.is_made_since(s, self.since) for s in (a, b)):
                break
            if (size := self._size(a, b, "")) not in (a, b):
                break
            head.append(size)
        return met.with_shape(Shape(tuple(head), met.shape.tail, met.shape.reason))

    def _either(self, name: str, known: Tensor, are_picked: bool = False) -> Tensor:
        """A tensor of the rank that one way gives, where the other is not followed: what a call brings may differ.

        Numbers and what a configuration fixes stay, for tokens in a row what the object is made with as well, but for
        an axis of 1 that a round of a loop may fill or that tensors of more dims have already, and for one of 0: what
        is empty only holds the place of another, `tensor([])` of any rank. So does the first of several sizes: what the
        code does to a batch, it does to all of it, unless rows `are_picked` there.
        """
        if known.shape.dims is None:
            return Tensor(Shape(known.shape.head[:1], known.shape.tail, known.shape.reason), known.dtype, known.place)
        if known.shape.dims == (0,):
            return Tensor(Shape.unknown("it is empty on one of two ways"), known.dtype)
        held = self.symbols.held_by_objects if _are_tokens(known.shape.dims) else frozenset[str]()
        sizes = [
            size
            if isinstance(size, Unknown) or (self._stays(name, size, held) and not (are_picked and i == 0))
            else self._size(size, UNTOLD, f"{name}_dim{i}", i)
            for i, size in enumerate(known.shape.dims)
        ]
        if _begins_with_batch(known.shape.dims) and not are_picked:
            sizes[0] = known.shape.dims[0]
        else:
            self.symbols.batches.meet(Shape(tuple(sizes)), known.shape)
        return Tensor(Shape(tuple(sizes)), known.dtype)

    def _instead(self, given: Unknown, either: Tensor) -> Tensor:
        """What an optional argument or what is made in its place is: where it is given, it is like that."""
        if given.reason == OPTIONAL and either.rank is not None:
            self.symbols.instead.setdefault((id(given), self.scope.frame), (given, either))
        return either

    def _or_number(self, tensor: Tensor) -> Tensor:
        """A tensor where another way has a number; what rounds of a loop add up is all alike."""
        return tensor if self.is_of_rounds else replace(tensor, or_number=True)

    def _stays(self, name: str, size: Dim, held: Set[str]) -> bool:
        may_be_more = self.is_of_rounds or name in self.ranked
        is_fixed = all("." in name or name in held for name in size.names())
        return is_fixed and size != 0 and not (may_be_more and size == 1)

    def _size(self, one: Size, other: Size, name: str, index: int = 0, *, may_be_object: bool = False) -> Size:
        if one == other or (isinstance(one, Dim) and isinstance(other, Dim) and self.symbols.is_same(one, other)):
            return one
        if (known := self._known_alike(one, other)) is not None:
            return known
        if (told := self._told(one, other) or self._told(other, one)) is not None:
            return told
        lost = one if isinstance(one, Unknown) else other if isinstance(other, Unknown) else None
        if lost == COUNTLESS:
            return other if lost == one else one
        if lost is not None and lost != UNTOLD:
            return lost
        met = (one, other, 0 if lost is None else index)
        if met not in self.pairs:
            made = self._own(one, other)
            if made is None:
                made = self.symbols.new(self.scope, name, REASON, may_be_object=may_be_object)
                if isinstance(one, Dim) and isinstance(other, Dim):
                    self.symbols.either[made.names()[0]] = (one, other)
            self.pairs[met] = made
            if 1 in (one, other) or any(isinstance(s, Dim) and s.name in self.symbols.ones for s in (one, other)):
                self.symbols.ones.update(made.names())
        return self.pairs[met]

    def _told(self, promised: Size, told: Size) -> Dim | None:
        """What the code tells of a size of which a comment tells the other way, or of a width where nothing but a name
        promises the other."""
        if not isinstance(promised, Dim) or promised.name is None or not isinstance(told, Dim):
            return None
        reasons = self.symbols.reasons
        if reasons.get(promised.name) == BY_COMMENT and all(reasons.get(name) != BY_COMMENT for name in told.names()):
            return told
        if promised.name not in self.symbols.widths:
            return None
        return None if self.symbols.widths & set(told.names()) else told

    def _known_alike(self, one: Size, other: Size) -> Dim | None:
        """What either way gives where one of them knows its size to be that of the other."""
        if not isinstance(one, Dim) or not isinstance(other, Dim):
            return None
        first, second = self.facts
        if first.rewrite(one) == first.rewrite(other):
            return other if second.rewrite(one) != second.rewrite(other) else first.rewrite(one)
        if second.rewrite(one) == second.rewrite(other):
            return one
        told = first.rewrite(one)
        return told if told == second.rewrite(other) else None

    def _own(self, one: Size, other: Size) -> Dim | None:
        """The symbol of one way, for it means nothing on the other: from here on it is what either gave."""
        if self.since is None:
            return None
        taken = [*self.pairs.values(), *(replaced for _, replaced in self.equal)]
        own = [s for s in (one, other) if isinstance(s, Dim) and self.symbols.is_made_since(s, self.since)]
        own = [s for s in own if s not in taken]
        if len(own) == 2:
            self.equal.append((own[0], own[1]))
        return own[0] if own else None


def _holds_tensors(held: dict[Any, Value]) -> bool:
    return any(isinstance(present(value), Tensor) for value in held.values())


def _is_record(instance: Instance) -> bool:
    """Whether an object, which need not have been looked into, is there to hold tensors."""
    given, named = instance.made_with or ((), {})
    return _holds_tensors({**instance.attributes, **named, **dict(enumerate(given))})


def _begins_with_batch(sizes: Sequence[Size]) -> bool:
    """Whether the first of several sizes is not told to be a length, but for tokens in a row: `[T, D]`."""
    return _are_tokens(sizes) or (len(sizes) > 1 and not is_length(sizes[0]) and sizes[0] != 1)


def _are_tokens(sizes: Sequence[Size]) -> bool:
    """Whether the sizes are those of vectors for tokens in a row, which a server's layers keep as wide as they are."""
    return len(sizes) == 2 and is_row_of_tokens(sizes[0])


def _is_any_number(part: Value) -> bool:
    """Whether a part of a list stands for any number of parts that are alike."""
    return isinstance(part, Unpacked) and isinstance(part.value, Alike)


def _is_repeated(value: Value, item: Opaque) -> bool:
    """Whether a list holds one thing only."""
    parts = [value.element] if isinstance(value, Alike) else value
    return isinstance(parts, list) and bool(parts) and all(part == item for part in parts)


def _says_nothing(shape: Shape) -> bool:
    """Whether a shape is not followed, and not one of several numbers of dims."""
    return shape.reason == BY_INDEX or (not shape.least_rank and shape.reason not in (OF_SOME_RANK, OTHER_RANKS))


def _alike(given: Shape, sizes: tuple[Size, ...]) -> tuple[Size, ...] | None:
    """The sizes of what a caller gives, when it is of the kind that the function puts in its place: of as many dims and
    the same batch."""
    tail = given.tail or ()
    if given.least_rank > len(sizes):
        return None
    untold: list[Size] = [UNTOLD] * (len(sizes) - given.least_rank)
    if untold and not given.head and _begins_with_batch(sizes):
        untold[0] = sizes[0]
    return (*given.head, *untold, *tail)


def as_given(value: Value, depth: int = 0, called: str = "") -> Value:
    """An object like this one that has been used before: its switches and counts are not those of a new one."""
    match value:
        case Instance() if not value.is_module:
            return Instance(value.cls, made_with=value.made_with, like=value, called=called)
        case Choice() if not value.is_of_table:
            return Choice([as_given(v, depth) for v in value.entries])
        case bool() if depth:
            return Flag("what an object that is given holds")
        case Dim() if depth and value.const is not None:
            return Number("what an object that is given holds", True)
        case list() if depth:
            return [as_given(v, depth + 1) for v in value]
        case Alike() if depth:
            return Alike(as_given(value.element, depth + 1), value.count)
        case _:
            return value
