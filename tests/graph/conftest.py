"""Workspaces written as one text: a line `## path` starts each file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.workspace.files import Files


@pytest.fixture
def workspace(tmp_path: Path) -> Callable[[str], Files]:
    """Writes the files of a text below a fresh folder and opens it."""

    def write(text: str) -> Files:
        path = None
        for line in text.splitlines():
            if line.startswith("## "):
                path = tmp_path / line[3:].strip()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("")
            elif path is not None:
                with path.open("a") as file:
                    file.write(line + "\n")
        return Files([str(tmp_path)])

    return write
