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
