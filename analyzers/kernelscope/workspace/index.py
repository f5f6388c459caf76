"""The index of a workspace: which files there are, their names, their facts, and who mentions a name.

Fills itself in the background in two tiers and answers from what it has; open documents always answer from their
present text. Links between files are the graph's business.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path

import msgspec

from kernelscope.results import IndexProgress, LeftOut
from kernelscope.workspace.definitions import names_of
from kernelscope.workspace.facts import EMPTY_NAMES, FileFacts, columns, decode_facts, decode_names
from kernelscope.workspace.files import Files, Version
from kernelscope.workspace.pool import scan_all
from kernelscope.workspace.store import Row, Store
from kernelscope.workspace.symbols import SymbolTable
from kernelscope.workspace.worker import Scanned, facts_or_none, scan_bytes

WRITE_ROWS = 400
PROGRESS_SECONDS = 0.2
MAX_SMALL_CHANGE = 32
KEPT_FACTS = 400
MAX_SCANNED_AT_ONCE = 1 << 20
"""Larger texts are scanned by worker processes only, from disk: nobody who asks waits for them."""


class Stage(IntEnum):
    """How far the index is. Each stage includes the ones before it."""

    EMPTY = 0
    NAMES = 1
    """Names of all files: symbol search is complete."""
    OPERATORS = 2
    """Facts of all files with kernels, launches or registrations: the operator graph is complete."""
    FACTS = 3
    """Facts of all files."""


Progress = Callable[[IndexProgress], None]


class Index:
    """Safe to use from several threads; `run` and `update` must not run at the same time (they wait)."""

    def __init__(self, files: Files, cache_dir: Path | None = None) -> None:
        self.files = files
        self.table = SymbolTable()
        self.stage = Stage.EMPTY
        self.generation = 0
        """Grows whenever facts changed, so that what was built from them knows that it is stale."""
        self.operator_generation = 0
        """The same for facts of files with kernels, launches or registrations."""
        self._cache_dir = cache_dir
        self._store: Store | None = None
        self._stamps: dict[str, tuple[int, int, int, bool]] = {}
        self._failed: dict[str, str] = {}
        self._kept: dict[str, tuple[Version, FileFacts]] = {}
        self._open_names: dict[str, Version] = {}
        self._folders: tuple[tuple[int, int], dict[str, list[str]]] | None = None
        """Files by folder, with the state of the index that they were listed in."""
        self._running = threading.Lock()
        self._pending: dict[str, None] = {}
        self._walk_again = False
        self._pending_lock = threading.Lock()
        self._updater: threading.Thread | None = None
        self._opening = threading.Lock()

    # -- filling --------------------------------------------------------------------------------------------

    def run(self, progress: Progress | None = None, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Brings the index up to date with the disk."""
        with self._running:
            report = _Report(progress)
            entries = {entry.path: entry for entry in self.files.walk(cancelled)}
            if cancelled():
                return
            gone = self._load(entries.keys())
            stale = [
                (entry.path, entry.size)
                for entry in entries.values()
                if self._stamps.get(entry.path, (None,))[:2] != (entry.size, entry.mtime_ns)
            ]
            self._scan(stale, False, report, "names", cancelled)
            if cancelled():
                return
            self.stage = max(self.stage, Stage.NAMES)
            opened = set(self.files.open_paths())
            pending = [
                (stamp[2] if path not in opened else -1, path, stamp[0])
                for path, stamp in self._stamps.items()
                if not stamp[3] and path in entries and path not in self._failed
            ]
            pending.sort()
            operators = [(path, size) for rank, path, size in pending if rank <= 0]
            self._scan(operators, True, report, "kernels and bindings", cancelled)
            if cancelled():
                return
            if operators or gone:
                self.operator_generation += 1
            self.generation += 1
            self.stage = max(self.stage, Stage.OPERATORS)
            self._scan([(path, size) for rank, path, size in pending if rank > 0], True, report, "calls", cancelled)
            if not cancelled():
                self.stage = Stage.FACTS
                report.done(len(entries))

    def update(self, paths: Iterable[str]) -> None:
        """Files that changed, came or went; returns at once and follows in the background (see `settle`).

        Many at once, or a folder, are left to a new `run`, which only looks at what differs.
        """
        given = list(dict.fromkeys(paths))
        changed = [path for path in given if self.files.is_indexed(path)]
        folders = [path for path in given if path not in changed and self._holds_files(path)]
        for path in changed:
            self._kept.pop(path, None)
        if not (changed or folders):
            return
        with self._pending_lock:
            self._pending.update(dict.fromkeys(changed))
            self._walk_again |= bool(folders) or len(self._pending) > MAX_SMALL_CHANGE
            if self._updater is None:
                self._updater = threading.Thread(target=self._follow, name="index-update", daemon=True)
                self._updater.start()

    def settle(self, seconds: float = 10.0) -> None:
        """Waits until the announced changes are in the index."""
        updater = self._updater
        if updater is not None:
            updater.join(seconds)

    def _follow(self) -> None:
        """Takes announced changes in, until there are none."""
        while True:
            with self._pending_lock:
                paths, walk_again = list(self._pending), self._walk_again
                self._pending.clear()
                self._walk_again = False
                if not paths and not walk_again:
                    self._updater = None
                    return
            if walk_again:
                self.run()
            with self._running:
                if self.stage is Stage.EMPTY:
                    continue
                before = [self._stamps.get(path) for path in paths]
                rows = [row for path in paths[: 4 * MAX_SMALL_CHANGE] if (row := self._rescan(path))]
                self._take(rows)
                if any(stamp and stamp[2] == 0 for stamp in before) or any(row.priority == 0 for row in rows):
                    self.operator_generation += 1
                self.generation += 1

    def _holds_files(self, path: str) -> bool:
        """A folder in the workspace, now or before."""
        prefix = path.rstrip(os.sep) + os.sep
        if self.files.root_of(path) is None:
            return False
        return self.files.is_folder(path) or any(known.startswith(prefix) for known in list(self._stamps))

    def names_of_open(self) -> None:
        """Puts the names of open documents, as they are typed now, into the symbol table."""
        for path in self.files.open_paths():
            version = self.files.version(path)
            if version is None or self._open_names.get(path) == version or not self.files.is_indexed(path):
                continue
            data = self.files.read(path)
            if not isinstance(data, LeftOut):
                self.table.put(path, columns(names_of(path, data)))
                self._open_names[path] = version

    def _rescan(self, path: str) -> Scanned | None:
        version = self.files.version(path)
        data = self.files.read(path) if version else None
        if version is None or data is None or isinstance(data, LeftOut):
            self._forget([path])
            return None
        return scan_bytes(path, data, True, version.size, version.mtime_ns)

    def _load(self, present: Iterable[str]) -> bool:
        """What the cache knows of the files that are there; whether files of an earlier run are gone."""
        if self._stamps:
            lost = [path for path in self._stamps if path not in present]
            self._forget(lost)
            return bool(lost)
        gone: list[str] = []
        for known in self._rows().known():
            if known.path not in present:
                gone.append(known.path)
                continue
            try:
                self.table.put(known.path, decode_names(known.names) if known.names else EMPTY_NAMES)
            except msgspec.MsgspecError:
                gone.append(known.path)
                continue
            self._stamps[known.path] = (known.size, known.mtime_ns, known.priority, known.has_facts)
            if known.error:
                self._failed[known.path] = known.error
        self._rows().drop(gone)
        return False

    def _scan(
        self,
        files: list[tuple[str, int]],
        exact: bool,
        report: _Report,
        phase: str,
        cancelled: Callable[[], bool],
    ) -> None:
        rows: list[Scanned] = []
        for count, row in enumerate(scan_all(files, exact, cancelled)):
            rows.append(row)
            report.tell(count, len(files), phase)
            if len(rows) >= WRITE_ROWS:
                self._take(rows)
                rows = []
        self._take(rows)

    def _take(self, rows: list[Scanned]) -> None:
        """Puts scanned rows into the table and the cache."""
        for row in rows:
            try:
                if row.names or row.path not in self._stamps:
                    self.table.put(row.path, decode_names(row.names) if row.names else EMPTY_NAMES)
            except msgspec.MsgspecError:
                continue
            self._stamps[row.path] = (row.size, row.mtime_ns, row.priority, row.facts is not None)
            if row.error:
                self._failed[row.path] = row.error
            else:
                self._failed.pop(row.path, None)
        self._rows().put(Row(r.path, r.size, r.mtime_ns, r.priority, r.error, r.names, r.called, r.facts) for r in rows)

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            self.table.drop(path)
            self._stamps.pop(path, None)
            self._failed.pop(path, None)
            self._kept.pop(path, None)
        self._rows().drop(paths)

    def store(self) -> Store:
        """The rows on disk, opened when they are first asked for."""
        return self._rows()

    def _rows(self) -> Store:
        with self._opening:
            if self._store is None:
                self._store = Store(self._cache_dir, self.files.roots)
            return self._store

    def close(self) -> None:
        """Lets go of the cache file."""
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None

    # -- answers --------------------------------------------------------------------------------------------

    def paths(self) -> list[str]:
        """All indexed files, sorted."""
        return sorted(self._stamps)

    def paths_in(self, folders: Iterable[str]) -> list[str]:
        """Indexed files right in some folders."""
        state = (self.generation, len(self._stamps))
        if self._folders is None or self._folders[0] != state:
            below: dict[str, list[str]] = {}
            for path in list(self._stamps):
                below.setdefault(os.path.dirname(path), []).append(path)
            self._folders = (state, below)
        return [path for folder in dict.fromkeys(folders) for path in self._folders[1].get(folder, ())]

    def failures(self) -> tuple[LeftOut, ...]:
        """Files that could not be scanned, and why."""
        return tuple(LeftOut(Path(path), reason) for path, reason in sorted(self._failed.items()))

    def facts(self, path: str) -> FileFacts | None:
        """The facts of a file as it is now: from the cache when they are of this version, else scanned at once."""
        version = self.files.version(path)
        if version is None:
            return None
        kept = self._kept.get(path)
        if kept is not None and kept[0] == version:
            return kept[1]
        facts = self._cached_facts(path, version) or self._scan_now(path)
        if facts is not None:
            while len(self._kept) >= KEPT_FACTS:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[path] = (version, facts)
        return facts

    def operator_files(self) -> Iterator[tuple[str, FileFacts]]:
        """Facts of all files with kernels, launches or registrations; open documents as they are now."""
        opened = set(self.files.open_paths())
        for path, blob in self._rows().facts_of(0):
            if path not in opened and path in self._stamps:
                try:
                    yield path, decode_facts(blob)
                except msgspec.MsgspecError:
                    continue
        for path in sorted(opened):
            if facts := self.facts(path):
                yield path, facts

    def callers(self, name: str) -> list[str] | None:
        """Files that call, launch or register something of this name; None while facts are incomplete."""
        if self.stage < Stage.FACTS:
            return None
        opened = [path for path in self.files.open_paths() if self.files.is_indexed(path)]
        return sorted({*self._rows().calling(name), *opened})

    def definers(self, name: str) -> list[str] | None:
        """Files that define this name; None while names are incomplete."""
        if self.stage < Stage.NAMES:
            return None
        opened = [path for path in self.files.open_paths() if self.files.is_indexed(path)]
        return sorted({*self.table.defining(name), *opened})

    def _cached_facts(self, path: str, version: Version) -> FileFacts | None:
        if version.mtime_ns < 0 or path not in self._stamps:
            return None
        found = self._rows().facts(path)
        if found is None or found[:2] != (version.size, version.mtime_ns) or version.edit:
            return None
        try:
            return decode_facts(found[2])
        except msgspec.MsgspecError:
            return None

    def _scan_now(self, path: str) -> FileFacts | None:
        data = self.files.read(path)
        return facts_or_none(path, data) if isinstance(data, bytes) and len(data) <= MAX_SCANNED_AT_ONCE else None


class _Report:
    """Passes progress on, a few times a second."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = 0.0

    def tell(self, done: int, total: int, phase: str) -> None:
        now = time.monotonic()
        if self._progress and now - self._last >= PROGRESS_SECONDS:
            self._last = now
            self._progress(IndexProgress(done, total, phase))

    def done(self, total: int) -> None:
        if self._progress:
            self._progress(IndexProgress(total, total, "done"))
