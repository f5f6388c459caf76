"""Questions to the operator graph: kernels reached from here, who reaches this kernel, the way between.

Breadth first and bounded; a bound that was met is said in the answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from kernelscope.graph.kinds import Edge, Node, NodeKind
from kernelscope.turns import give_way
from kernelscope.workspace.files import PYTHON_SUFFIXES

if TYPE_CHECKING:
    from kernelscope.graph.operator_graph import OperatorGraph

MAX_NODES = 600
MAX_ASKED_NODES = 2_000
"""How many are met at most for a glance, and where somebody asked for the paths themselves."""
MAX_DEPTH = 24
"""Hops; dispatch by macros takes many of them."""
MAX_NEAR_FUNCTIONS = 4


class Reached(Struct, frozen=True):
    """Nodes with the edge that first led to each; `complete` is False when a bound was met."""

    start: Node
    via: dict[Node, Edge]
    complete: bool

    def kernels(self) -> list[Node]:
        """The kernels among them, nearest first."""
        return [node for node in self.via if node.kind is NodeKind.KERNEL]

    def libraries(self) -> list[Node]:
        """The kernels of libraries outside of the workspace among them."""
        return [node for node in self.via if node.kind is NodeKind.LIBRARY]

    def missing(self) -> list[Node]:
        """The hops that the workspace does not show."""
        return [node for node in self.via if node.kind is NodeKind.MISSING]

    def path(self, node: Node) -> list[Edge]:
        """The edges from the start to a node, or from the node to the start when callers were asked for."""
        edges: list[Edge] = []
        while node != self.start and node in self.via and len(edges) <= MAX_DEPTH:
            edge = self.via[node]
            edges.append(edge)
            node = edge.source if edge.target == node else edge.target
        return edges[::-1]


def kernels_from(graph: OperatorGraph, start: Node, at_most: int = MAX_NODES) -> Reached:
    """Everything that a function, operator or launch leads to."""
    return _search(start, graph.out_edges, lambda edge: edge.target, at_most)


def kernels_near(graph: OperatorGraph, start: Node) -> Reached:
    """What a function leads to over few Python functions: for a glance, when reading many files would take too long."""
    followed = 0

    def edges(node: Node) -> list[Edge]:
        nonlocal followed
        followed += node.kind is NodeKind.FUNCTION and node.path.endswith(PYTHON_SUFFIXES)
        return graph.out_edges(node) if followed <= MAX_NEAR_FUNCTIONS else []

    reached = _search(start, edges, lambda edge: edge.target, MAX_NODES)
    return Reached(start, reached.via, reached.complete and followed <= MAX_NEAR_FUNCTIONS)


def callers_of(graph: OperatorGraph, start: Node) -> Reached:
    """Everything that leads to a kernel, function or operator."""
    return _search(start, graph.in_edges, lambda edge: edge.source, MAX_NODES)


def _search(start: Node, edges: Callable[[Node], list[Edge]], other: Callable[[Edge], Node], at_most: int) -> Reached:
    via: dict[Node, Edge] = {}
    queue: deque[tuple[Node, int]] = deque([(start, 0)])
    complete = True
    while queue:
        if len(via) > at_most:
            return Reached(start, via, False)
        give_way()
        node, depth = queue.popleft()
        if depth >= MAX_DEPTH:
            complete = False
            continue
        for edge in edges(node):
            following = other(edge)
            if following != start and following not in via:
                via[following] = edge
                queue.append((following, depth + 1))
    return Reached(start, via, complete)
