"""Interpreted files that are kept: always of the text as it is now, and no further than somebody asked.

What is left of them is done in the pauses, like files that were opened, and those that an edit made old.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kernelscope.interp.runs import FileRun, FileWork
from kernelscope.results import Span
from kernelscope.turns import Guard, Interrupted, away, is_alone
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

KEPT_RUNS = 32
"""What was asked for longest ago goes first. One takes 5 MB on average."""
KEPT_CLOSED = 8
"""So many of files that are not open, while others are."""
KEPT_BEGUN = 6
"""So many of them may be left in the middle: these hold the trees of all files that they looked at, up to 80 MB."""
HELD_BYTES = 3 << 20
"""Source bytes that they may hold so together; the one that was asked for last may hold more."""
PATIENCE_SECONDS = 0.02
"""So long those wait who can do without."""
MOST_ASKED = 4
"""So many names that nobody waits for are interpreted for those who asked."""
CHECK_SECONDS = 1.0
"""So often the disk is asked whether files changed that nobody announced."""


Beside = Callable[[Callable[[], None]], None]
"""Does something on another thread, where there is one."""


@dataclass(slots=True)
class _Kept:
    work: FileWork
    guard: Guard
    """Held by whoever goes on with the work."""
    changes: int
    """State of the files when the run was last found to be of now."""
    checked: float


class FileRuns:
    """One run a file."""

    def __init__(self, workspace: Workspace, beside: Beside = lambda action: action()) -> None:
        self._workspace = workspace
        self._kept: dict[str, _Kept] = {}
        self._beside = beside
        self._late: threading.Event | None = None
        """Set once the last work is done for which somebody waited in vain. What is asked for later comes behind it."""
        self._asked: deque[tuple[str, Span]] = deque(maxlen=MOST_ASKED)
        """What nobody waits for: who moves over many names comes back to the last."""

    def exact(self, path: str) -> FileRun:
        """The interpretation of a file as it is now, and as the files are that it was seen with."""
        kept = self._of_now(path)
        while not kept.work.is_done:
            self._go_on(kept)
        return kept.work.run

    def exact_at(self, path: str, span: Span) -> FileRun:
        """The same for the functions that have a part in `span`; the others may be missing."""
        kept = self._of_now(path)
        while kept.work.run.waits_for(span):
            self._go_on(kept, span)
        return kept.work.run

    def soon_at(self, path: str, span: Span, is_patient: bool = True) -> FileRun | None:
        """The same for those who can do without it: None when it takes more than a moment, or at once if they are not
        patient; then it is done on another thread, as one of the last that were asked for so."""
        if self.waits_for(path, span) and not is_alone():
            if not is_patient:
                self._asked.append((path, span))
                self._beside(self._look_at_last)
                return None
            done = threading.Event()
            self._beside(lambda: self._look_ahead(path, span, done))
            if self._late is None or self._late.is_set():
                with away():
                    self._late = None if done.wait(PATIENCE_SECONDS) else done
            if self.waits_for(path, span):
                return None
        return self.exact_at(path, span)

    def _look_at_last(self) -> None:
        if self._asked:
            self.exact_at(*self._asked.pop())

    def _look_ahead(self, path: str, span: Span, done: threading.Event) -> None:
        try:
            self.exact_at(path, span)
        finally:
            done.set()

    def _go_on(self, kept: _Kept, wanted: Span | None = None) -> None:
        """Interpret one more function, for what is `wanted` if there is such, unless another thread just did."""
        run = kept.work.run
        before = len(run.waiting) + len(run.passed_over)
        with kept.guard:
            is_left = not kept.work.is_done or (wanted is not None and run.waits_for(wanted))
            if not is_left or len(run.waiting) + len(run.passed_over) < before:
                return
            try:
                kept.work.go_on(wanted)
            except Interrupted:  # what is half done cannot be gone on with
                self._kept = {path: other for path, other in self._kept.items() if other is not kept}
                raise

    def waits_for(self, path: str, span: Span) -> bool:
        """Whether something has to be interpreted before what stands in `span` is known."""
        kept = self._kept.get(path)
        return kept is None or not self._is_of_now(kept) or kept.work.run.waits_for(span)

    def is_done(self, path: str) -> bool:
        """Whether all of a file is interpreted as it is now."""
        kept = self._kept.get(path)
        is_whole = kept is not None and kept.work.is_done and not kept.work.run.passed_over
        return kept is not None and is_whole and self._is_of_now(kept)

    def read(self, path: str) -> Mapping[str, Version | None]:
        """The files that were looked at for the interpretation of one, as they were."""
        kept = self._kept.get(path)
        return kept.work.run.versions if kept is not None else {}

    def is_behind(self, path: str) -> bool:
        """Whether an edit made the interpretation of a file old that was there before."""
        kept = self._kept.get(path)
        return kept is not None and not self._is_of_now(kept)

    def catch_up(self, expected: Iterable[str], edited: bool, cancelled: Callable[[], bool]) -> bool:
        """Goes on with one run that is not done, is `expected`, or with `edited` of a text that was edited since.

        Whether there was one. Stops behind a function when cancelled.
        """
        kept = reversed(self._kept.items())
        path = next((path for path, one in kept if self._is_wanting(one, edited)), None)
        if path is None:
            path = next((path for path in expected if path not in self._kept), None)
        if path is None:
            return False
        kept = self._of_now(path)
        while not (kept.work.is_done or cancelled()):
            self._go_on(kept)
        return True

    def _is_wanting(self, kept: _Kept, edited: bool) -> bool:
        if kept.work.is_done and not edited:
            return False
        return not kept.work.is_done if self._is_of_now(kept) else edited

    def _of_now(self, path: str) -> _Kept:
        kept = self._kept.get(path)
        if kept is None or not self._is_of_now(kept):
            work = FileWork(self._workspace, path)
            kept = _Kept(work, Guard(), self._workspace.files.changes, time.monotonic())
        self._kept.pop(path, None)
        self._kept[path] = kept
        begun = self._too_many_begun()
        opened = self._workspace.files.open_paths()
        closed = [other for other in self._kept if opened and other not in opened]
        for other in (*begun, *closed[:-KEPT_CLOSED], *list(self._kept)[:-KEPT_RUNS]):
            self._kept.pop(other, None)
        return kept

    def _too_many_begun(self) -> list[str]:
        """Those left in the middle that hold too much beside the ones that were asked for later."""
        begun = [path for path, one in self._kept.items() if one.work.held()][::-1]
        held: dict[str, int] = {}
        for count, path in enumerate(begun):
            held |= self._kept[path].work.held()
            if count and (count >= KEPT_BEGUN or sum(held.values()) > HELD_BYTES):
                return begun[count:]
        return []

    def _is_of_now(self, kept: _Kept) -> bool:
        files = self._workspace.files
        now = time.monotonic()
        if kept.changes == files.changes and now - kept.checked < CHECK_SECONDS:
            return True
        if any(files.version(seen) != version for seen, version in kept.work.run.versions.items()):
            return False
        kept.changes, kept.checked = files.changes, now
        return True
