"""Edits that only move what a file declares: the links stay, and so does all but the places in that file.

Typing in the body of a function is such an edit, most of the time. What differs in any other way is linked anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from kernelscope.graph.kinds import Edge, Node, add
from kernelscope.workspace.facts import FileFacts, Record

if TYPE_CHECKING:
    from networkx import MultiDiGraph

_PLACES = frozenset({"start", "end", "name_start", "line"})


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the names and lines of a file have moved to."""

    starts: Mapping[int, int]
    lines: Mapping[int, int]

    @property
    def is_nothing(self) -> bool:
        """Whether all stands where it stood."""
        return all(old == new for places in (self.starts, self.lines) for old, new in places.items())

    def node(self, node: Node) -> Node:
        start, line = self.starts.get(node.start, node.start), self.lines.get(node.line, node.line)
        return node if (start, line) == (node.start, node.line) else replace(node, start=start, line=line)


def shift_between(before: FileFacts, after: FileFacts) -> Shift | None:
    """How to get from the places of a file to those of its next version; None when more than places differ."""
    if before.imports != after.imports or before.usings != after.usings:
        return None
    starts: dict[int, int] = {}
    lines: dict[int, int] = {}
    for old, new in (
        (before.defs, after.defs),
        (before.calls, after.calls),
        (before.launches, after.launches),
        (before.references, after.references),
        (before.registrations, after.registrations),
        (before.namespaces, after.namespaces),
        (before.alternatives, after.alternatives),
    ):
        if len(old) != len(new) or not all(map(_is_moved, old, new)):
            return None
        for one, other in zip(old, new, strict=True):
            for name, places in (("name_start", starts), ("start", starts), ("line", lines)):
                place = getattr(one, name, None)
                if place is not None and places.setdefault(place, getattr(other, name)) != getattr(other, name):
                    return None  # what stood in one place or line was torn apart: links of one line are told once
    is_within = _namespaces_around(before) == _namespaces_around(after)
    return Shift(starts, lines) if is_within else None


def knows_places(graph: MultiDiGraph[Node], shifts: Mapping[str, Shift]) -> bool:
    """Whether all that the graph shows of these files is among what moved: broken text declares less than is found."""
    if not all(n.start in shifts[n.path].starts and n.line in shifts[n.path].lines for n in graph if n.path in shifts):
        return False
    edges = (cast(Edge, data["edge"]) for *_, data in graph.edges(data=True))
    return all(edge.line in shifts[edge.path].lines for edge in edges if edge.path in shifts)


def shifted(graph: MultiDiGraph[Node], shifts: Mapping[str, Shift]) -> MultiDiGraph[Node]:
    """The same graph with the places of some files moved."""
    import networkx

    made: MultiDiGraph[Node] = networkx.MultiDiGraph()
    nodes = {node: shifts[node.path].node(node) if node.path in shifts else node for node in graph}
    made.add_nodes_from(nodes.values())
    for edge in _edges(graph, nodes, shifts):
        add(made, edge)
    return made


def _edges(graph: MultiDiGraph[Node], nodes: Mapping[Node, Node], shifts: Mapping[str, Shift]) -> Iterator[Edge]:
    for source, target, data in graph.edges(data=True):
        edge = cast(Edge, data["edge"])
        shift = shifts.get(edge.path)
        if shift is not None or nodes[source] is not source or nodes[target] is not target:
            line = edge.line if shift is None else shift.lines.get(edge.line, edge.line)
            edge = replace(edge, source=nodes[source], target=nodes[target], line=line)
        yield edge


def _is_moved(old: Record, new: Record) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in old.__struct_fields__ if name not in _PLACES)


def _namespaces_around(facts: FileFacts) -> list[list[int]]:
    """Of each definition the namespaces whose braces hold it."""
    spaces = [(index, space.start, space.end) for index, space in enumerate(facts.namespaces)]
    return [[index for index, start, end in spaces if start < definition.start < end] for definition in facts.defs]
