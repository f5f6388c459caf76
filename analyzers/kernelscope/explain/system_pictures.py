"""Graphs of systems: processes and their channels, states of a request, sharded layers.

Drawn from facts alone; where a number is not known, the name that stands for it is written.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kernelscope.diagrams.model import Border, Box, Direction, Edge, Graph, Group
from kernelscope.explain.document import Diagram
from kernelscope.results import Location
from kernelscope.serving.channels import Link, owner_of
from kernelscope.serving.lifecycle import Transition
from kernelscope.serving.moves import last_part
from kernelscope.serving.parallel import Layer
from kernelscope.serving.processes import Started
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

MOST_BOXES = 12
MOST_LINKS = 16


def topology(system: System) -> Diagram | None:
    """What starts which processes and threads, and the channels whose two ends use one address."""
    started = [
        s for s in system.started if s.target and s.kind != "start method" and not system.is_aside(s.location.path)
    ]
    joined = [x for x in system.links if x.senders and x.receivers and not (x.said and x.is_by_name)]
    if not started and not joined:
        return None
    boxes: dict[str, Box] = {}
    places: dict[str, Location] = {}
    edges: dict[tuple[str, str, str], Edge] = {}
    groups: dict[str, Group] = {}
    for s in started[:MOST_BOXES]:
        _add_process(s, boxes, places, edges, groups)
    for link in joined[:MOST_LINKS]:
        if len(boxes) <= 2 * MOST_BOXES:
            _add_link(link, boxes, places, edges)
    graph = Graph(tuple(boxes.values()), tuple(edges.values()), tuple(groups.values()), direction=Direction.DOWN)
    return Diagram(graph, places) if boxes else None


def _add_link(
    link: Link, boxes: dict[str, Box], places: dict[str, Location], edges: dict[tuple[str, str, str], Edge]
) -> None:
    """An edge from who sends to who receives, named after the channel."""
    name = link.pattern.replace(" ", "") or link.channel.name or link.channel.address
    label = " ".join(dict.fromkeys((link.channel.transport, name)))[:40]
    run = {key.rpartition(" ")[2]: key for key in boxes}
    for sender in dict.fromkeys(run.get(name, name) for name in map(owner_of, link.senders)):
        for receiver in dict.fromkeys(run.get(name, name) for name in map(owner_of, link.receivers)):
            for end in (sender, receiver):
                boxes.setdefault(end, Box(end, (end,)))
                places.setdefault(end, link.channel.location)
            edges.setdefault((sender, receiver, label), Edge(sender, receiver, label))


def _add_process(
    s: Started,
    boxes: dict[str, Box],
    places: dict[str, Location],
    edges: dict[tuple[str, str, str], Edge],
    groups: dict[str, Group],
) -> None:
    path = s.location.path
    group = f"file {path}"
    groups.setdefault(group, Group(group, f"{path.parent.name}/{path.name}"))
    boxes.setdefault(s.where, Box(s.where, (s.where,), group=group))
    places.setdefault(s.where, s.location)
    key = f"{s.kind} {s.target}"
    target = " ".join(s.target.split())[:44]
    boxes.setdefault(key, Box(key, (s.kind, target), border=Border.DOUBLE))
    places.setdefault(key, s.location)
    edges.setdefault((s.where, key, s.how), Edge(s.where, key, f"starts by {s.how}"[:40]))


def state_diagram(system: System) -> Diagram | None:
    """The states that a request passes, with what brings it there."""
    used = {x.enum for x in system.transitions}
    enums = [r for r in system.registries if r.kind == "enum" and r.name.rpartition(".")[2] in used]
    enums = [r for r in enums if {"status", "state", "stage", "phase"} & set(words(r.name))] or enums
    if not enums:
        return _queues(system)
    enum = max(enums, key=lambda r: sum(x.enum == r.name.rpartition(".")[2] for x in system.transitions))
    name = enum.name.rpartition(".")[2]
    states = list(enum.entries[:MOST_BOXES])
    keys = {entry.key for entry in states}
    boxes = [Box(entry.key, (entry.key,), border=Border.SINGLE) for entry in states]
    places = {entry.key: entry.location for entry in states}
    edges: dict[tuple[str, str, str], Edge] = {}
    for x in system.transitions:
        state = x.state.rpartition(".")[2]
        if x.enum != name or state not in keys:
            continue
        source = _from(x, keys, state)
        where = x.where.rpartition(".")[2] or x.where
        if source is None:
            source = f"in {where}"
            if source not in places:
                boxes.append(Box(source, (where,), border=Border.NONE))
                places[source] = x.location
        edges.setdefault((source, state, where), Edge(source, state, where if source in keys else ""))
    graph = Graph(tuple(boxes), tuple(edges.values()), title=f"States of {name}", direction=Direction.RIGHT)
    return Diagram(graph, places)


def _queues(system: System) -> Diagram | None:
    """The queues that requests move between, with what moves them: their states where no field says one."""
    places: dict[str, Location] = {}
    edges: dict[tuple[str, str, str], Edge] = {}
    for move in system.moves[:MOST_LINKS]:
        source, target = last_part(move.source), last_part(move.target)
        places.setdefault(source, move.taken_at)
        places.setdefault(target, move.location)
        where = move.where.rpartition(".")[2]
        edges.setdefault((source, target, where), Edge(source, target, where))
    if not edges:
        return None
    boxes = tuple(Box(queue, (queue,), border=Border.SINGLE) for queue in places)
    graph = Graph(boxes, tuple(edges.values()), title="Queues of requests", direction=Direction.RIGHT)
    return Diagram(graph, places)


def _from(x: Transition, states: set[str], target: str) -> str | None:
    """The state that a guard names, or that the queue which the object was taken from is named after."""
    named = [s for s in states if f".{s}" in x.condition and s != target]
    if not named:
        named = [s for s in states if s != target and set(words(s.lower())) & set(words(x.queue))]
    return named[0] if len(named) == 1 else None


def sharding_map(system: System) -> Diagram | None:
    """Each class with its sharded parts in the order in which they are built, and the collective behind them."""
    owners: dict[tuple[str, Path], dict[str, tuple[Layer, Location]]] = {}
    for layer in system.layers:
        for part in sorted(layer.parts, key=lambda part: part.location.line):
            if not system.is_aside(part.location.path):  # classes of one name in two files are two
                parts = owners.setdefault((part.owner, part.location.path), {})
                parts.setdefault(part.attribute, (layer, part.location))
    if not owners:
        return None
    boxes: list[Box] = []
    edges: list[Edge] = []
    groups: list[Group] = []
    places: dict[str, Location] = {}
    shown = sorted(owners.items(), key=lambda entry: -len(entry[1]))[:4]
    named = Counter(owner for (owner, _), _ in shown)
    for (owner, path), parts in shown:
        group = f"{owner} {path}"
        groups.append(Group(group, owner if named[owner] == 1 else f"{owner} ({path.name})"))
        before = ""
        for attribute, (layer, location) in sorted(parts.items(), key=lambda part: part[1][1].line):
            key = f"{group}.{attribute}"
            boxes.append(Box(key, (attribute, f"{layer.style}-parallel"), group=group))
            places[key] = location
            if before:
                edges.append(Edge(before, key))
            before = key
            if layer.joined is not None:
                joined = f"{key} {layer.joined.primitive}"
                boxes.append(
                    Box(joined, (layer.joined.primitive,), group=group, border=Border.DOUBLE, kind="collective")
                )
                places[joined] = layer.joined.location
                edges.append(Edge(key, joined))
                before = joined
    return Diagram(Graph(tuple(boxes), tuple(edges), tuple(groups)), places)
