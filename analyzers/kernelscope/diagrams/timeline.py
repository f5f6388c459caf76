"""Who does what when: lanes such as SMs, streams or stages, with tasks as bars as long as they take.

Times are numbers of the caller's unit; where they only say an order, the axis says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernelscope.diagrams.cells import cut, display_width, pad
from kernelscope.diagrams.model import Region
from kernelscope.diagrams.panel import Panel

_SHORTEST = 3
"""Cells of a bar: two brackets and something between."""


@dataclass(frozen=True, slots=True)
class Task:
    """A bar. One that waits is drawn with dots, as it occupies its lane without work."""

    label: str
    start: float
    end: float
    waits: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One row: its tasks do not overlap. `key` makes its name a link."""

    name: str
    tasks: tuple[Task, ...]
    key: str = ""


def timeline(lanes: Sequence[Lane], width: int = 100, unit: str = "", more: str = "") -> Panel:
    """Lanes below each other over one axis; `more` names lanes that are left out, such as `SM3 … SM131`."""
    end = max((task.end for lane in lanes for task in lane.tasks), default=1.0)
    gutter = max((display_width(lane.name) for lane in lanes), default=0) + 2
    axis = f"► time{f' ({unit})' if unit else ''}"
    scale = _scale(lanes, end, width - gutter - display_width(axis) + 1)
    rows: list[str] = []
    regions: list[Region] = []
    for lane in lanes:
        if lane.key:
            regions.append(Region(len(rows), 0, len(lane.name), lane.key))
        row = pad(f"{lane.name}:", gutter)
        for task in sorted(lane.tasks, key=lambda task: task.start):
            first, last = gutter + round(task.start * scale), gutter + round(task.end * scale)
            row = pad(row, max(first, display_width(row)))
            bar = _bar(task, max(last - max(first, display_width(row)), _SHORTEST))
            if task.key:
                regions.append(Region(len(rows), len(row), len(bar), task.key))
            row += bar
        rows.append(row)
    if more:
        rows.append(f"{more}: the same")
    longest = max(map(display_width, rows), default=0)
    rows.append(" " * gutter + "─" * max(longest - gutter - 1, 1) + axis)
    return Panel(tuple(rows), tuple(regions))


def _bar(task: Task, width: int) -> str:
    inside = pad(cut(task.label, width - 2), width - 2)
    return f"({inside.replace(' ', '·')})" if task.waits else f"[{inside}]"


def _scale(lanes: Sequence[Lane], end: float, room: int) -> float:
    """Cells per unit: enough for every label if the room allows it."""
    tasks = [task for lane in lanes for task in lane.tasks if task.end > task.start]
    wished = max(((display_width(t.label) + 2) / (t.end - t.start) for t in tasks), default=1.0)
    return min(wished, room / end)
