"""Kernels written by tests, and the rows of their cards."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis

HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n"
ADD = HEAD + (
    "@triton.jit\ndef add(x, y, n, BLOCK: tl.constexpr):\n"
    "    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)\n"
    "    tl.store(y + i, tl.load(x + i, mask=i < n) + 1, mask=i < n)\n\n"
)


def written(tmp_path: Path, source: str) -> Path:
    """A workspace of one file."""
    path = tmp_path / "kernels.py"
    path.write_text(source)
    return path


def card(tmp_path: Path, source: str, name: str = "add") -> dict[str, str]:
    path = written(tmp_path, source)
    hover = Analysis([tmp_path]).hover(path, source.encode().index(f"def {name}(".encode()) + 4)
    assert hover is not None
    return dict(hover.table)
