"""The operator and kernel graph of a workspace as plain data for programs: nodes, edges, each with its place.

Node and edge kinds are those of `graph.kinds`. Paths are relative to the first folder, ids count in order of place.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from kernelscope.graph.gaps import gaps
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import MAX_ASKED_NODES, Reached, callers_of, kernels_from
from kernelscope.ops.registry import computes

FORMAT = 1
FOLLOWED = 20_000
"""Python functions that are followed at most; what is left out is counted."""


def graph_export(graph: OperatorGraph, root: str, cancelled: Callable[[], bool] = lambda: False) -> dict[str, object]:
    """The whole graph: links of operators and C++, and every Python function of a file that takes part.

    Of operators that come to no kernel also what is missing.
    """
    left = graph.follow_all(FOLLOWED, cancelled)
    ends = (gap.edge for op in graph.every_operator() for gap in gaps(graph, kernels_from(graph, op), computes))
    missing = dict.fromkeys(ends)
    edges = [*missing, *(data["edge"] for _, _, data in graph.whole().edges(data=True))]
    return _plain(edges, root) | {"complete": graph.complete and not left, "functions not followed": left}


def reached_export(graph: OperatorGraph, start: Node, root: str) -> dict[str, object]:
    """What one node leads to and what leads to it: the edges by which each was first met, and what is missing."""
    down, up = kernels_from(graph, start, MAX_ASKED_NODES), callers_of(graph, start)
    edges = [*down.via.values(), *up.via.values(), *(gap.edge for gap in gaps(graph, down, computes))]
    ids = {node: number for number, node in enumerate(_ordered(edges, start))}
    communication = [ids[node] for node in down.via if node.kind is NodeKind.COLLECTIVE]
    return _plain(edges, root, start) | {
        "start": ids[start],
        "kernels": [ids[node] for node in down.kernels()],
        "communication": communication,
        "callers": [ids[node] for node in _outermost(up)],
        "complete": graph.complete and down.complete and up.complete,
    }


def _outermost(up: Reached) -> list[Node]:
    """Callers that nothing else among the callers leads to."""
    lower = {edge.target for edge in up.via.values()}
    return [node for node in up.via if node not in lower]


def _ordered(edges: list[Edge], start: Node | None = None) -> list[Node]:
    nodes = {node for edge in edges for node in (edge.source, edge.target)} | ({start} if start else set[Node]())
    return sorted(nodes, key=lambda n: (n.path, n.start, n.kind.value, n.name))


def _plain(edges: list[Edge], root: str, start: Node | None = None) -> dict[str, object]:
    nodes = _ordered(edges, start)
    modules = sorted({node.path for node in nodes if node.path})
    ids = {node: number for number, node in enumerate(nodes)}
    first_module = len(nodes)
    module_ids = {path: first_module + number for number, path in enumerate(modules)}
    told = [_node(ids[node], node, root) for node in nodes]
    told += [
        {"id": number, "kind": NodeKind.MODULE.value, "name": _relative(path, root), "file": _relative(path, root)}
        for path, number in module_ids.items()
    ]
    links = [_edge(edge, ids[edge.source], ids[edge.target], root) for edge in edges]
    links += [
        {"kind": EdgeKind.CONTAINS.value, "source": module_ids[node.path], "target": ids[node]}
        for node in nodes
        if node.path and node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL, NodeKind.CONFIG, NodeKind.BINDING)
    ]
    links.sort(key=lambda link: (str(link["kind"]), link["source"], link["target"], str(link.get("line", ""))))
    return {"format": FORMAT, "nodes": told, "edges": links}


def _node(number: int, node: Node, root: str) -> dict[str, object]:
    told: dict[str, object] = {"id": number, "kind": node.kind.value, "name": node.name}
    if node.path:
        told |= {"file": _relative(node.path, root), "line": node.line}
    return told | ({"detail": node.detail} if node.detail else {})


def _edge(edge: Edge, source: int, target: int, root: str) -> dict[str, object]:
    told: dict[str, object] = {"kind": edge.kind.value, "source": source, "target": target}
    if edge.path:
        told |= {"file": _relative(edge.path, root), "line": edge.line}
    if not edge.certain:
        told["certain"] = False
    return told | ({"note": edge.note} if edge.note else {})


def _relative(path: str, root: str) -> str:
    return os.path.relpath(path, root) if path.startswith(root.rstrip(os.sep) + os.sep) else path
