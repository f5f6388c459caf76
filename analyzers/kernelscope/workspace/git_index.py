"""Names of the files that a repository tracks, from git's index (versions 2 to 4 of its documented format)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FIXED = 40
"""Bytes of an entry before the object's name: times, device, inode, mode, owner, size."""
_EXTENDED = 0x4000
_NAME_LENGTH = 0x0FFF
_LINK_MODE = 0o160000
"""The mode of a submodule: a folder, whose files another index names."""
MAX_NAME = 4_096


def names_in(data: bytes) -> Iterator[str]:
    """The paths in an index, relative to the repository with `/` between parts, up to where it makes no sense.

    Object names of 20 bytes (SHA-1); an index of another object format gives nothing.
    See https://git-scm.com/docs/index-format.
    """
    if len(data) < 12 or data[:4] != b"DIRC":
        return
    version, count = struct.unpack_from(">II", data, 4)
    if version not in (2, 3, 4):
        return
    position, name = 12, b""
    for _ in range(count):
        start = position
        position += _FIXED + 20
        if position + 4 > len(data):
            return
        (mode,) = struct.unpack_from(">I", data, start + 24)
        (flags,) = struct.unpack_from(">H", data, position)
        position += 4 if flags & _EXTENDED else 2
        if version == 4:
            kept, position = _offset(data, position)
            end = data.find(b"\0", position, position + MAX_NAME)
            name = name[: max(len(name) - kept, 0)] + data[position:end]
        else:
            end = data.find(b"\0", position, position + MAX_NAME)
            name = data[position:end]
        if end < 0 or len(name) != flags & _NAME_LENGTH != _NAME_LENGTH:
            return
        if mode != _LINK_MODE:
            yield name.decode("utf-8", "replace")
        position = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8


def _offset(data: bytes, position: int) -> tuple[int, int]:
    """How many bytes of the name before are dropped, in git's variable width, and what is behind it."""
    value = -1
    while position < len(data):
        byte = data[position]
        position += 1
        value = (value + 1) << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return value, position
