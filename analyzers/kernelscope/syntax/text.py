"""One file's bytes with a table of line starts, so that offsets become lines and columns.

Decoding is lenient and never moves an offset: spans always count the file's own bytes. A server starts with this, and
without what results are made of.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernelscope.results import Location, Span

_OFFSETS = "Q"
_LINE_END = re.compile(rb"\r\n|\n|\r")
BOM = b"\xef\xbb\xbf"
_IDENTIFIER = re.compile(rb"[A-Za-z0-9_\x80-\xff]*")
_BEFORE = re.compile(rb"[A-Za-z0-9_\x80-\xff]+\Z")
"""Names may have letters of any script."""
NEAR = 100
"""Identifiers are rarely longer."""
LINES_AT_ONCE = 1_024
"""Bytes of which line ends are counted, not looked at one by one."""

_LONE_CR = re.compile(rb"\r(?!\n)")


def with_line_feeds(data: bytes) -> bytes:
    """Lone CRs as LFs: parsers know only LF, the protocol and Python both. Offsets stay what they are."""
    return _LONE_CR.sub(b"\n", data) if b"\r" in data else data


def identifier_at(data: bytes, offset: int) -> Span | None:
    """The identifier that the cursor stands in or right behind; None beyond the end."""
    from kernelscope.results import Span

    found = identifier_around(data, offset)
    return Span(*found) if found is not None else None


def identifier_around(data: bytes, offset: int) -> tuple[int, int] | None:
    """The same as two offsets."""
    after = _IDENTIFIER.match(data, offset) if offset <= len(data) else None
    if after is None:
        return None
    start, near = offset, max(0, offset - NEAR)
    while (before := _BEFORE.search(data, near, start)) is not None:
        start = before.start()
        if start > near:
            break
        near = max(0, near - NEAR)
    return (start, after.end()) if after.end() > start else None


def start_of_line(data: bytes, line: int) -> int:
    """The offset of a line, counted from 1, for whoever asks once: no table is made of the others."""
    if b"\r" in data:
        return SourceText(data).line_start(line)
    at, left = 0, line - 1
    while (count := data.count(b"\n", at, at + LINES_AT_ONCE)) < left and at < len(data):
        left -= count
        at += LINES_AT_ONCE
    for _ in range(left):
        at = data.find(b"\n", at) + 1
        if not at:
            return len(data)
    return min(at, len(data))


class SourceText:
    """Immutable bytes of one file. Only CRLF, LF and CR end a line, as in the language server protocol."""

    __slots__ = ("__dict__", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def line_starts(self) -> array[int]:
        """Byte offset of the start of each line; line 1 is the first entry."""
        return array(_OFFSETS, [0, *(m.end() for m in _LINE_END.finditer(self.data))])

    def edited(self, start: int, end: int, new: bytes) -> SourceText:
        """The text with the bytes between two offsets replaced; only lines around the edit are counted again."""
        text = SourceText(self.data[:start] + new + self.data[end:])
        if "line_starts" not in self.__dict__:
            return text
        starts, shift = self.line_starts, len(text.data) - len(self.data)
        kept = max(1, self.line_of(start) - 1)  # an edit may part a CR from its LF, or join them
        after = self.line_of(end)
        stop = (starts[after] if after < len(starts) else len(self.data)) + shift
        found = [m.end() for m in _LINE_END.finditer(text.data, starts[kept - 1], stop)]
        moved = [*found, *(s + shift for s in starts[after + 1 :])]
        text.__dict__["line_starts"] = starts[:kept] + array(_OFFSETS, moved)
        return text

    @property
    def line_count(self) -> int:
        return len(self.line_starts)

    def line_of(self, offset: int) -> int:
        """The line, from 1, that holds the byte at `offset` (clamped to the file)."""
        return bisect_right(self.line_starts, max(0, min(offset, len(self.data))))

    def line_start(self, line: int) -> int:
        """Offset of the first byte of `line` (clamped to the file)."""
        starts = self.line_starts
        if line < 1:
            return 0
        return starts[line - 1] if line <= len(starts) else len(self.data)

    def line_bytes(self, line: int) -> bytes:
        """The bytes of `line` without its end."""
        return self.data[self.line_start(line) : self.line_start(line + 1)].rstrip(b"\r\n")

    def line_text(self, line: int) -> str:
        return self.line_bytes(line).decode("utf-8", "replace")

    def slice(self, span: Span) -> str:
        return self.data[span.start : span.end].decode("utf-8", "replace")

    def location(self, path: Path, span: Span) -> Location:
        from kernelscope.results import Location

        first, last = self.line_of(span.start), self.line_of(span.end)
        return Location(path, first, span.start - self.line_start(first), last, span.end - self.line_start(last))


def changed_part(before: bytes, after: bytes) -> tuple[int, int, int]:
    """Where two texts differ: the start, its end in the first and its end in the second."""
    start = _common(before, after)
    rest = min(len(before), len(after)) - start
    tail = _common(before[: -rest - 1 : -1], after[: -rest - 1 : -1]) if rest else 0
    return start, len(before) - tail, len(after) - tail


def _common(one: bytes, other: bytes) -> int:
    """The length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
