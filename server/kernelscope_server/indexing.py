"""One run of the index in the background, with progress where the client shows it."""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING

from kernelscope.faults import trace
from kernelscope.turns import away, give_way

from kernelscope_server.memory import give_back
from kernelscope_server.protocol import ERROR
from kernelscope_server.wire import Json

if TYPE_CHECKING:
    from kernelscope.analysis import Analysis
    from kernelscope.results import IndexProgress

    from kernelscope_server.session import Session

REPORT_SECONDS = 0.2
STOP_SECONDS = 5.0
ANALYSIS_NEEDS = (
    "workspace.facts",
    "workspace.definitions",
    "workspace.store",
    "workspace.index",
    "syntax.python.expressions",
    "syntax.python.lower",
    "workspace.modules",
    "workspace.workspace",
    "analysis",
)
"""Modules in the order in which they rest on each other: each takes some milliseconds more."""


class Indexing:
    """Starts at once in a thread of its own; the work is done by other processes."""

    def __init__(self, session: Session, is_shown: bool = True) -> None:
        self._session = session
        self._server = session.server
        self._token = f"kernelscope-index-{time.monotonic_ns()}"
        self._shown = is_shown and bool(session.capability("window", "workDoneProgress"))
        self.begun = time.monotonic()
        self._stopped = threading.Event()
        self._reported = 0.0
        self._total = 0
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Give up; what was read so far stays in the cache."""
        self._stopped.set()
        with away():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        if self._shown:
            self._server.ask("window/workDoneProgress/create", {"token": self._token})
            self._tell({"kind": "begin", "title": "Kernelscope: indexing", "percentage": 0})
        differed = True
        try:
            with self._server.turns.beside():
                differed = self._made().index(self._progress, self._is_over)
        except Exception:
            self._server.log(f"indexing stopped, please report it\n{trace()}", ERROR)
        self._server.release(nothing_comes=True)
        self._tell({"kind": "end", "message": f"{self._total:,} files" if self._total else ""})
        give_back()
        if differed:
            self._session.last_hovers.drop()
            self._server.beside(lambda: self._session.analysis.files_changed([]))
            self._session.refresh()

    def _made(self) -> Analysis:
        """The analysis, loaded by steps between which is answered what can be told without."""
        if not self._session.is_analysed:
            self._server.await_lull()
            for module in ANALYSIS_NEEDS:
                give_way()
                import_module(f"kernelscope.{module}")
        analysis = self._session.analysis
        self._session.watch()
        return analysis

    def _is_over(self) -> bool:
        """Asked between any two files, by whichever thread: hovers come first."""
        if not self._stopped.is_set():
            self._server.turns.leave_time()
        return self._stopped.is_set()

    def _progress(self, state: IndexProgress) -> None:
        self._total = max(1, state.total)
        self._server.release()
        now = time.monotonic()
        if now - self._reported > REPORT_SECONDS:
            self._reported = now
            percentage = 100 * state.done // self._total
            message = f"{state.phase}: {state.done:,} of {self._total:,} files"
            self._tell({"kind": "report", "message": message, "percentage": percentage})

    def _tell(self, value: Json) -> None:
        if self._shown:
            self._server.notify("$/progress", {"token": self._token, "value": value})
