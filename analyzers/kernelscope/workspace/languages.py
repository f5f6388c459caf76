"""Which language a file is in, and the tree of one in Python."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES

if TYPE_CHECKING:
    from kernelscope.syntax.python.lower import Module
    from kernelscope.workspace.workspace import Workspace


def is_python(path: Path) -> bool:
    return path.suffix in PYTHON_SUFFIXES


def is_cuda(path: Path) -> bool:
    """C++ and CUDA sources alike: kernels and bindings live in both."""
    return path.suffix in CUDA_SUFFIXES


def python_module(workspace: Workspace, path: Path) -> Module | None:
    """The tree of a Python file; None for other files, and for those too large to be looked into."""
    return workspace.modules.module(str(path)) if is_python(path) else None
