"""The index of a workspace: which files there are, their names, their facts, and who mentions a name.

Fills itself in the background in two tiers and answers from what it has; open documents always answer from their
present text. Links between files are the graph's business.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path

import msgspec

from kernelscope.results import LeftOut
from kernelscope.turns import give_way
from kernelscope.workspace.definitions import names_of
from kernelscope.workspace.digest import digest
from kernelscope.workspace.facts import EMPTY_NAMES, FileFacts, decode_facts, decode_names
from kernelscope.workspace.facts_at_hand import FactsAtHand
from kernelscope.workspace.file_count import FileCount
from kernelscope.workspace.files import CUDA_SUFFIXES, WATCHED_SUFFIXES, Entry, Files
from kernelscope.workspace.folders import Folders
from kernelscope.workspace.mentions import Mentions
from kernelscope.workspace.pool import NONE, Ahead, scan_all
from kernelscope.workspace.progress import Progress, Report
from kernelscope.workspace.reading import Version, read_stamped
from kernelscope.workspace.store import Row, Store
from kernelscope.workspace.symbols import Match, SymbolTable
from kernelscope.workspace.whole_index import Stamp, pack, unpacked
from kernelscope.workspace.worker import Scanned, Wanted, scan_bytes

WRITE_ROWS = 400
MANY_ROWS = 400
"""So many are read at a start besides what is kept as a whole."""
MAX_SMALL_CHANGE = 32


class Stage(IntEnum):
    """How far the index is. Each stage includes the ones before it."""

    EMPTY = 0
    NAMES = 1
    """Names of all files: symbol search is complete."""
    OPERATORS = 2
    """Facts of all files with kernels, launches or registrations: the operator graph is complete."""
    CALLS = 3
    """What all files call: who mentions a name is known."""


_PHASES = {
    Wanted.NAMES: "names",
    Wanted.OPERATORS: "kernels and bindings",
    Wanted.MENTIONS: "calls",
    Wanted.FACTS: "calls",
}


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
        self._stamps: dict[str, Stamp] = {}
        self._failed: dict[str, str] = {}
        self._facts = FactsAtHand(files, self.store, self.holds, self._stands)
        self._open_names: dict[str, Version] = {}
        self._is_loaded = self._was_read = False
        self._count = FileCount()
        self._folders: Folders | None = None
        self._mentions: Mentions | None = None
        self._running = threading.Lock()
        self._waited_for = False
        self._pending: dict[str, None] = {}
        self._walk_again = False
        self._pending_lock = threading.Lock()
        self._updater: threading.Thread | None = None
        self._opening = threading.Lock()

    @property
    def knows_names(self) -> bool:
        """Whether symbol search has the names of all files, or those that it had when the cache was written."""
        return self.stage >= Stage.NAMES or self._is_loaded

    @property
    def is_young(self) -> bool:
        """Whether a large workspace is being read for the first time, which takes all cores for a while."""
        is_unread = self.stage < Stage.CALLS and not self._is_loaded
        return is_unread and self._count.is_large and self._running.locked()

    def await_count(self) -> None:
        """Waits until it is known whether the workspace is young, which is soon."""
        if self.stage is Stage.EMPTY and not self._is_loaded:
            self._count.wait()

    # -- filling --------------------------------------------------------------------------------------------

    def run(
        self, progress: Progress | None = None, cancelled: Callable[[], bool] = lambda: False, waited_for: bool = False
    ) -> None:
        """Brings the index up to date with the disk, giving way to other programs unless somebody waits for all of it;
        `generation` tells whether anything differed."""
        with self._running:
            self._waited_for = waited_for
            report = Report(progress)
            with self._count.counting():
                self._load()
                report.tell(0, len(self._stamps), _PHASES[Wanted.NAMES])
                ahead = Ahead(is_wanted=not self._stamps)
                entries = {entry.path: ahead.met(entry) for entry in self.files.walk(cancelled)}
                if cancelled():
                    ahead.end()
                    return
                self._count.files = len(entries)
            gone = [path for path in self._stamps if path not in entries]
            changed = [entry for entry in entries.values() if not self._is_current(entry)]
            had_operators = any(self._has_operators(path) for path in (*gone, *(entry.path for entry in changed)))
            self._forget(gone)
            rows = list(self._scanned(changed, Wanted.NAMES, report, cancelled, ahead))
            if not cancelled():
                self.stage = max(self.stage, Stage.NAMES)
                report.now(len(changed), len(changed), _PHASES[Wanted.NAMES])  # who waits for them need not any more
            for begin in range(0, len(rows), WRITE_ROWS):
                self._save(rows[begin : begin + WRITE_ROWS])  # who reads from the store waits for so many at most
            opened = set(self.files.open_paths())
            bare = [entry for path, entry in entries.items() if self._lacks_facts(path)]
            unranked = [e for e in bare if e.path not in opened and self._stamps[e.path].rank <= 0]
            self._scan([entry for entry in bare if entry.path in opened], Wanted.FACTS, report, cancelled)
            self._scan(unranked, Wanted.OPERATORS, report, cancelled)
            if cancelled():
                return
            if had_operators or any(self._has_operators(entry.path) for entry in bare):
                self.operator_generation += 1
            self.generation += bool(gone or changed or bare)
            self.stage = max(self.stage, Stage.OPERATORS)
            rest = [entry for entry in bare if self._lacks_facts(entry.path)]
            rest.sort(key=lambda entry: self._stamps[entry.path].rank)
            self._scan(rest, Wanted.MENTIONS, report, cancelled)
            if not cancelled():
                self.stage = Stage.CALLS
                report.done(len(entries))
                self._keep_whole()

    def update(self, paths: Iterable[str]) -> None:
        """Files that changed, came or went; returns at once and follows in the background (see `settle`).

        Many at once, or a folder, are left to a new `run`, which only looks at what differs.
        """
        given = list(dict.fromkeys(paths))
        changed = [path for path in given if self.files.is_indexed(path)]
        folders = [path for path in given if path not in changed and self._holds_files(path)]
        for path in changed:
            self._facts.forget(path)
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
                opened = {path for path in self.files.open_paths() if path in self._stamps}
                shown = [path for path in paths if path not in opened]  # the text of an open one hides the disk
                known = {path: self._operators(path) for path in shown[: 4 * MAX_SMALL_CHANGE]}
                rows = [row for path in known if (row := self._rescan(path))]
                self._save(row for row in rows if self._take(row))
                self.table.settle()
                if any(self._operators(path) != operators for path, operators in known.items()):
                    self.operator_generation += 1
                self.generation += 1

    def concerns(self, path: str) -> bool:
        """Whether a path is of a file that is read, or of a folder with source files."""
        return path.endswith(WATCHED_SUFFIXES) or self._holds_files(path)

    def _holds_files(self, path: str) -> bool:
        """A folder in the workspace with source files, now or before, or a root of it."""
        if path.rstrip(os.sep) in {root.rstrip(os.sep) for root in self.files.roots}:
            return True
        if self.files.root_of(path) is None or self.files.is_skipped(path):
            return False
        if path.rstrip(os.sep) in self._by_folder().above:
            return True
        return self.files.is_folder(path) and next(self.files.walk(within=[path]), None) is not None

    def names_of_open(self) -> None:
        """Puts the names of open documents, as they are typed now, into the symbol table."""
        if self._running.locked() and not self._was_read:
            return  # what is kept is being read, and may tell the same
        for path in self.files.open_paths():
            version = self.files.version(path)
            if version is None or self._open_names.get(path) == version or not self.files.is_indexed(path):
                continue
            data = self.files.read(path)
            if not isinstance(data, LeftOut):
                if path in self._open_names or not self._is_as_indexed(path, data):
                    self.table.put(path, names_of(path, data))
                self._open_names[path] = version

    def _is_as_indexed(self, path: str, data: bytes) -> bool:
        """Whether an open document says what the file said when it was indexed: then its names are those of a parse."""
        stamp = self._stamps.get(path)
        if stamp is None:
            return False
        version, on_disk = read_stamped(path, self.files.max_file_bytes)
        return on_disk == data and (version.size, version.mtime_ns) == (stamp.size, stamp.mtime_ns)

    def _rescan(self, path: str) -> Scanned | None:
        version = self.files.version(path)
        data = self.files.read(path) if version else None
        if version is None or data is None or isinstance(data, LeftOut):
            self._forget([path])
            return None
        return scan_bytes(path, data, Wanted.MENTIONS, version.size, version.mtime_ns)

    def _load(self) -> None:
        """What the cache knows, the first time; the walk that follows finds out what of it has changed."""
        if self._stamps:
            return
        after = self._take_whole()
        for known in self.store().known(after):
            give_way()
            try:
                names = decode_names(known.names) if known.names else EMPTY_NAMES
            except msgspec.MsgspecError:
                continue
            if known.path not in self._open_names:
                self.table.put(known.path, names)
            self._stamps[known.path] = Stamp(known.size, known.mtime_ns, known.priority, known.has_facts)
            if known.error:
                self._failed[known.path] = known.error
        self._is_loaded, self._was_read = bool(self._stamps), True

    def _take_whole(self) -> int:
        """What was known when all of it was last written; the number of the last row that is in it."""
        if (kept := self.store().whole()) is None:
            return 0
        state, content = kept
        with content:
            whole = unpacked(content)
        if whole is None:
            self.store().drop_whole()
            return 0
        self.table.take(whole.names)
        self._stamps, self._failed = whole.stamps, whole.failed
        for path in self.store().gone(state.gone):
            self.table.drop(path)
            self._stamps.pop(path, None)
            self._failed.pop(path, None)
        return state.file

    def _keep_whole(self) -> None:
        """Writes all that is known into one file, when much of it is not in the one that is there."""
        store = self.store()
        state, kept = store.state(), store.whole_state()
        if not store.in_memory and (kept is None or sum(state) - sum(kept) > MANY_ROWS):
            store.put_whole(state, pack(store.known()))

    def _is_current(self, entry: Entry) -> bool:
        stamp = self._stamps.get(entry.path)
        return stamp is not None and (stamp.size, stamp.mtime_ns) == (entry.size, entry.mtime_ns)

    def _has_operators(self, path: str) -> bool:
        stamp = self._stamps.get(path)
        return stamp is not None and stamp.rank == 0

    def _operators(self, path: str) -> bytes | None:
        """The facts of a file with kernels, launches or registrations, as they are kept."""
        found = self.store().facts(path) if self._has_operators(path) else None
        return found[2] if found else None

    def _lacks_facts(self, path: str) -> bool:
        stamp = self._stamps.get(path)
        return stamp is not None and not stamp.has_facts and path not in self._failed

    def _scan(self, files: list[Entry], wanted: Wanted, report: Report, cancelled: Callable[[], bool]) -> None:
        """Scans files and keeps what was found, some hundred at a time."""
        rows: list[Scanned] = []
        for row in self._scanned(files, wanted, report, cancelled):
            rows.append(row)
            if len(rows) >= WRITE_ROWS:
                self._save(rows)
                rows = []
        self._save(rows)

    def _scanned(
        self, files: list[Entry], wanted: Wanted, report: Report, cancelled: Callable[[], bool], ahead: Ahead = NONE
    ) -> Iterator[Scanned]:
        """Rows of files as they come; what they tell is known soon, and kept by `_save` only."""
        sizes = [(entry.path, entry.size) for entry in files]
        scanned = scan_all(sizes, wanted, cancelled, self._waited_for, ahead)
        for count, row in enumerate(scanned):
            report.tell(count, len(files), _PHASES[wanted])
            if count % WRITE_ROWS == 0:
                self.table.settle()
            if self._take(row):
                yield row
        self.table.settle()

    def _take(self, row: Scanned) -> bool:
        """Puts a row into the table; False when it tells nothing that is worth keeping."""
        if row.names is None:  # ranked only
            self._stamps[row.path] = Stamp(row.size, row.mtime_ns, row.priority, False)
            return False
        if row.names or row.path not in self._stamps:
            try:
                names = decode_names(row.names) if row.names else EMPTY_NAMES
            except msgspec.MsgspecError:
                return False
            self.table.put(row.path, names, is_one_of_many=True)
        self._stamps[row.path] = Stamp(row.size, row.mtime_ns, row.priority, row.facts is not None)
        if row.error:
            self._failed[row.path] = row.error
        else:
            self._failed.pop(row.path, None)
        return True

    def _save(self, rows: Iterable[Scanned]) -> None:
        self.store().put(
            Row(r.path, r.size, r.mtime_ns, r.priority, r.error, r.names or b"", r.called, r.facts) for r in rows
        )

    def _forget(self, paths: list[str]) -> None:
        for path in paths:
            self.table.drop(path)
            self._stamps.pop(path, None)
            self._failed.pop(path, None)
            self._facts.forget(path)
        self.store().drop(paths)

    def store(self) -> Store:
        """The rows on disk, opened when they are first asked for."""
        with self._opening:
            if self._store is None:
                self._store = Store(self._cache_dir, self.files.roots)
            return self._store

    def close(self) -> None:
        """Lets go of the cache file."""
        self._facts.write()
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None

    # -- answers --------------------------------------------------------------------------------------------

    def search(self, query: str, limit: int) -> list[Match]:
        """Names that fit a query, best first. Of a file that changed unsaid they are taken anew."""
        self.names_of_open()
        found = self.table.search(query, limit)
        changed = [path for path in dict.fromkeys(match.path for match in found) if not self._stands(path)]
        if not changed:
            return found
        self.update(changed)
        for path in changed[:MAX_SMALL_CHANGE]:
            self._put_names(path)
        left = frozenset(changed[MAX_SMALL_CHANGE:])
        return [match for match in self.table.search(query, limit) if match.path not in left]

    def _stands(self, path: str) -> bool:
        """Whether a file still is what its names were taken from."""
        version, stamp = self.files.version(path), self._stamps.get(path)
        if version is None or version.is_open:
            return version is not None
        return stamp is not None and (version.size, version.mtime_ns) == (stamp.size, stamp.mtime_ns)

    def _put_names(self, path: str) -> None:
        """The names of a file as it is now; of one that has gone none."""
        data = self.files.read(path)
        self.table.put(path, EMPTY_NAMES if isinstance(data, LeftOut) else names_of(path, data))

    def paths(self) -> list[str]:
        """All indexed files, sorted."""
        return sorted(self._stamps)

    def paths_in(self, folders: Iterable[str]) -> list[str]:
        """Indexed files right in some folders."""
        files = self._by_folder().files
        return [path for folder in dict.fromkeys(folders) for path in files.get(folder, ())]

    def paths_named(self, name: str) -> list[str]:
        """Indexed files of a name, in whatever folder."""
        return self._by_folder().named.get(name, [])

    def _by_folder(self) -> Folders:
        state = (self.generation, len(self._stamps))
        if self._folders is None or self._folders.state != state:
            self._folders = Folders(state, list(self._stamps))
        return self._folders

    def failures(self) -> tuple[LeftOut, ...]:
        """Files that could not be scanned, and why."""
        return tuple(LeftOut(Path(path), reason) for path, reason in sorted(self._failed.items()))

    def facts(self, path: str) -> FileFacts | None:
        """The facts of a file as it is now: from the cache when they are of this version, else scanned at once."""
        return self._facts.of(path)

    def indexed_facts(self, path: str) -> FileFacts | None:
        """The facts of a file as it was on the disk when it was indexed, whatever is typed in it."""
        found = self._operators(path)
        try:
            return decode_facts(found) if found else None
        except msgspec.MsgspecError:
            return None

    def state_of_disk(self) -> str | None:
        """Stands for all files as they were on the disk when they were indexed; None while calls are incomplete."""
        if self.stage < Stage.CALLS:
            return None
        known = (f"{path}\n{stamp.size} {stamp.mtime_ns}\n" for path, stamp in sorted(self._stamps.items()))
        return digest("".join(known).encode("utf-8", "surrogatepass"))

    def holds(self, path: str) -> bool:
        """Whether a file is indexed."""
        return path in self._stamps

    def operator_count(self) -> int:
        """How many files have kernels, launches or registrations."""
        return sum(stamp.rank == 0 for stamp in self._stamps.values())

    def operator_files(self) -> Iterator[tuple[str, FileFacts]]:
        """Facts of all files with kernels, launches or registrations, by path; open documents as they are now."""
        opened = set(self.files.open_paths())
        kept = ((path, blob) for path, blob in self.store().facts_of(0) if path not in opened and path in self._stamps)
        for path, blob in heapq.merge(kept, [(path, b"") for path in sorted(opened)], key=lambda row: row[0]):
            try:
                facts = self.facts(path) if path in opened else decode_facts(blob)
            except msgspec.MsgspecError:
                continue
            if facts is not None:
                yield path, facts

    def callers(self, name: str) -> list[str] | None:
        """Files that call, launch or register something of this name; None while calls are incomplete."""
        if self.stage < Stage.CALLS:
            return None
        opened = [path for path in self.files.open_paths() if self.files.is_indexed(path)]
        return sorted({*self._mentioned().calling(name), *opened})

    def extenders(self, name: str) -> list[str] | None:
        """Files with a class that names this one among its bases; None while calls are incomplete."""
        if self.stage < Stage.CALLS:
            return None
        opened = [path for path in self.files.open_paths() if self.files.is_indexed(path)]
        return sorted({*self._mentioned().deriving(name), *opened})

    def native_callers(self, name: str) -> list[str] | None:
        """The same of C++ files alone, which are few: what they call is held in memory."""
        if self.stage < Stage.CALLS:
            return None
        found = self._mentioned().native.calling(name)
        opened = (p for p in self.files.open_paths() if p.endswith(CUDA_SUFFIXES) and self.files.is_indexed(p))
        return sorted({*found, *opened})

    def _mentioned(self) -> Mentions:
        if self._mentions is None or self._mentions.generation != self.generation:
            self._mentions = Mentions(self.generation, self.store().called())
        return self._mentions

    def definers(self, name: str) -> list[str] | None:
        """Files that define this name; None while names are incomplete."""
        if self.stage < Stage.NAMES:
            return None
        opened = [path for path in self.files.open_paths() if self.files.is_indexed(path)]
        return sorted({*self.table.defining(name), *opened})
