"""The memory ladder: levels from far to near, what each holds, and what moves between them with its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelscope.diagrams.cells import display_width, pad
from kernelscope.diagrams.model import Region
from kernelscope.diagrams.panel import Panel, framed, stacked, text


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that lies in a level, and the key that it is about."""

    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """What goes from a level towards the next nearer one, or back."""

    text: str
    key: str = ""
    back: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A memory: its name, its size as text (only where a device is named), its content, and the moves below it."""

    name: str
    held: tuple[Held, ...]
    size: str = ""
    moves: tuple[Move, ...] = ()


_LEFT = 5
"""Column of the way in."""


def ladder(levels: Sequence[Level]) -> Panel:
    """Levels below each other, the moves of each beside the arrows that lead to the next."""
    contents = [stacked(text(held.text, key=held.key) for held in level.held) for level in levels]
    ways = [([m for m in level.moves if not m.back], [m for m in level.moves if m.back]) for level in levels]
    down = max((display_width(m.text) for inward, _ in ways for m in inward), default=0)
    titles = max(display_width(level.name) for level in levels) + 5
    back_at = max(_LEFT + down + 5, titles)
    width = max(back_at + max((display_width(m.text) for _, outward in ways for m in outward), default=0) // 2 + 2, 30)
    width = max([width, *(framed(c, level.name, level.size).width for c, level in zip(contents, levels, strict=True))])
    parts: list[Panel] = []
    for number, (level, content) in enumerate(zip(levels, contents, strict=True)):
        frame = framed(content, level.name, level.size, width=width)
        inward, outward = ways[number] if number + 1 < len(levels) else ([], [])
        if inward:
            frame = _marked(frame, _LEFT, "┬", last=True)
        if outward:
            frame = _marked(frame, back_at, "▲", last=True)
        if number and ways[number - 1][1]:
            frame = _marked(frame, back_at, "┴", last=False)
        parts.append(frame)
        if inward or outward:
            parts.append(_moves(inward, outward, back_at))
    return stacked(parts)


def _marked(frame: Panel, column: int, glyph: str, *, last: bool) -> Panel:
    """A frame with a glyph in its bottom or top border, where that is a plain line."""
    rows = list(frame.rows)
    row = len(rows) - 1 if last else 0
    if rows[row][column] == "─":
        rows[row] = rows[row][:column] + glyph + rows[row][column + 1 :]
    return Panel(tuple(rows), frame.regions)


def _moves(inward: list[Move], outward: list[Move], back_at: int) -> Panel:
    rows: list[str] = []
    regions: list[Region] = []
    for number in range(max(len(inward), len(outward))):
        row = " " * _LEFT + ("│ " if inward else "  ")
        if number < len(inward):
            regions += _region(len(rows), len(row), inward[number])
            row += inward[number].text
        row = pad(row, back_at) + ("│ " if outward else "")
        if number < len(outward):
            regions += _region(len(rows), len(row), outward[number])
            row += outward[number].text
        rows.append(row)
    rows.append((" " * _LEFT + ("▼" if inward else "")).ljust(back_at) + ("│" if outward else ""))
    return Panel(tuple(rows), tuple(regions))


def _region(row: int, column: int, move: Move) -> list[Region]:
    return [Region(row, column, len(move.text), move.key)] if move.key else []
