"""Where the text of a file gives a variable a bare name, by itself or as one side of a choice: found in one pass.

`auto& chosen = (wide ? kernel<8> : kernel<4>);` gives `chosen` the name `kernel` twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

from kernelscope.syntax.cuda.directives import without_strings
from kernelscope.syntax.cuda.expressions import template_end

MAX_VALUE = 2_000
_GIVEN = re.compile(rb"(?<![\w.])(\w+)\s*=(?!=)([^;{}=]*);")
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

    def __init__(self, data: bytes) -> None:
        self._given: dict[str, list[Choice]] = {}
        self._set: dict[str, list[int]] = {}
        for match in _GIVEN.finditer(without_strings(data)):
            variable = match[1].decode()
            self._set.setdefault(variable, []).append(match.start())
            value = match[2][:MAX_VALUE]
            for named in _NAME.finditer(value):
                end = named.end(1)
                if value[end : end + 1] == b"<":
                    end = template_end(value.decode("latin-1"), end) or len(value)
                if _ENDS.match(value, end):
                    start = match.start(2)
                    choice = Choice(variable, start + named.start(1), start + end, match.end())
                    self._given.setdefault(named[1].decode(), []).append(choice)

    def of(self, name: str, start: int, end: int) -> list[Choice]:
        """The variables that are given a name between two offsets."""
        places = self._given.get(name, [])
        first = bisect_left(places, start, key=lambda choice: choice.start)
        return places[first : bisect_left(places, end, key=lambda choice: choice.start)]

    def until(self, variable: str, start: int, end: int) -> int:
        """Where a variable is given something else after an offset, at the latest at another one."""
        places = self._set.get(variable, [])
        after = bisect_left(places, start)
        return min(places[after], end) if after < len(places) else end
