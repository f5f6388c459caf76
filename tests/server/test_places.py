"""Places that the server tells: never in a file that has gone, whoever announced that or not."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kernelscope_server.server import Server
from kernelscope_server.session import Session

if TYPE_CHECKING:
    from tests.server.conftest import Client

Start = Callable[..., "Client"]
HELPER = "def helper(x):\n    return x\n"
CALLER = "from helpers import helper\n\n\ndef caller(x):\n    return helper(x)\n"


def until(found: Callable[[], object]) -> None:
    """Waits for what the server does in the background; its watchdog ends the wait."""
    while not found():
        time.sleep(0.02)


@pytest.fixture
def at_work(tmp_path: Path, start: Start) -> Client:
    """A server that has read two files, one of which calls the other's function, for a client that watches nothing."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "helpers.py").write_text(HELPER)
    (folder / "use.py").write_text(CALLER)
    client = start()
    until(lambda: client.ask("workspace/symbol", {"query": "helper"}))
    return client


def asked(client: Client, method: str, line: int, character: int) -> Any:
    document = {"uri": (Path(client.root or "") / "use.py").as_uri()}
    return client.ask(method, {"textDocument": document, "position": {"line": line, "character": character}})


def test_a_file_that_has_gone_is_no_place(at_work: Client) -> None:
    (item,) = asked(at_work, "textDocument/prepareCallHierarchy", 3, 5)
    until(lambda: at_work.ask("callHierarchy/outgoingCalls", {"item": item}))
    (call,) = at_work.ask("callHierarchy/outgoingCalls", {"item": item})
    assert call["to"]["detail"] == "helpers.py"  # there may be several of that name
    assert len(asked(at_work, "textDocument/definition", 4, 13)) == 1
    (Path(at_work.root or "") / "helpers.py").unlink()
    assert asked(at_work, "textDocument/definition", 4, 13) == []
    assert at_work.ask("callHierarchy/outgoingCalls", {"item": item}) == []
    assert at_work.ask("workspace/symbol", {"query": "helper"}) == []


def test_the_disk_is_looked_at_again_where_nobody_announces_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("kernelscope_server.session.WALK_SECONDS", 0.0)
    folder = tmp_path / "workspace"
    folder.mkdir()
    server = Server(BytesIO(), BytesIO())
    session = Session(server)
    session.roots = [folder]
    session.start_indexing()

    def pause() -> bool:
        for action in server.on_idle:
            action()
        return bool(session.analysis.find_symbols("helper", 1))

    (folder / "helpers.py").write_text(HELPER)
    server.heard += 1
    until(pause)
    for _ in range(20):
        pause()
        time.sleep(0.02)
    (folder / "helpers.py").rename(folder / "others.py")
    assert not session.analysis.find_symbols("helper", 1)
    for _ in range(20):
        time.sleep(0.01)
        assert not pause(), "nothing was asked since"
    server.heard += 1
    until(pause)
