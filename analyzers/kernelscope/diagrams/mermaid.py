"""A graph as a Mermaid flowchart, for pages and tools that draw those themselves."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.diagrams.level import note_rows
from kernelscope.diagrams.model import Border, Box, Direction, Graph

_BORDERS = {Border.SINGLE: ("[", "]"), Border.DOUBLE: ("[[", "]]"), Border.NONE: ("([", "])")}
_ESCAPED = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "|": "#124;", "`": "#96;", "\\": "#92;"}


def to_mermaid(graph: Graph) -> str:
    """The graph's boxes, groups and edges; keys become `n0`, `n1` … in the order in which they are read."""
    return "\n".join(_rows(graph))


def _rows(graph: Graph) -> Iterator[str]:
    if graph.title:
        yield from ("---", f'title: "{_text(graph.title)}"', "---")
    yield f"flowchart {'LR' if graph.direction is Direction.RIGHT else 'TD'}"
    names = {box.key: f"n{number}" for number, box in enumerate(graph.boxes)}
    yield from _group_rows(graph, "", names, "  ")
    for edge in graph.edges:
        label = f'|"{_text(edge.label)}"|' if edge.label else ""
        yield f"  {names[edge.source]} -->{label} {names[edge.target]}"
    kinds: dict[str, list[str]] = {}
    for box in graph.boxes:
        if box.kind:
            kinds.setdefault(box.kind, []).append(names[box.key])
    for kind, members in kinds.items():
        yield f"  class {','.join(members)} {kind}"


def _group_rows(graph: Graph, around: str, names: dict[str, str], indent: str) -> Iterator[str]:
    for box in graph.boxes:
        if box.group == around:
            yield f"{indent}{names[box.key]}{_box(box)}"
    for number, group in enumerate(graph.groups):
        if group.parent == around:
            yield f'{indent}subgraph g{number}["{_text(group.heading)}"]'
            yield from _group_rows(graph, group.key, names, indent + "  ")
            yield f"{indent}end"


def _box(box: Box) -> str:
    left, right = _BORDERS[box.border]
    lines = [*box.lines, *note_rows(box)]
    return f'{left}"{"<br/>".join(map(_text, lines))}"{right}'


def _text(text: str) -> str:
    """Text that means nothing to Mermaid."""
    return "".join(_ESCAPED.get(character, character) for character in text)
