"""What matrices tell: determinants, singular values, ranks, triangles; matrices along a diagonal; covariances."""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, integer, known, tensor
from kernelscope.ops.families import reduce_axes
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Tensor, same_size, smallest
from kernelscope.tensor.broadcasting import broadcast


@rule(
    "linalg.slogdet t,T.slogdet",
    dtype=("input", "input"),
    label="sign and logarithm of the determinant",
    fields="sign logabsdet",
)
def slogdet(input: Value) -> tuple[Shape, Shape]:
    """One of each matrix."""
    shape = _square(input)
    return shape, shape


@rule("linalg.svdvals", dtype="real", label="singular values")
def svdvals(input: Value) -> Shape:
    """As many as the shorter side."""
    shape = tensor(input).shape
    return shape.replace_last(2, smallest(shape.size(-2), shape.size(-1)))


@rule("linalg.matrix_power t,T.matrix_power", label="power of a matrix")
def matrix_power(input: Value, n: Value) -> Shape:
    """Same shape."""
    _square(input)
    return tensor(input).shape


@rule("linalg.matrix_rank", dtype="int64", label="rank of a matrix")
def matrix_rank(input: Value, *args: Value, **options: Value) -> Shape:
    """One of each matrix."""
    return tensor(input).shape.replace_last(2)


@rule("linalg.cond", dtype="real", label="condition of a matrix")
def cond(input: Value, p: Value = None) -> Shape:
    """One of each matrix."""
    return tensor(input).shape.replace_last(2)


@rule("linalg.vecdot", dtype="promote", label="products of vectors")
def vecdot(input: Value, other: Value, *, dim: Value = -1, facts: Facts = NO_FACTS) -> Shape:
    """Broadcast, without the axis."""
    return reduce_axes(Tensor(broadcast((tensor(input).shape, tensor(other).shape), facts)), dim)


@rule(
    "linalg.cholesky_ex linalg.inv_ex",
    dtype=("input", "int32"),
    label="a factor or inverse, and whether there is one",
)
def cholesky_ex(input: Value, **options: Value) -> tuple[Shape, Shape]:
    """Same shape, and a number for each matrix."""
    return tensor(input).shape, _square(input)


@rule("linalg.lu", label="lower and upper triangles", fields="P L U")
def lu(input: Value, **options: Value) -> tuple[Shape, ...]:
    """`m m`, `m k`, `k n`, with `k` the shorter side."""
    shape = tensor(input).shape
    rows, columns = shape.size(-2), shape.size(-1)
    shorter = smallest(rows, columns)
    return (
        shape.replace_last(2, rows, rows),
        shape.replace_last(2, rows, shorter),
        shape.replace_last(2, shorter, columns),
    )


@rule("t,T.cov t,T.corrcoef", name="cov", label="how rows vary with each other")
def cov(input: Value, **options: Value) -> Shape:
    """A square of as many rows; of one row a number."""
    dims = known(input)
    if len(dims) > 2:
        raise ShapeError("rank", f"{Shape(dims)} is no matrix")
    return Shape((dims[0], dims[0])) if len(dims) == 2 else Shape()


@rule("t,T.diagflat", kind="movement", label="a matrix with a diagonal")
def diagflat(input: Value, offset: Value = 0) -> Shape:
    """As large as there are elements, and the offset."""
    count = tensor(input).shape.numel() + as_dim(abs(integer(offset)))
    return Shape((count, count))


def _square(input: Value) -> Shape:
    """What is in front of square matrices."""
    shape = tensor(input).shape
    if same_size(shape.size(-2), shape.size(-1)) is False:
        raise ShapeError("shape", f"{shape} is no square matrix")
    return shape.replace_last(2)
