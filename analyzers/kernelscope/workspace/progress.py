"""How far an index is, told to whoever shows it, a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from kernelscope.results import IndexProgress

PROGRESS_SECONDS = 0.2

Progress = Callable[[IndexProgress], None]


class Report:
    """Passes progress on, a few times a second."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = 0.0

    def tell(self, done: int, total: int, phase: str) -> None:
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self.now(done, total, phase)

    def now(self, done: int, total: int, phase: str) -> None:
        self._last = time.monotonic()
        if self._progress:
            self._progress(IndexProgress(done, total, phase))

    def done(self, total: int) -> None:
        self.now(total, total, "done")
