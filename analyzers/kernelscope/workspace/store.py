"""The cache of scans in sqlite: one row per file, valid for one size and time, dropped whenever anything is odd.

Losing it costs time only: corrupt, foreign or unwritable caches are replaced by one in memory without a word.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from msgspec import Struct

from kernelscope import __version__
from kernelscope.workspace.digest import digest

SCHEMA = 64
BUSY_SECONDS = 0.5
PAGE_ROWS = 200
UNUSED_SECONDS = 30 * 86_400
_SUFFIXES = ("", "-wal", "-shm")
WHOLE = "names-"
"""How what is known of all files is called, behind the name of the cache."""

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT UNIQUE, size INTEGER, mtime_ns INTEGER, priority INTEGER,
    error TEXT, names BLOB, has_facts INTEGER
);
CREATE TABLE IF NOT EXISTS gone (id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT);
CREATE TABLE IF NOT EXISTS whole (id INTEGER PRIMARY KEY, file INTEGER, gone INTEGER, name TEXT);
CREATE TABLE IF NOT EXISTS facts (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, priority INTEGER, called BLOB, facts BLOB
);
CREATE INDEX IF NOT EXISTS ranked ON facts (priority, path);
CREATE TABLE IF NOT EXISTS made (
    kind TEXT, path TEXT, size INTEGER, mtime_ns INTEGER, blob BLOB, PRIMARY KEY (kind, path)
);
"""
"""Names lie apart from the facts, which are twenty times as large: a start reads all names and no facts.

It reads them from one file, which `whole` names, and what came or went since: rows of `files` and `gone` with greater
numbers.
"""
_COLUMNS = "path, size, mtime_ns, priority, error, names, has_facts"


class Row(Struct, frozen=True):
    """What is known of one file: `names` from tier 1; `called` and `facts` from tier 2, else None.

    Facts that are made when somebody asks for them are empty.
    """

    path: str
    size: int
    mtime_ns: int
    priority: int
    error: str | None
    names: bytes
    called: bytes | None = None
    facts: bytes | None = None


class Known(NamedTuple):
    """A row without its large columns; a start makes one of each file."""

    path: str
    size: int
    mtime_ns: int
    priority: int
    error: str | None
    names: bytes
    has_facts: bool


class State(NamedTuple):
    """Of the rows: the numbers of the file that was put last, and of the one that was dropped last."""

    file: int
    gone: int


_Statement = tuple[str, Sequence[tuple[object, ...]]]
"""SQL, and the values of each time that it is executed."""


class Store:
    """Rows by path. Safe to use from several threads; several processes may share one file."""

    def __init__(self, folder: Path | None, roots: Sequence[str]) -> None:
        self.path = str(folder / f"index-{_fingerprint(roots)}.sqlite") if folder else ":memory:"
        self._lock = threading.Lock()
        self._database = self._open()

    @property
    def in_memory(self) -> bool:
        return self.path == ":memory:"

    def known(self, after: int = 0) -> list[Known]:
        """The rows without facts whose numbers are greater."""
        return [Known._make(row) for row in self._select(f"SELECT {_COLUMNS} FROM files WHERE id > ?", (after,))]

    def gone(self, after: int = 0) -> list[str]:
        """Files that were dropped since, and may have come again."""
        return [path for (path,) in self._select("SELECT path FROM gone WHERE id > ?", (after,))]

    def whole(self) -> tuple[State, BinaryIO] | None:
        """All that was known, as one file, and the state that it is of."""
        for file, gone, name in self._select("SELECT file, gone, name FROM whole"):
            with contextlib.suppress(OSError, ValueError):
                return State(file, gone), open(f"{self.path}-{name}", "rb")
        return None

    def drop_whole(self) -> None:
        """It is not what was written."""
        self._write(("DELETE FROM whole WHERE id = ?", [(0,)]))

    def whole_state(self) -> State | None:
        """The state that the file is of; None where there is none."""
        return next((State(*row) for row in self._select("SELECT file, gone FROM whole")), None)

    def state(self) -> State:
        """The numbers of what was put and dropped last, be it there still or not."""
        last = dict(self._select("SELECT name, seq FROM sqlite_sequence"))
        return State(last.get("files", 0), last.get("gone", 0))

    def put_whole(self, state: State, content: bytes) -> None:
        """Keeps what `known` told, as it was in a state or later, in a new file: others may be reading the last one."""
        name = f"{WHOLE}{os.urandom(8).hex()}"
        try:
            with open(f"{self.path}-{name}", "wb") as kept:
                kept.write(content)
        except OSError:
            return
        self._write(
            ("INSERT OR REPLACE INTO whole VALUES (0, ?, ?, ?)", [(state.file, state.gone, name)]),
            ("DELETE FROM gone WHERE id <= ?", [(state.gone,)]),
        )
        _remove_whole(self.path, next((row[0] for row in self._select("SELECT name FROM whole")), name))

    def facts(self, path: str) -> tuple[int, int, bytes] | None:
        """Size, time and facts of a file."""
        for row in self._select("SELECT size, mtime_ns, facts FROM facts WHERE path = ?", (path,)):
            return (row[0], row[1], row[2])
        return None

    def facts_of(self, priority: int) -> Iterator[tuple[str, bytes]]:
        """Path and facts of all files of a priority, in the order of their paths, and not all at once."""
        query = "SELECT path, facts FROM facts WHERE priority = ? AND path > ? ORDER BY path LIMIT ?"
        last = ""
        while rows := self._select(query, (priority, last, PAGE_ROWS)):
            yield from rows
            last = rows[-1][0]

    def called(self) -> list[tuple[str, bytes]]:
        """What each file calls, launches or registers: names between line feeds."""
        return [(path, called) for path, called in self._select("SELECT path, called FROM facts ORDER BY path")]

    def put(self, rows: Iterable[Row]) -> None:
        """Adds or replaces rows in one transaction."""
        rows = list(rows)
        bare = [(row.path,) for row in rows if row.facts is None]
        files = [(r.path, r.size, r.mtime_ns, r.priority, r.error, r.names, r.facts is not None) for r in rows]
        facts = [(r.path, r.size, r.mtime_ns, r.priority, r.called, r.facts) for r in rows if r.facts is not None]
        self._write(
            (f"INSERT OR REPLACE INTO files ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", files),
            ("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)", facts),
            ("DELETE FROM facts WHERE path = ?", bare),
        )

    def put_facts(self, rows: Iterable[tuple[bytes, str, int, int]]) -> None:
        """Facts, path, size and time of files whose facts were not made when their rows were put."""
        self._write(
            ("UPDATE facts SET facts = ? WHERE path = ? AND size = ? AND mtime_ns = ? AND length(facts) = 0", [*rows])
        )

    def made(self, kind: str) -> Iterator[tuple[str, int, int, bytes]]:
        """Path, size, time and blob of what a later stage made of single files."""
        yield from self._select("SELECT path, size, mtime_ns, blob FROM made WHERE kind = ?", (kind,))

    def put_made(self, kind: str, rows: Iterable[tuple[str, int, int, bytes]]) -> None:
        """Adds or replaces what was made of files, and forgets what other versions of the maker left."""
        family = kind.partition(" ")[0]
        self._write(
            ("DELETE FROM made WHERE kind LIKE ? AND kind <> ?", [(f"{family} %", kind)]),
            ("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?)", [(kind, *row) for row in rows]),
        )

    def drop(self, paths: Iterable[str]) -> None:
        gone = [(path,) for path in paths]
        self._write(
            ("DELETE FROM files WHERE path = ?", gone),
            ("DELETE FROM facts WHERE path = ?", gone),
            ("INSERT INTO gone (path) VALUES (?)", gone),
        )

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    # -- sqlite and its accidents ---------------------------------------------------------------------------

    def _open(self) -> sqlite3.Connection:
        if not self.in_memory:
            for attempt in range(2):
                try:
                    os.makedirs(os.path.dirname(self.path), exist_ok=True)
                    database = self._connect()
                except (sqlite3.Error, OSError) as error:
                    if _is_busy(error):
                        break
                    if attempt == 0:
                        _remove(self.path)
                else:
                    _remove_unused(self.path)
                    return database
        return self._in_memory()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        try:
            if not self.in_memory:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = OFF")
            database.execute("PRAGMA cache_size = -4000")
            database.executescript(_TABLES)
            if not self.in_memory:
                try:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("ROLLBACK")
                except sqlite3.OperationalError as error:
                    if not _is_busy(error):
                        raise
                check = database.execute("SELECT count(*), max(length(path)) FROM files").fetchone()
                assert check is not None
        except BaseException:
            database.close()
            raise
        return database

    def _in_memory(self) -> sqlite3.Connection:
        self.path = ":memory:"
        return self._connect()

    def _select(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._database.execute(query, values).fetchall()
            except (sqlite3.Error, OverflowError) as error:
                if not _is_busy(error):
                    self._recover()
                return []

    def _write(self, *statements: _Statement) -> None:
        """All of the statements, or none of them."""
        if not any(values for _, values in statements):
            return
        with self._lock:
            try:
                self._transact(statements)
            except (sqlite3.Error, OverflowError) as error:
                if not _is_busy(error):  # else this batch is not cached, and nothing is lost
                    self._recover()

    def _transact(self, statements: Iterable[_Statement]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                self._database.executemany(statement, values)
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    def _recover(self) -> None:
        """The file went bad under us: forget it and go on in memory; the next start builds it anew."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()
        if not self.in_memory:
            _remove(self.path)
        self._database = self._in_memory()


def _is_busy(error: Exception) -> bool:
    """Whether another server is writing at the moment, which is no damage."""
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _remove(path: str) -> None:
    for suffix in _SUFFIXES:
        with contextlib.suppress(OSError):
            os.remove(path + suffix)
    _remove_whole(path)


def _remove_whole(path: str, but: str = "") -> None:
    """Files with names that no row tells of any more; one that is mapped may stay until the next time."""
    with contextlib.suppress(OSError):
        for name in os.listdir(os.path.dirname(path)):
            if name.startswith(f"{os.path.basename(path)}-{WHOLE}") and not name.endswith(but or "/"):
                with contextlib.suppress(OSError):
                    os.remove(os.path.join(os.path.dirname(path), name))


def _remove_unused(used: str) -> None:
    """Removes caches beside this one that nobody has opened for long: of other versions, of folders that are gone."""
    with contextlib.suppress(OSError):
        os.utime(used)
        with os.scandir(os.path.dirname(used)) as entries:
            for entry in entries:
                is_cache = entry.name.startswith("index-") and entry.name.endswith(".sqlite")
                if is_cache and time.time() - entry.stat().st_mtime > UNUSED_SECONDS:
                    _remove(entry.path)


def _fingerprint(roots: Sequence[str]) -> str:
    """Names the cache file: other folders, other versions of ours, the grammars or the layout use another one."""
    grammars = [_parts(package) for package in ("tree_sitter", "tree_sitter_python", "tree_sitter_cuda")]
    versions = [str(SCHEMA), sys.byteorder, __version__, *grammars]
    key = "\n".join([*versions, *sorted(os.path.realpath(root) for root in roots)])
    return digest(key.encode("utf-8", "surrogatepass"))[:20]


def _parts(package: str) -> str:
    """The files of a package with their sizes; its version would take reading what is said of all that is installed."""
    found = find_spec(package)
    try:
        with os.scandir(os.path.dirname(found.origin or "") if found else "") as entries:
            return f"{package} {sorted((entry.name, entry.stat().st_size) for entry in entries if entry.is_file())}"
    except OSError:  # it is not installed in a folder
        return package
