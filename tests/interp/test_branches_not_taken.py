"""Hovers and tables tell where a shape is that of a branch which is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.tensor_hover import UNTAKEN
from kernelscope.results import Target

CODE = """
def turned(x, flip=False):
    B, S = x.shape
    y = x + 1
    if flip:
        z = x.transpose(0, 1)
    return y
"""


def test_a_hover_tells_that_the_code_goes_the_other_way(tmp_path: Path) -> None:
    path = tmp_path / "turned.py"
    path.write_text(CODE)
    analysis = Analysis([tmp_path])
    told = {name: analysis.hover(path, CODE.index(f"{name} = ")) for name in "yz"}
    assert {name: hover is not None and UNTAKEN in hover.notes for name, hover in told.items()} == {
        "y": False,
        "z": True,
    }


def test_a_table_of_shapes_tells_it_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "turned.py"
    path.write_text(CODE)
    document = Analysis([tmp_path]).document("shapes", Target(path))
    assert f"line 6: {UNTAKEN}" in document.notes


GENERATION = """
def generate(x, kind="beams"):
    B, S = x.shape
    if kind == "beams":
        return x
    elif kind == "greedy":
        rest = x
    y = x + 1
    for _ in range(9):
        y = (y * 2).transpose(0, 1).transpose(0, 1)
    z = y.transpose(0, 1)
    return z
"""


def test_what_follows_a_branch_that_ends_the_function_has_a_larger_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.interp.untaken.BRANCH_STEPS", 4)
    path = tmp_path / "generation.py"
    path.write_text(GENERATION)
    hover = Analysis([tmp_path]).hover(path, GENERATION.index("z = "))
    assert hover is not None
    assert hover.signature == "z: Tensor[S, B]"
