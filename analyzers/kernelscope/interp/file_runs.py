"""Interpreted files that are kept: always of the text as it is now, brought up to date in the pauses of typing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kernelscope.interp.runs import FileRun, run_file
from kernelscope.workspace.workspace import Workspace

KEPT_RUNS = 64
"""The oldest goes first."""
CHECK_SECONDS = 1.0
"""So often the disk is asked whether files changed that nobody announced."""
MOST_ABANDONED = 2
"""A run that is given up so often is finished in the next pause, whoever waits."""


@dataclass(slots=True)
class _Kept:
    run: FileRun
    changes: int
    """State of the files when the run was last found to be of now."""
    checked: float
    abandoned: int = 0
    """How often a pause was too short to bring it up to date."""


class FileRuns:
    """One run a file."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: dict[str, _Kept] = {}

    def exact(self, path: str) -> FileRun:
        """The interpretation of a file as it is now, and as the files are that it was seen with."""
        kept = self._kept.get(path)
        return kept.run if kept is not None and self._is_of_now(kept) else self._keep(run_file(self._workspace, path))

    def is_behind(self, path: str) -> bool:
        """Whether an edit made the interpretation of a file old that was there before."""
        kept = self._kept.get(path)
        return kept is not None and not self._is_of_now(kept)

    def catch_up(self, cancelled: Callable[[], bool]) -> bool:
        """Brings one run that an edit made old up to date; whether there was one. Gives up when cancelled."""
        old = next((kept for kept in reversed(self._kept.values()) if not self._is_of_now(kept)), None)
        if old is None:
            return False
        patient = old.abandoned < MOST_ABANDONED
        run = run_file(self._workspace, old.run.path, cancelled if patient else lambda: False)
        if patient and cancelled():
            old.abandoned += 1
            return False
        self._keep(run)
        return True

    def _keep(self, run: FileRun) -> FileRun:
        self._kept[run.path] = _Kept(run, self._workspace.files.changes, time.monotonic())
        if len(self._kept) > KEPT_RUNS:
            self._kept.pop(next(iter(self._kept)))
        return run

    def _is_of_now(self, kept: _Kept) -> bool:
        files = self._workspace.files
        now = time.monotonic()
        if kept.changes == files.changes and now - kept.checked < CHECK_SECONDS:
            return True
        if any(files.version(seen) != version for seen, version in kept.run.versions.items()):
            return False
        kept.changes, kept.checked = files.changes, now
        return True
