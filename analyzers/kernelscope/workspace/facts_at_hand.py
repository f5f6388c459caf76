"""The facts of single files as they are now: kept, from the cache, or scanned when somebody asks."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kernelscope.workspace.facts import FileFacts, decode_facts, encode
from kernelscope.workspace.files import Files
from kernelscope.workspace.reading import Version
from kernelscope.workspace.scan import MAX_SCANNED_AT_ONCE
from kernelscope.workspace.store import Store
from kernelscope.workspace.worker import facts_or_none

KEPT_FACTS = 400
WRITTEN_FACTS = 64
"""So many that were made when they were asked for are written at once."""


class FactsAtHand:
    """By path. `holds` tells whether a file is indexed, `stands` whether it still is what was indexed."""

    def __init__(
        self, files: Files, store: Callable[[], Store], holds: Callable[[str], bool], stands: Callable[[str], bool]
    ) -> None:
        self._files = files
        self._store = store
        self._holds = holds
        self._stands = stands
        self._kept: dict[str, tuple[Version, FileFacts]] = {}
        self._made: dict[str, tuple[Version, FileFacts]] = {}
        """Facts that nobody had asked for before, to be written."""

    def of(self, path: str) -> FileFacts | None:
        """The facts of a file as it is now: from the cache when they are of this version, else scanned at once."""
        version = self._files.version(path)
        if version is None:
            return None
        kept = self._kept.get(path)
        if kept is not None and kept[0] == version:
            return kept[1]
        facts = self._cached(path, version) or self._scan(path, version)
        if facts is not None:
            while len(self._kept) >= KEPT_FACTS:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[path] = (version, facts)
        return facts

    def forget(self, path: str) -> None:
        self._kept.pop(path, None)

    def write(self) -> None:
        """Puts what was made into the cache."""
        made, self._made = self._made, {}
        rows = [(encode(facts), path, version.size, version.mtime_ns) for path, (version, facts) in list(made.items())]
        self._store().put_facts(rows)

    def _cached(self, path: str, version: Version) -> FileFacts | None:
        if version.is_open or not self._holds(path):
            return None
        found = self._store().facts(path)
        if not found or not found[2] or found[:2] != (version.size, version.mtime_ns) or version.edit:
            return None
        try:
            return decode_facts(found[2])
        except msgspec.MsgspecError:
            return None

    def _scan(self, path: str, version: Version) -> FileFacts | None:
        data = self._files.read(path)
        if not isinstance(data, bytes) or len(data) > MAX_SCANNED_AT_ONCE:
            return None
        facts = facts_or_none(path, data)
        if facts is not None and self._stands(path) and not (version.is_open or version.edit):
            self._made[path] = (version, facts)
            if len(self._made) >= WRITTEN_FACTS:
                self.write()
        return facts
