"""Calls of a name in the files that lie nearest to one file: the same ones at any time, on any machine.

Looks at bytes, never at the index, which may not stand yet. What lies further away is looked at for those only who can
tell next to nothing without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from kernelscope.results import LeftOut
from kernelscope.turns import give_way
from kernelscope.workspace.files import Files

MAX_FILES = 300
MAX_BYTES = 12 << 20
FURTHER_FILES, FURTHER_BYTES = 2_500, 40 << 20
"""As much of what lies further away: layers of a large program lie in other folders than the models made of them."""
MAX_CALLING = 12
"""Files with calls of the name that are looked into: each has to be parsed."""


class Nearby:
    """The files around one file, read when a name is first looked for."""

    def __init__(self, files: Files, paths: Sequence[str], everywhere: Callable[[], Sequence[str]]) -> None:
        self._files = files
        self._paths = paths[:MAX_FILES]
        self._everywhere = everywhere
        """Gives every file, nearest first."""
        self._read: list[tuple[str, bytes]] | None = None

    def calling(self, name: str, saying: re.Pattern[bytes] | None = None) -> list[str]:
        """The nearest files in which the name is called, nearest first; of those only the ones where what begins with
        the name is `saying` something."""
        if self._read is None:
            self._read = list(self._contents(self._paths, MAX_BYTES))
        return _calling(self._read, name, saying)

    def calling_anywhere(self, name: str) -> list[str]:
        """The same, and where nothing near calls the name, the nearest files that do."""
        if near := self.calling(name):
            return near
        near = set(self._paths)
        further = [path for path in self._everywhere() if path not in near][:FURTHER_FILES]
        return _calling(self._contents(further, FURTHER_BYTES), name, None)

    def _contents(self, paths: Sequence[str], left: int) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            give_way()
            data = self._files.read(path)
            if isinstance(data, LeftOut):
                continue
            left -= len(data)
            if left < 0:
                return
            yield path, data


def _calling(read: Iterable[tuple[str, bytes]], name: str, saying: re.Pattern[bytes] | None) -> list[str]:
    needle = name.encode()
    pattern = saying or re.compile(rb"(?<!def )(?<!class )\b%b\s*\(" % re.escape(needle))
    found: list[str] = []
    for path, data in read:
        give_way()
        if next(beginning_with(needle, pattern, data), None) is not None:
            found.append(path)
            if len(found) == MAX_CALLING:
                break
    return found


def beginning_with(word: bytes, pattern: re.Pattern[bytes], data: bytes) -> Iterator[re.Match[bytes]]:
    """The matches of a pattern that begins with a word: the word alone is found many times faster."""
    start = data.find(word)
    while start >= 0:
        if (match := pattern.match(data, start)) is not None:
            yield match
        start = data.find(word, start + len(word))
