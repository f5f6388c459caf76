"""Patterns by structure: `#:` behind a class says what its forward is, and what comes close but is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.interp.traced_runs import trace_function
from kernelscope.patterns.flow import Flow
from kernelscope.patterns.recognition import recognise
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = re.compile(r"^(?:class|def) (\w+).*#: (.+)$", re.MULTILINE)
CASES = [
    (path, name, text) for path in sorted(FIXTURES.glob("*.py")) for name, text in EXPECTED.findall(path.read_text())
]


@pytest.mark.parametrize(("path", "name", "expected"), CASES, ids=[f"{p.name}:{n}" for p, n, _ in CASES])
def test_patterns(path: Path, name: str, expected: str) -> None:
    workspace = Workspace(Files([str(FIXTURES)]), None)
    module = workspace.modules.module(str(path))
    assert module is not None
    scope = next(s for s in module.functions() if s.path[0] == name and s.node.name in ("forward", name))
    flow = Flow(trace_function(workspace, str(path), scope, {}))
    patterns = recognise(flow)
    found = patterns.get(flow.root)
    told = "nothing" if found is None else "part of it: " * found.is_part + ", ".join((found.title, *found.traits))
    kept = "; KV cache update" if any(pattern.kind == "cache" for pattern in patterns.values()) else ""
    assert told + kept == expected


def test_a_rotation_is_told_as_it_is_written() -> None:
    path = FIXTURES / "rotary.py"
    workspace = Workspace(Files([str(FIXTURES)]), None)
    module = workspace.modules.module(str(path))
    assert module is not None
    told: dict[str, list[str]] = {}
    for name in ("parts", "backwards"):
        scope = next(s for s in module.functions() if s.node.name == name)
        pattern = recognise(flow := Flow(trace_function(workspace, str(path), scope, {})))[flow.root]
        told[name] = [clue.text for clue in pattern.clues][:2]
    assert told == {
        "parts": ["x1·cos − x2·sin", "x2·cos + x1·sin"],
        "backwards": ["x1·cos + x2·sin", "x2·cos − x1·sin"],
    }
