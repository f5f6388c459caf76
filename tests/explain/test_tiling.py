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


def _table(tmp_path: Path, source: str, name: str) -> list[tuple[str, str, str]]:
    """Line, address and number of times of each access of a kernel."""
    path = tmp_path / f"{name}.py"
    path.write_text(source)
    document = Analysis([tmp_path]).document("explain", Target(path, None, name), ViewOptions())
    table = next(b for b in document.blocks if isinstance(b, d.Table) and "address" in b.columns)
    return [(row[0].text, row[2].text, row[5].text) for row in table.rows]


BEHIND_TESTS = """
import triton
import triton.language as tl

@triton.jit
def keep(out, at, value, stride, B: tl.constexpr):
    tl.store(out + at * stride + tl.arange(0, B), value)

@triton.jit
def chosen(x, scale, n, stride, WIDE: tl.constexpr, A: tl.constexpr, C: tl.constexpr, B: tl.constexpr):
    at = tl.program_id(0)
    if at * B >= n:
        return
    if WIDE:
        p = x + tl.arange(0, B)
    else:
        p = x + at * stride + tl.arange(0, B)
    if A > 0 and C > 0:
        q = scale + at
    elif WIDE:
        q = scale + at * stride
    for k in range(n):
        if WIDE:
            v = tl.load(p)
        elif k == 0:
            v = tl.load(p + k)
        if A > 0 and C > 0:
            v *= tl.load(q + k)
        keep(scale, at, v, stride, B)
"""


def test_accesses_are_told_with_the_tests_before_them(tmp_path: Path) -> None:
    assert _table(tmp_path, BEHIND_TESTS, "chosen") == [
        ("L24", "x + [0..B)", "n if WIDE"),
        ("L26", "x + at·stride + [0..B) + k", "n if (not WIDE) and (k == 0)"),
        ("L28", "scale + at + k", "n if A > 0 and C > 0"),
        ("L29", "in keep L7: out + at·stride + [0..B) (scale)", "n"),
    ]


OLD_DESCRIPTOR = """
import triton
import triton.language as tl

@triton.jit
def moved(a_desc, x, M: tl.constexpr, K: tl.constexpr):
    row = tl.program_id(0) * M
    a = tl._experimental_descriptor_load(a_desc, [row, 0], [M, K], tl.float16)
    tl.store(x + tl.arange(0, M)[:, None] * K + tl.arange(0, K)[None, :], a)
"""


def test_offsets_of_descriptors_that_are_no_objects(tmp_path: Path) -> None:
    assert _table(tmp_path, OLD_DESCRIPTOR, "moved")[0] == ("L8", "a_desc[row : +M, 0 : +K]", "1")


def test_the_ladder_names_descriptors_and_both_sides_of_a_branch(tmp_path: Path) -> None:
    path = tmp_path / "sides.py"
    path.write_text(OLD_DESCRIPTOR.replace("tl.store(", "if K == 8:\n        c = a.to(tl.float32)\n"
                                           "    else:\n        c = a.to(tl.bfloat16)\n    tl.store("))  # fmt: skip
    document = Analysis([tmp_path]).document("explain", Target(path, None, "moved"), ViewOptions())
    ladder = [b for b in document.blocks if isinstance(b, d.Picture)][-1].text
    assert "│ a_desc" in ladder
    assert "c block[M, K] fp32 or block[M, K] bf16" in ladder


UNTOLD = """
import triton
import triton.language as tl

@triton.jit
def walk(x, step, n, B: tl.constexpr):
    p = x + tl.arange(0, B)
    for k in range(n):
        tl.store(p, k)
        p += tl.where(k % 2 == 0, step, 0)
"""


def test_an_address_that_is_not_told_is_the_pointer_of_its_argument(tmp_path: Path) -> None:
    assert _table(tmp_path, UNTOLD, "walk") == [("L9", "p (x)", "n")]
