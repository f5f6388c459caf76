"""Shapes in docstrings that go on in the next line."""

from __future__ import annotations

import pytest
from kernelscope.interp.shape_texts import in_docstring


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        (
            "    x (torch.Tensor): Time and frequency in (batch,\n        feat, seq) shape.\n    y: other",
            "[batch, feat, seq]",
        ),
        ("    x (torch.Tensor): what is [batch,\n        length,\n        width]\n", "[batch, length, width]"),
    ],
)
def test_brackets_that_are_open_go_on_in_the_next_line(text: str, shape: str) -> None:
    found = in_docstring(f"Applies.\n\nArgs:\n{text}", "x", is_tensor=True)
    assert str(found) == shape


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("`" * 30_000, None),
        ("[" * 30_000, None),
        ("[a" + "`" * 30_000, None),
        ("[a]" + "`" * 30_000 + "x", "[a]"),
    ],
    ids=["quotes", "brackets", "quotes within", "quotes behind"],
)
def test_long_runs_of_marks_are_read_once(text: str, shape: str | None) -> None:
    """Each of a run of quotes was tried as the first one: thirty thousand took twelve seconds."""
    found = in_docstring(f"Applies.\n\nArgs:\n    x: {text}\n", "x", is_tensor=True)
    assert (None if found is None else str(found)) == shape
