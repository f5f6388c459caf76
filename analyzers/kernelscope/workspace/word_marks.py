"""Which files may hold a word, told without reading them again: a few bits for each word of a file.

A file that holds a word is always named; one that does not is named once in a while.
"""

from __future__ import annotations

import re
import zlib

from kernelscope.results import LeftOut
from kernelscope.workspace.files import Files

BYTES = 1024
"""Bits for the words of one file, in bytes: of 600 words one in fourteen others looks as if it were there, too."""
_WORD = re.compile(rb"[A-Za-z_]\w*")


class WordMarks:
    """Marks of the files that were read so far; texts of open documents have none, for they change."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._marks: dict[str, bytes] = {}
        self._changes = files.changes

    def may_hold(self, path: str, word: bytes) -> bool:
        """Whether a file may hold a word; true for what is no word and for open documents."""
        if self._changes != self._files.changes:
            self._changes = self._files.changes
            self._marks.clear()
        if _WORD.fullmatch(word) is None or path in self._files.open_paths():
            return True
        marks = self._marks.get(path)
        if marks is None:
            data = self._files.read(path)
            self._marks[path] = marks = b"" if isinstance(data, LeftOut) else _marks(data)
        place = _place(word)
        return bool(marks) and bool(marks[place >> 3] >> (place & 7) & 1)


def _marks(data: bytes) -> bytes:
    marks = bytearray(BYTES)
    for word in set(_WORD.findall(data)):
        place = _place(word)
        marks[place >> 3] |= 1 << (place & 7)
    return bytes(marks)


def _place(word: bytes) -> int:
    return zlib.crc32(word) % (8 * BYTES)
