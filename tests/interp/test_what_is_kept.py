"""What an interpretation leaves behind goes when the file changes, without a search for cycles."""

from __future__ import annotations

import gc
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.interp.values import Instance
from kernelscope.tensor.shape import ShapeError

CODE = """
import torch
from torch import nn

class Narrow(nn.Module):
    def forward(self, x):
        return x @ torch.zeros(3, 5)

class Wide(nn.Module):
    def forward(self, x):
        return x @ torch.zeros(4, 5)

LAYERS = {"narrow": Narrow, "wide": Wide}

class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = LAYERS[kind]()
        self.other = Wide()

    def forward(self, x):
        y = self.layer(torch.zeros(2, 4))
        z = torch.zeros(2, 3) @ torch.zeros(4, 5)
        return y
"""


def test_kept_errors_hold_no_frames_and_objects_that_nobody_asked_for_hold_not_themselves(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(CODE)
    gc.collect()
    gc.disable()
    try:
        before = {id(o) for o in gc.get_objects() if isinstance(o, Instance)}
        analysis = Analysis([tmp_path])
        found = analysis.hover(path, CODE.index("y = "))
        assert found is not None
        assert found.signature == "y: Tensor[2, 5]  float32"
        assert len(analysis.problems(path)) == 1
        kept = [o for o in gc.get_objects() if isinstance(o, ShapeError)]
        assert kept
        assert [error for error in kept if error.__traceback__ or error.__context__] == []
        del kept
        analysis.set_text(path, b"x = 1\n")
        analysis.hover(path, 0)
        left = [o for o in gc.get_objects() if isinstance(o, Instance) and id(o) not in before]
        assert left
        assert [instance for instance in left if instance.initialise is not None] == []
    finally:
        gc.enable()
