"""`draw`: a graph as a picture in characters, no wider than asked where that is possible."""

from __future__ import annotations

from functools import lru_cache

from kernelscope.diagrams.cells import centre, display_width, to_ascii, wrap_cells
from kernelscope.diagrams.fit import lay_out
from kernelscope.diagrams.model import Charset, Drawing, Graph, Region


@lru_cache(maxsize=16)
def draw(graph: Graph, *, width: int = 100, charset: Charset = Charset.UNICODE) -> Drawing:
    """The picture of a graph. One that cannot be drawn in `width` columns is wider and says so."""
    if not graph.boxes:
        return Drawing(graph.title, width=display_width(graph.title), overflow=display_width(graph.title) > width)
    layout = lay_out(graph, width)
    rows, regions = layout.canvas.render()
    above = _heading(graph.title, max(map(display_width, rows)))
    moved = tuple(Region(r.row + len(above), r.column, r.width, r.key) for r in regions)
    below = [row for line in (*layout.legend, *layout.remarks) for row in _wrapped(line, width)]
    text = "\n".join([*above, *rows, *(["", *below] if below else [])])
    widest = max(map(display_width, text.split("\n")))
    shown = to_ascii(text) if charset is Charset.ASCII else text
    return Drawing(shown, moved, widest, widest > width, tuple(layout.remarks), layout.is_cramped, layout.is_narrow)


def _wrapped(line: str, width: int) -> list[str]:
    """A line below the picture in rows of the picture's width, all but the first indented."""
    first, *more = wrap_cells(line, width)
    return [first, *(f"    {row}" for row in wrap_cells(" ".join(more), max(8, width - 4)) if row)]


def _heading(title: str, width: int) -> list[str]:
    """The title in the middle of a picture, underlined."""
    if not title:
        return []
    return [centre(title, width).rstrip(), centre("=" * display_width(title), width).rstrip(), ""]
