"""Operations that join elements: reductions along axes, scans, matrix products.

Result types follow `triton/language/{core,semantic,standard}.py` of the 3.x front end.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.dims import maximum as dim_maximum
from kernelscope.dims import minimum as dim_minimum
from kernelscope.dims import same as equal
from kernelscope.kernels.triton.broadcasting import ONE
from kernelscope.kernels.triton.call import OpCall, as_tensor, elem_of, integer_of, size_of
from kernelscope.kernels.triton.dtypes import BITS, extreme, is_float, is_integer, summed, without_bfloat
from kernelscope.kernels.triton.values import Const, Items, Sizes, Tensor, Undecided, Unknown, Value

# -- reductions and scans ---------------------------------------------------------------------------------


def _reduced(shape: Sizes | None, axis: Value, keep: bool | None) -> Sizes | None:
    """The shape after reducing one axis, or all of them."""
    if shape is None or keep is None:
        return None
    if axis == Const(None):
        return (ONE,) * len(shape) if keep else ()
    number = integer_of(axis)
    if number is None or not -len(shape) <= number < len(shape):
        if len(shape) == 1:
            return (ONE,) if keep else ()
        return None
    number %= len(shape)
    return (*shape[:number], *((ONE,) if keep else ()), *shape[number + 1 :])


def minimum(call: OpCall) -> Value:
    return _extreme_builtin(call, "min")


def maximum(call: OpCall) -> Value:
    return _extreme_builtin(call, "max")


def _extreme_builtin(call: OpCall, name: str) -> Value:
    """`tl.max(x, axis)`, and Python's own `max(a, b)` on constants."""
    first, second = call.get("input"), call.get("axis")
    if isinstance(first, Const) and isinstance(second, Const) and second != Const(None):
        a, b = size_of(first), size_of(second)
        if a is not None and b is not None:
            return Const(dim_maximum(a, b) if name == "max" else dim_minimum(a, b))
        return Const(Undecided("int"))
    x = call.tensor("input")
    if x is None:
        return Unknown(f"{name} of no tensor")
    shape = _reduced(x.shape, call.get("axis"), call.flag("keep_dims"))
    if call.flag("return_indices"):
        elem = "fp32" if x.elem == "bf16" else x.elem if x.elem in BITS else ""
        return Items((Tensor(shape, elem), Tensor(shape, "int32")))
    return Tensor(shape, extreme(x.elem))


def total(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("sum of no tensor")
    elem = elem_of(call.get("dtype")) if call.given("dtype") else summed(x.elem)
    return Tensor(_reduced(x.shape, call.get("axis"), call.flag("keep_dims")), elem)


def arg_extreme(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(_reduced(x.shape if x is not None else None, call.get("axis"), call.flag("keep_dims")), "int32")


def reduce(call: OpCall) -> Value:
    given = call.get("input")
    parts = given.items if isinstance(given, Items) else (given,)
    axis, keep = call.get("axis"), call.flag("keep_dims")
    results: list[Value] = []
    for part in parts:
        x = as_tensor(part)
        results.append(Tensor(_reduced(x.shape, axis, keep), x.elem) if x is not None else Tensor(None))
    return Items(tuple(results)) if isinstance(given, Items) else results[0]


def cumsum(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("cumsum of no tensor")
    elem = elem_of(call.get("dtype")) if call.given("dtype") else summed(without_bfloat(x.elem))
    return Tensor(x.shape, elem)


def cumprod(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape, without_bfloat(x.elem)) if x is not None else Unknown("cumprod of no tensor")


def softmax(call: OpCall) -> Value:
    x = call.tensor("input")
    return Tensor(x.shape, x.elem if x.elem in ("fp32", "fp64") else "") if x is not None else Tensor(None)


def histogram(call: OpCall) -> Value:
    return Tensor((size_of(call.get("num_bins")),), "int32")


def gather(call: OpCall) -> Value:
    source, index = call.tensor("src"), call.tensor("index")
    return Tensor(index.shape if index is not None else None, source.elem if source is not None else "")


# -- matrix products --------------------------------------------------------------------------------------


def dot(call: OpCall) -> Value:
    a, b = call.tensor("input"), call.tensor("other")
    if a is None or b is None:
        return Unknown("dot of no tensors")
    acc = call.tensor("acc") if call.given("acc") else None
    if a.elem in BITS and b.elem in BITS and a.elem != b.elem and not (a.elem[:3] == b.elem[:3] == "fp8"):
        call.report.problem("dot-dtype", f"tl.dot of {a.elem} with {b.elem}: cast one of them")
    elem = acc.elem if acc is not None else _dot_type(a.elem, b.elem, call)
    wanted = elem_of(call.get("out_dtype")) if call.given("out_dtype") else "fp32"
    if acc is not None and is_float(acc.elem) and is_float(wanted) and acc.elem not in (wanted, "fp64"):
        how = "its out_dtype" if call.given("out_dtype") else "its default; out_dtype tells another"
        call.report.problem("dot-dtype", f"tl.dot adds {wanted}, {how}, to an accumulator of {acc.elem}")
    left, right = _turned(a.shape, call, "trans_a"), _turned(b.shape, call, "trans_b")
    if left is None or right is None or len(left) != len(right) or len(left) not in (2, 3):
        call.report.product((None, None, None), None, (a.elem, b.elem))
        return Tensor(acc.shape if acc is not None else None, elem)
    inner_a, inner_b = left[-1], right[-2]
    unlike = inner_a is not None and inner_b is not None and equal(inner_a, inner_b) is not True
    if inner_a is not None and inner_b is not None and equal(inner_a, inner_b) is False:
        both_names = inner_a.const is None or inner_b.const is None
        if not both_names:
            call.report.problem("block-mismatch", f"tl.dot multiplies [..., {inner_a!r}] by [{inner_b!r}, ...]")
    batch = left[0] if len(left) == 3 else ONE
    inner = inner_a if inner_a is not None else inner_b
    supposed = acc is None and not call.given("out_dtype") and a.elem not in BITS and b.elem not in BITS
    call.report.product((left[-2], right[-1], inner), batch, (a.elem, b.elem), (), supposed, unlike)
    return Tensor((*left[:-1], right[-1]), elem)


def _turned(shape: Sizes | None, call: OpCall, flag: str) -> Sizes | None:
    """The shape of an operand as it is multiplied: its last axes change places where `flag` is set."""
    if shape is None or not call.given(flag) or call.flag(flag) is False:
        return shape
    return (*shape[:-2], shape[-1], shape[-2]) if call.flag(flag) and len(shape) >= 2 else None


def _dot_type(a: str, b: str, call: OpCall) -> str:
    known = a if a in BITS else b
    if is_integer(known):
        return "int32"
    if known == "fp64":
        return "fp64"
    if known in ("fp32", "bf16"):
        return "fp32"
    return elem_of(call.get("out_dtype")) if call.given("out_dtype") else "fp32"


def dot_scaled(call: OpCall) -> Value:
    """Elements of fp4 lie in pairs in bytes, along the inner dim unless the call says otherwise."""
    a, b = call.tensor("lhs"), call.tensor("rhs")
    elem = elem_of(call.get("out_dtype")) if call.given("out_dtype") else "fp32"
    if a is None or b is None or not a.shape or not b.shape or len(a.shape) != len(b.shape):
        return Tensor(None, elem)
    left = _unpacked(a.shape, call, "lhs", -1, -2)
    right = _unpacked(b.shape, call, "rhs", -2, -1)
    elements = [*_told_by_format(a, call.get("lhs_format")), *_told_by_format(b, call.get("rhs_format"))]
    scales = (call.tensor(name) for name in ("lhs_scale", "rhs_scale") if call.given(name))
    elements += [(scale.elem[2:-1], "uint8") for scale in scales if scale is not None and scale.elem.startswith("T(")]
    inner = left[-1] if left[-1] is not None else right[-2]
    batch = left[0] if len(left) == 3 else ONE
    call.report.product((left[-2], right[-1], inner), batch, (a.elem, b.elem), tuple(elements))
    return Tensor((*left[:-1], right[-1]), elem)


def _unpacked(shape: Sizes, call: OpCall, side: str, inner: int, outer: int) -> Sizes:
    """The shape of an operand in elements; sizes are not known where its format is not."""
    written = call.get(f"{side}_format")
    packing = call.flag(f"{side}_k_pack") if call.given(f"{side}_k_pack") else True
    sizes = list(shape)
    if not isinstance(written, Const) or not isinstance(written.value, str):
        sizes[inner] = None
        sizes[outer] = sizes[outer] if packing else None
    elif written.value == "e2m1" and packing is not None:
        axis = inner if packing else outer
        size = sizes[axis]
        sizes[axis] = 2 * size if size is not None else None
    return tuple(sizes)


def _told_by_format(operand: Tensor, written: Value) -> Iterator[tuple[str, str]]:
    """The argument behind an operand, with the type that a format has in memory."""
    if operand.elem.startswith("T(") and isinstance(written, Const) and isinstance(written.value, str):
        yield operand.elem[2:-1], written.value if written.value in BITS else "uint8"
