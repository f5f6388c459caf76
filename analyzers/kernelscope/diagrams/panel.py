"""Rows of text with regions, put beside, below and into each other: what all pictures but graphs are made of.

All rows of a frame have the same width in cells; only this module draws frames of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kernelscope.diagrams.cells import centre, display_width, pad, to_ascii
from kernelscope.diagrams.model import Charset, Drawing, Region


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle of text. Regions count characters of their row, as those of drawings do."""

    rows: tuple[str, ...]
    regions: tuple[Region, ...] = ()

    @property
    def width(self) -> int:
        return max(map(display_width, self.rows), default=0)

    @property
    def height(self) -> int:
        return len(self.rows)

    def padded(self, width: int = 0, height: int = 0) -> Panel:
        """At least so wide and high; text stays at the left and at the top."""
        width = max(width, self.width)
        rows = [pad(row, width) for row in self.rows]
        return Panel((*rows, *[" " * width] * (height - len(rows))), self.regions)

    def drawing(self, width: int = 100, charset: Charset = Charset.UNICODE) -> Drawing:
        """The panel as a finished picture."""
        found = "\n".join(row.rstrip() for row in self.rows)
        shown = to_ascii(found) if charset is Charset.ASCII else found
        return Drawing(shown, self.regions, self.width, self.width > width)


def text(*rows: str, key: str = "") -> Panel:
    """Lines of text, all about one thing if a key is given."""
    regions = [Region(n, 0, len(row), key) for n, row in enumerate(rows) if key and row.strip()]
    return Panel(rows, tuple(regions))


def stacked(parts: Iterable[Panel], gap: int = 0) -> Panel:
    """Panels below each other."""
    rows: list[str] = []
    regions: list[Region] = []
    for part in parts:
        rows += [""] * (gap if rows else 0)
        regions += [Region(r.row + len(rows), r.column, r.width, r.key) for r in part.regions]
        rows += part.rows
    return Panel(tuple(rows), tuple(regions))


def beside(*parts: Panel, gap: int = 2) -> Panel:
    """Panels next to each other, their tops level."""
    height = max((part.height for part in parts), default=0)
    rows = [""] * height
    regions: list[Region] = []
    for number, part in enumerate(parts):
        before = [row + " " * (gap if number else 0) for row in rows]
        regions += [Region(r.row, len(before[r.row]) + r.column, r.width, r.key) for r in part.regions]
        rows = [start + row for start, row in zip(before, part.padded(0, height).rows, strict=True)]
    return Panel(tuple(rows), tuple(regions))


def framed(inner: Panel, title: str = "", note: str = "", key: str = "", width: int = 0) -> Panel:
    """A frame with a title at the left of its top border and a note at its right; at least `width` cells wide."""
    head = f"─ {title} " if title else ""
    tail = f" {note} ─" if note else ""
    inside = max(inner.width + 2, display_width(head) + display_width(tail) + 1, width - 2)
    line = "─" * (inside - display_width(head) - display_width(tail))
    rows = [f"┌{head}{line}{tail}┐", *(f"│ {row} │" for row in inner.padded(inside - 2).rows), f"└{'─' * inside}┘"]
    named = [Region(0, 3, len(title), key)] if key and title else []
    return Panel(tuple(rows), (*named, *(Region(r.row + 1, r.column + 2, r.width, r.key) for r in inner.regions)))


def cells(labels: Sequence[str], keys: Sequence[str] = (), width: int = 0) -> Panel:
    """Labels in a row of adjoining boxes, such as the slots of a cache."""
    sizes = [max(width, display_width(label) + 2) for label in labels]
    rows = (
        f"┌{'┬'.join('─' * size for size in sizes)}┐",
        f"│{'│'.join(centre(label, size) for label, size in zip(labels, sizes, strict=True))}│",
        f"└{'┴'.join('─' * size for size in sizes)}┘",
    )
    regions: list[Region] = []
    at = 1
    for number, label in enumerate(labels):
        shown = centre(label, sizes[number])
        if number < len(keys):
            regions.append(Region(1, at + len(shown) - len(shown.lstrip()), len(label), keys[number]))
        at += len(shown) + 1
    return Panel(rows, tuple(regions))
