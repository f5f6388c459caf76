"""Layers of torch that a name picks which is not known: what the name is called says of what kind they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from interp.expectations import shapes_of

PICKED = """
import torch
from torch import nn

class Picked(nn.Module):
    def __init__(self, rnn_type, width, hidden, activation, kind, **params):
        super().__init__()
        assert rnn_type.upper() in ["RNN", "LSTM", "GRU"]
        rnn_type = rnn_type.upper()
        self.rnn = getattr(nn, rnn_type)(width, hidden, batch_first=True, bidirectional=True)
        self.either = getattr(nn, rnn_type)(width, hidden, batch_first=True, bidirectional=bool(kind))
        self.act = getattr(torch.nn, activation)(**params)
        self.bend = getattr(nn.functional, activation)
        self.other = getattr(nn, kind)(width)

    def forward(self, x: torch.Tensor):
        B, T, C = x.shape
        out = {}
        return out
"""


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("self.rnn(x)[0]", "[B, T, 2*hidden]"),
        ("self.act(x)", "[B, T, C]"),
        ("self.bend(x)", "[B, T, C]"),
        ("self.either(x)[0]", "[B, T, out_dim2]"),
        ("self.other(x)", "?"),
    ],
)
def test_a_name_says_of_what_kind_the_layer_is(tmp_path: Path, expression: str, shape: str) -> None:
    (tmp_path / "picked.py").write_text(PICKED.format(expression))
    assert shapes_of(tmp_path / "picked.py")(18) == shape


HANDED = """
from torch import nn

class Block(nn.Module):
    def __init__(self, width, norm, make):
        super().__init__()
        self.norm1 = norm
        self.out_act = make("relu")
        self.mix = make("mix")
        self.proj = nn.Linear(width, 2 * width)

    def forward(self, x):
        B, T, C = x.shape
        out = {}
        return out
"""


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        ("self.norm1(x)", "[B, T, width]"),
        ("self.out_act(self.proj(x))", "[B, T, 2*width]"),
        ("self.mix(x)", "?"),
        ("self.norm1(x, x)", "?"),
    ],
)
def test_norms_and_activations_keep_sizes_whoever_made_them(tmp_path: Path, expression: str, shape: str) -> None:
    (tmp_path / "block.py").write_text(HANDED.format(f"{expression}, self.proj(x)").replace("out =", "out, _ ="))
    assert shapes_of(tmp_path / "block.py")(14) == shape
