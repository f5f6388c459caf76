"""One level of a picture drawn: layers top to bottom, the gaps between them, then rails, returns and labels."""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.diagrams.canvas import Canvas, text_width
from kernelscope.diagrams.cells import display_width
from kernelscope.diagrams.columns import place
from kernelscope.diagrams.items import Item, Kind, Level, Link, Value
from kernelscope.diagrams.labels import Legend, reserve_labels, spread_exits, write_labels
from kernelscope.diagrams.layers import layered
from kernelscope.diagrams.model import Border, Box
from kernelscope.diagrams.rails import draw_return, draw_sides, place_rails, reserve_for_returns
from kernelscope.diagrams.route import Gap
from kernelscope.turns import give_way

NOTE = "← "
"""What a note begins with; the rows in which it goes on are indented as far."""
_NOTE_GAP = 2


@dataclass(frozen=True, slots=True)
class Style:
    """How closely a picture is drawn; the width ladder tries closer ones."""

    gap: int = 4
    bend_gap: int = 3
    room: int | None = None
    """Widest layer allowed before it goes on below."""
    turned: bool = False


def box_item(box: Box, turned: bool) -> Item:
    """A box with an odd width, so that it has a middle column, and room for its notes."""
    plain = box.border is Border.NONE
    width = text_width(box.lines) + (2 if plain else 4)
    width += 1 - width % 2
    notes = note_rows(box)
    rows = max(len(box.lines), len(notes))
    height = max(rows, 1) if plain else rows + 2
    item = Item(box.key, Kind.BOX, width, height, box)
    if notes:
        item.after = _NOTE_GAP + text_width(notes) + 1
    if turned:
        item.width, item.height, item.after = height, width, 0
    return item


def note_rows(box: Box) -> tuple[str, ...]:
    """The notes of a box as rows; a note of several lines has its mark at the first."""
    rows: list[str] = []
    for note in box.notes:
        first, *more = note.split("\n")
        rows += [NOTE + first, *(" " * len(NOTE) + row for row in more)]
    return tuple(rows)


def draw_level(items: list[Item], links: list[Link], style: Style, legend: Legend) -> tuple[Canvas, int]:
    """The canvas of one level, and the row below its last layer.

    A value that only leaves the level's frame is labelled outside of it.
    """
    values: dict[int, list[Value]] = {id(item): [] for item in items}
    labelled: dict[int, list[Value]] = {id(item): [] for item in items}
    for link in links:
        if link.source.kind is Kind.ENTRY:
            continue
        if link.value not in values[id(link.source)]:
            values[id(link.source)].append(link.value)
        if link.target.kind is not Kind.EXIT and link.value not in labelled[id(link.source)]:
            labelled[id(link.source)].append(link.value)
    for item in items:
        spread_exits(item, values[id(item)], legend, style.turned)
        _reserve(item, labelled[id(item)], style, legend)
    level = layered(items, links, style.room, style.gap)
    for item in items:
        if item.exits and item.kind is Kind.BOX:
            values[id(item)] = _by_target(level, item, values[id(item)])
            spread_exits(item, values[id(item)], legend, style.turned)
    _straighten(level)
    reserve_for_returns(level, 1 if style.turned else 2)
    place(level, style.gap, style.bend_gap)
    place_rails(level, 1 if style.turned else 2)
    canvas = Canvas(style.turned)
    bottom = _draw_rows(canvas, level, style, legend, labelled)
    for back in level.returns:
        draw_return(canvas, back)
    for item in items:
        write_labels(canvas, item, labelled[id(item)], legend)
    return canvas, bottom


def _reserve(item: Item, values: list[Value], style: Style, legend: Legend) -> None:
    if style.turned:
        item.before = max(item.before, 0 if item.solid else 1)
    else:
        reserve_labels(item, values, legend)


def _straighten(level: Level) -> None:
    """Let the longest way enter a box of several exits above the exit by which it goes on."""
    spine = {id(item) for item in level.spine}
    for piece in level.pieces:
        source = piece.source
        on_the_way = id(source) in spine and id(piece.target) in spine
        if source.kind is Kind.BOX and source.exits and on_the_way and source.middle is None:
            source.middle = source.exits[piece.value]


def _by_target(level: Level, item: Item, values: list[Value]) -> list[Value]:
    """Values in the order of what they lead to: returns first, rails last."""

    def wanted(value: Value) -> float:
        places = [float(p.target.place) for p in level.pieces if p.source is item and p.value == value]
        places += [1e6 for r in level.rails if r.source is item and r.value == value]
        places += [-1e6 for r in level.returns if r.source is item and r.value == value]
        return sum(places) / len(places) if places else 0.0

    return sorted(values, key=wanted)


def _draw_rows(canvas: Canvas, level: Level, style: Style, legend: Legend, values: dict[int, list[Value]]) -> int:
    lanes = {line.column for line in (*level.rails, *level.returns)}
    top = 0
    for number, layer in enumerate([*level.layers, []]):
        give_way()
        above = [back for back in level.returns if back.target.layer == number and back.from_above]
        leaving = [line for line in (*level.rails, *level.returns) if line.source.layer == number - 1]
        height = max((item.height for item in layer), default=0)
        if number == 0:
            for row, back in enumerate(above):
                back.row = row
            first = len(above) + 1 if above else 0
            for item in layer:
                item.y = first + ((height - item.height) // 2 if item.solid else 0)
        elif layer or leaving:
            pieces = [p for p in level.pieces if p.target.layer == number]
            entering = [r for r in level.rails if r.top is not None and r.top.layer == number]
            trunk = _trunk_rows(level.layers[number - 1], style, legend, values)
            first = Gap(pieces, leaving, entering, lanes, above, trunk).route(canvas, top, layer)
        else:
            break
        for item in layer:
            _draw_item(canvas, item)
        for rail in level.rails:
            for target in rail.sides:
                if target.layer == number:
                    draw_sides(canvas, rail, target)
        top = first + height
    return top


def _trunk_rows(layer: list[Item], style: Style, legend: Legend, values: dict[int, list[Value]]) -> int:
    """Rows between a layer and its first bus: one for labels; as many as the longest is wide where lines run right."""
    if not any(item.solid for item in layer):
        return 0
    if not style.turned:
        return 1
    labels = [label for item in layer if item.solid for _, label in values[id(item)]]
    return max([0, *(legend.room(label) for label in labels)]) + 2


def _draw_item(canvas: Canvas, item: Item) -> None:
    if item.inner is not None:
        canvas.paste(item.inner, item.x, item.y)
    elif item.box is not None:
        _draw_box(canvas, item, item.box)


def _draw_box(canvas: Canvas, item: Item, box: Box) -> None:
    canvas.frame(item.x, item.y, item.width, item.height, box.border, box.key, box.kind)
    x, y = canvas.seen(item.x, item.y)
    width, height = canvas.seen(item.width, item.height)
    edge = 0 if box.border is Border.NONE else 1
    rows = height - 2 * edge
    first = y + edge + (0 if box.notes else (rows - len(box.lines)) // 2)
    for row, text in enumerate(box.lines):
        canvas.write(x + (width - display_width(text)) // 2, first + row, text, box.key)
    for row, note in enumerate(note_rows(box)):
        canvas.write(x + width + _NOTE_GAP, y + edge + row, note, box.key)
