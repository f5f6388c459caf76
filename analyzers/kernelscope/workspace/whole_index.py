"""All that a start has to know of the files, in one file: stamps in columns and the names, with a sum over them.

Reading one row for each of ten thousand files takes three times as long as starting the server, and a blob in the
database twice as long as a file: it lies there in pages, and is copied to be taken apart.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

import msgspec

from kernelscope.workspace.facts import EMPTY_NAMES, FileNames, decode_names
from kernelscope.workspace.packed_names import NOTHING, PackedNames, unpack
from kernelscope.workspace.store import Known

_HEAD_BYTES = 8


class Stamp(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The content of a file that is known, and what is known of it."""

    size: int
    mtime_ns: int
    rank: int
    has_facts: bool


class WholeIndex(NamedTuple):
    """What was known of all files when it was written."""

    names: PackedNames
    stamps: dict[str, Stamp]
    failed: dict[str, str]


class _Head(msgspec.Struct, array_like=True):
    checksum: int
    lengths: list[int]
    """Of the parts, which follow one upon the other."""


def pack(known: Iterable[Known]) -> bytes:
    """The content of the file, of what is known of each source file."""
    names: dict[str, FileNames | None] = {}
    stamps: dict[str, Stamp] = {}
    failed: dict[str, str] = {}
    for row in known:
        try:
            names[row.path] = decode_names(row.names) if row.names else EMPTY_NAMES
        except msgspec.MsgspecError:
            continue
        stamps[row.path] = Stamp(row.size, row.mtime_ns, row.priority, bool(row.has_facts))
        if row.error:
            failed[row.path] = row.error
    packed = NOTHING.changed(names)
    ordered = {path: stamps[path] for path in packed.paths}
    parts = [msgspec.msgpack.encode(ordered), msgspec.msgpack.encode(failed), *packed.pack()]
    lengths = [len(part) for part in parts]
    head = msgspec.msgpack.encode(_Head(_checksum(lengths, parts), lengths))
    return b"".join([len(head).to_bytes(_HEAD_BYTES, "big"), head, *parts])


def unpacked(content: BinaryIO) -> WholeIndex | None:
    """What was packed; None where it is not what was written."""
    try:
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        length = int.from_bytes(content.read(_HEAD_BYTES), "big")
        head = _head.decode(content.read(min(length, size)))
        if min(head.lengths) < 0 or _HEAD_BYTES + length + sum(head.lengths) != size:
            return None
        parts = [content.read(length) for length in head.lengths]
        if head.checksum != _checksum(head.lengths, parts):
            return None
        stamps, failed = _stamps.decode(parts[0]), _failed.decode(parts[1])
        names = unpack([*stamps], parts[2:])
    except (OSError, ValueError, TypeError):  # of another version
        return None
    return WholeIndex(names, stamps, failed)


def _checksum(lengths: list[int], parts: Iterable[bytes]) -> int:
    total = zlib.crc32(repr(lengths).encode())
    for part in parts:
        total = zlib.crc32(part, total)
    return total


_head = msgspec.msgpack.Decoder(_Head)
_stamps = msgspec.msgpack.Decoder(dict[str, Stamp])
_failed = msgspec.msgpack.Decoder(dict[str, str])
