"""The message loop: one reader thread, one analysis thread in which all answers are made, one writer thread.

Every request gets exactly one answer. Cancellations are read ahead of the work they cancel. Indexing runs in a thread
of its own (its work is done by other processes), so that questions are answered meanwhile.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import BinaryIO

from kernelscope_server.wire import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    REQUEST_CANCELLED,
    End,
    Json,
    Malformed,
    Writer,
    is_list,
    is_table,
    read_message,
)

IDLE_SECONDS = 0.25
PARENT_POLL_SECONDS = 2.0


class RequestError(Exception):
    """An answer that is an error: a JSON-RPC code and one line."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """The client no longer wants the answer."""


Handler = Callable[[Json], object]


class Server:
    """Reads messages, calls handlers, sends answers."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self._stdin = stdin
        self.writer = Writer(stdout)
        self._inbox: queue.Queue[object] = queue.Queue()
        self._cancelled: set[object] = set()
        self._replies: dict[int, Callable[[object], None]] = {}
        self._next_id = 0
        self.requests: dict[str, Handler] = {}
        self.notifications: dict[str, Handler] = {}
        self.initialized = False
        self.shut_down = False
        self.on_idle: list[Callable[[], None]] = []
        self.current: object = None

    # -- sending -----------------------------------------------------------------------------------------

    def notify(self, method: str, params: object) -> None:
        self.writer.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: object, reply: Callable[[object], None] = lambda result: None) -> None:
        """A request to the client; `reply` gets the result (None for an error) on the analysis thread."""
        self._next_id += 1
        self._replies[self._next_id] = reply
        self.writer.send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})

    def log(self, text: str, kind: int = 3) -> None:
        """`window/logMessage`; kinds: 1 error, 2 warning, 3 information, 4 log."""
        self.notify("window/logMessage", {"type": kind, "message": text[:4000]})

    def cancelled(self) -> bool:
        """Whether the client cancelled the request that is being answered."""
        return self.current is not None and self.current in self._cancelled

    # -- running -----------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until exit or the end of the stream; the process's exit status."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        status = 1
        while True:
            try:
                message = self._inbox.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                for action in self.on_idle:
                    self._guarded(action)
                continue
            if isinstance(message, End):
                break
            if is_table(message) and message.get("method") == "exit":
                status = 0 if self.shut_down else 1
                break
            self._handle(message)
        self.writer.close()
        return status

    def _read(self) -> None:
        while True:
            try:
                message = read_message(self._stdin)
            except (OSError, ValueError):
                message = End()
            if is_table(message) and message.get("method") == "$/cancelRequest":
                params = message.get("params")
                wanted = params.get("id") if is_table(params) else None
                if isinstance(wanted, int | str):
                    self._cancelled.add(wanted)
                    if len(self._cancelled) > 100_000:
                        self._cancelled.clear()
                continue
            self._inbox.put(message)
            if isinstance(message, End):
                return

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            self.log(f"internal error, please report it\n{traceback.format_exc()}", 1)

    def _error(self, message_id: object, code: int, text: str) -> None:
        self.writer.send({"jsonrpc": "2.0", "id": message_id, "error": {"code": code, "message": text}})

    def _handle(self, message: object) -> None:
        if isinstance(message, Malformed):
            self._error(None, message.code, message.reason)
        elif is_list(message):
            self._error(None, INVALID_REQUEST, "batches are not part of the protocol")
        elif not is_table(message):
            self._error(None, INVALID_REQUEST, "a message is an object")
        elif "method" not in message:
            self._reply(message)
        elif "id" in message:
            self._request(message)
        else:
            self._notification(message)

    def _reply(self, message: Json) -> None:
        if "result" not in message and "error" not in message:
            self._error(message.get("id"), INVALID_REQUEST, "neither a method nor a result")
            return
        number = message.get("id")
        reply = self._replies.pop(number, None) if isinstance(number, int) else None
        if reply is not None:
            self._guarded(lambda: reply(message.get("result")))

    def _request(self, message: Json) -> None:
        number, method, params = message["id"], message["method"], message.get("params")
        if not isinstance(number, int | str) or isinstance(number, bool):
            return self._error(None, INVALID_REQUEST, "an id is a number or a string")
        if not isinstance(method, str):
            return self._error(number, INVALID_REQUEST, "a method is a string")
        if self.shut_down:
            return self._error(number, INVALID_REQUEST, "the server is shutting down")
        if method == "initialize" and self.initialized:
            return self._error(number, INVALID_REQUEST, "already initialized")
        if method != "initialize" and not self.initialized:
            return self._error(number, NOT_INITIALIZED, "initialize first")
        handler = self.requests.get(method)
        if handler is None:
            return self._error(number, METHOD_NOT_FOUND, f"there is no method {method}")
        if params is not None and not is_table(params):
            return self._error(number, INVALID_PARAMS, "params is an object")
        if number in self._cancelled:
            self._cancelled.discard(number)
            return self._error(number, REQUEST_CANCELLED, "cancelled")
        self.current = number
        try:
            result = handler(params or {})
        except Cancelled:
            self._error(number, REQUEST_CANCELLED, "cancelled")
        except RequestError as error:
            self._error(number, error.code, str(error))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if _from_params(error):
                self._error(number, INVALID_PARAMS, f"bad parameters for {method}: {error}")
            else:
                self._internal(number, method)
        except Exception:
            self._internal(number, method)
        else:
            self.writer.send({"jsonrpc": "2.0", "id": number, "result": result})
        finally:
            self.current = None
            self._cancelled.discard(number)
        return None

    def _internal(self, number: object, method: str) -> None:
        self.log(f"internal error in {method}, please report it\n{traceback.format_exc()}", 1)
        self._error(number, INTERNAL_ERROR, f"internal error in {method}; see the log")

    def _notification(self, message: Json) -> None:
        method, params = message["method"], message.get("params")
        handler = self.notifications.get(method) if isinstance(method, str) else None
        if handler is None or not (self.initialized or method == "exit"):
            return
        try:
            handler(params if is_table(params) else {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if _from_params(error):
                self.log(f"{method} was ignored: {error!r}", 2)
            else:
                self.log(f"internal error in {method}, please report it\n{traceback.format_exc()}", 1)
        except Exception:
            self.log(f"internal error in {method}, please report it\n{traceback.format_exc()}", 1)


def _from_params(error: BaseException) -> bool:
    """Whether an error was raised while parameters were read, and not deeper in the library."""
    names: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        names.append(str(trace.tb_frame.f_globals.get("__name__", "")))
        trace = trace.tb_next
    return not any(name == "kernelscope" or name.startswith("kernelscope.") for name in names)


def watch_parent(pid: object) -> None:
    """End this process when the client's has gone, even while stdin stays open."""
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return

    def wait() -> None:
        while True:
            time.sleep(PARENT_POLL_SECONDS)
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                os._exit(1)
            except OSError:
                pass

    if os.name == "posix":
        threading.Thread(target=wait, name="parent", daemon=True).start()


def main() -> None:
    """Serve on stdio. What anything else prints goes to stderr: stdout carries the protocol only."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    from kernelscope_server.session import Session

    server = Server(stdin, stdout)
    Session(server)
    status = server.run()
    sys.stderr.flush()
    os._exit(status)
