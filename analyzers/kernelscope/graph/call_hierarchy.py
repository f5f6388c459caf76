"""Who calls whom across languages: neighbours in the graph that are functions or kernels, with the places of calls."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.graph.file_roles import is_test
from kernelscope.graph.kinds import LEAVES, Edge, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.places import Places
from kernelscope.results import Call, FoundSymbol, Location, SymbolKind

MAX_PASSED = 500
"""Launches, operators and bindings that are passed through."""


def incoming(graph: OperatorGraph, node: Node, places: Places) -> list[Call]:
    """Who calls, launches or binds a function or kernel; places are in the caller."""
    return _calls(node, graph.in_edges, places, inward=True)


def outgoing(graph: OperatorGraph, node: Node, places: Places) -> list[Call]:
    """What a function calls, launches or, through an operator, runs; places are in it."""
    return _calls(node, graph.out_edges, places, inward=False)


def _calls(node: Node, edges: Callable[[Node], list[Edge]], places: Places, inward: bool) -> list[Call]:
    """Neighbours that are functions or kernels, those of tests last; launches, operators and bindings between are
    passed through."""
    sites: dict[Node, list[Location]] = {}
    seen: set[Node] = {node}
    todo: list[tuple[Node, Location | None]] = [(node, None)]
    while todo and len(seen) < MAX_PASSED:
        current, first_site = todo.pop()
        for edge in edges(current):
            following = edge.source if inward else edge.target
            site = edge.location if inward else first_site or edge.location
            if following.kind in (NodeKind.FUNCTION, NodeKind.KERNEL):
                if site is not None:
                    sites.setdefault(following, []).append(site)
            elif following not in seen and following.kind not in LEAVES:
                seen.add(following)
                todo.append((following, site))
    calls = [Call(symbol(found, places), tuple(dict.fromkeys(own))) for found, own in sites.items()]
    return sorted(calls, key=lambda call: is_test(str(call.symbol.location.path)))


def symbol(node: Node, places: Places) -> FoundSymbol:
    """A node as a symbol with the place of its name."""
    kind = SymbolKind.KERNEL if node.kind is NodeKind.KERNEL else SymbolKind.FUNCTION
    container, _, name = node.name.rpartition(".")
    if container:
        kind = SymbolKind.METHOD
    return FoundSymbol(name, kind, places.node_place(node), container)
