"""Tier 1 of the index: definitions of a file by plain searches, thirty times cheaper than a parse.

Knows Python and C++/CUDA well enough for a symbol search; exact scopes and everything else come with `facts`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from operator import methodcaller

from kernelscope.syntax.text import with_line_feeds
from kernelscope.workspace.facts import EMPTY_NAMES, DefKind, FileNames
from kernelscope.workspace.files import PYTHON_SUFFIXES

MAX_NAMES = 50_000
MAX_INDENT = 400

_IDENTIFIER = rb"[ \t]+((?:[^\W\d]|[\x80-\xff])[\w\x80-\xff]*)"
_PYTHON = (re.compile(rb"def" + _IDENTIFIER), re.compile(rb"class" + _IDENTIFIER))
"""Each begins with letters, not with a choice: the engine then searches for them as fast as memory is read."""
_KERNEL = re.compile(
    rb"__global__[^;{}()]{0,500}(?:\([^()]{0,300}\)[^;{}()]{0,300}){0,4}?\b(?!__launch_bounds__)(\w+)[ \t\r\n]*\("
)
_LINE = re.compile(
    rb"\n(?:(?:class|struct|enum(?: class)?)[ \t]+(?:__\w+__\([^)]{0,99}\)[ \t]*)?(?P<struct>\w+)[^;{}()=]{0,300}\{"
    rb"|#[ \t]*define[ \t]+(?P<macro>\w+)"
    rb"|(?![#/}])(?:(?!__global__)[\w:<>,\[\]\"]++[ \t*&]++){1,20}(?:[\w<>]{1,99}::)?(?P<function>~?[A-Za-z_]\w*)\()"
)
_LINE_KINDS = {"struct": DefKind.STRUCT, "macro": DefKind.MACRO, "function": DefKind.CUDA_FUNCTION}
_CONTROL = frozenset(b"if for while switch return else sizeof catch do case namespace using typedef".split())
_CLASS = ord("c")


def names_of(path: str, data: bytes) -> FileNames:
    """The definitions of a file in source order."""
    data = with_line_feeds(data)
    return python_names(data) if path.endswith(PYTHON_SUFFIXES) else cuda_names(data)


def python_names(data: bytes) -> FileNames:
    """`def` and `class` at the start of a line, with the class or function around them found by indentation."""
    found = Columns()
    open_blocks: list[tuple[int, bytes, bool]] = []
    line, counted = 1, 0
    for match in _in_order(pattern.finditer(data) for pattern in _PYTHON):
        keyword = match.start()
        window = max(0, keyword - MAX_INDENT)
        start = data.rfind(b"\n", window, keyword) + 1 or window
        depth = keyword - start
        if depth == MAX_INDENT:
            continue
        if depth and not (before := data[start:keyword]).isspace():
            if before.strip() != b"async":
                continue
            depth -= len(before.lstrip())
        line += data.count(b"\n", counted, start)
        counted = start
        while open_blocks and open_blocks[-1][0] >= depth:
            open_blocks.pop()
        container, in_class = open_blocks[-1][1:] if open_blocks else (b"", False)
        is_class = data[keyword] == _CLASS
        kind = DefKind.CLASS if is_class else DefKind.METHOD if in_class else DefKind.FUNCTION
        name = match[1]
        found.add(name, kind, line, match.start(1) - start, container)
        open_blocks.append((depth, b"%b.%b" % (container, name) if container else name, is_class))
    return found.all()


def cuda_names(data: bytes) -> FileNames:
    """Kernels anywhere, types, macros and functions that begin in the first column."""
    found = Columns()
    seen: set[tuple[bytes, DefKind]] = set()
    text = b"\n" + data
    line, counted, taken = 0, 0, 0
    for match in _in_order((_KERNEL.finditer(text), _LINE.finditer(text))):
        kind = _LINE_KINDS[group] if (group := match.lastgroup) else DefKind.CUDA_KERNEL
        name, start = match[group or 1], match.start(group or 1)
        if match.start() < taken or name in _CONTROL or (name, kind) in seen:
            continue
        taken = match.end()
        seen.add((name, kind))
        line += text.count(b"\n", counted, start)
        counted = start
        found.add(name, kind, line, start - text.rfind(b"\n", 0, start) - 1)
    return found.all()


def _in_order(searches: Iterable[Iterable[re.Match[bytes]]]) -> list[re.Match[bytes]]:
    """What several patterns find, as it stands in the file."""
    matches = [match for search in searches for match, _ in zip(search, range(MAX_NAMES), strict=False)]
    matches.sort(key=methodcaller("start"))
    return matches


class Columns:
    """The names of one file as they are found."""

    def __init__(self) -> None:
        self._names: list[bytes] = []
        self._kinds = bytearray()
        self._places = array("I")
        self._containers: list[bytes] = []

    def add(self, name: bytes, kind: DefKind, line: int, column: int, container: bytes = b"") -> None:
        self._names.append(name)
        self._kinds.append(kind)
        self._places.extend((line, column))
        self._containers.append(container)

    def extend(self, more: Columns) -> None:
        self._names += more._names
        self._kinds += more._kinds
        self._places += more._places
        self._containers += more._containers

    def all(self) -> FileNames:
        if not self._names:
            return EMPTY_NAMES
        names, containers = (b"\n".join(column) + b"\n" for column in (self._names, self._containers))
        return FileNames(names, bytes(self._kinds), self._places.tobytes(), containers)
