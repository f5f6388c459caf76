"""The page of diagnostics is that of the table (`--accept` writes it); comments silence findings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.diagnostics import diagnostics_markdown
from kernelscope.explain.render import to_text
from kernelscope.problems import TABLE, Problem
from kernelscope.results import Target, UserError

PAGE = Path(__file__).parents[2] / "docs" / "diagnostics.md"
KERNEL = "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k(x):\n"
RANGE = "    o = tl.arange(0, 100)"
STORE = "    tl.store(x + o, 1.0)\n"
BARRIER = (
    "__global__ void half(float* x) {\n  if (threadIdx.x < 16)\n    __syncthreads();\n  x[threadIdx.x] = 0;\n}\n"
    "void run(float* x) { half<<<1, 32>>>(x); }\n"
)


def problems(tmp_path: Path, text: str, name: str = "k.py") -> tuple[Analysis, Path, list[Problem]]:
    path = tmp_path / name
    path.write_text(text)
    analysis = Analysis([tmp_path])
    return analysis, path, list(analysis.problems(path))


def test_page_is_up_to_date(golden: Callable[[Path, str], None]) -> None:
    golden(PAGE, diagnostics_markdown())


@pytest.mark.parametrize("code", TABLE)
def test_each_kind_has_a_page_of_its_own(tmp_path: Path, code: str) -> None:
    page = to_text(Analysis([tmp_path]).document("diagnostic", Target(tmp_path / "none.py", None, code))).text
    assert TABLE[code].title in page
    assert f"ignore[{code}]" in page


def test_other_codes_have_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no diagnostic nonsense"):
        Analysis([tmp_path]).document("diagnostic", Target(tmp_path, None, "nonsense"))


SILENCED = {
    "everything": RANGE + "  # kernelscope: ignore\n",
    "by its code": RANGE + "  # kernelscope: ignore[not-a-power-of-two]\n",
    "among others": RANGE + "  # kernelscope:ignore[missing-mask, not-a-power-of-two] known\n",
    "from above": "    # kernelscope: ignore[not-a-power-of-two]\n" + RANGE + "\n",
}
REPORTED = {
    "as it is": RANGE + "\n",
    "another code": RANGE + "  # kernelscope: ignore[missing-mask]\n",
    "behind code of the line above": "    y = 1  # kernelscope: ignore\n" + RANGE + "\n",
}


@pytest.mark.parametrize("body", SILENCED.values(), ids=SILENCED)
def test_a_comment_silences(tmp_path: Path, body: str) -> None:
    assert problems(tmp_path, KERNEL + body + STORE)[2] == []


@pytest.mark.parametrize("body", REPORTED.values(), ids=REPORTED)
def test_other_comments_do_not(tmp_path: Path, body: str) -> None:
    assert [p.code for p in problems(tmp_path, KERNEL + body + STORE)[2]] == ["not-a-power-of-two"]


SOURCES = {
    "k.py": KERNEL + RANGE + "\n" + STORE,
    "continued.py": KERNEL + "    o = tl.arange(0, 100) \\\n        + 1\n" + STORE,
    "spaces.py": KERNEL + RANGE + "   \r\n" + STORE,
    "listed.py": KERNEL + RANGE + "  # kernelscope: ignore[missing-mask]\n" + STORE,
    "string.py": KERNEL + "    o = tl.arange(0, 100); '''\n    text'''\n" + STORE,
    "half.cu": BARRIER,
}


@pytest.mark.parametrize(("name", "text"), SOURCES.items(), ids=SOURCES)
def test_the_comment_that_is_offered_silences(tmp_path: Path, name: str, text: str) -> None:
    analysis, path, found = problems(tmp_path, text, name)
    (problem,) = found
    insertion = analysis.silencing(path, problem.span, problem.code)
    assert insertion is not None
    data = text.encode()
    analysis.set_text(path, data[: insertion.offset] + insertion.text.encode() + data[insertion.offset :])
    assert list(analysis.problems(path)) == []


def test_where_no_comment_can_stand_none_is_offered(tmp_path: Path) -> None:
    between = KERNEL + "    y = 1 + \\\n        tl.arange(0, 100) \\\n        + 1\n"
    analysis, path, (problem,) = problems(tmp_path, between)
    assert analysis.silencing(path, problem.span, problem.code) is None


SETTINGS = """
from dataclasses import dataclass

@dataclass
class EngineConfig:
    port: int = 8000  # of the server, default: 9000
    ranks: int = 4
    width: int = 100
    depth: int = 3  # levels, default 3

    def __post_init__(self):
        self.ranks = 8
        assert self.width % 16 == 0

@dataclass
class ServerConfig:
    engine: EngineConfig

    def __post_init__(self):
        self.engine.depth = 5
"""
CONTRADICTED = [(6, "default-contradicts-text"), (7, "default-never-used"), (8, "default-breaks-constraint")]


def test_defaults_that_contradict_what_stands_beside_them(tmp_path: Path) -> None:
    found = problems(tmp_path, SETTINGS, "settings.py")[2]
    assert sorted((SETTINGS[: p.span.start].count("\n") + 1, p.code) for p in found) == CONTRADICTED
