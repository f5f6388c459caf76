"""Matrix products, contractions and convolutions of JAX.

Source: https://docs.jax.dev/en/latest/jax.lax.html. FLOPs count a multiply and an add as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, axes, is_sequence, items, known, pair, size, tensor
from kernelscope.ops.families import reduce_axes
from kernelscope.ops.registry import also, contraction, rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, ceil_of, same_size, smallest
from kernelscope.tensor.broadcasting import broadcast as common_shape

also("matmul", "jnp,jlinalg.matmul A.__matmul__ lax.batch_matmul")
also("einsum", "jnp.einsum")
also("tensordot", "jnp,jlinalg.tensordot")
also("inner", "jnp.inner")
also("outer", "jnp,jlinalg.outer")
also("kron", "jnp.kron")
also("inverse", "jlinalg.inv")
also("det", "jlinalg.det")
also("cholesky", "jlinalg.cholesky")
also("pinv", "jlinalg.pinv")
also("solve", "jlinalg.solve")
also("svd", "jlinalg.svd")
also("qr", "jlinalg.qr")
also("eig", "jlinalg.eig")
also("eigvals", "jlinalg.eigvals")
also("eigh", "jlinalg.eigh")
also("eigvalsh", "jlinalg.eigvalsh")
also("multi_dot", "jlinalg.multi_dot")
also("cross", "jnp,jlinalg.cross")

_PRODUCT = "promoted out"
RANK_OF_LEFT = "how many dims the left factor has is not known"


@contraction
def _matmul_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return outputs[0].shape.numel() * tensor(bound["a"]).shape.size(-1) * 2


@rule("jnp,A.dot lax.dot", dtype=_PRODUCT, label="product over a last axis", flops=_matmul_work)
def dot(a: Value, b: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """The last axis of one with the last but one of the other; all others stay."""
    left, right = tensor(a).shape, tensor(b).shape
    if left.dims is None and right.rank == 2:
        _agree(left.size(-1), right.head[0], facts)
        return left.replace_last(1, right.head[1])
    one, two = known(a), known(b)
    if not one or not two:
        return Shape(one or two)
    at = max(0, len(two) - 2)
    _agree(one[-1], two[at], facts)
    return Shape((*one[:-1], *two[:at], *two[at + 1 :]))


def _agree(one: Size, other: Size, facts: Facts) -> None:
    if same_size(one, other, facts) is False:
        raise ShapeError("shape", f"contracted sizes {one} and {other} differ")


@rule("jnp.vdot", dtype=_PRODUCT, label="inner product")
def vdot(a: Value, b: Value, **options: Value) -> Shape:
    """A scalar."""
    return Shape()


@rule("lax.dot_general", dtype=_PRODUCT, label="contraction with batch axes")
def dot_general(
    lhs: Value, rhs: Value, dimension_numbers: Value, *, facts: Facts = NO_FACTS, **options: Value
) -> Shape:
    """Batch axes, then what is left of the one and of the other."""
    if not is_sequence(dimension_numbers):
        raise Lost("the dimension numbers are not known")
    contracted, batched = (tuple(items(pairs)) for pairs in items(dimension_numbers))
    if tensor(lhs).rank is None and all(is_sequence(dims) and not items(dims) for dims in batched):
        right = known(rhs)
        gone = _axes(contracted[1], right)
        return Shape((), tuple(d for i, d in enumerate(right) if i not in gone), RANK_OF_LEFT)
    left, right = known(lhs), known(rhs)
    sum_left, sum_right = (_axes(v, dims) for v, dims in zip(contracted, (left, right), strict=True))
    batch_left, batch_right = (_axes(v, dims) for v, dims in zip(batched, (left, right), strict=True))
    for i, j in zip((*sum_left, *batch_left), (*sum_right, *batch_right), strict=True):
        _agree(left[i], right[j], facts)
    return Shape(
        (
            *(left[i] for i in batch_left),
            *(d for i, d in enumerate(left) if i not in (*sum_left, *batch_left)),
            *(d for i, d in enumerate(right) if i not in (*sum_right, *batch_right)),
        )
    )


def _axes(value: Value, dims: tuple[Size, ...]) -> tuple[int, ...]:
    found = items(value) if is_sequence(value) else ()
    return axes(tuple(found), len(dims)) if found else ()


def slid(lengths: tuple[Size, ...], kernel: Value, stride: Value, padding: Value, dilation: Value = 1) -> list[Size]:
    """Positions of a window along each axis: `SAME` keeps a position for each stride, `VALID` pads nothing.

    Source: the padding rules of https://docs.jax.dev/en/latest/_autosummary/jax.lax.padtype_to_pads.html.
    """
    n = len(lengths)
    widths, steps, holes = ([size(v) for v in pair(value, n)] for value in (kernel, stride, dilation))
    if isinstance(padding, str):
        name = padding.upper()
        if name in ("SAME", "SAME_LOWER", "CIRCULAR", "REFLECT"):
            return [ceil_of(length, step) for length, step in zip(lengths, steps, strict=True)]
        if name != "VALID":
            raise Lost(f"the padding {padding}")
        amounts: list[Size] = [as_dim(0)] * n
    else:
        amounts = [_amount(p) for p in (items(padding) if is_sequence(padding) else (padding,) * n)]
    one = as_dim(1)
    return [
        (length + amount - hole * (width - one) - one) // step + one
        for length, amount, width, step, hole in zip(lengths, amounts, widths, steps, holes, strict=True)
    ]


def _amount(value: Value) -> Size:
    """What is padded on both sides together: one number is that of each."""
    if is_sequence(value):
        low, high = items(value)
        return size(low) + size(high)
    return size(value) * as_dim(2)


@rule("lax.conv_general_dilated lax.conv", dtype=_PRODUCT, label="convolution")
def conv(
    lhs: Value,
    rhs: Value,
    window_strides: Value,
    padding: Value,
    lhs_dilation: Value = None,
    rhs_dilation: Value = None,
    dimension_numbers: Value = None,
    feature_group_count: Value = 1,
    batch_group_count: Value = 1,
    *,
    facts: Facts = NO_FACTS,
    **options: Value,
) -> Shape:
    """Batch, channels and positions, each where the letters of `dimension_numbers` put them."""
    left, right = known(lhs), known(rhs)
    if lhs_dilation is not None:
        raise Lost("a transposed convolution")
    letters = _letters(dimension_numbers, len(left))
    of_input, of_kernel, of_output = letters
    inputs, kernel = dict(zip(of_input, left, strict=True)), dict(zip(of_kernel, right, strict=True))
    places = [c for c in of_input if c not in "NC"]
    if feature_group_count == 1:
        _agree(inputs["C"], kernel["I"], facts)
    moved = slid(
        tuple(inputs[c] for c in places),
        tuple(kernel[c] for c in places),
        window_strides,
        padding,
        1 if rhs_dilation is None else rhs_dilation,
    )
    found = {"N": inputs["N"], "C": kernel["O"], **dict(zip(places, moved, strict=True))}
    return Shape(tuple(found[c] for c in of_output))


def _letters(value: Value, rank: int) -> tuple[str, str, str]:
    spatial = "".join(chr(ord("0") + i) for i in range(rank - 2))
    if value is None:
        return "NC" + spatial, "OI" + spatial, "NC" + spatial
    found = items(value) if is_sequence(value) else ()
    if len(found) != 3 or not all(isinstance(v, str) and len(v) == rank for v in found):
        raise Lost("the dimension numbers are not known")
    return (found[0], found[1], found[2])


@contraction
def _ragged_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return outputs[0].shape.numel() * tensor(bound["lhs"]).shape.size(-1) * 2


@rule("lax.ragged_dot", dtype=_PRODUCT, label="product of groups of rows", flops=_ragged_work)
def ragged_dot(lhs: Value, rhs: Value, group_sizes: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Rows `(m, k)`, each with the matrix of its group of `(groups, k, n)`: `(m, n)`."""
    rows, matrices, groups = known(lhs), known(rhs), known(group_sizes)
    if len(rows) != 2 or len(matrices) != 3:
        raise ShapeError("rank", f"{Shape(rows)} and {Shape(matrices)} are no rows and matrices of groups")
    _agree(rows[1], matrices[1], facts)
    _agree(matrices[0], groups[-1], facts)
    return Shape((rows[0], matrices[2]))


@contraction
def _vecdot_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return tensor(bound["x1"]).shape.numel() * 2


@rule("jnp,jlinalg.vecdot", dtype=_PRODUCT, label="products of vectors", flops=_vecdot_work)
def vecdot(x1: Value, x2: Value, *, axis: Value = -1, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Broadcast, without the axis."""
    found = common_shape((tensor(x1).shape, tensor(x2).shape), facts)
    return reduce_axes(Tensor(found), axis)


@rule("jnp,jlinalg.matrix_transpose", kind="view", label="swap the last two axes")
def matrix_transpose(x: Value) -> Shape:
    """Of every matrix."""
    shape = tensor(x).shape
    return shape.replace_last(2, shape.size(-1), shape.size(-2))


@rule("jlinalg.slogdet", label="sign and logarithm of the determinant")
def slogdet(a: Value, **options: Value) -> tuple[Shape, Shape]:
    """One of each matrix."""
    shape = tensor(a).shape.replace_last(2)
    return shape, shape


@rule("jlinalg.svdvals", label="singular values")
def svdvals(a: Value) -> Shape:
    """As many as the shorter side."""
    shape = tensor(a).shape
    return shape.replace_last(2, smallest(shape.size(-1), shape.size(-2)))


@rule("jlinalg.matrix_power", label="power of a matrix")
def matrix_power(a: Value, n: Value) -> Shape:
    """Same shape."""
    return tensor(a).shape


@rule("jlinalg.vector_norm", dtype="real float", label="norm")
def vector_norm(x: Value, *, axis: Value = None, keepdims: Value = False, **options: Value) -> Shape:
    """Reduces axes."""
    return reduce_axes(x, axis, keepdims)


@rule("jlinalg.matrix_norm", dtype="real float", label="norm of matrices")
def matrix_norm(x: Value, *, keepdims: Value = False, **options: Value) -> Shape:
    """Reduces the last two axes."""
    return reduce_axes(x, (as_dim(-2), as_dim(-1)), keepdims)
