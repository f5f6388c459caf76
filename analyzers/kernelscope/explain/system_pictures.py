"""Graphs of systems: processes and their channels, states of a request, sharded layers.

Drawn from facts alone; where a number is not known, the name that stands for it is written.
"""

from __future__ import annotations

from kernelscope.diagrams.model import Border, Box, Direction, Edge, Graph, Group
from kernelscope.explain.document import Diagram
from kernelscope.results import Location
from kernelscope.serving.lifecycle import Transition
from kernelscope.serving.parallel import Layer
from kernelscope.serving.processes import Channel, Started
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

MOST_BOXES = 12
PARTNERS = {"PUSH": "PULL", "PUB": "SUB", "REQ": "REP", "DEALER": "ROUTER", "XPUB": "XSUB", "PAIR": "PAIR"}
"""Socket kinds that send, with the kind that receives from them."""


def topology(system: System) -> Diagram | None:
    """What starts which processes and threads, and the channels whose two ends use one address."""
    started = [
        s for s in system.started if s.target and s.kind != "start method" and not system.is_aside(s.location.path)
    ]
    channels = [c for c in system.channels if c.pattern and not system.is_aside(c.location.path)]
    if not started and not channels:
        return None
    boxes: dict[str, Box] = {}
    places: dict[str, Location] = {}
    edges: dict[tuple[str, str, str], Edge] = {}
    groups: dict[str, Group] = {}
    for s in started[:MOST_BOXES]:
        _add_process(s, boxes, places, edges, groups)
    for sender in channels:
        receiver = _partner(sender, channels)
        if receiver is None or len(boxes) > 2 * MOST_BOXES:
            continue
        for end in (sender, receiver):
            name = _owner(end)
            boxes.setdefault(name, Box(name, (name,)))
            places.setdefault(name, end.location)
        label = f"{sender.transport} {sender.pattern}→{receiver.pattern}"
        key = (_owner(sender), _owner(receiver), label)
        edges.setdefault(key, Edge(key[0], key[1], label))
    graph = Graph(tuple(boxes.values()), tuple(edges.values()), tuple(groups.values()), direction=Direction.DOWN)
    return Diagram(graph, places) if boxes else None


def _add_process(
    s: Started,
    boxes: dict[str, Box],
    places: dict[str, Location],
    edges: dict[tuple[str, str, str], Edge],
    groups: dict[str, Group],
) -> None:
    group = f"file {s.location.path.stem}"
    groups.setdefault(group, Group(group, s.location.path.name))
    boxes.setdefault(s.where, Box(s.where, (s.where,), group=group))
    places.setdefault(s.where, s.location)
    key = f"{s.kind} {s.target}"
    target = " ".join(s.target.split())[:44]
    boxes.setdefault(key, Box(key, (s.kind, target), border=Border.DOUBLE))
    places.setdefault(key, s.location)
    edges.setdefault((s.where, key, s.how), Edge(s.where, key, f"starts by {s.how}"[:40]))


def _owner(channel: Channel) -> str:
    """The class or function that opens an end."""
    return channel.where.rpartition(".")[0] or channel.where


def _partner(sender: Channel, channels: list[Channel]) -> Channel | None:
    """The end that receives from a socket: the opposite kind at the same address, by its last name."""
    wanted = PARTNERS.get(sender.pattern)
    key = _key(sender.address)
    if wanted is None or not key:
        return None
    return next((c for c in channels if c.pattern == wanted and _key(c.address) == key), None)


def _key(address: str) -> str:
    """`self.config.backend_addr` and `config.backend_addr` are one address."""
    return address.rpartition(".")[2].strip("\"'() ")


def state_diagram(system: System) -> Diagram | None:
    """The states that a request passes, with what brings it there."""
    used = {x.enum for x in system.transitions}
    enums = [r for r in system.registries if r.kind == "enum" and r.name.rpartition(".")[2] in used]
    enums = [r for r in enums if {"status", "state", "stage", "phase"} & set(words(r.name))] or enums
    if not enums:
        return None
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


def _from(x: Transition, states: set[str], target: str) -> str | None:
    """The state that a guard names, or that the queue which the object was taken from is named after."""
    named = [s for s in states if f".{s}" in x.condition and s != target]
    if not named:
        named = [s for s in states if s != target and set(words(s.lower())) & set(words(x.queue))]
    return named[0] if len(named) == 1 else None


def sharding_map(system: System) -> Diagram | None:
    """Each class with its sharded parts in the order in which they are built, and the collective behind them."""
    owners: dict[str, list[tuple[str, Layer, Location]]] = {}
    for layer in system.layers:
        for part in layer.parts:
            if not system.is_aside(part.location.path):
                owners.setdefault(part.owner, []).append((part.attribute, layer, part.location))
    if not owners:
        return None
    boxes: list[Box] = []
    edges: list[Edge] = []
    groups: list[Group] = []
    places: dict[str, Location] = {}
    shown = sorted(owners.items(), key=lambda entry: -len(entry[1]))[:4]
    for owner, parts in shown:
        groups.append(Group(owner, owner))
        before = ""
        for attribute, layer, location in sorted(parts, key=lambda part: part[2].line):
            key = f"{owner}.{attribute}"
            boxes.append(Box(key, (attribute, f"{layer.style}-parallel"), group=owner))
            places[key] = location
            if before:
                edges.append(Edge(before, key))
            before = key
            if layer.joined is not None:
                joined = f"{key} {layer.joined.primitive}"
                boxes.append(
                    Box(joined, (layer.joined.primitive,), group=owner, border=Border.DOUBLE, kind="collective")
                )
                places[joined] = layer.joined.location
                edges.append(Edge(key, joined))
                before = joined
    return Diagram(Graph(tuple(boxes), tuple(edges), tuple(groups)), places)
