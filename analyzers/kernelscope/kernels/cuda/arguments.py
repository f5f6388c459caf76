"""Where the text of a file passes a bare name to a call: looked for when a name is asked, not before."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kernelscope.syntax.cuda.expressions import split_arguments

MAX_NAME = 200
_BRACKET = re.compile(rb"[()\[\]{}]")
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_PASSED = re.compile(rb"\b(?>\w+)(?=\s*[,)<])")
_LOOK_BACK = 1_000
"""Bytes in which the bracket around a place is looked for first; then ever more."""


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

    def __init__(self, data: bytes, plain: bytes) -> None:
        """`plain` is the text without strings."""
        self.data, self._plain = data, plain
        self._passed: dict[tuple[str, int, int], list[Argument]] = {}

    def between(self, name: str, start: int, end: int) -> list[Argument]:
        """The places between two offsets at which a name is passed."""
        asked = (name, start, end)
        if asked not in self._passed:
            self._passed[asked] = list(self._places(name.encode(), start, end))
        return self._passed[asked]

    @cached_property
    def _named(self) -> dict[bytes, list[int]]:
        """Where each name stands before what may end an argument."""
        found: dict[bytes, list[int]] = {}
        for match in _PASSED.finditer(self.data):
            found.setdefault(match[0], []).append(match.start())
        return found

    def _places(self, name: bytes, start: int, end: int) -> Iterator[Argument]:
        places = self._named.get(name, [])
        for place in places[bisect_left(places, start) : bisect_left(places, end)]:
            before = self._before(place)
            opening = self.opening(before) if before is not None else None
            if before is not None and opening is not None:
                yield Argument(place, before, opening)

    def _before(self, name: int) -> int | None:
        """The bracket or comma before a name with its namespaces and an `&`; None where something else stands there."""
        start = max(0, name - MAX_NAME)
        head = self.data[start:name]
        while head.endswith(b"::"):
            space = head[:-2].rstrip(_WORD)
            if len(space) == len(head) - 2:
                return None
            head = space
        head = head.rstrip().removesuffix(b"&").rstrip()
        return start + len(head) - 1 if head.endswith((b"(", b",")) else None

    def opening(self, before: int) -> int | None:
        """The round bracket around what stands behind a bracket or comma; None where it is another, or in a text."""
        if self._plain[before] != self.data[before]:
            return None
        if self.data[before : before + 1] == b"(":
            return before
        depth, stop, length = 0, before, _LOOK_BACK
        while stop > 0:
            start = max(0, stop - length)
            for match in reversed(list(_BRACKET.finditer(self._plain, start, stop))):
                if match[0] in b")]}":
                    depth += 1
                elif depth:
                    depth -= 1
                else:
                    return match.start() if match[0] == b"(" else None
            stop, length = start, length * 4
        return None

    def callee(self, argument: Argument) -> str:
        """The function that is called; empty where it is none with a name."""
        head, _ = self._called(argument)
        name = head[len(head.rstrip(_WORD + b":")) :]
        return name.decode().removeprefix("::") if name and not name[:1].isdigit() else ""

    def templates(self, argument: Argument) -> list[str]:
        """The template arguments that the call writes."""
        return split_arguments(self._called(argument)[1].decode("latin-1"))

    def _called(self, argument: Argument) -> tuple[bytes, bytes]:
        """What stands before a call's bracket: the text with the function's name, and its template arguments."""
        head = self.data[max(0, argument.opening - MAX_NAME) : argument.opening].rstrip()
        if head.endswith(b">"):
            depth = 0
            for i in range(len(head) - 1, -1, -1):
                depth += (head[i : i + 1] == b">") - (head[i : i + 1] == b"<")
                if depth == 0:
                    return head[:i].rstrip(), head[i + 1 : -1]
        return head, b""

    def position(self, argument: Argument) -> int:
        """How many arguments stand before it."""
        if argument.before == argument.opening:
            return 0
        return len(split_arguments(self.data[argument.opening + 1 : argument.before].decode("latin-1")))
