"""Expectations in the comments of a fixture: `#: SHAPE` after an assignment is the shape of its first target.

`#: ?` expects that nothing is known; a line without a comment is not checked. Contradictions fail any fixture.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kernelscope.explain.tensor_hover import describe
from kernelscope.interp.runs import FileRun, run_file
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

MARK = re.compile(r"#:\s*(.*?)\s*$")


@dataclass(frozen=True)
class Expectation:
    """The shape that the fixture states for one line."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def expectations(path: Path) -> list[Expectation]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [Expectation(path, n, m[1]) for n, line in enumerate(lines, 1) if (m := MARK.search(line))]


def found_at(run: FileRun, module: Module, line: int) -> str:
    """The shape bound by the statement on a line, as a hover tells it; `?` where none is known."""
    for span in _targets(module, line):
        seen = run.values.get(span)
        text = describe(seen.value) if seen is not None else None
        return "?" if text is None else text.removeprefix("Tensor").split("  ")[0]
    return "?"


def shapes_of(path: Path) -> Callable[[int], str]:
    """What a hover tells on the lines of a file of the workspace that is its folder."""
    workspace = Workspace(Files([str(path.parent)]))
    module = workspace.modules.module(str(path))
    assert module is not None
    run = run_file(workspace, str(path))
    return lambda line: found_at(run, module, line)


def _targets(module: Module, line: int) -> list[Span]:
    for scope in module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        for param in scope.node.args:
            if module.text.line_of(param.span.start) == line and param.name != "self":
                return [param.name_span]
        for node in t.walk(*scope.node.body):
            if isinstance(node, t.Assign) and module.text.line_of(node.span.start) == line:
                return [n.span for n in t.walk(node.targets[0]) if isinstance(n, t.Name)]
    return []


def rewrite(path: Path, found: dict[int, str]) -> None:
    """Put what was found into the comments of a fixture."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for line, text in found.items():
        lines[line - 1] = MARK.sub(f"#: {text}", lines[line - 1])
    path.write_text("\n".join(lines), encoding="utf-8")
