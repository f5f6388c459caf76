"""Where the traces of our own faults go: to the client's log, or from the command line to a file beside the cache.

What the fault cost is told in the answer itself; see `kernelscope.faults`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from kernelscope.faults import LOG

from kernelscope_server.user_cache import cache_folder

FILE = "faults.log"


class ClientTraces(logging.Handler):
    """Hands traces to whoever tells the client."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(self.format(record))


class TraceFile(logging.Handler):
    """Appends traces to a file, made for the first of them; a folder that cannot be written costs the trace only."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.ERROR)
        self.path = path
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
        except OSError:
            return


@contextmanager
def traced_to_file() -> Generator[TraceFile]:
    """Inside, traces go to the user's file."""
    traces = TraceFile(cache_folder() / FILE)
    LOG.addHandler(traces)
    try:
        yield traces
    finally:
        LOG.removeHandler(traces)
