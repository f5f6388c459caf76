"""Python's functions of numbers: rounding, extremes, products."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Callable
from math import ceil, isfinite
from typing import Any

from kernelscope.dims import Dim, ceil_div, dim, maximum, minimum
from kernelscope.interp.environment import Setting, Variable
from kernelscope.interp.interpreter import (
    Interpreter,
)
from kernelscope.interp.operators import Quotient, binary
from kernelscope.interp.sequences import sequence
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Keywords,
    Number,
    Opaque,
    Value,
    as_size,
)
from kernelscope.tensor import Tensor, Unknown


def _int(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0] if args else None:
        case Dim() | Opaque():
            return args[0]
        case Quotient():
            return _exact(lambda value: value.floor(run.known.facts), args[0])
        case float():
            return _whole(int, args[0])
        case bool():
            return dim(int(args[0]))
        case Setting() | Variable() as text:
            return text.as_number()
        case _:
            return Number(is_integer=True)


def _exact(rounded: Callable[[Quotient], Dim], value: Quotient) -> Value:
    """A quotient as a size; nobody knows which one if it divides by zero or grows too large."""
    try:
        return rounded(value)
    except ArithmeticError:
        return Number(is_integer=True)


def _whole(rounded: Callable[[float], int], value: float) -> Value:
    """A float as an integer; infinity and what is no number have none."""
    return dim(rounded(value)) if isfinite(value) else Number(is_integer=True)


def _round(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """To the nearest integer, which is known where the number is one."""
    match args[0] if args else None:
        case Dim() | Opaque():
            return args[0]
        case Quotient() if (exact := args[0].over.exact_div(args[0].under)) is not None:
            return exact
        case float() if len(args) == 1:
            return _whole(round, args[0])
        case _:
            return Number(is_integer=len(args) == 1)


def _extreme(pick: Callable[..., Dim], name: str) -> Callable[..., Value]:
    def find(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        if len(args) == 1 and isinstance(args[0], Opaque):
            return Opaque(f"{name}({args[0].name})")
        if len(args) == 1 and isinstance(args[0], Alike) and args[0].called:
            return Opaque(f"{name}({args[0].called})")
        alike = args[0].element if len(args) == 1 and isinstance(args[0], Alike) else None
        if isinstance(alike, Number | Dim):
            return Number(is_integer=isinstance(alike, Dim) or alike.is_integer)
        values = [as_size(a) for a in (sequence(args[0]) or args if len(args) == 1 else args)]
        if values and all(isinstance(v, Dim) for v in values):
            return pick(*values)
        if (lost := next((v for v in values if isinstance(v, Unknown)), None)) is not None:
            return lost
        return Number(is_integer=all(isinstance(v, Dim) or (isinstance(v, Number) and v.is_integer) for v in values))

    return find


def _product(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    values = [as_size(v) for v in sequence(args[0]) or ()]
    if not values or not all(isinstance(v, Dim) for v in values):
        return Number()
    result = dim(1)
    for value in values:
        result = result * value
    return result


def _square_root(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    numbers = [a.const if isinstance(a, Dim) else a for a in args]
    if len(numbers) == 1 and isinstance(numbers[0], int | float) and numbers[0] >= 0:
        return float(numbers[0]) ** 0.5
    return Number()


def _ceil(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    match args[0] if args else None:
        case float():
            return _whole(ceil, args[0])
        case Dim() | Opaque():
            return args[0]
        case Quotient():
            return _exact(lambda value: ceil_div(value.over, value.under), args[0])
        case _:
            return Number(is_integer=True)


LIBRARY: dict[str, Callable[..., Value]] = {
    "math.prod": _product, "numpy.prod": _product, "math.sqrt": _square_root, "numpy.sqrt": _square_root,
    "math.ceil": _ceil, "numpy.ceil": _ceil, "math.floor": _int, "numpy.floor": _int,
    "math.log": lambda *a: Number(), "math.log2": lambda *a: Number(), "numpy.log": lambda *a: Number(),
    "math.exp": lambda *a: Number(), "math.cos": lambda *a: Number(), "math.sin": lambda *a: Number(),
}  # fmt: skip
"""Functions of libraries by their full names."""
BUILTINS: dict[str, Callable[..., Value]] = {
    "int": _int, "round": _round, "max": _extreme(maximum, "max"), "min": _extreme(minimum, "min"),
    "abs": lambda r, a, k, s: a[0] if isinstance(a[0], Tensor) else Number(is_integer=isinstance(a[0], Dim)),
    "float": lambda r, a, k, s: a[0] if a and isinstance(a[0], float) else Number(),
    "divmod": lambda r, a, k, s: (binary(r, "//", a[0], a[1], s), binary(r, "%", a[0], a[1], s)),
}  # fmt: skip
"""Python's own."""
