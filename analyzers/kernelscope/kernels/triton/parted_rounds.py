"""Rounds of a loop over one part of several that are equally long: `range(part * n, (part + 1) * n)` has n of them.

Which part it is may come from data; the difference of the bounds does not depend on it.
"""

from __future__ import annotations

from kernelscope.dims import Dim, ceil_div
from kernelscope.kernels.triton.call import as_tensor
from kernelscope.kernels.triton.expressions import evaluate
from kernelscope.kernels.triton.interpretation import Frame, Interpretation
from kernelscope.syntax.python import tree as t


def parted_rounds(run: Interpretation, frame: Frame, source: t.Expr) -> Dim | None:
    """The rounds of a `range` whose bounds are neighbouring multiples of one number; None for others."""
    match source:
        case t.Call(args=[t.BinOp(op="*") as start, t.BinOp(op="*") as stop, *step]) if len(step) < 2:
            pass
        case _:
            return None
    for part, length in ((start.left, start.right), (start.right, start.left)):
        for after, same in ((stop.left, stop.right), (stop.right, stop.left)):
            if _name(length) and _name(length) == _name(same) and _is_next(after, _name(part)):
                known = as_tensor(evaluate(run, frame, length))
                by = as_tensor(evaluate(run, frame, step[0])) if step else None
                if known is None or known.value is None or (step and (by is None or by.value is None)):
                    return None
                return ceil_div(known.value, by.value) if by is not None and by.value is not None else known.value
    return None


def _is_next(expr: t.Expr, part: str) -> bool:
    """Whether an expression is `part + 1`."""
    match expr:
        case t.BinOp(op="+", left=t.Name(id=name), right=t.Constant(value=1)):
            return name == part
        case t.BinOp(op="+", left=t.Constant(value=1), right=t.Name(id=name)):
            return name == part
        case _:
            return False


def _name(expr: t.Expr) -> str:
    return expr.id if isinstance(expr, t.Name) else ""
