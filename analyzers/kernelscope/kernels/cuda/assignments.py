"""Where the text of a file assigns variables and their members: found in one pass, asked by name and place."""

from __future__ import annotations

import re
from bisect import bisect_left

_ASSIGNED = re.compile(
    rb"(?<![\w.>])([A-Za-z_]\w*)(?:\s*(?:\.|->)\s*([A-Za-z_]\w*))?\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)"
    rb"|(?:\+\+|--|(?<![&\w)\]])&)\s*([A-Za-z_]\w*)"
    rb"|\b([A-Za-z_]\w*)\s*(?:\+\+|--)"
)


class Assignments:
    """All assignments of a text. A variable that is counted up or whose address is taken counts as assigned."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._places: dict[tuple[bytes, bytes], list[int]] = {}
        self._values: dict[int, int] = {}
        for match in _ASSIGNED.finditer(data):
            name = match[1] or match[3] or match[4]
            self._places.setdefault((name, match[2] or b""), []).append(match.start())
            if match[1]:
                self._values[match.start()] = match.end()

    def between(self, name: str, start: int, end: int, member: str = "") -> list[int]:
        """Offsets at which a variable, or a member of it, is assigned."""
        places = self._places.get((name.encode(), member.encode()), [])
        return places[bisect_left(places, start) : bisect_left(places, end)]

    def value(self, offset: int) -> str | None:
        """What an assignment assigns; None where it only counts up or hands out an address."""
        begin = self._values.get(offset)
        if begin is None:
            return None
        end = self.data.find(b";", begin)
        return self.data[begin : end if end >= 0 else begin + 200].decode("utf-8", "replace").strip()
