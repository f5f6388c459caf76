"""What is asked of a tensor and is no tensor: sizes, rank, counts; and the attributes that are views.

A size is a Dim, so `x.size(1) // 2` stays an integer of the algebra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, integer, sizes, tensor
from kernelscope.ops.registry import Plain, rule
from kernelscope.tensor import NUMPY, DType, Shape, Size, Tensor, Unknown, UnknownDType
from kernelscope.tensor.dtypes import real_of


@rule("T.size", kind="result", label="sizes, or the size of one axis")
def size(self: Value, dim: Value = None) -> Value:
    """All sizes as a tuple, or one."""
    shape = tensor(self).shape
    if dim is not None:
        return shape.size(integer(dim))
    return Plain(shape) if shape.dims is None else shape.dims


@rule("T.numel T.nelement t.numel", kind="result", name="numel", label="number of elements")
def count(self: Value) -> Size:
    """The product of the sizes."""
    return tensor(self).shape.numel()


@rule("T.dim T.ndimension", kind="result", name="dim", label="number of axes")
def rank(self: Value) -> Size:
    """The rank."""
    return _rank(tensor(self))


def _rank(value: Tensor) -> Size:
    return Unknown(value.shape.reason or "the rank is not known") if value.rank is None else as_dim(value.rank)


@rule("T.stride", kind="result", label="steps in memory")
def stride(self: Value, dim: Value = None) -> Value:
    """Of a tensor in row-major order; what a transpose did to it is not followed."""
    return Unknown("strides depend on how the tensor was made")


@rule("T.item", kind="result", label="the number in a tensor")
def item(self: Value) -> Unknown:
    """Depends on the data."""
    return Unknown("the value of a tensor depends on the data")


@rule("T.tolist", kind="result", label="the numbers in a tensor")
def tolist(self: Value) -> Unknown:
    """Depends on the data."""
    return Unknown("the values of a tensor depend on the data")


@rule(
    "T.is_contiguous T.is_pinned t.is_tensor t.is_floating_point T.is_floating_point t.is_complex T.is_complex "
    "t,T.equal T.data_ptr t.is_nonzero t.allclose T.allclose",
    kind="result",
    name="is_contiguous",
    label="a question that the data or the layout answers",
)
def is_contiguous(input: Value, *args: Value, **options: Value) -> Unknown:
    """Not followed."""
    return Unknown("not known before the code runs")


@rule("T.element_size", kind="result", label="bytes of an element")
def element_size(self: Value) -> Size:
    """Of the dtype."""
    dtype = tensor(self).dtype
    return dtype if isinstance(dtype, Unknown) else as_dim(dtype.bytes)


@rule("T.get_device", kind="result", label="index of the device")
def get_device(self: Value) -> Unknown:
    """Not followed."""
    return Unknown("not known before the code runs")


@rule("t.Size", kind="result", name="Size", label="sizes as a tuple")
def size_of(*values: Value) -> tuple[Size, ...]:
    """A tuple of sizes."""
    return sizes(values)


@rule("T.numpy", kind="result", label="the tensor as an array")
def numpy(self: Value, **options: Value) -> Tensor:
    """The same numbers as an array."""
    return replace(tensor(self), place=NUMPY)


@rule("t.result_type", kind="result", label="promoted dtype")
def result_type(tensor1: Value, tensor2: Value) -> Value:
    """What arithmetic of both would give."""
    from kernelscope.ops.result_dtypes import DTYPE_RULES

    return DTYPE_RULES["promote"]({"input": tensor1, "other": tensor2})


def _reversed(value: Tensor) -> Tensor:
    dims = value.shape.dims
    if dims is None:
        return value.with_shape(Shape.unknown(value.shape.reason))
    return value.with_shape(Shape(dims[::-1]))


def _swapped(value: Tensor) -> Tensor:
    a, b = value.shape.last(2)
    return value.with_shape(value.shape.replace_last(2, b, a))


def _itself(value: Tensor) -> Tensor:
    return value


def _parts(value: Tensor) -> Tensor:
    dtype = value.dtype
    return value.with_dtype(dtype if isinstance(dtype, Unknown) else real_of(dtype))


def _unknown(reason: str) -> Callable[[Tensor], Unknown]:
    return lambda _: Unknown(reason)


ATTRIBUTES: dict[str, Callable[[Tensor], Value]] = {
    "shape": lambda value: value.shape if value.shape.dims is None else value.shape.dims,
    "ndim": _rank,
    "dtype": lambda value: value.dtype if isinstance(value.dtype, DType) else UnknownDType(value.dtype.reason),
    "device": lambda value: value.place or Unknown("the device is not known"),
    "T": _reversed,
    "mT": _swapped,
    "H": _swapped,
    "mH": _swapped,
    "real": _parts,
    "imag": _parts,
    "data": _itself,
    "grad": _itself,
    "itemsize": element_size,
    "nbytes": lambda value: value.nbytes,
    "is_cuda": _unknown("not known before the code runs"),
    "requires_grad": _unknown("not known before the code runs"),
    "layout": _unknown("not known before the code runs"),
}
"""`value.name` for what is no method."""
