"""Edges by their ends: what the operator graph is held in, small and quick to make anew.

A graph of `networkx` holds three dicts for every edge; one is made of a table where somebody wants to have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.graph.kinds import Edge, Node


class EdgeTable:
    """Edges once per ends, kind and place: of several the last counts."""

    def __init__(self, edges: Iterable[Edge] = ()) -> None:
        self._out: dict[Node, list[Edge]] = {}
        self._into: dict[Node, list[Edge]] = {}
        for edge in edges:
            self.add(edge)

    def add(self, edge: Edge) -> None:
        """Adds an edge, in place of one that says the same."""
        line, kind, out = edge.line, edge.kind, self._out.setdefault(edge.source, [])
        into = self._into.setdefault(edge.target, [])
        for at, other in enumerate(out):
            if other.line == line and other.kind is kind and other.target == edge.target and other.path == edge.path:
                out[at] = edge
                into[next(i for i, same in enumerate(into) if same is other)] = edge
                return
        out.append(edge)
        into.append(edge)

    def __iter__(self) -> Iterator[Edge]:
        return (edge for out in self._out.values() for edge in out)

    def nodes(self) -> Iterator[Node]:
        """Every node that an edge leads from or to."""
        return iter(dict.fromkeys((*self._out, *self._into)))

    def out_edges(self, node: Node) -> list[Edge]:
        """What a node leads to."""
        return self._out.get(node, [])

    def in_edges(self, node: Node) -> list[Edge]:
        """What leads to a node."""
        return self._into.get(node, [])
