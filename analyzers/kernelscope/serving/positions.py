"""Rotary embeddings in source: which elements are rotated together, halves of a head or neighbours.

The slices decide: `x[..., : d // 2]` and `chunk(2)` make halves; `x[..., ::2]`, pairs in a last dim of two and complex
numbers make neighbours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import last_name, own
from kernelscope.syntax.python import tree as t

_ROTARY = re.compile(r"rotar|rotat|rope|freqs", re.IGNORECASE)


def rotations(source: PythonSource) -> Iterator[Claim]:
    """Functions that speak of rotation and slice their input in one of the two ways."""
    for scope in source.module.functions():
        if not _ROTARY.search(scope.qualified_name):
            text = source.text.slice(scope.node.span)
            if "sin" not in text or "cos" not in text:
                continue
        neighbours = [n for n in own(scope.node) if _pairs(n)]
        halves = [n for n in own(scope.node) if _is_half(n)]
        if bool(neighbours) == bool(halves):
            continue
        shown = (neighbours or halves)[0]
        how = (
            f"interleaved: neighbouring elements are rotated together ({source.quote(shown, 80)})"
            if neighbours
            else f"half-split: the first half is rotated with the second ({source.quote(shown, 80)})"
        )
        value = f"RoPE (rotary embedding) layout in {scope.qualified_name} is {how}"
        yield Claim(f"{scope.qualified_name} rotary layout", value, (source.at(shown), source.at(scope.node)))


def _pairs(node: t.Node) -> bool:
    """`x[..., ::2]`, `view(*shape, -1, 2)`, `view_as_complex(x)`."""
    match node:
        case t.Slice(step=t.Constant(value=2)):
            return True
        case t.Call(func=func, args=args) if last_name(func) in ("view", "reshape", "unflatten"):
            return len(args) >= 2 and literal(args[-1]) == 2 and literal(args[-2]) == -1
        case t.Call(func=func):
            return last_name(func) in ("view_as_complex", "complex")
        case _:
            return False


def _is_half(node: t.Node) -> bool:
    """`x[..., : n // 2]`, `x.chunk(2, dim=-1)`, `reshape(..., 2, -1)`."""
    match node:
        case t.Slice(lower=None, upper=t.BinOp(op="//", right=t.Constant(value=2)), step=None):
            return True
        case t.Call(func=func, args=args) if last_name(func) == "chunk":
            return any(literal(a) == 2 for a in args)
        case t.Call(func=func, args=args) if last_name(func) in ("view", "reshape", "unflatten"):
            return len(args) >= 2 and literal(args[-2]) == 2 and literal(args[-1]) == -1
        case _:
            return False
