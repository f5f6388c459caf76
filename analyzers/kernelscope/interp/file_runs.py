"""Interpreted files that are kept; right after an edit the run from before it, carried to the places of now.

An interpretation takes from milliseconds to seconds, so a hover while somebody types does not wait for one: what it
tells says that it is from before the edit, until a pause or a second has passed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kernelscope.interp.interpreter import Seen
from kernelscope.interp.runs import FileRun, run_file
from kernelscope.results import LeftOut, Span
from kernelscope.syntax.text import changed_part
from kernelscope.workspace.workspace import Workspace

KEPT_RUNS = 64
"""The oldest goes first."""
CHECK_SECONDS = 1.0
"""So often the disk is asked whether files changed that nobody announced."""
PATIENCE_SECONDS = 1.0
"""So long a run from before an edit is good enough for a hover."""
BEFORE_THE_EDIT = "as before the last edit"


@dataclass(slots=True)
class _Kept:
    run: FileRun
    text: bytes
    changes: int
    """State of the files when the run was last found to be of now."""
    checked: float
    stale_since: float | None = None
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
        return kept.run if kept is not None and self._is_of_now(kept) else self._run(path)

    def quick(self, path: str) -> FileRun:
        """The same; right after an edit the run from before it, which says so."""
        kept = self._kept.get(path)
        if kept is None or self._is_of_now(kept):
            return self.exact(path)
        now = time.monotonic()
        if kept.stale_since is None:
            kept.stale_since = now
        text = self._text(path)
        if text is None or now - kept.stale_since > PATIENCE_SECONDS:
            return self._run(path)
        return _carried(kept.run, kept.text, text)

    def catch_up(self, cancelled: Callable[[], bool]) -> bool:
        """Brings one run that hovers found to be old up to date; whether there was one. Gives up when cancelled."""
        for path, kept in self._kept.items():
            if kept.stale_since is not None:
                patient = kept.abandoned < 2
                run = run_file(self._workspace, path, cancelled if patient else lambda: False)
                if patient and cancelled():
                    kept.abandoned += 1
                    return False
                self._keep(path, run)
                return True
        return False

    def _run(self, path: str) -> FileRun:
        return self._keep(path, run_file(self._workspace, path))

    def _keep(self, path: str, run: FileRun) -> FileRun:
        text = self._text(path) or b""
        self._kept[path] = _Kept(run, text, self._workspace.files.changes, time.monotonic())
        if len(self._kept) > KEPT_RUNS:
            self._kept.pop(next(iter(self._kept)))
        return run

    def _text(self, path: str) -> bytes | None:
        data = self._workspace.files.read(path)
        return None if isinstance(data, LeftOut) else data

    def _is_of_now(self, kept: _Kept) -> bool:
        files = self._workspace.files
        now = time.monotonic()
        if kept.changes == files.changes and now - kept.checked < CHECK_SECONDS:
            return True
        if any(files.version(seen) != version for seen, version in kept.run.versions.items()):
            return False
        kept.changes, kept.checked, kept.stale_since = files.changes, now, None
        return True


@dataclass(slots=True)
class CarriedRun(FileRun):
    """A run of an earlier text, asked at places of the present one."""

    unchanged: int = 0
    """Texts are equal up to here."""
    tail: int = 0
    """The present text is equal from here on."""
    shift: int = 0

    def value_at(self, span: Span) -> Seen | None:
        """What the same name meant before the edit; nothing where the edit was."""
        if span.end < self.unchanged:
            return self.values.get(span)
        if span.start >= self.tail:
            return self.values.get(Span(span.start - self.shift, span.end - self.shift))
        return None


def _carried(run: FileRun, before: bytes, now: bytes) -> FileRun:
    if before == now:
        return replace(run, note=BEFORE_THE_EDIT)
    start, old_end, new_end = changed_part(before, now)
    return CarriedRun(
        run.path, run.versions, run.values, run.findings, run.incomplete, BEFORE_THE_EDIT,
        start, new_end, new_end - old_end,
    )  # fmt: skip
