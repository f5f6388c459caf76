"""Reductions of jax.numpy, also as methods: maxima without indices, indices of 32 bits, variance with `ddof`."""

from __future__ import annotations

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, axis, is_sequence, items, known, tensor
from kernelscope.ops.families import per_input, reduce_axes
from kernelscope.ops.registry import also, rule
from kernelscope.tensor import Shape

also("sum", "jnp,A.sum jnp,A.prod jnp.nansum jnp.nanprod")
also("mean", "jnp,A.mean jnp.nanmean jnp.average")
also("amax", "jnp,A.max jnp,A.min jnp.amax jnp.amin jnp.nanmax jnp.nanmin")
also("logsumexp", "jnn,linen,nnx.logsumexp jnn.logmeanexp jspecial.logsumexp")
also("all", "jnp,A.all jnp,A.any")


@rule(
    "jnp,A.argmax jnp,A.argmin jnp.nanargmax jnp.nanargmin",
    dtype="int32",
    flops=per_input(1),
    label="index of an extreme",
)
def argmax(input: Value, dim: Value = None, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces an axis, or all."""
    return reduce_axes(input, dim, keepdim)


@rule("jnp.count_nonzero", dtype="int32", flops=per_input(1), label="how many are not zero")
def count_nonzero(input: Value, dim: Value = None, keepdim: Value = False) -> Shape:
    """Reduces axes."""
    return reduce_axes(input, dim, keepdim)


@rule(
    "jnp,A.var jnp,A.std jnp.nanvar jnp.nanstd",
    dtype="real float",
    flops=per_input(3),
    label="variance or standard deviation",
)
def var(input: Value, dim: Value = None, dtype: Value = None, *, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces axes."""
    return reduce_axes(input, dim, keepdim)


@rule("jnp,A.ptp", flops=per_input(2), label="largest less smallest")
def ptp(input: Value, dim: Value = None, *, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces axes."""
    return reduce_axes(input, dim, keepdim)


@rule(
    "jnp.quantile jnp.nanquantile jnp.percentile jnp.nanpercentile",
    dtype="input float",
    flops=per_input(1),
    label="quantiles",
)
def quantile(
    input: Value, q: Value, dim: Value = None, *args: Value, keepdim: Value = False, **options: Value
) -> Shape:
    """Reduces axes; the sizes of the quantiles stand in front."""
    left = reduce_axes(input, dim, keepdim)
    asked = (as_dim(len(items(q))),) if is_sequence(q) else known(q)
    return Shape((*asked, *left.head), left.tail, left.reason)


@rule(
    "lax.reduce_sum lax.reduce_prod lax.reduce_max lax.reduce_min lax.reduce_and lax.reduce_or lax.reduce_xor",
    flops=per_input(1),
    label="reduce axes",
)
def lax_reduce(input: Value, dim: Value, **options: Value) -> Shape:
    """The axes are gone."""
    return reduce_axes(input, dim, False)


@rule("lax.argmax lax.argmin", dtype="int32", flops=per_input(1), label="index of an extreme")
def lax_argmax(input: Value, dim: Value, index_dtype: Value = None) -> Shape:
    """The axis is gone."""
    return reduce_axes(input, dim, False)


@rule("jnp.median jnp.nanmedian", flops=per_input(1), label="median", dtype="input float")
def median(input: Value, dim: Value = None, *, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces axes."""
    return reduce_axes(input, dim, keepdim)


@rule(
    "jnp,A.cumsum jnp,A.cumprod jnp.nancumsum jnp.nancumprod",
    dtype="asked",
    flops=per_input(1),
    label="running sum or product",
)
def cumsum(input: Value, dim: Value = None, **options: Value) -> Shape:
    """Same shape; flat without an axis."""
    shape = tensor(input).shape
    if dim is None:
        return Shape((shape.numel(),))
    if shape.dims is not None:
        axis(dim, len(shape.dims))
    return shape


@rule("jnp.diff", flops=per_input(1), label="differences of neighbours")
def diff(input: Value, n: Value = 1, dim: Value = -1) -> Shape:
    """One axis shrinks by `n`."""
    from kernelscope.ops.torch.reductions import diff as of_torch

    return of_torch(input, n, dim)


@rule("jlinalg.norm", dtype="real float", flops=per_input(2), label="norm")
def norm(x: Value, ord: Value = None, axis: Value = None, keepdims: Value = False) -> Shape:
    """Reduces axes."""
    return reduce_axes(x, axis, keepdims)


@rule("jnp,A.trace", dtype="input", label="sum of the diagonal")
def trace(a: Value, *args: Value, **options: Value) -> Shape:
    """Drops the first two axes."""
    return Shape(known(a)[2:])
