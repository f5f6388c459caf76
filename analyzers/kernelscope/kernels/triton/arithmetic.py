"""Operators on blocks, scalars and constants: `+ - * / // % & | ^ << >> **`, comparisons, negation.

Shapes broadcast and types promote; how far apart neighbouring elements are is told in `spacing`.
"""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.dims import ARITHMETIC, Dim, dim
from kernelscope.kernels.triton.broadcasting import broadcast
from kernelscope.kernels.triton.call import as_tensor
from kernelscope.kernels.triton.dtypes import is_float, of_number, promote, quotient
from kernelscope.kernels.triton.exponents import bracketed, shift_factor
from kernelscope.kernels.triton.spacing import spacing
from kernelscope.kernels.triton.values import Const, Tensor, Undecided, Unknown, Value

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))


def combined(op: str, left: Value, right: Value) -> Value:
    """`left op right`. Raises BlockMismatch."""
    if isinstance(left, Const) and isinstance(right, Const):
        return constants(op, left, right)
    a, b = as_tensor(left), as_tensor(right)
    if a is None or b is None:
        return Unknown(f"`{op}` of something that is no number")
    if op in COMPARISONS:
        shape = broadcast(a.shape, b.shape)
        return Tensor(shape, "int1")
    if a.pointer or b.pointer:
        return _address(op, a, b)
    elem = _type(op, a, b, _number(left), _number(right))
    result = meet(a, b, elem)
    value = scalar_value(op, a, b) if result.is_scalar else None
    bases = tuple(dict.fromkeys((*a.bases, *b.bases))) if op in ("+", "-") else ()
    inputs = a.inputs | b.inputs | frozenset(() if op in ("+", "-") else (*a.bases, *b.bases))
    if is_float(elem):
        bases, inputs = (), frozenset[str]()
    return Tensor(result.shape, elem, False, bases, inputs, value, *spacing(op, a, b, result.shape))


def _number(value: Value) -> bool:
    """Whether it takes part in promotion as a Python number."""
    return isinstance(value, Const)


def _type(op: str, a: Tensor, b: Tensor, a_number: bool, b_number: bool) -> str:
    left, right = a.elem, b.elem
    if op == "/":
        return quotient(left, right, a_number, b_number)
    return promote(left, right, a_number, b_number, op in ("%", "//"))


def meet(a: Tensor, b: Tensor, elem: str) -> Tensor:
    """A block of the shape in which both meet."""
    return Tensor(broadcast(a.shape, b.shape), elem)


def _address(op: str, a: Tensor, b: Tensor) -> Value:
    """Pointer plus offset. The difference of two pointers is a number."""
    pointer, offset = (a, b) if a.pointer else (b, a)
    shape = broadcast(a.shape, b.shape)
    if a.pointer and b.pointer:
        return Tensor(shape, "int64")
    if op not in ("+", "-"):
        return Tensor(shape)
    inputs = pointer.inputs | offset.inputs | frozenset(offset.bases)
    return Tensor(shape, pointer.elem, True, pointer.bases, inputs, None, *spacing(op, a, b, shape))


def scalar_value(op: str, a: Tensor, b: Tensor) -> Dim | None:
    """The result as a Dim when both sides are."""
    if a.value is None or b.value is None:
        return None
    return _dims(op, a.value, b.value)


def _dims(op: str, a: Dim, b: Dim) -> Dim | None:
    try:
        if op in ARITHMETIC:
            return ARITHMETIC[op](a, b)
        match op:
            case "**" if (power := b.const) is not None:
                return a**power if power >= 0 else None
            case "**" if a.const is not None:
                return dim(f"{a.const}**{bracketed(b)}")
            case "<<" if (scale := shift_factor(b)) is not None:
                return a * scale
            case ">>" if (scale := shift_factor(b)) is not None:
                return a // scale
            case _:
                return None
    except ArithmeticError:
        return None


# -- constants --------------------------------------------------------------------------------------------


def constants(op: str, left: Const, right: Const) -> Const:
    """An operator on two compile-time constants."""
    a, b = left.value, right.value
    known = _known(op, left, right)
    if op in COMPARISONS:
        return known if known is not None else Const(Undecided("bool"))
    if isinstance(a, Dim) and isinstance(b, Dim) and op != "/":
        result = _dims(op, a, b)
        if result is not None:
            number = known.number if known is not None else None
            return Const(result, number if result.const is None else None)
        return known or Const(Undecided("int"))
    if known is not None:
        return known
    kinds = {_kind_of(left), _kind_of(right)}
    return Const(Undecided("float" if op == "/" or "float" in kinds else "int" if kinds == {"int"} else ""))


def _kind_of(constant: Const) -> str:
    if isinstance(constant.value, Undecided):
        return constant.value.kind
    if isinstance(constant.value, Dim):
        return "int"
    return {"fp32": "float", "int32": "int", "int1": "bool"}.get(of_number(plain(constant)), "")


def plain(constant: Const) -> object:
    """The Python value of a constant, `Undecided` where it is none."""
    if constant.known is not None:
        return constant.known
    if isinstance(constant.value, Dim):
        return constant.value.const if constant.value.const is not None else Undecided("int")
    return constant.value


def _known(op: str, left: Const, right: Const) -> Const | None:
    """The result when both values are known."""
    a, b = plain(left), plain(right)
    if isinstance(a, Undecided) or isinstance(b, Undecided):
        if op in ("==", "!=") and left.value == right.value and isinstance(left.value, Dim):
            return Const(op == "==")
        return None
    if op == "==":
        return Const(a == b)
    if op == "!=":
        return Const(a != b)
    if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
        return None
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return None
    try:
        result = _CALCULATE[op](a, b) if op in _CALCULATE else None
    except (ArithmeticError, ValueError, TypeError):
        return None
    return of_plain(result) if result is not None else None


def of_plain(value: object) -> Const | None:
    """A Python value as a constant."""
    if isinstance(value, bool | float | str) or value is None:
        return Const(value)
    if isinstance(value, int):
        return Const(dim(value))
    return None


Number = int | float


def _power(a: Number, b: Number) -> Number | None:
    return a**b if abs(b) <= 64 and abs(a) <= 2**32 else None


def _bits(op: str, a: Number, b: Number) -> int | None:
    if not isinstance(a, int) or not isinstance(b, int):
        return None
    match op:
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "<<":
            return a << b if 0 <= b < 64 else None
        case _:
            return a >> b if 0 <= b < 64 else None


_CALCULATE: dict[str, Callable[[Number, Number], Number | None]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": _power,
    "&": lambda a, b: _bits("&", a, b),
    "|": lambda a, b: _bits("|", a, b),
    "^": lambda a, b: _bits("^", a, b),
    "<<": lambda a, b: _bits("<<", a, b),
    ">>": lambda a, b: _bits(">>", a, b),
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
