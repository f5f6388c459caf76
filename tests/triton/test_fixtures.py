"""Kernels that are read as source: `#:` expects the type of the line's first name, `#!` one finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis

FIXTURES = Path(__file__).parent / "fixtures"
FILES = sorted(FIXTURES.glob("*.py"))


def _expectations(path: Path) -> list[tuple[int, str, str]]:
    """(line, marker, text) of every `#:` and `#!`."""
    found: list[tuple[int, str, str]] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.search(r"#([:!]) (.*)$", line)
        if match and not line.strip().startswith("#"):
            found.append((number, match[1], match[2].strip()))
    return found


CASES = [(path, *case) for path in FILES for case in _expectations(path) if case[1] == ":"]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return Analysis([FIXTURES])


@pytest.mark.parametrize(
    ("path", "line", "marker", "expected"), CASES, ids=[f"{path.name}:{line}" for path, line, *_ in CASES]
)
def test_type_of_the_lines_name(analysis: Analysis, path: Path, line: int, marker: str, expected: str) -> None:
    data = path.read_bytes()
    start = sum(len(text) for text in data.splitlines(keepends=True)[: line - 1])
    text = data.splitlines()[line - 1]
    hover = analysis.hover(path, start + len(text) - len(text.lstrip()))
    assert hover is not None
    name = text.split()[0].decode().rstrip(":")
    assert hover.signature == f"{name}: {expected}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_findings_are_the_expected_ones(analysis: Analysis, path: Path) -> None:
    data = path.read_bytes()
    found = sorted((data[: p.span.start].count(b"\n") + 1, p.code, p.message) for p in analysis.problems(path))
    expected = [(line, text) for line, marker, text in _expectations(path) if marker == "!"]
    assert [(line, code) for line, code, _ in found] == [(line, text.split()[0]) for line, text in expected]
    for (_, _, message), (_, text) in zip(found, expected, strict=True):
        for fragment in re.findall(r'"([^"]*)"', text):
            assert fragment in message
