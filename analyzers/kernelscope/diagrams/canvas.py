"""The grid on which a picture is drawn: lines join by net, text never overwrites, glyphs are looked up at the end.

A cell keeps, for each net, which of its four arms are drawn. Nets that only pass each other draw a bridge (`─│─`), so
a junction glyph always means a join. Coordinates are integers, one cell a character. A canvas that is turned swaps
rows and columns of all that is drawn on it, which makes a picture that runs down run right.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from kernelscope.diagrams.cells import display_width, to_cells
from kernelscope.diagrams.model import Border, Region

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_VERTICAL, _HORIZONTAL = UP | DOWN, LEFT | RIGHT
_TURNED = {UP: LEFT, DOWN: RIGHT, LEFT: UP, RIGHT: DOWN}
_GLYPHS = {
    0: " ",
    UP: "│", DOWN: "│", UP | DOWN: "│", LEFT: "─", RIGHT: "─", LEFT | RIGHT: "─",
    DOWN | RIGHT: "┌", DOWN | LEFT: "┐", UP | RIGHT: "└", UP | LEFT: "┘",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", DOWN | LEFT | RIGHT: "┬", UP | LEFT | RIGHT: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
}  # fmt: skip
ARROWS = {UP: "▲", DOWN: "▼", LEFT: "◄", RIGHT: "►"}
_DOUBLE = str.maketrans("┌┐└┘─│", "╔╗╚╝═║")

Net = Hashable
BORDER: Net = "border"
"""The net of frames: a line that meets a frame is never a bridge."""


@dataclass(frozen=True, slots=True)
class Word:
    """Text that stands somewhere on a canvas, and the key that it is about."""

    x: int
    y: int
    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle, kept for exports that draw shapes; a title is in its top border."""

    x: int
    y: int
    width: int
    height: int
    border: Border
    key: str
    kind: str
    title: str = ""
    title_at: int = 0


@dataclass(frozen=True, slots=True)
class Wire:
    """A straight line of a net between two cells."""

    x0: int
    y0: int
    x1: int
    y1: int
    net: Net


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrowhead in a cell, and where it points."""

    x: int
    y: int
    direction: int


@dataclass(slots=True)
class Canvas:
    """Cells, and the shapes they were drawn from. Shapes and cells are as they are seen, whatever the turn."""

    turned: bool = False
    words: list[Word] = field(default_factory=list[Word])
    frames: list[Frame] = field(default_factory=list[Frame])
    wires: list[Wire] = field(default_factory=list[Wire])
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    _arms: dict[tuple[int, int], dict[Net, int]] = field(default_factory=dict[tuple[int, int], dict[Net, int]])
    _text: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    _double: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    def seen(self, x: int, y: int) -> tuple[int, int]:
        """Where a cell is in the picture."""
        return (y, x) if self.turned else (x, y)

    def wire(self, x0: int, y0: int, x1: int, y1: int, net: Net) -> None:
        """A straight line from cell to cell; a line of one cell draws nothing."""
        (x0, y0), (x1, y1) = self.seen(x0, y0), self.seen(x1, y1)
        self.wires.append(Wire(x0, y0, x1, y1, net))
        self._line(x0, y0, x1, y1, net)

    def _line(self, x0: int, y0: int, x1: int, y1: int, net: Net) -> None:
        if x0 == x1:
            low, high = sorted((y0, y1))
            for y in range(low, high + 1):
                self._arm(x0, y, (DOWN if y < high else 0) | (UP if y > low else 0), net)
        elif y0 == y1:
            low, high = sorted((x0, x1))
            for x in range(low, high + 1):
                self._arm(x, y0, (RIGHT if x < high else 0) | (LEFT if x > low else 0), net)
        else:
            raise ValueError(f"a wire is straight: {x0, y0} to {x1, y1}")

    def _arm(self, x: int, y: int, arms: int, net: Net) -> None:
        if arms:
            nets = self._arms.setdefault((x, y), {})
            nets[net] = nets.get(net, 0) | arms

    def arrow(self, x: int, y: int, direction: int) -> None:
        """An arrowhead; `direction` is as the layout sees it."""
        direction = _TURNED[direction] if self.turned else direction
        x, y = self.seen(x, y)
        self.arrows.append(Arrow(x, y, direction))
        self._put(x, y, ARROWS[direction])

    def frame(
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        border: Border,
        key: str,
        kind: str = "",
        title: str = "",
        at: int = 0,
    ) -> None:
        """The frame of a box or a group; a title stands in the top border, from its column `at` on."""
        x, y = self.seen(x, y)
        width, height = self.seen(width, height)
        self.frames.append(Frame(x, y, width, height, border, key, kind, title, x + at))
        if title:
            self.write(x + at, y, title, key)
        if border is Border.NONE:
            return
        right, bottom = x + width - 1, y + height - 1
        for line in ((x, y, right, y), (x, bottom, right, bottom), (x, y, x, bottom), (right, y, right, bottom)):
            self._line(*line, BORDER)
        if border is Border.DOUBLE:
            self._double |= {(c, r) for c in range(x, right + 1) for r in (y, bottom)}
            self._double |= {(c, r) for c in (x, right) for r in range(y, bottom + 1)}

    def port(self, x: int, y: int) -> None:
        """The mark of a line that enters a frame."""
        self._put(*self.seen(x, y), ARROWS[RIGHT if self.turned else DOWN])

    def write(self, x: int, y: int, text: str, key: str) -> None:
        """A word of text at a place as it is seen. Text over text is a fault of the layout and raises."""
        self.words.append(Word(x, y, text, key))
        self._put(x, y, text)

    def _put(self, x: int, y: int, text: str) -> None:
        for offset, cell in enumerate(to_cells(text)):
            if (x + offset, y) in self._text:
                raise ValueError(f"text overlaps at {x + offset, y}: {text!r}")
            self._text[x + offset, y] = cell

    def is_free(self, x: int, y: int, width: int, margin: int = 1) -> bool:
        """Whether nothing is drawn in a stretch of one row, nor within `margin` cells of it."""
        cells = [(c, y) for c in range(x - margin, x + width + margin)]
        return all(cell not in self._text and cell not in self._arms for cell in cells)

    def paste(self, other: Canvas, x: int, y: int) -> None:
        """All of another canvas, its origin at a cell of this one. Nets keep their names."""
        dx, dy = self.seen(x, y)
        for (cx, cy), nets in other._arms.items():
            for net, arms in nets.items():
                self._arm(cx + dx, cy + dy, arms, net)
        self._text.update({(cx + dx, cy + dy): text for (cx, cy), text in other._text.items()})
        self._double |= {(cx + dx, cy + dy) for cx, cy in other._double}
        self.words += [Word(w.x + dx, w.y + dy, w.text, w.key) for w in other.words]
        self.frames += [
            replace(frame, x=frame.x + dx, y=frame.y + dy, title_at=frame.title_at + dx) for frame in other.frames
        ]
        self.wires += [Wire(w.x0 + dx, w.y0 + dy, w.x1 + dx, w.y1 + dy, w.net) for w in other.wires]
        self.arrows += [Arrow(a.x + dx, a.y + dy, a.direction) for a in other.arrows]

    def bounds(self) -> tuple[int, int, int, int]:
        """The first and last column and row that hold anything, as they are seen."""
        cells = [*self._arms, *self._text]
        columns, rows = [x for x, _ in cells], [y for _, y in cells]
        return min(columns, default=0), min(rows, default=0), max(columns, default=0), max(rows, default=0)

    def joins(self) -> list[tuple[int, int]]:
        """The cells in which lines of a picture join."""
        return [c for c, nets in self._arms.items() if BORDER not in nets and self._glyph(c) in "├┤┬┴┼"]

    def _glyph(self, cell: tuple[int, int]) -> str:
        nets = self._arms[cell]
        union, bridge = 0, BORDER not in nets
        for arms in nets.values():
            union |= arms
            bridge = bridge and not (arms & _VERTICAL and arms & _HORIZONTAL)
        if bridge and union == _VERTICAL | _HORIZONTAL:
            return "│"
        glyph = _GLYPHS[union]
        return glyph.translate(_DOUBLE) if cell in self._double else glyph

    def render(self) -> tuple[list[str], list[Region]]:
        """The rows of text from the top left corner of what was drawn, and the regions of its words in them."""
        left, top, right, bottom = self.bounds()
        grid = [[" "] * (right - left + 1) for _ in range(top, bottom + 1)]
        for x, y in self._arms:
            grid[y - top][x - left] = self._glyph((x, y))
        for (x, y), text in self._text.items():
            grid[y - top][x - left] = text
        rows = ["".join(cells) for cells in grid]
        regions: list[Region] = []
        for word in sorted((word for word in self.words if word.key), key=lambda word: (word.y, word.x)):
            row, column = word.y - top, word.x - left
            if len(rows[row]) != right - left + 1:
                column = sum(map(len, grid[row][:column]))
            regions.append(Region(row, column, len(word.text), word.key))
        return [row.rstrip() for row in rows], regions

    @property
    def width(self) -> int:
        left, _, right, _ = self.bounds()
        return right - left + 1


def text_width(lines: tuple[str, ...]) -> int:
    """Cells of the longest of some lines."""
    return max(map(display_width, lines), default=0)
