"""Where the text of a file passes a bare name to a call: found in one pass, asked by name and place."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from kernelscope.syntax.cuda.directives import without_strings
from kernelscope.syntax.cuda.expressions import split_arguments

MAX_NAME = 200
_BRACKET = re.compile(rb"[()\[\]{},]")
_PASSED = re.compile(rb"\s*&?\s*(?:\w+::)*([A-Za-z_]\w*)(?=\s*[,)<])")


@dataclass(frozen=True, slots=True)
class Argument:
    """A name that a call is passed, perhaps with template arguments behind it."""

    start: int
    """Of the name."""
    before: int
    """The bracket or comma before it."""
    opening: int
    """The bracket of the call."""


class Arguments:
    """All bare names that a text passes to calls."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._passed: dict[bytes, list[Argument]] = {}
        open_brackets: list[int] = []
        for match in _BRACKET.finditer(without_strings(data)):
            place, char = match.start(), match[0]
            if char in b")]}":
                if open_brackets:
                    open_brackets.pop()
                continue
            if char != b",":
                open_brackets.append(place)
            opening = open_brackets[-1] if open_brackets else -1
            if opening < 0 or data[opening : opening + 1] != b"(":
                continue
            passed = _PASSED.match(data, place + 1)
            if passed is not None:
                self._passed.setdefault(passed[1], []).append(Argument(passed.start(1), place, opening))

    def between(self, name: str, start: int, end: int) -> list[Argument]:
        """The places between two offsets at which a name is passed."""
        places = self._passed.get(name.encode(), [])
        first = bisect_left(places, start, key=lambda argument: argument.start)
        return places[first : bisect_left(places, end, key=lambda argument: argument.start)]

    def callee(self, argument: Argument) -> str:
        """The function that is called; empty where it is none with a name."""
        head = self.data[max(0, argument.opening - MAX_NAME) : argument.opening].rstrip()
        if head.endswith(b">"):
            depth = 0
            for i in range(len(head) - 1, -1, -1):
                depth += (head[i : i + 1] == b">") - (head[i : i + 1] == b"<")
                if depth == 0:
                    head = head[:i].rstrip()
                    break
        name = head[len(head.rstrip(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:")) :]
        return name.decode().removeprefix("::") if name and not name[:1].isdigit() else ""

    def position(self, argument: Argument) -> int:
        """How many arguments stand before it."""
        if argument.before == argument.opening:
            return 0
        return len(split_arguments(self.data[argument.opening + 1 : argument.before].decode("latin-1")))
