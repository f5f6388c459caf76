"""Lines and columns of bytes: only CRLF, LF and CR end a line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from kernelscope.results import Span
from kernelscope.syntax.text import SourceText


def test_form_feeds_and_unicode_separators_do_not_end_lines() -> None:
    text = SourceText("a\x0cb\u2028c\r\nd\re\nf".encode())
    assert [text.line_text(n) for n in range(1, text.line_count + 1)] == ["a\x0cb\u2028c", "d", "e", "f"]


def test_location_counts_lines_from_one_and_columns_in_bytes() -> None:
    text = SourceText("é = 1\nxé = 2".encode())
    found = text.location(Path("f.py"), Span(8, 10))
    assert (found.line, found.column, found.end_line, found.end_column) == (2, 1, 2, 3)


@given(st.binary(max_size=60), st.integers(-3, 70))
def test_every_offset_lies_in_its_line(data: bytes, offset: int) -> None:
    text = SourceText(data)
    line = text.line_of(offset)
    clamped = max(0, min(offset, len(data)))
    assert text.line_start(line) <= clamped
    assert clamped < text.line_start(line + 1) or line == text.line_count
