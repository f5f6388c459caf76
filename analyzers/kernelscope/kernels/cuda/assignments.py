"""Where the text of a file assigns variables and their members: found in one pass, asked by name and place."""

from __future__ import annotations

import re
from bisect import bisect_left, insort

_ASSIGNED = re.compile(
    rb"([A-Za-z_](?<![\w.>].)\w*+)(?:\s*+(?:\.|->)\s*+([A-Za-z_]\w*+))?\s*+(?:((?:[-+*/%&|^]|<<|>>)?=(?!=))|\+\+|--)"
)
_HANDED_OUT = re.compile(rb"(?:\+\+|--|&(?<![&\w)\]]&))\s*([A-Za-z_]\w*)")
"""Both begin with a letter of their own: such patterns are searched for several times as fast."""


class Assignments:
    """All assignments of a text. A variable that is counted up or whose address is taken counts as assigned."""

    def __init__(self, data: bytes, plain: bytes) -> None:
        """`plain` is the text without strings: `"block = %d"` assigns nothing."""
        self.data = data
        self._places: dict[tuple[bytes, bytes], list[int]] = {}
        self._values: dict[int, tuple[str, int]] = {}
        for match in _ASSIGNED.finditer(plain):
            self._places.setdefault((match[1], match[2] or b""), []).append(match.start())
            if match[3]:
                self._values[match.start()] = match[3].decode(), match.end()
        for match in _HANDED_OUT.finditer(plain):
            insort(self._places.setdefault((match[1], b""), []), match.start())

    def between(self, name: str, start: int, end: int, member: str = "") -> list[int]:
        """Offsets at which a variable, or a member of it, is assigned."""
        places = self._places.get((name.encode(), member.encode()), [])
        return places[bisect_left(places, start) : bisect_left(places, end)]

    def value(self, offset: int) -> str | None:
        """What an assignment assigns; None where it changes what there was, or hands out an address."""
        operator, text = self.change(offset)
        return text if operator == "=" else None

    def change(self, offset: int) -> tuple[str, str]:
        """The operator of an assignment, such as `/=`, and what stands behind it; empty where it has none."""
        operator, begin = self._values.get(offset, ("", -1))
        if begin < 0 or operator in ("++", "--"):
            return operator, ""
        end = self.data.find(b";", begin)
        return operator, self.data[begin : end if end >= 0 else begin + 200].decode("utf-8", "replace").strip()
