"""Shapes of tensors of unknown rank as values: parts of them, and sizes put before or behind them.

`x.shape[:-1] + (heads, width)` and `(*x.shape[:-1], heads, width)` end in two sizes, whatever stands before them.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.dims import Dim
from kernelscope.interp.values import SPREAD, Number, Opaque, Unpacked, Value, as_size
from kernelscope.tensor import Shape, Size, Unknown

MOST_DIMS = 8
LEFT_OVER = Unknown("the size that is left over")


def is_open(value: Value) -> bool:
    """Whether a value is the shape of a tensor of unknown rank."""
    return isinstance(value, Shape) and value.dims is None


def part_of(shape: Shape, index: slice) -> Value:
    """`x.shape[-2:]` and `x.shape[:2]`: that many sizes; `x.shape[:-1]` and `x.shape[1:]`: what is left."""
    start, stop = (number.const if isinstance(number, Dim) else None for number in (index.start, index.stop))
    if index.step is None and index.stop is None and start is not None and abs(start) <= MOST_DIMS:
        return _without_first(shape, start) if start >= 0 else _sizes(shape, range(start, 0))
    if index.step is None and index.start in (None, 0) and stop is not None and abs(stop) <= MOST_DIMS:
        return shape.replace_last(-stop) if stop < 0 else _sizes(shape, range(stop))
    return Unknown(shape.reason or "the rank is not known")


def last_of(sizes: Opaque, index: Value) -> tuple[Value, ...] | None:
    """`x.shape[-2:]` of what may be no tensor of ours: the last sizes, each by its name."""
    match index:
        case slice(start=Dim() as start, stop=None, step=None) if sizes.name.endswith(".shape"):
            count = -(start.const or 0)
            return tuple(sizes.element(place) for place in range(-count, 0)) if 0 < count <= MOST_DIMS else None
        case _:
            return None


def joined(left: Sequence[Value], shape: Shape, right: Sequence[Value]) -> Shape:
    """An open shape with sizes before and behind it."""
    return Shape((*map(_size, left), *shape.head), (*(shape.tail or ()), *map(_size, right)), shape.reason)


def around(values: Sequence[Value]) -> Shape | None:
    """The sizes before and behind some of which the number is not known; None where others are not numbers."""
    places = [index for index, value in enumerate(values) if isinstance(value, Unpacked)]
    if len(places) != 1:
        return None
    sizes = [as_size(value) for index, value in enumerate(values) if index != places[0]]
    if not all(isinstance(size, Dim | Number) for size in sizes):
        return None
    known = [LEFT_OVER if isinstance(size, Dim) and size.const == -1 else _size(size) for size in sizes]
    return Shape(tuple(known[: places[0]]), tuple(known[places[0] :]), SPREAD.reason)


def spread(values: Sequence[Value]) -> Shape | None:
    """The shape that sizes stand for among which one such shape is spread; None where anything else is among them."""
    places = [index for index, value in enumerate(values) if isinstance(value, Unpacked)]
    if len(places) != 1:
        return None
    whole = values[places[0]]
    shape = whole.value if isinstance(whole, Unpacked) else None
    before, behind = values[: places[0]], values[places[0] + 1 :]
    are_sizes = all(isinstance(as_size(value), Dim | Number | Unknown) for value in (*before, *behind))
    return joined(before, shape, behind) if isinstance(shape, Shape) and is_open(shape) and are_sizes else None


def _without_first(shape: Shape, count: int) -> Shape:
    missing = max(0, count - len(shape.head))
    return Shape(shape.head[count:], (shape.tail or ())[missing:], shape.reason)


def _sizes(shape: Shape, axes: range) -> tuple[Value, ...]:
    found = [shape.size(axis) for axis in axes]
    return tuple(Number(size.reason, True) if isinstance(size, Unknown) else size for size in found)


def _size(value: Value) -> Size:
    size = as_size(value)
    if isinstance(size, Dim | Unknown):
        return size
    return Unknown(size.reason if isinstance(size, Number) else "a size that is not known")
