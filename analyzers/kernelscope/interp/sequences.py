"""Sequences as values: elements that are known one by one, or alike and of unknown number."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from typing import Any

from kernelscope import ops
from kernelscope.dims import Dim, dim
from kernelscope.interp.agreement import joined
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.values import (
    CALLABLES,
    Alike,
    Choice,
    Instance,
    Number,
    Opaque,
    Sequential,
    Unpacked,
    Value,
    as_size,
    has_unknown_length,
    present,
)
from kernelscope.tensor import Several, Shape, ShapeError, Tensor, Unknown
from kernelscope.workspace.modules import Definition

MAX_ELEMENTS = 64
PART = "an element of something that is not known"
MAX_LISTED = 8
"""How far is counted one by one where the user gives sizes: the layers of a model stay alike."""


MOST_LETTERS = 16
"""Texts that are gone through have a letter for each thing to do: `"NDA"`."""


def sequence(value: Value) -> list[Value] | None:
    """The elements of a value that is a sequence of known length."""
    match value:
        case tuple() | list():
            return list(value)
        case Shape() if value.dims is not None:
            return list(value.dims)
        case dict():
            return list(value)
        case str() if len(value) <= MOST_LETTERS:
            return list(value)
        case _:
            return None


class Mapping:
    """A registry of the program's own: a dict-like object whose entries are callables."""

    def __init__(self, entries: dict[str, Value]) -> None:
        self.entries = entries


def is_callable(value: Value) -> bool:
    return isinstance(value, CALLABLES)


def parts_of(values: tuple[Value, ...] | list[Value]) -> list[Value]:
    """What stands for the elements, those of sequences that were spread included."""
    found: list[Value] = []
    for value in values:
        held = value.value if isinstance(value, Unpacked) else value
        is_part = held is value or isinstance(held, Alike)
        part = held.element if isinstance(value, Unpacked) and isinstance(held, Alike) else held
        found.append(part if is_part else Unknown(PART))
    return found


def as_alike(values: tuple[Value, ...] | list[Value]) -> Alike:
    """A list in which others are spread, as one whose elements are alike: as long as all of them."""
    total = dim(0)
    is_counted = True
    for value in values:
        whole = value.value.count if isinstance(value, Unpacked) and isinstance(value.value, Alike) else None
        count = as_size(whole) if isinstance(value, Unpacked) else dim(1)
        is_counted = is_counted and isinstance(count, Dim)
        total = total + count if isinstance(count, Dim) else total
    return Alike(any_of(parts_of(values)), total if is_counted else None)


def _element_near_an_end(values: tuple[Value, ...] | list[Value], index: Value) -> Value:
    number = index.const if isinstance(index, Dim) else None
    if number is not None and -len(values) <= number < len(values):
        passed = values[: number + 1] if number >= 0 else values[number:]
        if not has_unknown_length(passed):
            return values[number]
    if isinstance(index, slice) and index.start is None is index.step and index.stop == as_alike(values).count:
        return list(values)  # all of them
    bounds = slice_of(index) if isinstance(index, slice) else None
    if bounds is not None and (part := _from_the_start(values, bounds)) is not None:
        return part
    found = any_of(parts_of(values))
    return Alike(found) if isinstance(index, slice) else found


def _from_the_start(values: tuple[Value, ...] | list[Value], bounds: slice) -> Value | None:
    """The part between two places that are counted from the start, if nothing before the last one is of unknown length:
    `args[:2]` and `args[2:]` of `(x, y, *others)`."""
    ends = [0 if bounds.start is None else bounds.start, bounds.stop]
    last = max((end for end in ends if end is not None), default=0)
    if bounds.step is not None or min(end for end in ends if end is not None) < 0:
        return None
    return None if last > len(values) or has_unknown_length(values[:last]) else values[bounds]


def element_at(values: tuple[Value, ...] | list[Value], index: Value, span: Any) -> Value:
    if len(values) == 1 and isinstance(values[0], Unpacked) and isinstance(values[0].value, Opaque):
        of = values[0].value
        return Opaque(f"{of.name}[{index!r}]") if isinstance(index, Dim) else Unknown(PART, span)
    if has_unknown_length(values):
        return _element_near_an_end(values, index)
    if isinstance(index, Dim) and index.const is not None:
        if -len(values) <= index.const < len(values):
            return values[index.const]
        if values and type(values) is tuple and all(isinstance(part, Dim) for part in values):
            raise ShapeError("rank", f"there is no dim {index.const} in {Shape(values)}")
        return Unknown("an index beyond the end", span)
    if isinstance(index, slice):
        part = slice_of(index)
        return Unknown("a slice with bounds that are not known", span) if part is None else values[part]
    if values:
        result = values[0]
        for other in values[1:]:
            result = joined(result, other)
        return result
    return Unknown("an element of an empty sequence", span)


def slice_of(index: slice) -> slice | None:
    """A slice of numbers that are known."""
    bounds = (index.start, index.stop, index.step)
    parts = [p.const if isinstance(p, Dim) and p.const is not None else p for p in bounds]
    return slice(*parts) if all(p is None or isinstance(p, int) for p in parts) else None


def any_of(items: list[Value]) -> Value:
    """A value that stands for any of a list's elements."""
    result: Value = items[0] if items else Unknown("an element of an empty sequence")
    for other in items[1:]:
        result = joined(result, other)
    return result


def iterated(run: Interpreter, value: Value) -> list[Value] | Alike:
    """What a `for` over the value goes through: a list of known length, or elements that are alike.

    What may not be there is: nobody goes through None.
    """
    value = present(value)
    found = sequence(value)
    if found is not None and has_unknown_length(value):
        alone = found[0].value if len(found) == 1 and isinstance(found[0], Unpacked) else None
        return alone if isinstance(alone, Alike) else as_alike(found)
    if found is not None:
        return found
    match value:
        case Instance() if (held := _contents(run, value)) is not None:
            return iterated(run, held)
        case Sequential():
            parts = [p.value if isinstance(p, Unpacked) else p for p in value.parts]
            return parts if not any(isinstance(p, Alike) for p in parts) else _alike(parts)
        case Alike():
            return value
        case Opaque():
            return Alike(_part(run, value, Unknown(PART)), dim(f"len({value.name})"))
        case Several():
            return Alike(value.element, value.count)
        case Tensor():
            part = _part(run, value, ops.index(value, (0,)) if value.rank else Tensor())
            return Alike(part, value.shape.size(0) if value.rank else None)
        case str() if len(value) <= MAX_ELEMENTS:
            return list[Value](value)
        case Range():
            listed = MAX_ELEMENTS if run.configuration is None else MAX_LISTED
            if value.stop.const is not None and 0 <= value.stop.const <= listed:
                return [dim(i) for i in range(value.stop.const)]
            return Alike(Number("a loop counter", True), value.stop)
        case _:
            return Alike(_part(run, value, Unknown(PART)))


def kinds_of_layers(run: Interpreter, value: Value) -> list[Value] | None:
    """The parts of a sequence of layers, or of tuples with one, where some stand for any number that are alike:
    `[stem, *blocks, head]`; None where all are of one kind."""
    value = present(value)
    held = _contents(run, value) if isinstance(value, Instance) else value
    parts = held.parts if isinstance(held, Sequential) else held
    if not isinstance(parts, list | tuple) or len(parts) < 2:
        return None
    found: list[Value] = [Unpacked(part) if isinstance(part, Alike) else part for part in parts]
    return found if has_unknown_length(found) and are_of_kinds(found) else None


def are_of_kinds(parts: list[Value]) -> bool:
    """Whether the parts of a sequence are layers of several kinds, or tuples with one of them each."""
    return _is_of_kinds(any_of(parts_of(parts)))


def _is_of_kinds(part: Value) -> bool:
    """Whether what stands for any element is one of several layers, or has one."""
    parts = part if isinstance(part, tuple) else (part,)
    return any(isinstance(present(each), Choice) for each in parts)


def _contents(run: Interpreter, instance: Instance) -> Value:
    """What is gone through of an object that does not say itself how that is done."""
    from kernelscope.interp.containers import contents

    is_own = isinstance(run.classes.attribute(instance.cls, "__iter__"), Definition)
    return None if is_own else contents(run, instance)


def _alike(parts: list[Value]) -> Alike:
    """Parts of which some stand for any number."""
    count = parts[0].count if len(parts) == 1 and isinstance(parts[0], Alike) else None
    return Alike(any_of([p.element if isinstance(p, Alike) else p for p in parts]), count)


def _part(run: Interpreter, whole: Value, part: Value) -> Value:
    return part if run.trace is None else run.trace.part(whole, part)


class Range:
    """`range(stop)`."""

    def __init__(self, stop: Dim) -> None:
        self.stop = stop
