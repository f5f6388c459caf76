"""A graph made smaller or narrower before it is drawn: groups closed, alike siblings left out, lines wrapped.

Every measure says what it did, so that a reader knows what the picture does not show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, product
from string import ascii_lowercase

from kernelscope.diagrams.cells import display_width, wrap_cells
from kernelscope.diagrams.level import note_rows
from kernelscope.diagrams.model import Border, Box, Edge, Graph, Group

_ALIKE = 4
"""Siblings from which on the middle ones are left out."""
_NUMBER = re.compile(r"\d+")
_BREAKS = re.compile(r"(?<=[._,(=])|(?<=/)(?!/)|(?<=[a-z0-9])(?=[A-Z])")
"""Where a word that is too long for a line may go on in the next one: not within `//`."""


def close_groups(graph: Graph) -> Graph:
    """Collapsed groups as boxes: lines that crossed their border now end at them."""
    closed = {group.key: group for group in graph.groups if group.collapsed}
    if not closed:
        return graph
    stands_for: dict[str, str] = {}
    boxes: dict[str, Box] = {}
    for box in graph.boxes:
        path = graph.ancestors(box.group)
        group = next((closed[key] for key in path if key in closed), None)
        if group is None:
            boxes[box.key] = box
        else:
            stands_for[box.key] = group.key
            boxes.setdefault(group.key, _closed(graph, group))
    edges = [
        Edge(stands_for.get(e.source, e.source), stands_for.get(e.target, e.target), e.label)
        for e in graph.edges
        if e.source not in stands_for or stands_for[e.source] != stands_for.get(e.target)
    ]
    groups = tuple(g for g in graph.groups if not any(key in closed for key in graph.ancestors(g.key)))
    return replace(graph, boxes=tuple(boxes.values()), edges=tuple(dict.fromkeys(edges)), groups=groups)


def _closed(graph: Graph, group: Group) -> Box:
    parts = sum(group.key in graph.ancestors(box.group) for box in graph.boxes)
    lines = (group.heading, f"({parts} part{'' if parts == 1 else 's'})")
    return Box(group.key, lines, border=Border.DOUBLE, group=group.parent, kind="group")


def without_plain_groups(graph: Graph) -> tuple[Graph, list[str]]:
    """Groups that are not repeated as letters beside their boxes, frames in frames take the most room; and remarks."""
    plain = {group.key: group for group in graph.groups if not group.repeat}
    if not plain:
        return graph, []
    letters = {key: f"({letter})" for key, letter in zip(plain, _letters(), strict=False)}

    def outer(key: str) -> str:
        return next((k for k in reversed(graph.ancestors(key)) if k not in plain), "")

    boxes: list[Box] = []
    for box in graph.boxes:
        around = [letters[key] for key in graph.ancestors(box.group) if key in plain]
        notes = (*box.notes, f"in {' '.join(around)}")
        boxes.append(replace(box, group=outer(box.group), notes=notes) if around else box)
    groups = tuple(replace(g, parent=outer(g.parent)) for g in graph.groups if g.key not in plain)
    return replace(graph, boxes=tuple(boxes), groups=groups), [
        "frames are told by letters beside their boxes:",
        *(f"{letters[key]} {group.heading}" for key, group in plain.items()),
    ]


def _letters() -> Iterator[str]:
    """a, b … z, aa, ab …"""
    for length in count(1):
        for word in product(ascii_lowercase, repeat=length):
            yield "".join(word)


def collapse(graph: Graph, keys: set[str]) -> Graph:
    """The graph with some groups closed."""
    return replace(graph, groups=tuple(replace(g, collapsed=g.collapsed or g.key in keys) for g in graph.groups))


def without_middle_siblings(graph: Graph) -> tuple[Graph, list[str]]:
    """Of boxes that differ in numbers only and stand between the same others, the first and the last; and remarks."""
    alike: dict[object, list[Box]] = {}
    for box in graph.boxes:
        alike.setdefault(_signature(graph, box), []).append(box)
    dropped: set[str] = set()
    dots: dict[str, Box] = {}
    remarks: list[str] = []
    for siblings in alike.values():
        joined = {box.key for box in siblings}
        if len(siblings) < _ALIKE or any(e.source in joined and e.target in joined for e in graph.edges):
            continue
        second, *rest = siblings[1:-1]
        dots[second.key] = replace(second, lines=("···", f"×{len(rest) + 1}"), notes=(), border=Border.NONE)
        dropped |= {box.key for box in rest}
        remarks.append(f"··· {len(rest) + 1} more like {siblings[0].lines[0]}, up to {siblings[-1].lines[0]}")
    boxes = tuple(dots.get(box.key, box) for box in graph.boxes if box.key not in dropped)
    edges = tuple(e for e in graph.edges if e.source not in dropped and e.target not in dropped)
    return replace(graph, boxes=boxes, edges=edges), remarks


def _signature(graph: Graph, box: Box) -> object:
    entering = frozenset((e.source, _unnumbered(e.label)) for e in graph.edges if e.target == box.key)
    leaving = frozenset((e.target, _unnumbered(e.label)) for e in graph.edges if e.source == box.key)
    lines = tuple(map(_unnumbered, box.lines)), tuple(map(_unnumbered, box.notes))
    return box.group, box.border, lines, entering, leaving


def _unnumbered(text: str) -> str:
    return _NUMBER.sub("#", text)


def with_notes_inside(graph: Graph) -> Graph:
    """Notes below the lines of their box instead of beside it."""
    return replace(
        graph,
        boxes=tuple(
            replace(box, lines=(*box.lines, *(row.strip() for row in note_rows(box))), notes=()) if box.notes else box
            for box in graph.boxes
        ),
    )


def with_short_notes(graph: Graph, width: int) -> Graph:
    """Notes in rows of at most `width` cells."""
    return replace(
        graph,
        boxes=tuple(
            replace(box, notes=tuple("\n".join(_broken(note, width)) for note in box.notes)) for box in graph.boxes
        ),
    )


def with_short_lines(graph: Graph, width: int) -> Graph:
    """Lines of boxes of at most `width` cells, broken where names have their parts."""
    return replace(
        graph,
        boxes=tuple(
            replace(box, lines=tuple(row for line in box.lines for row in _broken(line, width))) for box in graph.boxes
        ),
    )


def _broken(line: str, width: int) -> list[str]:
    """A text in rows of at most `width` cells: words stay whole where a row has room for them."""
    rows, row = list[str](), ""
    for word in re.findall(r"\S+\s*", line):
        fits = display_width(word.rstrip()) <= width
        for part in [word] if fits else filter(None, _BREAKS.split(word)):
            if row and display_width((row + part).rstrip()) > width:
                rows.append(row.rstrip())
                row = ""
            row += part
    return [short for text in [*rows, row] for short in wrap_cells(text, max(width, 8))]
