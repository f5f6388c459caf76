"""Tensors from nothing: sizes or another tensor's shape, ranges, and literals.

Random ones stand in `randoms`.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from kernelscope.dims import Dim
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import (
    Lost,
    Value,
    asked,
    integer,
    is_number,
    is_sequence,
    items,
    known,
    scalar_kind,
    size,
    sizes,
    tensor,
    with_dims,
)
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.families import same
from kernelscope.ops.registry import rule
from kernelscope.tensor import NUMPY, Place, Shape, ShapeError, Size, Tensor, Unknown, ceil_of, promote, smallest
from kernelscope.tensor.broadcasting import broadcast
from kernelscope.tensor.dtypes import DEFAULTS, DTYPES


@rule("t.zeros t.ones t.empty", dtype="new", kind="movement", name="zeros", label="a new tensor")
def zeros(*size: Value, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return asked(size)


@rule("t.full", dtype="filled", kind="movement", label="a new tensor of one value")
def full(size: Value, fill_value: Value, *, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return asked(size)


same(
    "zeros_like ones_like empty_like full_like",
    at="t",
    dtype="asked",
    kind="movement",
    flops=0,
    label="a new tensor like another",
)


@rule("T.new_zeros T.new_ones T.new_empty", dtype="asked", kind="movement", name="new_zeros", label="a new tensor")
def new_zeros(self: Value, *size: Value, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes, the dtype of the tensor."""
    return asked(size)


@rule("T.new_full", dtype="asked", kind="movement", label="a new tensor of one value")
def new_full(self: Value, size: Value, fill_value: Value, *, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes, the dtype of the tensor."""
    return asked(size)


@rule("t.empty_strided", dtype="new", kind="movement", label="a new tensor with strides")
def empty_strided(size: Value, stride: Value, *, dtype: Value = None, **options: Value) -> Shape:
    """The given sizes."""
    return asked(size)


@rule("t.arange", dtype="ranged", kind="movement", label="a range of numbers")
def arange(start: Value, end: Value = None, step: Value = 1, *, dtype: Value = None, **options: Value) -> Shape:
    """`ceil((end - start) / step)` numbers."""
    if end is None:
        start, end = as_dim(0), start
    return Shape((_steps(start, end, step),))


def _steps(start: Value, end: Value, step: Value) -> Size:
    if any(isinstance(v, float) for v in (start, end, step)):
        if all(isinstance(v, (int, float)) or (isinstance(v, Dim) and v.const is not None) for v in (start, end, step)):
            a, b, c = (float(v if isinstance(v, (int, float)) else integer(v)) for v in (start, end, step))
            if c:
                return as_dim(max(0, ceil((b - a) / c)))
        return Unknown("the range has a step or bound that is not an integer")
    a, b, c = size(start), size(end), size(step)
    if isinstance(c, Dim) and c.const is not None and c.const < 0:
        a, b, c = b, a, -c
    if isinstance(c, Dim) and c.const == 0:
        raise ShapeError("shape", "the step is 0")
    length = ceil_of(b - a, c)
    return as_dim(0) if isinstance(length, Dim) and length.const is not None and length.const < 0 else length


@rule("t.linspace", dtype="new", kind="movement", label="evenly spaced numbers")
def linspace(start: Value, end: Value, steps: Value, *, dtype: Value = None, **options: Value) -> Shape:
    """`steps` numbers."""
    return Shape((size(steps),))


@rule("t.logspace", dtype="new", kind="movement", label="numbers spaced evenly in the exponent")
def logspace(
    start: Value, end: Value, steps: Value, base: Value = 10.0, *, dtype: Value = None, **options: Value
) -> Shape:
    """`steps` numbers."""
    return Shape((size(steps),))


@rule("t.eye", dtype="new", kind="movement", label="identity matrix")
def eye(n: Value, m: Value = None, *, dtype: Value = None, **options: Value) -> Shape:
    """n × m, or n × n."""
    return Shape((size(n), size(n if m is None else m)))


@rule("t,T.tril t,T.triu", name="tril", kind="movement", label="a triangle of a matrix")
def tril(input: Value, diagonal: Value = 0) -> Shape:
    """Same shape."""
    return with_dims(input, 2)


@rule("t,T.diag", kind="movement", label="diagonal of a matrix, or matrix of a diagonal")
def diag(input: Value, diagonal: Value = 0) -> Shape:
    """A vector becomes a matrix, a matrix its diagonal."""
    dims = known(input)
    if diagonal != 0:
        raise Lost("another diagonal than the main one")
    if len(dims) == 1:
        return Shape((dims[0], dims[0]))
    if len(dims) != 2:
        raise ShapeError("rank", f"expected a vector or a matrix, got {Shape(dims)}")
    return Shape((smallest(*dims),))


@rule("t,T.diag_embed", kind="movement", label="vectors as diagonals of matrices")
def diag_embed(input: Value, offset: Value = 0, dim1: Value = -2, dim2: Value = -1) -> Shape:
    """A new axis as long as the last."""
    if (offset, dim1, dim2) != (0, -2, -1):
        raise Lost("another diagonal than the main one")
    shape = tensor(input).shape
    return shape.replace_last(0, shape.size(-1))


@rule(
    "t.tensor t.as_tensor t.asarray t.from_numpy T.new_tensor",
    kind="movement",
    name="tensor",
    label="a tensor of values",
)
def tensor_of(*args: Value, data: Value = None, dtype: Value = None, **options: Value) -> Tensor | Unknown:
    """A nested list of numbers gives its lengths; a tensor stays what it is."""
    value = args[-1] if args else data
    asked = as_dtype(dtype)
    if isinstance(value, Unknown):
        return Tensor(Shape.unknown(value.reason), asked or value)
    if isinstance(value, Tensor):
        made = value if value.place != NUMPY else Tensor(value.shape, value.dtype)
        return made if asked is None else made.with_dtype(asked)
    shape = _lengths(value)
    return Tensor(Shape(shape), asked or _kind(value), place(options.get("device")))


@rule("T.new", kind="movement", label="a new tensor of the same dtype")
def new(self: Value, *args: Value, dtype: Value = None, device: Value = None) -> Tensor:
    """Sizes, or the values: a nested list or another tensor."""
    own = tensor(self)
    return Tensor(_legacy(args), own.dtype, own.place)


OF_ONE_TYPE = {
    "Tensor": "float32",
    "FloatTensor": "float32",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "BoolTensor": "bool",
    "HalfTensor": "float16",
    "DoubleTensor": "float64",
    "ByteTensor": "uint8",
}


def _declare_legacy(name: str, dtype: str) -> None:
    @rule(f"t.{name}", name=name, kind="movement", label=f"a tensor of {dtype}")
    def legacy(*args: Value) -> Tensor:
        """Sizes, or the values: a nested list or an array."""
        return Tensor(_legacy(args), DTYPES[dtype])


def _legacy(args: tuple[Value, ...]) -> Shape:
    """The shape of what is made of sizes, of values in a nested list, or of an array."""
    if not args:
        return Shape.of(0)
    values = args[0]
    if len(args) > 1 or not (isinstance(values, Tensor | Unknown) or is_sequence(values)):
        return Shape(sizes(args))
    if isinstance(values, Tensor):
        return values.shape
    if isinstance(values, Unknown):
        return Shape.unknown(values.reason)
    if isinstance(values, tuple) and any(isinstance(v, Dim) and v.const is None for v in items(values)):
        return asked(args)  # `x.new(y.size())`: a tuple of sizes that is no `Size` would be values
    return Shape(_lengths(values))


for _name, _dtype in OF_ONE_TYPE.items():
    _declare_legacy(_name, _dtype)


def _lengths(value: Value) -> tuple[Size, ...]:
    if isinstance(value, Tensor):
        return known(value)
    if isinstance(value, Unknown):
        raise Lost(value.reason)
    if isinstance(value, Shape) and value.rank is None:
        return (Unknown(value.reason or "the rank is not known"),)
    if not is_sequence(value):
        if not isinstance(value, Dim | int | float | complex):
            raise Lost("what is made a tensor is not known")
        return ()
    elements = items(value)
    return (as_dim(len(elements)), *(_lengths(elements[0]) if elements else ()))


def _kind(value: Value) -> Any:
    if isinstance(value, Tensor):
        return value.dtype
    if is_sequence(value):
        found = [_kind(v) for v in items(value)] or [DEFAULTS["float"]]
        result = found[0]
        for other in found[1:]:
            result = (
                result
                if isinstance(result, Unknown)
                else other
                if isinstance(other, Unknown)
                else promote(result, other)
            )
        return result
    return DEFAULTS[scalar_kind(value)] if is_number(value) else Unknown("the dtype of these values is not known")


@rule("nn.Parameter nn.Buffer", kind="view", name="Parameter", label="a tensor that a module owns")
def parameter(data: Value = None, *args: Value, **options: Value) -> Tensor:
    """The tensor itself."""
    return tensor(Unknown("an empty parameter") if data is None else data)


@rule("t.complex", dtype="complex", kind="movement", label="complex numbers of two parts")
def complex_(real: Value, imag: Value) -> Shape:
    """Broadcasts both parts."""
    return broadcast((tensor(real).shape, tensor(imag).shape))


@rule("t.polar", dtype="complex", flops=None, label="complex numbers of length and angle")
def polar(abs: Value, angle: Value) -> Shape:
    """Broadcasts both parts."""
    return broadcast((tensor(abs).shape, tensor(angle).shape))


@rule(
    "t.hann_window t.hamming_window t.blackman_window t.bartlett_window t.kaiser_window",
    dtype="new",
    name="hann_window",
    kind="movement",
    label="window function",
)
def hann_window(window_length: Value, *args: Value, dtype: Value = None, **options: Value) -> Shape:
    """`window_length` numbers."""
    return Shape((size(window_length),))


@rule("t.vander linalg.vander", kind="movement", label="powers of a vector")
def vander(x: Value, N: Value = None, increasing: Value = False) -> Shape:
    """One column for each power."""
    shape = tensor(x).shape
    return shape.replace_last(0, shape.size(-1) if N is None else size(N))


def place(device: Value) -> Place | Unknown | None:
    """A device given as `"cuda:0"`, `torch.device(…)` or an index."""
    if device is None or isinstance(device, (Place, Unknown)):
        return device
    if isinstance(device, str):
        kind, _, index = device.partition(":")
        return Place(kind, int(index) if index.isdecimal() else None)
    return Place("cuda", device) if isinstance(device, int) else Unknown("a device that is not known")
