"""Where the traces of our own faults go from the command line: to a file beside the cache.

What the fault cost is told in the answer itself; see `kernelscope.faults`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from kernelscope.faults import TOLD

from kernelscope_server.user_cache import cache_folder

FILE = "faults.log"


class TraceFile:
    """Appends traces to a file, made for the first of them; a folder that cannot be written costs the trace only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def write(self, trace: str) -> None:
        self.count += 1
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(trace + "\n")
        except OSError:
            return


@contextmanager
def traced_to_file() -> Generator[TraceFile]:
    """Inside, traces go to the user's file."""
    traces = TraceFile(cache_folder() / FILE)
    TOLD.append(traces.write)
    try:
        yield traces
    finally:
        TOLD.remove(traces.write)
