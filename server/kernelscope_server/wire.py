"""Messages on a pair of streams: headers and JSON in, JSON out by a thread of its own.

Knows framing and JSON-RPC's error codes, nothing of methods. A reader never raises on what a client sends.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from dataclasses import dataclass
from typing import BinaryIO, TypeGuard

Json = dict[str, object]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800

MAX_BODY = 256 << 20
MAX_HEADER_LINE = 64 << 10
PENDING_MESSAGES = 10_000
"""Answers waiting for a client that does not read; more are dropped rather than kept in memory."""


def is_table(value: object) -> TypeGuard[Json]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that could not be read; the stream goes on behind it."""

    code: int
    reason: str


class End:
    """The end of the stream."""


def read_message(stream: BinaryIO) -> object:
    """The next message: a JSON value, `Malformed`, or `End`."""
    length: int | None = None
    bad = ""
    while True:
        line = stream.readline(MAX_HEADER_LINE)
        if not line:
            return End()
        line = line.strip()
        if not line:
            if length is not None or bad:
                break
            continue
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if text.isdigit() and int(text) <= MAX_BODY:
                length = int(text)
            else:
                bad = "bad content length"
    if length is None:
        return Malformed(PARSE_ERROR, bad)
    body = stream.read(length)
    if len(body) < length:
        return End()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return Malformed(PARSE_ERROR, "the message is not JSON")


class Writer:
    """Writes messages in order from a thread of its own, so that a client that does not read blocks nobody."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._queue: queue.Queue[bytes | None] = queue.Queue(PENDING_MESSAGES)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def send(self, message: Json) -> None:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def close(self) -> None:
        """Write what is waiting, for at most two seconds."""
        self._queue.put(None)
        self._thread.join(2)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self._stream.write(data)
                self._stream.flush()
            except (OSError, ValueError):
                return
