"""Blobs that a later stage makes of single files, kept on disk for as long as the file and the maker's code stay.

Knows nothing of what is in them; a blob of another version of the file or of the code is as good as none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from kernelscope.workspace.digest import digest
from kernelscope.workspace.reading import Version
from kernelscope.workspace.store import Store

BATCH = 64
"""Blobs that are written at once: what was made before an interruption is not made again."""


class Kept:
    """Blobs by path. `family` names what they are, `makers` the packages whose code makes them."""

    def __init__(self, store: Callable[[], Store], family: str, makers: Sequence[str]) -> None:
        self._store = store
        self._kind = f"{family} {code_of(makers)}"
        self._loaded: dict[str, tuple[int, int, bytes]] | None = None
        self._waiting: dict[str, tuple[str, int, int, bytes]] = {}

    def get(self, path: str, version: Version | None) -> bytes | None:
        """The blob of this version of the file."""
        if version is None or not self._is_on_disk(version):
            return None
        if self._loaded is None:
            self._loaded = {p: (size, time, blob) for p, size, time, blob in self._store().made(self._kind)}
        size, time, blob = self._loaded.get(path, (-1, -1, b""))
        return blob if (size, time) == (version.size, version.mtime_ns) else None

    def put(self, path: str, version: Version | None, blob: bytes) -> None:
        if version is None or not self._is_on_disk(version):
            return
        self._waiting[path] = (path, version.size, version.mtime_ns, blob)
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Writes what is waiting."""
        if self._waiting:
            self._store().put_made(self._kind, self._waiting.values())
            self._waiting.clear()

    def forget(self) -> None:
        """Lets go of the blobs that were read: who asks keeps what he made of them."""
        self._loaded = None

    def _is_on_disk(self, version: Version) -> bool:
        return not version.is_open and not self._store().in_memory


def code_of(makers: Sequence[str]) -> str:
    """Stands for the code of the packages: names, sizes and times of their modules."""
    found: list[str] = []
    for name in makers:
        file = import_module(name).__file__
        folder = Path(file).parent if file else Path()
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                stat = entry.stat()
                found.append(f"{name}/{entry.name} {stat.st_size} {stat.st_mtime_ns}")
    return digest("\n".join(found).encode())[:16]
