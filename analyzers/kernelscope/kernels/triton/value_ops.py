"""Operations that make or combine values element by element: ranges, fills, casts, arithmetic.

Result types follow `triton/language/{core,semantic,standard}.py` of the 3.x front end.
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import Dim, ceil_div, dim
from kernelscope.dims import maximum as dim_maximum
from kernelscope.dims import minimum as dim_minimum
from kernelscope.kernels.triton.arithmetic import combined, meet
from kernelscope.kernels.triton.broadcasting import ONE, broadcast
from kernelscope.kernels.triton.call import OpCall, as_tensor, elem_of, size_of, sizes_of
from kernelscope.kernels.triton.dtypes import BITS, is_integer, promote, without_bfloat
from kernelscope.kernels.triton.exponents import logarithm
from kernelscope.kernels.triton.values import Const, ElementType, Items, Sizes, Tensor, Undecided, Unknown, Value


def program_id(call: OpCall) -> Value:
    axis = call.integer("axis") if call.given("axis") else 0
    return Tensor((), "int32", value=dim(f"program_id({axis})") if axis is not None else None)


def num_programs(call: OpCall) -> Value:
    axis = call.integer("axis") if call.given("axis") else 0
    return Tensor((), "int32", value=dim(f"num_programs({axis})") if axis is not None else None)


# -- creation ---------------------------------------------------------------------------------------------


def arange(call: OpCall) -> Value:
    start, end = size_of(call.get("start")), size_of(call.get("end"))
    if not call.given("end"):
        start, end = dim(0), start
    for name in ("start", "end"):
        given = call.get(name)
        if isinstance(given, Tensor):
            call.report.is_integer(given.inputs)
    length = end - start if end is not None and start is not None else None
    number = length.const if length is not None else None
    if number is not None and (number <= 0 or number & (number - 1)):
        call.report.problem("not-a-power-of-two", f"tl.arange needs a power of two, this has {number} elements")
    return Tensor((length,), "int32", steps=(ONE,))


def zeros(call: OpCall) -> Value:
    return Tensor(sizes_of(call.get("shape")), elem_of(call.get("dtype")))


def full(call: OpCall) -> Value:
    shape = sizes_of(call.get("shape"))
    if call.given("dtype"):
        return Tensor(shape, elem_of(call.get("dtype")))
    value = call.tensor("value")
    return Tensor(shape, value.elem if value is not None else "")


def like(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape, x.elem) if x is not None else Unknown("zeros_like of no tensor")


def random_float(call: OpCall) -> Value:
    offset = call.tensor("offset")
    return Tensor(offset.shape if offset is not None else None, "fp32")


def random_int(call: OpCall) -> Value:
    """32-bit offsets give unsigned 32-bit numbers."""
    offset = call.tensor("offset")
    elem = offset.elem if offset is not None else ""
    wide = {"int32": "uint32", "uint32": "uint32", "int64": "uint64", "uint64": "uint64"}.get(elem, "")
    return Tensor(offset.shape if offset is not None else None, wide)


def random_float4(call: OpCall) -> Value:
    return Items((random_float(call),) * 4)


def random_int4(call: OpCall) -> Value:
    return Items((random_int(call),) * 4)


def philox(call: OpCall) -> Value:
    """Four blocks of unsigned bits, as wide as the counters."""
    shape: Sizes | None = ()
    for name in ("c0", "c1", "c2", "c3"):
        x = call.tensor(name)
        shape = broadcast(shape, x.shape if x is not None else None)
    first = call.tensor("c0")
    bits = BITS.get(first.elem) if first is not None else None
    return Items((Tensor(shape, {32: "uint32", 64: "uint64"}.get(bits or 0, "")),) * 4)


def uniform_float(call: OpCall) -> Value:
    x = call.tensor("x")
    return Tensor(x.shape if x is not None else None, "fp32")


def normal_pair(call: OpCall) -> Value:
    a, b = call.tensor("x"), call.tensor("y")
    shape = broadcast(a.shape, b.shape) if a is not None and b is not None else None
    return Items((Tensor(shape, "fp32"),) * 2)


def to_tensor(call: OpCall) -> Value:
    return as_tensor(call.get("x")) or Unknown("to_tensor of something else")


# -- casts ------------------------------------------------------------------------------------------------


def cast(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("a cast of no tensor")
    target = call.get("dtype")
    if isinstance(target, ElementType) and target.pointer:
        return replace(x, elem=target.elem, pointer=True, value=None)
    elem = elem_of(target)
    if x.pointer:
        return replace(x, elem=elem, pointer=False, value=None)
    keeps_bases = is_integer(elem) or not elem
    value = x.value if is_integer(elem) else None
    return Tensor(x.shape, elem, False, (), x.inputs if keeps_bases else frozenset(), value, x.steps, x.runs)


def to_int32(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape if x is not None else None, "int32")


def same(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown(f"{call.name} of no tensor")
    return Tensor(x.shape, x.elem)


def predicate(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape if x is not None else None, "int1")


def to_int64(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape if x is not None else None, "int64")


def unchanged(call: OpCall) -> Value:
    first = next(iter(call.arguments.values()), Const(None))
    if isinstance(first, Items):
        return first
    if call.name in ("sort", "flip", "associative_scan", "bitonic_merge") and isinstance(first, Tensor):
        return Tensor(first.shape, first.elem)
    return first


def nothing(call: OpCall) -> Value:
    return Const(None)


def constexpr(call: OpCall) -> Value:
    return call.get("value")


# -- elementwise ------------------------------------------------------------------------------------------


def binary(call: OpCall) -> Value:
    left, right = call.get("x"), call.get("y")
    operator = {"add": "+", "sub": "-", "mul": "*"}.get(call.name, "max")
    return combined(operator, left, right)


def extreme_of_two(call: OpCall) -> Value:
    left, right = call.get("x"), call.get("y")
    a, b = as_tensor(left), as_tensor(right)
    if a is None or b is None:
        return Unknown(f"{call.name} of no tensors")
    elem = promote(without_bfloat(a.elem), without_bfloat(b.elem))
    return replace(meet(a, b, elem), inputs=a.inputs | b.inputs, value=_extreme_value(call.name, a, b))


def _extreme_value(name: str, a: Tensor, b: Tensor) -> Dim | None:
    if a.value is None or b.value is None:
        return None
    try:
        return dim_maximum(a.value, b.value) if "max" in name else dim_minimum(a.value, b.value)
    except ArithmeticError:
        return None


def clamp(call: OpCall) -> Value:
    parts = [call.tensor(name) for name in ("x", "min", "max")]
    if any(part is None for part in parts):
        return Unknown("clamp of no tensor")
    x, low, high = (part for part in parts if part is not None)
    elem = promote(promote(without_bfloat(x.elem), without_bfloat(low.elem)), without_bfloat(high.elem))
    return meet(meet(x, low, elem), high, elem)


def fdiv(call: OpCall) -> Value:
    return combined("fdiv", call.get("x"), call.get("y"))


def fma(call: OpCall) -> Value:
    return combined("+", combined("*", call.get("x"), call.get("y")), call.get("z"))


def cdiv(call: OpCall) -> Value:
    """`(x + div - 1) // div`: of constants a constant, of tensors as integers promote."""
    x, y = call.get("x"), call.get("div")
    a, b = as_tensor(x), as_tensor(y)
    if a is None or b is None:
        return Unknown("cdiv of no numbers")
    value = None
    if a.value is not None and b.value is not None and b.value.terms:
        try:
            value = ceil_div(a.value, b.value)
        except ArithmeticError:
            value = None
    if isinstance(x, Const) and isinstance(y, Const):
        return Const(value) if value is not None else Const(Undecided("int"))
    call.report.is_integer(a.inputs | b.inputs)
    elem = promote(a.elem, b.elem, isinstance(x, Const), isinstance(y, Const))
    return replace(meet(a, b, elem), value=value if (a.is_scalar and b.is_scalar) else None)


def where(call: OpCall) -> Value:
    condition, left, right = call.tensor("condition"), call.get("x"), call.get("y")
    x, y = as_tensor(left), as_tensor(right)
    if condition is None or x is None or y is None:
        return Unknown("where of no tensors")
    elem = promote(x.elem, y.elem, isinstance(left, Const), isinstance(right, Const))
    call.report.same_kind(x, y)
    if x.pointer or y.pointer:
        elem = x.elem if x.pointer else y.elem
    shape = broadcast(broadcast(condition.shape, x.shape), y.shape)
    even = x if y.is_scalar else y if x.is_scalar else None  # as far as the condition goes one way
    steps, runs = (even.steps, even.runs) if even is not None and even.shape == shape else (None, None)
    bases, inputs = tuple(dict.fromkeys((*x.bases, *y.bases))), x.inputs | y.inputs
    return Tensor(shape, elem, x.pointer or y.pointer, bases, inputs, steps=steps, runs=runs)


def inline_asm(call: OpCall) -> Value:
    shape: Sizes | None = ()
    given = call.get("args")
    for item in given.items if isinstance(given, Items) else ():
        x = as_tensor(item)
        shape = broadcast(shape, x.shape) if x is not None else None
    dtype = call.get("dtype")
    if isinstance(dtype, Items):
        return Items(tuple(Tensor(shape, elem_of(item)) for item in dtype.items))
    return Tensor(shape, elem_of(dtype))


def mapped(call: OpCall) -> Value:
    return Unknown("map_elementwise is not followed")


# -- compile time -----------------------------------------------------------------------------------------


def exponent(call: OpCall) -> Value:
    """The logarithm of a power of two, by which its callers say it again."""
    size = size_of(call.get("n"))
    number = size.const if size is not None else None
    if number is not None:
        return Const(dim(number.bit_length() - 1))
    named = logarithm(size) if size is not None else None
    return Const(named if named is not None else Undecided("int"))


def next_power_of_2(call: OpCall) -> Value:
    size = size_of(call.get("n"))
    if size is None:
        return Const(Undecided("int"))
    number = size.const
    if number is not None:
        return Const(dim(1 << max(0, number - 1).bit_length()))
    return Const(dim(f"next_power_of_2({size!r})"))
