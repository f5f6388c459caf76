"""Reading the arguments of an operator: a tensor, an axis, sizes, numbers; each may be unknown.

What a rule cannot do without raises `Lost`, which the registry turns into an unknown result, never into an error.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from kernelscope.dims import Dim, Facts, dim
from kernelscope.tensor import Called, Shape, ShapeError, Single, Size, Tensor, Unknown
from kernelscope.tensor.dtypes import DEFAULTS, DTYPES, DType
from kernelscope.tensor.size import is_batch, is_length

Value = Any
"""Tensor, Dim or int, float, bool, str, None, DType, Place, tuple, list, slice, Ellipsis, Module, Unknown."""


WITHOUT_BATCH = ContextVar("WITHOUT_BATCH", default=True)
"""Whether windows slide over tensors that lack a batch axis, as torch lets them; no model means that."""


class Lost(Exception):
    """The result's shape cannot be told, with the reason."""


def tensor(value: Value) -> Tensor:
    """A tensor; an unknown is one of unknown shape, a number one without dims."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Unknown):
        return Tensor(Shape.unknown(value.reason), value)
    if is_number(value):
        return Tensor(Shape(), DEFAULTS[scalar_kind(value)])
    raise Lost(f"{type(value).__name__} where a tensor is expected")


def array(value: Value) -> Tensor:
    """A tensor that is no number: what is not known of an object was taken for a size, and may be either."""
    if isinstance(value, Dim) and value.const is None:
        return Tensor(Shape.unknown("a size or a tensor"), Unknown("a size or a tensor"))
    return tensor(value)


def under_windows(shape: Shape, n: int, facts: Facts) -> Shape:
    """What windows slide over: the last `n` axes, behind channels and, as usual, a batch, which sequences have."""
    is_batched = facts.as_usual and shape.rank == n + 1 > 2 and is_batch(shape.head[0]) and is_length(shape.head[1])
    is_single = shape.rank == n + 1 and WITHOUT_BATCH.get() and not is_batched
    if shape.rank is not None and shape.rank != n + 2 and not is_single:
        raise ShapeError("rank", f"expected {n + 1} or {n + 2} dims, got {shape}")
    return shape.of_rank(n + 2) if facts.as_usual else shape


def with_dims(value: Value, least: int, most: int | None = None, batched: bool = False) -> Shape:
    """The shape of a tensor that must have so many dims; the batch is the first of `most` and may be missing, if it is
    said to be there."""
    shape = tensor(value).shape
    least = most if batched and most is not None and not WITHOUT_BATCH.get() else least
    if shape.rank is not None and not least <= shape.rank <= (shape.rank if most is None else most):
        wanted = f"at least {least}" if most is None else str(least) if least == most else f"{least} to {most}"
        raise ShapeError("rank", f"expected {wanted} dims, got {shape}")
    return shape


def tensors(value: Value) -> tuple[Tensor, ...]:
    """A tuple or list of tensors."""
    if isinstance(value, (tuple, list)):
        return tuple(tensor(v) for v in items(value))
    raise Lost(value.reason if isinstance(value, Unknown) else "a sequence of tensors that is not known")


def items(value: Value) -> tuple[Value, ...]:
    """The elements of a tuple or list."""
    return tuple(value)


def is_sequence(value: Value) -> bool:
    return isinstance(value, (tuple, list))


def is_number(value: Value) -> bool:
    """Whether a Python scalar."""
    return isinstance(value, (Dim, int, float, complex))


def scalar_kind(value: Value) -> str:
    """The category of promotion of a Python scalar."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (Dim, int)):
        return "int"
    return "float" if isinstance(value, float) else "complex"


def known(value: Value) -> tuple[Size, ...]:
    """All dims of a tensor; lost when its rank is not known."""
    shape = tensor(value).shape
    if shape.dims is None:
        raise Lost(shape.reason or "the rank of the input is not known")
    return shape.dims


def integer(value: Value) -> int:
    """A definite number."""
    if isinstance(value, Dim):
        value = value.const
    if isinstance(value, int):
        return int(value)
    raise Lost(value.reason if isinstance(value, Unknown) else "an argument is not a definite number")


def size(value: Value) -> Size:
    """A size, possibly symbolic or unknown."""
    if isinstance(value, Called) and value.size is not None:
        return value.size
    if isinstance(value, (Dim, Unknown)):
        return value
    if isinstance(value, int):
        return dim(int(value))
    return Unknown("a size is not an integer we know")


def sizes(values: Value) -> tuple[Size, ...]:
    """Sizes given as `f(2, 3)`, `f((2, 3))`, `f(x.shape)` or `f(torch.Size(…))`."""
    values = unpacked(values)
    if isinstance(values, Shape):
        if values.dims is None:
            raise Lost(values.reason or "the rank is not known")
        return values.dims
    if isinstance(values, Unknown):
        raise Lost(values.reason)
    if is_sequence(values):
        return tuple(size(v) for v in items(values))
    return (size(values),)


def asked(values: Value) -> Shape:
    """The shape that sizes are given for: also that of another tensor whose number of dims is not known."""
    values = unpacked(values)
    return values if isinstance(values, Shape) else Shape(sizes(values))


def unpacked(values: Value) -> Value:
    """The sole sequence of a rest parameter, or the values themselves."""
    elements = items(values) if is_sequence(values) else ()
    if len(elements) != 1 or isinstance(elements[0], Single):
        return values
    if isinstance(elements[0], (Shape, Unknown)) or is_sequence(elements[0]):
        return elements[0]
    return values


def axis(value: Value, rank: int, extra: int = 0) -> int:
    """An axis from 0 below `rank + extra`; a certain error when it does not exist."""
    number = integer(value)
    limit = max(rank + extra, 1)
    if not -limit <= number < limit:
        raise ShapeError("rank", f"dim {number} of a tensor of {rank} dims does not exist")
    return number % limit


def axes(value: Value, rank: int) -> tuple[int, ...]:
    """Axes as a number, a sequence, or None for all."""
    if value is None:
        return tuple(range(rank))
    if is_sequence(value):
        return tuple(axis(v, rank) for v in items(value)) or tuple(range(rank))
    return (axis(value, rank),)


def pair(value: Value, count: int) -> tuple[Value, ...]:
    """A kernel size, stride or padding: one number for all axes, or one per axis."""
    if is_sequence(value):
        found = items(value)
        if len(found) == count:
            return found
        if len(found) == 1:
            return found * count
        raise Lost(f"{len(found)} values for {count} axes")
    return (value,) * count


def flag(value: Value) -> bool:
    """A definite truth value."""
    if isinstance(value, Unknown):
        raise Lost(value.reason)
    return bool(value) if not isinstance(value, Dim) else value != 0


def dtype(value: Value) -> DType | Unknown | None:
    """A dtype given as `torch.float16`, a Python type, or None."""
    if value is None or isinstance(value, (DType, Unknown)):
        return value
    if value in (bool, int, float, complex):
        return DEFAULTS[value.__name__]
    if isinstance(value, str):
        return DTYPES.get(value.removeprefix("torch."), Unknown(f"{value} is no dtype we know"))
    return Unknown("a dtype that is not known")
