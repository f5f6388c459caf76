"""The Document: what every deliverable returns, as blocks of plain data whose lines know their source.

Knows nothing of formats; `explain/render.py` turns a document into text, Markdown, Mermaid, SVG or JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernelscope.diagrams.model import Graph
from kernelscope.results import Location, Target


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and the place in source that it speaks of."""

    text: str
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose lines; each is kept as it is and wrapped at the asked width."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Pseudocode or source, shown in a fixed-width block; `language` tags the fence."""

    lines: tuple[Line, ...]
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under column titles. A cell's location makes it a link."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]

    def without(self, column: str, *silent: str) -> Table:
        """The table without a column that says nothing but such words."""
        at = self.columns.index(column)
        if any(row[at].text not in silent for row in self.rows):
            return self
        return Table(self.columns[:at] + self.columns[at + 1 :], tuple(r[:at] + r[at + 1 :] for r in self.rows))


@dataclass(frozen=True, slots=True)
class CardRow:
    """One field of a card with its lines; `none` is written out, never left away."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Fields and values of one thing, such as a kernel."""

    rows: tuple[CardRow, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture, in characters from its top left corner, that stands for a place in source."""

    row: int
    column: int
    width: int
    height: int
    location: Location


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing in characters, with the regions that link back to source."""

    text: str
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagram:
    """A graph, drawn by whoever shows the document: in characters as wide as asked, as Mermaid or as SVG.

    `places` are the places in source that its boxes and groups stand for, by key.
    """

    graph: Graph
    places: Mapping[str, Location] = field(default_factory=dict[str, Location])


Block = Heading | Paragraph | Code | Table | Card | Picture | Diagram


@dataclass(frozen=True, slots=True)
class Document:
    """A deliverable: a title, what it is about, and its blocks."""

    title: str
    blocks: tuple[Block, ...]
    kind: str = ""
    target: Target | None = None
    notes: tuple[str, ...] = field(default_factory=tuple[str, ...])
    """What could not be told and why; shown at the end."""
