"""Requests that wait for the index: asked again when it told more, and answered once whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from kernelscope_server.protocol import NotYet
from kernelscope_server.server import Server
from kernelscope_server.wire import read_message

SECONDS = 10.0


class Held:
    """A server of one method, `late`, whose answer is `told`; until then it is not yet."""

    def __init__(self) -> None:
        reading, writing = os.pipe()
        answers, self._answering = os.pipe()
        self._to: BinaryIO = os.fdopen(writing, "wb", buffering=0)
        self._from: BinaryIO = os.fdopen(answers, "rb")
        self.server = Server(os.fdopen(reading, "rb"), os.fdopen(self._answering, "wb"))
        self.told: list[str] = []
        self.asked = 0
        self.before_it_waits: Callable[[], None] = lambda: None
        self.server.protocol.initialized = True
        self.server.on("late", self._late)
        self.server.on("other", lambda _: "at once")
        threading.Thread(target=self.server.serve, daemon=True).start()

    def _late(self, params: dict[str, object]) -> list[str]:
        self.asked += 1
        self.before_it_waits()
        if not self.told:
            raise NotYet([], lambda: bool(self.told))
        return self.told

    def send(self, **message: object) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def answer(self) -> Any:
        return read_message(self._from)

    def wait_until_asked(self, times: int) -> None:
        end = time.monotonic() + SECONDS
        while self.asked < times and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)


@pytest.fixture
def held() -> Held:
    return Held()


def test_what_the_index_does_not_tell_yet_is_asked_again_when_it_does(held: Held) -> None:
    held.send(id=1, method="late")
    held.wait_until_asked(1)
    held.send(id=2, method="other")
    assert held.answer()["id"] == 2
    held.server.release()  # something else is known
    held.told = ["there"]
    held.server.release()
    assert held.answer() == {"jsonrpc": "2.0", "id": 1, "result": ["there"]}


def test_an_index_that_tells_nothing_more_leaves_what_was_known(held: Held) -> None:
    held.send(id="a", method="late")
    held.wait_until_asked(1)
    held.server.release(nothing_comes=True)
    assert held.answer() == {"jsonrpc": "2.0", "id": "a", "result": []}
    assert held.asked == 2


def test_one_that_waits_can_be_cancelled(held: Held) -> None:
    held.send(id=7, method="late")
    held.wait_until_asked(1)
    held.send(method="$/cancelRequest", params={"id": 7})
    assert held.answer()["error"]["code"] == -32800
    held.send(method="$/cancelRequest", params={"id": {}})
    held.send(id=8, method="other")
    assert held.answer()["id"] == 8


def test_one_that_is_cancelled_right_before_it_waits_does_not_wait(held: Held) -> None:
    def cancel() -> None:
        held.send(method="$/cancelRequest", params={"id": 7})
        while not held.server._inbox.is_cancelled(7):
            time.sleep(0.01)

    held.before_it_waits = cancel
    held.send(id=7, method="late")
    assert held.answer()["error"]["code"] == -32800
    assert held.asked == 1


def test_the_first_jump_to_a_kernel_waits_for_the_links(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "workspace" / "csrc"
    folder.mkdir(parents=True)
    (folder / "ops.cu").write_text(
        "__global__ void scale_kernel(float* x) {}\nvoid scale(Tensor x) { scale_kernel<<<1, 32>>>(x); }\n"
        'TORCH_LIBRARY(mine, m) { m.def("scale(Tensor x) -> ()"); m.impl("scale", &scale); }\n'
    )
    for number in range(300):
        (folder / f"filler{number}.cpp").write_text(f"int filler{number}(int n) {{ return other(n); }}\n" * 20)
    server = start(window={"workDoneProgress": True})
    uri = server.open((tmp_path / "workspace" / "m.py").as_uri(), "import torch\ntorch.ops.mine.scale(x)\n")
    at = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 17}}
    unknown = at | {"position": {"line": 1, "character": 23}}
    assert server.ask("textDocument/definition", unknown) == []
    assert not any(m["method"] == "$/progress" and m["params"]["value"]["kind"] == "end" for m in server.heard)
    places = server.ask("textDocument/definition", at)
    assert [place["range"]["start"]["line"] for place in places] == [0]
    assert places[0]["uri"].endswith("ops.cu")


def test_a_search_for_a_symbol_waits_for_the_names_of_all_files(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    for number in range(300):
        (folder / f"filler{number}.py").write_text(f"def filler{number}(n):\n    return n\n" * 20)
    for _ in range(2):  # read from the files, then from the cache
        server = start()
        found = server.ask("workspace/symbol", {"query": "filler299"})
        assert [symbol["name"] for symbol in found[:1]] == ["filler299"]
        assert server.ask("workspace/symbol", {"query": "nothing_is_called_so"}) == []
        server.close()


LEAF = "def leaf(n):\n    return n\n"


def test_who_calls_a_function_waits_for_the_calls_of_all_files(start: Callable[..., Any], tmp_path: Path) -> None:
    """A client that was told of no callers does not ask again."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "leaf.py").write_text(LEAF)
    (folder / "zones.py").write_text("from leaf import leaf\n\ndef zone(n):\n    return leaf(n)\n")
    for number in range(300):
        (folder / f"filler{number}.py").write_text(f"def filler{number}(n):\n    return other(n)\n" * 20)
    server = start(window={"workDoneProgress": True})
    uri = server.open((folder / "leaf.py").as_uri(), LEAF)
    name = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 8}}
    item = {"name": "leaf", "kind": 12, "uri": uri, "range": name, "selectionRange": name}
    calls = server.ask("callHierarchy/incomingCalls", {"item": item})
    assert [call["from"]["name"] for call in calls] == ["zone"]
