"""Messages that were read and not yet handled: in order, but for requests that somebody waits for at the keyboard.

Order is only changed between requests that stand next to each other: a notification (an edit, say) is never overtaken,
and handled by itself. Only documents that take long to make are begun anew when it comes. A request that is cancelled
while it waits is taken out.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable

from kernelscope_server.wire import is_table

URGENCY = {
    method: rank
    for rank, methods in enumerate(
        (
            ("textDocument/hover",),
            ("textDocument/definition", "codeLens/resolve", "workspace/executeCommand"),
            ("textDocument/inlayHint", "textDocument/codeLens", "textDocument/documentSymbol"),
        )
    )
    for method in methods
}
"""What is answered first; requests that are not named here come last."""

STAY_IN_PLACE = ("initialize", "shutdown")
PATIENT = ("workspace/executeCommand", "workspace/textDocumentContent", "textDocument/documentLink")
"""What may take so long that nothing waits for it."""
IN_PAUSES = 100
"""The urgency of what nobody asked for yet."""
PATIENT_URGENCY = IN_PAUSES - 1
"""The urgency of what is patient."""
MAX_LOOK_AHEAD = 256
MAX_CANCELLED = 10_000


class Inbox:
    """A queue with one reader of the stream at its end and threads that handle messages at its front."""

    def __init__(self) -> None:
        self._messages: deque[object] = deque()
        self._cancelled: dict[Hashable, None] = {}
        lock = threading.Lock()
        self._change = threading.Condition(lock)
        """For those who take messages."""
        self._quiet = threading.Condition(lock)
        """For those who want to know that the quiet is over."""
        self._in_hand = 0
        """Messages that are being handled, but for what is patient."""
        self._is_alone = False
        """Whether what is in hand must be done before anything else is."""
        self._left: set[int] = set()
        """Messages in hand for which nothing waits any more, as the objects that they are."""
        self.takers = 0
        """Threads that wait for a message."""
        self._last = time.monotonic()
        """When there was last something to do."""

    @property
    def waiting(self) -> bool:
        return bool(self._messages)

    @property
    def is_empty(self) -> bool:
        """Whether all that was read is done, but for what is patient."""
        with self._change:
            return not (self._messages or self._in_hand)

    def touch(self) -> None:
        """Something was asked that did not come here."""
        with self._change:
            self._last = time.monotonic()
            self._quiet.notify_all()

    def put(self, message: object) -> None:
        with self._change:
            self._messages.append(message)
            self._last = time.monotonic()
            self._change.notify()
            self._quiet.notify_all()

    def next(self, seconds: float | None = None) -> object | None:
        """The message to handle now, until it is `handled`; None when there was none for so long."""
        with self._change:
            self.takers += 1
            place: int | None = None
            if self._change.wait_for(lambda: self._first() is not None, seconds):
                place = self._first()
            self.takers -= 1
            if place is None:
                return None
            message = self._messages[place]
            del self._messages[place]
            self._is_alone = _rank(message) is None
            self._in_hand += not is_patient(message)
            return message

    def _first(self) -> int | None:
        """The place of the message to handle now."""
        if not self._messages or self._is_alone:
            return None
        best, best_rank = 0, _rank(self._messages[0])
        if best_rank is None:
            return 0 if self._in_hand == 0 else None
        for place, message in enumerate(self._messages):
            rank = _rank(message)
            if rank is None or place > MAX_LOOK_AHEAD:
                break
            if rank < best_rank:
                best, best_rank = place, rank
        return best

    def handled(self, message: object) -> None:
        """What `next` gave is done with."""
        with self._change:
            if id(message) in self._left:
                self._left.discard(id(message))
            elif not is_patient(message):
                self._put_down()
            self._last = time.monotonic()

    def leave(self, message: object) -> None:
        """What is in hand takes long: from now on nothing waits for it."""
        with self._change:
            if id(message) not in self._left:
                self._left.add(id(message))
                self._put_down()

    def _put_down(self) -> None:
        self._in_hand -= 1
        self._is_alone = False
        if self._messages:
            self._change.notify_all()

    def wait_for_quiet(self, seconds: float) -> None:
        """Waits until nothing was asked for so long, and all is answered but for what is patient.

        Looks again now and then: to be woken with every message would take time from answering it.
        """
        while (left := self._last + seconds - time.monotonic()) > 0 or self._messages or self._in_hand:
            time.sleep(max(left, seconds))

    def stays_quiet(self, seconds: float) -> bool:
        """Waits for so long; whether nothing was asked meanwhile."""
        with self._change:
            last = self._last
            self._quiet.wait_for(lambda: self._last != last, seconds)
            return self._last == last and not (self._messages or self._in_hand)

    def cancel(self, number: int | str) -> bool:
        """Take a waiting request out; False when it is being handled, or unknown: then `is_cancelled` says so."""
        with self._change:
            for place, message in enumerate(self._messages):
                if is_table(message) and message.get("id") == number and isinstance(message.get("method"), str):
                    if message["method"] in STAY_IN_PLACE:
                        return False
                    del self._messages[place]
                    return True
            self._cancelled[number] = None
            while len(self._cancelled) > MAX_CANCELLED:
                self._cancelled.pop(next(iter(self._cancelled)))
            return False

    def is_cancelled(self, number: Hashable) -> bool:
        return number in self._cancelled

    def done(self, number: Hashable) -> None:
        """A request was answered: its id may be used again."""
        self._cancelled.pop(number, None)


def is_patient(message: object) -> bool:
    """Whether nothing waits for what a message asks for."""
    return is_table(message) and "id" in message and message.get("method") in PATIENT


def urgency(message: object) -> int:
    """How soon a message has its turn, among all that are being handled."""
    rank = _rank(message)
    return 0 if rank is None else rank + 1 if not is_patient(message) else PATIENT_URGENCY


def _rank(message: object) -> int | None:
    """How soon a request is answered; None for what must not be moved or overtaken."""
    if not is_table(message) or "id" not in message:
        return None
    method = message.get("method")
    if not isinstance(method, str) or method in STAY_IN_PLACE:
        return None
    return URGENCY.get(method, len(URGENCY))
