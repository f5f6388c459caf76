"""Tensors from birth to last use: who uses them, how long they are held, and the peak."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.results import Target, ViewOptions

FIXTURES = Path(__file__).parent / "fixtures"


def memory(symbol: str, **bindings: int) -> tuple[list[list[str]], list[list[str]], tuple[str, ...]]:
    path = FIXTURES / "decoder.py"
    document = Analysis([FIXTURES]).document("memory", Target(path, None, symbol), ViewOptions(bindings=bindings))
    tensors, steps = (
        [[cell.text for cell in row] for row in block.rows] for block in document.blocks if isinstance(block, d.Table)
    )
    return tensors, steps, document.notes


def test_each_tensor_is_held_until_its_last_use() -> None:
    tensors, _, _ = memory("Gated")
    held = {row[4]: row[6] for row in tensors}
    assert held == {
        "the caller": "3", "Linear gate": "2", "SiLU": "4", "Linear up": "4", "×": "5", "Linear down": "returned",
    }  # fmt: skip


def test_the_peak_is_where_most_is_held() -> None:
    sizes = {"hidden_size": 1024, "ffn_size": 4096, "B": 1, "S": 1024}
    _, steps, notes = memory("Gated", **sizes)
    row = 1024 * 2 / 2**20  # MiB of one column of 1,024 elements
    held = {step[1]: step[2] for step in steps}
    assert held["Linear gate"] == f"{1024 * row + 4096 * row:g} MiB"
    assert held["×"] == f"{3 * 4096 * row:g} MiB"
    assert any("the peak is 24 MiB at step 4, ×" in note for note in notes)


def test_views_are_no_memory_of_their_own() -> None:
    tensors, _, _ = memory("Layer")
    assert any(row[1] == "Linear to_q, viewed as q" for row in tensors)


WRITTEN = """
import torch
from torch import nn
from elsewhere import Mixer


class Table(nn.Module):
    def __init__(self, size, width, batch):
        super().__init__()
        self.register_buffer("weights", torch.zeros(size, width))
        self.register_buffer("local", torch.zeros(batch, width))

    def forward(self, inputs: torch.Tensor):
        self.local.copy_(self.weights[inputs])
        return self.local * 2


class Adds(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up, self.down, self.mix = nn.Linear(width, width), nn.Linear(width, width), Mixer(width)

    def forward(self, x: torch.Tensor):
        h = self.up(x)
        h += x
        h.mul_(2)
        m = self.mix(h)
        return self.down(h) + m
"""


def of_written(tmp_path: Path, symbol: str) -> list[list[list[str]]]:
    path = tmp_path / "written.py"
    path.write_text(WRITTEN)
    document = Analysis([tmp_path]).document("memory", Target(path, None, symbol))
    return [
        [[cell.text for cell in row] for row in block.rows] for block in document.blocks if isinstance(block, d.Table)
    ]


def test_what_is_written_into_a_tensor_is_no_memory_of_its_own(tmp_path: Path) -> None:
    tensors, steps = of_written(tmp_path, "Table")
    assert [row[4] for row in tensors] == ["the caller", "gather", "× 2"]
    assert [row[3] for row in steps if row[1] == "copy"] == ["0 B"]
    tensors, _ = of_written(tmp_path, "Adds")
    assert [(row[1], row[6]) for row in tensors if row[4] == "Linear up"] == [("h", "5")]


def test_that_the_result_of_a_call_that_is_not_followed_is_held_is_not_left_away(tmp_path: Path) -> None:
    tensors, steps = of_written(tmp_path, "Adds")
    assert [(row[1], row[3]) for row in tensors if row[4] == "mix"] == [("m", "?")]
    assert [row[2:4] for row in steps if row[1] == "mix"] == [["?", "?"]]


MET = """
import torch
from torch import nn


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, h, before=None):
        if before is not None:
            h = h + before
            before = h
        y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True)) * self.weight
        return y if before is None else (y, before)


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = Norm(width)
        self.up = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None):
        B, S, D = x.shape
        if residual is None:
            residual = x
            x = self.norm(x)
        else:
            x, residual = self.norm(x, residual)
        return self.up(x) + residual
"""


def test_what_either_of_two_ways_makes_is_used_behind_them(tmp_path: Path) -> None:
    path = tmp_path / "met.py"
    path.write_text(MET)
    document = Analysis([tmp_path]).document("memory", Target(path, None, "Layer"), ViewOptions())
    tensors = next(block for block in document.blocks if isinstance(block, d.Table))
    rows = [[cell.text for cell in row] for row in tensors.rows]
    assert rows[0][1] == "x, viewed as residual"  # a parameter keeps its name
    assert {row[1] for row in rows if row[5] == "nothing"} == set()


ROUNDS = """
import torch
from torch import nn
from torch.nn import functional as F


class Experts(nn.Module):
    def __init__(self, size, count):
        super().__init__()
        self.first = nn.Linear(size, size)
        self.each = nn.ModuleList([nn.Linear(size, size) for _ in range(count)])

    def forward(self, x: torch.Tensor):
        B, S, D = x.shape
        h = F.silu(self.first(x))
        rows = torch.relu(x)
        total = torch.zeros_like(x)
        for layer in self.each:
            h = layer(h) + rows
            total += torch.tanh(h)
        return total
"""


def test_what_every_round_reads_is_held_until_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    path.write_text(ROUNDS)
    document = Analysis([tmp_path]).document("memory", Target(path, None, "Experts"))
    tensors, steps = (
        [[cell.text for cell in row] for row in block.rows] for block in document.blocks if isinstance(block, d.Table)
    )
    number = {step[1]: step[0] for step in steps}
    ends = {row[4]: row[6] for row in tensors}
    last = steps[-1][0]
    assert ends["ReLU"] == last, "each round adds it"
    assert ends["SiLU"] == number["Linear layer"], "the first round reads it, the others what is left by the one before"
    zeros = next(row for row in tensors if row[4] == "zeros_like")
    assert (zeros[1], zeros[0], zeros[6]) == ("total", number["Linear layer"], "returned")
