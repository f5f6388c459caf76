"""Slices and updates of jax.lax, whose sizes are given while their places may depend on the data; top-k and iota.

Source: https://docs.jax.dev/en/latest/jax.lax.html.
"""

from __future__ import annotations

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, axis, integer, is_sequence, items, known, size, sizes, tensor
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, ceil_of, numel, same_size

ONE = as_dim(1)


@rule("lax.dynamic_slice", kind="movement", label="a part of given sizes")
def dynamic_slice(operand: Value, start_indices: Value, slice_sizes: Value, **options: Value) -> Shape:
    """The given sizes."""
    wanted = sizes(slice_sizes)
    rank = tensor(operand).rank
    if rank is not None and rank != len(wanted):
        raise ShapeError("rank", f"{len(wanted)} sizes for the {rank} dims of {tensor(operand).shape}")
    return Shape(wanted)


@rule("lax.dynamic_slice_in_dim", kind="movement", label="a range of an axis")
def dynamic_slice_in_dim(operand: Value, start_index: Value, slice_size: Value, axis: Value = 0) -> Shape:
    """One axis becomes `slice_size` long."""
    return tensor(operand).shape.with_size(integer(axis), size(slice_size))


@rule("lax.slice_in_dim", kind="movement", label="a range of an axis")
def slice_in_dim(operand: Value, start_index: Value, limit_index: Value, stride: Value = 1, axis: Value = 0) -> Shape:
    """One axis from a start to a limit; either may count from the end."""
    shape, at = tensor(operand).shape, integer(axis)
    whole = shape.size(at)
    start, limit = (_from_front(v, whole, d) for v, d in ((start_index, as_dim(0)), (limit_index, whole)))
    return shape.with_size(at, ceil_of(limit - start, size(stride)))


def _from_front(value: Value, whole: Size, default: Size) -> Size:
    if value is None:
        return default
    found = size(value)
    return whole + found if isinstance(found, Unknown) or (found.const or 0) < 0 else found


@rule("lax.slice", kind="movement", label="a part between given places")
def slice_(operand: Value, start_indices: Value, limit_indices: Value, strides: Value = None) -> Shape:
    """Each axis from its start to its limit."""
    starts, limits = sizes(start_indices), sizes(limit_indices)
    steps = (ONE,) * len(starts) if strides is None else sizes(strides)
    return Shape(tuple(ceil_of(b - a, s) for a, b, s in zip(starts, limits, steps, strict=True)))


@rule("lax.dynamic_index_in_dim lax.index_in_dim", kind="movement", label="one index of an axis")
def index_in_dim(operand: Value, index: Value, axis: Value = 0, keepdims: Value = True) -> Shape:
    """The axis stays as 1, or goes."""
    dims = known(operand)
    at = _place(axis, len(dims))
    return Shape((*dims[:at], *((ONE,) if keepdims is not False else ()), *dims[at + 1 :]))


def _place(value: Value, rank: int) -> int:
    return axis(value, rank)


@rule(
    "lax.dynamic_update_slice lax.dynamic_update_slice_in_dim lax.dynamic_update_index_in_dim lax.scatter "
    "lax.scatter_add lax.scatter_mul lax.scatter_min lax.scatter_max lax.scatter_apply lax.scatter_sub",
    kind="movement",
    label="an updated copy",
)
def dynamic_update_slice(operand: Value, *args: Value, **options: Value) -> Shape:
    """The shape of what is updated."""
    return tensor(operand).shape


@rule("lax.broadcast", kind="view", label="new axes in front")
def broadcast(operand: Value, sizes: Value, **options: Value) -> Shape:
    """The given sizes in front."""
    return Shape((*_sizes(sizes), *known(operand)))


def _sizes(value: Value) -> tuple[Size, ...]:
    return sizes(value)


@rule("lax.broadcast_in_dim", kind="view", label="axes put into a larger shape")
def broadcast_in_dim(operand: Value, shape: Value, broadcast_dimensions: Value, **options: Value) -> Shape:
    """The given shape."""
    if tensor(operand).rank not in (None, len(items(broadcast_dimensions))):
        raise ShapeError("rank", f"a place is needed for each of the {tensor(operand).rank} dims")
    return Shape(sizes(shape))


@rule("lax.iota", dtype="asked", kind="movement", label="a range of numbers")
def iota(dtype: Value, size: Value) -> Shape:
    """`size` numbers."""
    return Shape(sizes((size,)))


@rule("lax.broadcasted_iota", dtype="asked", kind="movement", label="a range along one axis")
def broadcasted_iota(dtype: Value, shape: Value, dimension: Value, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("lax.top_k lax.approx_max_k lax.approx_min_k", dtype=("input", "int32"), label="the k largest")
def top_k(operand: Value, k: Value, **options: Value) -> tuple[Shape, Shape]:
    """Values and indices: the last axis becomes `k` long."""
    shape = tensor(operand).shape.replace_last(1, size(k))
    return shape, shape


@rule("lax.pad", kind="movement", label="padding")
def pad(operand: Value, padding_value: Value, padding_config: Value, **options: Value) -> Shape:
    """Before, behind and between the elements of each axis; less than nothing cuts off."""
    dims = known(operand)
    if len(items(padding_config)) != len(dims):
        raise ShapeError("rank", f"a padding is needed for each of the {len(dims)} dims")
    found: list[Size] = []
    for whole, padding in zip(dims, items(padding_config), strict=True):
        before, behind, between = (size(part) for part in items(padding))
        found.append(before + whole + behind + (whole - 1) * between)
    return Shape(tuple(found))


@rule("lax.sort", kind="movement", label="sort along an axis")
def sort(operand: Value, dimension: Value = -1, **options: Value) -> Tensor | tuple[Tensor, ...]:
    """Same shape, of several arrays as well."""
    return tuple(map(tensor, items(operand))) if is_sequence(operand) else tensor(operand)


@rule("lax.sort_key_val", kind="movement", label="sort along an axis, and others with it")
def sort_key_val(keys: Value, values: Value, dimension: Value = -1, **options: Value) -> tuple[Tensor, Tensor]:
    """Same shapes."""
    return tensor(keys), tensor(values)


@rule("lax.collapse", kind="view", label="merge axes")
def collapse(operand: Value, start_dimension: Value, stop_dimension: Value = None) -> Shape:
    """The axes from a start up to a stop become one."""
    dims = known(operand)
    start = _place(start_dimension, len(dims))
    stop = len(dims) if stop_dimension is None else integer(stop_dimension) % (len(dims) + 1)
    return Shape((*dims[:start], numel(dims[start:stop]), *dims[stop:]))


@rule("lax.split", kind="view", label="split into given sizes")
def split(operand: Value, sizes: Value, axis: Value = 0) -> tuple[Shape, ...]:
    """One part of each size."""
    shape, parts = tensor(operand).shape, _sizes(sizes)
    whole = shape.size(integer(axis))
    if same_size(sum(parts, as_dim(0)), whole) is False:
        raise ShapeError("shape", f"{whole} is not the sum of {', '.join(map(repr, parts))}")
    return tuple(shape.with_size(integer(axis), part) for part in parts)


@rule("lax.rng_uniform", kind="movement", label="random numbers between limits")
def rng_uniform(a: Value, b: Value, shape: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("lax.empty", dtype="asked", kind="movement", label="a new array")
def empty(shape: Value, dtype: Value, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("lax.rev", kind="movement", label="reversed axes")
def rev(operand: Value, dimensions: Value) -> Shape:
    """Same shape."""
    return tensor(operand).shape


@rule("lax.cumsum lax.cumprod lax.cummax lax.cummin lax.cumlogsumexp", label="running reduction")
def cumsum(operand: Value, axis: Value = 0, **options: Value) -> Shape:
    """Same shape."""
    shape = tensor(operand).shape
    if shape.dims is not None:
        _place(axis, len(shape.dims))
    return shape


@rule(
    "lax.psum lax.pmean lax.pmax lax.pmin lax.ppermute lax.pcast",
    kind="communication",
    label="reduce over devices",
)
def psum(x: Value, axis_name: Value, *args: Value, **options: Value) -> Shape:
    """Same shape."""
    return tensor(x).shape


@rule("lax.axis_index", dtype="int32", kind="result", label="the number of this device along an axis of the mesh")
def axis_index(axis_name: Value) -> Shape:
    """A scalar."""
    return Shape()
