"""Launches whose brackets are written apart, as some editors do: `kernel << <grid, block >> > (x)`, `< < <`."""

from __future__ import annotations

import re

_OPENED = re.compile(rb"<(?:<[ \t]+|[ \t]+<[ \t]*)<(?![<=])")
_TOKEN = re.compile(rb"[()\[\]{};]|>[ \t]*>[ \t]*>")
MAX_CONFIGURATION = 4_000


def with_joined_brackets(text: bytes) -> bytes:
    """The text, without comments and strings, with such brackets joined; every other byte stays in its place."""
    if _OPENED.search(text) is None:
        return text
    out = bytearray(text)
    for opened in _OPENED.finditer(text):
        closed = _closed(text, opened.end())
        if closed is not None:
            for match, joined in ((opened, b"<<<"), (closed, b">>>")):
                out[match.start() : match.end()] = joined.ljust(match.end() - match.start())
    return bytes(out)


def _closed(text: bytes, start: int) -> re.Match[bytes] | None:
    """The brackets that close a configuration: outside of all others."""
    depth = 0
    for match in _TOKEN.finditer(text, start, start + MAX_CONFIGURATION):
        token = match[0]
        if token.startswith(b">"):
            if depth == 0:
                return match
        elif token in (b"(", b"[", b"{"):
            depth += 1
        else:
            depth -= 1
        if depth < 0 or token == b";":
            return None
    return None
