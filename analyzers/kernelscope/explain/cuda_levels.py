"""How the tile of a block of a CUDA kernel is dealt to its warps, and the tile of a warp to its threads.

Told where the block and its steps are numbers and the parts are rectangles; see `cuda_axes` for what an axis is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kernelscope.diagrams.cell_grid import cell_grid
from kernelscope.diagrams.panel import Panel, beside, stacked, text
from kernelscope.explain.cuda_axes import AccessAxes, AccessAxis
from kernelscope.explain.document import Block, Line, Picture, Table
from kernelscope.kernels.cuda.warp.accesses import WARP
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp

MAX_TILES = 12
_GAP = 4


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a tile: the first element of each thread, and what a thread takes from there on."""

    starts: tuple[int, ...]
    own: frozenset[int]

    def taken(self, threads: int) -> list[int]:
        """The elements that the first threads take."""
        return sorted({start + at for start in set(self.starts[:threads]) for at in self.own})


@dataclass(frozen=True, slots=True)
class _Tile:
    """What a block takes of an argument at one access; `rows` is None for a vector."""

    columns: _Side
    rows: _Side | None

    @property
    def starts(self) -> list[tuple[int, int]]:
        """Row and column of each thread's first element."""
        rows = self.rows.starts if self.rows is not None else (0,) * len(self.columns.starts)
        return list(zip(rows, self.columns.starts, strict=True))

    @property
    def is_plane(self) -> bool:
        """Whether threads lie beside and below each other: along one axis the sizes alone say all."""
        return len(set(self.columns.starts)) > 1 and self.rows is not None and len(set(self.rows.starts)) > 1

    def size(self, threads: int) -> tuple[str, str] | None:
        """Rows and columns that the first threads take; None where that is no rectangle."""
        places = set(self.starts[:threads])
        if len(places) != len({row for row, _ in places}) * len({column for _, column in places}):
            return None
        rows = _spelled(self.rows.taken(threads)) if self.rows is not None else ""
        columns = _spelled(self.columns.taken(threads))
        return (rows, columns) if rows is not None and columns is not None else None


def level_blocks(warp: KernelWarp, accesses: Sequence[AccessAxes], width: int) -> list[Block]:
    """A table of all tiles, and the picture of one that is written."""
    rows: dict[tuple[str, ...], Line] = {}
    pictured: _Tile | None = None
    caption = ""
    for verdict, across, down in accesses:
        tile = _tile(across, down)
        if tile is None:
            continue
        sizes = [tile.size(threads) for threads in (len(tile.columns.starts), WARP, 1)]
        if None in sizes:
            continue
        access = verdict.access
        place = warp.facts.location(warp.span(access.span))
        name = f"{access.memory.name} {access.kind} L{place.line}"
        rows.setdefault((name, *(_text(size) for size in sizes if size)), Line(name, place))
        if tile.is_plane and (pictured is None or (access.kind == "store" and "store" not in caption)):
            pictured, caption = tile, name
    if not rows:
        return []
    cells = [(line, *(Line(size) for size in key[1:])) for key, line in list(rows.items())[:MAX_TILES]]
    found: list[Block] = [Table(("tile of", "block", "warp", "thread"), tuple(cells))]
    if pictured is not None:
        found.append(Picture(_drawn(pictured, caption, width).drawing().text, ()))
    return found


def _tile(columns: AccessAxis, rows: AccessAxis | None) -> _Tile | None:
    if not all(columns.reached):
        return None  # threads that do nothing leave holes in a tile
    across, down = _side(columns), _side(rows) if rows is not None else None
    return _Tile(across, down) if across is not None and (down is not None or rows is None) else None


def _side(axis: AccessAxis) -> _Side | None:
    return _Side(axis.starts, axis.own) if axis.starts is not None and axis.own is not None else None


def _spelled(taken: Sequence[int]) -> str | None:
    """`64`, or `4 × 16 every 32`: pieces of one length at one distance; None for what is neither."""
    pieces: list[list[int]] = []
    for at in taken:
        if pieces and at == pieces[-1][-1] + 1:
            pieces[-1].append(at)
        else:
            pieces.append([at])
    lengths = {len(piece) for piece in pieces}
    distances = {b[0] - a[0] for a, b in pairwise(pieces)}
    if len(lengths) > 1 or len(distances) > 1:
        return None
    (length,) = lengths
    return f"{length}" if not distances else f"{len(pieces)} × {length} every {distances.pop()}"


def _text(size: tuple[str, str]) -> str:
    """`128 × 64`; sides of several pieces in brackets."""
    return " × ".join(f"({side})" if "×" in side else side for side in size if side)


def _drawn(tile: _Tile, caption: str, width: int) -> Panel:
    """The block's tile cut into warps beside a warp's tile cut into threads."""
    threads = len(tile.starts)
    warps = [tile.starts[at] for at in range(0, threads, WARP)]
    panels: list[Panel] = []
    for what, starts, count, mark in (("block", warps, threads, "w"), ("warp", tile.starts[:WARP], WARP, "t")):
        size = tile.size(count)
        if size is not None and len(starts) > 1:
            title = f"{caption}: {what}" if not panels else what
            panels.append(cell_grid(title, size[0], size[1], list(_labels(starts, mark))))
    own = tile.size(1)
    each = text(f"each thread: {_text(own)}") if own is not None else text()
    fits = sum(panel.width + _GAP for panel in panels) <= width
    return stacked([beside(*panels, gap=_GAP) if fits else stacked(panels, gap=1), each], gap=1)


def _labels(starts: Iterable[tuple[int, int]], mark: str) -> Iterator[list[str]]:
    """Who begins at each place of the grid that rows and columns of the starts make."""
    who: dict[tuple[int, int], list[str]] = {}
    for number, start in enumerate(starts):
        who.setdefault(start, []).append(f"{mark}{number}")
    columns = sorted({column for _, column in who})
    for row in sorted({row for row, _ in who}):
        given = [who.get((row, column), []) for column in columns]
        yield [" ".join(some) if len(some) < 3 else f"{some[0]}…{some[-1]}" for some in given]
