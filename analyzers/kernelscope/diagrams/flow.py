"""`draw`: a graph as a picture in characters, no wider than asked where that is possible."""

from __future__ import annotations

from kernelscope.diagrams.cells import centre, display_width, to_ascii
from kernelscope.diagrams.containers import Nest
from kernelscope.diagrams.labels import Legend
from kernelscope.diagrams.level import Style
from kernelscope.diagrams.model import Charset, Direction, Drawing, Graph, Region


def draw(graph: Graph, *, width: int = 100, charset: Charset = Charset.UNICODE) -> Drawing:
    """The picture of a graph. One that cannot be drawn in `width` columns is wider and says so."""
    legend = Legend()
    canvas, _, _ = Nest.of(graph).draw("", Style(turned=graph.direction is Direction.RIGHT), legend)
    rows, regions = canvas.render()
    widest = max(map(display_width, rows), default=0)
    head = (
        [centre(line, widest).rstrip() for line in (graph.title, "=" * display_width(graph.title))]
        if graph.title
        else []
    )
    above = [*head, ""] if head else []
    below = ["", *legend.rows()] if legend.marks else []
    moved = tuple(Region(r.row + len(above), r.column, r.width, r.key) for r in regions)
    text = "\n".join([*above, *rows, *below])
    widest = max(map(display_width, text.split("\n")))
    return Drawing(to_ascii(text) if charset is Charset.ASCII else text, moved, widest, widest > width)
