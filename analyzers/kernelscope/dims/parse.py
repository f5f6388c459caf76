"""A Dim from text as people write it: `num_heads*head_dim`, `H//2 + 1`, `config.hidden_size`, `cdiv(S, 64)`.

Only integer arithmetic is read; what is not arithmetic (a call, a subscript, a dotted name) becomes a name.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from kernelscope.dims.bits import bit_and, bit_or, bit_xor, equal, less, shift_left, shift_right
from kernelscope.dims.extremes import maximum, minimum
from kernelscope.dims.polynomial import Dim, ceil_div, dim

MAX_LENGTH = 200
MAX_DEPTH = 40
_BINARY: dict[type[ast.operator], Callable[[Dim, Dim], Dim]] = {
    ast.Add: Dim.__add__,
    ast.Sub: Dim.__sub__,
    ast.Mult: Dim.__mul__,
    ast.FloorDiv: Dim.__floordiv__,
    ast.Mod: Dim.__mod__,
    ast.BitAnd: bit_and,
    ast.BitOr: bit_or,
    ast.BitXor: bit_xor,
    ast.LShift: shift_left,
    ast.RShift: shift_right,
}
_CALLS: dict[str, Callable[..., Dim]] = {"max": maximum, "min": minimum, "cdiv": ceil_div}
_SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "−": "-"})


def parse(text: str) -> Dim | None:
    """The Dim a text means, or None when it is not an integer expression."""
    text = text.strip().translate(_SIGNS)
    if not text or len(text) > MAX_LENGTH:
        return None
    try:
        return _dim(ast.parse(text, mode="eval").body, 0)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None


def _dim(node: ast.expr, depth: int) -> Dim:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return dim(number)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return dim(ast.unparse(node))
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_dim(inner, depth + 1)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() as exponent)):
            return _dim(left, depth + 1) ** exponent
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_dim(left, depth + 1), _dim(right, depth + 1))
        case ast.Compare(left=left, ops=[ast.Lt()], comparators=[right]):
            return less(_dim(left, depth + 1), _dim(right, depth + 1))
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return equal(_dim(left, depth + 1), _dim(right, depth + 1))
        case ast.Call(func=ast.Name(id=name), args=[_, _, *_] as args, keywords=[]) if name in _CALLS:
            if name == "cdiv" and len(args) != 2:
                raise ValueError("cdiv takes two arguments")
            return _CALLS[name](*(_dim(arg, depth + 1) for arg in args))
        case ast.Call():
            return dim(ast.unparse(node))
        case _:
            raise ValueError("not an integer expression")
