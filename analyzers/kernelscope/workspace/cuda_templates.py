"""Numbers of template arguments in C++: a function that takes fewer or more than a call gives is not meant."""

from __future__ import annotations

import re

ANY = -1
"""So many that nobody can tell."""
MAX_BYTES = 4_000
_TEMPLATE = re.compile(rb"\s*template\s*<")
_NAMED = re.compile(rb"(\w+)\s*\Z")


def given_arguments(written: bytes) -> int:
    """How many arguments stand between the `<` and `>` of a call; none without them."""
    parts = _parts(written)
    return ANY if any(part.rstrip().endswith(b"...") for part in parts) else len(parts)


def taken_arguments(header: bytes) -> tuple[int, int]:
    """How many template arguments a function must be given at least, and may be given at most, by its header.

    What has a default or is spoken of behind need not be given.
    """
    least, most = 0, 0 if b"template" not in header else ANY
    rest = header
    while (match := _TEMPLATE.match(rest)) is not None:
        end = _end(rest, match.end())
        if end is None:
            return 0, ANY
        parameters, rest = _parts(rest[match.end() : end]), rest[end + 1 :]
        least, most = 0, len(parameters) or ANY  # `template <>` specialises another one, which says what it takes
        for place, parameter in enumerate(parameters):
            if b"..." in parameter:
                most = ANY
                continue
            named = None if b"=" in parameter else _NAMED.search(parameter)
            if named is not None and named[1] not in (b"typename", b"class") and not _is_told(named[1], rest):
                least = place + 1
    return least, most


def fits(given: int, taken: tuple[int, int]) -> bool:
    """Whether a function can be given so many."""
    least, most = taken
    return given == ANY or (least <= given and (most == ANY or given <= most))


def _is_told(name: bytes, head: bytes) -> bool:
    """Whether what a call passes may tell an argument: its name stands behind, as in `f(T x)` and `C<T>::f()`."""
    return re.search(rb"\b%b\b" % name, head) is not None


def _parts(text: bytes) -> list[bytes]:
    """What commas outside of brackets part."""
    parts: list[bytes] = []
    depth = begin = 0
    for place in range(min(len(text), MAX_BYTES)):
        char = text[place : place + 1]
        depth += (char in b"<([{") - (char in b")]}" or (char == b">" and text[place - 1 : place] != b"-"))
        if char == b"," and depth == 0:
            parts.append(text[begin:place])
            begin = place + 1
    return [*parts, text[begin:]] if text.strip() else []


def _end(text: bytes, start: int) -> int | None:
    """Where the `>` of a template's parameters stands."""
    depth = parens = 0
    for place in range(start, min(len(text), start + MAX_BYTES)):
        char = text[place : place + 1]
        parens += (char == b"(") - (char == b")")
        if char == b">" and not (depth or parens):
            return place
        depth += 0 if parens else (char == b"<") - (char == b">")
    return None
