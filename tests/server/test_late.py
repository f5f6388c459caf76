"""Requests that take long: what comes behind them is handled, and each is answered once, in time."""

from __future__ import annotations

import json
import os
import threading
from typing import Any, BinaryIO

import pytest
from kernelscope import turns as of_turns
from kernelscope.turns import Guard, Interrupted, Turns, give_way
from kernelscope_server import late
from kernelscope_server.server import Server
from kernelscope_server.wire import read_message

SECONDS = 10.0
HOVER, INLAY, EDIT = "textDocument/hover", "textDocument/inlayHint", "textDocument/didChange"


class Slow:
    """A server whose hovers and hints are at work, step by step, until it is told to end."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        answers, answering = os.pipe()
        self._to: BinaryIO = os.fdopen(writing, "wb", buffering=0)
        self._from: BinaryIO = os.fdopen(answers, "rb")
        self.server = Server(os.fdopen(reading, "rb"), os.fdopen(answering, "wb"))
        self.server.protocol.initialized = True
        self.ended, self.begun, self.finished = threading.Event(), threading.Event(), threading.Event()
        self.interrupted = 0
        self.server.on(HOVER, self._work)
        self.server.on(INLAY, self._work)
        self.server.on(EDIT, lambda _: self.server.notify("edited", {}))
        self.server.on("other", lambda _: "at once")
        threading.Thread(target=self.server.serve, daemon=True).start()

    def _work(self, params: dict[str, object]) -> str:
        self.begun.set()
        try:
            while not self.ended.wait(0.01):
                give_way()
        except Interrupted:
            self.interrupted += 1
            raise
        finally:
            self.finished.set()
        return "all of it"

    def send(self, method: str, number: int | None = None, uri: str = "file:///m.py", **more: object) -> None:
        message: dict[str, object] = {"method": method, "params": {"textDocument": {"uri": uri}} | more}
        body = json.dumps({"jsonrpc": "2.0", **message, **({"id": number} if number is not None else {})}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def answer(self) -> Any:
        return read_message(self._from)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(late, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(late, "QUICK_SECONDS", 0.05)
    monkeypatch.setattr(late, "ANSWER_SECONDS", SECONDS)
    return Slow()


def test_a_hover_is_answered_in_time_without_what_it_waits_for(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "ANSWER_SECONDS", 0.2)
    slow.server.late.meanwhile[HOVER] = lambda params: "it takes long"
    slow.send(HOVER, 1)
    assert slow.answer() == {"jsonrpc": "2.0", "id": 1, "result": "it takes long"}
    slow.ended.set()
    slow.finished.wait(SECONDS)
    slow.send("other", 2)
    assert slow.answer()["id"] == 2  # and not again what the first was about
    assert not slow.interrupted


def test_an_edit_waits_for_no_late_request_which_is_refused_then(slow: Slow) -> None:
    slow.send(INLAY, 1)
    slow.send(EDIT)
    told = [slow.answer(), slow.answer()]  # in either order
    assert [one["method"] for one in told if "method" in one] == ["edited"]
    assert [one["error"]["code"] for one in told if "error" in one] == [-32801]
    assert slow.finished.wait(SECONDS)
    assert slow.interrupted == 1


def test_an_edit_of_another_document_leaves_it_alone(slow: Slow) -> None:
    slow.send(INLAY, 1)
    slow.send(EDIT, uri="file:///other.py")
    assert slow.answer()["method"] == "edited"
    slow.ended.set()
    assert slow.answer()["result"] == "all of it"


def test_an_edit_waits_for_what_is_quick(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "QUICK_SECONDS", SECONDS)
    slow.send(HOVER, 1)
    slow.send(EDIT)
    slow.begun.wait(SECONDS)
    slow.ended.set()
    assert [slow.answer().get("id"), slow.answer().get("method")] == [1, "edited"]


def test_one_that_is_cancelled_says_so_and_its_work_goes_on(slow: Slow) -> None:
    slow.send(HOVER, 1)
    slow.begun.wait(SECONDS)
    slow.send("$/cancelRequest", id=1)
    assert slow.answer()["error"]["code"] == -32800
    assert not slow.finished.is_set()
    slow.ended.set()
    assert slow.finished.wait(SECONDS) and not slow.interrupted


def test_late_requests_leave_threads_to_others(slow: Slow) -> None:
    for number in range(12):
        slow.send(HOVER, number)
    slow.send("other", 99)
    assert slow.answer()["id"] == 99


def test_who_is_not_waited_for_any_more_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_turns, "LOOK_SECONDS", 0.01)
    turns, guard, ends = Turns(), Guard(), list[str]()

    def wait() -> None:
        with turns.turn(1) as own:
            own.is_over = True
            try:
                with guard:
                    ends.append("entered")
            except Interrupted:
                ends.append("interrupted")

    with turns.turn(0), guard:
        thread = threading.Thread(target=wait)
        thread.start()
        with of_turns.away():
            thread.join(SECONDS)
    assert ends == ["interrupted"]
