"""How glibc's allocator keeps memory: in one heap, and given back when it is no longer needed."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Generator

_M_ARENA_MAX = -8


def use_one_heap() -> None:
    """Of threads that take turns each would have a heap of its own, with gaps that the others cannot use."""
    with _glibc() as library:
        if library is not None:
            library.mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """To the system, what is free: glibc does not do it by itself."""
    with _glibc() as library:
        if library is not None:
            library.malloc_trim(0)


@contextlib.contextmanager
def _glibc() -> Generator[ctypes.CDLL | None]:
    with contextlib.suppress(OSError, AttributeError):  # another library stands in its place
        yield ctypes.CDLL(None) if sys.platform == "linux" else None
