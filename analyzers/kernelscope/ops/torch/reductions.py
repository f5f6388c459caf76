"""Reductions along axes, scans and the statistics that return several tensors.

Sorting and top-k stand in `sorting`.
"""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Value, axis, integer, known, tensor
from kernelscope.ops.families import along, per_input, reduce_axes, reduction
from kernelscope.ops.registry import also, rule
from kernelscope.tensor import Shape, Tensor
from kernelscope.tensor.broadcasting import broadcast as common_shape

reduction("sum nansum prod", dtype="sum")
reduction("mean nanmean", dtype="asked")
reduction("amax amin")
reduction("logsumexp", dtype="input float")
reduction("all any", dtype="bool")
reduction("argmax argmin count_nonzero", dtype="int64")
also("logsumexp", "special.logsumexp")
along("cumsum cumprod", dtype="sum")
along("logcumsumexp", flops=5)

_MANY = ("input", "int64")


@rule("t,T.var t,T.std", dtype="real", name="var", flops=per_input(3), label="variance or standard deviation")
def var(
    input: Value, dim: Value = None, unbiased: Value = True, keepdim: Value = False, *, correction: Value = 1
) -> Shape:
    """Reduces axes; a bare boolean in second place is `unbiased`."""
    return reduce_axes(input, None if isinstance(dim, bool) else dim, keepdim)


@rule("t.var_mean t.std_mean", dtype="real", name="var_mean", flops=per_input(4), label="variance and mean")
def var_mean(
    input: Value, dim: Value = None, unbiased: Value = True, keepdim: Value = False, *, correction: Value = 1
) -> tuple[Shape, Shape]:
    """Reduces axes, twice."""
    shape = reduce_axes(input, None if isinstance(dim, bool) else dim, keepdim)
    return shape, shape


@rule(
    "t,T.max t,T.min", dtype=_MANY, name="max", flops=per_input(1), label="largest or smallest", fields="values indices"
)
def max_(
    input: Value, dim: Value = None, keepdim: Value = False, *, other: Value = None, facts: Facts = NO_FACTS
) -> Shape | tuple[Shape, Shape]:
    """Of everything; along `dim` with indices; or elementwise against another tensor."""
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return common_shape((tensor(input).shape, tensor(other).shape), facts)
    if dim is None:
        return Shape()
    shape = reduce_axes(input, dim, keepdim)
    return shape, shape


@rule(
    "t,T.median t,T.nanmedian t,T.mode",
    dtype=_MANY,
    name="median",
    flops=per_input(1),
    label="median or mode",
    fields="values indices",
)
def median(input: Value, dim: Value = None, keepdim: Value = False) -> Shape | tuple[Shape, Shape]:
    """Of everything, or along `dim` with indices."""
    if dim is None:
        return Shape()
    shape = reduce_axes(input, dim, keepdim)
    return shape, shape


@rule(
    "t,T.cummax t,T.cummin",
    dtype=_MANY,
    name="cummax",
    flops=per_input(1),
    label="running extreme",
    fields="values indices",
)
def cummax(input: Value, dim: Value) -> tuple[Shape, Shape]:
    """Values and indices, both of the input's shape."""
    shape = tensor(input).shape
    if shape.dims is not None:
        axis(dim, len(shape.dims))
    return shape, shape


@rule("t,T.aminmax", flops=per_input(2), label="smallest and largest", fields="min max")
def aminmax(input: Value, *, dim: Value = None, keepdim: Value = False) -> tuple[Shape, Shape]:
    """Both extremes."""
    shape = reduce_axes(input, dim, keepdim)
    return shape, shape


@rule("t,T.norm linalg.norm linalg.vector_norm", dtype="real", flops=per_input(2), label="norm")
def norm(input: Value, p: Value = 2, dim: Value = None, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces axes."""
    return reduce_axes(input, dim, keepdim)


@rule("t,T.quantile t,T.nanquantile", flops=per_input(1), label="quantiles")
def quantile(input: Value, q: Value, dim: Value = None, keepdim: Value = False, **options: Value) -> Shape:
    """Reduces axes; a tensor of quantiles adds an axis in front."""
    shape = reduce_axes(input, dim, keepdim)
    if isinstance(q, Tensor) and q.rank != 0:
        return Shape((q.shape.size(0), *shape.head), shape.tail, shape.reason)
    return shape


@rule("t,T.dist", flops=per_input(3), label="norm of a difference")
def dist(input: Value, other: Value, p: Value = 2) -> Shape:
    """A scalar."""
    return Shape()


@rule("t,T.diff", flops=per_input(1), label="differences of neighbours")
def diff(input: Value, n: Value = 1, dim: Value = -1, prepend: Value = None, append: Value = None) -> Shape:
    """One axis shrinks by `n` and grows by what is put around it."""
    dims = known(input)
    place = axis(dim, len(dims))
    length = dims[place] - integer(n)
    for extra in (prepend, append):
        if extra is not None:
            length = length + tensor(extra).shape.size(place)
    return Shape((*dims[:place], length, *dims[place + 1 :]))
