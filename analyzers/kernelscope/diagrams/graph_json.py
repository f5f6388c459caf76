"""A graph as plain data for programs: boxes, edges and groups under the keys of the model."""

from __future__ import annotations

from kernelscope.diagrams.model import Border, Box, Graph, Group


def graph_json(graph: Graph) -> dict[str, object]:
    """The graph without what is at its default."""
    return {
        **({"title": graph.title} if graph.title else {}),
        "boxes": [_box(box) for box in graph.boxes],
        "edges": [
            {"source": e.source, "target": e.target, **({"label": e.label} if e.label else {})} for e in graph.edges
        ],
        "groups": [_group(group) for group in graph.groups],
    }


def _box(box: Box) -> dict[str, object]:
    told: dict[str, object] = {"key": box.key, "lines": list(box.lines)}
    if box.notes:
        told["notes"] = list(box.notes)
    if box.border is not Border.SINGLE:
        told["border"] = box.border.value
    return told | {name: text for name, text in (("group", box.group), ("kind", box.kind)) if text}


def _group(group: Group) -> dict[str, object]:
    told: dict[str, object] = {"key": group.key, "title": group.title}
    return told | {name: text for name, text in (("parent", group.parent), ("repeat", group.repeat)) if text}
