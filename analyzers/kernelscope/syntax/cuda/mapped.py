"""Text that was made out of a file's text, and knows for each of its bytes which bytes of the file it stands for.

Text of a macro's body stands for the whole use of the macro; text that was only moved stands for itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kernelscope.results import Span


class Run(NamedTuple):
    """From `start` on, bytes stand for the file from `origin` on: one by one when `moved`, else all for the same."""

    start: int
    origin: int
    origin_end: int
    moved: bool


@dataclass(frozen=True, slots=True)
class Mapped:
    """Bytes with the runs that say where they come from."""

    data: bytes
    runs: tuple[Run, ...]

    @staticmethod
    def of_file(data: bytes) -> Mapped:
        return Mapped(data, (Run(0, 0, len(data), True),))

    def origin(self, start: int, end: int) -> Span:
        """The bytes of the file that a part of this text stands for."""
        if not self.runs:
            return Span(0, 0)
        runs = self.runs
        following = _following(runs, start)
        first = last = runs[max(0, following - 1)]
        if following < len(runs) and runs[following].start < end:
            last = runs[_following(runs, end - 1) - 1]
        begin = first.origin + (start - first.start) if first.moved else first.origin
        stop = last.origin + (end - last.start) if last.moved else last.origin_end
        return Span(begin, stop) if stop >= begin else Span(first.origin, first.origin_end)

    def position(self, offset: int) -> int:
        """Where a byte of the file stands in this text, or the byte after it that does."""
        for run in self.runs if len(self.runs) > 1 else ():
            if run.moved and run.origin <= offset < run.origin_end:
                return run.start + offset - run.origin
        later = [run.start for run in self.runs if run.origin >= offset]
        return offset if len(self.runs) == 1 else min(later, default=len(self.data))

    def slice(self, start: int, end: int) -> Mapped:
        """A part, with its own runs."""
        data = self.data[start:end]
        if not data:
            return Mapped(b"", ())
        first = max(0, _following(self.runs, start) - 1)
        runs: list[Run] = []
        for i in range(first, len(self.runs)):
            run = self.runs[i]
            if run.start >= end:
                break
            begin = max(run.start, start)
            following = self.runs[i + 1].start if i + 1 < len(self.runs) else len(self.data)
            if run.moved:
                first_origin = run.origin + begin - run.start
                last_origin = run.origin + min(following, end) - run.start
                runs.append(Run(begin - start, first_origin, last_origin, True))
            else:
                runs.append(Run(begin - start, run.origin, run.origin_end, False))
        return Mapped(data, tuple(runs))

    def uses(self, start: int, end: int) -> Iterator[tuple[int, int, Span]]:
        """The macro uses whose whole text lies in a part: where it stands here, and the use in the file."""
        at = max(0, _following(self.runs, start) - 1)
        while at < len(self.runs) and self.runs[at].start < end:
            use = self.runs[at]
            first = last = at
            at += 1
            if use.moved:
                continue
            while first > 0 and self._is_within(first - 1, use):
                first -= 1
            while last + 1 < len(self.runs) and self._is_within(last + 1, use):
                last += 1
            at = last + 1
            stop = self._end(last)
            if self.runs[first].start >= start and stop <= end:
                yield self.runs[first].start, stop, Span(use.origin, use.origin_end)

    def _is_within(self, at: int, use: Run) -> bool:
        """Whether a run is of the same use of a macro: of its body, or one of its arguments."""
        run = self.runs[at]
        return (
            use.origin <= run.origin and run.origin + (self._end(at) - run.start if run.moved else 0) <= use.origin_end
        )

    def _end(self, at: int) -> int:
        return self.runs[at + 1].start if at + 1 < len(self.runs) else len(self.data)

    def replaced(self, data: bytes) -> Mapped:
        """The same places with other bytes, as many as before."""
        assert len(data) == len(self.data)
        return Mapped(data, self.runs)


def joined(parts: list[Mapped]) -> Mapped:
    """Parts one after the other."""
    runs: list[Run] = []
    at = 0
    for part in parts:
        runs.extend([Run(at + r.start, r.origin, r.origin_end, r.moved) for r in part.runs] if at else part.runs)
        at += len(part.data)
    return Mapped(b"".join(part.data for part in parts), tuple(runs))


def standing_for(data: bytes, span: Span) -> Mapped:
    """Text all of which stands for one part of the file."""
    return Mapped(data, (Run(0, span.start, span.end, False),) if data else ())


def _following(runs: tuple[Run, ...], offset: int) -> int:
    """The first run that begins behind a byte."""
    return bisect_left(runs, (offset + 1,))
