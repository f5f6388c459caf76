"""Positions of the client, in its own units, and offsets of ours, in bytes.

Characters are utf-8, utf-16 or utf-32 code units as agreed at initialize; out-of-range positions are clamped.
"""

from __future__ import annotations

from kernelscope.syntax.text import SourceText

from kernelscope_server.parameters import number
from kernelscope_server.wire import INVALID_PARAMS, Json, RequestError, is_table

ENCODINGS = ("utf-8", "utf-16", "utf-32")
_UNIT_BYTES = {"utf-16": 2, "utf-32": 4}
_CODEC = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def offset_of(text: SourceText, position: object, encoding: str) -> int:
    """The byte offset of a position."""
    line, character = position_of(position)
    start = text.line_start(line + 1)
    if line >= text.line_count:
        return len(text.data)
    body = text.line_bytes(line + 1)
    if encoding == "utf-8" or body.isascii():
        return start + min(character, len(body))
    units = body.decode("utf-8", "replace").encode(_CODEC[encoding], "replace")
    kept = units[: character * _UNIT_BYTES[encoding]].decode(_CODEC[encoding], "ignore")
    return start + min(len(kept.encode("utf-8", "replace")), len(body))


def position_of(value: object) -> tuple[int, int]:
    """Line and character of a position; a malformed one is the client's error."""
    if not is_table(value):
        raise RequestError(INVALID_PARAMS, "a position is an object")
    return max(0, number(value, "line")), max(0, number(value, "character"))


def position_at(text: SourceText, offset: int, encoding: str) -> Json:
    line = text.line_of(offset)
    before = text.data[text.line_start(line) : offset]
    return {"line": line - 1, "character": units(before, encoding)}


def units(data: bytes, encoding: str) -> int:
    """How many code units of the client's encoding some bytes of a line are."""
    if encoding == "utf-8" or data.isascii():
        return len(data)
    return len(data.decode("utf-8", "replace").encode(_CODEC[encoding], "replace")) // _UNIT_BYTES[encoding]
