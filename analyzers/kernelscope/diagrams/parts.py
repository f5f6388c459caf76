"""A crowded graph as several pictures: a group becomes one box of the whole, and what is in it a picture of its own.

The ends of lines that cross the group's border stand in its picture as names without a frame.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.fold import close_groups, collapse
from kernelscope.diagrams.model import Border, Box, Edge, Graph, Group

MAX_PARTS = 6
FEWEST_TOLD = 4
"""So many lines are told as notes first, and then twice as many."""
LEAST = 4
"""A group of fewer boxes stays where it is."""
MANY = 4
"""Lines from which on those between two boxes are one."""
_NAME = re.compile(r"[A-Za-z_]\w*(?=\s|$)")
FROM, TO = "from ", "to "


@dataclass(frozen=True, slots=True)
class Part:
    """One picture; the first has no title."""

    title: str
    graph: Graph


def parts(graph: Graph, width: int) -> list[Part]:
    """The graph as it is if it is drawn at ease, else with its largest groups apart."""
    whole, found = graph, list[Part]()
    drawn = draw(whole, width=width)
    while len(found) < MAX_PARTS and drawn.is_cramped and (group := _largest(whole)) is not None:
        found.append(Part(group.heading, inside(whole, group)))
        whole = _bundled(close_groups(collapse(whole, {group.key})), group.key)
        drawn = draw(whole, width=width)
    if drawn.overflow:
        whole = with_far_lines_told(whole, width)
    rest = [part for outer in found for part in _again(outer, width, MAX_PARTS - len(found))]
    return [Part("", whole), *rest]


def with_far_lines_told(graph: Graph, width: int) -> Graph:
    """The graph with so many of its longest lines as notes of the boxes that they lead to that it fits; as it is where
    it does not fit either way."""
    places = {box.key: number for number, box in enumerate(graph.boxes)}
    out, into = (Counter(getattr(edge, end) for edge in graph.edges) for end in ("source", "target"))
    spans = {e: abs(places[e.target] - places[e.source]) for e in graph.edges if {e.source, e.target} <= places.keys()}
    far = sorted((e for e in spans if spans[e] > 1), key=lambda e: (-spans[e], places[e.source], places[e.target]))
    told: list[Edge] = []
    for edge in far:
        if out[edge.source] > 1 and into[edge.target] > 1:
            told.append(edge)
            out[edge.source] -= 1
            into[edge.target] -= 1
    count = FEWEST_TOLD
    while told and count < 2 * len(told):
        notes: dict[str, list[str]] = {}
        for edge in told[:count]:
            source = " ".join(graph.boxes[places[edge.source]].lines)
            notes.setdefault(edge.target, []).append(f"{edge.label} of {source}" if edge.label else source)
        boxes = tuple(replace(box, notes=(*box.notes, *notes.get(box.key, ()))) for box in graph.boxes)
        fewer = replace(graph, boxes=boxes, edges=tuple(e for e in graph.edges if e not in told[:count]))
        if not draw(fewer, width=width).overflow:
            return fewer
        count *= 2
    return graph


def _bundled(graph: Graph, key: str) -> Graph:
    """One line for many between a closed group and another box: what each of them carries stands in the picture of
    what is inside."""
    between: dict[tuple[str, str], list[str]] = {}
    for edge in graph.edges:
        if key in (edge.source, edge.target):
            between.setdefault((edge.source, edge.target), []).append(edge.label)
    bundles = {ends: _named(labels) for ends, labels in between.items() if len(labels) >= MANY}
    edges = (replace(e, label=bundles.get((e.source, e.target), e.label)) for e in graph.edges)
    return replace(graph, edges=tuple(dict.fromkeys(edges)))


def _named(labels: list[str]) -> str:
    """The names in some labels, as far as there is room for them."""
    names = list(dict.fromkeys(found[0] for label in labels if (found := _NAME.match(label))))[: MANY - 1]
    more = len(labels) - len(names)
    return ", ".join([*names, *([f"{more} more" if names else f"{more} values"] if more else [])])


def _again(part: Part, width: int, room: int) -> list[Part]:
    """A part, in parts itself where it is crowded, too."""
    first, *more = parts(part.graph, width) if room > 0 else [part]
    titles = [f"{part.title}, {p.title}" for p in more]
    inner = [replace(p, title=t if len(t) <= width else p.title) for p, t in zip(more, titles, strict=True)]
    return [replace(part, graph=first.graph), *inner]


def _largest(graph: Graph) -> Group | None:
    """The outermost group with the most boxes, if it leaves enough outside."""
    sizes = {g.key: _size(graph, g) for g in graph.groups if not g.parent}
    fitting = [g for g in graph.groups if LEAST <= sizes.get(g.key, 0) <= len(graph.boxes) - 2]
    return max(fitting, key=lambda g: sizes[g.key], default=None)


def _size(graph: Graph, group: Group) -> int:
    return sum(group.key in graph.ancestors(box.group) for box in graph.boxes)


def inside(graph: Graph, group: Group) -> Graph:
    """What is in a group, between the names of what its lines come from and lead to."""
    own = {box.key for box in graph.boxes if group.key in graph.ancestors(box.group)}
    edges = [e for e in graph.edges if e.source in own or e.target in own]
    sources = [box for box in graph.boxes if box.key not in own and any(e.source == box.key for e in edges)]
    targets = [box for box in graph.boxes if box.key not in own and any(e.target == box.key for e in edges)]
    boxes = [_end(box, FROM) for box in sources]
    boxes += [replace(box, group=_without(box.group, group)) for box in graph.boxes if box.key in own]
    boxes += [_end(box, TO) for box in targets]
    joined = [
        replace(
            e,
            source=e.source if e.source in own else FROM + e.source,
            target=e.target if e.target in own else TO + e.target,
        )
        for e in edges
    ]
    groups = [replace(g, parent=_without(g.parent, group)) for g in graph.groups if group.key in graph.ancestors(g.key)]
    inner = tuple(g for g in groups if g.key != group.key)
    return Graph(tuple(boxes), tuple(dict.fromkeys(joined)), inner, direction=graph.direction)


def _without(key: str, group: Group) -> str:
    return "" if key == group.key else key


def _end(box: Box, word: str) -> Box:
    is_named = box.border is Border.NONE or box.kind in ("input", "output")
    text = " ".join(box.lines)
    return Box(word + box.key, (text if is_named else word + text,), border=Border.NONE, kind=box.kind)
