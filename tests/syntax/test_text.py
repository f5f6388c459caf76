"""Lines and columns of bytes: only CRLF, LF and CR end a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernelscope.results import Span
from kernelscope.syntax.text import SourceText, identifier_at, start_of_line


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


@given(st.text("ab\n\r", max_size=60), st.integers(-1, 70), st.integers(1, 9))
def test_a_line_starts_where_the_table_says(text: str, line: int, at_once: int) -> None:
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernelscope.syntax.text.LINES_AT_ONCE", at_once)
        assert start_of_line(data, line) == SourceText(data).line_start(line)


@given(st.text("aé_. 1", max_size=40), st.integers(0, 50), st.integers(1, 5))
def test_an_identifier_is_what_stands_around_the_cursor(text: str, offset: int, near: int) -> None:
    data = text.encode()
    words = [Span(*found.span()) for found in re.finditer(rb"[A-Za-z0-9_\x80-\xff]+", data)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernelscope.syntax.text.NEAR", near)
        assert identifier_at(data, offset) == next((word for word in words if word.touches(offset)), None)


def test_spans_are_hashed_alike_in_every_run() -> None:
    assert hash(Span(3, 5)) == hash((3, 5))
