"""How long those wait for an interpretation who can do without it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.interp import file_runs
from kernelscope.results import Span
from kernelscope.turns import Turns

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
