"""Matrices cut into tiles: which tile one program works on, where it goes in a loop, and what others work on.

One picture a matrix: the tile of now is `█`, tiles of later rounds are `▒` with arrows between, those of other programs
are blank. An axis along which nothing moves is one band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from kernelscope.diagrams.cells import centre, display_width, pad
from kernelscope.diagrams.model import Region
from kernelscope.diagrams.panel import Panel, beside, stacked

LEGEND = "█ tile of this round   ▒ tiles of later rounds   blank: tiles of other programs"
_WIDTH = 7
_BANDS = 3


class Moves(Enum):
    """Who moves the tile along an axis."""

    PROGRAMS = auto()
    LOOP = auto()
    LOOP_BACK = auto()
    """A loop that goes from the end to the beginning."""
    NOBODY = auto()


@dataclass(frozen=True, slots=True)
class Axis:
    """The tile's size along an axis as text, and who moves it."""

    size: str
    moves: Moves = Moves.NOBODY
    by: str = ""
    """The names of what moves it: `program_id(0)`, `k`."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A matrix, or a vector where `rows` is None, with the tile of one program in it."""

    name: str
    caption: str
    columns: Axis
    rows: Axis | None = None
    key: str = ""


def tile_grid(operands: Sequence[Operand], width: int = 100) -> Panel:
    """The operands side by side, as many in a row as fit."""
    lines: list[list[Panel]] = []
    for panel in map(_operand, operands):
        taken = sum(p.width + 4 for p in lines[-1]) if lines else width
        if not lines or taken + panel.width > width:
            lines.append([])
        lines[-1].append(panel)
    return stacked([beside(*line, gap=4) for line in lines], gap=1)


def _operand(operand: Operand) -> Panel:
    row_axis = operand.rows or Axis("")
    rows, columns = _bands(row_axis), _bands(operand.columns)
    left = display_width(row_axis.size) + 1 if row_axis.size else 0
    body = [_border(columns, "┌", "┬", "┐")]
    for number, row in enumerate(rows):
        cells = [_cell(row, column) for column in columns]
        joins = [_arrow(columns, n, row) for n in range(len(columns) - 1)]
        text = "│" + "".join(cell + join for cell, join in zip(cells, [*joins, "│"], strict=True))
        body.append(text)
        body.append(_between(rows, number, columns) if number < len(rows) - 1 else _border(columns, "└", "┴", "┘"))
    mine = 2 * rows.index(1) + 1
    labelled = [pad(row_axis.size if n == mine else "", left) + row for n, row in enumerate(body)]
    head = " " * left + centre(operand.columns.size, len(body[0]))
    ways = [
        f"{back if axis.moves is Moves.LOOP_BACK else way} {axis.by}"
        for way, back, axis in (("↓", "↑", operand.rows), ("→", "←", operand.columns))
        if axis and axis.by
    ]
    texts = [operand.name, operand.caption, head.rstrip(), *labelled, *ways]
    regions = tuple(Region(n, 0, len(texts[n]), operand.key) for n in (0, 1) if operand.key and texts[n])
    return Panel(tuple(texts), regions)


def _bands(axis: Axis) -> list[int]:
    """The bands of an axis: 1 is this round's, 2 later rounds', 0 other programs'."""
    match axis.moves:
        case Moves.NOBODY:
            return [1]
        case Moves.LOOP:
            return [1] + [2] * (_BANDS - 1)
        case Moves.LOOP_BACK:
            return [2] * (_BANDS - 1) + [1]
        case Moves.PROGRAMS:
            return [0, 1, 0]


def _cell(row: int, column: int) -> str:
    if not row or not column:
        return " " * _WIDTH
    return ("█" if row == column == 1 else "▒") * _WIDTH


def _goes_on(bands: list[int], number: int) -> int:
    """Which way a tile goes over the border behind a band: 1 forward, -1 back, 0 not at all."""
    pair = bands[number : number + 2]
    if 2 not in pair or 0 in pair:
        return 0
    return 1 if bands.index(1) <= number else -1


def _arrow(columns: list[int], number: int, row: int) -> str:
    """The border between two cells of a row: an arrow where the tile goes on."""
    return ("│", "►", "◄")[_goes_on(columns, number) if row == 1 else 0]


def _border(columns: list[int], left: str, middle: str, right: str) -> str:
    return left + middle.join("─" * _WIDTH for _ in columns) + right


def _between(rows: list[int], number: int, columns: list[int]) -> str:
    """The line between two rows of cells, with an arrow where the tile goes on."""
    arrow = ("", "▼", "▲")[_goes_on(rows, number)]
    cells = [centre(arrow, _WIDTH).replace(" ", "─") if arrow and column == 1 else "─" * _WIDTH for column in columns]
    return "├" + "┼".join(cells) + "┤"
