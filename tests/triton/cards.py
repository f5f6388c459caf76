"""Kernels written by tests, the rows of their cards and their pseudocode."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.document import Code
from kernelscope.results import Target

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


def pseudocode(path: Path, name: str) -> list[str]:
    """The lines of a kernel and of its helpers, without what they say of shapes."""
    document = Analysis([path.parent]).document("explain", Target(path, None, name))
    code = [block for block in document.blocks if isinstance(block, Code)]
    return [line.text.partition("  # ")[0].strip() for block in code for line in block.lines]
