"""Arrays of jax.numpy: made from nothing, given other shapes, joined, split, repeated, picked from; array methods.

Source: https://docs.jax.dev/en/latest/jax.numpy.html. Integers are 32 bits wide, as JAX has them by default.
"""

from __future__ import annotations

from itertools import pairwise

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import (
    Lost,
    Value,
    axes,
    axis,
    integer,
    is_number,
    is_sequence,
    items,
    known,
    size,
    sizes,
    tensor,
)
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.registry import Plain, also, rule
from kernelscope.ops.torch import creation, expansion, views
from kernelscope.tensor import Several, Shape, ShapeError, Size, Tensor, Unknown, same_size
from kernelscope.tensor.dtypes import DTYPES

MAX_PIECES = 256
ONE = as_dim(1)

also("cat", "jnp.concatenate jnp.concat lax.concatenate")
also("stack", "jnp,lax.stack")
also("hstack", "jnp.hstack jnp.column_stack")
also("vstack", "jnp.vstack")
also("reshape", "jnp,A,lax.reshape")
also("transpose", "jnp,A.swapaxes")
also("movedim", "jnp.moveaxis")
also("broadcast_tensors", "jnp.broadcast_arrays")
also("broadcast_shapes", "jnp.broadcast_shapes lax.broadcast_shapes")
also("tile", "jnp,lax.tile")
also("repeat_interleave", "jnp,A.repeat")
also("flip", "jnp.flip jnp.roll jnp.flipud jnp.fliplr")
also("atleast_1d", "jnp.atleast_1d")
also("atleast_2d", "jnp.atleast_2d")
also("atleast_3d", "jnp.atleast_3d")
also("complex", "lax.complex")
also("tril", "jnp,A.tril jnp,A.triu")
also("diag", "jnp.diag")
also("rot90", "jnp.rot90")
also("vander", "jnp.vander")
also("diagonal", "jnp,A.diagonal")
also("item", "A.item")
also("tolist", "A.tolist")


@rule("jnp.zeros jnp.ones jnp.empty", dtype="new", kind="movement", label="a new array")
def zeros(shape: Value, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("jnp.full lax.full", dtype="filled32", kind="movement", label="a new array of one value")
def full(shape: Value, fill_value: Value, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return Shape(sizes(shape))


@rule("jnp.arange", dtype="ranged32", kind="movement", label="a range of numbers")
def arange(start: Value, stop: Value = None, step: Value = None, dtype: Value = None, **options: Value) -> Shape:
    """`ceil((stop - start) / step)` numbers."""
    return creation.arange(start, stop, ONE if step is None else step)


@rule("jnp.linspace jnp.logspace", dtype="new", kind="movement", label="evenly spaced numbers")
def linspace(start: Value, stop: Value, num: Value = 50, endpoint: Value = True, **options: Value) -> Shape:
    """`num` numbers."""
    return Shape((size(num),))


@rule("jnp.eye jnp.identity jnp.tri", dtype="new", kind="movement", label="identity matrix")
def eye(N: Value, M: Value = None, k: Value = 0, dtype: Value = None) -> Shape:
    """N × M, or N × N."""
    return Shape((size(N), size(N if M is None else M)))


@rule("jnp.array jnp.asarray", kind="movement", label="an array of values")
def array(object: Value, dtype: Value = None, **options: Value) -> Tensor | Unknown:
    """A nested list of numbers gives its lengths; an array stays what it is."""
    made = creation.tensor_of(object, dtype=dtype)
    if not isinstance(made, Tensor) or dtype is not None or isinstance(object, Tensor):
        return made
    narrow = {"int64": "int32", "float64": "float32"}
    name = "" if isinstance(made.dtype, Unknown) else made.dtype.name
    return made.with_dtype(DTYPES[narrow[name]]) if name in narrow else made


@rule("jnp.meshgrid", kind="view", label="coordinates of a grid")
def meshgrid(*arrays: Value, indexing: Value = "xy", **options: Value) -> tuple[Shape, ...]:
    """One array for each axis, all of the grid's shape; the first two axes change places unless `indexing` is `ij`."""
    return expansion.meshgrid(*arrays, indexing=indexing)


@rule("jnp,A.transpose jnp.permute_dims lax.transpose", kind="view", label="reorder axes")
def transpose(a: Value, *axes: Value) -> Shape:
    """Every axis once, in another order; without one they are reversed."""
    if not axes or axes == (None,):
        return Shape(known(a)[::-1])
    return views.permute(a, *axes)


@rule("jnp,A,lax.squeeze", kind="view", label="drop axes of size 1")
def squeeze(a: Value, axis: Value = None) -> Shape:
    """Drops the given axes, which must be 1; without `axis` all that are 1."""
    dims = known(a)
    if axis is None:
        return views.squeeze(a)
    gone = axes(axis, len(dims))
    for i in gone:
        if same_size(dims[i], ONE) is False:
            raise ShapeError("shape", f"dim {i} of {Shape(dims)} is not 1")
    return Shape(tuple(d for i, d in enumerate(dims) if i not in gone))


@rule("jnp,lax.expand_dims", kind="view", label="add axes of size 1")
def expand_dims(a: Value, axis: Value) -> Shape:
    """New axes of size 1 at the places that they have in the result."""
    wanted = items(axis) if is_sequence(axis) else (axis,)
    if len(wanted) == 1:
        return views.unsqueeze(a, wanted[0])
    dims = known(a)
    places = axes(tuple(wanted), len(dims) + len(wanted))
    rest = iter(dims)
    return Shape(tuple(ONE if i in places else next(rest) for i in range(len(dims) + len(wanted))))


@rule("jnp,A.ravel A.flatten", kind="view", label="all elements in a row")
def ravel(a: Value, order: Value = "C") -> Shape:
    """One axis of all elements."""
    return Shape((tensor(a).shape.numel(),))


@rule("jnp.broadcast_to", kind="view", label="repeat axes of size 1 without copying")
def broadcast_to(array: Value, shape: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """The given sizes, which those of the array must fit."""
    wanted = sizes(shape)
    dims = tensor(array).shape.dims
    return Shape(wanted) if dims is None else expansion.expanded(dims, wanted, facts)


@rule("jnp.split jnp.array_split", kind="view", label="split along an axis")
def split(ary: Value, indices_or_sections: Value, axis: Value = 0) -> tuple[Shape, ...] | Several | Unknown:
    """Into so many sections of one size, or at indices."""
    shape = tensor(ary).shape
    at = integer(axis)
    whole = shape.size(at)
    if is_sequence(indices_or_sections):
        cuts = [as_dim(0), *sizes(indices_or_sections), whole]
        return tuple(shape.with_size(at, b - a) for a, b in pairwise(cuts))
    count = size(indices_or_sections)
    if isinstance(count, Unknown) or count.const is None or not 0 < count.const <= MAX_PIECES:
        return Several(Tensor(shape.with_size(at, whole // count)), "the number of sections is not known")
    if not isinstance(whole, Unknown) and whole.const is not None and whole.const % count.const:
        raise ShapeError("split", f"dim {at} of {shape} cannot be split into {count} equal sections")
    return (shape.with_size(at, whole // count),) * count.const


@rule("jnp.pad", kind="movement", label="pad")
def pad(array: Value, pad_width: Value, mode: Value = "constant", **options: Value) -> Shape:
    """Each axis grows by its pair; one pair or number is that of every axis."""
    dims = known(array)
    if is_number(pad_width):
        pairs = ((pad_width, pad_width),) * len(dims)
    else:
        given = items(pad_width) if is_sequence(pad_width) else ()
        if not given:
            raise Lost("the widths of the padding are not known")
        pairs = tuple(items(p) if is_sequence(p) else (p, p) for p in given)
        if not any(is_sequence(p) for p in given) and len(given) == 2:
            pairs = (given,) * len(dims)
        if len(pairs) == 1:
            pairs = pairs * len(dims)
    if len(pairs) != len(dims):
        raise ShapeError("rank", f"{len(pairs)} pairs of padding for the {len(dims)} dims of {Shape(dims)}")
    return Shape(tuple(d + size(p[0]) + size(p[-1]) for d, p in zip(dims, pairs, strict=True)))


@rule("jnp,A.take", kind="movement", label="pick along an axis")
def take(a: Value, indices: Value, axis: Value = None, **options: Value) -> Shape:
    """The axis becomes the axes of the indices; without one the array is flat."""
    picked = creation.tensor_of(indices) if is_sequence(indices) else tensor(indices)
    if isinstance(picked, Unknown) or picked.shape.dims is None:
        raise Lost("the shape of the indices is not known")
    if axis is None:
        return Shape(picked.shape.dims)
    dims = known(a)
    at = _axis(axis, len(dims))
    return Shape((*dims[:at], *picked.shape.dims, *dims[at + 1 :]))


def _axis(value: Value, rank: int) -> int:
    return axis(value, rank)


@rule("jnp.take_along_axis", kind="movement", label="pick along an axis")
def take_along_axis(arr: Value, indices: Value, axis: Value = -1, **options: Value) -> Shape:
    """The sizes of the indices along the axis, of both elsewhere."""
    if axis is None:
        return tensor(indices).shape
    dims, picked = known(arr), known(indices)
    if len(dims) != len(picked):
        raise ShapeError("rank", f"{len(picked)} dims of indices for the {len(dims)} of {Shape(dims)}")
    at = _axis(axis, len(dims))
    return Shape(tuple(p if i == at or d == 1 else d for i, (d, p) in enumerate(zip(dims, picked, strict=True))))


@rule("jnp,A.sort", label="sort along an axis")
def sort(a: Value, axis: Value = -1, **options: Value) -> Shape:
    """Same shape, or flat without an axis."""
    return Shape((tensor(a).shape.numel(),)) if axis is None else tensor(a).shape


@rule("jnp,A.argsort", dtype="int32", label="indices that sort")
def argsort(a: Value, axis: Value = -1, **options: Value) -> Shape:
    """Same shape, or flat without an axis."""
    return sort(a, axis)


@rule("jnp.searchsorted jnp.digitize", dtype="int32", label="positions in a sorted sequence")
def searchsorted(a: Value, v: Value, **options: Value) -> Shape:
    """The shape of what is looked for."""
    return tensor(v).shape


@rule("jnp.shape", kind="result", label="sizes")
def shape(a: Value) -> Value:
    """All sizes as a tuple."""
    found = tensor(a).shape
    return Plain(found) if found.dims is None else found.dims


@rule("jnp.size", kind="result", label="number of elements")
def count(a: Value, axis: Value = None) -> Size:
    """The product of the sizes, or one of them."""
    return tensor(a).shape.numel() if axis is None else tensor(a).shape.size(integer(axis))


@rule("jnp.ndim", kind="result", label="number of axes")
def rank(a: Value) -> Size:
    """The rank."""
    return as_dim(len(known(a)))


@rule("A.view lax.bitcast_convert_type", kind="view", label="reinterpret the bits")
def reinterpret(a: Value, dtype: Value) -> Tensor:
    """Another dtype of the same width; otherwise the last axis changes."""
    found = as_dtype(dtype)
    if found is None or isinstance(found, Unknown):
        return Tensor(Shape.unknown("reinterpreted as what is not known"))
    result = views.view(a, found)
    assert isinstance(result, Tensor)
    return result
