"""A file's shapes follow from the workspace alone: not from earlier questions, the hash seed, or the time it took."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.interp.runs import FileRun
from kernelscope.tensor import Tensor
from kernelscope.workspace import modules

TESTS = Path(__file__).parents[1]
ROOT = TESTS / "workspaces" / "shared_parts"
FILES = sorted(ROOT.glob("*.py"))


def answers(analysis: Analysis, path: Path) -> str:
    """Every tensor of a file as a hover shows it, and what contradicts itself."""
    run: FileRun = analysis.file_run(path)
    tensors = [(span.start, repr(seen.value)) for span, seen in run.values.items() if isinstance(seen.value, Tensor)]
    return repr((sorted(tensors), [str(finding.error) for finding in run.findings], sorted(run.incomplete)))


def all_answers(order: list[Path]) -> dict[str, str]:
    analysis = Analysis([ROOT])
    return {path.name: answers(analysis, path) for path in order}


@pytest.fixture(scope="module")
def alone() -> dict[str, str]:
    return {path.name: answers(Analysis([ROOT]), path) for path in FILES}


def test_something_is_known(alone: dict[str, str]) -> None:
    assert "B, heads, S, S" in alone["parts.py"]


@pytest.mark.parametrize("order", list(itertools.permutations(FILES)), ids=lambda o: " ".join(p.stem for p in o))
def test_order_of_questions(order: tuple[Path, ...], alone: dict[str, str]) -> None:
    assert all_answers(list(order)) == alone


def test_modules_that_are_let_go_meanwhile(alone: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "KEPT_BYTES", 1)
    assert all_answers(FILES) == alone


def test_documents_that_are_open(alone: dict[str, str]) -> None:
    for opened in FILES:
        analysis = Analysis([ROOT])
        analysis.set_text(opened, opened.read_bytes())
        assert {path.name: answers(analysis, path) for path in FILES} == alone


def test_an_index_that_stands(alone: dict[str, str], tmp_path: Path) -> None:
    analysis = Analysis([ROOT], cache_dir=tmp_path)
    analysis.index()
    assert {path.name: answers(analysis, path) for path in FILES} == alone


def test_edits_of_other_files_count_and_can_be_taken_back(alone: dict[str, str]) -> None:
    analysis = Analysis([ROOT])
    parts, models = ROOT / "parts.py", ROOT / "models.py"
    text = parts.read_bytes()
    assert answers(analysis, models) == alone["models.py"]
    analysis.set_text(parts, text.replace(b"4 * width", b"6 * width"))
    assert answers(analysis, models) != alone["models.py"]
    analysis.set_text(parts, text)
    assert answers(analysis, models) == alone["models.py"]


@pytest.mark.parametrize("seed", ["1", "77"])
def test_hash_seed(seed: str, alone: dict[str, str]) -> None:
    code = "from interp.test_same_answers import FILES, all_answers; print(all_answers(FILES))"
    path = os.pathsep.join([str(TESTS), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr({path.name: alone[path.name] for path in FILES})
