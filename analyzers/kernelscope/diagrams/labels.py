"""Labels of values beside their lines, and the numbered legend for those that do not fit.

A label belongs to a value and is written once, where the value leaves its box.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.diagrams.canvas import Canvas
from kernelscope.diagrams.cells import cut, display_width
from kernelscope.diagrams.items import Item, Kind, Value

_PORT_GAP = 6
"""Columns between two values that leave one box, where their labels need no more."""
_WIDEST_PORTS = 60
_LONGER_TITLE = 24
"""How much longer than labels titles may be."""
_ROW_GAP = 2
"""The same in rows, where lines run right and a label stands above its line."""


@dataclass(slots=True)
class Legend:
    """Texts with their numbers, in the order in which they were first needed; one for a whole picture."""

    longest: int = 1000
    """No room is kept for labels longer than this: they are numbers unless there is room for them anyway."""
    marks: dict[str, str] = field(default_factory=dict[str, str])
    most: int = 99
    """There are no more texts than this."""

    def mark(self, text: str) -> str:
        return self.marks.setdefault(text, f"({len(self.marks) + 1})")

    def room(self, text: str) -> int:
        """The cells to keep for a label: its own, or those of the number that may stand for it."""
        width = display_width(text)
        return width if width <= self.longest else len(f"({self.most})")

    def title(self, text: str) -> str:
        """A container's title; of a long one the beginning, the whole being in the legend."""
        longest = self.longest + _LONGER_TITLE
        return text if display_width(text) <= longest else f"{cut(text, longest)} {self.mark(text)}"

    def rows(self) -> list[str]:
        return [f"{mark} {text}" for text, mark in self.marks.items()]


def spread_exits(item: Item, values: list[Value], legend: Legend, turned: bool) -> None:
    """Places at which several values leave one box: far enough apart for their labels, around its middle."""
    if item.kind is not Kind.BOX or len(values) < 2:
        return
    if turned:
        _spread(item, values, [_ROW_GAP] * (len(values) - 1), 2)
        return
    gaps = [max(_PORT_GAP, legend.room(label) + 4) for _, label in values[:-1]]
    if sum(gaps) > _WIDEST_PORTS:
        gaps = [_PORT_GAP] * len(gaps)
    _spread(item, values, gaps, 7)


def _spread(item: Item, values: list[Value], gaps: list[int], sides: int) -> None:
    width = max(item.width, sum(gaps) + sides)
    item.width = width + 1 - width % 2
    at = (item.width - sum(gaps)) // 2
    item.exits = {}
    for value, gap in zip(values, [*gaps, 0], strict=True):
        item.exits[value] = at
        at += gap


def reserve_labels(item: Item, values: list[Value], legend: Legend) -> None:
    """Cells right of an item for the labels of what leaves it."""
    for value in values:
        if value[1]:
            label = legend.room(value[1])
            item.after = max(item.after, item.leaves(value) + 4 + label - item.width)


def write_labels(canvas: Canvas, item: Item, values: list[Value], legend: Legend) -> None:
    """Each label beside its line: right of it, else left; else its number, and the text in the legend.

    A label that no room was kept for stands inside of what is drawn already: no picture is wider for it.
    """
    for value in values:
        if not value[1]:
            continue
        line, row = item.x + item.leaves(value), item.y + item.height
        shown, place = value[1], _place(canvas, line, row, value[1], 1)
        if place is not None and legend.room(shown) < display_width(shown):
            left, _, right, _ = canvas.bounds()
            place = place if left <= place[0] and place[0] + display_width(shown) <= right + 1 else None
        if place is None:
            shown = legend.mark(value[1])
            place = _place(canvas, line, row, shown, 1) or _place(canvas, line, row, shown, 0)
        if place is not None:
            canvas.write(*place, shown, value[0])


def _place(canvas: Canvas, line: int, row: int, text: str, distance: int) -> tuple[int, int] | None:
    return _above(canvas, line, row, text) if canvas.turned else _room(canvas, line, row, text, distance)


def _above(canvas: Canvas, line: int, row: int, text: str) -> tuple[int, int] | None:
    """Where a text fits over a line that runs right from column `row`."""
    return (row + 1, line - 1) if canvas.is_free(row + 1, line - 1, display_width(text), 0) else None


def _room(canvas: Canvas, line: int, row: int, text: str, distance: int) -> tuple[int, int] | None:
    """Where a text fits beside a line, `distance` cells from it."""
    width = display_width(text)
    for column in (line + 1 + distance, line - distance - width):
        if canvas.is_free(column, row, width, distance):
            return column, row
    return None
