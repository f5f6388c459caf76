"""Links after edits are those of linking anew, moved along where only places differ, and else as few as can be."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from graph.test_native_links import HOST, KERNELS, STARTED
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kernelscope.analysis import Analysis
from kernelscope.graph import present_links
from kernelscope.graph.cpp_links import CppEdges
from kernelscope.graph.links import Links, link
from kernelscope.workspace.workspace import Workspace

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
STEPS = """#include <torch/library.h>
namespace steps {
__global__ void first(float* x) { x[threadIdx.x] = 1; }
template <int N> __global__ void second(float* x) { x[threadIdx.x] = N; }
void run(float* x) { first<<<1, 32>>>(x); second<4><<<1, 32>>>(x); }
}
namespace other {
void go(float* x) { steps::run(x); }
}
TORCH_LIBRARY(steps, m) { m.def("go(Tensor x) -> ()", &other::go); }
"""

OPERATORS = """import torch
from torch.library import Library, custom_op, register_fake

LIBRARY = "mine"
lib = Library(LIBRARY, "DEF")
lib.define("shift(Tensor x) -> Tensor")

def registered(name, function):
    lib.define(name)
    lib.impl(name.partition("(")[0], function, "CUDA")

def shift(x, amount=2):
    return torch.roll(x, amount)

lib.impl("shift", shift, "CUDA")
registered("turn(Tensor x) -> Tensor", lambda x: x)

@custom_op("mine::scale", mutates_args=())
def scale(x: torch.Tensor) -> torch.Tensor:
    return x * 2

@register_fake("mine::scale")
def _(x):
    return torch.empty_like(x)

SOURCE = \'\'\'
__global__ void twice(float* x) { x[threadIdx.x] *= 2; }
void go(float* x) { twice<<<1, 32>>>(x); }
\'\'\'
"""


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("linked") / "sample"
    shutil.copytree(SAMPLE, folder)
    (folder / "csrc" / "steps.cu").write_text(STEPS)
    (folder / "csrc" / "operators.py").write_text(OPERATORS)
    made = Analysis([folder])
    made.index()
    return made


TABLE = """
## table.cuh
template <int K> __global__ void rows(float* x) {}
constexpr auto TABLE = std::array<kernel_t, 2> { rows<1>, rows<2> };
void beside(float* x) { }
"""
BODY = "Made::build(x); void* k = pick(n); k<<<1, 32>>>(x); TABLE[n]<<<1, 32>>>(x);"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    folder = tmp_path_factory.mktemp("host")
    for part in (KERNELS + TABLE + HOST.replace("BODY", BODY)).split("\n## ")[1:]:
        name, _, text = part.partition("\n")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    made = Analysis([folder])
    made.index()
    return made


@pytest.fixture
def linkings(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Grows whenever links are made: by the names of the files that are linked anew."""
    found: list[set[str]] = []

    def counted(workspace: Workspace, kept: Mapping[str, CppEdges] | None = None) -> Links:
        made = link(workspace, kept)
        found.append({Path(path).name for path, edges in made.cpp.items() if (kept or {}).get(path) is not edges})
        return made

    monkeypatch.setattr(present_links, "link", counted)
    return found


def told(links: Links) -> tuple[object, ...]:
    """All that links say, places included."""
    nodes = sorted((n.kind.value, n.name, n.path, n.start, n.line, n.detail) for n in links.edges.nodes())
    edges = sorted(
        (e.kind.value, e.path, e.line, e.source.name, e.source.line, e.target.name, e.target.start, e.certain, e.note)
        for e in links.edges
    )
    return nodes, edges, {name: sorted(n.name for n in found) for name, found in links.operators.items()}


def present(analysis: Analysis) -> Links:
    return analysis.navigation.graph()._links


@example("operators.py", [(0, 6, b"lib.impl("), (0, 0, b"\n")])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["steps.cu", "silu_and_mul.cu", "transpose.cu", "bindings.cpp", "megakernel.cu", "operators.py"]),
    st.lists(
        st.tuples(
            st.integers(0, 3000),
            st.integers(0, 12),
            st.sampled_from([b"", b"\n", b" ", b"\n\n", b"// x\n", b"x", b"}", b"f();", b"m.def(", b"namespace a {\n"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_links_are_those_of_linking_anew(analysis: Analysis, name: str, edits: list[tuple[int, int, bytes]]) -> None:
    path = analysis.files.roots[0] + "/csrc/" + name
    data = Path(path).read_bytes()
    try:
        for at, drop, new in edits:
            at = min(at, len(data))
            data = data[:at] + new + data[at + drop :]
            analysis.set_text(Path(path), data)
            assert told(present(analysis)) == told(link(analysis.workspace))
    finally:
        analysis.set_text(Path(path), None)


ANEW = 5
"""Files with C++ of the workspace: more than this are linked when something else is declared."""


@pytest.mark.parametrize(
    ("old", "new", "linked"),
    [
        ("= 1;", "= 1 + 2;", 0),
        ("first(float* x) {", "first(float* x) {\n  // said\n", 0),
        ("namespace other", "\n\nnamespace other", 0),
        ("= 1;", "= f(1);", 1),
        ("&other::go", "&steps::run", 1),
        ("first<<<1, 32>>>(x); second", "first<<<1, 32>>>(x);\n  second", 1),
        ("x[threadIdx.x] = N; }", "run(x); }", 1),
        ("steps::run(x);", "\n\n  steps::run(x);\n  steps::run(x);", 1),
        ("void go", "void gone", ANEW),
        ("void go", "void more() {}\nvoid go", ANEW),
    ],
)
def test_links_of_other_files_are_kept(
    analysis: Analysis, linkings: list[set[str]], old: str, new: str, linked: int
) -> None:
    path = Path(analysis.files.roots[0]) / "csrc" / "steps.cu"
    analysis.set_text(path, None)
    present(analysis)
    linkings.clear()
    try:
        analysis.set_text(path, STEPS.encode())
        present(analysis)
        assert linkings == []
        edited = STEPS.replace(old, new, 1)
        assert edited != STEPS
        analysis.set_text(path, edited.encode())
        now = present(analysis)
        assert sum(len(files) for files in linkings) >= linked
        if linked < ANEW:
            assert linkings == ([{"steps.cu"}] if linked else [])
        assert told(now) == told(link(analysis.workspace))
        analysis.set_text(path, None)
        assert told(present(analysis)) == told(link(analysis.workspace))
    finally:
        analysis.set_text(path, None)


LINKED_WITH = {
    "void hidden(float* x) { ": {"f.cu"},
    "void used_by_all(float* x) { ": {"width.cu"},
    "void* pick(int n) { ": {"picked.cu", "f.cu"},
    "static void build(float* x) { ": {"parts.cuh", "f.cu"},
    "void beside(float* x) { ": {"table.cuh", "f.cu"},
    "Run entry_of(int key) { ": {"entries.cpp"},
    "void run_second(float* x) { ": {"entries.cu", "entries.cpp"},
}
"""Where a call is added, and the files that are linked anew for it."""


@pytest.mark.parametrize("place", LINKED_WITH)
def test_those_are_linked_anew_that_looked_at_more_than_what_is_declared(
    host: Analysis, linkings: list[set[str]], place: str
) -> None:
    paths = map(Path, sorted(host.workspace.index.paths(), reverse=True))
    path = next(path for path in paths if place in path.read_text())
    text = path.read_text()
    try:
        host.set_text(path, text.encode())
        present(host)
        linkings.clear()
        host.set_text(path, text.replace(place, place + "anything(x); ", 1).encode())
        assert told(present(host)) == told(link(host.workspace))
        assert linkings == [LINKED_WITH[place]]
    finally:
        host.set_text(path, None)


SPOT = re.compile(rb"[{;}]|\n")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["a.cu", "f.cu", "parts.cuh", "entries.cu", "entries.cpp", "picked.cu", "width.cu", "wrap.h"]
            ),
            st.integers(0, 200),
            st.one_of(st.sampled_from(list(STARTED)), st.sampled_from(["pick(n);", "// a line\n", "int x = 1;"])),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_links_after_random_statements_are_those_of_linking_anew(
    host: Analysis, edits: list[tuple[str, int, str, bool]]
) -> None:
    texts: dict[Path, bytes] = {}
    try:
        for name, spot, statement, closes in edits:
            path = next(Path(path) for path in host.workspace.index.paths() if Path(path).name == name)
            text = texts.get(path, path.read_bytes())
            spots = [found.end() for found in SPOT.finditer(text)]
            at = spots[spot % len(spots)]
            texts[path] = text[:at] + b" " + statement.encode() + b" " + text[at:]
            host.set_text(path, None if closes else texts[path])
            if closes:
                del texts[path]
            assert told(present(host)) == told(link(host.workspace))
    finally:
        for path in texts:
            host.set_text(path, None)


@pytest.mark.parametrize(
    ("old", "new", "is_moved"),
    [
        ("", "", True),
        ("def shift", "# moved\n\ndef shift", True),
        ("amount=2", "amount=3", True),
        ("x * 2", "(x +\n        x)", True),
        ('"mine"', '"ours"', False),
        ('"shift", shift', '"shift", scale', False),
        ("mine::scale", "mine::scaled", False),
    ],
)
def test_so_they_do_in_python(analysis: Analysis, linkings: list[set[str]], old: str, new: str, is_moved: bool) -> None:
    path = Path(analysis.files.roots[0]) / "csrc" / "operators.py"
    present(analysis)
    linkings.clear()
    try:
        analysis.set_text(path, OPERATORS.replace(old, new, 1).encode())
        now = present(analysis)
        assert (linkings == []) is is_moved
        assert told(now) == told(link(analysis.workspace))
    finally:
        analysis.set_text(path, None)


def test_a_save_without_a_change_of_operators_links_nothing_anew(analysis: Analysis, linkings: list[set[str]]) -> None:
    path = Path(analysis.files.roots[0]) / "csrc" / "steps.cu"
    analysis.set_text(path, STEPS.encode())
    present(analysis)
    linkings.clear()
    path.write_text(STEPS.replace("= 1;", "= 1 + 1;"))
    analysis.set_text(path, path.read_bytes())
    analysis.files_changed([path])
    analysis.workspace.index.settle()
    assert told(present(analysis)) == told(link(analysis.workspace))
    assert linkings == []
    analysis.set_text(path, None)
    path.write_text(STEPS)
    analysis.files_changed([path])
    analysis.workspace.index.settle()
    assert told(present(analysis)) == told(link(analysis.workspace))
