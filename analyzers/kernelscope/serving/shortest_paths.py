"""Requests that are routed along the path of least cost through a graph: which path, and what its edges cost.

The library that finds the path decides (dijkstar, networkx, scipy); what an edge costs is what it is added with.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.growing_names import made_of
from kernelscope.serving.guards import assignments, last_name, own_calls
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

FINDS = {"shortest_path", "dijkstra_path", "bidirectional_dijkstra", "astar_path", "dijkstra"}
"""Functions of networkx and scipy; dijkstar calls its own `find_path`."""
GOES_TO = {"server", "servers", "node", "nodes", "peer", "peers", "route", "routes", "routing", "sequence", "pipeline",
           "worker", "workers", "instance", "instances"}  # fmt: skip
"""Words of what requests are sent along."""
MOST_EDGES = 4


def shortest_paths(source: PythonSource) -> Iterator[Claim]:
    """Claims about the paths that functions of a file look for, and about the graphs that they do it in."""
    if source.aside:
        return
    methods = {s.qualified_name: s for s in source.module.functions()}
    for scope in source.module.functions():
        said = {*words(scope.qualified_name), *words(source.path.stem), *words(source.path.parent.name)}
        for call in own_calls(scope.node):
            if not _finds_path(call) or not GOES_TO & said or not call.args:
                continue
            known = assignments(scope.node)
            graph = known.get(t.dotted(call.args[0]) or "", call.args[0])
            ends = " to ".join(source.quote(a) for a in call.args[1:3])
            value = f"load balancing: {scope.qualified_name} takes the path of least cost ({source.quote(call)})"
            value += f" from {ends}" if ends else ""
            builder = _builder(graph, scope, methods)
            places = (source.at(call), source.at(scope.node))
            value += f" in the graph that {builder.qualified_name} makes" if builder is not None else ""
            yield Claim(f"{scope.qualified_name} balancing", value, places)
            if builder is not None:
                yield from _costs(source, builder)


def _finds_path(call: t.Call) -> bool:
    name = t.dotted(call.func) or ""
    return last_name(call.func) in FINDS or (name.startswith("dijkstar") and last_name(call.func) == "find_path")


def _builder(graph: t.Expr, scope: Scope, methods: dict[str, Scope]) -> Scope | None:
    """The function of the file, or method of the class, whose result a graph is."""
    name = t.dotted(graph.func) or "" if isinstance(graph, t.Call) else ""
    owner = scope.owner.name if scope.owner is not None else ""
    return methods.get(f"{owner}.{name.removeprefix('self.')}" if name.startswith("self.") else name)


def _costs(source: PythonSource, builder: Scope) -> Iterator[Claim]:
    """`graph.add_edge(a, b, delay)`, `graph.add_edge(a, b, weight=delay)`: each cost with what it is made of."""
    assert isinstance(builder.node, t.FunctionDef)
    told: dict[str, t.Node] = {}
    for call in own_calls(builder.node):
        if last_name(call.func) != "add_edge":
            continue
        cost = next((k.value for k in call.keywords if k.arg in ("weight", "cost")), None)
        cost = cost or (call.args[2] if len(call.args) > 2 else None)
        if cost is not None:
            said = f"{source.quote(cost)} for {source.quote(call.args[0])} → {source.quote(call.args[1])}"
            told.setdefault(said + made_of(source, builder, cost, call), call)
    numbers = {p.name: p.default for p in builder.node.args if isinstance(literal(p.default), int | float)}
    named = [f"{name}={source.quote(v)}" for name, v in numbers.items() if v and any(name in said for said in told)]
    if told:
        value = f"load balancing: what edges of the graph cost: {'; '.join(list(told)[:MOST_EDGES])}"
        value += f"; by default {', '.join(named)}" if named else ""
        places = (source.at(builder.node), *(source.at(node) for node in list(told.values())[:MOST_EDGES]))
        yield Claim(f"{builder.qualified_name} costs", value, places)
