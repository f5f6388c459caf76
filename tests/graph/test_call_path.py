"""Ways from Python to kernels: each case is a small workspace and the tree that the call path document shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from graph.call_trees import ask, tree
from kernelscope.analysis import Analysis
from kernelscope.explain.document import Code, Heading, Paragraph
from kernelscope.graph.collectives import collective
from kernelscope.results import Target, UserError
from kernelscope.workspace.files import Files

Workspace = Callable[[str], Files]

CASES = {
    "the address of a function that an element of a table is set to": (
        "table.cu::go",
        """
## table.cu
__global__ void k(float* x, int n) { x[threadIdx.x] = n; }
template <int N>
void run(float* x, int n) { k<<<1, 32>>>(x, n); }
__global__ void unused(float* x) { x[threadIdx.x] = 0; }
void other(float* x) { unused<<<1, 32>>>(x); }
using F = void (*)(float*, int);
template <int N>
struct Fill {
  static void populate(std::array<F, 8>* table) {
    (*table)[N] = &run<N>;
  }
};
void go(float* x, int n, int which) {
  static std::array<F, 8> table;
  int other = 3;
  state.at = &other;
  Fill<7>::populate(&table);
  table[which](x, n);
}
""",
        """
C++ go()
└─ C++ Fill::populate()
   └─ ? C++ run()
      └─ launch of k over 1
         └─ CUDA kernel k
""",
    ),
    "a tensor of torch is none of a class of the program that has its name": (
        "engine.cu::go",
        """
## engine.cu
__global__ void k(float* x) { x[threadIdx.x] = 1; }
__global__ void fill(float* x) { x[threadIdx.x] = 0; }
namespace engine {
struct Tensor {
  Tensor(int n) { fill<<<1, 32>>>(nullptr); }
  void touch() { k<<<1, 32>>>(data); }
  float* data;
};
}
void theirs(const at::Tensor& t, std::vector<torch::Tensor> all) {
  torch::Tensor other(t.size(0));
  t.touch();
  all[0].touch();
}
void go(at::Tensor t, engine::Tensor own) {
  theirs(t, {});
  own.touch();
}
""",
        """
C++ go()
└─ C++ Tensor::touch()
   └─ launch of k over 1
      └─ CUDA kernel k
""",
    ),
    "a method that a class inherits": (
        "models.py::Model.step",
        """
## kernels.py
import triton
@triton.jit
def add_kernel(x): ...
## base.py
from kernels import add_kernel
class Base:
    def step(self, x):
        add_kernel[(1,)](x)
## models.py
from base import Base
class Model(Base): ...
""",
        """
Python Base.step()
└─ launch of add_kernel over (1,)
   └─ Triton kernel add_kernel
""",
    ),
    "a method that a class leaves to those below, which keep others in its place": (
        "layer.py::Layer.step",
        """
## kernels.py
import triton
@triton.jit
def add_kernel(x): ...
@triton.jit
def wide_kernel(x): ...
@triton.jit
def norm_kernel(x): ...
def add(x):
    add_kernel[(1,)](x)
def wide(x):
    wide_kernel[(1,)](x)
def norm(x):
    norm_kernel[(1,)](x)
## layer.py
class Layer:
    def attend(self, x):
        raise Exception("to be written")
    def normed(self, x):
        if x is None:
            return x
        raise ValueError(x)
    def step(self, x):
        return self.attend(self.normed(x))
## models.py
from functools import partial
from kernels import add, norm, wide
from layer import Layer
class Plain(Layer):
    def __init__(self, mode):
        self.limit = max(self.fast, 1)
        if mode == "wide":
            self.attend = partial(Plain.slow, self)
        else:
            self.attend = self.fast if mode else self.slow
    def fast(self, x):
        add(x)
    def slow(self, x):
        wide(x)
class Other(Layer):
    def attend(self, x):
        norm(x)
    def normed(self, x):
        norm(x)
""",
        """
Python Layer.step()
├─ ? Python Other.attend()
│  └─ Python norm()
│     └─ launch of norm_kernel over (1,)
│        └─ Triton kernel norm_kernel
├─ ? Python Plain.fast()
│  └─ Python add()
│     └─ launch of add_kernel over (1,)
│        └─ Triton kernel add_kernel
└─ ? Python Plain.slow()
   └─ Python wide()
      └─ launch of wide_kernel over (1,)
         └─ Triton kernel wide_kernel
""",
    ),
    "a method that a call names by a text, which what is called looks up": (
        "engine.py::Engine.step",
        """
## kernels.py
import triton
@triton.jit
def add_kernel(x): ...
def add(x):
    add_kernel[(1,)](x)
## executor.py
def run_method(worker, method, args):
    return getattr(worker, method)(*args)
class Executor:
    def on_workers(self, method, args):
        raise NotImplementedError
    def execute_batch(self, batch):
        return self.on_workers(  # of whatever kind
            "execute_batch", (batch,))
    def note_batch(self, batch):
        return self.write_down("execute_batch", batch)
    def write_down(self, title, batch):
        print(title, batch)
class OneWorker(Executor):
    def on_workers(self, method, args):
        return run_method(self.worker, method, args)
## worker.py
from kernels import add
class Worker:
    def execute_batch(self, batch):
        add(batch)
## engine.py
from executor import Executor
class Engine:
    def __init__(self, executor: Executor):
        self.executor = executor
    def step(self, batch):
        self.executor.note_batch(batch)
        return self.executor.execute_batch(batch)
""",
        """
Python Engine.step()
└─ Python Executor.execute_batch()
   └─ ? Python Worker.execute_batch()
      └─ Python add()
         └─ launch of add_kernel over (1,)
            └─ Triton kernel add_kernel
""",
    ),
    "functions that the result of a registration is given": (
        "use.py::use",
        """
## kernels.py
import triton
@triton.jit
def scale_kernel(x): ...
@triton.jit
def shift_kernel(x): ...
def scale(x):
    scale_kernel[(1,)](x)
def shift(x):
    shift_kernel[(2,)](x)
## ops.py
import torch
from torch.library import register_kernel
import kernels
torch.library.define("mine::scale", "(Tensor x) -> Tensor")
def setup():
    register_kernel("mine::scale", "cuda")(
        kernels.scale
    )
def given():
    return torch.library.custom_op("mine::shift", mutates_args=())(kernels.shift)
## use.py
import torch
def use(x):
    torch.ops.mine.scale(x)
    torch.ops.mine.shift(x)
""",
        """
Python use()
├─ operator mine::scale
│  └─ registered by impl cuda: scale
│     └─ Python scale()
│        └─ launch of scale_kernel over (1,)
│           └─ Triton kernel scale_kernel
└─ operator mine::shift
   └─ registered by custom_op: shift
      └─ Python shift()
         └─ launch of shift_kernel over (2,)
            └─ Triton kernel shift_kernel
""",
    ),
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
    "a receiver by what is declared of it, an abstract method by those that stand in for it": (
        "use.py::run",
        """
## backend.py
from abc import ABC, abstractmethod
import triton
@triton.jit
def fast_kernel(x): ...
@triton.jit
def slow_kernel(x): ...
class Backend(ABC):
    @abstractmethod
    def attend(self, x): raise NotImplementedError
class Fast(Backend):
    def attend(self, x):
        fast_kernel[(1,)](x)
class Slow(Backend):
    def attend(self, x):
        slow_kernel[(2,)](x)
class Stub:
    def attend(self, x): ...
## layer.py
from backend import Backend
class Layer:
    backend: Backend
def layer_of(name) -> tuple[str, "Layer | None"]:
    return name, layers[name]
## use.py
from layer import layer_of
def run(x, name):
    _, self = layer_of(name)
    self.backend.attend(x)
""",
        """
Python run()
├─ ? Python Fast.attend()
│  └─ launch of fast_kernel over (1,)
│     └─ Triton kernel fast_kernel
└─ ? Python Slow.attend()
   └─ launch of slow_kernel over (2,)
      └─ Triton kernel slow_kernel
""",
    ),
    "a CuTe object that is compiled and kept, methods that start its kernel": (
        "use.py::run",
        """
## gemm.py
import cutlass.cute as cute
class Gemm:
    def __init__(self, tile):
        self.tile = tile
    @cute.jit
    def __call__(self, a, b):
        self.kernel(a, b).launch(grid=(1, 1, 1), block=(32, 1, 1))
    @cute.kernel
    def kernel(self, a, b): ...
    @staticmethod
    def compiled(tile):
        gemm = Gemm(tile)
        return cute.compile(gemm, 1, 2)
## use.py
from gemm import Gemm
def run(a, b):
    Gemm.compiled(64)(a, b)
""",
        """
Python run()
└─ Python Gemm.compiled()
   └─ Python Gemm.__call__()
      └─ CuTe kernel Gemm.kernel
""",
    ),
    "asking CUB for the size of its memory starts nothing, methods of tensors are nobody's": (
        "a.cu::size",
        """
## other.cu
struct Piece { float* data_ptr() { run<<<1, 1>>>(); return 0; } };
__global__ void run() {}
## a.cu
int size(Tensor& x) {
  size_t bytes = 0;
  cub::DeviceRadixSort::SortPairs(nullptr, bytes, x.data_ptr<float>(), 4);
  return bytes;
}
""",
        """
C++ size()
""",
    ),
    "a method's name tells who is called when it is long, or near": (
        "use.py::use",
        """
## use.py
def use(part):
    part.reduce(1)
    part.reduce_over_ranks(2)
    part.here(3)
class Near:
    def here(self, x): ...
## far.py
class Far:
    def reduce(self, x): ...
    def reduce_over_ranks(self, x):
        k[(1,)](x)
import triton
@triton.jit
def k(x): ...
## tests/stand_in.py
class Mock:
    def reduce_over_ranks(self, x): ...
""",
        """
Python use()
└─ ? Python Far.reduce_over_ranks()
   └─ launch of k over (1,)
      └─ Triton kernel k
""",
    ),
    "kernels that members of a class stand for": (
        "a.cu::host",
        """
## a.cu
template <int W> __global__ void scaled(int* x) {}
template <int W, class T> __global__ void shifted(int* x) {}
template <int W> struct Scale {
  static constexpr auto kernel = scaled<W>;
  static void by(int* x) { Launch(1, 32).on(0)(kernel, x); }
};
template <int W> struct Shift {
  template <class T>
  static constexpr auto kernel =
      shifted<W, T>;
  static void by(int* x, bool wide) {
    const auto picked = wide ? kernel<long> : kernel<int>;
    Launch(1, 32)(picked, x);
  }
};
template <int W> struct Other {
  static void by(int* x, Given kernel) { Launch(1, 32)(kernel, x); }
};
template <int W> __global__ void turned(int* x) {}
template <int W> __global__ void tabled(int* x) {}
struct Turn {
  template <int W>
  static constexpr auto kernel = turned<W>;
  static Given pick(int n) { return Turn::template kernel<4>; }
  static void by(int* x, int n) { const auto picked = pick(n); Launch(1, 32)(picked, x); }
};
struct Table {
  template <std::size_t... I>
  static constexpr auto make(std::index_sequence<I...>) {
    return std::array<Given, 5>{nullptr, tabled<I + 1>...};
  }
  static constexpr auto kAll = make(std::make_index_sequence<4>{});
  static void by(int* x, int n) { Launch(1, 32).on(0)(kAll[n], x); }
};
void host(int* x, bool wide, Given given) {
  Scale<4>::by(x);
  Turn::by(x, wide);
  Table::by(x, wide);
  Shift<4>::by(x, wide);
  Other<4>::by(x, given);
}
""",
        """
C++ host()
├─ C++ Scale::by()
│  └─ ? CUDA kernel scaled
├─ C++ Turn::by()
│  └─ C++ Turn::pick()
│     └─ ? CUDA kernel turned
├─ C++ Table::by()
│  └─ ? CUDA kernel tabled
└─ C++ Shift::by()
   └─ ? CUDA kernel shifted
""",
    ),
    "kernels in tables, elements launched at once and through variables": (
        "a.cu::host",
        """
## tables.cuh
template <int K> __global__ void rows(int* x) {}
constexpr auto row_kernels = std::array<kernel_t, 2> { rows<1>, rows<2> };
template <int K> __global__ void columns(int* x) {}
constexpr auto column_kernels = std::array<kernel_t, 2> { columns<1>, columns<2> };
## a.cu
template <int K> __global__ void pack(int* x) {}
template <typename T> __global__ void split(T* x) {}
#define LAUNCH(T) \\
  auto function = split<T>; \\
  cudaLaunchKernel(function, 5, 32, args, 0, 0);
template <typename T> int started(T* x) { LAUNCH(T) return 0; }
template <int K, int C> __global__ void unpack(int* x) {}
__global__ void last(int* x) {}
static void (*packs[3])(int*) = { pack<1>, &pack<2>, nullptr };
#define __(k, c) unpack<k, c>
constexpr auto unpacks = std::array
{
  __(1, 0), __(2, 0)
};
#undef __
void host(int* x, int k) {
  packs[k - 1]<<<1, 32>>>(x);
  auto chosen = unpacks[k];
  chosen<<<2, 32>>>(x);
  void* at = (void*) last;
  cudaLaunchKernel(at, 4, 32, nullptr, 0, 0);
  row_kernels[k]<<<3, 32>>>(x);
  void* column = (void*) column_kernels[k];
  cudaLaunchKernel(column, 6, 32, nullptr, 0, 0);
  int result = started<int>(x);
}
""",
        """
C++ host()
├─ launch of packs over 1
│  └─ CUDA kernel pack
├─ launch of chosen over 2
│  └─ CUDA kernel unpack
├─ launch of at
│  └─ CUDA kernel last
├─ launch of row_kernels over 3
│  └─ CUDA kernel rows
├─ launch of column
│  └─ CUDA kernel columns
└─ C++ started()
   └─ macro LAUNCH
      └─ launch of function
         └─ CUDA kernel split
""",
    ),
    "methods of C++ by the type of what they are called of": (
        "a.cu::host",
        """
## norm.h
struct Norm { void fwd(int* x) { norm_kernel<<<1, 1>>>(x); } };
struct Add { void fwd(int* x) { add_kernel<<<2, 1>>>(x); } };
struct Left { void fwd(int* x) { left_kernel<<<3, 1>>>(x); } };
__global__ void norm_kernel(int* x) {}
__global__ void add_kernel(int* x) {}
__global__ void left_kernel(int* x) {}
## a.cu
#include "norm.h"
void host(int* x, Add& add) {
  auto norm = std::make_unique<ns::Norm>();
  norm->fwd(x);
  add.fwd(x);
}
""",
        """
C++ host()
├─ C++ Norm::fwd()
│  └─ launch of norm_kernel over 1
│     └─ CUDA kernel norm_kernel
└─ C++ Add::fwd()
   └─ launch of add_kernel over 2
      └─ CUDA kernel add_kernel
""",
    ),
    "qualified names, functions without a name of their own, a ctypes library that is wrapped": (
        "use.py::use",
        """
## native.py
import ctypes
class Wrapped:
    def __init__(self, lib): self._lib = lib
    def __getattr__(self, name): return getattr(self._lib, name)
def load():
    dll = ctypes.cdll.LoadLibrary("libmine.so")
    return Wrapped(dll)
lib = load()
## ops.py
import torch
from torch.library import register_kernel
from native import lib
torch.library.define("mine::scale", "(Tensor x) -> Tensor")
torch.library.define("mine::shift", "(Tensor x) -> Tensor")
@register_kernel("mine::scale", "cuda")
def _(x):
    lib.cscale(x)
@register_kernel("mine::shift", "cuda")
def _(x):
    lib.cshift(x)
def bend(x):
    lib.cbend(x)
torch.library.impl("mine::bend", "CUDA", bend)
## use.py
import torch
def use(x):
    torch.ops.mine.shift(x)
    torch.ops.mine.bend(x)
## native.cu
__global__ void scale_kernel(float* x) {}
__global__ void shift_kernel(float* x) {}
__global__ void bend_kernel(float* x) {}
extern "C" {
void cscale(float* x) { scale_kernel<<<1, 1>>>(x); }
void cshift(float* x) { shift_kernel<<<2, 1>>>(x); }
void cbend(float* x) { bend_kernel<<<3, 1>>>(x); }
}
""",
        """
Python use()
├─ operator mine::shift
│  └─ registered by impl cuda: shift
│     └─ Python _()
│        └─ registered by native module libmine.so: cshift
│           └─ C++ cshift()
│              └─ launch of shift_kernel over 2
│                 └─ CUDA kernel shift_kernel
└─ operator mine::bend
   └─ registered by impl CUDA: bend
      └─ Python bend()
         └─ registered by native module libmine.so: cbend
            └─ C++ cbend()
               └─ launch of bend_kernel over 3
                  └─ CUDA kernel bend_kernel
""",
    ),
    "a compiled module that is imported by its name when first needed": (
        "m.py::f",
        """
## m.py
import importlib
mine_cuda = None
def f(x):
    global mine_cuda
    if mine_cuda is None:
        mine_cuda = importlib.import_module("mine_cuda")
    return back(mine_cuda.twice(x))
def back(x):
    return mine_cuda.thrice(x)
from far.ops.triton import other
def g(x):
    return other.twice(x)
## ext.cu
__global__ void twice_kernel(float* x) {}
torch::Tensor twice(torch::Tensor x) { twice_kernel<<<1, 1>>>(x); return x; }
__global__ void thrice_kernel(float* x) {}
torch::Tensor thrice(torch::Tensor x) { thrice_kernel<<<2, 1>>>(x); return x; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("twice", &twice, "doc"); m.def("thrice", &thrice); }
""",
        """
Python f()
├─ operator *::twice
│  └─ registered by pybind: twice
│     └─ C++ twice()
│        └─ launch of twice_kernel over 1
│           └─ CUDA kernel twice_kernel
└─ Python back()
   └─ operator *::thrice
      └─ registered by pybind: thrice
         └─ C++ thrice()
            └─ launch of thrice_kernel over 2
               └─ CUDA kernel thrice_kernel
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
    "registrations in functions, by decorators of several lines, for one device each": (
        "use.py::use",
        """
## registry.py
from torch.library import Library
lib = Library("mine", "FRAGMENT")
def register(op_name, op_func):
    lib.define(op_name + infer(op_func))
def as_op(function=None, *, op_name=None):
    register(op_name or function.__name__, function)
    return function
## ops.py
import torch
import triton
from registry import register, as_op
@triton.jit
def k(x): ...
def launch(x):
    torch.library.wrap_triton(k)[(1,)](x)
def setup():
    def inner(x):
        launch(x)
    register("late", wrapped(
        inner
    ))
@torch.library.custom_op(
    "mine::fused",
    mutates_args=("x",),
)
def fused(x): ...
@fused.register_kernel("cuda")
def fused_cuda(x):
    launch(x)
@as_op(op_name="renamed")
def decorated(x):
    launch(x)
## use.py
import torch
def use(x):
    torch.ops.mine.late(x)
    torch.ops.mine.fused(x)
    torch.ops.mine.renamed(x)
""",
        """
Python use()
└─ operator mine::late
   └─ registered by custom_op by register: late
      └─ Python inner()
         └─ Python launch()
            └─ launch of k over (1,)
               └─ Triton kernel k
""",
    ),
    "modules loaded from native sources, by pairs of names": (
        "use.py::use",
        """
## loader.py
def load(name, files, wrappers): ...
## use.py
from loader import load
def module(dtype, fast=True):
    if not fast:
        return module(dtype)
    args = str(dtype)
    return load("store", files=["store.cuh"], wrappers=[("store", f"StoreKernel<{args}>::run")])
def use(x):
    loaded = module(x.dtype)
    loaded.store(x)
    module(x.dtype).store(x)
## csrc/copy.cuh
struct A { static void run(int* x); };
struct B { static void run(int* x); };
struct C { static void run(int* x); };
void A::run(int* x) {}
void B::run(int* x) {}
void C::run(int* x) {}
struct D { static void run(int* x) {} };
## csrc/store.cuh
template <typename T> __global__ void store_kernel(T* x) {}
template <typename T> struct StoreKernel {
  static void run(T* x) { store_kernel<T><<<1, 32>>>(x); }
};
""",
        """
Python use()
└─ registered by native module store.cuh: store
   └─ C++ StoreKernel::run()
      └─ launch of store_kernel over 1
         └─ CUDA kernel store_kernel
""",
    ),
    "a function of a loaded module that another one gives": (
        "use.py::use",
        """
## use.py
from loader import load
def stored(dtype):
    return load("store", files=["store.cuh"], wrappers=[("store", "StoreKernel::run")]).store
def use(x):
    kernel = stored(x.dtype)
    kernel(x)
## csrc/store.cuh
__global__ void store_kernel(int* x) {}
struct StoreKernel {
  static void run(int* x) { store_kernel<<<1, 32>>>(x); }
};
""",
        """
Python use()
└─ registered by native module store.cuh: store
   └─ C++ StoreKernel::run()
      └─ launch of store_kernel over 1
         └─ CUDA kernel store_kernel
""",
    ),
    "functions of a loaded module, handed to what calls them": (
        "use.py::use",
        """
## use.py
from loader import load
def module():
    return load("store", files=["store.cuh"], wrappers=[("store", "StoreKernel::run")])
def through(x, run):
    run(x)
def use(x):
    loaded = module()
    through(loaded.shape, x)
    through(x, run=loaded.store)
## csrc/store.cuh
__global__ void store_kernel(int* x) {}
struct StoreKernel {
  static void run(int* x) { store_kernel<<<1, 32>>>(x); }
};
""",
        """
Python use()
└─ ? registered by native module store.cuh: store
   └─ C++ StoreKernel::run()
      └─ launch of store_kernel over 1
         └─ CUDA kernel store_kernel
""",
    ),
    "modules that a method of what names the sources builds, and files that are only read": (
        "use.py::use",
        """
## spec.py
class Spec:
    def build_module(self):
        return self.found()
def spec(name, files):
    return Spec()
## use.py
from spec import spec
def described():
    return spec("store", ["store.cu"])
def module():
    return described().build_module()
def use(x):
    open("store.cu").read().strip()
    module().store(x)
## csrc/store.cu
__global__ void store_kernel(float* x) {}
void store(float* x) { store_kernel<<<1, 32>>>(x); }
""",
        """
Python use()
└─ registered by native module store.cu: store
   └─ C++ store()
      └─ launch of store_kernel over 1
         └─ CUDA kernel store_kernel
""",
    ),
    "shared libraries through ctypes": (
        "use.py::use",
        """
## use.py
import ctypes
library = ctypes.CDLL("./libscale.so")
def use(x):
    library.scale(x)
## scale.cu
__global__ void scale_kernel(float* x) {}
extern "C" void scale(float* x) { scale_kernel<<<1, 32>>>(x); }
""",
        """
Python use()
└─ registered by native module ./libscale.so: scale
   └─ C++ scale()
      └─ launch of scale_kernel over 1
         └─ CUDA kernel scale_kernel
""",
    ),
    "foreign functions of XLA by their target's name": (
        "use.py::use",
        """
## use.py
import jax
def use(x):
    return jax.ffi.ffi_call("Scale", x.aval)(x)
## scale.cu
__global__ void scale_kernel(float* x) {}
ffi::Error ScaleImpl(cudaStream_t s, float* x) { scale_kernel<<<1, 32, 0, s>>>(x); }
XLA_FFI_DEFINE_HANDLER_SYMBOL(Scale, ScaleImpl, ffi::Ffi::Bind().Ctx<ffi::PlatformStream<cudaStream_t>>());
""",
        """
Python use()
└─ registered by foreign function: Scale
   └─ C++ ScaleImpl()
      └─ launch of scale_kernel over 1
         └─ CUDA kernel scale_kernel
""",
    ),
    "Pallas": (
        "use.py::scale",
        """
## use.py
import functools
from jax.experimental import pallas as pl
def scale_kernel(x_ref, o_ref, *, by):
    o_ref[...] = x_ref[...] * by
def scale(x):
    return pl.pallas_call(functools.partial(scale_kernel, by=2), out_shape=x, grid=(4, 4))(x)
""",
        """
Python scale()
└─ launch of scale_kernel over (4, 4)
   └─ Pallas kernel scale_kernel
""",
    ),
    "kernels of other languages: the host function of a library that has both": (
        "use.py::use",
        """
## use.py
import cutlass.cute as cute
import tilelang
import tilelang.language as T
@cute.kernel
def add_kernel(x): ...
@cute.jit
def add(x):
    add_kernel(x).launch(grid=[1, 1, 1])
@tilelang.jit
def norm(n):
    @T.prim_func
    def main(x):
        with T.Kernel(n) as i: ...
    return main
def use(x):
    add(x)
    norm(4)(x)
""",
        """
Python use()
├─ Python add()
│  └─ CuTe kernel add_kernel
└─ TileLang kernel norm
""",
    ),
    "a kernel of Helion is told by its loop over tiles, whatever decorates it": (
        "use.py::use",
        """
## registry.py
from torch.library import Library
lib = Library("mine", "FRAGMENT")
def register(op_name, op_func):
    lib.define(op_name + infer(op_func))
    lib.impl(op_name, op_func, "CUDA")
def as_op(op_name=None):
    def decorate(function):
        register(op_name or function.__name__, function)
        return function
    return decorate
## ops.py
import helion.language as hl
from registry import as_op
@as_op()
def scale(x):
    for tile in hl.tile(x.size(0)):
        x[tile] = x[tile] * 2
    return x
@as_op()
def plain(x):
    for tile in x.tile(2):
        print(tile)
## use.py
import torch
def use(x):
    torch.ops.mine.scale(x)
    torch.ops.mine.plain(x)
""",
        """
Python use()
└─ operator mine::scale
   └─ registered by custom_op by as_op: scale
      └─ Helion kernel scale
""",
    ),
    "decorators that end like those of kernels: compilers of host functions, registrations": (
        "use.py::use",
        """
## use.py
import torch
import equinox
from numba import njit, cuda
@cuda.jit
def k(x): ...
@njit(parallel=True)
def compiled(x):
    k(x)
@equinox.filter_jit
def traced(x):
    compiled(x)
@torch.library.register_kernel("mine::op", "cuda")
def implementation(x):
    traced(x)
def use(x):
    implementation(x)
""",
        """
Python use()
└─ Python implementation()
   └─ Python traced()
      └─ Python compiled()
         └─ Numba kernel k
""",
    ),
    "instances that are called, methods of receivers that are not known": (
        "use.py::use",
        """
## use.py
import triton
@triton.jit
def k(x): ...
class Norm:
    def __call__(self, x):
        k[(1,)](x)
class Layer:
    def run_core(self, x):
        norm(x)
norm = Norm()
def use(x, layer):
    layer.run_core(x)
""",
        """
Python use()
└─ ? Python Layer.run_core()
   └─ Python Norm.__call__()
      └─ launch of k over (1,)
         └─ Triton kernel k
""",
    ),
    "members defined outside of their struct, kernels that a function returns, functions that a macro names": (
        "a.cu::host",
        """
## a.cuh
__global__ void ring(int* x) {}
__global__ void four(int* x) {}
namespace ns { template <int N> __global__ void fused(int* x) {} }
struct Comm { template <typename T> void reduce(T* x); };
template <typename T> void Comm::reduce(T* x) { ring<<<1, 2>>>(x); }
#define ENTRY(fn) void fn(int* x)
ENTRY(entry) { four<<<4, 2>>>(x); }
## a.cu
#include "a.cuh"
auto choose(int n) { return &ns::fused<4>; }
void host(Comm* comm, int* x) {
  comm->reduce<int>(x);
  entry(x);
  auto kernel = choose(4);
  cudaLaunchKernelEx(&config, kernel, x);
  auto launch = [&](int n) {};
  launch(3);
}
## other/unrelated.cu
__global__ void unrelated(int* x) {}
void launch(int n) { unrelated<<<1, 2>>>(nullptr); }
""",
        """
C++ host()
├─ C++ Comm::reduce()
│  └─ launch of ring over 1
│     └─ CUDA kernel ring
├─ C++ entry()
│  └─ launch of four over 4
│     └─ CUDA kernel four
└─ C++ choose()
   └─ ? CUDA kernel fused
""",
    ),
    "an operator of which only the shapes are told by its name, in a library that the build names": (
        "m.py::f",
        """
## m.py
import torch
@torch.library.register_fake("_C::scale")
def _(x): ...
def f(x):
    return torch.ops._C.scale(x)
## ops.cu
__global__ void twice(float* x) {}
void scale(torch::Tensor& x) { twice<<<1, 2>>>(x.data_ptr<float>()); }
TORCH_LIBRARY_EXPAND(TORCH_EXTENSION_NAME, ops) { ops.def("scale(Tensor! x) -> ()", &scale); }
""",
        """
Python f()
└─ operator _C::scale
   └─ ? registered by impl: scale
      └─ C++ scale()
         └─ launch of twice over 1
            └─ CUDA kernel twice
""",
    ),
    "an operator that `getattr` takes, if it is there": (
        "m.py::f",
        """
## m.py
import torch
SCALE = getattr(torch.ops.own, "scale", None)
def f(x):
    return SCALE(x) if SCALE is not None else x
## ops.cu
__global__ void twice(float* x) {}
void scale(torch::Tensor& x) { twice<<<1, 2>>>(x.data_ptr<float>()); }
TORCH_LIBRARY(own, ops) { ops.def("scale(Tensor! x) -> ()", &scale); }
""",
        """
Python f()
└─ operator own::scale
   └─ registered by impl: scale
      └─ C++ scale()
         └─ launch of twice over 1
            └─ CUDA kernel twice
""",
    ),
    "libraries that functions open, each with an operator of one name": (
        "m.py::f",
        """
## m.py
import torch
def twice(x): ...
def thrice(x): ...
def first():
    lib = torch.library.Library("one", "DEF")
    lib.define("scale(Tensor x) -> Tensor")
    lib.impl("scale", twice, "CUDA")
def second():
    with torch.library._scoped_library("two", "FRAGMENT") as lib:
        lib.define("scale(Tensor x) -> Tensor")
        lib.impl("scale", thrice, "CUDA")
def f(x):
    return torch.ops.two.scale(torch.ops.one.scale(x))
""",
        """
Python f()
├─ operator one::scale
│  ├─ registered by define: scale
│  └─ registered by impl CUDA: scale
│     └─ Python twice()
└─ operator two::scale
   ├─ registered by define: scale
   └─ registered by impl CUDA: scale
      └─ Python thrice()
""",
    ),
    "a function of CuTe inside of another that imports it is no kernel": (
        "m.py::f",
        """
## m.py
import triton
def f(x):
    import cutlass.cute as cute
    @cute.jit
    def load(q): ...
    @triton.jit
    def add(q): ...
    load(x)
    add[(1,)](x)
""",
        """
Python f()
└─ launch of add over (1,)
   └─ Triton kernel add
""",
    ),
    "an operator of which only the shapes are told": (
        "m.py::f",
        """
## m.py
import torch
@torch.library.register_fake("other::op")
def _(x): ...
def f(x):
    return torch.ops.other.op(x)
""",
        """
Python f()
└─ operator other::op
   └─ missing: no implementation of other::op in the workspace
""",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_call_path(case: str, workspace: Workspace) -> None:
    symbol, text, expected = CASES[case]
    assert tree(ask(workspace(text), symbol)) == expected.strip().split("\n")


def test_a_kernel_behind_many_hops_is_reached_or_the_bound_is_told(workspace: Workspace) -> None:
    for hops, is_reached in ((16, True), (40, False)):
        steps = "".join(f"void f{hop}(int* x) {{ f{hop + 1}(x); }}\n" for hop in range(hops))
        last = f"__global__ void last(int* x) {{}}\nvoid f{hops}(int* x) {{ last<<<1, 2>>>(x); }}\n"
        document = ask(workspace(f"## a.cu\n{steps}{last}"), "a.cu::f0")
        assert tree(document)[-1].endswith("CUDA kernel last") is is_reached
        assert ("the search met its bound; there may be more" in document.notes) is not is_reached
        assert not [block for block in document.blocks if isinstance(block, Heading) and "missing" in block.text]


def test_a_module_deep_in_another_package_is_no_extension_of_ours(workspace: Workspace) -> None:
    files = workspace(CASES["a compiled module that is imported by its name when first needed"][1])
    assert tree(ask(files, "m.py::g")) == ["Python g()"]


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


def test_the_graph_as_data(workspace: Workspace) -> None:
    files = workspace(
        """
## m.py
import torch
import torch.distributed as dist
from dataclasses import dataclass
@dataclass
class Sizes:
    heads: int = 8
    width: int = 64
def f(x, sizes: Sizes):
    torch.ops.mine.scale(x)
    dist.all_reduce(x)
## ops.cu
__global__ void scale_kernel(float* x) {}
void scale(torch::Tensor& x) { scale_kernel<<<1, 32>>>(x); }
TORCH_LIBRARY(mine, m) { m.def("scale(Tensor x, Tensor(a!) out) -> ()"); m.impl("scale", torch::kCUDA, &scale); }
"""
    )
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    around = analysis.graph(Target(Path(files.roots[0], "m.py"), None, "f"))
    nodes = {node["id"]: f"{node['kind']} {node['name']}" for node in cast("list[dict[str, Any]]", around["nodes"])}
    links = cast("list[dict[str, Any]]", around["edges"])
    told = sorted(f"{nodes[e['source']]} {e['kind']} {nodes[e['target']]}" for e in links if e["kind"] != "contains")
    assert told == [
        "binding scale binds function scale",
        "function f calls operator mine::scale",
        "function f communicates collective torch.distributed.all_reduce",
        "function f reads config Sizes",
        "launch scale_kernel launches kernel scale_kernel",
        "operator mine::scale reads argument mine::scale(x)",
        "operator mine::scale registers binding scale",
        "operator mine::scale registers binding scale",
        "operator mine::scale writes argument mine::scale(out)",
    ]
    assert [nodes[i] for i in cast("list[int]", around["kernels"])] == ["kernel scale_kernel"]
    assert [nodes[i] for i in cast("list[int]", around["communication"])] == ["collective torch.distributed.all_reduce"]
    whole = analysis.graph()
    assert whole["complete"]
    assert len(cast("list[object]", whole["nodes"])) >= len(nodes) - 1


COLLECTIVES = {
    "torch.distributed.all_gather_into_tensor": "all_gather",
    "torch.distributed._functional_collectives.all_reduce": "all_reduce",
    "torch.distributed.scatter": "scatter",
    "jax.lax.pmin": "all_reduce",
    "jax.lax.all_gather": "all_gather",
    "jax.lax.gather": None,  # these move elements of one array
    "jax.lax.scatter": None,
    "jax.lax.broadcast": None,
    "torch.gather": None,
}


@pytest.mark.parametrize("name", COLLECTIVES)
def test_which_functions_communicate(name: str) -> None:
    assert collective(name) == COLLECTIVES[name]


def test_kernels_behind_doubtful_hops_are_counted_as_such(workspace: Workspace) -> None:
    files = workspace(
        """
## m.py
import triton
@triton.jit
def k(x): ...
@triton.jit
def other(x): ...
class Layer:
    def run_core(self, x):
        k[(1,)](x)
def sure(x):
    other[(1,)](x)
def f(x, layer):
    layer.run_core(x)
    sure(x)
def nothing(x):
    return x
"""
    )
    heads = {
        "f": "Python f() reaches 2 kernels, 1 of them through hops marked ?.",
        "Layer.run_core": "Python Layer.run_core() reaches 1 kernel.",
        "nothing": "Python nothing() reaches no kernel that could be found.",
    }
    for name, head in heads.items():
        document = ask(files, f"m.py::{name}")
        (first, *_) = (block for block in document.blocks if isinstance(block, Paragraph))
        assert first.lines[0].text == head
        assert any(note.startswith("? marks") for note in document.notes) == (name == "f")


HOLDERS = """
## m.py
import triton
from other import launcher
@triton.jit
def k(x): ...
class Kept:
    started = staticmethod(k)
    def __init__(self):
        self.own = k
    def by_class(self, x):
        self.started[(1,)](x)
    def by_object(self, x):
        self.own[(1,)](x)
class Declared:
    @staticmethod
    def kernel():
        return k
    @launcher
    def __call__(self, x):
        return (1,), x
@declared_op
def chosen(x):
    return x
@chosen.register("triton", when=True)
def chosen_by_triton(x):
    k[(1,)](x)
class Near:
    def run_core(self, x):
        k[(1,)](x)
def near(layers, x):
    layers[0].run_core(x)
""" + "".join(f"## far/m{i}.py\nclass Far{i}:\n    def run_core(self, x): ...\n" for i in range(12))
HELD = {"Kept.by_class": True, "Kept.by_object": True, "Declared.__call__": False, "near": False, "chosen": False}
"""Functions that reach the kernel, and whether without a doubt."""


@pytest.mark.parametrize("name", HELD)
def test_kernels_kept_as_attributes_started_by_decorators_and_in_the_nearest_method(
    name: str, workspace: Workspace
) -> None:
    document = ask(workspace(HOLDERS), f"m.py::{name}")
    (first, *_) = (block for block in document.blocks if isinstance(block, Paragraph))
    assert first.lines[0].text == f"Python {name}() reaches 1 kernel{'' if HELD[name] else ', through hops marked ?'}."


PRIVATE = """
## a.py
import triton
@triton.jit
def own_kernel(x): ...
class Layer:
    def _forward_core(self, x):
        own_kernel[(1,)](x)
def op(layers, name, x):
    layers[name]._forward_core(x)
## b.py
import triton
@triton.jit
def foreign_kernel(x): ...
class Other:
    def _forward_core(self, x):
        foreign_kernel[(1,)](x)
"""


def test_a_private_method_is_the_business_of_its_file(workspace: Workspace) -> None:
    document = ask(workspace(PRIVATE), "a.py::op")
    lines = [line.text for block in document.blocks if isinstance(block, Code) for line in block.lines]
    assert not any("foreign" in line for line in lines)
    assert any("own_kernel" in line for line in lines)


APART = """
## a/launch.h
__global__ void ka(int n) {}
void launch(int n) { ka<<<1, 32>>>(n); }
## b/launch.h
__global__ void kb(int n) {}
void launch(int n) { kb<<<1, 32>>>(n); }
## b/instances/f.cu
#include "../launch.h"
template <> void run<float>(int n) { launch(n); }
## b/api.cpp
template <class T> void run(int n);
void host(int n) { run<float>(n); }
"""


def test_the_nearest_of_several_definitions_is_meant(workspace: Workspace) -> None:
    document = ask(workspace(APART), "b/api.cpp::host")
    lines = [line.text for block in document.blocks if isinstance(block, Code) for line in block.lines]
    assert [line for line in lines if "kernel" in line] == ["         └─ CUDA kernel kb"]


TWO_MODULES = """
## m.py
import one_cuda
def f(x):
    return one_cuda.forward(x)
""" + "".join(
    f"""
## {name}.cu
__global__ void {name}_kernel(float* x) {{}}
void run_{name}(torch::Tensor x) {{ {name}_kernel<<<1, 1>>>(x); }}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {{ m.def("forward", &run_{name}); }}
"""
    for name in ("one", "two")
)


def test_an_export_that_several_modules_have_is_not_certain(workspace: Workspace) -> None:
    document = ask(workspace(TWO_MODULES), "m.py::f")
    (first, *_) = (block for block in document.blocks if isinstance(block, Paragraph))
    assert first.lines[0].text == "Python f() reaches 2 kernels, all through hops marked ?."


LIBRARIES = {
    "cublasCreate(&h); cublasGemmEx(h, n);": "kernels of cuBLAS",
    "cub::DeviceRadixSort::SortPairs(p, n);": "kernels of CUB",
    "thrust::sort_by_key(p, q); thrust::make_tuple(p);": "kernels of Thrust",
    "using Op = cutlass::gemm::device::Gemm<float>; Op op; op.run(n);": "kernels of CUTLASS",
    "typename T::Op op; op.run(n);": "kernels of CUTLASS, through hops marked ?",
    "k<<<1, 32>>>(n); cublasSgemm(h, n);": "1 kernel and kernels of cuBLAS",
    "auto chosen = choose(n); chosen<<<1, 32>>>(n);": "1 kernel",
    "RUN(k_of_size<decltype(n)::value, 4>(n));": "1 kernel",
    "ByDefault(n);": "1 kernel",
    "return ::on_small(n);": "1 kernel",
    "auto launch = &on_small; launch(n);": "1 kernel",
    "cutlass::kernel_launch<Functor>(1, 32, n);": "kernels of CUTLASS",
    "special<int, 64>(n);": "1 kernel",
    "cutlass::device_kernel<Functor><<<1, 32>>>(n);": "kernels of CUTLASS",
    "Small::run_on(n);": "1 kernel",
    "SWITCH(n, on_small, on_large);": "2 kernels, all through hops marked ?",
    "cublas_lt_gemm_of_ours(n);": "1 kernel",
    "auto run = &cutlass::device_kernel<Functor>; cudaLaunchKernelEx(&config, run, n);": "kernels of CUTLASS",
    "thrust::counting_iterator<int>(n); cublasGemmAlgo_t(n);": "no kernel that could be found",
    "cublasCreate(&h); cudnnGetConvolutionForwardWorkspaceSize(n);": "no kernel that could be found",
}
"""What a host function does, and what its call path says that it reaches."""
NATIVE = """
## a.cu
#define RUN(X) { X; }
#define SWITCH(N, A, B) if (N < 64) { A(N); } else { B(N); }
struct Adapted { using Op = cutlass::gemm::device::GemmUniversalAdapter<int>; };
__global__ void k(int n) {}
__global__ void k2(int n) {}
auto choose(int n) { auto kernel = k; return kernel; }
template <int V, int W> void k_of_size(int n) { k<<<1, 32>>>(n); }
void ByDefault(int n, Options options = {}, int m = 0) { k<<<1, 32>>>(n); }
template <int W> struct Sized { static void run_on(int n) { k<<<1, W>>>(n); } };
using Small = Sized<32>;
template <class T, int W> void special(int n);
template <> void special<int, 64>(int n) { k<<<1, 64>>>(n); }
void cublas_lt_gemm_of_ours(int n) { k<<<1, 32>>>(n); }
void on_small(int n) { k<<<1, 32>>>(n); }
void on_large(int n) { k2<<<1, 32>>>(n); }
template <class T> void f(int n) { %s }
"""


@pytest.mark.parametrize("body", LIBRARIES)
def test_kernels_of_libraries_and_those_chosen_or_passed(body: str, workspace: Workspace) -> None:
    document = ask(workspace(NATIVE % body), "a.cu::f")
    (first, *_) = (block for block in document.blocks if isinstance(block, Paragraph))
    assert first.lines[0].text == f"C++ f() reaches {LIBRARIES[body]}."


GAPS = {
    "packages outside": ("m.py", "import other\ndef f(x):\n    other.ops.scale(x)\n",
                         "other.ops.scale lies outside of the workspace"),
    "declared only": ("a.cu", "void made_by_build(int n);\nvoid f(int n) { made_by_build(n); }\n",
                      "made_by_build is declared, but defined nowhere in the workspace (made by the build?)"),
    "declared only in a header below": (
        "a.cu",
        '#include "inner/made.h"\nvoid f(int n) { made_by_build<int>(n); }\n'
        "## inner/made.h\ntemplate <class T>\nvoid made_by_build(int const n);\n",
        "made_by_build is declared, but defined nowhere in the workspace (made by the build?)",
    ),
    "not how a native module is made": (
        "m.py",
        "class Place:\n    def found(self): ...\n"
        "def loaded(name, files, wrappers):\n    return find(name).found()\n"
        "def module():\n    return loaded('job', files=['k.cu'], wrappers=[('run', 'Job::run')])\n"
        "def f(x):\n    made = module()\n    made.run(x)\n"
        "## k.cu\nvoid check(int* x) {}\nstruct Job { static void run(int* x) { check(x); cusolverDnSgetrf(x); } };\n",
        "cusolverDnSgetrf lies outside of the workspace",
    ),
    "device libraries": ("a.cu", "void f(int n) { cusolverDnSgetrf(n); cudaGetDevice(&n); }\n",
                         "cusolverDnSgetrf lies outside of the workspace"),
    "receivers": ("m.py", "class C:\n    def scaled(self): ...\ndef f(x):\n    x.scaled()\n",
                  "`x.scaled()`: the receiver is not known; 1 method has this name"),
    "receivers of no method here": (
        "m.py", "def f(x):\n    made(x).fused_by_others(x)\n    len(x)\ndef made(x):\n    return loaded[0]\n",
        "`….fused_by_others()`: the receiver is not known; nothing in the workspace has this name"),
    "objects of template libraries": ("a.cu", "void f(Gemm gemm) { gemm.run(); }\n",
                         "`.run()`: the object is not known; template libraries start their kernels like this"),
    "a header in the middle of a function": (
        "a.cu",
        'void f(int n) {\n  auto run = first;\n#include "inner/choices.h"\n#include "here.h"\n  run(n);\n}\n'
        "## other/here.h\nrun = second;\n",
        "inner/choices.h is part of f, but nowhere in the workspace (made by the build?)"),
    "what a variable holds": (
        "a.cu", "void f(int n) { Pointer<int> run = nullptr; choose_one(&run); run(n); }\n",
        "`run()`: what this variable runs is not known"),
    "not objects that are known": (
        "a.cu",
        "struct Gemm { void run(int n) { made_by_build(n); } };\nvoid made_by_build(int n);\n"
        "void f(int n) { Gemm gemm; gemm.run(n); }\n",
        "made_by_build is declared, but defined nowhere in the workspace (made by the build?)"),
    "nothing": ("a.cu", "int g(int n) { return n; }\nint f(int n) { return g(n); }\n",
                "no kernel: of the calls that can be followed none launches one"),
    "names of no definition": ("m.py", "class C: ...\nlazy = Lazy('g')\ndef f(x):\n    C()\n    len(x)\n"
                               "    class Inner: ...\n    Inner()\n    lazy(x)\n",
                               "`lazy()`: what it stands for is not known"),
    "libraries before what is not known": (
        "m.py", "import torch\nfrom other.ops import Shape, scale\nclass C:\n    def scaled(self): ...\n"
        "def f(x):\n    g(x)\n    scale(Shape(x))\ndef g(x):\n    x.scaled()\n    torch.mm(x, x)\n    return h(x)\n",
        "other.ops.scale lies outside of the workspace"),
    "operators of PyTorch": (
        "m.py", "import torch\ndef f(x):\n    y = torch.empty(4)\n    return torch.mm(x, y)\n",
        "PyTorch's own torch.mm computes"),
    "operators of PyTorch in C++": (
        "a.cu", "void f(at::Tensor x) { auto y = at::empty({4}); auto z = at::linear(x, y); at::numel(z); }\n",
        "PyTorch's own at::linear computes"),
    "what of PyTorch is no operator but works on tensors": (
        "a.cu", "void f(std::vector<at::Tensor> x) { at::cuda::getCurrentCUDAStream(); torch::utils::pack_all(x); }\n",
        "PyTorch's own torch::utils::pack_all computes"),
    "copies": ("a.cu", "void f(int* x) { cudaGetDevice(x); cudaMemcpyAsync(x, x, 4); cuPointerGetAttribute(x); }\n",
               "cudaMemcpyAsync copies or fills memory, without a kernel of the workspace"),
    "what stands beside a library that rearranges only": (
        "m.py", "from einops import rearrange\ndef f(x, run):\n    run(rearrange(x, 'a b -> b a'))\n",
        "`run()`: what it stands for is not known"),
    "other namespaces": ("a.cu", "void f(int n) { std::move(n); other::kernels::invoke<int>(n); }\n",
                         "other::kernels::invoke is defined nowhere in the workspace"),
    "not what constructs a variable": (
        "a.cu", "int g(int n) { return n; }\n"
        "void f(float* p, int n) {\n\n  const vec x(p + n);\n  x(n);\n\n  vec y(1.0 / n);\n  g(y(n));\n}\n",
        "`x()`: what this variable runs is not known"),
    "nor members, variables in a row and objects of a type of the function's own": (
        "a.cu", "int g(int n) { return n; }\nvoid f(int n) {\n  g(n);\n  struct Item {\n    int first;\n"
        "    long total = 0;\n    Item(int a, int b)\n        : first(a), total(b) {}\n  };\n"
        "  std::vector<long> lengths(n), widths(n);\n  std::vector<Item> items;\n  items.push_back(Item(n, n));\n}\n",
        "no kernel: of the calls that can be followed none launches one"),
    "not what is defined outside of its class": (
        "a.cu",
        "struct Sorter {\n  static int bits(int n);\n  int run(int n);\n};\n"
        "int Sorter::bits(int n) { return n; }\nint Sorter::run(int n) { return bits(n); }\n"
        "void f(int n) { Sorter::bits(n); bits(n); }\n",
        "no kernel: of the calls that can be followed none launches one"),
    "not what another folder defines": (
        "a.cu",
        "void elsewhere(int n);\nvoid f(int n) { elsewhere(n); cuShape(n); made_by_build(n); }\n"
        "void made_by_build(int n);\n"
        "## lib/b.cpp\nvoid elsewhere(int n) { }\nvoid cuShape(int n) { }\n",
        "made_by_build is declared, but defined nowhere in the workspace (made by the build?)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GAPS, ids=str)
def test_what_is_missing_is_said(case: str, workspace: Workspace) -> None:
    file, text, expected = GAPS[case]
    document = ask(workspace(f"## {file}\n{text}"), f"{file}::f")
    lines = [line.text for block in document.blocks if isinstance(block, Paragraph) for line in block.lines]
    assert lines[1:2] == [expected]


INSTEAD = {
    "a library": (
        "import torch\nfrom other.ops import scale\ndef f(x):\n    torch.mm(x, x)\n    scale(x)\n",
        "no kernel of the workspace, but other outside of the workspace",
    ),
    "a library that is registered": (
        "import torch\nfrom other.ops import scale as _scale\nlib = torch.library.Library('mine', 'DEF')\n"
        "lib.impl('scale', _scale, 'CUDA')\ndef f(x):\n    torch.ops.mine.scale(x)\n",
        "no kernel of the workspace, but other outside of the workspace",
    ),
    "PyTorch": (
        "import torch\ndef f(x):\n    return torch.mm(x, x)\n",
        "no kernel of the workspace, but PyTorch's own operators",
    ),
    "collectives": (
        "import torch\nimport torch.distributed as dist\ndef f(x):\n    dist.all_reduce(x)\n    torch.mm(x, x)\n",
        "no kernel of the workspace, but collectives: all_reduce",
    ),
    "the host": (
        "import torch\ndef f(x):\n    torch.ops.mine.size(4)\n"
        "## a.cpp\nint64_t half(int64_t n) { return n / 2; }\nint64_t size(int64_t n) { return half(n); }\n"
        'TORCH_LIBRARY(mine, m) { m.def("size(int n) -> int", &size); }\n',
        "no kernel: as far as its calls can be followed it runs on the host",
    ),
    "the CPU": (
        "import torch\ndef f(x):\n    torch.ops.mine.scale(x)\n"
        "## a.cpp\nvoid scale(at::Tensor& x) { at::mul_(x, 2); lib::loadu(x); }\n"
        'TORCH_LIBRARY(mine, m) { m.def("scale(Tensor! x) -> ()"); m.impl("scale", torch::kCPU, &scale); }\n',
        "no kernel: it runs on the CPU",
    ),
}
"""What a function does, and what its call path says that it comes to instead of a kernel."""


@pytest.mark.parametrize("case", INSTEAD, ids=str)
def test_where_calls_end_that_reach_no_kernel_is_said(case: str, workspace: Workspace) -> None:
    text, expected = INSTEAD[case]
    (first, *_) = (b for b in ask(workspace(f"## m.py\n{text}"), "m.py::f").blocks if isinstance(b, Paragraph))
    assert first.lines[0].text == f"Python f() reaches {expected}."


def test_what_is_missing_is_a_node_of_the_graph(workspace: Workspace) -> None:
    files = workspace("## m.py\nimport other\ndef f(x):\n    other.ops.scale(x)\n")
    analysis = Analysis([Path(files.roots[0])])
    analysis.index()
    around = analysis.graph(Target(Path(files.roots[0], "m.py"), None, "f"))
    told = {(node["kind"], node["name"]) for node in cast("list[dict[str, Any]]", around["nodes"])}
    assert ("missing", "other.ops.scale lies outside of the workspace") in told


def test_nothing_to_show_is_one_clear_line(workspace: Workspace) -> None:
    files = workspace("## m.py\nx = 1\n")
    with pytest.raises(UserError, match=r"m\.py defines no function or kernel f"):
        ask(files, "m.py::f")
