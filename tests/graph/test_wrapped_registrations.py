"""Operators that functions of the workspace register for others, and those that classes inherit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from graph.call_trees import ask, tree
from kernelscope.analysis import Analysis
from kernelscope.graph.kinds import EdgeKind, NodeKind
from kernelscope.workspace.files import Files

Workspace = Callable[[str], Files]

WRAPPED = """
## registry.py
import functools
import torch
def as_op(library: torch.library.Library, decomposed=True):
    def decorator(function):
        name = function.__name__
        if name[0] == "_":
            name = name[1:]
        library.define(name + infer_schema(function))
        library.impl(name, function, "CUDA")
        return function
    return decorator
## skipping.py
import functools
def skip_without_card(message=None):
    def decorator(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper
    if callable(message):
        return decorator(message)
    return decorator
## ops.py
import torch
from torch.library import impl
from registry import as_op
from skipping import skip_without_card
lib = torch.library.Library("mine", "FRAGMENT")
@as_op(lib, False)
def _scale(x): return x
for bits in range(1, 9):
    @impl(lib, f"pack_{bits}_bits", "Meta")
    def _(x): return x
@skip_without_card("later")
def check_scale(): ...
"""


def test_a_function_inside_of_another_registers_for_the_outer_one_only(workspace: Workspace) -> None:
    """Other functions inside of functions may have the same name: tests that skip were told as operators."""
    files = workspace(WRAPPED)
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    graph = analysis.navigation.graph().whole()
    assert sorted(n.name for n in graph.nodes if n.kind is NodeKind.OPERATOR) == ["mine::scale"]


TRIED = """
## test_ops.py
from unittest.mock import patch
import pytest
from registry import as_op
lib = torch.library.Library("mine", "FRAGMENT")
def test_a_bad_operator():
    with pytest.raises(ValueError):
        @as_op(lib)
        def bad(x): return x
def test_a_replaced_one():
    with (patch("torch.cuda") as card, patch("torch.compile")):
        as_op("mine::replaced", lib)(scale)
        @as_op(lib)
        def replaced(x): return x
        lib.impl("applied", scale)
@patch("torch.cuda")
def test_a_patched_one(card):
    @as_op(lib)
    def patched(x): return x
def test_a_good_one():
    with torch.no_grad():
        @as_op(lib)
        def good(x): return x
"""


def test_what_a_test_registers_to_see_it_fail_or_with_parts_replaced_is_no_operator(workspace: Workspace) -> None:
    files = workspace(WRAPPED + TRIED)
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    graph = analysis.navigation.graph().whole()
    found = sorted(n.name for n in graph.nodes if n.kind is NodeKind.OPERATOR)
    assert found == ["*::good", "mine::scale"]


INHERITED = """
## base.h
struct Handle {
  int read(float* x);
  void prepare(float* x);
  virtual void make(float* x);
};
## base.cu
#include "base.h"
__global__ void base_kernel(float* x) {}
__global__ void prepare_kernel(float* x) {}
void Handle::make(float* x) { base_kernel<<<1, 32>>>(x); }
void Handle::prepare(float* x) { prepare_kernel<<<1, 32>>>(x); }
int Handle::read(float* x) { prepare(x); make(x); return 0; }
## fast.h
struct FastHandle : Handle { void make(float* x); };
## fast.cu
#include "fast.h"
__global__ void fast_kernel(float* x) {}
void FastHandle::make(float* x) { fast_kernel<<<1, 32>>>(x); }
## bind.cpp
#include "fast.h"
PYBIND11_MODULE(handles, m) {
  py::class_<FastHandle>(m, "FastHandle").def("read", &FastHandle::read);
}
## use.py
import handles
def use(x):
    h = handles.FastHandle()
    h.read(x)
"""


def test_a_method_that_a_class_inherits_is_what_it_exports(workspace: Workspace) -> None:
    files = workspace(INHERITED)
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    graph = analysis.navigation.graph().whole()
    bound = {edge.target.name for _, _, edge in graph.edges(data="edge") if edge.kind is EdgeKind.BINDS}
    assert bound == {"Handle::read"}
    found = "\n".join(tree(ask(files, "use.py::use")))
    assert "CUDA kernel fast_kernel" in found and "CUDA kernel prepare_kernel" in found
