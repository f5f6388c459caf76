"""Integer operations of C++ on sizes, which are not negative. None where the outcome cannot be told."""

from __future__ import annotations

import re
from collections.abc import Callable

from kernelscope.dims import ARITHMETIC, Dim, ceil_div, difference, dim, maximum, minimum, same
from kernelscope.syntax.cuda.expressions import Binary, Call, Cast, Expr, Number, Other

_FLOATING = ("float", "double")
_WHOLE = re.compile(r"(\d+)\.0*[fF]?")


def unary(op: str, value: Dim | None) -> Dim | None:
    if value is None:
        return None
    if op == "-":
        return -value
    if op == "+":
        return value
    number = value.const
    if number is None:
        return None
    return dim(int(not number)) if op == "!" else dim(~number) if op == "~" else None


def short_cut(op: str, a: Dim | None, b: Dim | None) -> Dim | None:
    """`&&` and `||` where one side decides."""
    for side in (a, b):
        if side is not None and side.const is not None:
            if op == "&&" and side.const == 0:
                return dim(0)
            if op == "||" and side.const:
                return dim(1)
    return None


def binary(op: str, a: Dim, b: Dim) -> Dim | None:
    """An integer operation of C++ on sizes, which are not negative; None where it cannot be told."""
    match op:
        case "+" | "-" | "*":
            return ARITHMETIC[op](a, b)
        case "/":
            return divided(a, b)
        case "%":
            return a % b if b.const != 0 else None
        case "==" | "!=":
            equal = same(a, b)
            return None if equal is None else dim(int(equal is (op == "==")))
        case "&&":
            return _logical(a, b, all)
        case "||":
            return _logical(a, b, any)
        case _:
            return _on_numbers(op, a, b)


def divided(a: Dim, b: Dim) -> Dim | None:
    """Division; `(n + d - 1) / d` is told as what it means, rounding up."""
    if b.const == 0:
        return None
    rounded = a - b + 1
    if rounded.terms and rounded.const is None and rounded.weight < a.weight:
        return ceil_div(rounded, b)
    if b.const is not None and a.const is None and b.const > 1 and _constant_term(a) == b.const - 1:
        return ceil_div(rounded, b)
    return a // b


def _constant_term(value: Dim) -> int:
    return next((c for monomial, c in value.terms if not monomial), 0)


def _logical(a: Dim, b: Dim, join: Callable[[list[bool]], bool]) -> Dim | None:
    if a.const is None or b.const is None:
        return short_cut("&&" if join is all else "||", a, b)
    return dim(int(join([bool(a.const), bool(b.const)])))


def _on_numbers(op: str, a: Dim, b: Dim) -> Dim | None:
    x, y = a.const, b.const
    if y is not None and 0 <= y < 64 and op in ("<<", ">>"):
        return a * (1 << y) if op == "<<" else a // (1 << y)
    if op == "&" and y is not None and y > 0 and (y & (y + 1)) == 0:
        return a % (y + 1)
    by = difference(a, b)
    if by is not None and op in ("<", ">", "<=", ">="):
        return dim(int({"<": by < 0, ">": by > 0, "<=": by <= 0, ">=": by >= 0}[op]))
    if x is None or y is None:
        return None
    if op in "&|^":
        return dim(x & y if op == "&" else x | y if op == "|" else x ^ y)
    return None


def extreme_of(test: Expr, then: Dim, other: Dim, value: Callable[[Expr], Dim | None]) -> Dim | None:
    """`a < b ? a : b` is the smaller of both."""
    if not isinstance(test, Binary) or test.op not in ("<", "<=", ">", ">="):
        return None
    left, right = value(test.left), value(test.right)
    if left is None or right is None or {left, right} != {then, other}:
        return None
    smaller = (left == then) is (test.op in ("<", "<="))
    return minimum(then, other) if smaller else maximum(then, other)


def quotient(expr: Expr) -> tuple[Expr, Expr] | None:
    """The integers of a division in floating point: `n` and 256 of `n / 256.0`, `float(n) / 256`, `n * 1.0 / 256`."""
    if not isinstance(expr, Binary) or expr.op != "/":
        return None
    (above, is_floating), (below, is_floating_too) = _integer(expr.left), _integer(expr.right)
    return (above, below) if is_floating or is_floating_too else None


def _integer(expr: Expr) -> tuple[Expr, bool]:
    """An expression with its integers instead of their floating-point forms, and whether there are such forms."""
    match expr:
        case Cast(type=kind, operand=operand) if kind in _FLOATING:
            return _integer(operand)[0], True
        case Call(name=name, args=(operand,)) if name in _FLOATING:
            return _integer(operand)[0], True
        case Call(name="static_cast", templates=(kind,), args=(operand,)) if kind in _FLOATING:
            return _integer(operand)[0], True
        case Other(text=text) if (whole := _WHOLE.fullmatch(text)) is not None:
            return Number(int(whole[1])), True
        case Binary(op="*", left=left, right=right):
            (a, is_floating), (b, is_floating_too) = _integer(left), _integer(right)
            return Binary("*", a, b), is_floating or is_floating_too
        case _:
            return expr, False
