"""Elementwise operators: one result for each element, or for each position of broadcast operands.

FLOPs count an arithmetic operation as one and a transcendental function as several, by the usual convention.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Value, known, tensor
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.families import along, broadcast, per_element, same
from kernelscope.ops.registry import also, rule
from kernelscope.tensor import Shape, Single, Size, Tensor, Unknown
from kernelscope.tensor.broadcasting import broadcast as common_shape

same("abs", dtype="real", label="absolute value")
same("neg positive sgn sign square conj_physical relu")
same(
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh",
    dtype="input float",
    flops=4,
)
same("erf erfc erfinv sigmoid logit reciprocal lgamma digamma i0 sinc deg2rad rad2deg", dtype="input float", flops=4)
same("ceil floor round trunc frac nan_to_num bitwise_not")
same("isnan isinf isfinite isposinf isneginf isreal logical_not signbit", dtype="bool")
same("angle", dtype="real float", flops=4)
same("conj resolve_conj resolve_neg", kind="view", flops=0)
same("clamp clip", dtype="promote", flops=2)
same("clamp_min clamp_max", dtype="promote")
same(
    "gelu silu mish elu selu celu leaky_relu relu6 hardswish hardsigmoid hardtanh softplus softsign logsigmoid "
    "tanhshrink hardshrink softshrink threshold rrelu",
    at="F",
    flops=4,
)
same("dropout alpha_dropout feature_alpha_dropout dropout1d dropout2d dropout3d", at="F", flops=2)
same("prelu", at="t,F", flops=2)
along("softmax log_softmax", at="t,T,F", dtype="asked", flops=5)
along("softmin", at="F", dtype="asked", flops=5)
same("gumbel_softmax", at="F", dtype="asked", flops=5)
also("sigmoid", "F,special.sigmoid special.expit")
also("tanh", "F.tanh")
also("relu", "F.relu")
also("selu", "t.selu")
also("celu", "t.celu")
also("dropout", "t.dropout")
also("log_softmax", "special.log_softmax")
also("softmax", "special.softmax")
also("abs", "t,T.absolute operator.abs T.__abs__")
also("neg", "t,T.negative operator.neg T.__neg__")
also("bitwise_not", "operator.invert T.__invert__")
also("erf", "special.erf")
same("i0e i1 i1e ndtr log_ndtr ndtri entr erfcx bessel_j0 bessel_j1", at="special", dtype="input float", flops=4)
for _name in ("digamma", "erfc", "erfinv", "exp2", "expm1", "i0", "log1p", "logit", "round", "sinc"):
    also(_name, f"special.{_name}")
also("lgamma", "special.gammaln")
also("digamma", "special.psi")
also("acosh", "t,T.arccosh")
also("asinh", "t,T.arcsinh")
also("atanh", "t,T.arctanh")
also("acos", "t,T.arccos")
also("asin", "t,T.arcsin")
also("atan", "t,T.arctan")
also("trunc", "t,T.fix")

broadcast(
    "add sub mul remainder fmod maximum minimum fmax fmin bitwise_and bitwise_or bitwise_xor "
    "bitwise_left_shift bitwise_right_shift floor_divide gcd lcm hypot"
)
broadcast("pow", flops=4)
broadcast("float_power", dtype="double", flops=4)
broadcast("div", dtype="divided")
broadcast("heaviside")
broadcast("ldexp logaddexp2 igamma igammac", dtype="float", flops=4)
broadcast("xlog1py", at="special", dtype="float", flops=4)
broadcast("atan2 xlogy copysign logaddexp nextafter", dtype="float", flops=4)
broadcast("eq ne lt le gt ge logical_and logical_or logical_xor isclose", dtype="bool")
broadcast("lerp addcmul addcdiv", flops=3)
also("xlogy", "special.xlogy")
also("igamma", "special.gammainc")
also("igammac", "special.gammaincc")
also("add", "operator.add T.__add__ T.__radd__")
also("sub", "t,T.subtract operator.sub T.__sub__ t.rsub")
also("mul", "t,T.multiply operator.mul T.__mul__ T.__rmul__")
also("div", "t,T.divide t,T.true_divide operator.truediv T.__truediv__")
also("floor_divide", "operator.floordiv")
also("remainder", "operator.mod")
also("pow", "operator.pow")
also("eq", "operator.eq")
also("ne", "t,T.not_equal operator.ne")
also("lt", "t,T.less operator.lt")
also("le", "t,T.less_equal operator.le")
also("gt", "t,T.greater operator.gt")
also("ge", "t,T.greater_equal operator.ge")
also("atan2", "t,T.arctan2")
also("bitwise_and", "operator.and_")
also("bitwise_or", "operator.or_")
also("bitwise_xor", "operator.xor")

same("fill zero", at="T", flops=0, kind="movement", label="overwrite every element")
same("clone contiguous detach pin_memory requires_grad_ cuda cpu xpu", at="T", flops=0, kind="movement")
also("clone", "t.clone")
also("detach", "t.detach")

_CASTS = {
    "float": "float32",
    "half": "float16",
    "bfloat16": "bfloat16",
    "double": "float64",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "cfloat": "complex64",
    "cdouble": "complex128",
}
for _name, _dtype in _CASTS.items():
    same(_name, at="T", dtype=_dtype, flops=0, kind="movement", label=f"convert to {_dtype}")


@rule("T.to", kind="movement", label="convert dtype or move to a device")
def to(self: Value, *args: Value, **options: Value) -> Tensor:
    """`to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`: shape stays."""
    from kernelscope.ops.torch.creation import place
    from kernelscope.tensor import DType, Place

    result = tensor(self)
    dtype = as_dtype(options.get("dtype"))
    device = options.get("device")
    for value in (*args, *([options["other"]] if "other" in options else [])):
        if isinstance(value, DType):
            dtype = value
        elif isinstance(value, Tensor):
            dtype, device = value.dtype, value.place
        elif isinstance(value, (str, Place)):
            device = value
        elif isinstance(value, Unknown):
            dtype = dtype or Unknown("converted to what is not known")
    result = result if dtype is None else result.with_dtype(dtype)
    return result if device is None else Tensor(result.shape, result.dtype, place(device))


@rule("T.type", kind="movement", label="convert the dtype")
def type_(self: Value, dtype: Value) -> Tensor:
    """The tensor with another dtype."""
    return tensor(self).with_dtype(as_dtype(dtype) or Unknown("a dtype that is not known"))


@rule("T.type_as", kind="movement", label="convert to another's dtype")
def type_as(self: Value, other: Value) -> Tensor:
    """The tensor with the dtype of another."""
    return tensor(self).with_dtype(tensor(other).dtype)


@rule("F.glu", flops=per_element(5), label="gated linear unit")
def glu(input: Value, dim: Value = -1) -> Shape:
    """Halves one axis: the first half times the sigmoid of the second."""
    from kernelscope.ops.torch.joins import halved

    return halved(tensor(input).shape, dim)


def _choices(bound: Mapping[str, Value], outputs: tuple[Tensor, ...]) -> Size:
    """One for each element that is chosen; of a mask alone, one for each element that is looked at."""
    looked_at = outputs[0] if bound.get("other") is not None else tensor(bound["condition"])
    return looked_at.shape.numel()


@rule("t,T.where", dtype="chosen", flops=_choices, label="choose by a mask")
def where(
    condition: Value, input: Value = None, other: Value = None, *, facts: Facts = NO_FACTS
) -> Shape | tuple[Shape, ...]:
    """Broadcasts the mask and both values; a mask alone gives a vector of places for each of its axes."""
    if input is None or other is None:
        count = Unknown("the number of true elements depends on the data")
        return (Shape((count,)),) * max(1, len(known(condition)))
    chosen = (Shape() if isinstance(v, Single) else tensor(v).shape for v in (input, other))
    return common_shape((tensor(condition).shape, *chosen), facts)


@rule("t,T.masked_fill", kind="movement", label="write a value where the mask is true")
def masked_fill(input: Value, mask: Value, value: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The mask and what is filled broadcast to each other; a mask of which less is known is made for what is filled."""
    shape, both = tensor(input).shape, common_shape((tensor(input).shape, tensor(mask).shape), facts)
    if shape.dims is None or both.dims is None:
        return shape
    more = len(both.dims) - len(shape.dims)
    filled = (b if size == 1 else size for size, b in zip(shape.dims, both.dims[more:], strict=True))
    return Shape((*both.dims[:more], *filled))
