"""The scanning process: reads batches of paths from stdin, answers rows on stdout, ends with its parent.

Messages are msgpack with a length of four bytes before them: rows of single files where a file takes long, else of a
whole batch, because a busy parent takes each message up late. Knows neither the cache nor the order of files.
"""

from __future__ import annotations

import os
import struct
import sys
from enum import IntEnum
from typing import BinaryIO

import msgspec

from kernelscope.faults import FAULTS, log
from kernelscope.results import LeftOut
from kernelscope.syntax.text import with_line_feeds
from kernelscope.workspace.facts import FileFacts, Record, called_names, columns, encode
from kernelscope.workspace.reading import MAX_FILE_BYTES, read_stamped
from kernelscope.workspace.scan import facts_of, mentions_of, names_of, names_of_facts, priority

NICENESS = 19
"""Of work that nobody waits for."""
OPERATORS_NICENESS = 5
_PR_SET_PDEATHSIG = 1
UNRANKED = -1
"""The priority of files whose content nobody looked at for it."""


class Wanted(IntEnum):
    """What a scan looks for."""

    NAMES = 0
    """Somebody waits for them, so that nothing else is looked for."""
    OPERATORS = 1
    """The rank of every file, and the facts of those with kernels, launches or registrations: for these somebody may
    wait who jumps to a kernel, but hovers come first."""
    MENTIONS = 2
    """Names and calls of every file, so that it is found by any of them; its facts only where a parse has to tell."""
    FACTS = 3
    """Everything."""


FILE_SECONDS = 20.0
"""Of this process's own time, for one file: on a busy machine a scan may wait for minutes."""
_NICENESS = {Wanted.NAMES: 0, Wanted.OPERATORS: OPERATORS_NICENESS, Wanted.MENTIONS: NICENESS, Wanted.FACTS: NICENESS}


class Batch(Record, frozen=True):
    """Files to scan; `text` stands for what is on disk."""

    wanted: Wanted
    paths: tuple[str, ...]
    text: bytes | None = None
    waited_for: bool = False
    """Whether somebody waits for all of it: then it gives way to nobody."""


class Scanned(Record, frozen=True):
    """What became of one file; see `store.Row`. `names` is None where they were not looked for.

    `facts` are empty where they are made when somebody asks.
    """

    path: str
    size: int
    mtime_ns: int
    priority: int
    error: str | None
    names: bytes | None
    called: bytes | None
    facts: bytes | None


def scan_file(path: str, wanted: Wanted) -> Scanned:
    """Reads and scans one file."""
    stamp, data = read_stamped(path, MAX_FILE_BYTES)
    if isinstance(data, LeftOut):
        return Scanned(path, stamp.size, stamp.mtime_ns, 2, data.reason, b"", None, None)
    return scan_bytes(path, data, wanted, stamp.size, stamp.mtime_ns)


def scan_bytes(path: str, data: bytes, wanted: Wanted, size: int = -1, mtime_ns: int = -1) -> Scanned:
    """Scans given bytes."""
    if wanted is Wanted.NAMES:
        return Scanned(path, size, mtime_ns, UNRANKED, None, encode(names_of(path, data)), None, None)
    rank = priority(path, data)
    if wanted is Wanted.OPERATORS and rank > 0:
        return Scanned(path, size, mtime_ns, rank, None, None, None, None)
    if wanted is Wanted.MENTIONS and rank > 0 and (found := mentions_of(path, data)) is not None:
        return Scanned(path, size, mtime_ns, rank, None, encode(found.names), found.called, b"")
    facts = facts_or_none(path, data)
    if facts is None:
        return Scanned(path, size, mtime_ns, rank, "the scan failed", b"", None, None)
    names = encode(columns(names_of_facts(facts, with_line_feeds(data))))
    return Scanned(path, size, mtime_ns, rank, None, names, called_names(facts), encode(facts))


def facts_or_none(path: str, data: bytes) -> FileFacts | None:
    """The facts of a file, or None where the scanner itself fails: that costs this file only, and is logged."""
    try:
        return facts_of(path, data)
    except FAULTS:
        log(f"the scan of {path} failed")
        return None


def read_message(stream: BinaryIO) -> bytes | None:
    """The next message; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (size,) = struct.unpack(">I", head)
    body = stream.read(size)
    return body if len(body) == size else None


def write_message(stream: BinaryIO, body: bytes) -> None:
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def main() -> None:
    """Serves batches until stdin ends."""
    import signal

    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    decoder = msgspec.msgpack.Decoder(Batch)
    encoder = msgspec.msgpack.Encoder()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while (message := read_message(stdin)) is not None:
        batch = decoder.decode(message)
        be_nice(0 if batch.waited_for else _NICENESS[batch.wanted])
        rows: list[Scanned] = []
        for path in batch.paths:
            text = batch.text
            end_after(FILE_SECONDS)
            rows.append(scan_file(path, batch.wanted) if text is None else scan_bytes(path, text, batch.wanted))
            if batch.wanted is Wanted.FACTS:
                write_message(stdout, encoder.encode(rows))
                rows.clear()
        end_after(0)
        if rows:
            write_message(stdout, encoder.encode(rows))
        write_message(stdout, b"")


def end_after(seconds: float) -> None:
    """Ends this process after so much time of its own, where the system can (SIGPROF); 0: it need not end."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def was_too_slow(code: int | None) -> bool:
    """Whether a process that ended with this code had used up its time."""
    import signal

    return hasattr(signal, "SIGPROF") and code == -signal.SIGPROF


def be_nice(niceness: int) -> None:
    """Lowers the priority of this process to `niceness`, where there is such a thing."""
    if hasattr(os, "nice") and (more := niceness - os.nice(0)) > 0:
        os.nice(more)


def end_with_parent() -> None:
    """Linux: the kernel kills us when the thread that started us is gone. Elsewhere the end of stdin must do."""
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    parent = os.getppid()
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main()
