"""The architecture of a serving repository on one picture: servers, schedulers, caches, models and their kernels.

Lines are calls and channels that the code shows, each listed with its place; nothing is joined because it usually is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.model import Border, Box, Edge, Graph, Group
from kernelscope.diagrams.parts import parts as apart
from kernelscope.explain.document import Block, Diagram, Document, Heading, Line, Paragraph, Table
from kernelscope.explain.execution_model import execution_model
from kernelscope.explain.system_components import model_class, parts_of
from kernelscope.explain.system_parts import (
    CACHE,
    DRIVER,
    EXECUTION,
    MODEL,
    PROCESS,
    SCHEDULING,
    SERVER,
    Component,
    Parts,
)
from kernelscope.graph.kinds import Node, NodeKind
from kernelscope.graph.module_tree import ModuleTrees, Part
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import Reached
from kernelscope.results import Location, Target, UserError, ViewOptions
from kernelscope.serving.moves import last_part
from kernelscope.serving.system import System
from kernelscope.workspace.workspace import Workspace

MOST_NAMED = 4
MOST_LABELLED = 2
MOST_ROWS = 40
CLIENTS = "clients"


def system_architecture(
    workspace: Workspace, graph: OperatorGraph, system: System, folder: Path, target: Target, options: ViewOptions
) -> Document:
    """The document. Raises UserError where nothing of a serving system hangs together."""
    with workspace.modules.roomy():
        parts = parts_of(workspace, graph, system)
        pictures = system_pictures(workspace, system, parts, options.width)
    if not pictures:
        raise UserError(
            f"no scheduler, cache or model of a serving system that call each other was found below {folder.name}; "
            "architecture of a model: FILE or FILE::Class"
        )
    rows = tuple(
        (Line(call.source.name, call.source.location), Line(call.target.name, call.target.location),
         Line(call.by if call.is_certain else f"{call.by} ?"), Line(str(call.location), call.location))
        for call in parts.calls[:MOST_ROWS]
    )  # fmt: skip
    blocks: list[Block] = [*pictures, Heading("Shown by"), Table(("From", "To", "By", "Source"), rows)]
    if len(parts.calls) > MOST_ROWS:
        blocks.append(Paragraph((Line(f"{len(parts.calls) - MOST_ROWS} more calls"),)))
    blocks += execution_model(workspace, system, [str(reading.path) for reading in system.readings])
    notes = ["calls through objects that are chosen at run time only are missing"]
    if any(not call.is_certain for call in parts.calls):
        notes.append("? marks a call with several possible targets")
    return Document(f"Architecture of {folder.name}", tuple(blocks), "architecture", target, tuple(notes))


def system_pictures(workspace: Workspace, system: System, parts: Parts, width: int) -> list[Block]:
    """The picture of some parts, in several where one would break names or leave out frames; none without calls."""
    if not parts.calls:
        return []
    picture = _Drawn(workspace, system, parts).picture()
    drawn = draw(picture.graph, width=width)
    if not drawn.is_narrow and not drawn.remarks:
        return [picture]
    blocks: list[Block] = []
    for part in apart(picture.graph, width):
        blocks += [*([Heading(part.title)] if part.title else []), replace(picture, graph=_joined(part.graph))]
    return blocks


def _joined(graph: Graph) -> Graph:
    """The graph with one line between two boxes: those that stand for several parts are called in many ways."""
    by: dict[tuple[str, str], dict[str, None]] = {}
    for edge in graph.edges:
        names = by.setdefault((edge.source, edge.target), {})
        names.update(dict.fromkeys(name for name in edge.label.removesuffix(" …").split(", ") if name))
        if edge.label.endswith(" …"):
            names["…"] = None
    return replace(graph, edges=tuple(Edge(*ends, _label(names)) for ends, names in by.items()))


def _label(names: Mapping[str, None]) -> str:
    """The first of some names of calls."""
    told = [name for name in names if name != "…"]
    more = " …" if len(told) > MOST_LABELLED or "…" in names else ""
    return ", ".join(told[:MOST_LABELLED]) + more


class _Drawn:
    """The picture of some parts."""

    def __init__(self, workspace: Workspace, system: System, parts: Parts) -> None:
        self._workspace = workspace
        self._system = system
        self._parts = parts
        self._keys = {component: f"c{number}" for number, component in enumerate(parts.components)}
        self._boxes: list[Box] = []
        self._edges: dict[Edge, None] = {}
        self._groups: dict[str, Group] = {}
        self._places: dict[str, Location] = {}

    def picture(self) -> Diagram:
        """Boxes in the order in which a request meets them."""
        for role in (SERVER, PROCESS, DRIVER, SCHEDULING, CACHE, EXECUTION, MODEL):
            for component in (c for c in self._parts.components if c.role == role):
                self._add(component)
        by: dict[tuple[str, str], dict[str, None]] = {}
        for call in self._parts.calls:
            name = call.by if call.is_certain else f"{call.by} ?"
            by.setdefault((self._keys[call.source], self._keys[call.target]), {}).setdefault(name)
        for (source, target), names in by.items():
            self._edges.setdefault(Edge(source, target, _label(names)))
        graph = Graph(tuple(self._boxes), tuple(self._edges), tuple(self._groups.values()))
        return Diagram(graph, self._places)

    def _add(self, component: Component) -> None:
        key = self._keys[component]
        self._places[key] = component.location
        match component.role:
            case "server":
                self._boxes.insert(0, Box(CLIENTS, ("client requests",), kind="input")) if not self._boxes else None
                self._boxes.append(Box(key, (component.name, component.notes[0]), component.notes[1:]))
                self._edges.setdefault(Edge(CLIENTS, key))
            case "process":
                alike = sum(c.name == component.name for c in self._parts.components)
                where = (f"{component.location.path.parent.name}/{component.location.path.name}",) if alike > 1 else ()
                self._boxes.append(Box(key, (component.notes[0], component.name, *where), border=Border.DOUBLE))
            case "driver":
                self._boxes.append(Box(key, (component.name,)))
            case "Model" if component in self._parts.reached:
                self._add_model(component, key)
            case role:
                group = self._group(role)
                self._boxes.append(Box(key, (component.name,), component.notes, group=group))
                self._add_queues(component, key, group)

    def _group(self, title: str) -> str:
        return self._groups.setdefault(title, Group(title, title)).key

    def _add_queues(self, component: Component, key: str, group: str) -> None:
        """The queues that requests move between in a class, with what moves them."""
        moves = [
            move
            for move in self._system.moves
            if move.location.path == component.location.path and move.where.startswith(f"{component.name}.")
        ]
        targets = {move.target for move in moves}
        for move in moves:
            ends = [f"{key} {last_part(end)}" for end in (move.source, move.target)]
            for end, place in zip(ends, (move.taken_at, move.location), strict=True):
                if end not in self._places:
                    self._places[end] = place
                    self._boxes.append(Box(end, (end.partition(" ")[2],), group=group))
            self._edges.setdefault(Edge(ends[0], ends[1], move.where.rpartition(".")[2]))
            if move.source not in targets:
                self._edges.setdefault(Edge(key, ends[0], "requests"))

    def _add_model(self, component: Component, key: str) -> None:
        """A model with its repeated layers, the kernels that it ends in and its collectives."""
        group = self._group(MODEL)
        self._boxes.append(Box(key, (component.name, *self._layers(component)), group=group))
        reached = self._parts.reached[component]
        for name, nodes in (("kernels", [*reached.kernels(), *reached.libraries()]), ("collectives", _talk(reached))):
            names = list(dict.fromkeys(node.detail if name == "collectives" else node.name for node in nodes))
            if names:
                more = (f"{len(names) - MOST_NAMED} more",) if len(names) > MOST_NAMED else ()
                border = Border.DOUBLE if name == "collectives" else Border.SINGLE
                self._boxes.append(Box(f"{key} {name}", (name, *names[:MOST_NAMED], *more), border=border, group=group))
                self._edges.setdefault(Edge(key, f"{key} {name}"))
                if (place := nodes[0].location) is not None:
                    self._places[f"{key} {name}"] = place

    def _layers(self, component: Component) -> Iterator[str]:
        """The repeated parts of a model: `Layer ×config.num_layers`."""
        cls = model_class(self._workspace, component.functions[0])
        if cls is not None:
            tree = ModuleTrees(self._workspace.modules, self._workspace.classes, self._workspace.instances).tree(cls)
            yield from dict.fromkeys(f"{part.short_name} ×{part.repeat}" for part in _repeated(tree))


def _repeated(part: Part) -> Iterator[Part]:
    """The outermost parts that are there several times."""
    for child in part.children:
        if child.repeat:
            yield child
        else:
            yield from _repeated(child)


def _talk(reached: Reached) -> list[Node]:
    return [node for node in reached.via if node.kind is NodeKind.COLLECTIVE]
