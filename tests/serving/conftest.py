"""Systems from a few lines of source."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.syntax.python.lower import parse_module
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace


@pytest.fixture
def source() -> Callable[[str], PythonSource]:
    """A lowered file from its text."""
    return lambda text: PythonSource(Path("/w/f.py"), parse_module(textwrap.dedent(text).encode()))


@pytest.fixture(scope="session")
def sample_root() -> Path:
    return Path(__file__).parents[1] / "workspaces" / "sample"


@pytest.fixture(scope="session")
def sample(sample_root: Path) -> System:
    """Everything that is found in the sample workspace."""
    workspace = Workspace(Files([str(sample_root)]))
    return Readings(workspace).system([entry.path for entry in workspace.files.walk()])
