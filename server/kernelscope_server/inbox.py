"""Messages that were read and not yet handled: in order, but for requests that somebody waits for at the keyboard.

Order is only changed between requests that stand next to each other: a notification (an edit, say) is never overtaken.
A request that is cancelled while it waits is taken out.
"""

from __future__ import annotations

import threading
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
MAX_LOOK_AHEAD = 256
MAX_CANCELLED = 10_000


class Inbox:
    """A queue with one reader of the stream at its end and one thread that handles messages at its front."""

    def __init__(self) -> None:
        self._messages: deque[object] = deque()
        self._cancelled: dict[Hashable, None] = {}
        self._change = threading.Condition()

    @property
    def waiting(self) -> bool:
        return bool(self._messages)

    def put(self, message: object) -> None:
        with self._change:
            self._messages.append(message)
            self._change.notify()

    def next(self, seconds: float) -> object | None:
        """The message to handle now; None when there was none for so long."""
        with self._change:
            if not self._change.wait_for(lambda: self._messages, seconds):
                return None
            best, best_rank = 0, _rank(self._messages[0])
            for place, message in enumerate(self._messages):
                rank = _rank(message)
                if rank is None or best_rank is None or place > MAX_LOOK_AHEAD:
                    break
                if rank < best_rank:
                    best, best_rank = place, rank
            message = self._messages[best]
            del self._messages[best]
            return message

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


def _rank(message: object) -> int | None:
    """How soon a request is answered; None for what must not be moved or overtaken."""
    if not is_table(message) or "id" not in message:
        return None
    method = message.get("method")
    if not isinstance(method, str) or method in STAY_IN_PLACE:
        return None
    return URGENCY.get(method, len(URGENCY))
