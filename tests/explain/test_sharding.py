"""The map of sharded layers: classes with their parts in the order in which they are built."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.results import Target

LAYERS = """
import torch
import torch.distributed as dist
from torch import nn

class ColumnLinear(nn.Module):
    def __init__(self, size, out):
        self.weight = nn.Parameter(torch.empty(out // dist.get_world_size(), size))

    def forward(self, x):
        return x @ self.weight.T

class RowLinear(nn.Module):
    def __init__(self, size, out):
        self.weight = nn.Parameter(torch.empty(out, size // dist.get_world_size()))

    def forward(self, x):
        y = x @ self.weight.T
        dist.all_reduce(y)
        return y
"""

MODEL = """
from torch import nn
from layers import ColumnLinear, RowLinear

class Mlp(nn.Module):
    def __init__(self, config):
        if config.gated:
            self.up = ColumnLinear(config.hidden, 8 * config.hidden)
        else:
            self.up = ColumnLinear(config.hidden, 4 * config.hidden)
        self.down = RowLinear(4 * config.hidden, config.hidden)
"""


def test_a_part_of_two_branches_is_one_and_classes_of_one_name_are_two(tmp_path: Path) -> None:
    for name, text in (("layers.py", LAYERS), ("one.py", MODEL), ("other.py", MODEL)):
        (tmp_path / name).write_text(text)
    document = Analysis([tmp_path], cache_dir=None).document("distributed", Target(tmp_path))
    picture = next(block for block in document.blocks if isinstance(block, d.Diagram))
    assert [group.title for group in picture.graph.groups] == ["Mlp (one.py)", "Mlp (other.py)"]
    assert [box.lines for box in picture.graph.boxes] == 2 * [
        ("up", "column-parallel"),
        ("down", "row-parallel"),
        ("all_reduce",),
    ]
