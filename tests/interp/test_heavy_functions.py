"""A function whose inside takes all that its first caller has is followed less for the others, which then come to
their own ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import shapes_of

HEAD = """

class Head{0}:
    def __init__(self, width: int):
        self.model = Model(width)
        self.out = nn.Linear(width, {0})

    def forward(self, x: torch.Tensor):
        B, D = x.shape
        y = self.model.run(x)
        z = self.out(x)
        return y, z
"""
MODEL = """import torch
from torch import nn

class Model:
    def __init__(self, width: int):
        self.width = width

    def run(self, x):
        for i in range(1000):
            x = x + i
            x = x * 2
        while x.sum() > 0:
            x = x - 1
            x = x / 2
        return x
"""
WORK = "".join(f"        x = x + {i}\n" for i in range(100))


@pytest.mark.parametrize("heavy", [100, 10_000])
def test_who_calls_what_took_all_steps_comes_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: int
) -> None:
    path = tmp_path / "m.py"
    text = MODEL.replace("        while", WORK + "        while") + "".join(HEAD.format(i) for i in (3, 4))
    path.write_text(text)
    monkeypatch.setattr("kernelscope.interp.shares.HEAVY_STEPS", heavy)
    monkeypatch.setattr("kernelscope.interp.runs.FUNCTION_STEPS", 300)
    shape_on = shapes_of(path)
    ends = [i for i, line in enumerate(text.split("\n"), 1) if line.startswith("        z =")]
    assert [shape_on(end) for end in ends] == (["[B, 3]", "?"] if heavy == 100 else ["?", "?"])
