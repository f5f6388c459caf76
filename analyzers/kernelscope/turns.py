"""Turns: threads that ask questions work one at a time, and long work gives way to what is more urgent at its steps.

A thread that takes no turn, as in a command line or a test, is alone and gives way to nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Interrupted(Exception):
    """Nobody wants what is being worked out any more, or what it was read from has changed."""


class Turn:
    """One thread's wish to work. The smaller `urgency` comes first; equal ones take turns at their steps."""

    __slots__ = ("is_over", "is_unwanted", "since", "turns", "urgency")

    def __init__(self, turns: Turns, urgency: int, is_unwanted: Callable[[], bool]) -> None:
        self.turns, self.urgency = turns, urgency
        self.is_unwanted = is_unwanted
        """Whether to end the work with `Interrupted` at its next step."""
        self.is_over = False
        """Whether nobody waits for it any more; what it has begun may be of use."""
        self.since = 0.0
        """When it last began to work."""


SLICE_SECONDS = 0.02
"""So long one works before another that is as urgent goes on: to change at every step takes as long as the steps."""
LOOK_SECONDS = 0.5
"""So often who waits for another looks whether that is still wanted."""
LEFT_SECONDS = 0.5
"""So long work beside the turns waits at a time, however long an answer takes."""


class _Own(threading.local):
    turn: Turn | None = None
    beside: Turns | None = None
    """Of a thread that takes no turn, whose answers it leaves time."""


_own = _Own()


class Turns:
    """Who works, and who waits to. Nobody waits for what those do whose urgency is `patient` or more."""

    def __init__(self, patient: int = 1) -> None:
        self.patient = patient
        self._change = threading.Condition()
        self._working: Turn | None = None
        self.waiting: list[Turn] = []

    @contextmanager
    def turn(self, urgency: int, is_unwanted: Callable[[], bool] = lambda: False) -> Generator[Turn]:
        """Inside, this thread works, or waits in `give_way`."""
        own = Turn(self, urgency, is_unwanted)
        with self._change:
            self._wait(own)
        _own.turn = own
        try:
            yield own
        finally:
            _own.turn = None
            with self._change:
                self._end()

    def give_way(self, own: Turn) -> None:
        """Let those work who are more urgent, and after a while those who are as urgent."""
        with self._change:
            least = own.urgency - (time.monotonic() - own.since < SLICE_SECONDS)
            if any(other.urgency <= least for other in self.waiting):
                self._end()
                self._wait(own)
        if own.is_unwanted():
            raise Interrupted

    @contextmanager
    def away(self, own: Turn) -> Generator[None]:
        """Inside, others work."""
        with self._change:
            self._end()
        try:
            yield
        finally:
            with self._change:
                self._wait(own)

    @contextmanager
    def beside(self) -> Generator[None]:
        """Inside, this thread takes no turn, and at its steps leaves the machine to those that are waited for."""
        _own.beside = self
        try:
            yield
        finally:
            _own.beside = None

    def leave_time(self) -> None:
        """Wait until nobody is waited for, but not for long."""
        if self._are_waited_for():
            with self._change:
                self._change.wait_for(lambda: not self._are_waited_for(), LEFT_SECONDS)

    def _are_waited_for(self) -> bool:
        working = self._working
        return any(turn.urgency < self.patient for turn in (*self.waiting, *([working] if working else ())))

    def _wait(self, own: Turn) -> None:
        self.waiting.append(own)
        self._change.wait_for(lambda: self._working is None and min(self.waiting, key=_urgency) is own)
        self.waiting.remove(own)
        self._working = own
        own.since = time.monotonic()

    def _end(self) -> None:
        self._working = None
        self._change.notify_all()


class Guard:
    """A lock for what only one may be in the middle of; whoever waits for it lets the others work.

    Its holder works as urgently as the most urgent of those who wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: Turn | None = None
        self._urgency = 0

    def __enter__(self) -> None:
        own = _own.turn
        if not self._lock.acquire(blocking=False):
            if own is not None and (holder := self._holder) is not None:
                holder.urgency = min(holder.urgency, own.urgency)
            with away():
                while not self._lock.acquire(timeout=LOOK_SECONDS):
                    if own is not None and (own.is_over or own.is_unwanted()):
                        raise Interrupted
        self._holder = own
        self._urgency = own.urgency if own is not None else 0

    def __exit__(self, *_: object) -> None:
        if (holder := self._holder) is not None:
            holder.urgency = self._urgency
        self._holder = None
        self._lock.release()


def give_way() -> None:
    """A step of long work, at which the state that threads share is whole: more urgent questions are answered first."""
    own = _own.turn
    if own is not None:
        if own.turns.waiting or own.is_unwanted():
            own.turns.give_way(own)
    elif _own.beside is not None:
        _own.beside.leave_time()


@contextmanager
def away() -> Generator[None]:
    """Inside, this thread waits for another."""
    own = _own.turn
    if own is None:
        yield
        return
    with own.turns.away(own):
        yield


def is_alone() -> bool:
    """Whether this thread takes no turns: then nobody else does what it does not do itself."""
    return _own.turn is None


def _urgency(turn: Turn) -> int:
    return turn.urgency
