"""The picture of a graph, or any picture in characters, as SVG: the same places, drawn as shapes.

Colours are taken from the page (`currentColor`), so that the picture fits light and dark ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from kernelscope.diagrams.canvas import DOWN, LEFT, RIGHT, UP, Arrow, Canvas, Frame
from kernelscope.diagrams.cells import display_width
from kernelscope.diagrams.fit import lay_out
from kernelscope.diagrams.model import Border, Graph

_X, _Y = 8, 16
"""A cell in pixels."""
_FONT = 'font-family="monospace" font-size="13.33" fill="currentColor"'
_TIPS = {DOWN: ((-4, -6), (4, -6)), UP: ((-4, 6), (4, 6)), RIGHT: ((-6, -4), (-6, 4)), LEFT: ((6, -4), (6, 4))}


def to_svg(graph: Graph, width: int = 100) -> str:
    """The graph drawn as characters would be in `width` columns, as one SVG element."""
    laid_out = lay_out(graph, width)
    canvas = laid_out.canvas
    left, top, right, bottom = canvas.bounds()
    shift_x, shift_y = 1 - left, (3 if graph.title else 1) - top
    shapes = [_frame(frame) for frame in canvas.frames]
    shapes += _wires(canvas)
    shapes += [_arrow(arrow) for arrow in canvas.arrows]
    shapes += [_text(word.x, word.y, word.text) for word in canvas.words]
    columns = max([right - left + 3, len(graph.title) + 2, *(len(text) + 2 for text in laid_out.legend)])
    parts = [_title(graph.title, columns)] if graph.title else []
    parts.append(f'<g transform="translate({shift_x * _X} {shift_y * _Y})">{"".join(shapes)}</g>')
    first = bottom + shift_y + 2
    parts += [_text(1, first + row, text) for row, text in enumerate(laid_out.legend)]
    return _element(columns, first + len(laid_out.legend), parts)


def text_svg(rows: Iterable[str]) -> str:
    """Characters as they are, for pictures that are not graphs."""
    lines = list(rows)
    texts = [_text(1, number, line) for number, line in enumerate(lines)]
    return _element(max(map(display_width, lines), default=0) + 2, len(lines), texts)


def _element(columns: int, rows: int, parts: Iterable[str]) -> str:
    size = f'width="{columns * _X}" height="{rows * _Y}" viewBox="0 0 {columns * _X} {rows * _Y}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {_FONT} stroke-width="1">{"".join(parts)}</svg>'


def _title(title: str, columns: int) -> str:
    return f'<text x="{columns * _X // 2}" y="{_Y}" text-anchor="middle" font-weight="bold">{escape(title)}</text>'


def _text(column: int, row: int, text: str) -> str:
    return f'<text x="{column * _X}" y="{row * _Y + 12}" xml:space="preserve">{escape(text)}</text>'


def _frame(frame: Frame) -> str:
    """A rectangle; a title stands in a gap of its top."""
    if frame.border is Border.NONE:
        return ""
    left, top = _middle(frame.x, frame.y)
    right, bottom = _middle(frame.x + frame.width - 1, frame.y + frame.height - 1)
    first = frame.title_at * _X if frame.title else left
    last = (frame.title_at + len(frame.title)) * _X if frame.title else left
    way = f"M{last} {top}H{right}V{bottom}H{left}V{top}{f'H{first}' if frame.title else 'Z'}"
    kind = f" class={quoteattr(frame.kind)}" if frame.kind else ""
    thick = ' stroke-width="3"' if frame.border is Border.DOUBLE else ""
    return f'<path d="{way}" stroke="currentColor" fill="none"{thick}{kind}/>'


def _wires(canvas: Canvas) -> Iterator[str]:
    """Lines, each drawn once, and a dot where lines join."""
    drawn = dict.fromkeys((w.x0, w.y0, w.x1, w.y1) for w in canvas.wires if (w.x0, w.y0) != (w.x1, w.y1))
    for x0, y0, x1, y1 in drawn:
        start, end = _middle(x0, y0), _middle(x1, y1)
        yield f'<path d="M{start[0]} {start[1]}L{end[0]} {end[1]}" stroke="currentColor" fill="none"/>'
    for x, y in canvas.joins():
        cx, cy = _middle(x, y)
        yield f'<circle cx="{cx}" cy="{cy}" r="2"/>'


def _arrow(arrow: Arrow) -> str:
    """A head whose tip is at the border in the next cell."""
    stem = _middle(arrow.x, arrow.y)
    x, y = stem
    x += {RIGHT: _X, LEFT: -_X}.get(arrow.direction, 0)
    y += {DOWN: _Y, UP: -_Y}.get(arrow.direction, 0)
    (ax, ay), (bx, by) = _TIPS[arrow.direction]
    return f'<path d="M{stem[0]} {stem[1]}L{x} {y}L{x + ax} {y + ay}L{x + bx} {y + by}L{x} {y}" stroke="currentColor"/>'


def _middle(x: int, y: int) -> tuple[int, int]:
    return x * _X + _X // 2, y * _Y + _Y // 2
