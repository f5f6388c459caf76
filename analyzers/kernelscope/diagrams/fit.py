"""The width ladder: a graph is drawn ever more closely until it fits, and never cut.

From loose to close: alike siblings left out, notes inside their boxes, wide layers continued below, long labels in
the legend, long names broken. A picture that fits in no way is the narrowest of them and says that it is too wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kernelscope.diagrams.canvas import Canvas
from kernelscope.diagrams.containers import Nest
from kernelscope.diagrams.fold import close_groups, with_notes_inside, with_short_lines, without_middle_siblings
from kernelscope.diagrams.labels import Legend
from kernelscope.diagrams.level import Style
from kernelscope.diagrams.model import Direction, Graph


@dataclass(slots=True)
class Layout:
    """A drawn canvas, with the rows that belong below it."""

    canvas: Canvas
    legend: list[str]
    remarks: list[str] = field(default_factory=list[str])


def lay_out(graph: Graph, width: int) -> Layout:
    """The loosest layout of a graph that is at most `width` columns wide, else the narrowest."""
    narrowest: Layout | None = None
    for attempt in _attempts(close_groups(graph), width):
        if attempt.canvas.width <= width:
            return attempt
        if narrowest is None or attempt.canvas.width < narrowest.canvas.width:
            narrowest = attempt
    assert narrowest is not None
    return narrowest


def _attempts(graph: Graph, width: int) -> Iterator[Layout]:
    """Layouts from loose to close."""
    if graph.direction is Direction.RIGHT:
        yield _drawn(with_notes_inside(graph), Style(gap=1, bend_gap=1, turned=True))
    yield _drawn(graph, Style())
    graph, remarks = without_middle_siblings(graph)
    if remarks:
        yield _drawn(graph, Style(), remarks)
    graph = with_notes_inside(graph)
    yield _drawn(graph, Style(gap=3), remarks)
    yield _drawn(graph, Style(gap=3, room=width), remarks)
    yield _drawn(with_short_lines(graph, 24), Style(gap=3, room=width * 3 // 4), remarks, 20)
    for room, line in ((width * 3 // 5, 20), (width // 2, 16), (width // 3, 12), (8, 12)):
        yield _drawn(with_short_lines(graph, line), Style(gap=2, bend_gap=2, room=room), remarks, 3)


def _drawn(graph: Graph, style: Style, remarks: list[str] | None = None, longest_label: int = 1000) -> Layout:
    legend = Legend(longest_label)
    graph = replace(graph, direction=Direction.RIGHT if style.turned else Direction.DOWN)
    canvas, _, _ = Nest.of(graph).draw("", style, legend)
    return Layout(canvas, legend.rows(), remarks or [])
