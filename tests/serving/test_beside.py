"""Files of a large system are read by two processes: what they tell is what one of them would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.serving import beside
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

QUEUE = """
from collections import deque

class Scheduler{n}:
    def __init__(self):
        self.waiting, self.running = deque(), []

    def schedule(self):
        while self.waiting and len(self.running) < {n}:
            self.running.append(self.waiting.popleft())
"""
KERNEL = "__global__ void kernel(float* x) {\n  __shared__ float tile[32];\n  tile[threadIdx.x] = x[threadIdx.x];\n}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for n in range(12):
        (tmp_path / f"scheduler_{n:02}.py").write_text(QUEUE.format(n=n))
    (tmp_path / "broken.py").write_text("def f(:\n    pass\n")
    (tmp_path / "kernel.cu").write_text(KERNEL)
    return tmp_path


def read(root: Path, before: Callable[[Files], None] = lambda _: None) -> System:
    workspace = Workspace(Files([str(root)]))
    before(workspace.files)
    return Readings(workspace).system([entry.path for entry in workspace.files.walk()])


def told(system: System) -> list[str]:
    return [claim.text for section in ("scheduling", "batching") for claim in system.about(f"serving.{section}")]


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that the other process read."""
    found: list[str] = []
    take = beside.Beside.take

    def taken(self: beside.Beside, path: str) -> object:
        answer = take(self, path)
        found.extend([Path(path).name] if answer is not None else [])
        return answer

    monkeypatch.setattr(beside.Beside, "take", taken)
    monkeypatch.setattr("kernelscope.serving.readings.can_help", lambda _: True)
    return found


def test_two_processes_tell_what_one_does(root: Path, helped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    both = read(root)
    assert helped, "the other process read from the end of the list"
    monkeypatch.setattr("kernelscope.serving.readings.can_help", lambda _: False)
    alone = read(root)
    assert told(both) == told(alone) != []
    assert [str(reading) for reading in both.readings] == [str(reading) for reading in alone.readings]


def test_the_text_of_an_open_document_is_read_here(root: Path, helped: list[str]) -> None:
    path = root / "scheduler_11.py"
    system = read(root, lambda files: files.set_text(str(path), QUEUE.format(n=77).encode()))
    assert "Scheduler77" in str(told(system))
    assert path.name not in helped


def test_a_process_that_ends_costs_nothing(root: Path, helped: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "__name__", "a_module_that_is_missing")
    assert len({text.split(".")[0] for text in told(read(root))}) >= 12
    assert not helped
