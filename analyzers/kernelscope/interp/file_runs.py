"""Interpreted files that are kept: always of the text as it is now, and no further than somebody asked.

What is left of them is done in the pauses, like files that were opened, and those that an edit made old.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kernelscope.interp.runs import FileRun, FileWork
from kernelscope.results import Span
from kernelscope.workspace.workspace import Workspace

KEPT_RUNS = 64
"""The oldest goes first."""
CHECK_SECONDS = 1.0
"""So often the disk is asked whether files changed that nobody announced."""


@dataclass(slots=True)
class _Kept:
    work: FileWork
    changes: int
    """State of the files when the run was last found to be of now."""
    checked: float


class FileRuns:
    """One run a file."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: dict[str, _Kept] = {}

    def exact(self, path: str) -> FileRun:
        """The interpretation of a file as it is now, and as the files are that it was seen with."""
        work = self._of_now(path)
        while not work.is_done:
            work.go_on()
        return work.run

    def exact_at(self, path: str, span: Span) -> FileRun:
        """The same for the functions that have a part in `span`; the others may be missing."""
        work = self._of_now(path)
        while work.run.waits_for(span):
            work.go_on()
        return work.run

    def is_behind(self, path: str) -> bool:
        """Whether an edit made the interpretation of a file old that was there before."""
        kept = self._kept.get(path)
        return kept is not None and not self._is_of_now(kept)

    def catch_up(self, expected: Iterable[str], cancelled: Callable[[], bool]) -> bool:
        """Goes on with one run that is not done, an edit made old or is `expected`; whether there was one.

        Stops behind a function when cancelled.
        """
        path = next((path for path in reversed(self._kept) if self._is_wanting(path)), None)
        if path is None:
            path = next((path for path in expected if path not in self._kept), None)
        if path is None:
            return False
        work = self._of_now(path)
        while not (work.is_done or cancelled()):
            work.go_on()
        return True

    def _is_wanting(self, path: str) -> bool:
        kept = self._kept[path]
        return not (kept.work.is_done and self._is_of_now(kept))

    def _of_now(self, path: str) -> FileWork:
        kept = self._kept.get(path)
        if kept is None or not self._is_of_now(kept):
            work = FileWork(self._workspace, path)
            self._kept[path] = kept = _Kept(work, self._workspace.files.changes, time.monotonic())
            if len(self._kept) > KEPT_RUNS:
                self._kept.pop(next(iter(self._kept)))
        return kept.work

    def _is_of_now(self, kept: _Kept) -> bool:
        files = self._workspace.files
        now = time.monotonic()
        if kept.changes == files.changes and now - kept.checked < CHECK_SECONDS:
            return True
        if any(files.version(seen) != version for seen, version in kept.work.run.versions.items()):
            return False
        kept.changes, kept.checked = files.changes, now
        return True
