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
