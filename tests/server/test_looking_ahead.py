"""What is done in pauses for the documents that are open."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kernelscope.analysis import Analysis
from kernelscope.turns import Turns
from kernelscope_server.documents import opened
from kernelscope_server.server import Server
from kernelscope_server.session import MOST_EXPECTED, Session


class Asked:
    """An analysis that has nothing left to interpret and notes of which files hovers are answered."""

    def __init__(self, knows_names: bool = True, is_young: bool = False) -> None:
        self.paths: list[str] = []
        self.caught_up = 0
        self.loaded = 0
        self.knows_names = knows_names
        self.is_young = is_young

    def load(self) -> None:
        self.loaded += 1

    def catch_up(self, *_: object) -> bool:
        self.caught_up += 1
        return False

    def answer_ahead(self, path: Path, *_: object) -> None:
        self.paths.append(path.stem)


def test_hovers_on_the_documents_that_were_opened_last_are_answered_ahead() -> None:
    session: Any = Session(Server(io.BytesIO(), io.BytesIO()))
    session._analysis = asked = Asked()
    names = [f"m{number}" for number in range(MOST_EXPECTED + 2)]
    for name in names:
        session.documents[name] = opened({"uri": f"file:///w/{name}.py", "text": ""})
    session.documents["view"] = opened({"uri": "kernelscope:view", "text": ""})
    for action in session.server.on_idle:
        action()
    assert asked.paths == names[:1:-1]


@pytest.mark.parametrize(("knows_names", "ago", "looks"), [(False, 0, False), (False, 60, True), (True, 0, True)])
def test_nothing_is_done_ahead_while_the_names_of_all_files_are_being_read(
    knows_names: bool, ago: float, looks: bool
) -> None:
    session: Any = Session(Server(io.BytesIO(), io.BytesIO()))
    session._analysis = asked = Asked(knows_names)
    session._indexing = SimpleNamespace(running=True, begun=time.monotonic() - ago)
    session.documents["m"] = opened({"uri": "file:///w/m.py", "text": ""})
    for action in session.server.on_idle:
        action()
    assert bool(asked.paths) == looks == session.has_time


@pytest.mark.parametrize("is_young", [False, True])
def test_short_pauses_are_left_alone_while_a_large_workspace_is_read_for_the_first_time(is_young: bool) -> None:
    session: Any = Session(Server(io.BytesIO(), io.BytesIO()))
    session._analysis = asked = Asked(is_young=is_young)
    session.documents["m"] = opened({"uri": "file:///w/m.py", "text": ""})
    for _ in range(2):
        for action in session.server.on_free:
            action()
    assert (asked.caught_up, asked.loaded) == (0 if is_young else 2, 1)
    for action in session.server.on_idle:
        action()
    assert asked.paths == ["m"]


def test_a_second_start_has_its_names_before_what_hovers_need() -> None:
    session: Any = Session(Server(io.BytesIO(), io.BytesIO()))
    session._analysis = asked = Asked(knows_names=False)
    session._indexing = SimpleNamespace(running=True, begun=time.monotonic())
    session.documents["m"] = opened({"uri": "file:///w/m.py", "text": ""})
    for action in session.server.on_free:
        action()
    assert asked.loaded == 0 and session.server.saves_time()
    for action in session.server.on_idle:
        action()
    assert asked.loaded == 1
    asked.knows_names = True
    assert not session.server.saves_time()


def test_work_beside_waits_for_a_pause_only_as_long_as_time_is_saved() -> None:
    server: Any = Server(io.BytesIO(), io.BytesIO())
    server._inbox.put({"id": 1, "method": "textDocument/hover"})  # never handled: there is no pause
    saving, done = [True, True], list[int]()
    server.saves_time = lambda: bool(saving) and saving.pop()
    server.beside(lambda: done.append(len(saving)))
    server._ahead.get()()
    assert done == [0]


def test_what_hovers_need_is_loaded_before_the_first(tmp_path: Path) -> None:
    Analysis([tmp_path]).load()
    assert "kernelscope.explain.tensor_hover" in sys.modules


def test_the_first_head_does_not_wait_for_the_interpreter_to_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text("import torch\n\ndef f(x):\n    y = x.view(2, 3)\n    return y\n")
    analysis = Analysis([tmp_path])
    later: list[Callable[[], None]] = []
    analysis.beside = later.append
    with Turns().turn(0):
        hover = analysis.hover(path, path.read_text().index("f(x)"))
        assert hover is not None and hover.signature == "def f(x)"
        assert "runs" not in vars(analysis)
        (load,) = later
        load()
        told = analysis.hover(path, path.read_text().index("f(x)"))
    assert told is not None and "[2, 3]" in told.signature
