"""The command line as a user meets it: results on stdout, one line for what went wrong, and the exit status."""

from __future__ import annotations

import json
import operator
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kernelscope_server.cli import main
from kernelscope_server.cli.targets import find_root

MODEL = """import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.up = nn.Linear(hidden, inner)

    def forward(self, x):
        y = self.up(x)
        return y
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with every kind of file that one meets; also the working folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    workspace = tmp_path / "workspace"
    for name in ("empty", "plain", "code"):
        (workspace / name).mkdir(parents=True)
    (workspace / "plain" / "a.py").write_text("x = 1\n")
    (workspace / "code" / "model.py").write_text(MODEL)
    (workspace / "code" / "broken.py").write_text("import torch\ndef f(x:\n    y = torch.relu(x\n")
    (workspace / "code" / "latin.py").write_bytes(
        b"# caf\xe9 \xff\nimport torch\ndef g():\n    y = torch.ones(2)\n    return y\n"
    )
    (workspace / "code" / "wide.py").write_bytes("def only_in_wide():\n    return 1\n".encode("utf-16"))
    (workspace / "code" / "binary.py").write_bytes(b"\0" * 100)
    with (workspace / "code" / "huge.py").open("w") as file:
        file.write("x = 1\n")
        file.truncate(20 << 20)
    (workspace / "code" / "notes.txt").write_text("x\n")
    (workspace / "code" / "loop.py").symlink_to("loop.py")
    monkeypatch.chdir(workspace)
    return workspace


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr."""
    try:
        status = main(arguments)
    except SystemExit as exit:
        status = int(exit.code or 0)
    found = capsys.readouterr()
    return status, found.out, found.err


def test_a_file_below_the_working_folder_is_seen_with_all_that_lies_there(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "apart" / "kernels").mkdir(parents=True)
    (folder / "apart" / "kernels" / "scale.cuh").write_text(
        "__global__ void scale(float *x) { x[threadIdx.x] *= 2; }\n"
    )
    (folder / "apart" / "run.cu").write_text(
        '#include "kernels/scale.cuh"\nvoid run(float *x) { scale<<<1, 64>>>(x); }\n'
    )
    monkeypatch.chdir(folder / "apart")
    assert "(64, 1, 1)" in run(capsys, "explain", "kernels/scale.cuh")[1]
    assert "no launch found" in run(capsys, "explain", str(folder / "apart" / "kernels" / "scale.cuh"))[1]


WRONG = [
    ("explain", "arguments are required: TARGET"),
    ("nonsense", "invalid choice: 'nonsense'"),
    ("explain nothere.py", "there is no nothere.py; give FILE, FILE:LINE, FILE::symbol, a folder or a dotted name"),
    ("explain not.a.module", "there is no not.a.module"),
    ("explain empty", "holds no Python, Triton or CUDA source"),
    ("explain code/huge.py", "huge.py was not read: 20.0 MiB, larger than the limit of 8 MiB"),
    ("explain code/binary.py", "binary.py was not read: binary content"),
    ("shapes code/broken.py", "it has a syntax error in line 2"),
    ("explain code/model.py:99", "model.py has 13 lines, not 99"),
    ("explain code/model.py::Nothing", "model.py defines no Nothing"),
    ("shapes code/notes.txt", "notes.txt is no Python, Triton or CUDA source"),
    ("shapes plain/a.py", "a.py binds no tensors"),
    ("shapes plain", "shapes is of a file, a class or a function"),
    ("shapes code/model.py --bind B=x", "--bind B=x: write NAME=NUMBER, such as --bind B=8"),
    ("shapes code/model.py --config no.json", "--config: no.json cannot be read"),
    ("shapes code/model.py --config plain/a.py", "--config: plain/a.py is not JSON"),
    ("shapes code/model.py --width 3", "--width is a number of columns between 20 and 1000"),
    ("shapes code/model.py --depth -1", "unrecognized arguments: --depth"),
    ("dataflow code/model.py --depth -1", "--depth is a number of levels"),
    ("dataflow code/model.py --gpu Z9", "there is no GPU Z9; known:"),
    ("check nothere", "there is no nothere"),
    ("index nothere", "there is no folder nothere"),
    ("report code/model.py", "there is no folder code/model.py"),
    ("occupancy", "--threads is missing"),
    ("occupancy --threads 256 --gpu Z9", "there is no GPU Z9; known:"),
    ("occupancy --batch no.json", "--batch: no.json cannot be read"),
]


@pytest.mark.parametrize(("line", "message"), WRONG)
def test_what_is_wrong_is_one_line_with_the_remedy(capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    status, out, err = run(capsys, *line.split())
    assert (status, out) == (2, "")
    assert err.startswith("kernelscope")
    assert err.count("\n") == 1
    assert message in err


FOUND = [
    ("--version", "kernelscope "),
    ("explain code/model.py", "Linear"),
    ("explain code/model.py::Layer", "Linear"),
    ("explain code/model.py:5", "Linear"),
    ("explain code/model.py::", "Linear"),
    ("explain code.model.Layer", "Linear"),
    ("explain code", "Overview of code"),
    ("explain plain", "Overview of plain"),
    ("shapes code/model.py", "inner"),
    ("shapes code/latin.py", "[2]"),
    ("explain code/broken.py", "broken.py has a syntax error in line 2; what it spoils is left out"),
    ("shapes code/model.py --charset ascii", "inner"),
    ("shapes code/model.py --format markdown", "# Shapes in model.py"),
    ("index empty", "no source files"),
    ("index code", "left out"),
    ("check plain", ""),
    ("report empty", "# Report of empty"),
    ("occupancy --threads 256 --registers 64 --gpu H100", "blocks/SM"),
]


@pytest.mark.parametrize(("line", "text"), FOUND)
def test_what_is_found_goes_to_stdout_alone(capsys: pytest.CaptureFixture[str], line: str, text: str) -> None:
    status, out, err = run(capsys, *line.split())
    assert (status, err) == (0, "")
    assert text in out


@pytest.mark.parametrize("line", ["shapes code/model.py", "explain code/model.py", "index code", "check code"])
def test_everything_is_had_as_json(capsys: pytest.CaptureFixture[str], line: str) -> None:
    status, out, _ = run(capsys, *line.split(), "--json")
    assert status == 0
    json.loads(out)


def test_sizes_become_numbers_when_they_are_bound(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "config.json").write_text('{"hidden": 16, "name": "x", "tied": true}')
    _, out, _ = run(capsys, "shapes", "code/model.py", "--config", "config.json", "--bind", "inner=64")
    assert "64" in out


QUEUE = """
from collections import deque

class Scheduler:
    def __init__(self):
        self.waiting, self.running = deque(), []

    def schedule_batch(self, budget):
        while self.waiting and len(self.running) < budget:
            self.running.append(self.waiting.popleft())

    def end_batch(self):
        self.running.clear()

    def has_waiting(self):
        return bool(self.waiting)
"""
LOOP = """
class Loop:
    def run(self, scheduler):  # a Scheduler
        while scheduler.has_waiting():
            scheduler.schedule_batch(8)
            scheduler.end_batch()
"""


def test_what_an_object_is_may_be_told_by_the_names_of_its_methods(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "serving").mkdir()
    (folder / "serving" / "scheduler.py").write_text(QUEUE)
    (folder / "serving" / "loop.py").write_text(LOOP)
    status, out, _ = run(capsys, "architecture", "serving")
    assert status == 0
    assert "schedule_batch ?" in out


def test_diagnostics_are_found_by_exit_status_and_as_sarif(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "k.py").write_text(
        "import triton\nimport triton.language as tl\n\n\n@triton.jit\ndef k(x):\n"
        "    o = tl.arange(0, 100)\n    tl.store(x + o, 1.0)\n"
    )
    status, out, _ = run(capsys, "check", "k.py")
    assert (status, out.count("k.py:7:")) == (1, 1)
    status, out, _ = run(capsys, "check", "k.py", "--format", "sarif")
    assert status == 1
    assert json.loads(out)["runs"][0]["results"][0]["locations"]


def test_what_a_diagnostic_means_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "tl.arange needs a power of two" in run(capsys, "check", "--explain", "not-a-power-of-two")[1]
    assert "there is no diagnostic nonsense" in run(capsys, "check", "--explain", "nonsense")[2]
    assert "which files?" in run(capsys, "check")[2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk")
def test_a_full_disk_is_said_to_be_so() -> None:
    words = [sys.executable, "-c", "from kernelscope_server.cli import main; raise SystemExit(main())", "index", "code"]
    with open("/dev/full", "wb", buffering=0) as full:
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == "kernelscope: the output cannot be written: No space left on device\n"
    assert ended.returncode == 2


def test_closed_streams_cost_what_is_written_there_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert run(capsys, "index", "empty")[0] == 0
    monkeypatch.setattr(sys, "stdout", None)
    assert run(capsys, "explain", "nothere.py")[0] == 2


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_said_to_be_so(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "code" / "model.py").chmod(0)
    assert "cannot be read: Permission denied" in run(capsys, "explain", "code/model.py")[2]


@pytest.mark.faults
def test_a_fault_of_ours_is_one_line_that_names_the_file_with_its_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernelscope.serving.reading.metrics", operator.attrgetter("nothing"))
    status, shown, said = run(capsys, "report", "code", "--json")
    assert status == 0
    assert json.loads(shown)["config"] == {"parameters": [], "tables": [], "constraints": []}
    assert "part-missing" in shown
    (line,) = said.splitlines()
    assert "please report " in line
    assert "Traceback" in Path(line.rpartition(" ")[2]).read_text()


def test_a_package_that_is_published_by_itself_is_a_part_of_its_repository(tmp_path: Path) -> None:
    package = tmp_path / "package" / "ops"
    package.mkdir(parents=True)
    inside = ("__init__.py", "pyproject.toml", "ops/__init__.py", "ops/m.py")
    for made in (*(f"package/{name}" for name in inside), "setup.py"):
        (tmp_path / made).touch()
    assert find_root(package / "m.py") == tmp_path
    (tmp_path / "package" / ".git").mkdir()
    assert find_root(package / "m.py") == tmp_path / "package"
