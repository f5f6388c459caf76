"""Tiles that memory chooses: the matrix that a program multiplies by, or the place of the tile of each round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.kernels.triton.bodies import definitions, made_of, operation, product_calls
from kernelscope.kernels.triton.index_motion import Motion
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.loop_algorithms import Algorithm
from kernelscope.kernels.triton.tile_motion import tile_motions
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

MAX_HOPS = 4
"""Names that a number goes through from where it is loaded."""


def chosen_by_memory(run: KernelRun) -> Iterator[Algorithm]:
    """Of the operands of products one alone: where both are, memory says which part of the data a program is about."""
    tiles = dict(_outside(run))
    if not any(motion.by_memory for motion in tiles.values()):
        return
    for call in product_calls(run.node):
        given = {k.arg: k.value for k in call.keywords}
        left, right = (
            _loaded_for(run.node, call.args[place] if len(call.args) > place else given.get(name), tiles)
            for place, name in enumerate(("input", "other"))
        )
        for one, other in ((right, left), (left, right)):
            chosen = {span: motion for span, motion in one.items() if motion.by_memory}
            if chosen and not any(motion.by_memory for motion in other.values()):
                span, motion = next(iter(chosen.items()))
                yield _told(span, motion)


def _told(span: Span, motion: Motion) -> Algorithm:
    if motion.loops:
        text = "each round takes the tile that a number in memory names, as a table of pages or of blocks to visit does"
        return Algorithm("tiles by a table", text, span)
    text = "which of several matrices a program multiplies by is a number in memory, as of an expert, adapter or slot"
    return Algorithm("matrix by its number", text, span)


def _outside(run: KernelRun) -> Iterator[tuple[Span, Motion]]:
    """What moves the whole of the tiles that loads in loops take."""
    motions = tile_motions(run)
    for access in run.accesses:
        motion = motions.get(access.place)
        if access.kind == "load" and access.in_loop and motion is not None and len(motion.axes) > 1:
            yield access.span, motion.outside


def _loaded_for(node: t.FunctionDef, operand: t.Expr | None, tiles: Mapping[Span, Motion]) -> dict[Span, Motion]:
    """The loads that an operand is made of. A tile that memory chooses once and for all has to be numbered."""
    loads = (n for n in made_of(node, operand) if isinstance(n, t.Call) and n.span in tiles) if operand else ()
    return {
        load.span: motion
        for load in loads
        if not (motion := tiles[load.span]).by_memory or motion.loops or _is_numbered(node, load)
    }


def _is_numbered(node: t.FunctionDef, load: t.Call) -> bool:
    """Whether an address has a multiple of a number just as it was loaded; what is counted on from is no matrix's."""
    address = load.args[0] if load.args else load.func
    products = (inner for inner in made_of(node, address) if isinstance(inner, t.BinOp) and inner.op == "*")
    return any(_is_loaded(node, side) for product in products for side in (product.left, product.right))


def _is_loaded(node: t.FunctionDef, expr: t.Expr, depth: int = 0) -> bool:
    match expr:
        case t.Call(func=t.Attribute(value=value, attr="to")) if operation(expr) == "to":
            return _is_loaded(node, value, depth)
        case t.Call():
            return operation(expr) == "load"
        case t.Name(id=name) if depth < MAX_HOPS:
            given = definitions(node).get(name, [])
            return bool(given) and all(_is_loaded(node, value, depth + 1) for value in given)
        case _:
            return False
