"""What moves a tile along its axes: programs, loops or nothing; and when that is not told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.kernels.triton.kernel_runs import KernelRuns
from kernelscope.kernels.triton.tile_motion import TileMotion, tile_motions
from kernelscope.workspace.files import Files

HEAD = "import triton\nimport triton.language as tl\n\n\n@triton.jit\n"
MATRIX = """def kernel(x, out, stride, n, rows, BM: tl.constexpr, BK: tl.constexpr):
    m = tl.program_id(0)
    head = tl.program_id(1)
    at = m * BM + tl.arange(0, BM)
    k = tl.arange(0, BK)
"""
CASES = {
    "a loop that is half typed": (
        MATRIX + "    v = tl.load(x + at[:, None] * stride + k[None, :])\n    while n > 0:\n", "program_id(0) | still"
    ),
    "a tile of rows, all columns": (
        MATRIX + "    v = tl.load(x + at[:, None] * stride + k[None, :])\n", "program_id(0) | still"
    ),
    "a pointer stepped in a loop along its contiguous axis": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(0, n, BK):\n        v = tl.load(p)\n        p += BK\n",
        "program_id(0) | loop i",
    ),
    "a pointer stepped along its rows": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(n):\n        v = tl.load(p)\n        p += BM * stride\n",
        "program_id(0), loop i | still",
    ),
    "an index that the loop computes, in a matrix of another program axis": (
        MATRIX + "    for i in range(0, n, BK):\n        cols = i + k\n"
        "        v = tl.load(x + head * rows * stride + at[:, None] * stride + cols[None, :])\n",
        "program_id(0) | loop i || program_id(1)",
    ),
    "a block pointer": (
        MATRIX + "    p = tl.make_block_ptr(x, (rows, n), (stride, 1), (m * BM, 0), (BM, BK), (1, 0))\n"
        "    for i in range(0, n, BK):\n        v = tl.load(p)\n        p = tl.advance(p, (0, BK))\n",
        "program_id(0) | loop i",
    ),
    "a vector cut into tiles": (
        "def kernel(x, n, B: tl.constexpr):\n    at = tl.program_id(0) * B + tl.arange(0, B)\n"
        "    v = tl.load(x + at)\n",
        "program_id(0)",
    ),
    "a row of a matrix": (
        "def kernel(x, n, stride, B: tl.constexpr):\n    row = tl.program_id(0)\n"
        "    v = tl.load(x + row * stride + tl.arange(0, B))\n",
        "still || program_id(0)",
    ),
    "a row stepped to the next one": (
        "def kernel(x, n, stride, B: tl.constexpr):\n    x += tl.program_id(0) * n * stride\n"
        "    for row in range(n):\n        v = tl.load(x + tl.arange(0, B))\n        x += stride\n",
        "still || program_id(0), loop row",
    ),
    "a tile stepped to the next matrix": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(n):\n        v = tl.load(p)\n        p += rows\n",
        "program_id(0) | still || loop i",
    ),
    "a loop that adds its index times the stride of the rows": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(0, n, BM):\n        i = tl.multiple_of(i, BM)\n        v = tl.load(p + i * stride)\n",
        "program_id(0), loop i | still",
    ),
    "a loop that adds its index, in steps of a tile": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(0, n, BK):\n        v = tl.load(p + i)\n",
        "program_id(0) | loop i",
    ),
    "an index that a round makes of that of the round before": (
        MATRIX + "    i = -1\n    for _ in range(n):\n        i = tl.where(i == rows - 1, 0, i + 1)\n"
        "        cols = i * BK + k\n        cols = tl.where(cols < n, cols, 0)\n"
        "        v = tl.load(x + at[:, None] * stride + cols[None, :])\n",
        "program_id(0) | loop _",
    ),
    "a pointer that a later loop steps": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n    v = tl.load(p)\n"
        "    for i in range(0, n, BK):\n        p += BK\n",
        "program_id(0) | still",
    ),
    "rows from where a loop stands, times their stride": (
        MATRIX + "    for i in range(0, n, BM):\n"
        "        v = tl.load(x + (head * rows + i + at[:, None]) * stride + k[None, :])\n",
        "program_id(0), program_id(1), loop i | still",
    ),
    "rows from a place that memory tells are not told": (
        MATRIX + "    x += tl.load(out + head) * stride + head * rows\n"
        "    v = tl.load(x + at[:, None] * stride + k[None, :])\n",
        "not told",
    ),
    "persistent programs": (
        "def kernel(x, n, tiles, B: tl.constexpr):\n    start = tl.program_id(0)\n"
        "    for tile in range(start, tiles, tl.num_programs(0)):\n"
        "        v = tl.load(x + tile * B + tl.arange(0, B))\n",
        "program_id(0), loop tile",
    ),
    "a sequence from its end, by an index that falls": (
        MATRIX + "    blocks = tl.cdiv(n, BK)\n    for i in range(blocks):\n        last = blocks - 1 - i\n"
        "        cols = (last * BK).to(tl.int32) + k\n"
        "        v = tl.load(x + at[:, None] * stride + cols[None, :])\n",
        "program_id(0) | loop i back",
    ),
    "a loop that counts down": (
        MATRIX + "    for i in range(n - 1, -1, -1):\n"
        "        v = tl.load(x + at[:, None] * stride + (i * BK + k)[None, :])\n",
        "program_id(0) | loop i back",
    ),
    "the rest of what counts down goes forward": (
        MATRIX + "    for i in range(n - 1, -1, -1):\n"
        "        v = tl.load(x + at[:, None] * stride + ((n - i) * BK + k)[None, :])\n",
        "program_id(0) | loop i",
    ),
    "a pointer that steps back": (
        MATRIX + "    p = x + at[:, None] * stride + k[None, :]\n"
        "    for i in range(0, n, BK):\n        v = tl.load(p)\n        p -= BK\n",
        "program_id(0) | loop i back",
    ),
    "a block pointer that is moved back": (
        MATRIX + "    p = tl.make_block_ptr(x, (rows, n), (stride, 1), (m * BM, n - BK), (BM, BK), (1, 0))\n"
        "    for i in range(0, n, BK):\n        v = tl.load(p)\n        p = tl.advance(p, (0, -BK))\n",
        "program_id(0) | loop i back",
    ),
    "a promise to the compiler moves nothing": (
        "def kernel(x, n, stride, B: tl.constexpr):\n    at = x + tl.program_id(0) * stride + tl.arange(0, B)\n"
        "    at = tl.multiple_of(at, (16,))\n    v = tl.load(at)\n",
        "still || program_id(0)",
    ),
    "the base of a descriptor": (
        "def kernel(x, n, stride, B: tl.constexpr):\n"
        "    row = tl.make_tensor_descriptor(x + tl.program_id(0) * stride, (1, n), (n, 1), (1, B))\n"
        "    for i in range(0, n, B):\n        v = row.load([0, i])\n",
        "still | loop i || program_id(0)",
    ),
    "a matrix that memory tells for each program": (
        MATRIX + "    expert = tl.load(out + m)\n"
        "    v = tl.load(x + expert * rows + at[:, None] * stride + k[None, :])\n",
        "program_id(0) | still || program_id(0), from memory",
    ),
    "what another branch would move is not asked": (
        MATRIX + "    if rows == 1:\n        p = x + at[:, None] * stride + k[None, :]\n"
        "    else:\n        p = x + k[:, None] * stride + at[None, :]\n"
        "    if rows == 1:\n        v = tl.load(p)\n",
        "program_id(0) | still",
    ),
    "an index from memory is not told": (
        MATRIX + "    page = tl.load(out + m)\n"
        "    v = tl.load(x + page * stride + at[:, None] * stride + k[None, :])\n",
        "not told",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_motion(name: str, workspace: Callable[[str], Files], tmp_path: Path) -> None:
    source, expected = CASES[name]
    workspace(f"## kernel.py\n{HEAD}{source}")
    path = tmp_path / "kernel.py"
    runs = KernelRuns(Analysis([tmp_path]).workspace)
    (node,) = runs.kernels(str(path))
    run = runs.run(str(path), node)
    last = run.accesses[-1]
    assert _shown(tile_motions(run).get(last.place)) == expected


def _shown(motion: TileMotion | None) -> str:
    if motion is None:
        return "not told"
    parts = [
        [*sorted(m.programs), *(f"loop {name}{' back' * (name in m.falling)}" for name in sorted(m.loops))]
        + ["from memory"] * m.by_memory
        for m in (*motion.axes, motion.outside)
    ]
    axes = " | ".join(", ".join(part) or "still" for part in parts[:-1])
    return axes + (f" || {', '.join(parts[-1])}" if parts[-1] else "")
