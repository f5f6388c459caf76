"""A call that is not followed again gives what it would have given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.dims.spelling import call_of
from kernelscope.interp import calls, summaries
from kernelscope.interp.calls import run_body
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor

FIXTURES = Path(__file__).parent / "fixtures"
MODELS = Path(__file__).parents[1] / "workspaces"
FILES = sorted([*FIXTURES.rglob("*.py"), *MODELS.rglob("*model*.py"), *MODELS.glob("shared_parts/*.py")])


def tensors(path: Path) -> dict[int, str]:
    run = Analysis([path.parent]).file_run(path)
    return {span.start: repr(seen.value) for span, seen in run.values.items() if isinstance(seen.value, Tensor)}


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The functions that were not followed again."""
    found: list[str] = []
    do = summaries.again

    def noted(run: Interpreter, summary: summaries.Summary, form: summaries.Form) -> Value:
        found.append("again")
        return do(run, summary, form)

    monkeypatch.setattr(summaries, "again", noted)
    yield found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shapes_are_those_of_calls_that_are_followed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tensors(path)

    def each(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
        return run_body(run, scope, node)

    monkeypatch.setattr(summaries, "followed", each)
    assert found == tensors(path)


LAYERS = """
import torch
from torch import nn

class Cell(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x, memory):
        memory.append(x)
        b, s, d = x.shape
        y = self.up(x).view(b, s, 2, d).sum(2)
        y = torch.cat([y, y], dim=1)[:, :s]
        return x + self.down(torch.cat([y, x], dim=-1)), y[:, : s // 2]

class Net(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.cell = Cell(width)

    def forward(self, x):
        kept, first = x[:, : x.shape[1] // 2], []
        a, a_half = self.cell(kept, first)  # makes the layer
        return a, a_half, first[0]

    def encode(self, x):
        kept, second = x[:, : x.shape[1] // 2], []
        b, b_half = self.cell(kept, second)
        return b, b_half, second[0]

    def decode(self, x):
        kept, third = x[:, : x.shape[1] // 2], []
        c, c_half = self.cell(kept, third)
        return c, c_half, third[0]
"""


def test_a_later_call_is_told_in_its_own_words(again: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(LAYERS)
    run = Analysis([tmp_path]).file_run(path)
    text = path.read_text()

    def shape(name: str) -> str:
        start = text.index(name)
        return next(repr(seen.value) for span, seen in run.values.items() if span.start == start)

    assert again
    for name in ("a_half", "b_half", "c_half"):
        assert shape(name) == "[x_size0, x_size1//4, width]"


CHECKED_WHEN_MADE = """
import torch
from torch import nn

class Heads(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        assert dim % heads == 0
        self.heads, self.width = heads, dim // heads

    def forward(self, x):
        b, s, _ = x.shape
        y = torch.cat([x, x], dim=1)[:, :s]
        return torch.zeros(b, s, self.heads * self.width) + y.sum(-1, keepdim=True)

class Net(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.attend = Heads(dim, heads)

    def forward(self, x):
        return self.attend(self.attend(x))

    def embed(self, tokens):
        return self.attend(self.attend(tokens))
"""

DEEP_IN_A_LOOP = """
import torch

def leaf(x):
    y = torch.cat([x, x], dim=1)
    y = y[:, : x.shape[1]]
    return torch.cat([y, y], dim=-1)

def middle(x):
    y = leaf(x)
    z = torch.cat([x, x], dim=-1).transpose(0, 1).transpose(0, 1)
    return y, z.unsqueeze(0).squeeze(0)

def first(x):
    y, z = middle(x)
    return y, z + z

def second(x):
    y, z = middle(x)
    return y, z * z.transpose(0, 1).transpose(0, 1)

def repeat(x, n: int):
    batch, length, width = x.shape
    for _ in range(n):
        one, _ = first(x)
        two, z = second(x)
        x = z[..., :width]
    return two
"""

HELD_BY_A_LAYER = """
import torch
from torch import nn

class Part(nn.Module):
    def __init__(self, dim, other):
        super().__init__()
        self.up = nn.Parameter(torch.zeros(dim))
        self.down = nn.Parameter(torch.zeros(other))

    def forward(self, x):
        b, s, w = x.shape
        y = torch.cat([x, x], dim=1)[:, :s]
        y = y + self.up
        return torch.cat([y, x], dim=-1)

class Net(nn.Module):
    def __init__(self, dim, other):
        super().__init__()
        self.part = Part(dim, other)
        self.one = nn.Linear(4, dim)
        self.two = nn.Linear(4, other)

    def forward(self, x):
        a = self.part(self.one(x))
        b = self.part(self.one(x))
        c = self.part(self.two(x))
        return a, b, c
"""


@pytest.mark.parametrize("source", [CHECKED_WHEN_MADE, DEEP_IN_A_LOOP, HELD_BY_A_LAYER])
def test_what_a_call_meets_but_is_not_given_counts(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(calls, "MAX_QUIET_CALLS", 3)
    monkeypatch.setattr(summaries, "MAX_QUIET_CALLS", 3)
    path = tmp_path / "net.py"
    path.write_text(source)
    found = tensors(path)

    def each(run: Interpreter, scope: Scope, node: t.FunctionDef) -> Value:
        return run_body(run, scope, node)

    monkeypatch.setattr(summaries, "followed", each)
    assert found == tensors(path)


HEAD = """
import torch
from torch import nn

class Core(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Parameter(torch.zeros(width, width))

    def core(self, query, key, weights):
        scores = torch.einsum("ibd,jbd->bij", query, key)
        extra = torch.einsum("ijb,ibd->bij", weights, query)
        return torch.einsum("bij,jbd->ibd", scores + extra, key)

    def forward(self, h, past, weights):
        if past is not None and past.dim() > 1:
            cat = torch.cat([past, h], dim=0)
        else:
            cat = h
        q = torch.einsum("ibh,hd->ibd", h, self.up)
        k = torch.einsum("ibh,hd->ibd", cat, self.up)
        return self.core(q, k, weights)


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(100, width)
        self.layers = nn.ModuleList([Core(width) for _ in range(4)])

    def forward(self, ids: torch.Tensor | None = None, embeds: torch.Tensor | None = None, kinds=None, past=None):
        B, S = ids.shape
        b, s, d = embeds.shape
        if embeds is not None:
            states = embeds.transpose(0, 1)
        else:
            states = self.embed(ids.transpose(0, 1))
        kinds = kinds.transpose(0, 1)
        weights = (kinds[:, None] != kinds[None, :]).float()
        for i, layer in enumerate(self.layers):
            states = layer(states, None if past is None else past[i], weights)
        return states


class Head(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.net = Net(width)
        self.out = nn.Linear(width, 2)

    def forward(self, ids: torch.Tensor | None = None, embeds: torch.Tensor | None = None, kinds=None, past=None):
        B, S = ids.shape
        b, s, d = embeds.shape
        states = self.net(ids, embeds, kinds, past)
        other = self.net(ids, None, kinds, past)
        y = self.out(states)
        return y
"""


def test_a_call_tells_nothing_of_sizes_that_only_its_caller_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: dict[str, set[str]] = {}
    do = summaries.again

    def noted(run: Interpreter, summary: summaries.Summary, form: summaries.Form) -> Value:
        assert isinstance(summary.effects, summaries.Effects)
        known = {*summary.names, *(name for size in summary.spelled for name in size.names())}
        names = {name for pair in summary.effects.equal for size in pair for name in size.names()}
        told.setdefault(run.running[-1].path, set()).update(
            name for name in names - known if 0 < call_of(name) <= summary.frame
        )
        return do(run, summary, form)

    monkeypatch.setattr(summaries, "again", noted)
    path = tmp_path / "head.py"
    path.write_text(HEAD)
    Analysis([tmp_path]).file_run(path)
    assert told == {str(path): set()}


STORES = """
import torch
from torch import nn

class Cell(nn.Module):
    def __init__(self, width, grid):
        super().__init__()
        self.rows, self.columns = grid
        self.up = nn.Linear(width, self.rows * self.columns)

    def forward(self, x):
        self.length, self.kept = x.shape[1] + 1, x[:, 1:]
        y = torch.cat([x, x], dim=1)[:, : x.shape[1]]
        y = self.up(y).unflatten(-1, (self.rows, self.columns)).transpose(0, 1).transpose(0, 1)
        return y.flatten(2)

class Net(nn.Module):
    def __init__(self, width: int, rows: int, columns: int):
        super().__init__()
        self.cell, self.twin = Cell(width, (rows, columns)), Cell(width, (rows, columns))

    def forward(self, x):
        n, length, _ = x.shape
        a = self.cell(x)  # makes the layer
        return torch.zeros(self.cell.length), self.cell.kept

    def encode(self, x):
        n, length, _ = x.shape
        b = self.cell(x)
        b_length, b_kept = torch.zeros(self.cell.length), self.cell.kept
        return b_length, b_kept

    def decode(self, x):
        n, length, _ = x.shape
        c = self.twin(x)
        c_length, c_kept = torch.zeros(self.twin.length), self.twin.kept
        return c_length, c_kept
"""


def test_what_a_call_stores_in_a_layer_is_stored_again(again: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(STORES)
    run = Analysis([tmp_path]).file_run(path)
    text = path.read_text()

    def shape(name: str) -> str:
        return next(repr(seen.value) for span, seen in run.values.items() if span.start == text.index(name))

    assert len(again) >= 2  # the layer is made in the first call, and its twin is made of the same
    assert shape("b_length") == "[length+1] float32"
    assert shape("b_kept") == "[n, length-1, width]"
    assert shape("c_length") == "[length+1] float32"
    assert shape("c_kept") == "[n, length-1, width]"
