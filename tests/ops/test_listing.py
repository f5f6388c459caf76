"""The page of operators is that of the table; `--accept` writes it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kernelscope.ops.listing import operators_markdown

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_page_is_up_to_date(golden: Callable[[Path, str], None]) -> None:
    golden(PAGE, operators_markdown())


def test_the_page_does_not_depend_on_what_is_imported_first() -> None:
    code = "import kernelscope.ops.torch.creation, kernelscope.ops.listing as l; print(l.operators_markdown(), end='')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == operators_markdown()
