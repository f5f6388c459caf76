"""A model from afar: its input, its parts in the order in which values go through them, its output, in one frame.

The dataflow of its forward with calls opened only as far as an overview has room; repeated layers are a frame (×N).
"""

from __future__ import annotations

from dataclasses import replace

from kernelscope.diagrams.model import Border, Box, Graph, Group
from kernelscope.explain.document import Block, Diagram, Line, Paragraph
from kernelscope.explain.flow_chart import Chart
from kernelscope.explain.targets import PythonTarget, function_of
from kernelscope.explain.traced import SeenIn, traced
from kernelscope.interp.values import Instance
from kernelscope.patterns.flow import Node
from kernelscope.results import Location, UserError, ViewOptions
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

_PARTS = 14
"""Calls are opened as long as an overview has no more boxes than this."""
_FRAME = "model"
_ENDS = {"input": "Input", "output": "Output"}
_CONDITION = "if "


def model_picture(
    workspace: Workspace, cls: Definition, location: Location, seen_in: SeenIn, options: ViewOptions
) -> list[Block]:
    """The picture of a module class with its symbols; nothing where no tensor is seen to go through its forward."""
    module = workspace.modules.module(cls.path)
    scope = next((s for s in module.classes() if s.node is cls.node), None) if module is not None else None
    if module is None or scope is None:
        return []
    try:
        forward = function_of(workspace, PythonTarget(location.path, module, scope))
    except UserError:
        return []
    flow = traced(workspace, forward, seen_in(location.path), options)
    chart = Chart(workspace, flow, options, _PARTS)
    graph = chart.graph()
    if len(graph.boxes) < 2:
        return []
    places = {key: place for key, node in chart.keys.items() if (place := chart.labels.place(node)) is not None}
    framed = _framed(graph, cls.name, chart.keys)
    legend = chart.names.legend([edge.label for edge in framed.edges])
    symbols = [Paragraph((Line(" · ".join(legend)),))] if legend else []
    return [Diagram(framed, places | {_FRAME: location}), *symbols]


def _framed(graph: Graph, name: str, nodes: dict[str, Node]) -> Graph:
    """The graph in a frame with the model's name, what enters and leaves outside of it.

    Of notes only conditions stay, without which a part would seem to run always: the rest is left to dataflow.
    """
    boxes = tuple(_part(box) for box in graph.boxes)
    groups = tuple(
        replace(g, title=_layer(nodes.get(g.key)) or g.title, parent=g.parent or _FRAME) for g in graph.groups
    )
    return replace(graph, boxes=boxes, groups=(Group(_FRAME, name), *groups))


def _part(box: Box) -> Box:
    if box.kind in _ENDS:
        text = " ".join(box.lines)
        name = "" if text == box.kind else text.removeprefix(f"{box.kind}: ")
        lines = (": ".join(filter(None, (_ENDS[box.kind], name))),)
        return replace(box, lines=lines, notes=(), border=Border.NONE)
    conditions = tuple(note for note in box.notes if note.startswith(_CONDITION))
    return replace(box, notes=conditions, group=box.group or _FRAME)


def _layer(loop: Node | None) -> str:
    """The class of the layers that a loop runs through, if it is one."""
    calls = [n.step.target for n in loop.children if isinstance(n.step.target, Instance)] if loop is not None else []
    names = {target.cls.name for target in calls if isinstance(target.cls.node, t.ClassDef)}
    return names.pop() if len(names) == 1 else ""
