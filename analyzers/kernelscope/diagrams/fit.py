"""The width ladder: a graph is drawn ever more closely until it fits, and never cut.

From loose to close: alike siblings left out, long notes, names and labels broken or told in the legend, notes inside
their boxes, wide layers continued below, frames told as notes. A picture that fits in no way is the narrowest of them,
and says that it is too wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from kernelscope.diagrams.canvas import Canvas
from kernelscope.diagrams.containers import Nest
from kernelscope.diagrams.fold import (
    close_groups,
    with_notes_inside,
    with_short_lines,
    with_short_notes,
    without_middle_siblings,
    without_plain_groups,
)
from kernelscope.diagrams.labels import Legend
from kernelscope.diagrams.level import Style
from kernelscope.diagrams.model import Direction, Graph


@dataclass(slots=True)
class Layout:
    """A drawn canvas, with the rows that belong below it."""

    canvas: Canvas
    legend: list[str]
    remarks: list[str] = field(default_factory=list[str])
    is_cramped: bool = False
    """Whether lines of boxes are broken more than reads well, or frames had to go."""
    is_narrow: bool = False
    """Whether boxes are so narrow that words are broken."""


def lay_out(graph: Graph, width: int) -> Layout:
    """The loosest layout of a graph that is at most `width` columns wide, else the narrowest.

    A closer rung is hardly ever wider, so that the first that fits is sought by halves: a large graph is drawn four or
    five times and not once for every rung.
    """
    attempts = list(_attempts(close_groups(graph), width))
    loosest = attempts[0]()
    if loosest.canvas.width <= width or len(attempts) == 1:
        return loosest
    fitting: Layout | None = None
    narrowest = loosest
    low, high = 1, len(attempts)
    while low < high:
        middle = (low + high) // 2
        drawn = attempts[middle]()
        if drawn.canvas.width <= width:
            fitting, high = drawn, middle
        else:
            low = middle + 1
        if drawn.canvas.width < narrowest.canvas.width:
            narrowest = drawn
    return fitting or narrowest


@dataclass(frozen=True, slots=True)
class _Rung:
    """How closely a picture is drawn: the longest note beside a box (0: notes go inside), line of a box and label, the
    gap between boxes, and the share of the width that a layer may take before it goes on below (0: all it needs)."""

    note: int
    line: int
    label: int
    gap: int = 3
    share: float = 0

    def style(self, width: int) -> Style:
        return Style(self.gap, self.gap, int(width * self.share) if self.share else None)


_BROKEN = 20
"""Lines of boxes of at most so many cells are cramped."""
_NARROW = 16
"""Few words go on a line of at most so many cells."""
_UNFRAMED = 6
"""The rung from which frames are left out when with them the picture fits nowhere."""
_LADDER = (
    _Rung(note=32, line=40, label=36),
    _Rung(note=24, line=32, label=28),
    _Rung(note=18, line=24, label=24),
    _Rung(note=0, line=28, label=24),
    _Rung(note=0, line=24, label=20),
    _Rung(note=0, line=24, label=20, share=1),
    _Rung(note=0, line=24, label=20, share=0.75),
    _Rung(note=0, line=20, label=16, share=0.6, gap=2),
    _Rung(note=0, line=20, label=3, share=0.5, gap=2),
    _Rung(note=0, line=16, label=3, share=0.5, gap=2),
    _Rung(note=0, line=12, label=3, share=0.33, gap=2),
    _Rung(note=0, line=12, label=3, share=0.1, gap=2),
    _Rung(note=0, line=10, label=3, share=0.2, gap=1),
)


def _attempts(graph: Graph, width: int) -> Iterator[Callable[[], Layout]]:
    """Layouts from loose to close, each drawn when it is asked for."""
    if graph.direction is Direction.RIGHT:
        yield partial(_drawn, with_notes_inside(graph), Style(gap=1, bend_gap=1, turned=True))
    yield partial(_drawn, graph, Style())
    graph, remarks = without_middle_siblings(graph)
    if remarks:
        yield partial(_drawn, graph, Style(), remarks)
    for rung in _LADDER:
        yield partial(_drawn_closer, graph, rung, rung.style(width), remarks)
    unframed, more = without_plain_groups(graph)
    for rung in _LADDER[_UNFRAMED:] if more else ():
        yield partial(_drawn_closer, unframed, rung, rung.style(width), [*remarks, *more], True)


def _drawn_closer(graph: Graph, rung: _Rung, style: Style, remarks: list[str], unframed: bool = False) -> Layout:
    shorter = with_short_notes(graph, rung.note) if rung.note else with_notes_inside(graph)
    layout = _drawn(with_short_lines(shorter, rung.line), style, remarks, rung.label)
    return replace(layout, is_cramped=unframed or rung.line <= _BROKEN, is_narrow=rung.line <= _NARROW)


def _drawn(graph: Graph, style: Style, remarks: list[str] | None = None, longest_label: int = 1000) -> Layout:
    legend = Legend(longest_label, most=len({edge.label for edge in graph.edges}) + len(graph.groups))
    graph = replace(graph, direction=Direction.RIGHT if style.turned else Direction.DOWN)
    canvas, _, _ = Nest.of(graph).draw("", style, legend)
    return Layout(canvas, legend.rows(), remarks or [])
