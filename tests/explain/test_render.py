"""Documents as text: links are where they say, frames are straight, ASCII keeps positions."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import fromstring

from hypothesis import given
from hypothesis import strategies as st
from kernelscope.diagrams.cells import display_width, to_ascii
from kernelscope.diagrams.model import Box, Edge, Graph
from kernelscope.explain import document as d
from kernelscope.explain.render import to_json, to_markdown, to_mermaid, to_svg, to_text
from kernelscope.results import Location

PLACE = Location(Path("/w/model.py"), 12)
LINES = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)


def everything() -> d.Document:
    return d.Document(
        "Title",
        (
            d.Heading("Part", location=PLACE),
            d.Paragraph((d.Line("some words " * 20, PLACE),)),
            d.Code((d.Line("acc = 0", PLACE), d.Line("for i in n:"))),
            d.Table(("Name", "Value"), ((d.Line("a", PLACE), d.Line("long text " * 20)),)),
            d.Card((d.CardRow("Grid", (d.Line("(cdiv(M, BLOCK_M),)", PLACE),)), d.CardRow("Atomics", ()))),
            d.Picture("┌─┐\n│x│\n└─┘", (d.Region(0, 0, 3, 3, PLACE),)),
            d.Diagram(Graph((Box("n", ("norm",)), Box("q", ("q_proj",))), (Edge("n", "q", "[B, S]"),)), {"q": PLACE}),
        ),
        notes=("nothing else is known",),
    )


def test_links_stand_where_they_say() -> None:
    rendered = to_text(everything(), width=80)
    rows = rendered.text.split("\n")
    shown = {rows[link.row][link.column : link.end_column] for link in rendered.links}
    assert shown == {"model.py:12", "L12", "a", "(cdiv(M, BLOCK_M),)", "x", "q_proj"}


def test_width_is_kept_and_none_is_written_out() -> None:
    rendered = to_text(everything(), width=60)
    assert max(map(display_width, rendered.text.split("\n"))) <= 75  # the mark of a wrapped line may stand beyond
    assert "Atomics  none" in rendered.text


def test_items_go_on_under_their_text() -> None:
    item = d.Paragraph((d.Line("Question"), d.Line("  • an answer that is longer than a row", PLACE)))
    text = to_text(d.Document("Title", (item,)), width=24).text
    assert text.split("\n")[3:] == ["Question", "  • an answer that is", "    longer than a row", "    model.py:12", ""]


def test_ascii_is_ascii_for_our_own_glyphs() -> None:
    assert to_text(everything(), charset="ascii").text.isascii()


@given(LINES)
def test_ascii_moves_nothing(text: str) -> None:
    assert len(to_ascii(text)) == len(text)


@given(st.lists(st.tuples(LINES, LINES), max_size=4))
def test_tables_are_straight(rows: list[tuple[str, str]]) -> None:
    table = d.Table(("a", "b"), tuple((d.Line(x), d.Line(y)) for x, y in rows))
    text = to_text(d.Document("t", (table,)), width=60).text.split("\n")[3:]
    assert len({display_width(row) for row in text if row}) == 1


def test_markdown_and_json_hold_the_same_places() -> None:
    document = everything()
    assert to_markdown(document).count("model.py#L12") == 4
    assert str(to_json(document)).count("'line': 12") == 7


def test_pictures_are_exported() -> None:
    document = everything()
    assert 'n0 -->|"[B, S]"| n1' in to_mermaid(document)
    assert fromstring(to_svg(document)).tag.endswith("svg")
    assert ">q_proj</text>" in to_svg(document)
    assert "│x│" in to_svg(d.Document("t", document.blocks[:-1]))


def test_a_claim_of_a_card_that_names_its_line_is_linked_there_and_nowhere_else() -> None:
    said = "`input` L12 load: coalesced, if the block is a multiple of 32 threads wide, in L1 and L121"
    rows = d.CardRow("Global access", (d.Line(said, PLACE), d.Line("no line", PLACE)))
    rendered = to_text(d.Document("Kernel", (d.Card((rows,)),)), 60)
    text = rendered.text.split("\n")
    assert [text[link.row][link.column : link.end_column] for link in rendered.links] == ["L12", "no line"]


def test_of_a_box_of_several_lines_the_first_is_the_link() -> None:
    boxes = (Box("a", ("Linear", "q_proj")), Box("b", ("gelu", "act")))
    where = Location(Path("/m.py"), 3, 1)
    diagram = d.Diagram(Graph(boxes, (Edge("a", "b", "[B, S]"),)), {"a": where, "b": where})
    rendered = to_text(d.Document("Flow", (diagram,), "dataflow"))
    rows = rendered.text.split("\n")
    assert [rows[link.row][link.column : link.end_column] for link in rendered.links] == ["Linear", "gelu"]
