"""The dataflow of a module, layer or function as a picture: what is computed from what, with shapes on the edges.

The picture itself is a `flow_chart`; here it is made to fit, and told with what was recognised and what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.parts import Part, parts
from kernelscope.explain.document import Block, Diagram, Document, Heading, Line, Paragraph
from kernelscope.explain.flow_boxes import MAX_BOXES
from kernelscope.explain.flow_chart import Chart
from kernelscope.explain.flow_gaps import gaps
from kernelscope.explain.targets import PythonTarget, function_of
from kernelscope.explain.traced import guesses, traced
from kernelscope.interp.findings import Seen
from kernelscope.results import Span, Target, UserError, ViewOptions
from kernelscope.workspace.workspace import Workspace

FEWER_BOXES = (MAX_BOXES // 2, MAX_BOXES // 4)
"""Calls are opened as long as there are no more boxes than this where the picture is too dense otherwise."""
QUIET = ("elementwise", "repeat")
"""Patterns that boxes show well enough."""


def dataflow(
    workspace: Workspace, found: PythonTarget, callers: Mapping[Span, Seen], options: ViewOptions, target: Target
) -> Document:
    """The picture of one function. Raises UserError when no tensor goes through it."""
    found = function_of(workspace, found)
    flow = traced(workspace, found, callers, options)
    chart = Chart(workspace, flow, options)
    if not chart.boxes:
        chart = Chart(workspace, flow, options, of_views=True)
    if not chart.boxes:
        raise UserError(f"no tensor operation is found in {found.title}")
    pictures, shut = parts(chart.graph(), options.width), list[str]()
    whole = (chart, pictures)
    for limit in FEWER_BOXES if not options.depth else ():
        if not _are_crowded(pictures, options.width):
            break
        fewer = Chart(workspace, flow, options, limit)
        if len(fewer.boxes) < len(chart.boxes):
            chart, pictures = fewer, parts(fewer.graph(), options.width)
            shut = ["calls stay shut where the picture would be too dense with what is in them; a depth opens them"]
    if _are_too_wide(pictures, options.width) and not options.depth:
        first = Chart(workspace, flow, options, FEWER_BOXES[-1], of_first=True)
        if first.boxes and not _are_too_wide(alone := parts(first.graph(), options.width), options.width):
            chart, pictures, whole = first, alone, (first, alone)
            shut = ["only the first input is drawn: there are more than the picture has room for"]
    if _are_crowded(pictures, options.width) and not _are_too_wide(whole[1], options.width):
        (chart, pictures), shut = whole, []  # what stays crowded shows at least what is inside
    places = chart.places()
    blocks: list[Block] = []
    for part in pictures:
        blocks += [*([Heading(part.title)] if part.title else []), Diagram(part.graph, places)]
    if legend := chart.names.legend(chart.texts):
        blocks.append(Paragraph((Line(" · ".join(legend)),)))
    if clues := list(_pattern_lines(chart)):
        blocks += [Heading("Recognised"), Paragraph(tuple(clues))]
    if lost := gaps(chart):
        blocks += [Heading("Not followed"), Paragraph(tuple(lost))]
    steps = () if flow.trace.complete else ("the function takes too many steps; what was reached is shown",)
    return Document(f"Dataflow of {found.title}", tuple(blocks), "dataflow", target, (*steps, *shut, *guesses(flow)))


def _are_too_wide(pictures: list[Part], width: int) -> bool:
    return any(draw(part.graph, width=width).overflow for part in pictures)


def _are_crowded(pictures: list[Part], width: int) -> bool:
    return _are_too_wide(pictures, width) or any(draw(part.graph, width=width).is_narrow for part in pictures)


def _pattern_lines(chart: Chart) -> Iterator[Line]:
    """What was recognised, once for each place of the code that makes it so, with the evidence."""
    told: set[object] = set()
    whole = {outer for node, pattern in chart.patterns.items() if pattern.is_whole for outer in node.ancestors()}
    for node, pattern in sorted(chart.patterns.items(), key=lambda found: (found[1].is_part, not found[0].step.name)):
        if pattern.kind in QUIET or not any(n in chart.boxes_live for n in node.leaves()):
            continue
        if node in whole and any(p.kind == pattern.kind for n, p in chart.patterns.items() if node in n.ancestors()):
            continue
        key = (pattern.title, pattern.traits, tuple(chart.labels.place(clue.node) for clue in pattern.clues))
        if key in told:
            continue
        told.add(key)
        traits = f" ({', '.join(pattern.traits)})" if pattern.traits else ""
        name = f"{'in ' * pattern.is_part}{node.step.name}: " if node.step.name else ""
        yield Line(f"{name}{pattern.title}{traits}", chart.labels.place(node))
        for clue in pattern.clues:
            yield Line(f"    {clue.text}", chart.labels.place(clue.node))
