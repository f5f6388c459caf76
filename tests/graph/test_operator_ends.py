"""The operators of a folder on one page: what each comes to, by groups, and what is missing where that is no kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from graph.call_trees import ask
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Document, Heading, Paragraph, Table
from kernelscope.results import UserError
from kernelscope.workspace.files import Files

Workspace = Callable[[str], Files]

OPERATORS = """
## ops.cu
__global__ void scale_kernel(float* x) { x[threadIdx.x] *= 2; }
__global__ void shift_kernel(float* x) { x[threadIdx.x] += 2; }
void scale(torch::Tensor& x, int n) {
  scale_kernel<<<1, 32>>>(x.data_ptr<float>());
  auto chosen = n > 4 ? &shift_kernel : &turn_kernel;
  chosen<<<1, 32>>>(x);
}
__global__ void turn_kernel(float* x) { x[threadIdx.x] = -x[threadIdx.x]; }
void scale_on_cpu(torch::Tensor& x) { loop(x); }
void sort(torch::Tensor& x) { cub::DeviceRadixSort::SortKeys(work, bytes, x); }
int64_t workspace_size(int64_t n) { return n * 4; }
void copied(torch::Tensor& x) { cudaMemcpyAsync(x, x, 4); }
void moved(torch::Tensor& addresses) { cudaMemcpyAsync(addresses, addresses, 4); }
void held(torch::Tensor& x) { find_one(x)->begin_work(x); }
struct Held { void begin_work(torch::Tensor& x) { shift_kernel<<<1, 32>>>(x); } };
struct Kept { void begin_work(torch::Tensor& x) { turn_kernel<<<1, 32>>>(x); } };
void asked(torch::Tensor& x) { words::size_t(4); Status::Good(); }
void graphed(torch::Tensor& x) { auto graph = cudnn_frontend::graph::Graph(); }
#include "status.h"
void by_the_build(int n);
void built(torch::Tensor& x) { by_the_build(4); }
TORCH_LIBRARY(mine, m) {
  m.def("scale(Tensor! x) -> ()");
  m.impl("scale", torch::kCUDA, &scale);
  m.def("on_cpu(Tensor! x) -> ()");
  m.impl("on_cpu", torch::kCPU, &scale_on_cpu);
  m.def("sort(Tensor! x) -> ()", &sort);
  m.def("workspace_size(int n) -> int", &workspace_size);
  m.def("copied(Tensor! x) -> ()", &copied);
  m.def("built(Tensor! x) -> ()", &built);
  m.def("moved(Tensor! addresses) -> ()");
  m.impl("moved", torch::kCPU, &moved);
  m.def("held(Tensor! x) -> ()", &held);
  m.def("asked(Tensor! x) -> ()", &asked);
  m.def("graphed(Tensor! x) -> ()", &graphed);
  m.def("declared_only(Tensor! x) -> ()");
}
## status.h
using Status = xla::ffi::Error;
## ops.py
import torch
import torch.distributed as dist
import others
@torch.library.custom_op("mine::outside", mutates_args=())
def outside(x: torch.Tensor) -> torch.Tensor:
    return others.fused(x)
@torch.library.custom_op("mine::plain", mutates_args=())
def plain(x: torch.Tensor) -> torch.Tensor:
    return torch.mm(x, x)
@torch.library.custom_op("mine::summed", mutates_args=("x",))
def summed(x: torch.Tensor) -> None:
    dist.all_reduce(x)
@torch.library.custom_op("mine::unknown", mutates_args=())
def unknown(x: torch.Tensor, run) -> torch.Tensor:
    return run(x)
@torch.library.register_fake("mine::declared_only")
def _(x):
    return None
"""
ENDS = {
    "Come to a kernel": {"mine::scale": "scale_kernel, ? shift_kernel +1"},
    "Come to a kernel of a library": {"mine::sort": "CUB: cub::DeviceRadixSort::SortKeys"},
    "End outside of the workspace": {
        "mine::built": "by_the_build is declared, but defined nowhere in the workspace (made by the build?)",
        "mine::graphed": "cudnn_frontend::graph::Graph lies outside of the workspace",
        "mine::outside": "others.fused lies outside of the workspace",
    },
    "Run on the CPU": {"mine::on_cpu": "scale_on_cpu"},
    "Run on the host, as far as their calls can be followed": {
        "mine::asked": "asked",
        "mine::workspace_size": "workspace_size",
    },
    "Copy or fill memory by the runtime": {
        "mine::copied": "cudaMemcpyAsync copies or fills memory, without a kernel of the workspace",
        "mine::moved": "cudaMemcpyAsync copies or fills memory, without a kernel of the workspace",
    },
    "Communicate only": {"mine::summed": "no kernel of the workspace, but collectives: all_reduce"},
    "End in PyTorch's own operators": {"mine::plain": "PyTorch's own torch.mm computes"},
    "Come to no kernel that could be found": {
        "mine::held": "`.begin_work()`: the object is not known; 2 methods of this name start a kernel",
        "mine::unknown": "`run()`: what it stands for is not known",
    },
    "Have no implementation in the workspace": {
        "mine::declared_only": "no implementation of mine::declared_only in the workspace"
    },
}


def groups(document: Document) -> dict[str, dict[str, str]]:
    """Per heading the operators and their ends; what implements them where the heading says how they end."""
    found: dict[str, dict[str, str]] = {}
    title = ""
    for block in document.blocks:
        if isinstance(block, Heading):
            title = block.text
        elif isinstance(block, Table):
            found[title] = {row[0].text: row[-1].text for row in block.rows}
    return found


def test_every_operator_is_listed_with_its_end(workspace: Workspace) -> None:
    document = ask(workspace(OPERATORS), "")
    expected = {f"{group} ({len(members)})": members for group, members in ENDS.items()}
    assert groups(document) == expected
    assert document.title.startswith("Operators of ")
    assert document.notes == ("? marks an end that lies behind a hop with several possible targets",)


def test_the_share_that_comes_to_a_kernel_is_said(workspace: Workspace) -> None:
    (first, *_) = (block for block in ask(workspace(OPERATORS), "").blocks if isinstance(block, Paragraph))
    assert [line.text for line in first.lines] == [
        "14 of 15 (93 %) operators have an implementation in the workspace.",
        "2 of 14 (14 %) of them come to a kernel. "
        "Of the 11 that run neither on the CPU nor on the host these are 18 %.",
        "The calls of 3 lead out of the workspace before any kernel. Of the other 8 25 % come to one.",
        "Packages outside of the workspace in which others end: cudnn 1, others 1.",
    ]


def test_cells_lead_to_schema_implementation_and_kernel(workspace: Workspace) -> None:
    files = workspace(OPERATORS)
    lines = Path(files.roots[0], "ops.cu").read_text().splitlines()
    (table, *_) = (block for block in ask(files, "").blocks if isinstance(block, Table))
    places = [cell.location.line for cell in table.rows[0] if cell.location is not None]
    assert [lines[line - 1].strip().partition("(")[0] for line in places] == [
        "m.def", "void scale", "__global__ void scale_kernel",
    ]  # fmt: skip


def test_operators_of_a_folder_are_those_that_its_files_register(workspace: Workspace) -> None:
    files = workspace(OPERATORS + "## other/more.py\nimport torch\nlib = torch.library.Library('more', 'DEF')\n")
    with pytest.raises(UserError, match="other registers no operator; name a function or kernel as FILE::symbol"):
        ask(files, "other")


def test_the_whole_graph_says_what_is_missing_behind_operators(workspace: Workspace) -> None:
    files = workspace(OPERATORS)
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    told = {
        node["name"] for node in cast("list[dict[str, Any]]", analysis.graph()["nodes"]) if node["kind"] == "missing"
    }
    assert {"others.fused lies outside of the workspace", "`run()`: what it stands for is not known"} <= told
