"""Ways from Python to kernels: each case is a small workspace and the tree that the call path document shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Code, Document
from kernelscope.results import Target, UserError
from kernelscope.workspace.files import Files

Workspace = Callable[[str], Files]

CASES = {
    "schema and implementation in different files, a launch in a macro": (
        "lib/model.py::run",
        """
## lib/__init__.py
## lib/ops.py
import torch
native = torch.ops._C
def scale(x):
    native.scale(x)
## lib/model.py
from lib.ops import scale
from lib import ops
def run(x):
    return ops.scale(x)
## csrc/bind.cpp
TORCH_LIBRARY_FRAGMENT(_C, ops) { ops.def("scale(Tensor! x) -> ()"); }
## csrc/impl.cpp
TORCH_LIBRARY_IMPL(_C, CUDA, m) { m.impl("scale", TORCH_BOX(&scale_cuda)); }
## csrc/scale.cu
template <typename T>
__global__ void scale_kernel(T* x) {}
#define LAUNCH(T) \\
  scale_kernel<T> \\
      <<<grid, 256>>>(x);
void scale_cuda(Tensor& x) { LAUNCH(float); }
""",
        """
Python run()
└─ Python scale()
   └─ operator _C::scale
      └─ registered by impl CUDA: scale
         └─ C++ scale_cuda()
            └─ macro LAUNCH
               └─ launch of scale_kernel over grid
                  └─ CUDA kernel scale_kernel
""",
    ),
    "modules: parts by the class that builds them, lists, super, inheritance": (
        "net.py::Net",
        """
## net.py
import torch.nn as nn
from triton_ops import act
class Base(nn.Module):
    def forward(self, x):
        return act(x)
class Block(Base):
    def forward(self, x):
        return super().forward(x)
class Net(nn.Module):
    def __init__(self):
        self.blocks = nn.ModuleList([Block() for _ in range(4)])
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
## triton_ops.py
import triton
@triton.autotune(configs=[], key=[])
@triton.jit
def act_kernel(x): ...
def act(x):
    act_kernel[(x.numel(),)](x)
""",
        """
Python Net.forward()
└─ Python Block.forward()
   └─ Python Base.forward()
      └─ Python act()
         └─ launch of act_kernel over (x.numel(),)
            └─ Triton kernel act_kernel
""",
    ),
    "custom operators of Python, wrapped registration, autograd functions": (
        "use.py::use",
        """
## registry.py
from torch.library import Library
lib = Library("mine", "FRAGMENT")
def register(op_name, op_func, fake=None):
    lib.define(op_name + infer(op_func))
    lib.impl(op_name, op_func, "CUDA")
## late.py
from registry import register
from kern import launch
def late_impl(x):
    launch(x)
register(op_name="late", op_func=late_impl)
## kern.py
import triton
@triton.jit
def k(x): ...
def launch(x):
    k[(1,)](x)
## use.py
import torch
class Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.ops.mine.late(x)
def use(x):
    return Fn.apply(x)
""",
        """
Python use()
└─ Python Fn.forward()
   └─ operator mine::late
      └─ registered by custom_op by register: late
         └─ Python late_impl()
            └─ Python launch()
               └─ launch of k over (1,)
                  └─ Triton kernel k
""",
    ),
    "kernels passed on and through variables": (
        "a.cu::host",
        """
## a.cu
__global__ void one(int* x) {}
__global__ void two(int* x) {}
template <typename K> void start(K k, int* x) { k<<<1, 2>>>(x); }
void host(int* x) {
  auto kernel = &one;
  kernel<<<dim3(4, 2), 32>>>(x);
  start(two, x);
}
""",
        """
C++ host()
├─ launch of kernel over dim3(4, 2)
│  └─ CUDA kernel one
├─ ? CUDA kernel two
└─ C++ start()
   └─ launch of k over 1
      └─ missing: the kernel behind `k` is chosen at run time or lies outside the workspace
""",
    ),
    "pybind and load_inline": (
        "m.py::f",
        """
## m.py
from torch.utils.cpp_extension import load_inline
import my_ext
def f(x):
    return my_ext.twice(x)
## ext.cu
__global__ void twice_kernel(float* x) {}
torch::Tensor twice(torch::Tensor x) { twice_kernel<<<1, 1>>>(x); return x; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("twice", &twice, "doc"); }
""",
        """
Python f()
└─ operator *::twice
   └─ registered by pybind: twice
      └─ C++ twice()
         └─ launch of twice_kernel over 1
            └─ CUDA kernel twice_kernel
""",
    ),
    "a hop that the workspace does not show": (
        "m.py::f",
        """
## m.py
import torch
def f(x):
    return torch.ops.other.op(x)
""",
        """
Python f()
└─ operator other::op
   └─ missing: no registration of other::op in the workspace
""",
    ),
}


def ask(files: Files, symbol: str) -> Document:
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    path, _, name = symbol.partition("::")
    return analysis.document("path", Target(Path(files.roots[0], path), None, name))


def tree(document: Document) -> list[str]:
    code = next(block for block in document.blocks if isinstance(block, Code))
    return [line.text for line in code.lines]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_call_path(case: str, workspace: Workspace) -> None:
    symbol, text, expected = CASES[case]
    assert tree(ask(workspace(text), symbol)) == expected.strip().split("\n")


def test_from_a_kernel_up_to_the_model(workspace: Workspace) -> None:
    files = workspace(CASES["modules: parts by the class that builds them, lists, super, inheritance"][1])
    assert tree(ask(files, "triton_ops.py::act_kernel")) == [
        "Triton kernel act_kernel",
        "└─ launch of act_kernel over (x.numel(),)",
        "   └─ Python act()",
        "      └─ Python Base.forward()",
        "         └─ Python Block.forward()",
        "            └─ Python Net.forward()",
    ]


def test_the_same_answer_whatever_was_asked_before(workspace: Workspace) -> None:
    files = workspace(CASES["custom operators of Python, wrapped registration, autograd functions"][1])
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    target = Target(Path(files.roots[0], "use.py"), None, "use")
    first = analysis.document("path", target)
    analysis.document("path", Target(Path(files.roots[0], "kern.py"), None, "k"))
    assert analysis.document("path", target) == first


def test_nothing_to_show_is_one_clear_line(workspace: Workspace) -> None:
    files = workspace("## m.py\nx = 1\n")
    with pytest.raises(UserError, match=r"m\.py defines no function or kernel f"):
        ask(files, "m.py::f")
