"""A rectangle cut into labelled cells, its size written at its sides: a tile and the parts that it is made of.

Long rows and columns are cut in the middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kernelscope.diagrams.cells import centre, display_width, pad
from kernelscope.diagrams.panel import Panel

Item = TypeVar("Item")
_ROWS, _COLUMNS = 9, 8
_NARROWEST = 5


def cell_grid(title: str, height: str, width: str, labels: Sequence[Sequence[str]]) -> Panel:
    """The cells by rows, `height` at the left and `width` above. Rows have one length."""
    rows = [_cut(row, _COLUMNS, "…") for row in labels]
    rows = _cut(rows, _ROWS, ["⋮"] * len(rows[0]))
    each = max(_NARROWEST, *(display_width(label) + 2 for row in rows for label in row))
    line = "─" * each
    body = [f"┌{'┬'.join([line] * len(rows[0]))}┐"]
    for number, row in enumerate(rows):
        body += [f"├{'┼'.join([line] * len(row))}┤"] if number else []
        body.append(f"│{'│'.join(centre(label, each) for label in row)}│")
    body.append(f"└{'┴'.join([line] * len(rows[0]))}┘")
    left = display_width(height) + 1 if height else 0
    middle = len(body) // 2
    marked = [pad(height if n == middle else "", left) + row for n, row in enumerate(body)]
    return Panel((title, " " * left + centre(width, display_width(body[0])).rstrip(), *marked))


def _cut(items: Sequence[Item], most: int, gap: Item) -> list[Item]:
    """The items, or the first and the last of them."""
    if len(items) <= most:
        return list(items)
    return [*items[: most - 2], gap, items[-1]]
