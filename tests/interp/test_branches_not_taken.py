"""Hovers and tables tell where a shape is that of a branch which is not taken."""

from __future__ import annotations

from pathlib import Path

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
