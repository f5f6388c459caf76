"""Jumping from a cursor (‸ right before it) to definitions, uses and callers, across files and languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.graph.receivers import MAX_HELD
from kernelscope.results import Location
from kernelscope.workspace.files import Files

Workspace = Callable[[str], Files]

SOURCE = """
## app/__init__.py
from .layers import Norm
## app/layers.py
import torch
from torch import nn
EPS = 1e-6
class Norm(nn.Module):
    def __init__(self, size):
        self.weight = nn.Parameter(torch.ones(size))
    def forward(self, x):
        return scale(x, self.weight) + EPS
def scale(x, w):
    out = torch.empty_like(x)
    torch.ops.app.scale(out, x, w)
    return out
## app/model.py
import app
from app.layers import scale as rescale
class Model(app.Norm):
    def __init__(self):
        super().__init__(4)
        self.norm = app.Norm(4)
    def forward(self, x):
        from app.layers import EPS as eps
        y = self.norm(x)
        for z in y:
            z = rescale(z, self.weight) * eps
        return y
## csrc/app.cu
__device__ float mul(float a, float b) { return a * b; }
__global__ void scale_kernel(float* out) { out[0] = mul(out[0], 2); }
void scale(Tensor& out, Tensor& x, Tensor& w) { scale_kernel<<<1, 1>>>(out); }
TORCH_LIBRARY(app, m) {
  m.def("scale(Tensor! out, Tensor x, Tensor w) -> ()");
  m.impl("scale", torch::kCUDA, &scale);
}
"""

DEFINITIONS = {
    "app/model.py: return ‸y": ["model.py:9"],
    "app/model.py: self.‸norm(x)": ["model.py:6"],
    "app/model.py: ‸rescale(z": ["layers.py:9"],
    "app/model.py: self.‸weight": ["layers.py:6"],
    "app/model.py: super().‸__init__": ["layers.py:5"],
    "app/model.py: * ‸eps": ["layers.py:3"],
    "app/model.py: class Model(app.‸Norm": ["layers.py:4"],
    "app/model.py: ‸app.Norm(4)": ["__init__.py:1"],
    "app/model.py: import ‸app": ["__init__.py:1"],
    "app/model.py: from app.layers import ‸scale": ["layers.py:9"],
    "app/model.py: rescale(‸z": ["model.py:10"],
    "app/layers.py: ops.app.‸scale": ["app.cu:2"],
    "app/layers.py: + ‸EPS": ["layers.py:3"],
    "csrc/app.cu: = ‸mul(": ["app.cu:1"],
    "csrc/app.cu: ‸scale_kernel<<<": ["app.cu:2"],
    "app/layers.py: torch.‸ones": [],
}


TYPED = """
## parts.py
from abc import ABC, abstractmethod
class Part(ABC):
    size: int
    @abstractmethod
    def run(self, x): ...
    def stop(self): ...
class Fast(Part):
    def run(self, x):
        return x
class Slow(Part):
    def run(self, x):
        return x + 1
class Holder:
    part: "Part"
    table: dict[str, Fast]
    makers: list[type[Slow]]
    def __init__(self, part: Part | None, slow=None):
        self.given = part
        self.slow = slow or Slow()
    @property
    def first(self) -> Fast:
        return self.table["first"]
def holder_of(name) -> tuple[int, "Holder | None"]:
    return 0, registry[name]
registry: dict[str, Holder]
default = Holder(None)
## use.py
from parts import Fast, holder_of, registry, default
import parts
def declared(holder: parts.Holder, fast: list[Fast]):
    holder.part.run(1)
    holder.part.stop()
    holder.table["a"].run(2)
    holder.first.run(3)
    holder.given.size
    for one in fast:
        one.run(4)
    holder.makers[0]().run(5)
def unpacked(name):
    _, self = holder_of(name)
    self.slow.run(6)
    with Fast() as opened:
        opened.run(7)
    registry[name].first.run(8)
    (default if name else registry[name]).slow.run(9)
    made = Fast() if name else default.slow
    made.run(10)
    default.slow.run(11)
"""

BY_TYPE = {
    "use.py: holder.part.‸run(1)": ["parts.py:5"],
    "use.py: holder.part.‸stop": ["parts.py:6"],
    'use.py: holder.table["a"].‸run(2': ["parts.py:8"],
    "use.py: holder.first.‸run(3": ["parts.py:8"],
    "use.py: holder.given.‸size": ["parts.py:3"],
    "use.py: one.‸run(4": ["parts.py:8"],
    "use.py: makers[0]().‸run(5": ["parts.py:11"],
    "use.py: self.slow.‸run(6": ["parts.py:11"],
    "use.py: opened.‸run(7": ["parts.py:8"],
    "use.py: .first.‸run(8": ["parts.py:8"],
    "use.py: .slow.‸run(9": ["parts.py:11"],
    "use.py: made.‸run(10": ["parts.py:8", "parts.py:11"],
    "use.py: default.slow.‸run(11": ["parts.py:11"],
    "use.py: default.‸slow.run(11": ["parts.py:19"],
}


@pytest.mark.parametrize("text", BY_TYPE, ids=str)
def test_definition_by_what_is_declared(text: str, workspace: Workspace) -> None:
    files = workspace(TYPED)
    made = Analysis([Path(files.roots[0])])
    assert places(made.definition(*cursor(made, text))) == BY_TYPE[text]


NATIVE = """
## ops.py
import ctypes
import torch
import fused_ext
lib = ctypes.CDLL("libscale.so")
class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        fused_ext.scale_forward(x)
        lib.scale_c(x)
        return x
def scale(x):
    return Scale.apply(x)
## csrc/scale.h
struct Layer {
  virtual void fwd(float* x) = 0;
};
struct Norm : Layer {
  void fwd(float* x) { scale_kernel<<<1, 1>>>(x); }
};
## jit.py
from torch.utils.cpp_extension import load
lib = load(name="lib", sources=["csrc/scale.cu"])
lib.scale_forward(4)
def run(measure, x):
    own = load(name="own", sources=["csrc/scale.cu"])
    measure(own.scale_c, x)
    x.scale_c
## csrc/scale.cu
#include "scale.h"
__global__ void scale_kernel(float* x) {}
__global__ void other_kernel(float* x) {}
void (*scale_kernels[2])(float*) = { scale_kernel, other_kernel };
void forward(float* x) {
  Norm* norm = new Norm();
  norm->fwd(x);
  scale_kernels[1]<<<1, 1>>>(x);
}
extern "C" void scale_c(float* x) { forward(x); }
PYBIND11_MODULE(fused_ext, m) { m.def("scale_forward", &forward); }
"""

BY_CALL_PATH = {
    "ops.py: Scale.‸apply": ["ops.py:7"],
    "ops.py: fused_ext.‸scale_forward": ["scale.cu:3", "scale.cu:2"],
    "ops.py: lib.‸scale_c": ["scale.cu:10"],
    "jit.py: \nlib.‸scale_forward": ["scale.cu:3", "scale.cu:2"],
    "jit.py: measure(own.‸scale_c": ["scale.cu:3", "scale.cu:2"],
    "jit.py: x.‸scale_c": [],
    "csrc/scale.cu: norm->‸fwd": ["scale.h:5"],
    "csrc/scale.cu: ‸scale_kernels[1]": ["scale.cu:4"],
}


@pytest.mark.parametrize("text", BY_CALL_PATH, ids=str)
def test_definition_by_what_call_paths_know(text: str, workspace: Workspace) -> None:
    made = Analysis([Path(workspace(NATIVE).roots[0])])
    made.index()
    assert places(made.definition(*cursor(made, text))) == BY_CALL_PATH[text]


IMPLEMENTATIONS = {
    "parts.py: def ‸run(self, x): ...": ["parts.py:8", "parts.py:11"],
    "use.py: holder.part.‸run(1)": ["parts.py:8", "parts.py:11"],
    "parts.py: class ‸Part(": ["parts.py:7", "parts.py:10"],
    "use.py: one.‸run(4": ["parts.py:8"],
}


@pytest.mark.parametrize("text", IMPLEMENTATIONS, ids=str)
def test_implementation(text: str, workspace: Workspace) -> None:
    made = Analysis([Path(workspace(TYPED).roots[0])])
    made.index()
    assert places(made.implementation(*cursor(made, text))) == IMPLEMENTATIONS[text]


def test_what_implements_an_operator(analysis: Analysis) -> None:
    assert places(analysis.implementation(*cursor(analysis, "app/layers.py: ops.app.‸scale"))) == ["app.cu:3"]


@pytest.fixture
def analysis(workspace: Workspace) -> Analysis:
    files = workspace(SOURCE)
    made = Analysis([Path(files.roots[0])])
    made.index()
    return made


def cursor(analysis: Analysis, text: str) -> tuple[Path, int]:
    name, _, rest = text.partition(": ")
    path = analysis.roots[0] / name
    before, _, after = rest.partition("‸")
    offset = path.read_text().index(before + after) + len(before)
    return path, len(path.read_text()[:offset].encode())


def places(found: object) -> list[str]:
    assert isinstance(found, (list, tuple))
    return [str(place) for place in found if isinstance(place, Location)]


@pytest.mark.parametrize("text", DEFINITIONS, ids=str)
def test_definition(text: str, analysis: Analysis) -> None:
    assert places(analysis.definition(*cursor(analysis, text))) == DEFINITIONS[text]


def test_references_are_resolved_not_matched(analysis: Analysis) -> None:
    found = places(analysis.references(*cursor(analysis, "app/layers.py: def ‸scale")))
    assert found == ["layers.py:8", "layers.py:9", "model.py:2"]


REFERENCES = {
    "app/model.py: for ‸z": ["model.py:10", "model.py:11", "model.py:11"],
    "app/layers.py: ‸EPS": ["layers.py:3", "layers.py:8", "model.py:8"],
    "app/layers.py: class ‸Norm": ["__init__.py:1", "layers.py:4", "model.py:3", "model.py:6"],
    "app/layers.py: self.‸weight =": ["layers.py:6", "layers.py:8", "model.py:11"],
    "app/layers.py: import ‸torch": [],
    "app/layers.py: torch.‸ones": [],
    "csrc/app.cu: ‸mul(float": ["app.cu:1", "app.cu:2"],
}


@pytest.mark.parametrize("text", REFERENCES, ids=str)
def test_references(text: str, analysis: Analysis) -> None:
    assert sorted(places(analysis.references(*cursor(analysis, text)))) == REFERENCES[text]


def test_only_files_that_may_import_a_name_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts of a file are made when they are asked for: a common name stands in thousands."""
    (tmp_path / "a.py").write_text("def shared(x):\n    return x\n")
    (tmp_path / "b.py").write_text("def shared(y):\n    return 'import'\n")
    (tmp_path / "c.py").write_text("from a import ( # of (a)\n  other, # )\n  shared,\n)\nshared(1)\n")
    (tmp_path / "d.py").write_text("from a import other, \\\n  shared\nshared(2)\n")
    (tmp_path / "e.py").write_text("from a import *\nshared(3)\n")
    (tmp_path / "f.py").write_text("import a as b\nb.shared(4)\nb.other.shared(5)\n")
    analysis = Analysis([tmp_path])
    asked: list[str] = []
    facts = analysis.workspace.index.facts
    monkeypatch.setattr(analysis.workspace.index, "facts", lambda path: asked.append(Path(path).name) or facts(path))
    analysis.index()
    asked.clear()
    found = places(analysis.references(tmp_path / "a.py", 4))
    assert found == ["a.py:1", "c.py:3", "c.py:5", "d.py:2", "d.py:3", "e.py:2", "f.py:2"]
    assert "b.py" not in asked


def test_call_hierarchy_climbs_from_the_kernel_to_the_model(analysis: Analysis) -> None:
    climbed: list[str] = []
    path, offset = cursor(analysis, "csrc/app.cu: void ‸scale_kernel")
    for _ in range(4):
        calls = analysis.incoming_calls(path, offset)
        call = calls[0]
        climbed.append(f"{call.symbol.container or '-'} {call.symbol.name} from {[str(s) for s in call.sites]}")
        place = call.symbol.location
        path = place.path
        lines = path.read_bytes().split(b"\n")
        offset = sum(len(line) + 1 for line in lines[: place.line - 1]) + place.column
    assert climbed == [
        "- scale from ['app.cu:3']",
        "- scale from ['layers.py:11']",
        "Norm forward from ['layers.py:8']",
        "Model forward from ['model.py:9']",
    ]


def test_callers_in_tests_come_last(workspace: Workspace) -> None:
    """Who climbs from a kernel wants the model first; its tests are often the first that the index reads."""
    files = workspace(
        """
## a_tests/tests/use.py
from nets.ops import scale
def check():
    scale(1)
## a_tests/test_use.py
from nets.ops import scale
def check_again():
    scale(1)
## nets/__init__.py
## nets/ops.py
def scale(x):
    return x
## z_model.py
from nets.ops import scale
def forward(x):
    return scale(x)
"""
    )
    made = Analysis([Path(files.roots[0])])
    made.index()
    calls = made.incoming_calls(*cursor(made, "nets/ops.py: def ‸scale"))
    assert calls[0].symbol.name == "forward"
    assert {call.symbol.name for call in calls[1:]} == {"check", "check_again"}


def test_outgoing_calls_pass_through_operators(analysis: Analysis) -> None:
    calls = analysis.outgoing_calls(*cursor(analysis, "app/layers.py: def ‸scale"))
    assert [(c.symbol.name, str(c.symbol.location), [str(s) for s in c.sites]) for c in calls] == [
        ("scale", "app.cu:3", ["layers.py:11"])
    ]


def test_odd_places_answer_nothing(analysis: Analysis) -> None:
    path = analysis.roots[0] / "app" / "model.py"
    for offset in (0, 10**9, 5):
        analysis.definition(path, offset)
        analysis.references(path, offset)
        analysis.incoming_calls(path, offset)
    gone = analysis.roots[0] / "gone.py"
    assert (analysis.definition(gone, 3), analysis.references(gone, 3)) == ([], [])


CALLS = """
## m.py
import torch
import triton
import torch.distributed as dist
@triton.jit
def k(x): ...
def scale(x):
    k[(1,)](x)
    k[(2,)](x)
    dist.all_reduce(x)
def plain(parts, x):
    return parts[0](x)
def both(x, y):
    scale(y)
    plain([], y)
## a.cu
__global__ void k(int n) {}
void host(int n) { k<<<1, 32>>>(n); ncclAllReduce(n, n); ncclSend(n); }
void quiet(int n) { }
"""


def test_lenses_count_launches_and_collectives(workspace: Workspace) -> None:
    root = Path(workspace(CALLS).roots[0])
    analysis = Analysis([root])
    analysis.index()
    analysis.navigation.graph()
    titles: dict[str, str | None] = {}
    for name in ("m.py", "a.cu"):
        data = (root / name).read_bytes()
        for lens in analysis.lenses(root / name):
            titles[data[lens.span.start : lens.span.end].decode()] = analysis.resolve_lens(lens).title
    assert titles == {
        "scale": "2 launches · 1 collective", "plain": "call path",
        "k": "explain kernel", "host": "1 launch · 2 collectives",
    }  # fmt: skip


def test_the_hover_of_a_call_names_the_kernels_behind_it(workspace: Workspace) -> None:
    root = Path(workspace(CALLS).roots[0])
    analysis = Analysis([root])
    analysis.index()
    path, data = root / "m.py", (root / "m.py").read_bytes()
    told = analysis.hover(path, data.index(b"scale(y)"))
    assert told and told.notes == ("reaches k",)
    assert [link.title for link in told.links] == ["m.py:6", "m.py:5"]
    no_kernel = analysis.hover(path, data.index(b"plain([]"))
    assert no_kernel and no_kernel.notes == ()


OUTSIDE_OF_CLASSES = """
## sort/sorter.h
struct Sorter {
  int bits(int n);
};
## sort/sorter.cu
#include "sorter.h"
int Sorter::bits(int n) { return n; }
int unused(Sorter s) { return s.bits(2); }
## top/use.cu
#include "../sort/sorter.h"
int use(Sorter sorter) { return sorter.bits(3); }
"""


def test_methods_that_are_defined_outside_of_their_class_are_found_by_name(workspace: Workspace) -> None:
    made = Analysis([Path(workspace(OUTSIDE_OF_CLASSES).roots[0])])
    made.index()
    for text in ("sort/sorter.cu: s.‸bits", "top/use.cu: sorter.‸bits"):
        assert places(made.definition(*cursor(made, text))) == ["sorter.cu:2"]
    assert [(found.name, found.container) for found in made.find_symbols("bits")] == [("bits", "Sorter")]


def test_few_trees_are_held_for_what_stands_in_for_classes(workspace: Workspace) -> None:
    text = "".join(f"## base{i}.py\nclass Base{i}:\n    def run(self): raise NotImplementedError\n" for i in range(12))
    for i in range(12):
        for j in range(9):
            text += (
                f"## below{i}_{j}.py\nfrom base{i} import Base{i}\nclass Below{j}(Base{i}):\n    def run(self): ...\n"
            )
    analysis = Analysis([Path(workspace(text).roots[0])])
    analysis.index()
    graph = analysis.navigation.graph()
    for i in [*range(12), *range(12)]:
        base = analysis.workspace.modules.definition(str(analysis.roots[0] / f"base{i}.py"), f"Base{i}")
        assert base is not None
        assert [Path(found.path).name for found in graph.stand_ins(base)] == [f"below{i}_{j}.py" for j in range(9)]
    assert 0 < sum(map(len, graph._receivers._held.values())) <= MAX_HELD


WITHOUT_KERNELS = """
## ops.py
import torch
lib = torch.library.Library("own", "FRAGMENT")
lib.define("pack(Tensor x) -> Tensor")
def _pack(x, width):
    return x
lib.impl("pack", lambda x: _pack(x, 4), "CPU")
@torch.library.register_fake("own::pack")
def _(x):
    return x
def prepare():
    def turn(x):
        return x
    lib.impl("turn", turn, "CPU")
lib.impl("odd", lambda x: x + 1, "CPU")
def use(x):
    torch.ops.own.pack(x)
    torch.ops.own.turn(x)
    torch.ops.own.odd(x)
    torch.ops.own.host(x)
## host.cpp
at::Tensor helper(at::Tensor x) { return x; }
at::Tensor host(at::Tensor x) { return helper(x); }
TORCH_LIBRARY_FRAGMENT(own, m) {
  m.def("host(Tensor x) -> Tensor");
  m.impl("host", torch::kCPU, &host);
}
"""
IMPLEMENTED = {
    "ops.py: torch.ops.own.‸pack(x)": ["ops.py:4"],
    "ops.py: torch.ops.own.‸turn(x)": ["ops.py:11"],
    "ops.py: torch.ops.own.‸odd(x)": ["ops.py:14"],
    "ops.py: torch.ops.own.‸host(x)": ["host.cpp:2"],
}


@pytest.mark.parametrize("text", IMPLEMENTED, ids=str)
def test_operators_without_a_kernel_are_their_implementations(text: str, workspace: Workspace) -> None:
    """Not what these call, nor what is told of shapes alone."""
    made = Analysis([Path(workspace(WITHOUT_KERNELS).roots[0])])
    made.index()
    assert places(made.definition(*cursor(made, text))) == IMPLEMENTED[text]


def test_a_lambda_that_implements_an_operator_is_said_to(workspace: Workspace) -> None:
    made = Analysis([Path(workspace(WITHOUT_KERNELS).roots[0])])
    made.index()
    graph = made.navigation.graph()
    (odd,) = graph.operators("own::odd")
    bound = [edge.target.name for binding in graph.out_edges(odd) for edge in graph.out_edges(binding.target)]
    assert bound == ["the implementation of odd is a lambda"]
