"""Requests that take long: no edit waits for them, and a hover is answered without what it waits for.

What is left to be done for it goes on behind all that is asked, so that the next one finds it. Knows neither documents
nor what requests are about, but the URI that they name.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import cast

from kernelscope.turns import Turn

from kernelscope_server.inbox import PATIENT_URGENCY, Inbox
from kernelscope_server.protocol import Protocol
from kernelscope_server.wire import CONTENT_MODIFIED, REQUEST_CANCELLED, Json, is_table

MAY_BE_LATE = frozenset(("textDocument/hover", "textDocument/inlayHint"))
"""What waits for files to be interpreted."""
QUICK_SECONDS = 1.0
"""So long an edit waits for what was asked before it."""
ANSWER_SECONDS = 15.0
"""So long a request waits for what it is about, where it can be answered without."""
LOOK_SECONDS = 0.5
LATE_URGENCY = PATIENT_URGENCY - 1
"""Of what is late and still waited for: it comes behind what is quick."""


class InHand:
    """One request that may be late, from when it is taken until it is done."""

    def __init__(self, message: Json, uri: object, edits: int) -> None:
        self.message, self.uri = message, uri
        self.number = cast(Hashable, message["id"])
        self.edits = edits
        """How often its document had been edited."""
        self.since = time.monotonic()
        self.is_late = False
        """Whether what came behind it is handled meanwhile."""
        self.is_answered = False
        self.turn: Turn | None = None


class Late:
    """Looks now and then at what is in hand."""

    def __init__(self, protocol: Protocol, inbox: Inbox, begin_another: Callable[[], None]) -> None:
        self._protocol, self._inbox, self._begin_another = protocol, inbox, begin_another
        self.meanwhile: dict[str, Callable[[Json], object]] = {}
        """By method: what is known without waiting for anything."""
        self._in_hand: dict[Hashable, InHand] = {}
        self._edits: Counter[object] = Counter()
        self._lock = threading.Lock()

    def edited(self, message: Json) -> None:
        """A document was opened, edited or closed."""
        self._edits[_uri(message)] += 1

    def taken(self, message: object) -> InHand | None:
        """A message is being handled; None for what is never late."""
        if not is_table(message) or message.get("method") not in MAY_BE_LATE or not _has_number(message):
            return None
        uri = _uri(message)
        one = InHand(message, uri, self._edits[uri])
        with self._lock:
            self._in_hand[one.number] = one
        return one

    def done(self, one: InHand) -> None:
        with self._lock:
            if self._in_hand.get(one.number) is one:
                del self._in_hand[one.number]

    def is_outdated(self, one: InHand) -> bool:
        """Whether it is of a text that has changed since, which happens only to what is late."""
        return one.is_late and self._edits[one.uri] != one.edits

    def claim(self, number: object) -> bool:
        """Whether who asks is the one to answer a request: each is answered once."""
        with self._lock:
            one = self._in_hand.get(cast(Hashable, number)) if isinstance(number, int | str) else None
            if one is None:
                return True
            is_first, one.is_answered = not one.is_answered, True
            return is_first

    def watch(self) -> None:
        """On a thread of its own."""
        while True:
            time.sleep(LOOK_SECONDS)
            for one in list(self._in_hand.values()):
                self._protocol.guarded(lambda one=one: self._look(one), "a late request")

    def _look(self, one: InHand) -> None:
        seconds = time.monotonic() - one.since
        if not one.is_late and seconds > QUICK_SECONDS:
            one.is_late = True
            self._inbox.leave(one.message)
            self._begin_another()
        method, params = one.message.get("method"), one.message.get("params")
        meanwhile = self.meanwhile.get(str(method))
        if one.is_answered:
            pass
        elif self.is_outdated(one):
            self._protocol.refuse(one.number, CONTENT_MODIFIED, "the text was edited meanwhile")
        elif self._inbox.is_cancelled(one.number):
            self._protocol.refuse(one.number, REQUEST_CANCELLED, "cancelled")
        elif seconds > ANSWER_SECONDS and meanwhile is not None and is_table(params):
            self._protocol.send_result(one.number, meanwhile(params))
        if one.turn is not None and one.is_late:
            one.turn.is_over = one.is_answered
            one.turn.urgency = PATIENT_URGENCY if one.is_answered else LATE_URGENCY


def _has_number(message: Json) -> bool:
    number = message.get("id")
    return isinstance(number, int | str) and not isinstance(number, bool)


def _uri(message: Json) -> object:
    """Of the document that a message names; None where it names none."""
    params = message.get("params")
    for name in ("textDocument", "notebookDocument"):
        document = params.get(name) if is_table(params) else None
        if is_table(document) and isinstance(uri := document.get("uri"), str):
            return uri
    return None
