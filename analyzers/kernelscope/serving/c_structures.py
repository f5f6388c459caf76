"""Fields of C and C++ structures that hold settings: their type, default and the comment that says what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_constants import number
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.sections import words

LONGEST_BODY = 20_000
"""Longest body of a structure that is read, in bytes."""
SETTINGS = {"config", "cfg", "configuration", "options", "settings", "hyperparameters", "hparams"}
"""Words of structures that hold settings; arguments and parameters are what kernels are launched with, too."""
_STRUCT = re.compile(rb"\b(?:struct|class)\s+(\w+)\s*(?:final\s*)?(?::[^{};]*)?\{")
_TYPEDEF = re.compile(rb"\btypedef\s+struct\s*(?:\w+\s*)?\{")
_FIELD = re.compile(
    rb"(?m)(?:^|(?<=[{;]))[ \t]*"
    rb"((?:(?:const|static|constexpr|unsigned|signed|long|short|std::)\s*)*[A-Za-z_][\w:]*(?:<[^;<>()]*>)?)"
    rb"[ \t]+\**(\w+)[ \t]*(?:=[ \t]*([^;{}\n]+)|\{([^;{}\n]*)\})?;"
)
_BY_MACRO = re.compile(
    rb"\b[A-Z][A-Z0-9_]*\(\s*([A-Za-z_](?:[\w:, *]|<[^;(){}]*>)*?)\s*,\s*(\w+)\s*\)\s*(?:=\s*([^;{}\n]+?)\s*)?;"
)
"""A field that a macro declares: `FIELD(int32_t, block_size) = 16;`."""
_COMMENT = re.compile(rb"[ \t]*(?://+[!</]*|/\*+[!<]*)[ \t]*([^\n]*)")
_WORDS = {b"return", b"using", b"typedef", b"else", b"delete", b"goto", b"friend", b"case"}


def c_structures(source: CSource) -> Iterator[Parameter]:
    """The fields of the structures of a file that are configurations, by their names."""
    if source.aside:
        return
    bodies = list(_bodies(source))
    for own, start, end in bodies:
        if not SETTINGS & set(words(own)):
            continue
        around = [(b, n) for n, b, e in bodies if b < start and end < e]
        name = f"{max(around)[1]}.{own}" if around else own
        inside = [(f.start, f.end) for f in source.functions if start < f.start < end]
        fields = [*_FIELD.finditer(source.code, start, end), *_BY_MACRO.finditer(source.code, start, end)]
        for match in sorted(fields, key=lambda match: match.start()):
            if match[1].split()[0] in _WORDS or any(a < match.start() < b for a, b in inside):
                continue
            given = match[3] or (match[4] if match.re is _FIELD else None) or b""
            default = given.decode("utf-8", "replace").strip()
            comment = _COMMENT.match(source.text.data, match.end())
            doc = comment[1].decode("utf-8", "replace").removesuffix("*/").strip() if comment is not None else ""
            place = source.at(match.start(2), match.end(2))
            kind = " ".join(match[1].decode("utf-8", "replace").split())
            yield Parameter(match[2].decode(), name, "field", default, place, number(default), kind, doc)


def _bodies(source: CSource) -> Iterator[tuple[str, int, int]]:
    """Names of structures with the offsets of their bodies; `typedef struct { … } Name` has its name behind."""
    for match in _STRUCT.finditer(source.code):
        yield match[1].decode(), match.end(), _end(source.code, match.end())
    for match in _TYPEDEF.finditer(source.code):
        end = _end(source.code, match.end())
        if (name := re.match(rb"\}\s*(\w+)\s*;", source.code[end : end + 200])) is not None:
            yield name[1].decode(), match.end(), end


def _end(code: bytes, start: int) -> int:
    """The offset of the brace that closes the one before `start`."""
    depth = 1
    for brace in re.finditer(rb"[{}]", code[start : start + LONGEST_BODY]):
        depth += 1 if brace[0] == b"{" else -1
        if depth == 0:
            return start + brace.start()
    return start
