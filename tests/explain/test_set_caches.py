"""Caches of keys and values that other code gives to a layer: they are drawn, and counted by the token."""

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.document import Diagram
from kernelscope.explain.render import to_text
from kernelscope.results import Target

SET_LATER = """
import torch
from torch import nn
from torch.nn import functional as F


class Store(nn.Module):
    def __init__(self, batch, length, heads, size):
        super().__init__()
        self.register_buffer("keys", torch.zeros(batch, heads, length, size))
        self.register_buffer("values", torch.zeros(batch, heads, length, size))

    def update(self, places, k, v):
        keys, values = self.keys, self.values
        keys[:, :, places] = k
        values[:, :, places] = v
        return keys, values


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.store = None

    def forward(self, x, places):
        b, s, d = x.shape
        q, k, v = self.qkv(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if self.store is not None:
            k, v = self.store.update(places, k, v)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(b, s, d))


class Model(nn.Module):
    def __init__(self, width, heads, depth):
        super().__init__()
        self.layers = nn.ModuleList([Attention(width, heads) for _ in range(depth)])

    def set_up(self, batch, length, heads, size):
        for layer in self.layers:
            layer.store = {made}

    def forward(self, x, places):
        for layer in self.layers:
            x = x + layer(x, places)
        return x
"""
BY_PHASE = """
import torch
from torch import nn
from torch.nn import functional as F


class Store(nn.Module):
    def __init__(self, batch, length, heads, size):
        super().__init__()
        self.register_buffer("keys", torch.zeros(batch, heads, length, size))
        self.register_buffer("values", torch.zeros(batch, heads, length, size))

    def fill(self, k, v):
        self.keys[:, :, : k.shape[2]] = k
        self.values[:, :, : v.shape[2]] = v
        return self.keys, self.values

    def update(self, places, k, v):
        keys, values = self.keys, self.values
        keys[:, :, places] = k
        values[:, :, places] = v
        return self.keys, self.values


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)

    def forward(self, x, places, store: Store, first: bool):
        b, s, d = x.shape
        q, k, v = self.qkv(x).view(b, s, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if first:
            k, v = store.fill(k, v)
        else:
            k, v = store.update(places, k, v)
        return F.scaled_dot_product_attention(q, k, v)
"""
KNOWN = SET_LATER.format(made="Store(batch, length, heads, size)")
OPEN = SET_LATER.format(made="Store(batch, length, heads, size) if heads > 1 else None")


def told(tmp_path: Path, kind: str, source: str, symbol: str) -> str:
    path = tmp_path / "model.py"
    path.write_text(source)
    return to_text(Analysis([tmp_path]).document(kind, Target(path, None, symbol))).text


def test_a_cache_that_other_code_gives_to_a_layer_is_drawn(tmp_path: Path) -> None:
    text = told(tmp_path, "dataflow", KNOWN, "Attention")
    assert "KV cache update" in text and "if self.store is" in text
    assert "KV cache update" not in told(tmp_path, "dataflow", OPEN, "Attention")


def test_its_bytes_are_counted_by_the_token_and_only_what_is_written_is_moved(tmp_path: Path) -> None:
    text = told(tmp_path, "ops", KNOWN, "Attention")
    assert "KV cache     4*W per token" in text
    moved = [row.split("│")[4].strip() for row in text.splitlines() if "KV cache update" in row and row.count("│") == 5]
    assert moved == ["8*b*s*W"]


def test_what_one_of_two_ways_writes_into_a_cache_is_counted_once(tmp_path: Path) -> None:
    text = told(tmp_path, "ops", BY_PHASE, "Attention")
    assert text.count("KV cache update") >= 4 and "KV cache     4*W per token" in text


def test_attention_takes_what_one_of_two_ways_wrote_into_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(BY_PHASE.replace("k, v = store.fill(k, v)", "store.fill(k, v)"))
    document = Analysis([tmp_path]).document("dataflow", Target(path, None, "Attention"))
    graph = next(block.graph for block in document.blocks if isinstance(block, Diagram))
    lines = {box.key: box.lines[0] for box in graph.boxes}
    assert ("KV cache update", "Attention (SDPA)") in {(lines[e.source], lines[e.target]) for e in graph.edges}
