"""The call path document: from a function or operator down to the kernels, and from a kernel up to its callers.

Shows the first way found to each kernel; hops that the workspace does not show are named, never bridged.
"""

from __future__ import annotations

import os

from kernelscope.explain.document import Block, Code, Document, Heading, Line, Paragraph
from kernelscope.graph.gaps import CPU, HOST, Gap, ends, gaps
from kernelscope.graph.kinds import Edge, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import MAX_ASKED_NODES, Reached, callers_of, kernels_from
from kernelscope.ops.registry import computes
from kernelscope.results import Target, UserError, ViewOptions

MAX_LINES = 120
MAX_LISTED = 3
MARGIN = 30
"""Columns left for the places behind the lines."""
_DOWN = {"unicode": ("├─ ", "└─ ", "│  "), "ascii": ("|- ", "`- ", "|  ")}


def start_node(graph: OperatorGraph, target: Target) -> Node:
    """The node that a target speaks of. Raises `UserError` when there is none."""
    path = os.path.abspath(target.path)
    if target.symbol:
        found = graph.named(path, target.symbol) or next(iter(graph.operators(target.symbol)), None)
        if found is None:
            raise UserError(f"{target.path.name} defines no function or kernel {target.symbol}; try FILE:LINE")
        return found
    found = graph.at(path, target.offset or 0)
    if found is None:
        raise UserError(f"no function or kernel there in {target.path.name}; name one as FILE::symbol or FILE:LINE")
    return found


def call_path(graph: OperatorGraph, start: Node, options: ViewOptions, target: Target | None = None) -> Document:
    """What `start` leads to and, when it is a kernel or C++ function, what leads to it."""
    down = kernels_from(graph, start, MAX_ASKED_NODES)
    blocks: list[Block] = []
    notes: list[str] = []
    kernels = down.kernels()
    if start.kind is not NodeKind.KERNEL:
        missing = gaps(graph, down, computes)
        reach = _reach(down, kernels) or instead(down, missing)
        blocks.append(Paragraph((Line(f"{describe(start)} reaches {reach}.", start.location),)))
        blocks.append(Heading("Down to the kernels"))
        wanted = kernels + down.libraries() + down.missing() or _leaves(down)
        blocks.append(Code(_tree(down, wanted, options, notes), ""))
        if missing:
            blocks.append(Heading("What is missing"))
            blocks.append(Paragraph(tuple(Line(gap.edge.target.name, gap.edge.location) for gap in missing)))
        elif not kernels and not down.libraries():
            notes.append("no kernel of the workspace is reached; the last hops shown call nothing that is known here")
    if not down.complete:
        notes.append("the search met its bound; there may be more")
    if start.kind is NodeKind.KERNEL or not start.path.endswith((".py", ".pyi")):
        up = callers_of(graph, start)
        wanted = _tops(up)
        blocks.append(Heading("Up to the callers"))
        if wanted:
            blocks.append(Code(_tree(up, wanted, options, notes), ""))
        else:
            blocks.append(Paragraph((Line("Nothing in the workspace calls it by a name that can be followed."),)))
        if not up.complete:
            notes.append("the search for callers met its bound; there may be more")
    if not graph.complete:
        notes.append("the index is still being built; links may be missing")
    return Document(f"Call path: {start.name}", tuple(blocks), "path", target, tuple(dict.fromkeys(notes)))


def describe(node: Node) -> str:
    """A node in words: what it is and its name."""
    match node.kind:
        case NodeKind.KERNEL:
            return f"{node.detail} kernel {node.name}"
        case NodeKind.OPERATOR:
            return f"operator {node.name.removeprefix('::')}"
        case NodeKind.BINDING:
            return f"registered by {node.detail}: {node.name}"
        case NodeKind.LAUNCH:
            return f"launch of {node.name}" + (f" over {node.detail}" if node.detail else "")
        case NodeKind.MISSING:
            return f"missing: {node.name}"
        case NodeKind.LIBRARY:
            return f"kernel of {node.detail}, started by {node.name}"
        case NodeKind.COLLECTIVE:
            return f"{node.detail} by {node.name}"
        case NodeKind.CONFIG:
            return f"config {node.name}"
        case NodeKind.ARGUMENT:
            return f"tensor {node.name}"
        case NodeKind.MODULE | NodeKind.FUNCTION:
            return f"{node.detail} {node.name}()" if node.detail != "macro" else f"macro {node.name}"


def _tree(reached: Reached, wanted: list[Node], options: ViewOptions, notes: list[str]) -> tuple[Line, ...]:
    """The ways to the wanted nodes merged into one tree, in the order of the source."""
    children: dict[Node, list[Node]] = {}
    kept: set[Node] = {reached.start}
    for node in wanted:
        before = reached.start
        for edge in reached.path(node):
            following = edge.target if edge.source == before else edge.source
            if following not in kept:
                kept.add(following)
                children.setdefault(before, []).append(following)
            before = following
    for below in children.values():
        below.sort(key=lambda child: (reached.via[child].path, reached.via[child].line))
    tee, corner, bar = _DOWN["ascii" if options.charset == "ascii" else "unicode"]
    lines: list[Line] = [_line("", reached.start, None, options)]
    todo = [(child, "", i == 0) for i, child in enumerate(reversed(children.get(reached.start, [])))]
    while todo:
        if len(lines) >= MAX_LINES:
            notes.append(f"only the first {MAX_LINES} lines are shown")
            break
        node, indent, last = todo.pop()
        lines.append(_line(indent + (corner if last else tee), node, reached.via[node], options))
        deeper = indent + ("   " if last else bar)
        todo.extend((child, deeper, i == 0) for i, child in enumerate(reversed(children.get(node, []))))
    if any(not reached.via[node].certain for node in kept if node != reached.start):
        notes.append("? marks a hop with several possible targets, or one chosen by the build or at run time")
    return tuple(lines)


def _reach(reached: Reached, kernels: list[Node]) -> str:
    """How many kernels, and how many of them over hops that the tree marks; empty when there are none."""
    found = [*kernels, *reached.libraries()]
    if not found:
        return ""
    doubtful = sum(not all(edge.certain for edge in reached.path(kernel)) for kernel in found)
    share = "" if len(found) == 1 else "all " if doubtful == len(found) else f"{doubtful} of them "
    libraries = " and ".join(sorted({node.detail for node in reached.libraries()}))
    counted = _count(len(kernels), "kernel") if kernels else ""
    both = " and kernels of ".join(part for part in (counted, libraries) if part)
    told = both if kernels else f"kernels of {both}"
    return told + (f", {share}through hops marked ?" if doubtful else "")


def instead(reached: Reached, missing: list[Gap]) -> str:
    """In what the calls end that reach no kernel of the workspace, in words."""
    met = ends(missing, reached)
    if CPU in met:
        return "no kernel: it runs on the CPU"
    if met == [HOST]:
        return "no kernel: as far as its calls can be followed it runs on the host"
    libraries = [library for library in met if library != "PyTorch"]
    parts = [f"{_listed(libraries)} outside of the workspace"] if libraries else []
    communication = (node.name for node in reached.via if node.kind is NodeKind.COLLECTIVE)
    if collectives := sorted({name.rpartition(".")[2] for name in communication}):
        parts.append(f"collectives: {_listed(collectives)}")
    if met and not parts:
        parts.append("PyTorch's own operators")
    return f"no kernel of the workspace, but {' and '.join(parts)}" if parts else "no kernel that could be found"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")


def _line(lead: str, node: Node, edge: Edge | None, options: ViewOptions) -> Line:
    mark = "? " if edge is not None and not edge.certain else ""
    text = lead + mark + describe(node)
    place = node.location
    if place is None and edge is not None and node.kind is not NodeKind.MISSING:
        place = edge.location
    room = options.width - MARGIN
    if place is not None and len(text) > room > 10:
        text = text[: room - 1] + "…"
    return Line(text, place)


def _leaves(reached: Reached) -> list[Node]:
    inner = {edge.source for edge in reached.via.values()}
    shown = (node for node in reached.via if node.kind not in (NodeKind.ARGUMENT, NodeKind.CONFIG))
    return [node for node in shown if node not in inner][:20]


def _tops(reached: Reached) -> list[Node]:
    """Callers that nothing else among the callers leads to."""
    lower = {edge.target for edge in reached.via.values()}
    return [node for node in reached.via if node not in lower]


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"
