"""Files as they are never written: edited at random, cut, merged, hostile; and servers that are killed at work."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_json
from kernelscope.results import Span, Target, UserError
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import parse_module
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index, Stage

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
PYTHON = sorted(SAMPLE.rglob("*.py"))
TRITON = sorted((Path(__file__).parents[1] / "triton" / "fixtures").glob("*.py"))
SOURCES = [*PYTHON, *sorted(SAMPLE.rglob("*.c*")), *TRITON]
JUNK = (b"", b"(", b")", b"@", b"def ", b"<<<", b"\xff\xfe", b'"""', b"import ", b"class X(X):\n", b"{", b"}",
        b"\r", b"\x00", b"\xe2\x80\xa8", b"#define A A A\n", b"template <", b" = ", b"[...]", b"lambda: ")  # fmt: skip

EDITS = st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 200), st.sampled_from(JUNK)), min_size=1, max_size=6)


class _Listener(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, drop, junk in edits:
        data = data[:at] + junk + data[at + drop :]
    return data


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = Analysis([SAMPLE])
    made.index()
    return made


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(SOURCES), st.sampled_from(SOURCES), EDITS, st.integers(0, 6000), st.booleans())
def test_no_question_about_a_spoilt_file_raises_or_logs(
    analysis: Analysis, path: Path, other: Path, edits: list[tuple[int, int, bytes]], offset: int, merge: bool
) -> None:
    records: list[logging.LogRecord] = []
    handler = _Listener(records)
    logging.getLogger().addHandler(handler)
    data = edited(path.read_bytes(), edits)
    if merge:
        data = data[: offset % max(len(data), 1)] + other.read_bytes()[:3000]
    try:
        analysis.set_text(path, data)
        analysis.hover(path, offset)
        analysis.inlay_hints(path, Span(0, len(data)))
        for lens in analysis.lenses(path):
            analysis.resolve_lens(lens)
        analysis.problems(path)
        analysis.outline(path)
        analysis.definition(path, offset)
        analysis.implementation(path, offset)
        analysis.incoming_calls(path, offset)
        for kind in ("path", "explain", "pseudocode", "tiling"):
            with contextlib.suppress(UserError):
                to_json(analysis.document(kind, Target(path, offset)))
    finally:
        analysis.set_text(path, None)
        logging.getLogger().removeHandler(handler)
    assert [record.getMessage() for record in records if record.levelno >= logging.WARNING] == []


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(PYTHON), EDITS)
def test_a_tree_parsed_from_the_edit_is_the_tree_of_the_text(path: Path, edits: list[tuple[int, int, bytes]]) -> None:
    module = parse_module(path.read_bytes())
    for at in range(1, len(edits) + 1):
        data = edited(path.read_bytes(), edits[:at])
        module = parse_module(data, module)
        fresh = parse_module(data)
        assert [(type(n), n.span) for n in t.walk(*module.body)] == [(type(n), n.span) for n in t.walk(*fresh.body)]


KILLED = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index
Index(Files([{root!r}]), Path({cache!r})).run()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_server_killed_at_any_moment_leaves_a_whole_index(tmp_path: Path) -> None:
    root, cache = tmp_path / "work", tmp_path / "cache"
    root.mkdir()
    for number in range(150):
        (root / f"m{number}.py").write_text(f"import torch\ndef only_{number}(x):\n    return torch.relu(x)\n" * 20)
    code = KILLED.format(path=sys.path, root=str(root), cache=str(cache))
    for delay in (0.3, 0.6, 0.9):
        server = subprocess.Popen([sys.executable, "-c", code])
        time.sleep(delay)
        server.send_signal(signal.SIGKILL)
        server.wait()
    index = Index(Files([str(root)]), cache)
    index.run()
    assert index.stage is Stage.CALLS
    assert all(index.table.named(f"only_{number}") for number in range(150))
    assert len(index.callers("relu") or ()) == 150


HOSTILE: dict[str, bytes] = {
    "macros that multiply": b"".join(b"#define M%d M%d M%d\n" % (i, i + 1, i + 1) for i in range(60))
    + b"void f() { M0; }",
    "brackets": b"x = " + b"[" * 50_000,
    "templates": b"template <" * 4_000 + b"int N> void f();",
    "long words": b"void f() { x = " + b" + ".join([b"a" * 5_000] * 60) + b"; }",
    "strings that never end": b'"""' + b"a\\" * 100_000,
    "documentation of thousands of shapes": b'import torch\ndef f(x: torch.Tensor, y: torch.Tensor):\n    """\n    x: '
    + b"`(batch, n)`, " * 3_000
    + b"or `(n, m)`\n    y: "
    + b", ".join(b"(a%d * b%d)" % (i, i) for i in range(3_000))
    + b'\n    """\n    z = x + y\n    return z\n',
    "thousands of kernels": b"".join(
        b"__global__ void k%d(float* x) { x[%d] = 1; }\nvoid h%d(float* x) { k%d<<<1, 32>>>(x); }\n" % (i, i, i, i)
        for i in range(5_000)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", [".py", ".cu"])
def test_hostile_files_take_little_time(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"hostile{suffix}"
    path.write_bytes(HOSTILE[name])
    started = time.process_time()
    analysis = Analysis([tmp_path])
    analysis.index()
    analysis.hover(path, 5)
    analysis.problems(path)
    analysis.lenses(path)
    if suffix == ".py":
        with contextlib.suppress(UserError):
            analysis.document("shapes", Target(path))
    assert time.process_time() - started < 20


DEEP = {
    "blocks.cu": "__global__ void k(float* x) { " + "if (x[0] > 1) { x[1] = 2; " * 1_500 + "}" * 1_501,
    "bare blocks.cu": "__global__ void k(float* x) { " + "{" * 3_000 + "x[threadIdx.x] = 1;" + "}" * 3_001,
    "alternatives.cu": "__global__ void k(float* x) { "
    + "".join(f"if (x[0] == {n}) x[1] = {n}; else " for n in range(1_500))
    + "x[2] = 3; }",
    "brackets.cu": "__global__ void k(float* x) { x[threadIdx.x] = " + "(" * 3_000 + "1" + ")" * 3_000 + "; }",
    "branches.py": "def k(x):\n" + "".join(f"{' ' * n}if x:\n" for n in range(1, 1_500)) + " " * 1_500 + "return x\n",
    "alternatives.py": "def k(x):\n    if x:\n        pass\n" + "    elif x:\n        pass\n" * 1_500,
    "chains.py": "import torch\ndef k(x: torch.Tensor):\n    return x" + ".relu()" * 3_000 + "\n",
    "sums.py": "import torch\ndef k(x: torch.Tensor):\n    return " + " + ".join(["x"] * 3_000) + "\n",
}


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_deeply_is_told_in_part(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / name
    path.write_text(DEEP[name])
    analysis = Analysis([tmp_path])
    analysis.index()
    with caplog.at_level(logging.WARNING):
        analysis.hover(path, DEEP[name].index("k(") + 1)
        analysis.inlay_hints(path, Span(0, len(DEEP[name])))
        for kind in ("explain", "pseudocode", "dataflow", "ops", "path", "tiling"):
            with contextlib.suppress(UserError):
                to_json(analysis.document(kind, Target(path, DEEP[name].index("k("))))
    assert not caplog.records


def test_links_lead_nowhere_outside(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    root.mkdir()
    (outside / "secret.py").write_text("def secret(): ...\n")
    (root / "here.py").write_text("def here(): ...\n")
    (root / "loop").symlink_to(root)
    (root / "away").symlink_to(outside)
    (root / "file.py").symlink_to(outside / "secret.py")
    analysis = Analysis([root])
    analysis.index()
    assert [found.name for found in analysis.find_symbols("", 10)] == ["here"]
    assert sorted(out.path.name for out in analysis.left_out()) == ["away", "file.py", "loop"]
