"""What is certain of one of two values: of branches that meet, or of callers that differ."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from kernelscope.dims import Dim
from kernelscope.interp.values import (
    CALLABLES,
    MAX_CHOICES,
    Choice,
    Class,
    Flag,
    Function,
    Maybe,
    Number,
    Opaque,
    Open,
    Value,
    present,
)
from kernelscope.ops import Module
from kernelscope.tensor import Called, Shape, Size, Tensor, Unknown


def _of_both(one: Value, other: Value) -> Value:
    """What is not known on either way; if it has a name on one of them it has it on that way only."""
    return Unknown(one.reason, one.span) if isinstance(one, Called) and one != other else one


def joined(one: Value, other: Value) -> Value:
    """What is certain when either of two values may be there: dims that agree stay, others are unknown.

    What only one of two dicts holds is that one's: who asks for it means that dict.
    """
    if one is other or (isinstance(one, Unknown) and isinstance(other, Unknown)):
        return _of_both(one, other)
    if isinstance(one, Maybe) or isinstance(other, Maybe):
        return Maybe(joined(present(one), present(other)), one.name if isinstance(one, Maybe) else other.name)
    if (one is None or other is None) and not isinstance(one, Unknown) and not isinstance(other, Unknown):
        return Maybe(other if one is None else one)
    if isinstance(one, Number | Dim | float) and isinstance(other, Number | Dim | float) and one != other:
        whole = all(isinstance(v, Dim) or (isinstance(v, Number) and v.is_integer) for v in (one, other))
        return Number("the branches differ", whole)
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        dtype = one.dtype if one.dtype == other.dtype else Unknown("the branches differ in dtype")
        return Tensor(_joined_shape(one.shape, other.shape), dtype)
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(joined(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [joined(a, b) for a, b in zip(one, other, strict=True)]
    if isinstance(one, dict) and isinstance(other, dict):
        held = {**one, **other, **{key: joined(one[key], other[key]) for key in one if key in other}}
        return Open(held) if isinstance(one, Open) or isinstance(other, Open) else held
    if isinstance(one, CALLABLES) and isinstance(other, CALLABLES):
        return one if _same_kind(one, other) else _either(one, other)
    try:
        if type(one) is type(other) and bool(one == other):
            return one
    except (TypeError, ValueError):
        pass
    if isinstance(one, bool | Flag) and isinstance(other, bool | Flag):
        return Flag()
    for value in (one, other):
        if isinstance(value, Unknown):
            return value
    return Unknown("the branches differ")


def agreed(one: Value, other: Value) -> Value:
    """What two contexts say of one place: a context that knows nothing says nothing, two that differ leave it open."""
    one, other = present(one), present(other)
    if one is other or isinstance(other, Unknown | Opaque | Flag):
        return one
    if isinstance(one, Unknown | Opaque | Flag) or one is None:
        return other
    if other is None:
        return one
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        dtype = one.dtype if isinstance(other.dtype, Unknown) or one.dtype == other.dtype else other.dtype
        if not isinstance(one.dtype, Unknown) and not isinstance(other.dtype, Unknown) and one.dtype != other.dtype:
            dtype = Unknown("the callers differ in dtype")
        return Tensor(_agreed_shape(one.shape, other.shape), dtype)
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(agreed(a, b) for a, b in zip(one, other, strict=True))
    return joined(one, other)


def _agreed_shape(one: Shape, other: Shape) -> Shape:
    if one == other or other.dims is None:
        return one
    if one.dims is None:
        return other
    if len(one.dims) != len(other.dims):
        return Shape.unknown(DIFFERENT_RANKS)
    return Shape(tuple(_agreed_size(a, b) for a, b in zip(one.dims, other.dims, strict=True)))


def _agreed_size(one: Size, other: Size) -> Size:
    if isinstance(other, Unknown) or one == other:
        return one
    if isinstance(one, Unknown):
        return one if one.reason == CALLERS_DIFFER else other
    return Unknown(CALLERS_DIFFER)


NOT_TOLD = "what the caller gives is not known"
"""Why nothing is known of a parameter; what the function puts in its place is of the same kind."""

OPTIONAL = "an optional argument"

FRACTION = "a number of the caller"
"""What is annotated as a floating-point number, or one by default."""

DIFFERENT_RANKS = "the callers give different ranks"

CALLERS_DIFFER = "the callers differ in this dim"

OTHER_RANKS = "the branches differ in rank"

BY_COMMENT = "only a comment tells it"
"""Why a size is not known that a comment has a word for: what the code says holds against it."""

OF_SOME_RANK = "one of several ways for different numbers of dims is not followed"


def _same_kind(one: Value, other: Value) -> bool:
    if isinstance(one, Module) and isinstance(other, Module):
        return one.name == other.name and one.settings == other.settings
    if isinstance(one, Function | Class) and isinstance(other, Function | Class):
        return one.definition.node is other.definition.node and not isinstance(one, Function)
    if isinstance(one, Choice) and isinstance(other, Choice) and one.is_of_table and other.is_of_table:
        return len(one.entries) == len(other.entries) and _same_kind(one.entries[0], other.entries[0])
    return False


def _either(one: Value, other: Value) -> Choice:
    is_guess = any(isinstance(value, Choice) and value.is_guess for value in (one, other))
    found = _entries(one)
    for entry in _entries(other):
        if not any(entry is known or _same_kind(known, entry) for known in found):
            found.append(entry)  # layers that are made alike are one object: the others would be cut off for them
    return Choice(found[:MAX_CHOICES], is_guess=is_guess)


def _entries(value: Value) -> list[Value]:
    return list(value.entries) if isinstance(value, Choice) and not value.is_of_table else [value]


def _joined_shape(one: Shape, other: Shape) -> Shape:
    if one == other:
        return one
    if one.dims is not None and other.dims is not None and len(one.dims) == len(other.dims):
        lost = Unknown("the branches differ in this dim")
        return Shape(tuple(a if a == b else lost for a, b in zip(one.dims, other.dims, strict=True)))
    last = [reversed(s.head if s.tail is None else s.tail) for s in (one, other)]
    tail = tuple(reversed(_shared(*last)))
    most = min(one.least_rank, other.least_rank) - len(tail)
    head = tuple(_shared(one.head, other.head)[:most])
    if one.rank is None and other.rank is None and OTHER_RANKS not in (one.reason, other.reason):
        return Shape(head, tail, one.reason or other.reason)  # nothing tells that the ranks differ
    return Shape(head, tail, OTHER_RANKS)


def _shared(one: Iterable[Size], other: Iterable[Size]) -> list[Size]:
    """The sizes that two shapes have in common, from where both begin; some that are known of neither are there too."""
    return [a for a, _ in takewhile(lambda pair: _is_alike(*pair), zip(one, other, strict=False))]


def _is_alike(one: Size, other: Size) -> bool:
    return one == other or (isinstance(one, Unknown) and isinstance(other, Unknown))
