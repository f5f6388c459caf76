"""What loads an object of a class elsewhere is followed a little only: what comes behind it matters more."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import shapes_of

LIBRARY = """
class Pretrained:
    @classmethod
    def from_store(cls, name):
        revision = len(name) + 1
        revision = revision * 2 + 1
        revision = revision * 3 + 1
        revision = revision * 4 + 1
        revision = revision * 5 + 1
        return cls(revision)

    def __init__(self, revision):
        self.revision = revision
"""
CALLER = """
import torch
from library import Pretrained

def grow(x: torch.Tensor, rows: int, columns: int):
    held = Pretrained.from_store("small")
    y = torch.zeros(rows, columns)
    return held, y
"""


@pytest.mark.parametrize("steps", [10, 6_000])
def test_what_stands_behind_a_long_way_to_load_an_object_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    (tmp_path / "library.py").write_text(LIBRARY)
    path = tmp_path / "caller.py"
    path.write_text(CALLER)
    monkeypatch.setattr("kernelscope.interp.calls.LOADING_STEPS", steps)
    monkeypatch.setattr("kernelscope.interp.runs.FUNCTION_STEPS", 40)
    shape_on = shapes_of(path)
    assert shape_on(7) == ("[rows, columns]" if steps == 10 else "?")
