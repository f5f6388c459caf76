"""The server's threads: one reads, one analyses, one writes, one does what is too long for the second.

Cancellations, `exit` and the end of the stream are acted on as they are read, ahead of the work that waits.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from kernelscope import __version__
from lsprotocol import types
from pygls.lsp.server import LanguageServer

from kernelscope_server.inbox import Inbox
from kernelscope_server.protocol import INFORMATION, Handler, Protocol, Reply
from kernelscope_server.wire import REQUEST_CANCELLED, End, Writer, is_table, read_message

IDLE_SECONDS = 0.25
EXIT_SECONDS = 3.0
"""After `exit` the process ends, whatever the analysis is at."""
PARENT_POLL_SECONDS = 2.0
SWITCH_SECONDS = 0.001
"""How long the analysis may keep the interpreter while the reader, the writer or the index has something to do."""
NOTEBOOKS = types.NotebookDocumentSyncOptions(
    notebook_selector=[types.NotebookDocumentFilterWithCells([types.NotebookCellLanguage("python")])]
)


class Server(LanguageServer):
    """A pygls server on streams of its own; see `protocol` for what is done to each message."""

    protocol: Protocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "kernelscope", __version__, notebook_document_sync=NOTEBOOKS, protocol_cls=Protocol
        )
        self._stdin = stdin
        self._inbox = Inbox()
        self._postponed: queue.SimpleQueue[tuple[int | str, Callable[[], None]]] = queue.SimpleQueue()
        self.on_idle: list[Callable[[], None]] = []
        """Run once whenever nothing has been asked for a moment."""
        self.protocol.output = Writer(stdout)
        self.protocol.is_cancelled = self._inbox.is_cancelled
        self.protocol.postpone = lambda number, work: self._postponed.put((number, work))

    # -- what features use -------------------------------------------------------------------------------

    def on(self, method: str, handler: Handler, options: object = None) -> None:
        """Register the handler of a request or notification; it gets and returns plain dicts."""
        self.feature(method, options)(partial(handler))  # pygls marks what it registers; a method cannot be marked

    def on_command(self, name: str, handler: Callable[[object], object]) -> None:
        """Register a command; its handler gets the first argument, or None."""
        self.command(name)(partial(handler))

    def notify(self, method: str, params: object) -> None:
        self.protocol.notify(method, params)

    def ask(self, method: str, params: object, reply: Reply | None = None) -> None:
        self.protocol.ask(method, params, reply)

    def log(self, text: str, level: int = INFORMATION) -> None:
        self.protocol.log(text, level)

    @property
    def is_asked(self) -> bool:
        """Whether messages wait: work in a pause gives way to them."""
        return self._inbox.waiting

    # -- threads -----------------------------------------------------------------------------------------

    def serve(self) -> int:
        """Serve until `exit` or the end of the stream; the process's exit status."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._work_beside, name="beside", daemon=True).start()
        while True:
            message = self._inbox.next(IDLE_SECONDS)
            if isinstance(message, End) or (is_table(message) and message.get("method") == types.EXIT):
                break
            if message is None:
                for action in self.on_idle:
                    self.protocol.guarded(action, "idle work")
                continue
            self.protocol.handle(message)
            if is_table(message) and isinstance(number := message.get("id"), int | str):
                self._inbox.done(number)
        self.protocol.output.close()
        return self.protocol.exit_status

    def _read(self) -> None:
        while True:
            try:
                message = read_message(self._stdin)
            except (OSError, ValueError):
                message = End()
            method = message.get("method") if is_table(message) else None
            if method == types.CANCEL_REQUEST and is_table(message):
                self._cancel(message.get("params"))
                continue
            self._inbox.put(message)
            if isinstance(message, End) or method == types.EXIT:
                self.protocol.output.hurry()
                time.sleep(EXIT_SECONDS)
                os._exit(self.protocol.exit_status)

    def _cancel(self, params: object) -> None:
        number = params.get("id") if is_table(params) else None
        if isinstance(number, int | str) and not isinstance(number, bool) and self._inbox.cancel(number):
            self.protocol.refuse(number, REQUEST_CANCELLED, "cancelled")

    def _work_beside(self) -> None:
        while True:
            number, work = self._postponed.get()
            work()
            self._inbox.done(number)


def watch_parent(pid: object) -> None:
    """End this process when the client's has gone, even while stdin stays open."""
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0 or os.name != "posix":
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

    threading.Thread(target=wait, name="parent", daemon=True).start()


def main() -> None:
    """Serve on stdio. What anything else prints goes to stderr: stdout carries the protocol only."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    sys.setswitchinterval(SWITCH_SECONDS)
    from kernelscope_server.session import Session

    server = Server(stdin, stdout)
    Session(server)
    status = server.serve()
    sys.stderr.flush()
    os._exit(status)
