"""How long those wait for an interpretation who can do without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.tensor_hover import AWAITED
from kernelscope.interp import file_runs
from kernelscope.results import Span
from kernelscope.turns import Turns
from kernelscope.workspace import file_count

PATIENCE = 0.5


def test_nobody_waits_for_what_comes_behind_work_that_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.py"
    path.write_text("def f(n):\n    m = n + 1\n    return m\n\ndef g(n):\n    k = n + 2\n    return k\n")
    monkeypatch.setattr(file_runs, "PATIENCE_SECONDS", PATIENCE)
    analysis = Analysis([tmp_path])
    later: list[Callable[[], None]] = []
    analysis.beside = later.append
    first, second = (Span(at, at) for at in (path.read_text().index("m ="), path.read_text().index("k =")))
    with Turns().turn(0):
        begun = time.monotonic()
        assert analysis.runs.soon_at(str(path), first) is None
        waited = time.monotonic()
        assert analysis.runs.soon_at(str(path), second) is None
        assert waited - begun >= PATIENCE > time.monotonic() - waited
        for work in later:
            work()
        assert analysis.runs.soon_at(str(path), first) is analysis.runs.soon_at(str(path), second) is not None


def test_hovers_in_a_large_workspace_that_is_read_for_the_first_time_wait_for_no_interpretation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_count, "LARGE", 0)
    path = tmp_path / "m.py"
    path.write_text("import torch\n\ndef f(x):\n    y = x.view(2, 3)\n    return y\n")
    analysis = Analysis([tmp_path])
    later: list[Callable[[], None]] = []
    analysis.beside = later.append
    place = path.read_text().index("y =")
    with Turns().turn(0):
        with analysis.workspace.index._running:  # pyright: ignore[reportPrivateUsage]
            assert analysis.is_young
            early = analysis.hover(path, place)
            assert early is not None and early.notes == (AWAITED,)
            for work in later:
                work()
            known = analysis.hover(path, place)
        assert known is not None and known.signature == "y: Tensor[2, 3]"


def test_a_hover_waits_until_the_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.py"
    path.write_text("import torch\n\ndef f(x):\n    y = x.view(2, 3)\n    return y\n")
    analysis, counting, turns = Analysis([tmp_path]), threading.Event(), Turns()
    index = analysis.workspace.index

    def read() -> None:
        with index._running:  # pyright: ignore[reportPrivateUsage]
            with index._count.counting():  # pyright: ignore[reportPrivateUsage]
                counting.set()
                with turns.turn(0):  # while others wait for it
                    monkeypatch.setattr(file_count, "LARGE", 0)
            done.wait()

    done, reader = threading.Event(), threading.Thread(target=read)
    analysis.beside = lambda action: None
    with turns.turn(0):
        reader.start()
        counting.wait()
        early = analysis.hover(path, path.read_text().index("y ="))
    done.set()
    reader.join()
    assert early is not None and early.notes == (AWAITED,)


def test_of_many_names_that_nobody_waits_for_the_last_are_interpreted(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    functions = [f"def f{i}(x):\n    y{i} = x.view(2, 3)\n    return y{i}\n" for i in range(9)]
    path.write_text("import torch\n" + "".join(functions))
    analysis = Analysis([tmp_path])
    later: list[Callable[[], None]] = []
    analysis.beside = later.append
    places = [Span(at, at) for at in (path.read_text().index(f"y{i} =") for i in range(9))]
    with Turns().turn(0):
        for place in places:
            assert analysis.runs.soon_at(str(path), place, is_patient=False) is None
        for work in later:
            work()
        waiting = [analysis.runs.waits_for(str(path), place) for place in places]
    assert waiting == [True] * (9 - file_runs.MOST_ASKED) + [False] * file_runs.MOST_ASKED


def test_in_any_other_workspace_they_do(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text("import torch\n\ndef f(x):\n    y = x.view(2, 3)\n    return y\n")
    analysis = Analysis([tmp_path])
    with Turns().turn(0), analysis.workspace.index._running:  # pyright: ignore[reportPrivateUsage]
        known = analysis.hover(path, path.read_text().index("y ="))
    assert known is not None and known.signature == "y: Tensor[2, 3]"
