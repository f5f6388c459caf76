"""What is known of kernels holds no trees of texts that nobody can ask about any more."""

from __future__ import annotations

import gc
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.syntax.of_nodes import FEW_TREES
from kernelscope.syntax.python.lower import Module

KERNEL = """import triton
import triton.language as tl
# {mark} {number}

@triton.jit
def scale(x, n, BLOCK: tl.constexpr):
    for start in range(0, n, BLOCK):
        place = start + tl.arange(0, BLOCK)
        value = tl.load(x + place, mask=place < n)
        tl.store(x + place, value * 2)

def run(x):
    scale[(1,)](x, x.numel(), BLOCK=64)
"""


def _trees(mark: str) -> int:
    gc.collect()
    return sum(type(one) is Module and mark.encode() in one.text.data for one in gc.get_objects())


def test_trees_of_old_texts_go(tmp_path: Path) -> None:
    path = tmp_path / "kernel.py"
    path.write_text("")
    analysis = Analysis([tmp_path])
    for number in range(2 * FEW_TREES):
        text = KERNEL.format(mark="of an old text", number=number).encode()
        analysis.set_text(path, text)
        for word in (b"value", b"scale", b"BLOCK"):
            analysis.hover(path, text.index(word))
        analysis.lenses(path)
    assert _trees("of an old text") <= FEW_TREES + 2


def test_trees_of_files_that_are_closed_go(tmp_path: Path) -> None:
    paths = [tmp_path / f"kernel{number}.py" for number in range(2 * FEW_TREES)]
    filler = "# " + "x" * 120_000 + "\n"  # few such files are kept at once
    for number, path in enumerate(paths):
        path.write_text(KERNEL.format(mark="of a closed file", number=number) + filler)
    analysis = Analysis([tmp_path])
    for path in paths:
        text = path.read_bytes()
        analysis.set_text(path, text)
        analysis.hover(path, text.index(b"value"))
        analysis.lenses(path)
        analysis.set_text(path, None)
    kept = 3_000_000 // 120_000
    assert _trees("of a closed file") <= kept + 2
