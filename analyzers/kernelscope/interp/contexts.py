"""What a function saw in each of its calls, told once: sizes that vary from call to call are symbols of its own.

Two sizes are one symbol where they agree in every call, so that what is equal reads as equal; a size that a variable or
attribute of the function holds has its name. Does not evaluate anything.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from kernelscope.dims import NO_FACTS, Dim, Facts, dim
from kernelscope.interp.joins import Join
from kernelscope.interp.symbols import SEPARATOR, over_sizes
from kernelscope.interp.values import Flag, Number, Opaque, Value, agreed, as_size, present
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Shape, Size, Tensor, Unknown

MAX_CONTEXTS = 24
"""Calls of one function that are told apart; later ones are not looked at."""
MAX_WEIGHT = 14
"""A size of more parts than this is a symbol: nobody reads it."""
FRACTIONS = (2, 3, 4, 8)
DIFFERENT_RANKS = "the callers give different ranks"

Place = tuple[str, Span]
Column = tuple[Dim | None, ...]
"""One size in each call; None where the place was not reached or nothing is known."""


@dataclass(slots=True)
class Context:
    """The values of one call by place; a place that is passed several times holds what its values have in common."""

    function: t.FunctionDef
    join: Join
    values: dict[Place, Value] = field(default_factory=dict[Place, Value])
    facts: Facts = NO_FACTS
    """What is known of sizes once the entry point is through: it held all along."""

    @property
    def parameters(self) -> set[Span]:
        return {param.name_span for param in self.function.args}

    def add(self, place: Place, value: Value) -> None:
        if place in self.values:
            value = present(self.join.values("size", self.values[place], value))
        self.values[place] = value

    def settle(self) -> None:
        """Say equal sizes equally."""
        if self.facts.equal or self.facts.divisible:
            rewritten: dict[Dim, Dim] = {}

            def rewrite(size: Dim) -> Dim:
                if size not in rewritten:
                    rewritten[size] = self.facts.rewrite(size)
                return rewritten[size]

            self.values = {place: over_sizes(value, rewrite) for place, value in self.values.items()}
            self.facts = NO_FACTS


@dataclass(slots=True)
class Seen:
    """The value that a place has in all contexts, and how many contexts there were."""

    value: Value
    contexts: int = 1


def told(contexts: Sequence[Context]) -> dict[Place, Seen]:
    """What the calls say together, function by function."""
    by_function: dict[t.FunctionDef, list[Context]] = {}
    for context in contexts:
        calls = by_function.setdefault(context.function, [])
        if len(calls) < MAX_CONTEXTS:
            context.settle()
            if all(context.values != other.values for other in calls):
                calls.append(context)
    found: dict[Place, Seen] = {}
    for function, calls in by_function.items():
        for place, seen in Telling(function, calls).places():
            known = found.get(place)  # a lambda or method that several functions run
            found[place] = seen if known is None else Seen(agreed(known.value, seen.value), known.contexts)
    return found


class Telling:
    """The values of one function's calls as one, in the function's words."""

    def __init__(self, function: t.FunctionDef, contexts: Sequence[Context]) -> None:
        self.contexts = contexts
        self.symbols: list[tuple[Column, Dim]] = []
        self.exact: dict[Column, Dim] = {}
        self.taken: set[str] = set()
        self.spoken: dict[Span, str] = dict(_words(function))
        self.meanings: dict[str, Column | None] = {}
        """What a name of the function stands for in each call; None if it changes within a call."""
        spans = {place for context in contexts for place in context.values}
        self.ignorant = {id(c) for c in contexts if _knows_nothing(c)} if len(contexts) > 1 else set[int]()
        if len(self.ignorant) == len(contexts):
            self.ignorant = set()
        self.order = sorted(spans, key=lambda place: (place[1].start, -place[1].end))
        self._learn_words()

    def _learn_words(self) -> None:
        for place in self.order:
            word = self.spoken.get(place[1])
            column = tuple(_plain_size(context.values.get(place)) for context in self.contexts)
            if word is None or all(size is None for size in column):
                continue
            known = self.meanings.get(word, column)
            self.meanings[word] = _merged(known, column) if known is not None else None
        self.taken |= set(self.meanings)
        for word, column in self.meanings.items():
            if column is not None and not _is_constant(column):
                self.symbols.append((column, dim(word)))

    def places(self) -> Iterator[tuple[Place, Seen]]:
        for place in self.order:
            values = [context.values.get(place, MISSING) for context in self.contexts]
            if any(v is not MISSING and id(c) not in self.ignorant for c, v in zip(self.contexts, values, strict=True)):
                values = [MISSING if id(c) in self.ignorant else v for c, v in zip(self.contexts, values, strict=True)]
            count = sum(value is not MISSING for value in values)
            yield place, Seen(self._value(values, self.spoken.get(place[1], "")), count)

    # -- values ------------------------------------------------------------------------------------------

    def _value(self, values: Sequence[Value], name: str) -> Value:
        """One value for those of all calls; `MISSING` where a call has none."""
        there = [v for v in values if v is not MISSING]
        telling = [v for v in there if not (v is None or isinstance(v, Unknown | Opaque | Flag))]
        if not telling:
            return there[0]
        kept = [v if any(v is s for s in telling) else MISSING for v in values]
        if all(isinstance(v, Tensor) for v in telling):
            return self._tensor(kept, name)
        if all(isinstance(v, Dim) for v in telling):
            return self._said(tuple(v if isinstance(v, Dim) else None for v in kept), name)
        first = telling[0]
        kind = type(first)
        if kind in (tuple, list) and all(type(v) is kind and len(v) == len(first) for v in telling):
            columns = [[MISSING if v is MISSING else v[i] for v in kept] for i in range(len(first))]
            return kind(self._value(column, f"{name}_{i}") for i, column in enumerate(columns))
        result = first
        for other in telling[1:]:
            result = agreed(result, other)
        return over_sizes(result, lambda size: self._said(tuple(None if v is MISSING else size for v in kept), name))

    def _tensor(self, values: Sequence[Value], name: str) -> Tensor:
        tensors = [v for v in values if isinstance(v, Tensor)]
        ranks = {v.rank for v in tensors} - {None}
        shapes = [v.shape if isinstance(v, Tensor) else None for v in values]
        dtypes = [v.dtype for v in tensors if isinstance(v.dtype, DType)]
        dtype = dtypes[0] if dtypes else tensors[0].dtype
        if any(other != dtype for other in dtypes):
            dtype = Unknown("the callers differ in dtype")
        return Tensor(self._shape(shapes, len(ranks), name), dtype, tensors[0].place)

    def _shape(self, shapes: Sequence[Shape | None], ranks: int, name: str) -> Shape:
        there = [s for s in shapes if s is not None]
        if ranks == 1:
            count = next(len(s.head) for s in there if s.tail is None)
            return Shape(tuple(self._axis(shapes, i, f"{name}_dim{i}") for i in range(count)))
        tails = [s.head if s.tail is None else s.tail for s in there]
        count = min(map(len, tails))
        sizes = tuple(self._axis(shapes, i, f"{name}_dim{i}") for i in range(-count, 0))
        if ranks:
            return Shape((), sizes, DIFFERENT_RANKS)
        heads = min(len(s.head) for s in there)
        return Shape(tuple(self._axis(shapes, i, f"{name}_dim{i}") for i in range(heads)), sizes, there[0].reason)

    def _axis(self, shapes: Sequence[Shape | None], axis: int, name: str) -> Size:
        sizes = [None if s is None else s.size(axis) for s in shapes]
        lost = next((s for s in sizes if isinstance(s, Unknown)), None)
        if lost is not None:
            return lost
        return self._said(tuple(s if isinstance(s, Dim) else None for s in sizes), name.replace("_dim-", "_last"))

    # -- sizes -------------------------------------------------------------------------------------------

    def _said(self, column: Column, name: str) -> Dim:
        known = self.exact.get(column)
        if known is None:
            known = self._own(column) or self._derived(column) or self._new(column, name)
            self.exact[column] = known
        return known

    def _own(self, column: Column) -> Dim | None:
        """A size that is the same in all calls, as the caller says it, or the symbol that it is here."""
        there = [size for size in column if size is not None]
        first = there[0]
        same = all(size == first for size in there)
        if same and first.const is not None:
            return first
        if same and first.weight <= MAX_WEIGHT and all(self._means_itself(name) for name in first.names()):
            return first
        for known, symbol in self.symbols:
            if _agree(known, column):
                self._widen(known, column, symbol)
                return symbol
        if same and first.weight <= MAX_WEIGHT and (said := self._rewritten(first)) is not None:
            return said
        return None

    def _means_itself(self, name: str) -> bool:
        """Whether a name of the caller may stand here: it is no other thing in this function."""
        if SEPARATOR in name:
            return False
        if name not in self.meanings:
            return True
        column = self.meanings[name]
        return column is not None and all(size is None or size.name == name for size in column)

    def _rewritten(self, size: Dim) -> Dim | None:
        """A size that all calls share with names that mean something else here as symbols of this function."""
        names = [name for name in size.names() if not self._means_itself(name)]
        if size.name is not None or len(names) > 2:
            return None
        count = len(self.contexts)
        return size.subs({name: self._said((dim(name),) * count, name.partition(SEPARATOR)[0]) for name in names})

    def _derived(self, column: Column) -> Dim | None:
        """A size that follows from one or two that have names here, in every call alike."""
        symbols = self.symbols[:40]
        for known, symbol in symbols:
            pairs = _pairs(known, column)
            if pairs is None:
                continue
            if (factor := _shared(b.exact_div(a) for a, b in pairs)) is not None and factor.const is not None:
                return symbol * factor
            if (rest := _shared(b - a for a, b in pairs)) is not None and rest.const is not None:
                return symbol + rest
            for divisor in FRACTIONS:
                if all(a // divisor == b for a, b in pairs):
                    return symbol // divisor
        for (one, first), (other, second) in combinations(symbols[:12], 2):
            pairs, factors = _pairs(one, column), _pairs(other, column)
            if pairs is None or factors is None:
                continue
            if all(a * b == c for (a, c), (b, _) in zip(pairs, factors, strict=True)):
                return first * second
            if all(a + b == c for (a, c), (b, _) in zip(pairs, factors, strict=True)):
                return first + second
        return None

    def _new(self, column: Column, name: str) -> Dim:
        base = name if name[:1].isalpha() else f"size{name}"
        first = next(size for size in column if size is not None)
        if first.name is not None and SEPARATOR in first.name and all(s is None or s == first for s in column):
            base = first.name.partition(SEPARATOR)[0].rpartition(".")[2]
        full, count = base, 1
        while full in self.taken:
            count += 1
            full = f"{base}_{count}"
        self.taken.add(full)
        self.symbols.append((column, dim(full)))
        return dim(full)

    def _widen(self, known: Column, column: Column, symbol: Dim) -> None:
        merged = _merged(known, column)
        if merged is not None and merged != known:
            self.symbols[self.symbols.index((known, symbol))] = (merged, symbol)


MISSING: Value = object()
"""In a call that did not come to the place."""


def _words(function: t.FunctionDef) -> Iterator[tuple[Span, str]]:
    """Variables and attributes by the span under which their values are remembered."""
    for param in function.args:
        yield param.name_span, param.name
    for node in t.walk(*function.body):
        match node:
            case t.Name():
                yield node.span, node.id
            case t.Attribute() if (name := t.dotted(node)) is not None and not name.endswith((".shape", ".size")):
                yield node.attr_span, name
            case _:
                pass


def _knows_nothing(context: Context) -> bool:
    """Whether the caller knows the shape of no argument."""
    values = [context.values.get(place) for place in context.values if place[1] in context.parameters]
    tensors = [v for v in values if isinstance(v, Tensor | Unknown)]
    return bool(tensors) and not any(isinstance(v, Tensor) and v.rank is not None for v in tensors)


def _plain_size(value: Value) -> Dim | None:
    size = as_size(value) if not isinstance(value, Number) else None
    return size if isinstance(size, Dim) else None


def _is_constant(column: Column) -> bool:
    there = {size.const for size in column if size is not None}
    return len(there) == 1 and None not in there


def _agree(one: Column, other: Column) -> bool:
    """Whether two sizes are equal in all calls that have both, and some call has."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return bool(pairs) and all(a == b for a, b in pairs)


def _merged(one: Column, other: Column) -> Column | None:
    """The sizes of either, None where they differ."""
    if any(a is not None and b is not None and a != b for a, b in zip(one, other, strict=True)):
        return None
    return tuple(a if a is not None else b for a, b in zip(one, other, strict=True))


def _pairs(known: Column, column: Column) -> list[tuple[Dim, Dim]] | None:
    """Both sizes in each call that has the second; None if one of them lacks the first."""
    pairs = [(a, b) for a, b in zip(known, column, strict=True) if b is not None]
    return None if any(a is None for a, _ in pairs) else [(a, b) for a, b in pairs if a is not None]


def _shared(sizes: Iterator[Dim | None]) -> Dim | None:
    """The value that all have, if there is one."""
    found = list(sizes)
    return found[0] if found and all(size == found[0] for size in found) else None


def in_file(found: Mapping[Place, Seen], path: str) -> dict[Span, Seen]:
    return {span: seen for (where, span), seen in found.items() if where == path}
