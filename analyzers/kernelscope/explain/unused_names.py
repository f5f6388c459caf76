"""Lines of pseudocode that nobody reads: they give a name what only lifted addresses were made of.

Works on the written lines. What a line does besides giving a name its value is told by who writes it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kernelscope.explain.document import Line

_WORD = re.compile(r"[A-Za-z_]\w*")
_COMMENT = "  # "


@dataclass(frozen=True, slots=True)
class Giving:
    """The lines from `first` to `last` give `name` its value and do nothing else."""

    name: str
    first: int
    last: int


def without_unused(lines: Sequence[Line], givings: Sequence[Giving]) -> tuple[Line, ...]:
    """The lines without those that give values to names that no other line has; no block is left empty."""
    words = [Counter(_WORD.findall(line.text.partition(_COMMENT)[0])) for line in lines]
    mentioned = Counter[str]()
    for each in words:
        mentioned.update(each)
    own = Counter[str]()
    for giving in givings:
        own[giving.name] += sum(words[at][giving.name] for at in range(giving.first, giving.last + 1))
    dropped: set[int] = set()
    left = list(givings)
    while unused := [giving for giving in left if mentioned[giving.name] == own[giving.name]]:
        left = [giving for giving in left if giving not in unused]
        for giving in unused:
            place = range(giving.first, giving.last + 1)
            if _is_alone(lines, place, dropped):
                continue
            dropped.update(place)
            for at in place:
                mentioned.subtract(words[at])
            own[giving.name] -= sum(words[at][giving.name] for at in place)
    return tuple(line for at, line in enumerate(lines) if at not in dropped)


def _is_alone(lines: Sequence[Line], place: range, dropped: set[int]) -> bool:
    """Whether nothing else is left in the block that the lines stand in."""
    indent = _indent(lines[place[0]])
    around = (range(place[0] - 1, -1, -1), range(place[-1] + 1, len(lines)))
    for side in around:
        for at in side:
            if _indent(lines[at]) < indent:
                break
            if at not in dropped:
                return False
    return True


def _indent(line: Line) -> int:
    return len(line.text) - len(line.text.lstrip())
