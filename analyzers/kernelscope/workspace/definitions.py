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
_CLASS_KIND, _METHOD_KIND, _FUNCTION_KIND = int(DefKind.CLASS), int(DefKind.METHOD), int(DefKind.FUNCTION)
_NO_BLOCK = (0, b"", False)


def names_of(path: str, data: bytes) -> FileNames:
    """The definitions of a file in source order."""
    data = with_line_feeds(data)
    return python_names(data) if path.endswith(PYTHON_SUFFIXES) else cuda_names(data)


def python_names(data: bytes) -> FileNames:
    """`def` and `class` at the start of a line, with the class or function around them found by indentation.

    Written out, as it runs for every definition of a workspace before anything is found there.
    """
    names, kinds, places, containers = list[bytes](), bytearray(), array("I"), list[bytes]()
    open_blocks: list[tuple[int, bytes, bool]] = []
    line, counted = 1, 0
    for match in _in_order(pattern.finditer(data) for pattern in _PYTHON):
        keyword = match.start()
        window = keyword - MAX_INDENT if keyword > MAX_INDENT else 0
        start = data.rfind(b"\n", window, keyword) + 1 or window
        depth = keyword - start
        if depth:
            if depth == MAX_INDENT:
                continue
            before = data[start:keyword]
            if not before.isspace():
                if before.strip() != b"async":
                    continue
                depth -= len(before.lstrip())
        line += data.count(b"\n", counted, start)
        counted = start
        while open_blocks and open_blocks[-1][0] >= depth:
            open_blocks.pop()
        _, container, in_class = open_blocks[-1] if open_blocks else _NO_BLOCK
        is_class = data[keyword] == _CLASS
        name = match[1]
        names.append(name)
        kinds.append(_CLASS_KIND if is_class else _METHOD_KIND if in_class else _FUNCTION_KIND)
        places.append(line)
        places.append(match.start(1) - start)
        containers.append(container)
        open_blocks.append((depth, container + b"." + name if container else name, is_class))
    return _columns(names, kinds, places, containers)


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
        return _columns(self._names, self._kinds, self._places, self._containers)


def _columns(names: list[bytes], kinds: bytearray, places: array[int], containers: list[bytes]) -> FileNames:
    if not names:
        return EMPTY_NAMES
    return FileNames(b"\n".join(names) + b"\n", bytes(kinds), places.tobytes(), b"\n".join(containers) + b"\n")
