"""Fixtures with their answers in comments, and sources that are broken, endless or too deep."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interp.expectations import Expectation, expectations, found_at, rewrite
from kernelscope.interp.runs import FileRun, run_file
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

FOLDER = Path(__file__).parent / "fixtures"
FIXTURES = sorted(FOLDER.glob("*.py"))
ALL = [expectation for path in FIXTURES for expectation in expectations(path)]


@cache
def interpreted(path: Path) -> tuple[FileRun, Module]:
    workspace = Workspace(Files([str(path.parent)]))
    module = workspace.modules.module(str(path))
    assert module is not None
    return run_file(workspace, str(path)), module


@pytest.mark.parametrize("expected", ALL, ids=str)
def test_shapes_are_those_of_the_comments(expected: Expectation, accept: bool) -> None:
    found = found_at(*interpreted(expected.path), expected.line)
    if accept:
        rewrite(expected.path, {expected.line: found})
    else:
        assert found == expected.text


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_code_that_runs_has_no_contradictions(path: Path) -> None:
    run, _ = interpreted(path)
    assert [str(finding.error) for finding in run.findings] == []
    assert not run.incomplete


def values_of(tmp_path: Path, source: bytes) -> FileRun:
    path = tmp_path / "f.py"
    path.write_bytes(source)
    return run_file(Workspace(Files([str(tmp_path)])), str(path))


def test_functions_for_which_nothing_is_left_are_followed_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.interp.runs.FILE_STEPS", -1)
    run = values_of(tmp_path, b"def late(x):\n    B, S = x.shape\n    y = x.transpose(0, 1)\n")
    assert run.values
    assert not run.incomplete


@pytest.mark.parametrize(
    "source",
    [
        b"def f(x):\n    while True:\n        x = x @ x\n    return f(x)\n",
        b"def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\n",
        b"def f(x):\n" + b"    x = " + b"(" * 200 + b"x" + b")" * 200 + b"\n",
        b"class A(A):\n    def forward(self, x):\n        return self.forward(x)\n",
        b"def f(x):\n    return x.view(-1, -1) + x[0, 0, 0, 0, ...]\n",
        b"x = y = z\ndef f(*a, **k):\n    return f(*a, *a, **k)[a](k)\n",
    ],
    ids=["endless", "mutual", "deep", "own base", "impossible", "stars"],
)
def test_odd_sources_end_and_do_not_raise(tmp_path: Path, source: bytes) -> None:
    assert isinstance(values_of(tmp_path, source), FileRun)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_cut_of_a_fixture_is_survived(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(FIXTURES)).read_bytes()
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 80)))
    run = values_of(tmp_path_factory.mktemp("cut"), source[:start] + source[end:])
    assert isinstance(run.values, dict)
