"""A second process that reads files for a system from the end of their list, while this one reads from its front.

It is asked for a few files ahead and answers in their order, each with the reading as bytes and the version that it
read. What it cannot read, or is too slow for, is read here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from kernelscope.results import LeftOut
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.reading import Reading, read_c, read_python
from kernelscope.syntax.python.lower import parse_module
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import MAX_LOWERED_BYTES
from kernelscope.workspace.processes import spawn
from kernelscope.workspace.reading import Version, read_stamped
from kernelscope.workspace.worker import end_with_parent, read_message, write_message

LEAST_BYTES = 2_000_000
"""Below this, a process costs more than it brings."""
AHEAD = 3
"""Files that it has while it reads one, so that it need not wait until this process gets to its answer."""
LONGEST_WAIT = 20.0
"""Seconds for one file."""
_encoder = msgspec.msgpack.Encoder(enc_hook=str)


class Asked(msgspec.Struct, array_like=True):
    """A file that is to be read."""

    path: str
    is_aside: bool
    most_bytes: int
    whole: bool = True


class Answer(msgspec.Struct, array_like=True):
    """What was read of it, and which version of it."""

    mtime_ns: int
    size: int
    reading: bytes


class Beside:
    """The other process; `take` asks for the files in the order of the list."""

    def __init__(self, files: Sequence[Asked]) -> None:
        self._todo = deque(files)
        self._given: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._process = spawn(__name__)
        threading.Thread(target=self._serve, daemon=True).start()

    def take(self, path: str) -> tuple[Version, bytes] | None:
        """The reading that the other process made of a file; None where this one should read it."""
        with self._changed:
            if path not in self._given:
                if self._todo and self._todo[0].path == path:
                    self._todo.popleft()
                return None
            self._changed.wait_for(lambda: path in self._answers or self._is_over, LONGEST_WAIT)
            answer = self._answers.pop(path, None)
        if answer is None or not answer.reading:
            return None
        return Version(answer.mtime_ns, answer.size), answer.reading

    def close(self) -> None:
        """End the process."""
        with self._changed:
            self._todo.clear()
        self._process.kill()
        self._process.wait()

    def _serve(self) -> None:
        """Hands out files from the end of the list, until there are none or the process is gone."""
        stdin, stdout = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        try:
            asked = deque[Asked]()
            while True:
                while len(asked) <= AHEAD and (file := self._next()) is not None:
                    write_message(stdin, msgspec.msgpack.encode(file))
                    asked.append(file)
                message = read_message(stdout) if asked else None
                if message is None:
                    return
                answer = msgspec.msgpack.decode(message, type=Answer)
                with self._changed:
                    self._answers[asked.popleft().path] = answer
                    self._changed.notify_all()
        except (OSError, ValueError, msgspec.MsgspecError):
            return
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()
            for stream in (stdin, stdout):
                stream.close()

    def _next(self) -> Asked | None:
        with self._changed:
            if not self._todo:
                return None
            file = self._todo.pop()
            self._given.add(file.path)
            return file


def encoded(reading: Reading | None) -> bytes:
    """A reading as bytes; none of what has faults, or holds what cannot be written, such as inf."""
    if reading is None or reading.faults:
        return b""
    try:
        return _encoder.encode(reading)
    except (OverflowError, UnicodeEncodeError):
        return b""


def can_help(size: int) -> bool:
    """Whether a second process is worth its start for so many bytes."""
    return size >= LEAST_BYTES and (os.cpu_count() or 1) > 1


def read_source(asked: Asked, data: bytes) -> Reading:
    """The reading of a file of Python, C++ or CUDA by its bytes."""
    if asked.path.endswith(PYTHON_SUFFIXES):
        return read_python(PythonSource(Path(asked.path), parse_module(data), asked.is_aside), asked.whole)
    return read_c(CSource(Path(asked.path), SourceText(data), asked.is_aside), asked.whole)


def main() -> None:
    """Reads the files that are asked for until stdin ends."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while (message := read_message(stdin)) is not None:
        asked = msgspec.msgpack.decode(message, type=Asked)
        version, data = read_stamped(asked.path, asked.most_bytes)
        is_lowered = not asked.path.endswith(PYTHON_SUFFIXES) or version.size <= MAX_LOWERED_BYTES
        blob = b""
        if is_lowered and not isinstance(data, LeftOut):
            blob = encoded(read_source(asked, data))
        write_message(stdout, msgspec.msgpack.encode(Answer(version.mtime_ns, version.size, blob)))
