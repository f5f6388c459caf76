"""Nesting: each group is drawn first and becomes one item with a port for every value that crosses its border.

A value enters by one port in the top border (`▼`) and leaves by one in the bottom border (`┼`); its label is outside.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.diagrams.canvas import Canvas
from kernelscope.diagrams.cells import display_width
from kernelscope.diagrams.items import Item, Kind, Link, Value
from kernelscope.diagrams.labels import Legend
from kernelscope.diagrams.level import Style, box_item, draw_level
from kernelscope.diagrams.model import Border, Box, Edge, Graph, Group


@dataclass(slots=True)
class Nest:
    """The tree of a graph's groups, and which edges concern each."""

    graph: Graph
    children: dict[str, list[Box | Group]] = field(default_factory=dict[str, list[Box | Group]])
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    edges: dict[str, list[tuple[Edge, Value]]] = field(default_factory=dict[str, list[tuple[Edge, Value]]])

    @classmethod
    def of(cls, graph: Graph) -> Nest:
        nest = cls(graph)
        groups = {group.key: group for group in graph.groups}
        placed: set[str] = set()
        for box in graph.boxes:
            path = graph.ancestors(box.group)
            nest.paths[box.key] = path
            for around, inner in zip(("", *path), path, strict=False):
                if inner not in placed:
                    placed.add(inner)
                    nest.children.setdefault(around, []).append(groups[inner])
            nest.children.setdefault(box.group, []).append(box)
        labels = _labels(graph)
        for edge in graph.edges:
            around = dict.fromkeys(("", *nest.paths[edge.source], *nest.paths[edge.target]))
            for group in around:
                nest.edges.setdefault(group, []).append((edge, (edge.source, edge.label or labels[edge.source])))
        return nest

    def inside(self, box: str, group: str) -> str | None:
        """What stands for a box directly inside a group: itself, one of the group's groups, or nothing."""
        path = self.paths[box]
        if not group:
            return path[0] if path else box
        if group not in path:
            return None
        below = path[path.index(group) + 1 :]
        return below[0] if below else box

    def draw(self, group: str, style: Style, legend: Legend) -> tuple[Canvas, int, list[Item]]:
        """The canvas of what a group holds, the row below it, and the ends of the lines that cross its border."""
        here: dict[str, Item] = {}
        for child in self.children.get(group, []):
            here[child.key] = (
                self.frame(child, style, legend) if isinstance(child, Group) else box_item(child, style.turned)
            )
        entries: dict[Value, Item] = {}
        exits: dict[Value, Item] = {}
        links: dict[tuple[str, str, Value], Link] = {}
        for edge, value in self.edges.get(group, []):
            inner_source, inner_target = self.inside(edge.source, group), self.inside(edge.target, group)
            if inner_source is not None and inner_source == inner_target and inner_source not in (edge.source,):
                continue
            if inner_source is None:
                source = entries.setdefault(value, Item(f"{group} entry {len(entries)}", Kind.ENTRY))
            else:
                source = here[inner_source]
            if inner_target is None:
                target = exits.setdefault(value, _exit(group, len(exits), value, style, legend))
            else:
                target = here[inner_target]
            links.setdefault((source.key, target.key, value), Link(source, target, value))
        ends = [*entries.values(), *exits.values()]
        items = [*entries.values(), *here.values(), *exits.values()]
        for value, item in entries.items():
            item.exits = {value: 0}
        for value, item in exits.items():
            item.entries = {value: 0}
        canvas, bottom = draw_level(items, list(links.values()), style, legend)
        return canvas, bottom, ends

    def frame(self, group: Group, style: Style, legend: Legend) -> Item:
        """A group as one item: its canvas in a frame with a title and ports."""
        inner_style = (
            style if style.room is None else Style(style.gap, style.bend_gap, max(20, style.room - 4), style.turned)
        )
        inner, bottom, ends = self.draw(group.key, inner_style, legend)
        left, _, right, _ = inner.bounds()
        if style.turned:
            _, left, _, right = inner.bounds()
        side, lead = (1, 2) if style.turned else (2, 1)
        title = f" {group.heading} "
        ports = {id(end): end.x - left + side for end in ends}
        entries = [ports[id(end)] for end in ends if end.kind is Kind.ENTRY]
        width, height = right - left + 1 + 2 * side, bottom + 2 * lead
        if style.turned:
            at, height = 2, max(height, display_width(title) + 4)
        else:
            at = _title_column(display_width(title), entries)
            if at + display_width(title) + 2 > width:
                title = f" {legend.title(group.heading)} "
                at = _title_column(display_width(title), entries)
            width = max(width, at + display_width(title) + 2)
        canvas = Canvas(style.turned)
        canvas.paste(inner, side - left, lead)
        canvas.frame(0, 0, width, height, Border.SINGLE, group.key, "group", title, at)
        item = Item(group.key, Kind.FRAME, width, height, inner=canvas)
        for end in ends:
            port = ports[id(end)]
            if end.kind is Kind.ENTRY:
                (value,) = end.exits
                item.entries[value] = port
                canvas.wire(port, 0, port, lead, value)
                canvas.port(port, 0)
            else:
                (value,) = end.entries
                item.exits[value] = port
                canvas.wire(port, bottom + lead, port, height - 1, value)
        return item


def _exit(group: str, number: int, value: Value, style: Style, legend: Legend) -> Item:
    """The end of a value that leaves; its label stands outside, below the border, and needs the room there."""
    after = 0 if style.turned or not value[1] else 3 + legend.room(value[1])
    return Item(f"{group} exit {number}", Kind.EXIT, after=after)


def _title_column(width: int, ports: list[int]) -> int:
    """The first column of the top border where a title stands clear of the ports."""
    at = 2
    while any(at - 1 <= port <= at + width for port in ports):
        at += 1
    return at


def _labels(graph: Graph) -> dict[str, str]:
    """The label of unlabelled edges: that of the source's other edges if they all carry the same."""
    found: dict[str, dict[str, None]] = {box.key: {} for box in graph.boxes}
    for edge in graph.edges:
        if edge.label:
            found[edge.source][edge.label] = None
    return {key: next(iter(labels)) if len(labels) == 1 else "" for key, labels in found.items()}
