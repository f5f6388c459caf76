"""Half-typed Python as the grammar can read it: a statement that does not parse gives way, those around it stay.

One open bracket makes an error of everything that follows it, and code is half-typed most of the time. Where a
parse has errors, each logical line that cannot be whole gets holes for what it lacks. Bytes are replaced one for
one, so that every place stays what it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct

HOLE = "ª"
"""The identifier that stands for what did not parse. Nobody writes it; it is lowered to `Broken`."""

_HOLE = HOLE.encode()
_TOKEN = re.compile(
    rb"(?P<comment>#[^\n]*)"
    rb"|(?P<long>\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?''')"
    rb"|(?P<short>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    rb"|(?P<continued>\\\r?\n)"
    rb"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>\n)",
    re.DOTALL,
)
_BEGINS = re.compile(  # no line within an expression starts so
    rb"[ \t]*(?:(?:async[ \t]+)?def\b|class\b|return\b|import\b|raise\b|with\b|while\b|try[ \t]*:|assert\b|del\b"
    rb"|pass\b|break\b|continue\b|global\b|nonlocal\b|elif\b|except\b|finally[ \t]*:)"
)
_ASSIGNS = re.compile(  # an argument of the same spelling has a comma or a closing bracket after it
    rb"[ \t]*[\w.,\[\] \t]+ = (?!=)[^\n]*(?<![,\s])[ \t]*\r?\n(?![ \t]*[)\]},])"
)
_CLOSES = re.compile(rb"[ \t]*[)\]}]")
_EMPTY = re.compile(rb"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_HEADER = re.compile(rb"(?:async[ \t]+)?(def|class|if|elif|else|for|while|with|try|except|finally)\b[ \t]*(\w*)")
_DANGLING = re.compile(rb"\.[ \t]*\r?\n[ \t]*[A-Za-z_]")  # begins with a byte that is rare and quickly found
_ENDS_OPERAND = re.compile(rb"[\w)\]\"']")
_TARGET = re.compile(rb"[\w.,\[\]: \t*]+?(?<![=!<>])=(?!=)[ \t]*")


class LogicalLine(Struct, frozen=True):
    """A statement, or the header of a compound one, from its first byte to its last; `whole` if its brackets match."""

    start: int
    end: int
    whole: bool


def logical_lines(data: bytes) -> Iterator[LogicalLine]:
    """The logical lines of a file. An open bracket ends where a line begins that can be none of an expression's."""
    start = _first_byte(data, 0)
    depth, whole, end = 0, True, start
    position = start
    while position < len(data):
        token = _TOKEN.search(data, position)
        if token is None:
            break
        position = token.end()
        match token.lastgroup:
            case "open":
                depth += 1
            case "close":
                whole = whole and depth > 0
                depth = max(0, depth - 1)
            case "end":
                stops = depth == 0 or _abandoned(data, start, position)
                if not stops:
                    continue
                end = token.start()
                if end > start:
                    yield LogicalLine(start, _last_byte(data, start, end), whole and depth == 0)
                start = position = _first_byte(data, position)
                depth, whole = 0, True
            case _:
                continue
    if start < len(data):
        yield LogicalLine(start, _last_byte(data, start, len(data)), whole and depth == 0)


def _first_byte(data: bytes, position: int) -> int:
    """The first byte of the next line that holds code."""
    while position < len(data) and (empty := _EMPTY.match(data, position)) is not None and empty.end() > position:
        position = empty.end()
    while position < len(data) and data[position] in b" \t":
        position += 1
    return position


def _last_byte(data: bytes, start: int, end: int) -> int:
    return start + len(data[start:end].rstrip())


def _column(data: bytes, position: int) -> int:
    return position - (data.rfind(b"\n", 0, position) + 1)


def _abandoned(data: bytes, start: int, line: int) -> bool:
    """Whether the line that starts at `line` begins a statement although a bracket opened at `start` is not closed."""
    if _EMPTY.match(data, line) is not None and line < len(data):
        return False
    if _BEGINS.match(data, line) is not None or _ASSIGNS.match(data, line) is not None:
        return True
    first = _first_byte(data, line)
    return _column(data, first) <= _column(data, start) and _CLOSES.match(data, line) is None


def dangling_dots(data: bytes) -> Iterator[int]:
    """Offsets of dots at the ends of lines: half-typed attributes, if they are code and in no brackets."""
    found = (match.start() for match in _DANGLING.finditer(data))
    return (dot for dot in found if dot and _ENDS_OPERAND.match(data, dot - 1))


def with_holes(data: bytes, errors: list[int]) -> bytes:
    """`data` with holes in the logical lines that are not whole, and in those that hold one of `errors`.

    Parameters
    ----------
    errors
        Offsets where a parse failed although all brackets match, ascending.
    """
    out = bytearray(data)
    for line in logical_lines(data):
        first = bisect_left(errors, line.start)
        if not line.whole or (first < len(errors) and errors[first] <= line.end):
            out[line.start : line.end] = _mended(data[line.start : line.end])
    return bytes(out)


def _mended(text: bytes) -> bytes:
    """One statement of the same length and the same lines that parses and tells as much as is left of it."""
    for attempt in (*_headers(text), *_assignments(text), _HOLE, b"0"):
        if len(attempt) <= len(text):
            return attempt + _blank(text[len(attempt) :])
    return _blank(text)


def _headers(text: bytes) -> Iterator[bytes]:
    """A compound statement's header keeps its body; a function keeps its name and the parameters that are typed."""
    header = _HEADER.match(text)
    if header is None:
        return
    word, name = header[1], header[2]
    if word == b"def" and name:
        for comma in (match.start() for match in reversed(list(re.finditer(b",", text)))):
            kept = text[:comma] + b"):"
            if kept.count(b"(") == kept.count(b")") and b"\n" not in text[comma:]:
                yield kept
        yield header[0] + b"(*" + _HOLE + b"):"
        yield header[0] + b"():"
    elif word == b"class" and name:
        yield header[0] + b"(" + _HOLE + b"):"
        yield header[0] + b":"
    elif word in (b"else", b"try", b"finally"):
        yield word + b":"
    elif word == b"for":
        yield b"for " + _HOLE + b" in " + _HOLE + b":"
    elif word == b"except":
        yield b"except:"
    elif word in (b"if", b"elif", b"while", b"with"):
        yield word + b" " + _HOLE + b":"
    yield b"if " + _HOLE + b":"


def _assignments(text: bytes) -> Iterator[bytes]:
    """What is assigned is not known; that it is assigned is."""
    target = _TARGET.match(text)
    if target is not None:
        yield target[0] + _HOLE
    if text.startswith(b"return"):
        yield b"return " + _HOLE


def _blank(text: bytes) -> bytes:
    return bytes(byte if byte in b"\r\n" else 32 for byte in text)
