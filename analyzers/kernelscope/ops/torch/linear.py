"""Matrix products and linear algebra: linear layers, matmul and its kin, einsum, decompositions.

FLOPs count a multiply and an add as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, array, axes, integer, is_sequence, items, known, tensor
from kernelscope.ops.families import per_element, reduce_axes
from kernelscope.ops.modules import Module, module, settings_of
from kernelscope.ops.registry import contraction, rule
from kernelscope.ops.signatures import products, shape_rule, signature
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, numel, same_size, smallest
from kernelscope.tensor.broadcasting import broadcast
from kernelscope.tensor.patterns import einsum_shape, einsum_work

signature(
    "F.linear",
    "input, weight, bias=None",
    "*x {in}, {out} {in}, ?{out} -> *x {out}",
    flops=products("input"),
    label="matrix product with a weight",
    dtype="input",
)
signature("t,T.mm", "input, mat2", "m k, k n -> m n", flops=products("input"), label="matrix product")
signature("t,T.bmm", "input, mat2", "b m k, b k n -> b m n", flops=products("input"), label="batched matrix product")
signature("t,T.mv", "input, vec", "m k, k -> m", flops=products("input"), label="matrix times vector")
signature("t,T.dot t,T.vdot", "input, other", "k, k ->", name="dot", flops=products("input"), label="inner product")
signature("t,T.outer t,T.ger", "input, vec2", "m, n -> m n", name="outer", flops=per_element(1), label="outer product")
signature(
    "t,T.baddbmm",
    "input, batch1, batch2",
    "*any, b m k, b k n -> b m n",
    flops=products("batch1"),
    label="batched matrix product plus",
)
signature(
    "t,T.addmm", "input, mat1, mat2", "*any, m k, k n -> m n", flops=products("mat1"), label="matrix product plus"
)
signature("t,T.addmv", "input, mat, vec", "*any, m k, k -> m", flops=products("mat"), label="matrix times vector plus")
signature(
    "t,T.addbmm",
    "input, batch1, batch2",
    "*any, b m k, b k n -> m n",
    flops=products("batch1"),
    label="sum of matrix products plus",
)
signature("t.cdist", "x1, x2", "*b m k, *b n k -> *b m n", flops=products("x1"), label="distances of all pairs")
signature(
    "F.bilinear",
    "input1, input2, weight, bias=None",
    "*x i, *x j, o i j, ?o -> *x o",
    label="bilinear form",
    dtype="input",
)
signature("t,T.inverse linalg.inv", "input", "*b n n -> *b n n", name="inverse", label="inverse matrix")
signature("t,T.det linalg.det t,T.logdet", "input", "*b n n -> *b", name="det", label="determinant")
signature(
    "t,T.cholesky linalg.cholesky linalg.matrix_exp t,T.matrix_exp",
    "input",
    "*b n n -> *b n n",
    name="cholesky",
    label="matrix function",
)
signature("linalg.pinv t,T.pinverse", "input", "*b m n -> *b n m", name="pinv", label="pseudo-inverse")
signature("t,T.trace", "input", "m n ->", dtype="sum", label="sum of the diagonal")


@contraction
def _matmul_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return outputs[0].shape.numel() * tensor(bound["input"]).shape.size(-1) * 2


def _operands(operands: tuple[Value, ...]) -> tuple[Value, ...]:
    return items(operands[0]) if len(operands) == 1 and is_sequence(operands[0]) else operands


@contraction
def _einsum_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return einsum_work(bound["equation"], [tensor(v).shape for v in _operands(bound["operands"])])


signature("linalg.solve_triangular", "A, B", "*b n n, *b n k -> *b n k", label="solve a triangular system")
signature(
    "t._scaled_mm",
    "input, mat2, scale_a=None, scale_b=None, bias=None, scale_result=None, out_dtype=None",
    "m k, k n -> m n",
    dtype="out",
    flops=products("input"),
    label="scaled matrix product",
)


@rule(
    "t,T.matmul operator.matmul T.__matmul__ linalg.matmul",
    dtype="promoted out",
    label="matrix product",
    flops=_matmul_work,
)
def matmul(input: Value, other: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Vectors lose their axis, matrices multiply, axes in front broadcast."""
    a, b = array(input).shape, array(other).shape
    if a.rank == 0 or b.rank == 0:
        raise ShapeError("rank", f"both operands need at least 1 dim, got {a} and {b}")
    left, right = a.size(-1), b.size(-1 if b.rank == 1 else -2)
    if b.least_rank < 2 and b.rank is None:
        right = Unknown(b.reason)
    if same_size(left, right, facts) is False:
        raise ShapeError("shape", f"{a} @ {b}: inner sizes {left} and {right} differ")
    rows = () if a.rank == 1 else (a.size(-2),)
    columns = () if b.rank == 1 else (b.size(-1),)
    if b.rank is None and b.least_rank < 2:
        return Shape.unknown(b.reason)
    if a.rank is None and a.least_rank < 2:
        return Shape((), columns if b.rank != 1 else (), a.reason)
    batches = [s.replace_last(2) for s in (a, b) if s.rank != 1]
    return broadcast(batches, facts).replace_last(0, *rows, *columns)


@rule("t,T.inner", dtype="promote", label="inner products of last axes", flops=_matmul_work)
def inner(input: Value, other: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """All axes of both but the last, which is contracted."""
    a, b = known(input), known(other)
    if not a or not b:
        return Shape(a or b)
    if same_size(a[-1], b[-1], facts) is False:
        raise ShapeError("shape", f"last sizes {a[-1]} and {b[-1]} differ")
    return Shape((*a[:-1], *b[:-1]))


@rule("t,T.chain_matmul linalg.multi_dot", dtype="promote", label="product of several matrices")
def multi_dot(*matrices: Value, facts: Facts = NO_FACTS) -> Shape:
    """Rows of the first, columns of the last."""
    found = items(matrices[0]) if len(matrices) == 1 and is_sequence(matrices[0]) else matrices
    result = tensor(found[0])
    for other in found[1:]:
        result = Tensor(matmul(result, other, facts=facts))
    return result.shape


@rule("t.einsum", dtype="promoted out", label="sum of products", flops=_einsum_work)
def einsum(equation: Value, *operands: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """A letter is a size; letters that the result lacks are summed."""
    if not isinstance(equation, str):
        raise Lost(equation.reason if isinstance(equation, Unknown) else "operands in the place of the equation")
    shapes = [array(v).shape for v in _operands(operands)]
    return einsum_shape(equation, shapes, facts)


@rule("t.tensordot", dtype="promoted out", label="contraction of several axes")
def tensordot(
    a: Value, b: Value, dims: Value = 2, out: Value = None, *, facts: Facts = NO_FACTS, **options: Value
) -> Shape:
    """Contracts the last axes of one with the first of the other, or the pairs given."""
    left, right = known(a), known(b)
    if is_sequence(dims):
        first, second = (axes(d, len(s)) for d, s in zip(items(dims), (left, right), strict=True))
    else:
        count = integer(dims)
        first, second = tuple(range(len(left) - count, len(left))), tuple(range(count))
    for i, j in zip(first, second, strict=True):
        if same_size(left[i], right[j], facts) is False:
            raise ShapeError("shape", f"contracted sizes {left[i]} and {right[j]} differ")
    kept = [d for i, d in enumerate(left) if i not in first]
    return Shape((*kept, *(d for i, d in enumerate(right) if i not in second)))


@rule("t,T.kron", dtype="promote", label="Kronecker product", flops=per_element(1))
def kron(input: Value, other: Value) -> Shape:
    """Sizes multiply, aligned from the right."""
    a, b = known(input), known(other)
    rank = max(len(a), len(b))
    a = (as_dim(1),) * (rank - len(a)) + a
    b = (as_dim(1),) * (rank - len(b)) + b
    return Shape(tuple(x * y for x, y in zip(a, b, strict=True)))


@rule("t.cosine_similarity F.cosine_similarity", dtype="promote", label="cosine of the angle")
def cosine_similarity(x1: Value, x2: Value, dim: Value = 1, eps: Value = 1e-8, *, facts: Facts = NO_FACTS) -> Shape:
    """Broadcasts, then drops an axis."""
    dims = list(known(Tensor(broadcast((tensor(x1).shape, tensor(x2).shape), facts))))
    (gone,) = axes(dim, len(dims))
    return Shape(tuple(dims[:gone] + dims[gone + 1 :]))


@rule("F.pairwise_distance", dtype="promote", label="distance of vectors")
def pairwise_distance(
    x1: Value, x2: Value, p: Value = 2.0, eps: Value = 1e-6, keepdim: Value = False, *, facts: Facts = NO_FACTS
) -> Shape:
    """Broadcasts, then drops the last axis."""
    return broadcast((tensor(x1).shape, tensor(x2).shape), facts).replace_last(
        1, *([as_dim(1)] if keepdim is True else [])
    )


@rule("t,T.cross linalg.cross", dtype="promote", label="cross product", flops=per_element(3))
def cross(input: Value, other: Value, dim: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
    """Broadcasts."""
    return broadcast((tensor(input).shape, tensor(other).shape), facts)


@rule("linalg.solve", dtype="promote", label="solve a linear system")
def solve(A: Value, B: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """As B, which is one vector, a vector for each matrix, or matrices of columns."""
    left, right = tensor(A).shape, tensor(B).shape
    rows, n = left.last(2)
    if same_size(rows, n, facts) is False:
        raise ShapeError("shape", f"a system of {rows} equations for {n} values")
    is_one, may_be_vectors = right.rank == 1, len(right.head) == len(left.head) - 1
    is_lost = may_be_vectors and any(isinstance(size, Unknown) for size in (*left.head, *right.head))
    if left.dims is None or right.dims is None or (is_lost and not is_one):
        raise Lost("whether the right side is a vector is not known")
    is_vector = is_one or right.dims == left.head[:-1]
    if same_size(n, right.size(-1 if is_vector else -2), facts) is False:
        raise ShapeError("shape", f"{left} and {right} differ in the number of equations")
    if is_vector:
        return left.replace_last(1) if is_one else right
    batch = broadcast((left.replace_last(2), right.replace_last(2)), facts)
    return Shape((*batch.head, n, right.size(-1)))


@rule("t,T.svd linalg.svd", dtype=("input", "real", "input"), label="singular value decomposition", fields="U S Vh")
def svd(A: Value, full_matrices: Value = True, **options: Value) -> tuple[Shape, Shape, Shape] | Unknown:
    """U, S, Vh of matrices; reduced forms with `full_matrices=False`."""
    shape = tensor(A).shape
    if options.get("compute_uv", True) is not True:
        return Unknown("whether more than the singular values are wanted is not known")
    rows, columns = shape.last(2)
    batch, k = shape.replace_last(2), smallest(rows, columns)
    if not isinstance(full_matrices, bool):
        return Unknown("whether the full matrices are wanted is not known")
    u, v = (rows, columns) if full_matrices else (k, k)
    return batch.replace_last(0, rows, u), batch.replace_last(0, k), batch.replace_last(0, v, columns)


@rule("t,T.qr linalg.qr", label="QR decomposition", fields="Q R")
def qr(A: Value, mode: Value = "reduced", some: Value = True) -> tuple[Shape, Shape] | Unknown:
    """Q and R of matrices."""
    shape = tensor(A).shape
    rows, columns = shape.last(2)
    k = smallest(rows, columns)
    if mode != "reduced" or some is not True:
        return Unknown("another mode than `reduced`")
    return shape.replace_last(2, rows, k), shape.replace_last(2, k, columns)


@rule(
    "linalg.eigh", dtype=("real", "input"), label="eigenvalues of a symmetric matrix", fields="eigenvalues eigenvectors"
)
def eigh(A: Value, UPLO: Value = "L") -> tuple[Shape, Shape]:
    """Values and vectors."""
    shape = tensor(A).shape
    return shape.replace_last(1), shape


@rule("linalg.eig", dtype="complex", label="eigenvalues and eigenvectors", fields="eigenvalues eigenvectors")
def eig(A: Value) -> tuple[Shape, Shape]:
    """Values and vectors."""
    return eigvals(A), tensor(A).shape


@rule("linalg.eigvals", dtype="complex", label="eigenvalues")
def eigvals(A: Value) -> Shape:
    """Values."""
    shape = tensor(A).shape
    return shape.replace_last(2, shape.last(2)[0])


@rule("linalg.eigvalsh", dtype="real", label="eigenvalues of a symmetric matrix")
def eigvalsh(A: Value, UPLO: Value = "L") -> Shape:
    """Values."""
    return tensor(A).shape.replace_last(1)


@rule("linalg.matrix_norm", dtype="real", label="norm of matrices")
def matrix_norm(A: Value, ord: Value = "fro", dim: Value = (-2, -1), keepdim: Value = False, **options: Value) -> Shape:
    """Drops two axes."""
    return reduce_axes(A, dim, keepdim)


_LINEAR = shape_rule("*x {in_features} -> *x {out_features}")


def _linear_weights(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features")
    return {"weight": (out, layer.size("in_features")), "bias": (out,) if layer.has_bias else None}


@contraction
def _linear_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    """Every element of the result is a sum over the layer's inputs."""
    return numel((outputs[0].shape.numel(), settings_of(bound).size("in_features"), as_dim(2)))


@module("Linear", "in_features, out_features, bias=True", _linear_weights, flops=_linear_work, label="linear layer")
def linear_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The last size becomes `out_features`."""
    sizes = {name: layer.size(name) for name in ("in_features", "out_features")}
    return _LINEAR([("the input", input)], sizes, facts)


@module("LazyLinear", "out_features, bias=True", label="linear layer")
def lazy_linear(layer: Module, input: Value) -> Shape:
    """The last size becomes `out_features`."""
    return tensor(input).shape.replace_last(1, layer.size("out_features"))


def _bilinear_weights(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features")
    sides = layer.size("in1_features"), layer.size("in2_features")
    return {"weight": (out, *sides), "bias": (out,) if layer.has_bias else None}


@module("Bilinear", "in1_features, in2_features, out_features, bias=True", _bilinear_weights, label="bilinear form")
def bilinear_layer(layer: Module, input1: Value, input2: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The last size becomes `out_features`."""
    rule_ = shape_rule("*x {in1_features}, *x {in2_features} -> *x {out_features}")
    sizes = {name: layer.size(name) for name in ("in1_features", "in2_features", "out_features")}
    return rule_([("input1", input1), ("input2", input2)], sizes, facts)


@module("Identity", "*args", kind="view", label="nothing")
def identity(layer: Module, input: Value) -> Value:
    """The input."""
    return input


@module("CosineSimilarity", "dim=1, eps=1e-08", dtype="promote", label="cosine of the angle")
def cosine_layer(layer: Module, x1: Value, x2: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Broadcasts, then drops an axis."""
    return cosine_similarity(x1, x2, layer["dim"], facts=facts)
