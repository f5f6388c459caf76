"""The tiles that a block of a CUDA kernel takes of its arguments: how large, and whether blocks or loops move them.

An access whose address leaves elements out between, or has no axes (see `cuda_axes`), is not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernelscope.diagrams.panel import stacked, text
from kernelscope.diagrams.tile_grid import Axis, Moves, Operand, tile_grid
from kernelscope.dims import render
from kernelscope.explain.cuda_axes import AccessAxes, AccessAxis
from kernelscope.explain.document import Picture, Region
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp
from kernelscope.results import Location

LEGEND = "█ tile of this round   ▒ tiles of later rounds   blank: tiles of other blocks"
_DRAWN = 8


def tile_picture(warp: KernelWarp, accesses: Sequence[AccessAxes], width: int) -> Picture | None:
    """One matrix for each argument of which a block takes a tile that the address tells."""
    operands: dict[tuple[object, ...], Operand] = {}
    places: dict[str, Location] = {}
    for verdict, *axes in accesses:
        access = verdict.access
        place = warp.facts.location(warp.span(access.span))
        columns, rows = (_drawn(axis, warp.facts.order) if axis is not None else None for axis in axes)
        if columns is None or (rows is None and axes[1] is not None):
            continue
        key = (access.memory.name, columns, rows)
        caption = f"{access.kind} L{place.line}"
        known = operands.get(key)
        if known is None:
            operands[key] = Operand(access.memory.name, caption, columns, rows, str(len(operands)))
            places[operands[key].key] = place
        elif access.kind not in known.caption:
            operands[key] = replace(known, caption=f"{known.caption} · {caption}")
    if not operands:
        return None
    drawing = stacked([tile_grid(list(operands.values())[:_DRAWN], width), text(LEGEND)], gap=1).drawing()
    regions = [Region(r.row, r.column, r.width, 1, places[r.key]) for r in drawing.regions if r.key in places]
    return Picture(drawing.text, tuple(regions))


def _drawn(axis: AccessAxis, order: tuple[str, ...]) -> Axis | None:
    size = axis.covered()
    if size is None:
        return None
    moves = Moves.LOOP if axis.loops else Moves.PROGRAMS if axis.blocks else Moves.NOBODY
    return Axis(render(size, order), moves, ", ".join([*axis.blocks, *(["a loop"] if axis.loops else [])]))
