"""A table in a frame: columns as wide as their texts, the widest narrowed until the table fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelscope.diagrams.cells import display_width, pad, wrap_cells
from kernelscope.diagrams.model import Region
from kernelscope.diagrams.panel import Panel

_NARROWEST = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a table, and the key that it is about."""

    text: str
    key: str = ""


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int = 100, *, ruled: bool = True) -> Panel:
    """The table; `ruled` draws a line between all rows, which rows of several lines need."""
    widths = _widths(columns, rows, width)
    frame = ["─" * (w + 2) for w in widths]
    lines = [f"┌{'┬'.join(frame)}┐"]
    regions: list[Region] = []
    _add(lines, regions, [Cell(title) for title in columns], widths)
    for number, row in enumerate(rows):
        if ruled or not number:
            lines.append(f"├{'┼'.join(frame)}┤")
        _add(lines, regions, row, widths)
    lines.append(f"└{'┴'.join(frame)}┘")
    return Panel(tuple(lines), tuple(regions))


def _add(lines: list[str], regions: list[Region], cells: Sequence[Cell], widths: list[int]) -> None:
    wrapped = [wrap_cells(cell.text, w) for cell, w in zip(cells, widths, strict=False)]
    for index in range(max(map(len, wrapped), default=0)):
        line = "│"
        for cell, texts, w in zip(cells, wrapped, widths, strict=False):
            text = texts[index] if index < len(texts) else ""
            if cell.key and text:
                regions.append(Region(len(lines), len(line) + 1, len(text), cell.key))
            line += f" {pad(text, w)} │"
        lines.append(line)


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> list[int]:
    """Natural widths, the widest columns narrowed until the frame fits."""
    texts = [[title, *(row[i].text for row in rows if i < len(row))] for i, title in enumerate(columns)]
    widths = [max(2, *map(display_width, column)) for column in texts]
    while sum(widths) + 3 * len(widths) + 1 > width and max(widths, default=0) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths
