"""Tier 1 of the index: definitions of a file by one regular expression, thirty times cheaper than a parse.

Knows Python and C++/CUDA well enough for a symbol search; exact scopes and everything else come with `facts`.
"""

from __future__ import annotations

import re

from kernelscope.syntax.text import with_line_feeds
from kernelscope.workspace.facts import DefKind, Name
from kernelscope.workspace.files import PYTHON_SUFFIXES

MAX_NAMES = 50_000
MAX_INDENT = 400

_PYTHON = re.compile(rb"(def|class)[ \t]+((?:[^\W\d]|[\x80-\xff])[\w\x80-\xff]*)")
_KERNEL = rb"__global__[^;{}()]{0,500}(?:\([^()]{0,300}\)[^;{}()]{0,300}){0,4}?\b(?!__launch_bounds__)(\w+)[ \t\r\n]*\("
_CUDA = re.compile(
    rb"(?P<kernel>" + _KERNEL + rb")"
    rb"|\n(?:class|struct|enum(?: class)?)[ \t]+(?:__\w+__\([^)]{0,99}\)[ \t]*)?(?P<struct>\w+)[^;{}()=]{0,300}\{"
    rb"|\n#[ \t]*define[ \t]+(?P<macro>\w+)"
    rb"|\n(?![#/}])(?:(?!__global__)[\w:<>,\[\]\"]++[ \t*&]++){1,20}(?:[\w<>]{1,99}::)?(?P<function>~?[A-Za-z_]\w*)\("
)
_CONTROL = frozenset(b"if for while switch return else sizeof catch do case namespace using typedef".split())


def names_of(path: str, data: bytes) -> tuple[Name, ...]:
    """The definitions of a file in source order."""
    data = with_line_feeds(data)
    return python_names(data) if path.endswith(PYTHON_SUFFIXES) else cuda_names(data)


def python_names(data: bytes) -> tuple[Name, ...]:
    """`def` and `class` at the start of a line, with the class or function around them found by indentation.

    Plain searches for the two words find the candidates: several times faster than a pattern tried at every line.
    """
    found: list[Name] = []
    open_blocks: list[tuple[int, str, bool]] = []
    line, counted = 1, 0
    for keyword in _keywords(data):
        window = max(0, keyword - MAX_INDENT)
        start = data.rfind(b"\n", window, keyword) + 1 or window
        before = data[start:keyword]
        if before.strip() not in (b"", b"async") or (start == window and start > 0):
            continue
        match = _PYTHON.match(data, keyword)
        if match is None:
            continue
        line += data.count(b"\n", counted, start)
        counted = start
        depth = len(before) - len(before.lstrip())
        while open_blocks and open_blocks[-1][0] >= depth:
            open_blocks.pop()
        name = match[2].decode("utf-8", "replace")
        is_class = match[1] == b"class"
        in_class = bool(open_blocks) and open_blocks[-1][2]
        kind = DefKind.CLASS if is_class else DefKind.METHOD if in_class else DefKind.FUNCTION
        container = open_blocks[-1][1] if open_blocks else ""
        found.append(Name(name, kind, line, match.start(2) - start, container))
        open_blocks.append((depth, f"{container}.{name}" if container else name, is_class))
        if len(found) >= MAX_NAMES:
            break
    return tuple(found)


def _keywords(data: bytes) -> list[int]:
    """Offsets of the words that may begin a definition."""
    found: list[int] = []
    for word in (b"def ", b"class "):
        position = data.find(word)
        while position >= 0 and len(found) < 4 * MAX_NAMES:
            found.append(position)
            position = data.find(word, position + len(word))
    found.sort()
    return found


def cuda_names(data: bytes) -> tuple[Name, ...]:
    """Kernels anywhere, types, macros and functions that begin in the first column."""
    found: list[Name] = []
    seen: set[tuple[bytes, DefKind]] = set()
    text = b"\n" + data
    line, counted = 0, 0
    for match in _CUDA.finditer(text):
        group = match.lastgroup or "kernel"
        kind = _CUDA_KINDS[group]
        index = match.re.groupindex[group] + (1 if group == "kernel" else 0)
        raw, start = match[index], match.start(index)
        if raw in _CONTROL or (raw, kind) in seen:
            continue
        seen.add((raw, kind))
        line += text.count(b"\n", counted, start)
        counted = start
        column = start - text.rfind(b"\n", 0, start) - 1
        found.append(Name(raw.decode("utf-8", "replace"), kind, line, column))
        if len(found) >= MAX_NAMES:
            break
    return tuple(found)


_CUDA_KINDS = {
    "kernel": DefKind.CUDA_KERNEL,
    "struct": DefKind.STRUCT,
    "macro": DefKind.MACRO,
    "function": DefKind.CUDA_FUNCTION,
}
