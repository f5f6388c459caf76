"""A Document as text with links, as Markdown, Mermaid, SVG or JSON.

Text is what the editor and the terminal show: links are positions in it, so that a click finds its source.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kernelscope.diagrams.cells import display_width, to_ascii
from kernelscope.diagrams.flow import draw
from kernelscope.diagrams.graph_json import graph_json
from kernelscope.diagrams.mermaid import to_mermaid as graph_mermaid
from kernelscope.diagrams.svg import text_svg
from kernelscope.diagrams.svg import to_svg as graph_svg
from kernelscope.diagrams.table import Cell, table
from kernelscope.explain import document as d
from kernelscope.results import Location

ROWS_OF_ONE = 3
"""Words of one key are those of one box where there are no more rows between them: its lines, and what leaves it."""
_FRAME = " ─═│║┌┐└┘├┤┬┴┼╔╗╚╝╞╡╪╭╮╰╯┄┆╌╎▼▲►◄-|+"
"""What boxes are drawn with, and the blanks around their words."""


@dataclass(frozen=True, slots=True)
class TextLink:
    """A range of one row of the rendered text (columns in characters) that leads to a place in source."""

    row: int
    column: int
    end_column: int
    location: Location


@dataclass(slots=True)
class Rendered:
    """The text and the links in it, sorted by place."""

    text: str
    links: list[TextLink] = field(default_factory=list[TextLink])


def to_text(document: d.Document, width: int = 100, charset: str = "unicode") -> Rendered:
    """The document as plain text of at most `width` columns where its content allows."""
    writer = _Writer(width, document.target.path if document.target is not None else None)
    writer.title(document.title)
    for block in document.blocks:
        writer.block(block)
    for note in document.notes:
        writer.paragraph([d.Line(f"· {note}")])
    text = "\n".join(writer.rows).rstrip("\n") + "\n"
    return Rendered(to_ascii(text) if charset == "ascii" else text, writer.links)


class _Writer:
    """Collects rows of text and the links in them."""

    def __init__(self, width: int, home: Path | None) -> None:
        self.width, self.home = width, home
        self.rows: list[str] = []
        self.links: list[TextLink] = []

    def link(self, column: int, text: str, location: Location) -> None:
        self.links.append(TextLink(len(self.rows), column, column + len(text), location))

    def gap(self) -> None:
        if self.rows and self.rows[-1]:
            self.rows.append("")

    def title(self, text: str) -> None:
        self.rows += [text, "=" * display_width(text), ""]

    def block(self, block: d.Block) -> None:
        self.gap()
        match block:
            case d.Heading():
                self.heading(block)
            case d.Paragraph():
                self.paragraph(block.lines)
            case d.Code():
                self.code(block)
            case d.Table():
                self.table(block)
            case d.Card():
                self.card(block)
            case d.Picture():
                self.picture(block)
            case d.Diagram():
                self.picture(drawn(block, self.width))

    def heading(self, block: d.Heading) -> None:
        text = block.text
        if block.location is not None:
            mark = str(block.location)
            self.link(len(text) + 2, mark, block.location)
            self.rows.append(f"{text}  {mark}")
        else:
            self.rows.append(text)
        self.rows.append("-" * display_width(text))

    def paragraph(self, lines: Iterable[d.Line]) -> None:
        for line in lines:
            indent = _hanging_indent(line.text)
            wrapped = textwrap.wrap(
                line.text, self.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            ) or [""]
            mark = f"  {line.location}" if line.location else ""
            if len(wrapped[-1]) + len(mark) > self.width:
                wrapped.append(indent[2:])
            self.rows += wrapped[:-1]
            self.located(wrapped[-1], line.location, mark)

    def located(self, text: str, location: Location | None, mark: str) -> None:
        if location is not None and mark:
            self.link(len(text) + len(mark) - len(mark.lstrip()), mark.lstrip(), location)
        self.rows.append(text + mark)

    def code(self, block: d.Code) -> None:
        """Places in the source stand in one column right of the code."""
        longest = max((display_width(line.text) for line in block.lines if line.location), default=0)
        mark = _place_marks(block, self.home)
        widest = max((len(mark(line.location)) for line in block.lines if line.location), default=0)
        column = min(longest, self.width - max(6, widest) - 2)
        for line in block.lines:
            if line.location is None:
                self.rows.append(line.text)
                continue
            pad = " " * max(2, column - display_width(line.text) + 2)
            self.located(line.text, line.location, pad + mark(line.location))

    def table(self, block: d.Table) -> None:
        """A cell's key says its row and column, so that its place in the source is found again."""
        cells = [
            [Cell(cell.text, f"{row} {column}" if cell.location else "") for column, cell in enumerate(line)]
            for row, line in enumerate(block.rows)
        ]
        top, panel = len(self.rows), table(block.columns, cells, self.width)
        for region in panel.regions:
            row, column = map(int, region.key.split())
            location = block.rows[row][column].location
            if location is not None:
                end = region.column + region.width
                self.links.append(TextLink(top + region.row, region.column, end, location))
        self.rows += panel.rows

    def card(self, block: d.Card) -> None:
        left = max((len(row.name) for row in block.rows), default=0)
        room = max(30, self.width - left - 2)
        for row in block.rows:
            label = row.name
            for line in row.lines or (d.Line("none"),):
                wrapped = textwrap.wrap(line.text, room, break_long_words=False, break_on_hyphens=False) or [""]
                for text, link in zip(wrapped, _card_links(wrapped, line.location), strict=True):
                    prefix = f"{label:<{left}}  "
                    label = ""
                    if line.location is not None and link is not None:
                        self.link(len(prefix) + link[0], text[link[0] : link[1]], line.location)
                    self.rows.append((prefix + text).rstrip())

    def picture(self, block: d.Picture) -> None:
        """A region's links are the words in it: editors underline links, and a frame is no word."""
        top, rows = len(self.rows), block.text.split("\n")
        for region in block.regions:
            for row in range(region.row, min(region.row + region.height, len(rows))):
                inside = rows[row][region.column : region.column + region.width]
                words = inside.strip(_FRAME)
                if words:
                    column = region.column + inside.index(words)
                    self.links.append(TextLink(top + row, column, column + len(words), region.location))
        self.rows += rows


def _card_links(rows: list[str], location: Location | None) -> list[tuple[int, int] | None]:
    """What of each row of a claim is its link: the place `L12` where the claim names it, else its words."""
    if location is None:
        return [None] * len(rows)
    place = re.compile(rf"\bL{location.line}\b")
    places = [found.span() if (found := place.search(row)) else None for row in rows]
    return places if any(places) else [(0, len(row)) for row in rows]


def to_markdown(document: d.Document) -> str:
    """The document as Markdown; places are relative links with `#L` anchors."""
    parts = [f"# {document.title}"]
    for block in document.blocks:
        match block:
            case d.Heading():
                where = f" {_place(block.location)}" if block.location else ""
                parts.append(f"{'#' * max(2, block.level)} {block.text}{where}")
            case d.Paragraph():
                parts.append("  \n".join(_marked(line) for line in block.lines))
            case d.Code():
                mark = _place_marks(block, document.target.path if document.target is not None else None)
                body = "\n".join(f"{x.text}  # {mark(x.location)}" if x.location else x.text for x in block.lines)
                parts.append(f"```{block.language}\n{body}\n```")
            case d.Table():
                rows = [" | ".join(block.columns), " | ".join("---" for _ in block.columns)]
                rows += [" | ".join(_cell(cell) for cell in row) for row in block.rows]
                parts.append("\n".join(f"| {row} |" for row in rows))
            case d.Card():
                rows = ["| | |", "|---|---|"]
                rows += [f"| {row.name} | {'<br>'.join(_cell(x) for x in row.lines) or 'none'} |" for row in block.rows]
                parts.append("\n".join(rows))
            case d.Picture():
                parts.append(f"```text\n{block.text}\n```")
            case d.Diagram():
                parts.append(f"```text\n{draw(block.graph).text}\n```")
    parts += [f"- {note}" for note in document.notes]
    return "\n\n".join(parts) + "\n"


def _hanging_indent(text: str) -> str:
    """What stands before the further rows of a line: under the text of an item, behind its bullet."""
    item = text.lstrip(" ")
    return " " * (len(text) - len(item) + 2 * item.startswith("• "))


def _place_marks(block: d.Code, home: Path | None) -> Callable[[Location], str]:
    """`L12` for lines of the document's file, or where all are of one; `file.py:12` for those of others."""
    paths = {line.location.path for line in block.lines if line.location}
    own = paths if len(paths) == 1 else {home}
    return lambda location: f"L{location.line}" if location.path in own else str(location)


def _place(location: Location) -> str:
    return f"[{location}]({location.path.name}#L{location.line})"


def _marked(line: d.Line) -> str:
    return f"{line.text} {_place(line.location)}" if line.location else line.text


def _cell(line: d.Line) -> str:
    return _marked(line).replace("|", "\\|")


def to_mermaid(document: d.Document) -> str:
    """The document's diagrams as Mermaid, an empty text where it has none."""
    return "\n\n".join(graph_mermaid(b.graph) for b in document.blocks if isinstance(b, d.Diagram))


def to_svg(document: d.Document) -> str:
    """The document's first picture as SVG, or an empty text. Diagrams go before what is drawn in characters only."""
    diagram = next((b for b in document.blocks if isinstance(b, d.Diagram)), None)
    if diagram is not None:
        return graph_svg(diagram.graph)
    picture = next((b for b in document.blocks if isinstance(b, d.Picture)), None)
    return text_svg(picture.text.split("\n")) if picture is not None else ""


def drawn(diagram: d.Diagram, width: int) -> d.Picture:
    """A diagram in characters, with a region for the first words of each box whose place in source is known: editors
    underline links, and pictures in which each line is underlined are hard to read."""
    drawing = draw(diagram.graph, width=width)
    regions: list[d.Region] = []
    last: dict[str, int] = {}
    for r in sorted(drawing.regions, key=lambda r: (r.row, r.column)):
        if r.key not in diagram.places:
            continue
        if r.row - last.get(r.key, -ROWS_OF_ONE - 1) > ROWS_OF_ONE:
            regions.append(d.Region(r.row, r.column, r.width, 1, diagram.places[r.key]))
        last[r.key] = r.row
    return d.Picture(drawing.text, tuple(regions))


def to_json(document: d.Document) -> dict[str, object]:
    """The document as plain data for programs; locations are `{path, line}`."""
    return {
        "title": document.title,
        "kind": document.kind,
        "blocks": [_block_json(block) for block in document.blocks],
        "notes": list(document.notes),
    }


def _block_json(block: d.Block) -> dict[str, object]:
    match block:
        case d.Heading():
            return {"heading": block.text, "level": block.level, **_location_json(block.location)}
        case d.Paragraph():
            return {"paragraph": [_line_json(line) for line in block.lines]}
        case d.Code():
            return {"code": [_line_json(line) for line in block.lines], "language": block.language}
        case d.Table():
            rows = [[_line_json(cell) for cell in row] for row in block.rows]
            return {"columns": list(block.columns), "rows": rows}
        case d.Card():
            return {"card": {row.name: [_line_json(line) for line in row.lines] for row in block.rows}}
        case d.Picture():
            regions = [
                {"row": r.row, "column": r.column, "width": r.width, "height": r.height, **_location_json(r.location)}
                for r in block.regions
            ]
            return {"picture": block.text.split("\n"), "regions": regions}
        case d.Diagram():
            places = {key: _location_json(place) for key, place in block.places.items()}
            return {"diagram": graph_json(block.graph), "places": places}


def _line_json(line: d.Line) -> dict[str, object]:
    return {"text": line.text, **_location_json(line.location)}


def _location_json(location: Location | None) -> dict[str, object]:
    return {} if location is None else {"path": str(location.path), "line": location.line}
