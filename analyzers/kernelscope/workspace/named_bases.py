"""Which files have classes that derive from one of a name, by one look at the bytes of each, while no index tells."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kernelscope.results import LeftOut
from kernelscope.workspace.files import Files

_CLASS = re.compile(rb"\bclass\s+\w+\s*\(([^)]*)")
_WORD = re.compile(rb"[^\W\d]\w*")


class NamedBases:
    """The names among the bases of every class, by file; open documents change, so their files are always named."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._by_name: dict[bytes, list[str]] | None = None
        self._changes = files.changes

    def deriving(self, name: str, paths: Iterable[str]) -> list[str]:
        """Those files with a class that names this one among its bases, in their order."""
        if self._changes != self._files.changes:
            self._changes = self._files.changes
            self._by_name = None
        if self._by_name is None:
            self._by_name = self._read(paths)
        opened = self._files.open_paths()
        return [*opened, *(path for path in self._by_name.get(name.encode(), ()) if path not in opened)]

    def forget(self) -> None:
        """Files came or went."""
        self._by_name = None

    def _read(self, paths: Iterable[str]) -> dict[bytes, list[str]]:
        found: dict[bytes, list[str]] = {}
        for path in paths:
            data = self._files.read(path)
            if isinstance(data, LeftOut):
                continue
            for name in {word for bases in _CLASS.findall(data) for word in _WORD.findall(bases)}:
                found.setdefault(name, []).append(path)
        return found
