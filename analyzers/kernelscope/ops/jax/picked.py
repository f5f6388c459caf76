"""Arrays of JAX whose length is told by values: places, distinct elements, counts, segments; grids of places.

How many elements are not zero, or differ, depends on the data unless the caller says how many are given.
Sources: https://docs.jax.dev/en/latest/jax.numpy.html and jax.ops.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import Dim
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, integer, items, known, tensor
from kernelscope.ops.arguments import size as as_size
from kernelscope.ops.arguments import sizes as as_sizes
from kernelscope.ops.families import per_element
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, Size, Tensor, Unknown
from kernelscope.tensor.dtypes import DTYPES

ZERO, ONE = as_dim(0), as_dim(1)
OF_DATA = Unknown("how many there are depends on the data")
INT32 = DTYPES["int32"]


def _asked(size: Value) -> Size:
    return OF_DATA if size is None else as_size(size)


@rule("jnp,A.nonzero", dtype="int32", label="where elements are not zero")
def nonzero(a: Value, *, size: Value = None, **options: Value) -> tuple[Shape, ...]:
    """A vector for each axis."""
    return (Shape((_asked(size),)),) * max(1, len(known(a)))


@rule("jnp.argwhere", dtype="int32", label="where elements are not zero")
def argwhere(a: Value, *, size: Value = None, **options: Value) -> Shape:
    """A row for each element."""
    return Shape((_asked(size), as_dim(len(known(a)))))


@rule("jnp.flatnonzero", dtype="int32", label="where elements are not zero")
def flatnonzero(a: Value, *, size: Value = None, **options: Value) -> Shape:
    """A vector."""
    return Shape((_asked(size),))


@rule("jnp.unique", label="distinct elements")
def unique(
    ar: Value,
    return_index: Value = False,
    return_inverse: Value = False,
    return_counts: Value = False,
    axis: Value = None,
    *,
    size: Value = None,
    **options: Value,
) -> Tensor | tuple[Tensor, ...] | Unknown:
    """A vector, behind it what else is asked for."""
    if axis is not None:
        return Unknown("the distinct slices depend on the data")
    given, count = tensor(ar), Shape((_asked(size),))
    asked = ((return_index, count), (return_inverse, given.shape), (return_counts, count))
    more = tuple(Tensor(shape, INT32) for flag, shape in asked if flag is True)
    found = Tensor(count, given.dtype)
    return (found, *more) if more else found


@rule("jnp.bincount", label="how often each number is there")
def bincount(x: Value, weights: Value = None, minlength: Value = 0, *, length: Value = None) -> Tensor:
    """A count for each number up to the largest."""
    return Tensor(Shape((_asked(length),)), INT32 if weights is None else tensor(weights).dtype)


@rule("jnp.histogram", dtype=("float32", "float32"), label="how many fall in each bin")
def histogram(a: Value, bins: Value = 10, *args: Value, **options: Value) -> tuple[Shape, Shape]:
    """Counts, and the edges of the bins: one more."""
    if isinstance(bins, Tensor):
        edges = bins.shape.size(0)
        return Shape((edges - 1,)), bins.shape
    return Shape((as_size(bins),)), Shape((as_size(bins) + 1,))


def _data_elements(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return tensor(bound["data"]).shape.numel()


@rule(
    "jops.segment_sum jops.segment_prod jops.segment_max jops.segment_min",
    flops=_data_elements,
    label="reduce segments",
)
def segment_sum(data: Value, segment_ids: Value, num_segments: Value = None, *args: Value, **options: Value) -> Shape:
    """A slice for each segment in place of the axes that the segments number."""
    return Shape((_asked(num_segments), *known(data)[len(known(segment_ids)) :]))


@rule("jnp.tril_indices jnp.triu_indices", dtype=("int32", "int32"), label="places of a triangle")
def tril_indices(n: Value, k: Value = 0, m: Value = None) -> tuple[Shape, Shape]:
    """Rows and columns: `n (n + 1) / 2` of a square with its diagonal."""
    side, other = as_size(n), as_size(n if m is None else m)
    is_plain = isinstance(side, Dim) and side == other and as_size(k) == ZERO
    count = side * (side + 1) // 2 if is_plain else Unknown("how many places the triangle has is not known")
    return Shape((count,)), Shape((count,))


@rule("jnp.diag_indices", dtype="int32", label="places of the diagonal")
def diag_indices(n: Value, ndim: Value = 2) -> tuple[Shape, ...]:
    """A vector for each axis."""
    return (Shape((as_size(n),)),) * integer(ndim)


@rule("jnp.indices", dtype="asked_int32", label="places of a grid")
def indices(dimensions: Value, dtype: Value = None, sparse: Value = False) -> Shape | Unknown:
    """In front as many as there are axes."""
    if sparse is not False:
        return Unknown("indices that are kept apart")
    found = as_sizes(dimensions)
    return Shape((as_dim(len(found)), *found))


@rule("jnp.unravel_index", dtype="int32", label="places of flat indices")
def unravel_index(indices: Value, shape: Value) -> tuple[Shape, ...]:
    """An array like the indices for each axis of the shape."""
    return (tensor(indices).shape,) * len(as_sizes(shape))


@rule("jnp.ravel_multi_index", dtype="int32", label="flat indices of places")
def ravel_multi_index(multi_index: Value, dims: Value, *args: Value, **options: Value) -> Shape:
    """Like the indices of one axis."""
    return tensor(items(multi_index)[0]).shape


@rule("jnp.append", dtype="promote", kind="movement", label="join")
def append(arr: Value, values: Value, axis: Value = None) -> Shape:
    """Along an axis; without one all elements in a row."""
    from kernelscope.ops.torch.joins import cat

    if axis is not None:
        return cat((arr, values), axis)
    return Shape((tensor(arr).shape.numel() + tensor(values).shape.numel(),))


@rule("jnp.interp", dtype="float32", flops=per_element(3), label="interpolate")
def interp(x: Value, xp: Value, fp: Value, *args: Value, **options: Value) -> Shape:
    """Where it is asked for."""
    return tensor(x).shape


@rule("jnp.hamming jnp.hanning jnp.blackman jnp.bartlett jnp.kaiser", dtype="float32", label="a window")
def window(M: Value, *args: Value) -> Shape:
    """`M` weights."""
    return Shape((as_size(M),))
