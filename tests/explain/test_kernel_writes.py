"""What a launched kernel writes is told by its own stores: not by what it is given first, last or empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.results import Target

SOURCE = """
import torch
import triton
import triton.language as tl


@triton.autotune(configs=[], key=["n"])
@triton.jit
def turn_kernel(Q, COS, AT, n, stride, BLOCK: tl.constexpr):
    row = tl.load(AT + tl.program_id(0))
    Q = Q + row * stride
    offs = tl.arange(0, BLOCK)
    tl.store(Q + offs, tl.load(Q + offs) * tl.load(COS + offs))


@triton.jit
def put(to, offs, value):
    tl.store(to + offs, value)


@triton.jit
def copy_kernel(x_ptr, out_ptr, count_ptr, n, BLOCK: tl.constexpr):
    ticket = tl.atomic_add(count_ptr, 1)
    offs = ticket * BLOCK + tl.arange(0, BLOCK)
    put(out_ptr, offs, tl.load(x_ptr + offs))


@triton.jit
def described_kernel(given, made, n, BLOCK: tl.constexpr):
    to = tl.make_tensor_descriptor(made, [n], [1], [BLOCK])
    to.store([0], tl.load(given + tl.arange(0, BLOCK)))


def in_place(q: torch.Tensor, cos: torch.Tensor, at: torch.Tensor):
    s, h, width = q.shape
    turned = q.view(-1, width)
    turn_kernel[(turned.shape[0],)](turned, cos, at, width, turned.stride(0), BLOCK=width)
    return q


def to_an_input(x: torch.Tensor, y: torch.Tensor, count: torch.Tensor):
    copy_kernel[(3,)](x, y, count, 1, BLOCK=2)
    return y


def to_what_is_not_made_here(x: torch.Tensor):
    z = torch.relu(x)
    described_kernel[(3,)](z, x, 1, BLOCK=2)
    return x, z
"""
EXPECTED = {
    "in_place": {("q", "turn_kernel"), ("cos", "turn_kernel"), ("at", "turn_kernel"), ("turn_kernel", "output")},
    "to_an_input": {("x", "copy_kernel"), ("y", "copy_kernel"), ("count", "copy_kernel"), ("copy_kernel", "output")},
    "to_what_is_not_made_here": {
        ("x", "ReLU"),
        ("x", "described_kernel"),
        ("ReLU", "described_kernel"),
        ("described_kernel", "output: x"),
        ("ReLU", "output: z"),
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_kernel_writes(tmp_path: Path, name: str) -> None:
    (tmp_path / "launches.py").write_text(SOURCE)
    document = Analysis([tmp_path]).document("dataflow", Target(tmp_path / "launches.py", None, name))
    graph = next(block.graph for block in document.blocks if isinstance(block, d.Diagram))
    titles = {box.key: box.lines[0] for box in graph.boxes}
    assert {(titles[edge.source], titles[edge.target]) for edge in graph.edges} == EXPECTED[name]
