"""Tables and hints of shapes: each name stands once, with the function that binds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.dims import dim
from kernelscope.explain.render import to_text
from kernelscope.explain.tensor_hover import reason
from kernelscope.results import Span, Target
from kernelscope.tensor import Shape, Unknown
from kernelscope.workspace.files import Files

INSIDE = """
## model.py
import torch


def outer(x: torch.Tensor, rounds: int):
    B, D = x.shape

    def inner(h):
        y = h * 2
        return y

    for _ in range(rounds):
        z = inner(x)
    return z
"""


def test_names_of_a_function_inside_another_stand_once(workspace: Callable[[str], Files]) -> None:
    root = Path(workspace(INSIDE).roots[0])
    analysis, path = Analysis([root]), root / "model.py"
    hints = list(analysis.inlay_hints(path, Span(0, path.stat().st_size)))
    assert [hint.label for hint in hints] == [": [B, D]"] * 4
    table = to_text(analysis.document("shapes", Target(path, None, None))).text
    assert [line.split("│")[2].strip() for line in table.splitlines() if "[B, D]" in line] == ["x", "z", "h", "y"]


def test_only_tables_with_something_unknown_have_a_column_for_it(workspace: Callable[[str], Files]) -> None:
    def table(text: str) -> str:
        path = Path(workspace(text).roots[0]) / "model.py"
        return to_text(Analysis([path.parent]).document("shapes", Target(path, None, None))).text

    assert "Unknown because" not in table(INSIDE)
    assert "Unknown because" in table(INSIDE.replace("h * 2", "h.view(*rounds)"))


def test_reasons_are_told_without_the_numbers_of_calls() -> None:
    lost = Unknown("'b d l -> b l d' does not describe [2, kept_dim0·2, 3]")
    assert reason(Shape((dim("B"), lost))) == "'b d l -> b l d' does not describe [2, kept_dim0, 3]"
    assert reason(Shape((dim("B"),))) == ""
