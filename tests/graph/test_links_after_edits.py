"""Links after edits are those of linking anew, and are moved along where only places differ."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kernelscope.analysis import Analysis
from kernelscope.graph import present_links
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


@pytest.fixture
def linkings(monkeypatch: pytest.MonkeyPatch) -> list[Workspace]:
    """Grows whenever all is linked anew."""
    found: list[Workspace] = []

    def counted(workspace: Workspace) -> Links:
        found.append(workspace)
        return link(workspace)

    monkeypatch.setattr(present_links, "link", counted)
    return found


def told(links: Links) -> tuple[object, ...]:
    """All that links say, places included."""
    nodes = sorted((n.kind.value, n.name, n.path, n.start, n.line, n.detail) for n in links.graph)
    edges = sorted(
        (e.kind.value, e.path, e.line, e.source.name, e.source.line, e.target.name, e.target.start, e.certain, e.note)
        for *_, e in links.graph.edges(data="edge")
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


@pytest.mark.parametrize(
    ("old", "new", "is_moved"),
    [
        ("= 1;", "= 1 + 2;", True),
        ("first(float* x) {", "first(float* x) {\n  // said\n", True),
        ("namespace other", "\n\nnamespace other", True),
        ("= 1;", "= f(1);", False),
        ("&other::go", "&steps::run", False),
        ("void go", "void gone", False),
        ("first<<<1, 32>>>(x); second", "first<<<1, 32>>>(x);\n  second", False),
        ("x[threadIdx.x] = N; }", "run(x); }", False),
    ],
)
def test_links_move_where_only_places_differ(
    analysis: Analysis, linkings: list[Workspace], old: str, new: str, is_moved: bool
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
        assert (linkings == []) is is_moved
        assert told(now) == told(link(analysis.workspace))
        analysis.set_text(path, None)
        assert told(present(analysis)) == told(link(analysis.workspace))
    finally:
        analysis.set_text(path, None)


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
def test_so_they_do_in_python(
    analysis: Analysis, linkings: list[Workspace], old: str, new: str, is_moved: bool
) -> None:
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


def test_a_save_without_a_change_of_operators_links_nothing_anew(analysis: Analysis, linkings: list[Workspace]) -> None:
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
