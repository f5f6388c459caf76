"""Elementwise operators of jax.numpy, jax.lax and jax.nn: further names of torch's, and what torch lacks.

Source: https://docs.jax.dev/en/latest/jax.numpy.html, jax.lax.html and jax.nn.html.
"""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Value, items, tensor
from kernelscope.ops.arguments import dtype as as_dtype
from kernelscope.ops.families import broadcast, same
from kernelscope.ops.registry import also, rule
from kernelscope.ops.result_dtypes import DTYPE_RULES
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.tensor.broadcasting import broadcast as common_shape

_SPELLINGS = {
    "abs": "jnp,lax.abs jnp.absolute jnp.fabs A.__abs__",
    "neg": "lax.neg jnp.negative",
    "exp": "jnp,lax.exp",
    "exp2": "jnp,lax.exp2",
    "expm1": "jnp,lax.expm1",
    "log": "jnp,lax.log",
    "log2": "jnp.log2",
    "log10": "jnp.log10",
    "log1p": "jnp,lax.log1p",
    "sqrt": "jnp,lax.sqrt",
    "rsqrt": "lax.rsqrt",
    "sin": "jnp,lax.sin",
    "cos": "jnp,lax.cos",
    "tan": "jnp,lax.tan",
    "sinh": "jnp,lax.sinh",
    "cosh": "jnp,lax.cosh",
    "tanh": "jnp,lax,jnn,linen,nnx.tanh",
    "asin": "jnp,lax.asin jnp.arcsin",
    "acos": "jnp,lax.acos jnp.arccos",
    "atan": "jnp,lax.atan jnp.arctan",
    "asinh": "jnp,lax.asinh jnp.arcsinh",
    "acosh": "jnp,lax.acosh jnp.arccosh",
    "atanh": "jnp,lax.atanh jnp.arctanh",
    "angle": "jnp.angle",
    "conj": "jnp,lax,A.conj jnp.conjugate",
    "real": "jnp,lax.real jnp,lax.imag",
    "positive": "jnp.positive",
    "deg2rad": "jnp.deg2rad jnp.radians",
    "rad2deg": "jnp.rad2deg jnp.degrees",
    "sinc": "jnp.sinc",
    "signbit": "jnp.signbit",
    "isin": "jnp.isin",
    "isneginf": "jnp.isneginf",
    "isposinf": "jnp.isposinf",
    "isreal": "jnp.isreal jnp.iscomplex",
    "digamma": "lax,jspecial.digamma",
    "lgamma": "lax.lgamma jspecial.gammaln",
    "erfinv": "lax.erf_inv jspecial.erfinv",
    "erfc": "lax,jspecial.erfc",
    "logit": "jspecial.logit",
    "i0": "jnp,jspecial.i0",
    "i0e": "jspecial.i0e",
    "i1": "jspecial.i1",
    "i1e": "jspecial.i1e",
    "ndtr": "jspecial.ndtr",
    "log_ndtr": "jspecial.log_ndtr",
    "ndtri": "jspecial.ndtri",
    "entr": "jspecial.entr",
    "sign": "jnp,lax.sign",
    "square": "jnp,lax.square",
    "reciprocal": "jnp.reciprocal lax.reciprocal",
    "ceil": "jnp,lax.ceil",
    "floor": "jnp,lax.floor",
    "round": "jnp,lax.round jnp.around jnp.rint A.round",
    "trunc": "jnp.trunc jnp.fix",
    "nan_to_num": "jnp.nan_to_num",
    "isnan": "jnp.isnan",
    "isinf": "jnp.isinf",
    "isfinite": "jnp.isfinite lax.is_finite",
    "logical_not": "jnp.logical_not",
    "bitwise_not": "jnp.bitwise_not jnp.bitwise_invert jnp.invert lax.bitwise_not",
    "clamp": "jnp,A.clip",
    "erf": "lax.erf jspecial.erf",
    "sigmoid": "lax.logistic jnn,linen,nnx.sigmoid jspecial.expit",
    "relu": "jnn,linen,nnx.relu",
    "relu6": "jnn,linen,nnx.relu6",
    "gelu": "jnn,linen,nnx.gelu",
    "silu": "jnn,linen,nnx.silu jnn,linen,nnx.swish",
    "mish": "jnn.mish",
    "elu": "jnn,linen,nnx.elu",
    "selu": "jnn,linen,nnx.selu",
    "celu": "jnn,linen,nnx.celu",
    "leaky_relu": "jnn,linen,nnx.leaky_relu",
    "softplus": "jnn,linen,nnx.softplus",
    "softsign": "jnn.soft_sign linen,nnx.soft_sign",
    "logsigmoid": "jnn,linen,nnx.log_sigmoid",
    "hardtanh": "jnn,linen,nnx.hard_tanh",
    "hardswish": "jnn,linen,nnx.hard_swish jnn,linen,nnx.hard_silu",
    "hardsigmoid": "jnn,linen,nnx.hard_sigmoid",
    "softmax": "jnn,linen,nnx,jspecial.softmax",
    "log_softmax": "jnn,linen,nnx,jspecial.log_softmax",
    "add": "jnp,lax.add",
    "sub": "jnp.subtract lax.sub",
    "mul": "jnp.multiply lax.mul",
    "div": "jnp.divide jnp.true_divide lax.div",
    "floor_divide": "jnp.floor_divide",
    "remainder": "jnp.mod jnp.remainder lax.rem",
    "fmod": "jnp.fmod",
    "pow": "jnp.power jnp.pow lax.pow lax.integer_pow",
    "float_power": "jnp.float_power",
    "maximum": "jnp.maximum lax.max",
    "minimum": "jnp.minimum lax.min",
    "bitwise_and": "jnp,lax.bitwise_and",
    "bitwise_or": "jnp,lax.bitwise_or",
    "bitwise_xor": "jnp,lax.bitwise_xor",
    "bitwise_left_shift": "jnp.bitwise_left_shift jnp.left_shift lax.shift_left",
    "bitwise_right_shift": "jnp.bitwise_right_shift jnp.right_shift lax.shift_right_logical lax.shift_right_arithmetic",
    "hypot": "jnp.hypot",
    "copysign": "jnp.copysign",
    "nextafter": "jnp,lax.nextafter",
    "fmax": "jnp.fmax",
    "fmin": "jnp.fmin",
    "gcd": "jnp.gcd",
    "lcm": "jnp.lcm",
    "xlogy": "jspecial.xlogy",
    "xlog1py": "jspecial.xlog1py",
    "igamma": "jspecial.gammainc",
    "igammac": "jspecial.gammaincc",
    "logaddexp2": "jnp.logaddexp2",
    "ldexp": "jnp.ldexp",
    "atan2": "jnp.arctan2 jnp,lax.atan2",
    "logaddexp": "jnp.logaddexp",
    "eq": "jnp.equal lax.eq",
    "ne": "jnp.not_equal lax.ne",
    "lt": "jnp.less lax.lt",
    "le": "jnp.less_equal lax.le",
    "gt": "jnp.greater lax.gt",
    "ge": "jnp.greater_equal lax.ge",
    "logical_and": "jnp.logical_and",
    "logical_or": "jnp.logical_or",
    "logical_xor": "jnp.logical_xor",
    "isclose": "jnp.isclose",
    "where": "jnp.where lax.select",
    "zeros_like": "jnp.zeros_like jnp.ones_like jnp.empty_like jnp.full_like lax.full_like",
    "clone": "jnp.copy A.copy A.block_until_ready",
}
"""Operators that torch has, under their names in JAX."""
for _name, _spellings in _SPELLINGS.items():
    also(_name, _spellings)

same("standardize", at="jnn", flops=5, label="standardise along an axis")
same("reduce_precision clz population_count", at="lax", label="element by element")
same("cbrt", at="jnp,lax", dtype="input float", label="cube root")
same("squareplus sparse_plus sparse_sigmoid identity log1mexp", at="jnn", label="element by element")
same("gamma", at="jspecial", dtype="input float", label="element by element")
broadcast("rel_entr betaln", at="jspecial", dtype="float", label="element by element")
same("set add multiply divide power min max", at="at", kind="movement", flops=0, label="an updated copy")


@rule("lax.clamp", label="limit to a range")
def lax_clamp(min: Value, input: Value, max: Value) -> Shape:
    """Same shape as the operand in the middle."""
    return tensor(input).shape


@rule("jnp.heaviside", dtype="float", label="0, 1 or in between")
def heaviside(x1: Value, x2: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Broadcasts; always floats, unlike torch's."""
    return common_shape((tensor(x1).shape, tensor(x2).shape), facts)


@rule("jnp.array_equal jnp.array_equiv jnp.allclose", dtype="bool", kind="compute", label="whether all are equal")
def array_equal(a: Value, b: Value, *args: Value, **options: Value) -> Shape:
    """A scalar."""
    return Shape()


@rule("lax.select_n", dtype="promote", label="choose by a mask or number")
def select_n(which: Value, *cases: Value) -> Tensor:
    """Like each of the cases."""
    return tensor(cases[0])


@rule("jnp.select", label="choose by several masks")
def select(condlist: Value, choicelist: Value, default: Value = 0, *, facts: Facts = NO_FACTS) -> Tensor:
    """Broadcasts masks and choices; the dtype is that of the choices."""
    shape = common_shape((tensor(v).shape for v in (*items(condlist), *items(choicelist))), facts)
    return Tensor(shape, DTYPE_RULES["promote"]({"choices": choicelist}))


@rule("A.astype lax.convert_element_type jnp.astype", kind="movement", label="convert the dtype")
def astype(self: Value, dtype: Value, **options: Value) -> Tensor:
    """The array with another dtype."""
    return tensor(self).with_dtype(as_dtype(dtype) or Unknown("a dtype that is not known"))
