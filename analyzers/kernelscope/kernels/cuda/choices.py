"""Where the text of a file gives a variable a bare name, by itself or as one side of a choice: looked for when asked.

`auto& chosen = (wide ? kernel<8> : kernel<4>);` gives `chosen` the name `kernel` twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from kernelscope.syntax.cuda.expressions import template_end

MAX_VALUE = 2_000
MAX_VARIABLE = 200
_SET = rb"%b(?<![\w.]%b)\s*=(?!=)[^;{}=]*;"
"""Begins with the name, which is then searched for as a text."""
_VARIABLE = re.compile(rb"(?<![\w.])(\w+)\s*\Z")
_VALUE = re.compile(rb"((?>(?:[^;{}=!<>]+|[=!<>]=|[!<>])*));")
_COMPARES = re.compile(rb"[=!<>]=")
_NAME = re.compile(rb"(?:\A|[?(:]|&)\s*\(*\s*&?\s*(?:[A-Za-z_]\w*\s*::\s*)*([A-Za-z_]\w*)\s*(?=[<)?:;]|\Z)")
_ENDS = re.compile(rb"\s*\)*\s*(?:\Z|:(?!:))")


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable that is given a name."""

    variable: str
    start: int
    """Of the name."""
    end: int
    """Of its template arguments."""
    done: int
    """Of the statement."""


class Choices:
    """All variables that a text gives bare names."""

    def __init__(self, data: bytes, plain: bytes) -> None:
        """`plain` is the text without strings."""
        self.data, self._plain = data, plain
        self._given: dict[str, list[Choice]] = {}

    def _places(self, name: bytes) -> Iterator[Choice]:
        """The choices of the statements that give some variable a value in which a name stands."""
        seen = -1
        place = self._plain.find(name)
        while place >= 0:
            start = max(0, place - MAX_VALUE)
            begin = max(self._uncompared.rfind(char, start, place) for char in (b";", b"{", b"}", b"="))
            if begin > seen and self._plain[begin : begin + 1] == b"=":
                seen = begin
                yield from self._of_statement(name, begin)
            place = self._plain.find(name, place + 1)

    @cached_property
    def _uncompared(self) -> bytes:
        """The text without signs that compare: an equals sign gives a value."""
        return _COMPARES.sub(b"  ", self._plain)

    def _of_statement(self, name: bytes, equals: int) -> Iterator[Choice]:
        variable = _VARIABLE.search(self._plain, max(0, equals - MAX_VARIABLE), equals)
        given = _VALUE.match(self._plain, equals + 1)
        if variable is None or given is None:
            return
        value = given[1][:MAX_VALUE]
        for named in _NAME.finditer(value):
            if named[1] != name:
                continue
            end = named.end(1)
            if value[end : end + 1] == b"<":
                end = template_end(value.decode("latin-1"), end) or len(value)
            if _ENDS.match(value, end):
                start = given.start(1)
                yield Choice(variable[1].decode(), start + named.start(1), start + end, given.end())

    def of(self, name: str, start: int, end: int) -> list[Choice]:
        """The variables that are given a name between two offsets."""
        places = self._given.get(name)
        if places is None:
            places = self._given[name] = list(self._places(name.encode()))
        first = bisect_left(places, start, key=lambda choice: choice.start)
        return places[first : bisect_left(places, end, key=lambda choice: choice.start)]

    def until(self, variable: str, start: int, end: int) -> int:
        """Where a variable is given something else after an offset, at the latest at another one."""
        name = variable.encode()
        found = re.search(_SET % (name, name), self._plain[start:])
        return min(start + found.start(), end) if found is not None else end
