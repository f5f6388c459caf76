"""Columns of the lines beside the layers: rails on the right of what they pass, returns on the left.

Two rails share a column where one ends above the other's start. A return shares its column with nobody.
"""

from __future__ import annotations

from kernelscope.diagrams.canvas import LEFT, RIGHT, Canvas
from kernelscope.diagrams.items import Item, Kind, Level, Rail, Return
from kernelscope.diagrams.layers import side_row


def place_rails(level: Level, distance: int) -> None:
    """Rails right of the layers that they pass, the shortest innermost; returns left of theirs."""
    right = [max((i.x + i.width + max(0, i.after) for i in layer), default=0) for layer in level.layers]
    left = [min((i.x - i.before for i in layer), default=0) for layer in level.layers]
    level.rails.sort(key=lambda r: (r.last_layer - r.first_layer, r.first_layer, r.source.place))
    placed: list[Rail] = []
    for rail in level.rails:
        first, last = rail.first_layer, rail.last_layer
        rail.column = max(right[first : last + 1]) + distance
        while any(
            abs(other.column - rail.column) < 2 and first < other.last_layer and other.first_layer < last
            for other in placed
        ):
            rail.column += 1
        placed.append(rail)
    level.returns.sort(key=lambda b: (b.source.layer - b.target.layer, b.target.layer, b.source.place))
    returned: list[Return] = []
    for back in level.returns:
        first, last = back.target.layer, back.source.layer
        back.column = min(left[first : last + 2]) - distance - 1
        while any(
            abs(other.column - back.column) < 2 and first <= other.source.layer + 1 and other.target.layer <= last + 1
            for other in returned
        ):
            back.column -= 1
        returned.append(back)
    slots: dict[int, list[Return]] = {}
    for back in level.returns:
        slots.setdefault(id(back.target), []).append(back)
    for group in slots.values():
        for slot, back in enumerate(sorted(group, key=lambda b: b.column)):
            back.slot = slot


def reserve_for_returns(level: Level, distance: int) -> None:
    """Cells left of a target, and rows in it, for the returns that enter it."""
    counts: dict[int, int] = {}
    for back in level.returns:
        counts[id(back.target)] = counts.get(id(back.target), 0) + 1
    for item in level.items:
        count = counts.get(id(item), 0)
        if count:
            item.before = max(item.before, count + distance)
            if item.kind is Kind.BOX:
                item.height = max(item.height, count + 2)


def draw_sides(canvas: Canvas, rail: Rail, target: Item) -> None:
    """A rail's way from its start down to a target, which it enters from the right."""
    row, end = target.y + (side_row(target) or 0), target.x + target.width
    canvas.wire(rail.column, rail.start, rail.column, row, rail.value)
    canvas.wire(end, row, rail.column, row, rail.value)
    canvas.arrow(end, row, LEFT)


def draw_return(canvas: Canvas, back: Return) -> None:
    """A return's way from its start up the left side and into its target."""
    target = back.target
    net = ("return", back.source.key, target.key, back.value)
    row = target.y + 1 + back.slot
    if not back.from_above:
        canvas.wire(back.column, back.start, back.column, row, net)
        canvas.wire(back.column, row, target.x - 1, row, net)
        canvas.arrow(target.x - 1, row, RIGHT)
        return
    canvas.wire(back.column, back.start, back.column, back.row, net)
    if target.kind is Kind.FRAME:
        x = target.x + target.enters(back.value)
        canvas.wire(back.column, back.row, x, back.row, net)
        canvas.wire(x, back.row, x, target.y, net)
        return
    x = target.x - 2 - back.slot
    canvas.wire(back.column, back.row, x, back.row, net)
    canvas.wire(x, back.row, x, row, net)
    canvas.wire(x, row, target.x - 1, row, net)
    canvas.arrow(target.x - 1, row, RIGHT)
