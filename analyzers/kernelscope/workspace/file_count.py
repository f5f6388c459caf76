"""How many files a workspace has, which nobody knows until the disk was walked for the first time."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from kernelscope.turns import away

LARGE = 12_000
"""Of so many files the first reading takes long enough for somebody to notice."""
COUNT_SECONDS = 1.0
"""What takes longer to count is large; 14,000 files are counted in a seventh of that."""


class FileCount:
    """For the thread that walks, and for those who want to know. Before the first walk a workspace counts as small."""

    def __init__(self) -> None:
        self.files = 0
        self._late = 0.0
        """When it will have taken long, while files are being counted."""
        self._known = threading.Event()
        self._known.set()

    @contextmanager
    def counting(self) -> Generator[None]:
        """Inside, files are counted; `files` is put before the end."""
        self._late = time.monotonic() + COUNT_SECONDS
        self._known.clear()
        try:
            yield
        finally:
            self._known.set()

    @property
    def is_large(self) -> bool:
        return self.files >= LARGE or (not self._known.is_set() and time.monotonic() >= self._late)

    def wait(self) -> None:
        """Until it is known whether the workspace is large, which is soon."""
        if not self._known.is_set():
            with away():
                self._known.wait(max(0.0, self._late - time.monotonic()))
