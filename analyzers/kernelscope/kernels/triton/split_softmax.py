"""Softmaxes that are shared out among programs: each runs through a part of the columns, and what merges the parts.

Names of functions and variables play no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.kernels.triton.bodies import PRODUCTS, all_calls, loops_in, made_of, nodes_of, operation
from kernelscope.kernels.triton.index_motion import keyword
from kernelscope.kernels.triton.loop_algorithms import (
    EXPONENTIALS,
    Algorithm,
    grown_maxima,
    is_online,
    is_rescaled,
    is_weighted,
)
from kernelscope.syntax.python import tree as t


def split_softmaxes(node: t.FunctionDef) -> Iterator[Algorithm]:
    """An online softmax whose loop begins where an axis of the grid says that places nothing read before it, and whose
    result has a place of its own along that axis."""
    for loop in loops_in(node):
        if not isinstance(loop, t.For) or not is_online(loop) or merges(node, loop):
            continue
        starts = loop.iter.args[:1] if isinstance(loop.iter, t.Call) and len(loop.iter.args) > 1 else []
        parts = _programs(node, starts)
        calls = [(name, call) for name, call in all_calls(node) if name in ("load", "store") and call.args]
        before = [call.args[0] for name, call in calls if name == "load" and call.span.end <= loop.span.start]
        stored = [call.args[0] for name, call in calls if name == "store" and call.span.start >= loop.span.end]
        if before and stored and (parts - _programs(node, before)) & _programs(node, stored):
            what, kept = ("keys", "split-KV") if is_weighted(node, loop) else ("columns", "split softmax")
            text = f"programs share the {what} out among themselves; each stores its partial result, to be merged"
            yield Algorithm(kept, text, loop.span)
            return


def merges(node: t.FunctionDef, loop: t.For | t.While) -> bool:
    """Whether a round takes a stored maximum, and weighs what is stored beside it by exp(maximum - new maximum), while
    what was added before is scaled."""
    for other, _, new in grown_maxima(loop) if is_rescaled(loop) else ():
        if not _is_loaded(node, other):
            continue
        weights = {
            name
            for inner in nodes_of(loop, t.Assign)
            if _is_weight(inner.value, other, new)
            for name in (target.id for target in inner.targets if isinstance(target, t.Name))
        }
        for product in nodes_of(loop, t.BinOp):
            sides = (product.left, product.right) if product.op == "*" else ()
            weighing = [side for side in sides if _is_weight(side, other, new) or _names(side) & weights]
            if len(weighing) == 1 and any(_is_loaded(node, side) for side in sides if side is not weighing[0]):
                return True
    return False


def _is_weight(node: t.Expr, other: t.Expr, new: str) -> bool:
    """`exp(other - new)`."""
    change = node.args[0] if isinstance(node, t.Call) and operation(node) in EXPONENTIALS and node.args else None
    return (
        isinstance(change, t.BinOp)
        and change.op == "-"
        and isinstance(change.left, t.Name)
        and isinstance(other, t.Name)
        and change.left.id == other.id
        and isinstance(change.right, t.Name)
        and change.right.id == new
    )


def _is_loaded(node: t.FunctionDef, expr: t.Expr) -> bool:
    """Whether a value comes from memory as it is: nothing of a tile is added up or compared for it."""
    names = {operation(n) for n in made_of(node, expr)}
    return "load" in names and not names & {"max", "sum", "maximum", *PRODUCTS}


def _programs(node: t.FunctionDef, exprs: Iterable[t.Expr]) -> set[str]:
    """The axes of the grid that expressions are made of."""
    found: set[str] = set()
    for expr in exprs:
        for call in made_of(node, expr):
            if isinstance(call, t.Call) and operation(call) == "program_id":
                axis = call.args[0] if call.args else keyword(call, "axis")
                found.add(str(axis.value) if isinstance(axis, t.Constant) else "?")
    return found - {"?"}


def _names(node: t.Expr) -> set[str]:
    return {n.id for n in t.walk(node) if isinstance(n, t.Name)}
