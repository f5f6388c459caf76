"""Reading of one file: bounded, never blocking, with the version that was read, or why it is not to be had."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from msgspec import Struct

from kernelscope.results import LeftOut

MAX_FILE_BYTES = 8 << 20


class Version(Struct, frozen=True):
    """What a file's content is known by: equal versions mean equal bytes, as far as the system tells."""

    mtime_ns: int
    size: int
    edit: int = 0
    """Grows with every edit of an open document and with every change that the client announces."""

    @property
    def is_open(self) -> bool:
        """Whether this is the text of an open document, which the disk knows nothing of."""
        return self.mtime_ns < 0


def read_bounded(path: str, limit: int, is_text: bool = True) -> bytes | LeftOut:
    """Reads a regular file of at most `limit` bytes; never blocks on a pipe, never raises."""
    return read_stamped(path, limit, is_text)[1]


def read_stamped(path: str, limit: int, is_text: bool = True) -> tuple[Version, bytes | LeftOut]:
    """The same with the file's size and time as they were before it was read, so that a later change is seen.

    UTF-16 is read as the UTF-8 that it would be: an editor's positions count characters, and lines are the same.
    """
    stamp = Version(-1, -1)
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        return stamp, LeftOut(Path(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        found = os.fstat(descriptor)
        stamp = Version(found.st_mtime_ns, found.st_size)
        if not stat.S_ISREG(found.st_mode):
            return stamp, LeftOut(Path(path), "not a regular file")
        if found.st_size > limit:
            return stamp, too_large(path, found.st_size, limit)
        data = os.read(descriptor, found.st_size + 1)
        while len(data) != found.st_size and (chunk := os.read(descriptor, max(found.st_size - len(data), 0) + 1)):
            data += chunk
            if len(data) > limit:
                return stamp, too_large(path, len(data), limit)
    except OSError as error:
        return stamp, LeftOut(Path(path), f"cannot be read: {error.strerror or error}")
    finally:
        os.close(descriptor)
    if not is_text:
        return stamp, data
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    reason = _not_text(data)
    return stamp, LeftOut(Path(path), reason) if reason else data


def _not_text(data: bytes) -> str | None:
    """Binary content under a source name."""
    head = data[:4096]
    return "binary content" if head.count(b"\0") > len(head) // 16 else None


def too_large(path: str, size: int, limit: int) -> LeftOut:
    """What is said of a file of more bytes than are read."""
    return LeftOut(Path(path), f"{size / (1 << 20):.1f} MiB, larger than the limit of {limit / (1 << 20):g} MiB")
