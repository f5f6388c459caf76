"""Sparse tensors, as far as shapes go: they are those of the dense tensor."""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Lost, Value, sizes, tensor
from kernelscope.ops.registry import rule
from kernelscope.ops.signatures import shape_rule
from kernelscope.tensor import Shape, Tensor


@rule("t.sparse_coo_tensor", kind="movement", label="a sparse tensor by coordinates")
def sparse_coo_tensor(indices: Value, values: Value, size: Value = None, **options: Value) -> Tensor:
    """The given sizes, the dtype of the values."""
    if size is None:
        raise Lost("the sizes depend on the largest indices")
    return Tensor(Shape(sizes(size)), tensor(values).dtype)


@rule("t.sparse_csr_tensor", kind="movement", label="a sparse matrix by rows")
def sparse_csr_tensor(
    crow_indices: Value, col_indices: Value, values: Value, size: Value = None, **options: Value
) -> Tensor:
    """The given sizes, the dtype of the values."""
    if size is None:
        raise Lost("the sizes depend on the largest indices")
    return Tensor(Shape(sizes(size)), tensor(values).dtype)


@rule("T.to_dense T.to_sparse T.coalesce T.to_sparse_csr", name="to_dense", kind="movement", label="another layout")
def to_dense(self: Value, *args: Value, **options: Value) -> Shape:
    """Same shape."""
    return tensor(self).shape


_PRODUCT = shape_rule("m k, k n -> m n")


@rule("sparse.mm", dtype="promote", name="sparse_mm", label="sparse matrix product")
def sparse_mm(mat1: Value, mat2: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """`m k, k n -> m n`."""
    return _PRODUCT([("mat1", mat1), ("mat2", mat2)], {}, facts)
