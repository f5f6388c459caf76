"""Shape errors that are reported: every one that the fixture expects, with its story, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.problems import Problem

FOLDER = Path(__file__).parent
BAD = FOLDER / "fixtures" / "wrong" / "contradictions.py"
MARK = re.compile(r"#!\s*(?P<code>[\w-]+)(?P<parts>.*)$")
EXPECTED = {
    number: (found["code"], re.findall(r'"([^"]*)"', found["parts"]))
    for number, line in enumerate(BAD.read_text(encoding="utf-8").split("\n"), 1)
    if (found := MARK.search(line))
}


@pytest.fixture(scope="module")
def problems() -> dict[int, Problem]:
    text = BAD.read_bytes()
    found = Analysis([BAD.parent]).problems(BAD)
    return {text[: problem.span.start].count(b"\n") + 1: problem for problem in found}


def test_no_other_line_is_reported(problems: dict[int, Problem]) -> None:
    assert sorted(problems) == sorted(EXPECTED)


@pytest.mark.parametrize("line", EXPECTED, ids=lambda line: f"contradictions.py:{line}")
def test_the_message_tells_the_story(line: int, problems: dict[int, Problem]) -> None:
    code, parts = EXPECTED[line]
    assert problems[line].code == code
    assert [part for part in parts if part not in problems[line].message] == []


def test_comments_that_tell_another_shape() -> None:
    path = BAD.parent / "comments.py"
    lines = path.read_text(encoding="utf-8").split("\n")
    text = path.read_bytes()
    expected = {i + 2: re.findall(r'"([^"]*)"', line) for i, line in enumerate(lines) if line.lstrip().startswith("#!")}
    found = {text[: p.span.start].count(b"\n") + 1: p for p in Analysis([path.parent]).problems(path)}
    assert sorted(found) == sorted(expected)
    for line, parts in expected.items():
        assert found[line].code == "comment-contradicts-shape"
        assert [part for part in parts if part not in found[line].message] == []


@pytest.mark.parametrize("path", sorted((FOLDER / "fixtures").glob("*.py")), ids=lambda path: path.name)
def test_code_that_runs_is_silent(path: Path) -> None:
    assert Analysis([path.parent]).problems(path) == ()
