"""The server's threads: one reads, one writes, some take turns to analyse, one does what needs no turn.

Cancellations, `exit` and the end of the stream are acted on as they are read, ahead of the work that waits. Of those
that analyse one works at a time; at the steps of long work it lets another go first that somebody waits for.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import BinaryIO, cast

from kernelscope.faults import TOLD
from kernelscope.turns import Interrupted, Turns

from kernelscope_server.cycles import Growth, take_back
from kernelscope_server.inbox import IN_PAUSES, PATIENT_URGENCY, Inbox, is_patient, urgency
from kernelscope_server.late import InHand, Late
from kernelscope_server.memory import give_back, use_one_heap
from kernelscope_server.protocol import ERROR, INFORMATION, Handler, NotYet, Protocol, Reply
from kernelscope_server.wire import CONTENT_MODIFIED, REQUEST_CANCELLED, End, Json, Writer, is_table, read_message

FREE_SECONDS = 0.01
IDLE_SECONDS = 0.25
LULL_SECONDS, MOST_LULLS = 0.005, 6
MAX_ANALYSING = 8
"""Threads that may be in the middle of a request each."""
MAX_LATE = 24
"""So many more for those that are late."""
MAX_STARTS = 3
"""So often a document is begun whose text changes while it is made."""
STACK_BYTES = 16 << 20
"""Of each thread: expressions nest deeply."""
TEXT_CHANGES = frozenset(
    f"{kind}Document/{change}" for kind in ("text", "notebook") for change in ("didOpen", "didChange", "didClose")
)
HELD_SECONDS = 120.0
"""So long a request waits at most for what the index will tell."""
EXIT_SECONDS = 3.0
"""After `exit` the process ends, whatever the analysis is at."""
PARENT_POLL_SECONDS = 2.0
GIVE_BACK_SECONDS = 20.0
"""So often memory that is free is given back; looking for it takes some hundredths of a second."""
SWITCH_SECONDS = 0.001
"""How long the analysis may keep the interpreter while the reader, the writer or the index has something to do."""
NAME = "kernelscope"
CANCEL, EXIT = "$/cancelRequest", "exit"


class Server:
    """A server on a pair of streams; see `protocol` for what is done to each message."""

    def __init__(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.protocol = Protocol()
        self._stdin = stdin
        self._inbox = Inbox()
        self._postponed: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ahead: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.turns = Turns(PATIENT_URGENCY)
        self._ended = threading.Event()
        self._held: dict[Hashable, tuple[object, threading.Timer, NotYet]] = {}
        """Requests by their numbers that wait for the index, and take no thread and no turn meanwhile."""
        self._was_held: set[Hashable] = set()
        self.late = Late(self.protocol, self._inbox, self._begin_another)
        self._begun = 0
        """Threads that were begun because others were late."""
        self.at_once: dict[str, Callable[[Json], str | None]] = {}
        """By method: answers as JSON that need no thread of those that take turns; None where there is none."""
        self._texts = 0
        """Counts changes of open documents."""
        self.heard = 0
        """Counts messages of the client."""
        self._growth = Growth()
        self._gave_back = (0, time.monotonic())
        """The messages that had come when free memory was given back, and when that was."""
        self.on_free: list[Callable[[], None]] = [self._give_back]
        """Run once whenever nothing is being asked; gives way to what is."""
        self.saves_time: Callable[[], bool] = lambda: False
        """Whether to do nothing beside requests, but wait for a longer pause."""
        self.on_idle: list[Callable[[], None]] = [take_back]
        """The same when nothing has been asked for a moment."""
        self.protocol.output = Writer(stdout)
        self.protocol.is_cancelled = self._inbox.is_cancelled
        self.protocol.claim = self.late.claim
        self.protocol.postpone = self._postponed.put

    # -- what features use -------------------------------------------------------------------------------

    def on(self, method: str, handler: Handler, options: Json | None = None) -> None:
        """Register the handler of a request or notification; it gets and returns plain dicts."""
        self.protocol.handlers[method] = handler
        self.protocol.options[method] = options

    def on_command(self, name: str, handler: Callable[[object], object]) -> None:
        """Register a command; its handler gets the first argument, or None."""
        self.protocol.commands[name] = handler

    def notify(self, method: str, params: object) -> None:
        self.protocol.notify(method, params)

    def ask(self, method: str, params: object, reply: Reply | None = None) -> None:
        self.protocol.ask(method, params, reply)

    def log(self, text: str, level: int = INFORMATION) -> None:
        self.protocol.log(text, level)

    def beside(self, action: Callable[[], None]) -> None:
        """Run an action whose results are used later, as soon as nobody who is waited for works."""

        def act() -> None:
            while self.saves_time() and not self._inbox.stays_quiet(IDLE_SECONDS):
                pass
            with self.turns.turn(IN_PAUSES):
                self.protocol.guarded(action, "work ahead")

        self._ahead.put(act)

    def await_lull(self) -> None:
        """Waits until nothing was asked for a moment, and not for long: a client's first messages come together."""
        for _ in range(MOST_LULLS):
            if self._inbox.stays_quiet(LULL_SECONDS):
                return

    def release(self, nothing_comes: bool = False) -> None:
        """Handle again what waits for the index: that of which it told enough, or all if nothing more will come."""
        for number, (_, _, early) in list(self._held.items()):
            if nothing_comes or early.is_over():
                self._ask_again(number)

    # -- threads -----------------------------------------------------------------------------------------

    def serve(self) -> int:
        """Serve until `exit` or the end of the stream; the process's exit status."""
        threading.stack_size(STACK_BYTES)
        threads = {
            "reader": self._read,
            "pauses": self._use_pauses,
            "late": self.late.watch,
            "beside": partial(self._work_off, self._postponed),
            "ahead": partial(self._work_off, self._ahead),  # waits for its turn, as what is postponed must not
        }
        for name, work in threads.items():
            threading.Thread(target=work, name=name, daemon=True).start()
        self._begin_analysing(MAX_ANALYSING)
        self._ended.wait()
        self.protocol.output.close()
        return self.protocol.exit_status

    def _begin_analysing(self, more: int) -> None:
        threading.Thread(target=self._analyse, args=(more - 1,), name=f"analysis-{more}", daemon=True).start()

    def _begin_another(self) -> None:
        if self._begun < MAX_LATE and not self._inbox.takers:
            self._begun += 1
            self._begin_analysing(1)

    def _analyse(self, more: int) -> None:
        """Handle messages; when this thread may be busy with one, and no other waits for the next, begin another."""
        while not self._ended.is_set():
            message = self._inbox.next()
            if isinstance(message, End) or (is_table(message) and message.get("method") == EXIT):
                self._ended.set()
                return
            if more and not self._inbox.takers:
                self._begin_analysing(more)
                more = 0
            self._handle(message)
            self.heard += 1
            self._inbox.handled(message)
            if not self._inbox.waiting:
                self._growth.take_back()

    def _handle(self, message: object) -> None:
        if is_table(message) and message.get("method") in TEXT_CHANGES:
            self._texts += 1
            self.late.edited(message)
        number = message.get("id") if is_table(message) else None
        is_again = isinstance(number, int | str) and number in self._was_held
        if (one := self.late.taken(message)) is not None:
            self._attempt_in_time(one)
        else:
            for left in reversed(range(MAX_STARTS)):
                if self._attempt(message, left == 0):
                    break
                self._inbox.stays_quiet(IDLE_SECONDS)
        if isinstance(number, int | str) and number not in self._held and is_again == (number in self._was_held):
            self._inbox.done(number)  # it was not put back meanwhile
            self._was_held.discard(number)

    def _attempt(self, message: object, is_last: bool) -> bool:
        """False when a text was changed while a document was being made: it must be begun anew, unless it often was."""
        texts = self._texts
        number = message.get("id") if is_patient(message) and is_table(message) else None

        def is_unwanted() -> bool:
            is_old = self._texts != texts and not is_last
            return number is not None and (is_old or self._inbox.is_cancelled(cast(Hashable, number)))

        with self.turns.turn(urgency(message), is_unwanted):
            try:
                self.protocol.handle(message)
            except Interrupted:
                return False
            except NotYet as early:
                self._hold(message, early)
        return True

    def _attempt_in_time(self, one: InHand) -> None:
        """Handle a request that may be late: it is not begun anew, for its client asks again after an edit."""
        with self.turns.turn(urgency(one.message), lambda: self.late.is_outdated(one)) as one.turn:
            try:
                if not one.is_answered:
                    self.protocol.handle(one.message)
            except Interrupted:
                self.protocol.refuse(one.number, CONTENT_MODIFIED, "the text was edited meanwhile")
            except NotYet as early:
                self.protocol.send_result(one.number, early.answer)
        self.late.done(one)

    def _hold(self, message: object, early: NotYet) -> None:
        """Once for each request; one that was cancelled meanwhile is told so when it is handled again."""
        number = cast(Hashable, message["id"]) if is_table(message) else None
        if number in self._was_held:
            self.protocol.send_result(number, early.answer)
            return
        timer = threading.Timer(HELD_SECONDS, self._ask_again, (number,))
        timer.daemon = True
        self._held[number] = (message, timer, early)
        timer.start()
        if self._inbox.is_cancelled(number) and self._held.pop(number, None) is not None:  # since it was asked
            timer.cancel()
            self.protocol.refuse(number, REQUEST_CANCELLED, "cancelled")
        elif early.is_over():
            self._ask_again(number)

    def _ask_again(self, number: Hashable) -> None:
        message, timer, _ = self._held.pop(number, (None, None, None))
        if timer is not None:
            timer.cancel()
            self._was_held.add(number)
            self._inbox.put(message)

    def _use_pauses(self) -> None:
        while not self._ended.is_set():
            self._inbox.wait_for_quiet(FREE_SECONDS)
            self._act(self.on_free)
            if self._inbox.stays_quiet(IDLE_SECONDS):
                self._act(self.on_idle)

    def _give_back(self) -> None:
        heard, last = self._gave_back
        if self.heard != heard and time.monotonic() - last > GIVE_BACK_SECONDS:
            give_back()
            self._gave_back = (self.heard, time.monotonic())

    def _act(self, actions: list[Callable[[], None]]) -> None:
        for action in actions:
            with self.turns.turn(IN_PAUSES):
                self.protocol.guarded(action, "idle work")

    def _read(self) -> None:
        while True:
            try:
                message = read_message(self._stdin)
            except (OSError, ValueError):
                message = End()
            method = message.get("method") if is_table(message) else None
            if method == CANCEL and is_table(message):
                self._cancel(message.get("params"))
                continue
            if self._answered_at_once(message):
                continue
            self._inbox.put(message)
            if isinstance(message, End) or method == EXIT:
                self.protocol.output.hurry()
                time.sleep(EXIT_SECONDS)
                os._exit(self.protocol.exit_status)

    def _answered_at_once(self, message: object) -> bool:
        """Answers what is known already on the thread that reads, when nothing was read before that is not done."""
        method = message.get("method") if is_table(message) else None
        answer = self.at_once.get(method) if isinstance(method, str) else None
        if answer is None or not is_table(message) or not self.protocol.takes(message) or not self._inbox.is_empty:
            return False
        try:
            result = answer(cast(Json, message["params"]))
        except Exception:  # who answers in turn says what is wrong
            return False
        if result is None or not self.protocol.send_now(message["id"], result):
            return False
        self.heard += 1
        self._inbox.touch()
        return True

    def _cancel(self, params: object) -> None:
        number = params.get("id") if is_table(params) else None
        if isinstance(number, int | str) and not isinstance(number, bool) and self._inbox.cancel(number):
            self.protocol.refuse(number, REQUEST_CANCELLED, "cancelled")
        elif isinstance(number, Hashable):
            self._ask_again(number)

    def _work_off(self, waiting: queue.SimpleQueue[Callable[[], None]]) -> None:
        while True:
            waiting.get()()


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
    use_one_heap()  # before there are other threads
    gc.freeze()  # nothing that is imported goes: looking for it would take a twentieth of a start
    from kernelscope_server.session import Session

    server = Server(stdin, stdout)
    TOLD.append(partial(server.log, level=ERROR))
    Session(server)
    status = server.serve()
    sys.stderr.flush()
    os._exit(status)
