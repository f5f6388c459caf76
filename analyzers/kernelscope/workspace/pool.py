"""Worker processes for scanning: spawned, niced, fed by bytes; a crash or a hang costs one file.

Lives only while there is something to scan. What the rows mean is the index's business.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec
from msgspec import Struct, field

from kernelscope.workspace.facts import FileFacts, decode_facts
from kernelscope.workspace.files import Entry
from kernelscope.workspace.processes import has_ended, spawn
from kernelscope.workspace.worker import (
    FILE_SECONDS,
    Batch,
    Scanned,
    Wanted,
    facts_or_none,
    read_message,
    scan_file,
    was_too_slow,
    write_message,
)

if TYPE_CHECKING:
    import subprocess

MAX_WORKERS = 4
BATCH_BYTES = 400_000
"""What a process does before somebody who waits for an answer can stop it; of files that are not parsed, which takes a
tenth of the time or less, four times as much."""
BATCH_FILES = 64
STUCK_SECONDS = 300.0 if hasattr(signal, "setitimer") else 60.0
"""After so long without a row a process hangs; what takes long by itself is ended by itself, see `worker.end_after`."""
SCANNER = "kernelscope.workspace.worker"
PARSED = (Wanted.OPERATORS, Wanted.FACTS)
IN_PROCESS_BYTES = 600_000
"""Below this, starting processes costs more than it brings."""


class Ahead:
    """Processes that are started before it is known what they will scan: they load their code meanwhile."""

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._processes: list[subprocess.Popen[bytes]] = []
        self._size = 0

    def met(self, entry: Entry) -> Entry:
        """There is a file to scan: with so many bytes that processes are worth it, they are started."""
        before, self._size = self._size, self._size + entry.size
        if self._is_wanted and before <= IN_PROCESS_BYTES < self._size:
            with contextlib.suppress(OSError):
                for _ in range(_count()):
                    self._processes.append(spawn(SCANNER))
        return entry

    def take(self) -> subprocess.Popen[bytes] | None:
        """One of them, if there is one left."""
        try:
            return self._processes.pop()
        except IndexError:
            return None

    def end(self) -> None:
        """No more are needed."""
        while (process := self.take()) is not None:
            _kill(_Worker(process))


NONE = Ahead(is_wanted=False)


def _count() -> int:
    return min(MAX_WORKERS, os.cpu_count() or 1)


def scan_all(
    files: Iterable[tuple[str, int]],
    wanted: Wanted,
    cancelled: Callable[[], bool] = lambda: False,
    waited_for: bool = False,
    ahead: Ahead = NONE,
) -> Generator[Scanned, None, None]:
    """Scans files (path and size) in about the order given and yields each row once, as it comes.

    The processes give way to others unless all of it is `waited_for`.
    """
    batches = _batches(files, wanted)
    if sum(batch.size for batch in batches) <= IN_PROCESS_BYTES:
        for batch in batches:
            for path in batch.paths:
                if cancelled():
                    return
                yield scan_file(path, wanted)
        return
    yield from _Pool(batches, wanted, cancelled, waited_for, ahead).rows()


def facts_beside(path: str, data: bytes) -> FileFacts | None:
    """Facts of a large text by a process of its own, so that no other thread waits for the parse.

    None when the scan fails or takes too long.
    """
    worker = _Worker()
    try:
        worker.process = process = spawn(SCANNER)
    except OSError:
        return facts_or_none(path, data)
    timer = threading.Timer(FILE_SECONDS, process.kill)
    timer.start()
    try:
        batch = Batch(Wanted.FACTS, (path,), data)
        write_message(cast(BinaryIO, process.stdin), msgspec.msgpack.encode(batch))
        message = read_message(cast(BinaryIO, process.stdout))
        rows = msgspec.msgpack.decode(message, type=list[Scanned]) if message else []
        return decode_facts(rows[0].facts) if rows and rows[0].facts else None
    except (OSError, ValueError, msgspec.MsgspecError):
        return None
    finally:
        timer.cancel()
        _kill(worker)


class _Work(Struct):
    paths: tuple[str, ...]
    size: int


def _batches(files: Iterable[tuple[str, int]], wanted: Wanted) -> list[_Work]:
    limit = BATCH_BYTES if wanted in PARSED else 4 * BATCH_BYTES
    batches: list[_Work] = []
    paths: list[str] = []
    total = 0
    for path, size in files:
        if paths and (total + size > limit or len(paths) >= BATCH_FILES):
            batches.append(_Work(tuple(paths), total))
            paths, total = [], 0
        paths.append(path)
        total += size
    return [*batches, _Work(tuple(paths), total)] if paths else batches


class _Worker(Struct):
    """One process and the file it is at."""

    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    killed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class _Pool:
    def __init__(
        self,
        batches: list[_Work],
        wanted: Wanted,
        cancelled: Callable[[], bool],
        waited_for: bool,
        ahead: Ahead,
    ) -> None:
        self._waited_for = waited_for
        self._ahead = ahead
        self._todo = deque(batches)
        self._wanted = wanted
        self._cancelled = cancelled
        self._stop = False
        self._rows: queue.SimpleQueue[list[Scanned] | None] = queue.SimpleQueue()
        count = max(1, min(_count(), len(batches)))
        self._workers = [_Worker() for _ in range(count)]
        self._decoder = msgspec.msgpack.Decoder(list[Scanned])

    def rows(self) -> Iterator[Scanned]:
        threads = [threading.Thread(target=self._serve, args=(w,), daemon=True) for w in self._workers]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                try:
                    rows = self._rows.get(timeout=0.25)
                except queue.Empty:
                    if self._cancelled():
                        return
                    self._end_hung()
                    continue
                if rows is None:
                    running -= 1
                    continue
                for row in rows:
                    yield row
                    if self._cancelled():
                        return
        finally:
            self._stop = True
            self._ahead.end()
            for worker in self._workers:
                _kill(worker)
            for thread in threads:
                thread.join(timeout=2.0)

    def _serve(self, worker: _Worker) -> None:
        """One thread per worker: hands out batches, reads rows, starts another process after a crash."""
        try:
            while not self._stop and not self._cancelled():
                try:
                    work = self._todo.popleft()
                except IndexError:
                    return
                self._do(worker, work)
        finally:
            _kill(worker)
            self._rows.put(None)

    def _do(self, worker: _Worker, work: _Work) -> None:
        """Scans a batch. When the process dies the rest is done file by file, and the one that kills it is given up."""
        paths, count = work.paths, len(work.paths)
        while paths and not self._stop:
            done = self._exchange(worker, paths[:count])
            if done is None:
                for path in paths:  # no process can be started here: do it ourselves
                    if self._stop:
                        return
                    self._rows.put([scan_file(path, self._wanted)])
                return
            if done < count == 1 and not self._stop:
                why = f"took longer than {FILE_SECONDS:g} seconds" if worker.killed else "crashed the scanner"
                self._rows.put([_given_up(paths[0], why)])
                done = 1
            paths, count = paths[done:], 1

    def _exchange(self, worker: _Worker, paths: tuple[str, ...]) -> int | None:
        """Sends a batch and passes its rows on. How many files were done; None when no process could be started."""
        if worker.process is None and not self._start(worker):
            return None
        process = worker.process
        assert process is not None
        done = 0
        try:
            worker.since = time.monotonic()
            batch = Batch(self._wanted, paths, waited_for=self._waited_for)
            write_message(cast(BinaryIO, process.stdin), msgspec.msgpack.encode(batch))
            while message := read_message(cast(BinaryIO, process.stdout)):
                rows = self._decoder.decode(message)
                self._rows.put(rows)
                done += len(rows)
                worker.since = time.monotonic()
        except (OSError, ValueError, msgspec.MsgspecError):
            pass
        worker.since = 0.0
        if done < len(paths):
            has_ended(process, 0.5)
            worker.killed |= was_too_slow(process.returncode)
            _kill(worker)
        return done

    def _start(self, worker: _Worker) -> bool:
        with worker.lock:
            if self._stop:
                return False
            try:
                worker.process = self._ahead.take() or spawn(SCANNER)
            except OSError:
                return False
            worker.killed = False
        return True

    def _end_hung(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.since and now - worker.since > STUCK_SECONDS:
                worker.killed = True
                process = worker.process
                if process is not None:
                    process.kill()


def _kill(worker: _Worker) -> None:
    with worker.lock:
        process, worker.process = worker.process, None
    if process is None:
        return
    process.kill()  # first: a thread that reads from it holds the streams until their end
    has_ended(process, 2.0)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _given_up(path: str, why: str) -> Scanned:
    try:
        found = os.stat(path)
        size, mtime_ns = found.st_size, found.st_mtime_ns
    except (OSError, ValueError):
        size = mtime_ns = -1
    return Scanned(path, size, mtime_ns, 2, why, b"", None, None)
