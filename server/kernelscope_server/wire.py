"""Messages on a pair of streams: headers and JSON in, JSON out by a thread of its own.

Knows framing and JSON-RPC's error codes, nothing of methods. A reader never raises on what a client sends.
"""

from __future__ import annotations

import json
import select
import threading
from collections import deque
from typing import BinaryIO, NamedTuple, TypeGuard

Json = dict[str, object]

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
CONTENT_MODIFIED = -32801
REQUEST_FAILED = -32803

MAX_BODY = 256 << 20
MAX_HEADER_LINE = 64 << 10
MAX_WAITING = 64 << 20
"""Bytes waiting for a client that does not read. Beyond it whoever sends waits; reading goes on."""
CLOSING_SECONDS = 2.0


def is_table(value: object) -> TypeGuard[Json]:
    """Whether a JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


class Malformed(NamedTuple):
    """A message that could not be read; the stream goes on behind it."""

    code: int
    reason: str


class End:
    """The end of the stream."""


class RequestError(Exception):
    """An answer that is an error: a JSON-RPC code and one line."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_message(stream: BinaryIO) -> object:
    """The next message: a JSON value, `Malformed`, or `End`. Header names are matched without case."""
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
            if text.isdigit() and len(text) < 12 and int(text) <= MAX_BODY:
                length = int(text)
            else:
                bad = "bad content length"
    if length is None:
        return Malformed(PARSE_ERROR, bad)
    body = stream.read(length)
    if len(body) < length:
        return End()
    try:
        message: object = json.loads(body)
    except (ValueError, RecursionError):
        return Malformed(PARSE_ERROR, "the message is not JSON")
    return Malformed(INVALID_REQUEST, "a message is an object") if message is None else message


def _poll(stream: BinaryIO) -> select.poll | None:
    """Tells whether a stream takes something now, where that can be asked."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
    except (AttributeError, OSError, ValueError):
        return None
    return poll


def _framed(text: str) -> bytes:
    body = text.encode("utf-8", "replace")
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Writer:
    """Writes messages in order from a thread of its own, so that a client that does not read stops no reading."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_writing = False
        self._hurried = False
        self._closing = False
        self._change = threading.Condition()
        self._poll = _poll(stream)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def send_now(self, text: str) -> bool:
        """Writes a message that is JSON already, unless it would have to wait."""
        data = _framed(text)
        with self._change:
            return not self._waiting and not self._is_writing and self._takes(data) and self._put(data)

    def send(self, message: Json) -> None:
        data = _framed(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
        with self._change:
            if not self._waiting and not self._is_writing and self._takes(data):
                self._put(data)
                return
            self._change.wait_for(lambda: self._size < MAX_WAITING or self._hurried)
            self._waiting.append(data)
            self._size += len(data)
            self._change.notify_all()

    def _takes(self, data: bytes) -> bool:
        """Whether writing this now waits for nobody: a pipe that is ready takes so much at once."""
        if self._poll is None or len(data) > select.PIPE_BUF:
            return False
        return bool(self._poll.poll(0))

    def _put(self, data: bytes) -> bool:
        """False when nobody reads any more."""
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self.hurry()
            return False
        return True

    def hurry(self) -> None:
        """Nobody waits for the client any more: the conversation ends. What is still sent is still written."""
        with self._change:
            self._hurried = True
            self._change.notify_all()

    def close(self) -> None:
        """Write what is waiting, for at most two seconds."""
        with self._change:
            self._hurried = self._closing = True
            self._change.notify_all()
        self._thread.join(CLOSING_SECONDS)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._is_writing = True
            is_open = self._put(data)
            with self._change:
                self._is_writing = False
                self._size -= len(data)
                self._change.notify_all()
            if not is_open:
                return
