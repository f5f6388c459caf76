"""What the analysis sees is what is typed: edits in every unit of position, line ends, cells, URIs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernelscope.syntax.text import SourceText, with_line_feeds
from kernelscope_server.documents import OpenDocument, change, encode, join_cells, key_of, opened, path_of, uri_of
from kernelscope_server.positions import ENCODINGS, offset_of, position_at
from kernelscope_server.wire import INVALID_PARAMS, RequestError

PIECES = ["a", "é", "漢", "😀", " ", "\n", "\r\n", "\r", "\f", "\u2028", "\x85", "\x1c"]
text = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)
encoding = st.sampled_from(ENCODINGS)
_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def position(given: str, index: int, unit: str) -> dict[str, int]:
    """A client's position of the character at `index`; never inside of CRLF."""
    before = re.split("\r\n|\r|\n", given[:index])
    codec, size = _UNITS[unit]
    return {"line": len(before) - 1, "character": len(before[-1].encode(codec)) // size}


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, int, int, str]:
    given = draw(text)
    stops = [i for i in range(len(given) + 1) if given[i - 1 : i + 1] != "\r\n"]
    start, end = sorted((draw(st.sampled_from(stops)), draw(st.sampled_from(stops))))
    return given, start, end, draw(text)


@given(st.lists(edits(), max_size=1).map(lambda found: found[0] if found else ("", 0, 0, "")), encoding)
@example(("a\r\nb", 3, 3, "\n"), "utf-16")
def test_an_edit_lands_where_the_client_means(edit: tuple[str, int, int, str], unit: str) -> None:
    before, start, end, new = edit
    document = OpenDocument("file:///a.py", Path("/a.py"), 1, SourceText(encode(before)))
    assert document.text.line_count == len(re.split("\r\n|\r|\n", before))
    span = {"start": position(before, start, unit), "end": position(before, end, unit)}
    change(document, {"version": 2, "contentChanges": [{"range": span, "text": new}]}, unit)
    after = before[:start] + new + before[end:]
    assert document.text.data.decode() == after
    assert document.text.line_starts == SourceText(encode(after)).line_starts
    assert document.version == 2


@given(text, encoding)
def test_positions_and_offsets_are_each_other_s_inverse(given: str, unit: str) -> None:
    source = SourceText(encode(given))
    for index in range(len(given) + 1):
        if given[index - 1 : index + 1] == "\r\n":
            continue
        offset = len(given[:index].encode())
        assert position_at(source, offset, unit) == position(given, index, unit)
        assert offset_of(source, position(given, index, unit), unit) == offset


@pytest.mark.parametrize(("line", "character"), [(9, 0), (0, 99), (2**31 - 1, 2**31 - 1), (-1, -1)])
def test_positions_out_of_range_are_clamped(line: int, character: int) -> None:
    assert 0 <= offset_of(SourceText(b"ab\ncd"), {"line": line, "character": character}, "utf-16") <= 5


@pytest.mark.parametrize("given", [None, [], {}, {"line": "1", "character": 0}, {"line": True, "character": 0}])
def test_a_malformed_position_is_the_client_s_error(given: object) -> None:
    with pytest.raises(RequestError) as failure:
        offset_of(SourceText(b""), given, "utf-8")
    assert failure.value.code == INVALID_PARAMS


@given(st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"\r")) | text.map(encode))
def test_parsers_see_the_protocol_s_lines_at_the_same_offsets(data: bytes) -> None:
    found = with_line_feeds(data)
    assert len(found) == len(data)
    assert found.replace(b"\r\n", b"\n").count(b"\r") == 0
    assert SourceText(found).line_starts == SourceText(data).line_starts


def test_cells_of_a_notebook_are_one_text_without_magic() -> None:
    cells = [
        OpenDocument(f"cell:{number}", Path("/n"), 1, SourceText(data))
        for number, data in enumerate([b"%matplotlib inline\nimport torch", b"!pip list\nx = torch.ones(2)\n"])
    ]
    assert join_cells(cells) == b"##################\nimport torch\n#########\nx = torch.ones(2)\n\n"
    assert [cell.first for cell in cells] == [0, 32]
    assert cells[1].position(32 + 10, "utf-8") == {"line": 1, "character": 0}
    assert cells[1].offset({"line": 1, "character": 0}, "utf-8") == 42


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c/%C3%BC.py", "/a/b c/ü.py"),
        ("file:///a/h%23ash%3F.py", "/a/h#ash?.py"),
        ("file:///c%3A/x.py", "C:/x.py"),
        ("untitled:Untitled-1", "/untitled:Untitled-1"),
        ("git:/x/m.py?%7B%7D", "/git:/x/m.py"),
        ("file://[bad", "/unknown:file%3A%2F%2F%5Bbad"),
    ],
)
def test_every_uri_has_a_path(uri: str, path: str) -> None:
    assert path_of(uri) == Path(path)


def test_spellings_of_one_uri_are_one_document() -> None:
    assert key_of("file:///a(1)/b+c.py") == key_of("file:///a%281%29/b%2Bc.py")
    assert key_of(uri_of(Path("/a b/ü.py"))) == key_of("file:///a b/ü.py")


def test_documents_without_a_file_are_known_by_their_language() -> None:
    item: dict[str, object] = {"uri": "untitled:Untitled-1", "languageId": "cuda-cpp", "version": 1, "text": ""}
    assert opened(item).path.suffix == ".cu"
    assert opened(item | {"languageId": "python"}).path.suffix == ".py"
    assert opened(item | {"uri": "file:///a.txt", "languageId": "python"}).path.suffix == ".txt"
