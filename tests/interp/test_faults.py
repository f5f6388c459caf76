"""A fault of ours in one function costs that function: the others are told, and the trace is in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from kernelscope.interp import function_runs, runs
from kernelscope.interp.contradictions import contradictions
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

pytestmark = pytest.mark.faults

TWO = """
## model.py
import torch


def first(x: torch.Tensor):
    B, D = x.shape
    return x + 1


def second(x: torch.Tensor):
    N, C = x.shape
    y = torch.zeros(3, 4) @ torch.zeros(5, 6)
    return x + 1
"""


def test_in_one_function_it_costs_that_function(
    workspace: Callable[[str], Files], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = workspace(TWO)
    run_body = function_runs.run_body

    def fails_in_first(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
        if node.name == "first":
            raise KeyError("who thought of that")
        return run_body(run, scope, node)

    monkeypatch.setattr(function_runs, "run_body", fails_in_first)
    monkeypatch.setattr("kernelscope.interp.contradictions.run_body", fails_in_first)
    space, path = Workspace(files), f"{files.roots[0]}/model.py"
    run = runs.run_file(space, path)
    assert run.incomplete == {"first"}
    assert "[N, C]" in {str(getattr(seen.value, "shape", "")) for seen in run.values.values()}
    assert len(contradictions(space, path)) == 1
    assert [r.getMessage()[:16] for r in caplog.records if r.levelno == logging.ERROR] == [
        "shapes of first ",
        "shape errors of ",
    ]
