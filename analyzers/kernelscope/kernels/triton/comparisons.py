"""Comparisons and operators on values that are evaluated already: constants decide, types compare, tuples join.

What only a configuration or data decides is undecided.
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import dim
from kernelscope.kernels.triton.arithmetic import COMPARISONS, combined, plain
from kernelscope.kernels.triton.call import integer_of
from kernelscope.kernels.triton.dtypes import BITS, is_integer
from kernelscope.kernels.triton.interpretation import Interpretation
from kernelscope.kernels.triton.values import (
    Const,
    ElementType,
    Items,
    Tensor,
    Undecided,
    Unknown,
    Value,
)

MAX_ITEMS = 64


def on_tuples(op: str, left: Value, right: Value) -> Value:
    if op == "+" and isinstance(left, Items) and isinstance(right, Items):
        return Items((*left.items, *right.items)[:MAX_ITEMS])
    if op == "*":
        listed, times = (left, right) if isinstance(left, Items) else (right, left)
        number = integer_of(times)
        if isinstance(listed, Items) and number is not None and 0 <= number <= MAX_ITEMS:
            return Items((listed.items * number)[:MAX_ITEMS])
    return Unknown("an operator on tuples")


def compared(run: Interpretation, op: str, left: Value, right: Value) -> Value:
    if op in ("is", "is not"):
        return _identity(op, left, right)
    if op in ("in", "not in"):
        if isinstance(right, Items) and all(isinstance(i, Const) for i in right.items) and isinstance(left, Const):
            hits = [plain(combined_const(left, item)) for item in right.items]
            if not any(isinstance(hit, Undecided) for hit in hits):
                return Const(any(hits) == (op == "in"))
        return Const(Undecided("bool"))
    if op not in COMPARISONS:
        return Unknown(f"`{op}` is not known")
    if isinstance(left, ElementType) or isinstance(right, ElementType):
        return _same_type(op, left, right)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Tensor) and not one.elem and isinstance(other, Tensor) and is_integer(other.elem):
            run.is_integer(one.inputs)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return Tensor(None, "int1")
    return combined(op, left, right)


def _same_type(op: str, left: Value, right: Value) -> Const:
    if not isinstance(left, ElementType) or not isinstance(right, ElementType) or op not in ("==", "!="):
        return Const(Undecided("bool"))
    if left.elem not in BITS or right.elem not in BITS:
        return Const(Undecided("bool"))
    return Const((left == right) == (op == "=="))


def combined_const(left: Const, right: Value) -> Const:
    result = combined("==", left, right)
    return result if isinstance(result, Const) else Const(Undecided("bool"))


def _identity(op: str, left: Value, right: Value) -> Value:
    """`x is None`: certain for blocks and numbers, open for arguments; element types are the same or not."""
    if isinstance(left, ElementType) and isinstance(right, ElementType):
        return _same_type("==" if op == "is" else "!=", left, right)
    if right != Const(None):
        return Const(Undecided("bool"))
    if left == Const(None):
        return Const(op == "is")
    if isinstance(left, Const) and isinstance(plain(left), Undecided):
        return Const(Undecided("bool"))
    if isinstance(left, Unknown) or (isinstance(left, Tensor) and left.is_scalar and (left.pointer or not left.elem)):
        return Const(Undecided("bool"))
    return Const(op != "is")


def unary(op: str, value: Value) -> Value:
    if isinstance(value, Const):
        if op == "not":
            known = truth(value)
            return Const(not known) if known is not None else Const(Undecided("bool"))
        if op == "-":
            return combined("-", Const(dim(0)), value) if not isinstance(value.value, float) else Const(-value.value)
        if op == "~":
            return Const(Undecided("int"))
        return value
    if isinstance(value, Tensor):
        if op == "not":
            return Tensor(value.shape, "int1")
        if op == "-":
            steps = tuple(-s if s is not None else None for s in value.steps) if value.steps else None
            return Tensor(value.shape, value.elem, inputs=value.inputs, steps=steps,
                          runs=value.runs, value=-value.value if value.value is not None else None)  # fmt: skip
        return replace(value, value=None, steps=None) if op == "~" else value
    return value


def truth(value: Value) -> bool | None:
    """Whether a compile-time test holds; None when that depends on the configuration or on data."""
    if not isinstance(value, Const):
        return None
    known = plain(value)
    return None if isinstance(known, Undecided) else bool(known)
