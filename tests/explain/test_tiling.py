"""The pictures of tiles and memory of the sample's kernels, as a reader sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain import document as d
from kernelscope.explain.render import to_text
from kernelscope.results import Target, UserError, ViewOptions

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample" / "tinyllm"
TRITON = Path(__file__).parents[1] / "triton" / "fixtures"
GOLDENS = Path(__file__).parent / "goldens"


@pytest.mark.parametrize(
    ("path", "symbol"),
    [
        (SAMPLE / "kernels" / "flash_attention.py", "flash_attention_kernel"),
        (SAMPLE / "kernels" / "rms_norm.py", "rms_norm_kernel"),
        (TRITON / "matmul.py", "product"),
    ],
    ids=["flash_attention", "rms_norm", "matmul"],
)
def test_tiling(path: Path, symbol: str, golden: Callable[[Path, str], None]) -> None:
    document = Analysis([path.parent]).document("tiling", Target(path, None, symbol), ViewOptions())
    rendered = to_text(document)
    golden(GOLDENS / f"tiling_{path.stem}.txt", rendered.text)
    rows = rendered.text.split("\n")
    words = {rows[link.row][link.column : link.end_column] for link in rendered.links}
    assert any(word.startswith("load L") for word in words)
    assert any(word.startswith("store ") for word in words)
    assert max(map(len, rows)) <= 100


def test_tiling_is_of_kernels() -> None:
    with pytest.raises(UserError, match="there is none"):
        Analysis([SAMPLE]).document("tiling", Target(SAMPLE / "model.py", None, "Attention"), ViewOptions())


def test_pictures_of_kernels_are_exported() -> None:
    path = SAMPLE / "kernels" / "rms_norm.py"
    document = Analysis([SAMPLE]).document("tiling", Target(path, None, "rms_norm_kernel"), ViewOptions())
    assert sum(isinstance(block, d.Picture) for block in document.blocks) == 2


LOCKED = """
import triton
import triton.language as tl

@triton.jit
def locked(x, lock, group, B: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, B)
    lock += row % group
    count = lock + group
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.atomic_xchg(count, 1)
    tl.store(x + row * B + cols, cols)
    tl.atomic_xchg(lock, 0)
"""


def test_atomic_operations_have_whole_addresses(tmp_path: Path) -> None:
    path = tmp_path / "locked.py"
    path.write_text(LOCKED)
    document = Analysis([tmp_path]).document("explain", Target(path, None, "locked"), ViewOptions())
    table = next(b for b in document.blocks if isinstance(b, d.Table) and "address" in b.columns)
    told = [(row[0].text, row[2].text) for row in table.rows if row[1].text == "atomic"]
    assert told == [("L11", "lock + row % group"), ("L13", "lock + row % group + group"), ("L15", "lock + row % group")]


MOVED = """
import triton
import triton.language as tl

@triton.jit
def moved(x, width, group, B: tl.constexpr):
    cols = tl.arange(0, B)
    x = x + tl.program_id(0) % group * width + cols
    tl.store(x, cols)
"""


def test_a_pointer_that_is_moved_to_its_row_lies_still_along_it(tmp_path: Path) -> None:
    path = tmp_path / "moved.py"
    path.write_text(MOVED)
    document = Analysis([tmp_path]).document("explain", Target(path, None, "moved"), ViewOptions())
    tiles = next(block.text for block in document.blocks if isinstance(block, d.Picture))
    assert "↓ program_id(0)" in tiles
    assert "→" not in tiles
