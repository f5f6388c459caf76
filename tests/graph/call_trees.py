"""The call path document of a small workspace, and its tree."""

from __future__ import annotations

from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.explain.document import Code, Document
from kernelscope.results import Target
from kernelscope.workspace.files import Files


def ask(files: Files, symbol: str) -> Document:
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    path, _, name = symbol.partition("::")
    return analysis.document("path", Target(Path(files.roots[0], path), None, name))


def tree(document: Document) -> list[str]:
    code = next(block for block in document.blocks if isinstance(block, Code))
    return [line.text for line in code.lines]
