"""What a table beside a documenting decorator tells of arguments holds for models in general."""

from __future__ import annotations

from pathlib import Path

from interp.expectations import found_at
from kernelscope.interp.runs import run_file
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

TABLES = """
class Arguments:
    pictures = {"description": "what is seen", "shape": "of shape `(batch, channels, side, side)`"}

def documented(function):
    return function
"""
MODEL = """
import torch
from tables import documented
from torch import nn

class Model(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.cut = nn.Conv2d(channels, width, kernel_size=4, stride=4)

    @documented
    def forward(self, pictures: torch.Tensor):
        pieces = self.cut(pictures)
        return pieces
"""


def test_sides_of_an_image_that_a_table_calls_by_one_word_are_two(tmp_path: Path) -> None:
    (tmp_path / "tables.py").write_text(TABLES)
    (tmp_path / "model.py").write_text(MODEL)
    workspace = Workspace(Files([str(tmp_path)]))
    path = str(tmp_path / "model.py")
    module = workspace.modules.module(path)
    assert module is not None
    run = run_file(workspace, path)
    assert found_at(run, module, 12) == "[batch, channels, side, side_2]"
    assert found_at(run, module, 13) == "[batch, width, side//4, side_2//4]"
