"""The page of operators is that of the table; `--accept` writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.ops.listing import operators_markdown

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_page_is_up_to_date(golden: Callable[[Path, str], None]) -> None:
    golden(PAGE, operators_markdown())
