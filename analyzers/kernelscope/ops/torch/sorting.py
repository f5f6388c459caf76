"""Sorting, top-k and their indices."""

from __future__ import annotations

from kernelscope.dims import difference
from kernelscope.ops.arguments import Value, axis, integer, size, tensor
from kernelscope.ops.families import per_input, reduce_axes
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Unknown

_MANY = ("input", "int64")


@rule("t,T.sort", dtype=_MANY, name="sort", flops=per_input(1), label="sort along an axis", fields="values indices")
def sort(input: Value, dim: Value = -1, descending: Value = False, stable: Value = False) -> tuple[Shape, Shape]:
    """Values and indices."""
    shape = tensor(input).shape
    if shape.rank is not None and not isinstance(dim, Unknown):
        axis(dim, shape.rank)
    return shape, shape


@rule("t,T.argsort", dtype="int64", flops=per_input(1), label="indices that sort")
def argsort(input: Value, dim: Value = -1, descending: Value = False, stable: Value = False) -> Shape:
    """Same shape."""
    shape = tensor(input).shape
    if shape.rank is not None and not isinstance(dim, Unknown):
        axis(dim, shape.rank)
    return shape


@rule("t,T.topk", dtype=_MANY, flops=per_input(1), label="the k largest", fields="values indices")
def topk(input: Value, k: Value, dim: Value = -1, largest: Value = True, sorted: Value = True) -> tuple[Shape, Shape]:
    """One axis becomes `k`."""
    shape = tensor(input).shape
    if shape.rank == 0:
        return shape, shape
    at, count = integer(dim), size(k)
    _enough(shape.size(at), count)
    result = shape.with_size(at, count)
    return result, result


def _enough(length: Size, count: Size) -> None:
    if isinstance(length, Unknown) or isinstance(count, Unknown):
        return
    short = difference(length, count)
    if short is not None and short < 0:
        raise ShapeError("shape", f"{count} of {length} elements")


@rule("t,T.kthvalue", dtype=_MANY, flops=per_input(1), label="the k-th smallest", fields="values indices")
def kthvalue(input: Value, k: Value, dim: Value = -1, keepdim: Value = False) -> tuple[Shape, Shape]:
    """Reduces an axis."""
    shape = reduce_axes(input, dim, keepdim)
    return shape, shape
