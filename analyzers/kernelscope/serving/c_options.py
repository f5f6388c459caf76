"""Options of programs in C++: flags of gflags and abseil, options of cxxopts, boost and CLI11, variables that are read.

Each is a call or macro with a name, a default and what it is for, in the order that its library has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_constants import number
from kernelscope.serving.c_functions import CSource, matching
from kernelscope.serving.claims import Literal
from kernelscope.serving.parameter import Parameter

_FLAG = re.compile(rb"\b(?:DEFINE_(?:bool|u?int(?:32|64)|double|string|int)|(ABSL_FLAG))\s*\(")
_VALUE = re.compile(rb"\bvalue\s*<[^;{}()]{1,80}?>\s*\(\s*[^()]{0,80}\)")
_DEFAULT = re.compile(rb"->\s*default_va(?:l|lue)\s*\(")
_ADDED = re.compile(rb"\badd_(?:option|flag)\s*\(")
_VARIABLE = re.compile(rb"(?<![\w:])(?:std::)?getenv\s*\(")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
LONGEST = 200
"""Longest default that is quoted, in characters."""


def c_options(source: CSource) -> Iterator[Parameter]:
    """What who starts a program of this file may set."""
    if source.aside:
        return
    code = source.code
    for match in _FLAG.finditer(code):
        given = _arguments(source, match.end() - 1)[bool(match[1]) :]
        if len(given) >= 2 and given[0].isidentifier():
            yield _option(source, match.start(), f"--{given[0]}", given[1], _text("".join(given[2:3])))
    for match in _VALUE.finditer(code):
        opened = _opened_before(code, match.start())
        given = _arguments(source, opened) if opened >= 0 else []
        named = next((text for part in given if (text := _text(part))), "")
        if named:
            told = next((text for part in given[1:] if (text := _text(part))), "")
            yield _option(source, opened, f"--{named.split(',')[-1].strip()}", _default(source, match.end()), told)
    for match in _ADDED.finditer(code):
        given = _arguments(source, match.end() - 1)
        named = _text(given[0]) if given else ""
        if named.startswith("-"):
            closed = matching(code, match.end() - 1)
            told = next((text for part in given[1:] if (text := _text(part))), "")
            yield _option(source, match.start(), max(named.split(","), key=len), _default(source, closed + 1), told)
    for match in _VARIABLE.finditer(code):
        named = _text("".join(_arguments(source, match.end() - 1)))
        if named:
            yield Parameter(named, "environment", "environment", "None", source.at(match.start()))


def _arguments(source: CSource, opened: int) -> list[str]:
    """What stands in brackets, between the commas."""
    closed = matching(source.code, opened)
    return source.split(opened + 1, closed) if closed > opened else []


def _opened_before(code: bytes, at: int) -> int:
    """The bracket that stands around an offset."""
    depth = 0
    for place in range(at - 1, max(0, at - 4 * LONGEST), -1):
        c = code[place : place + 1]
        depth += (c == b")") - (c == b"(")
        if depth < 0:
            return place
    return -1


def _default(source: CSource, at: int) -> str:
    """What `->default_value(…)` gives that stands right behind."""
    match = _DEFAULT.match(source.code, at)
    return ", ".join(_arguments(source, match.end() - 1)) if match is not None else ""


def _option(source: CSource, at: int, name: str, default: str, told: str) -> Parameter:
    expression = default if len(default) <= LONGEST else ""
    place = source.at(at)
    return Parameter(name, "command line", "option", expression, place, _literal(expression), doc=told)


def _literal(text: str) -> Literal:
    said = _text(text)
    return said if said else text == "true" if text in ("true", "false") else number(text)


def _text(part: str) -> str:
    """A text that is written there, also in several pieces."""
    pieces = _STRING.findall(part)
    return " ".join("".join(pieces).split()) if part.lstrip().startswith('"') else ""
