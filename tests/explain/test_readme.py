"""What the README shows of explanations is what they say: every line of an example, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests/workspaces/sample"
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^    \$ kernelscope explain (\S+)\n((?:    (?!\$).*\n|\n(?=    (?!\$)))+)", re.MULTILINE)
EXAMPLES = {
    match[1]: match[2].splitlines()
    for match in EXAMPLE.finditer(README)
    if (SAMPLE / match[1].partition("::")[0]).is_file()
}


def one_space(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = Analysis([SAMPLE])
    made.index()
    return made


def test_two_kernels_in_each_language_are_shown() -> None:
    assert sum(target.endswith(".cu") for target in EXAMPLES) == 2
    assert sum("::" in target for target in EXAMPLES) >= 2


@pytest.mark.parametrize("target", EXAMPLES)
def test_examples_are_what_is_printed(target: str, analysis: Analysis) -> None:
    path, _, name = target.partition("::")
    document = analysis.document("explain", Target(SAMPLE / path, symbol=name or None))
    told = one_space(to_text(document).text)
    at = 0
    for line in EXAMPLES[target]:
        for part in re.split(r" {2,}", line.strip()):  # a row's name and what it says, or a line of code and its place
            shown = one_space(part).removesuffix("…").rstrip()
            found = told.find(shown, at)
            assert found >= 0, f"not printed after what comes before it: {shown}"
            at = found + len(shown)
