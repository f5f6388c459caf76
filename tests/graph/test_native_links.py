"""How C++ makes operators known and starts kernels: each case is a small workspace and the tree of its call path."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from graph.call_trees import ask, tree
from kernelscope.workspace.files import Files

KERNELS = """
## k.cuh
template <int W = 1>
__global__ void scale_kernel(float* x) {}
__global__ void shift_kernel(float* x) {}
__global__ void both_kernel(float* x) {}
"""

CASES = {
    "modules behind functions, namespaces, tables, attributes and variables of functions around": (
        "use.py::Layer.forward",
        """
## scale.cu
void scale(float* x) { scale_kernel<1><<<1, 32>>>(x); }
void shift(float* x) { shift_kernel<<<1, 32>>>(x); }
TVM_FFI_DLL_EXPORT_TYPED_FUNC(scale, scale);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(shift, shift);
## both.cu
void run_both(float* x) { both_kernel<<<1, 32>>>(x); }
TVM_FFI_DLL_EXPORT_TYPED_FUNC(run, run_both);
## a.cu
void run_a(float* x) { shift_kernel<<<1, 32>>>(x); }
TVM_FFI_DLL_EXPORT_TYPED_FUNC(run, run_a);
## spec.py
from builder import make_spec
def scale_spec():
    return make_spec("scale", [ROOT / "scale.cu"])
def both_spec(kind):
    sources = []
    for name in ["both.cu"]:
        sources.append(ROOT / name)
    return make_spec(kind, sources, code="#include <a.cuh>")
## made.py
from types import SimpleNamespace
from spec import scale_spec
def module(kind):
    return module_of(kind)
def module_of(kind):
    specs: dict = {"small": scale_spec, "large": scale_spec}
    module = specs[kind]().build_and_load()
    def scaled(x):
        module.scale(x)
    shift_of = module.shift
    return SimpleNamespace(scaled=scaled, shift=shift_of)
## use.py
class Layer:
    def __init__(self):
        from spec import both_spec
        self.both = both_spec("f").build_and_load()
    def forward(self, x):
        from made import module
        module("small").scaled(x)
        made = module("large")
        made.shift(x)
        self.both.run(x)
"""
        + KERNELS,
        """
Python Layer.forward()
├─ Python scaled()
│  └─ registered by native module scale.cu: scale
│     └─ C++ scale()
│        └─ launch of scale_kernel over 1
│           └─ CUDA kernel scale_kernel
├─ registered by native module scale.cu: shift
│  └─ C++ shift()
│     └─ launch of shift_kernel over 1
│        └─ CUDA kernel shift_kernel
└─ registered by native module both.cu: run
   └─ C++ run_both()
      └─ launch of both_kernel over 1
         └─ CUDA kernel both_kernel
""",
    ),
    "what the runtime is asked of a kernel starts none": (
        "m.cu::scale",
        """
## m.cu
template <int W>
__global__ void scale_kernel(float* x) {}
__global__ void shift_kernel(float* x) {}
int registers(int n) {
  auto kernel = scale_kernel<1>;
  cudaFuncAttributes attributes;
  cudaFuncGetAttributes(&attributes, kernel);
  cudaOccupancyMaxActiveBlocksPerMultiprocessor<int>(&n, shift_kernel, (n + 1), 0);
  return attributes.numRegs;
}
void scale(float* x, int n) {
  registers(n);
  shift_kernel<<<n, 32>>>(x);
}
""",
        """
C++ scale()
└─ launch of shift_kernel over n
   └─ CUDA kernel shift_kernel
""",
    ),
    "a method of what a function or a static member gives": (
        "m.cu::scale",
        """
## runner.h
struct Runner { virtual void Run(float* x) const = 0; };
struct Registry {
  static Registry& instance();
  void clear(float* x) { shift_kernel<<<1, 32>>>(x); }
};
struct Other { void clear(float* x) { both_kernel<<<1, 32>>>(x); } };
## small.cu
#include "runner.h"
struct Small final : public Runner {
  void Run(float* x) const override { scale_kernel<1><<<1, 32>>>(x); }
};
## m.cu
#include "runner.h"
const Runner& find(int n) { return *runners[n]; }
Registry& Registry::instance() { static Registry one; return one; }
void scale(float* x, int n) {
  find(n + (n > 4)).Run(x);
  Registry::instance().clear(x);
  std::move(x).Run(x);
}
"""
        + KERNELS,
        """
C++ scale()
├─ ? C++ Small::Run()
│  └─ launch of scale_kernel over 1
│     └─ CUDA kernel scale_kernel
└─ C++ Registry::clear()
   └─ launch of shift_kernel over 1
      └─ CUDA kernel shift_kernel
""",
    ),
    "a macro without parameters that is a whole statement, of this file or of a header": (
        "m.cu::scale",
        """
## launch.cuh
#define LAUNCH_SHIFT shift_kernel<<<2, 32>>>(x);
#define LAUNCH_WIDTH 32
## m.cu
#include "launch.cuh"
#define LAUNCH_SCALE \\
  auto chosen = scale_kernel<W>; \\
  chosen<<<1, LAUNCH_WIDTH>>>(x);
void scale(float* x, int n) {
  if (n > 128) {
    constexpr int W = 4;
    LAUNCH_SCALE
  } else {
    LAUNCH_SHIFT;
    LAUNCH_WIDTH;
  }
}
"""
        + KERNELS,
        """
C++ scale()
├─ macro LAUNCH_SCALE
│  └─ launch of chosen over 1
│     └─ CUDA kernel scale_kernel
└─ macro LAUNCH_SHIFT
   └─ launch of shift_kernel over 2
      └─ CUDA kernel shift_kernel
""",
    ),
    "functions whose heads a macro of a header writes, handed to a macro that calls its parameters": (
        "m.cu::scale",
        """
## entry.h
#define SCALE_ENTRY(fn) void fn(float* x, int n)
## m.cu
#include "entry.h"
SCALE_ENTRY(scale_small);
SCALE_ENTRY(scale_large);
#define BY_SIZE(SMALL, LARGE) \\
  switch (n) {               \\
    case 1: SMALL(x, n); break; \\
    default: LARGE(x, n); break; \\
  }
void scale(float* x, int n) { BY_SIZE(scale_small, scale_large); }
## small.cu
#include "entry.h"
SCALE_ENTRY(scale_small) { scale_kernel<1><<<1, 32>>>(x); }
## large.cu
#include "entry.h"
SCALE_ENTRY(scale_large) { shift_kernel<<<n, 32>>>(x); }
struct WIDE_ENTRY { WIDE_ENTRY(float) {} };
"""
        + KERNELS,
        """
C++ scale()
├─ ? C++ scale_large()
│  └─ launch of shift_kernel over n
│     └─ CUDA kernel shift_kernel
└─ ? C++ scale_small()
   └─ launch of scale_kernel over 1
      └─ CUDA kernel scale_kernel
""",
    ),
    "a function that is handed the library, and hands it on": (
        "m.py::f",
        """
## m.py
import torch
def f(x):
    torch.ops.mine.scale(x)
    torch.ops.mine.shift(x)
## bind.cpp
void register_scale(torch::Library& m);
TORCH_LIBRARY(mine, m) { m.def("scale(Tensor x) -> ()"); m.def("shift(Tensor x) -> ()"); }
TORCH_LIBRARY_IMPL(mine, CUDA, m) {
#if WITH_SCALE
  ops::register_scale(m);
#endif
}
## csrc/scale.cu
namespace ops {
void register_shift(torch::Library &lib) { lib.impl("shift", to_op<&shift_cuda>); }
void register_scale(torch::Library &m) { m.impl("scale", boxed<&scale_cuda>); register_shift(m); }
void scale_cuda(Tensor x) { scale_kernel<2><<<1, 32>>>(x); }
void shift_cuda(Tensor x) { shift_kernel<<<1, 32>>>(x); }
}
""",
        """
Python f()
├─ operator mine::scale
│  └─ registered by impl CUDA: scale
│     └─ C++ scale_cuda()
│        └─ launch of scale_kernel over 1
│           └─ CUDA kernel scale_kernel
└─ operator mine::shift
   └─ registered by impl CUDA: shift
      └─ C++ shift_cuda()
         └─ launch of shift_kernel over 1
            └─ CUDA kernel shift_kernel
""",
    ),
    "a compiled module inside of the package, functions it is given, casts, submodules, lambdas": (
        "pkg/use.py::f",
        """
## pkg/__init__.py
## pkg/use.py
import torch
from . import _C
from pkg import _C as native
class Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return native.part.shift(x)
shifted = Fn.apply
def f(x):
    _C.scale(x)
    shifted(x)
    _C.both(x)
## csrc/bind.cpp
void bind_shift(py::module_& m) { auto part = m.def_submodule("part"); part.def("shift", &ops::
    shift); auto none = [&] { return 1; };
  part.def("width", [&]() { return none(); }); }
PYBIND11_MODULE(_C, m) {
  m.def("scale", py::overload_cast<torch::Tensor, int, const std::map<int, int>&>(&scale), "scales");
  m.def("both", [](torch::Tensor x) { check(x); return run_both(x); }, py::arg("x"));
  bind_shift(m);
}
void check(torch::Tensor x) {}
## csrc/ops.cu
void scale(Tensor x) { scale_kernel<2><<<1, 32>>>(x); }
namespace ops { void shift(Tensor x) { shift_kernel<<<1, 32>>>(x); } }
void run_both(Tensor x) { both_kernel<<<2, 32>>>(x); }
""",
        """
Python f()
├─ operator _C::scale
│  └─ registered by pybind: scale
│     └─ C++ scale()
│        └─ launch of scale_kernel over 1
│           └─ CUDA kernel scale_kernel
├─ Python Fn.forward()
│  └─ operator _C.part::shift
│     └─ registered by pybind: shift
│        └─ C++ shift()
│           └─ launch of shift_kernel over 1
│              └─ CUDA kernel shift_kernel
└─ operator _C::both
   └─ registered by pybind: both
      └─ C++ lambda of both()
         └─ C++ run_both()
            └─ launch of both_kernel over 2
               └─ CUDA kernel both_kernel
""",
    ),
    "classes and submodules in chains, methods that a class inherits, objects that C++ makes": (
        "pkg/use.py::Model.forward",
        """
## pkg/__init__.py
## pkg/use.py
from . import _C
from ._C import fused
class Model:
    def __init__(self, layers, is_small=False):
        self.model = _C.Small() if is_small else _C.Large(layers)
    def forward(self, x, scaler: _C.Scaler):
        self.model.load(x)
        scaler.run(x)
        fused.both(x)
        made = _C.Small()
        made.size(x)
## csrc/bind.cpp
template <typename T>
void load(T* x, int n) { shift_kernel<<<9, 9>>>(x); }
template <typename M> struct Wrapper { void load(Tensor x) { scale_kernel<<<1, 32>>>(x); } };
struct Small : public Wrapper<int> { int size(Tensor x) { return layers->at(0)->load(x); } };
__global__ void large_kernel(float* x) {}
struct Large : public Wrapper<float> { void load(Tensor x) { large_kernel<<<4, 32>>>(x); } };
struct Scaler { void run(Tensor x) { this->shift(x); }
  void shift(Tensor x) { shift_kernel<<<1, 32>>>(x); layers->at(0)->run(x); } };
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  py::class_<Small>(m, "Small").def(py::init<>()).def("load", &Small::load)
    .def("size", [](Small& self, Tensor x) { int n = 0; return self.size(x); });
  auto large = py::class_<Large, std::shared_ptr<Large>>(m, "Large");
  large.def("load", &Large::load, py::arg("x"));
  nb::class_<Scaler> scaler(m, "Scaler");
  scaler.def("run", &Scaler::run);
  m.def_submodule("fused").def("both", &fused::both).def("none", &fused::none);
}
## csrc/fused.cu
namespace fused {
void both(Tensor x) { both_kernel<<<2, 32>>>(x); }
void none(Tensor x) {}
}
""",
        """
Python Model.forward()
├─ ? operator *::Large.load
│  └─ registered by pybind: Large.load
│     └─ C++ Large::load()
│        └─ launch of large_kernel over 4
│           └─ CUDA kernel large_kernel
├─ ? operator *::Small.load
│  └─ registered by pybind: Small.load
│     └─ C++ Wrapper::load()
│        └─ launch of scale_kernel over 1
│           └─ CUDA kernel scale_kernel
├─ operator *::Scaler.run
│  └─ registered by pybind: Scaler.run
│     └─ C++ Scaler::run()
│        └─ C++ Scaler::shift()
│           └─ launch of shift_kernel over 1
│              └─ CUDA kernel shift_kernel
└─ operator *.fused::both
   └─ registered by pybind: both
      └─ C++ both()
         └─ launch of both_kernel over 2
            └─ CUDA kernel both_kernel
""",
    ),
    "functions offered under the name of another, which hands itself to a macro, and under the name of a stub": (
        "m.py::f",
        """
## m.py
import native
def f(x):
    native.scale(x)
    native.shift(x)
## bind.cpp
void scale_impl(Tensor x) { CHOOSE_FOR_DEVICE(scale_impl, x); }
void scale(Tensor x) { scale_impl(x); }
void shift(Tensor x) { shift_stub(kCUDA, x); }
PYBIND11_MODULE(native, m) { m.def("scale", &scale); m.def("shift", &shift); }
## device.cu
REGISTER_FOR_DEVICE(scale_impl, CPU, scale_cpu);
REGISTER_FOR_DEVICE(scale_impl, CUDA,
                    scale_cuda);
REGISTER_DISPATCH(shift_stub, &shift_cuda)
void scale_cpu(Tensor x) {}
void scale_cuda(Tensor x) { scale_kernel<2><<<1, 32>>>(x); }
void shift_cuda(Tensor x) { shift_kernel<<<1, 32>>>(x); }
""",
        """
Python f()
├─ operator native::scale
│  └─ registered by pybind: scale
│     └─ C++ scale()
│        └─ C++ scale_impl()
│           └─ ? C++ scale_cuda()
│              └─ launch of scale_kernel over 1
│                 └─ CUDA kernel scale_kernel
└─ operator native::shift
   └─ registered by pybind: shift
      └─ C++ shift()
         └─ C++ shift_cuda()
            └─ launch of shift_kernel over 1
               └─ CUDA kernel shift_kernel
""",
    ),
    "operators registered one after the other, autograd functions of C++": (
        "m.py::f",
        """
## m.py
import torch
def f(x):
    torch.ops.old.scale(x)
    torch.ops.old.shift(x)
## ops.cu
class Scale : public torch::autograd::Function<Scale> {
 public:
  static Tensor forward(AutogradContext* ctx, Tensor x) { scale_kernel<2><<<1, 32>>>(x); }
  static Tensor backward(AutogradContext* ctx, Tensor g) { return g; }
};
Tensor scale(Tensor x) { return Scale::apply(x); }
void shift_cuda(Tensor x) { shift_kernel<<<1, 32>>>(x); }
static auto registry = torch::RegisterOperators()
  .op("old::scale", &scale)
  .op("old::shift(Tensor x) -> ()", [](Tensor x) { shift_cuda(x); });
""",
        """
Python f()
├─ operator old::scale
│  └─ registered by impl: scale
│     └─ C++ scale()
│        └─ C++ Scale::forward()
│           └─ launch of scale_kernel over 1
│              └─ CUDA kernel scale_kernel
└─ operator old::shift
   └─ registered by impl: shift
      └─ C++ lambda of shift()
         └─ C++ shift_cuda()
            └─ launch of shift_kernel over 1
               └─ CUDA kernel shift_kernel
""",
    ),
    "operators that macros register, at the top of a file and in a library": (
        "m.py::f",
        """
## registering.h
#define REGISTER_OP(KEY, NAME, FUNCTION) \\
  TORCH_LIBRARY_IMPL(mine, KEY, m) { \\
    m.impl(NAME, torch::dispatch(c10::DispatchKey::KEY, TORCH_FN(FUNCTION))); \\
  }
#define TO_CUDA(NAME, FUNCTION) m.impl(NAME, torch::dispatch(c10::DispatchKey::CUDA, TORCH_FN(FUNCTION)))
## m.cu
#include "registering.h"
void scale(float* x) { scale_kernel<1><<<1, 32>>>(x); }
void shift(float* x) { shift_kernel<<<1, 32>>>(x); }
TORCH_LIBRARY_FRAGMENT(mine, m) {
  m.def("scale(Tensor x) -> ()");
  TO_CUDA("shift", shift);
}
REGISTER_OP(CUDA, "scale", scale);
SOMETHING_ELSE(CUDA, "other", scale);
## m.py
import torch
def f(x):
    torch.ops.mine.scale(x)
    torch.ops.mine.shift(x)
""",
        """
Python f()
├─ operator mine::scale
│  └─ registered by impl CUDA: scale
│     └─ C++ scale()
│        └─ launch of scale_kernel over 1
│           └─ CUDA kernel scale_kernel
└─ operator mine::shift
   └─ registered by impl: shift
      └─ C++ shift()
         └─ launch of shift_kernel over 1
            └─ CUDA kernel shift_kernel
""",
    ),
    "an operator that C++ asks the dispatcher for": (
        "m.cu::host",
        """
## m.cu
void scale(float* x) { scale_kernel<1><<<1, 32>>>(x); }
TORCH_LIBRARY(mine, m) { m.def("scale(Tensor x) -> ()", &scale); }
void host(float* x) {
  static auto op = c10::Dispatcher::singleton()
                       .findSchemaOrThrow("mine::scale", "")
                       .typed<void(float*)>();
  op.call(x);
}
"""
        + KERNELS,
        """
C++ host()
└─ operator mine::scale
   └─ registered by impl: scale
      └─ C++ scale()
         └─ launch of scale_kernel over 1
            └─ CUDA kernel scale_kernel
""",
    ),
    "an operator whose name is in a variable": (
        "m.py::f",
        """
## m.py
import torch
SCALE = "mine::scale"
torch.library.define(SCALE, "(Tensor x) -> ()")
@torch.library.impl(SCALE, "CUDA")
def scale_cuda(x):
    scale_kernel[(1,)](x)
@triton.jit
def scale_kernel(x): ...
def f(x):
    torch.ops.mine.scale(x)
""",
        """
Python f()
└─ operator mine::scale
   └─ registered by impl CUDA: scale
      └─ Python scale_cuda()
         └─ launch of scale_kernel over (1,)
            └─ Triton kernel scale_kernel
""",
    ),
    "members that a header declares, some by way of a class template above": (
        "model.cc::Wide::run",
        """
## layers.h
struct Scale { void body(float* x); };
struct Shift { void body(float* x); };
struct Both { void body(float* x); };
struct Inner {
  std::vector<std::unique_ptr<Both>> last;
};
## layers.cu
#include "layers.h"
void Scale::body(float* x) { scale_kernel<<<1, 32>>>(x); }
void Shift::body(float* x) { shift_kernel<<<1, 32>>>(x); }
void Both::body(float* x) { both_kernel<<<1, 32>>>(x); }
## model.h
#include "layers.h"
template <typename N, typename M> class Holder {
 protected:
  void prepare(Both both);
  std::unique_ptr<M> net;
};
class Wide : public Holder<Both, Scale> {
  void run(float* x, int n);
  std::vector<Shift> shifts_;
  mutable Inner inner;
};
## model.cc
#include "model.h"
void Wide::run(float* x, int n) {
  net->body(x);
  for (auto& shift : shifts_) shift.body(x);
  this->inner.last.at(n)->body(x);
}
""",
        """
C++ Wide::run()
├─ C++ Scale::body()
│  └─ launch of scale_kernel over 1
│     └─ CUDA kernel scale_kernel
├─ C++ Shift::body()
│  └─ launch of shift_kernel over 1
│     └─ CUDA kernel shift_kernel
└─ C++ Both::body()
   └─ launch of both_kernel over 1
      └─ CUDA kernel both_kernel
""",
    ),
    "functions and bindings that macros write": (
        "m.py::f",
        """
## m.cu
#define TEXT(name) #name
#define BIND(name) m.def(TEXT(name), &name, TEXT(name));
#define RUN(kind, type)                     \\
  void run_##kind(torch::Tensor x) {        \\
    kind##_kernel<<<x.size(0), 64>>>(reinterpret_cast<type*>(x.data_ptr())); \\
  }
RUN(shift, float)
RUN(both, float)
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  BIND(run_shift)
  BIND(run_both)
}
## m.py
from torch.utils.cpp_extension import load
lib = load(name="lib", sources=["m.cu"])
def f(x):
    lib.run_both(x)
""",
        """
Python f()
└─ registered by native module m.cu: run_both
   └─ C++ run_both()
      └─ launch of both_kernel over x.size(0)
         └─ CUDA kernel both_kernel
""",
    ),
    "operators that a chain of calls builds, for Paddle, whose build names the module": (
        "m.py::f",
        """
## m.cu
#ifndef PD_BUILD_STATIC_OP
#define PD_BUILD_STATIC_OP(name) PD_BUILD_OP(static_op_##name)
#endif
void Scale(const paddle::Tensor& x) { scale_kernel<<<x.dims()[0], 64>>>(x.data<float>()); }
void ScaleGrad(const paddle::Tensor& x) { shift_kernel<<<x.dims()[0], 64>>>(x.data<float>()); }
std::vector<std::vector<int64_t>> ScaleShape(const std::vector<int64_t>& x) { return {x}; }
PD_BUILD_STATIC_OP(scale)
    .Inputs({"x", paddle::Optional("bias")})
    .Attrs({"way: std::string"})
    .SetInplaceMap({{"x", "out"}})
    .SetInferShapeFn(PD_INFER_SHAPE(ScaleShape))
    .SetKernelFn(PD_KERNEL(Scale));
PD_BUILD_GRAD_OP(scale).Inputs({"x"}).SetKernelFn(PD_KERNEL(ScaleGrad));
PD_BUILD_OP(unknown).Inputs({"x"});
## m.py
from tiny_ops import scale, scale_grad
def f(x):
    scale(x)
    scale_grad(x)
""",
        """
Python f()
├─ operator *::scale
│  └─ registered by pybind: scale
│     └─ C++ Scale()
│        └─ launch of scale_kernel over x.dims()[0]
│           └─ CUDA kernel scale_kernel
└─ operator *::scale_grad
   └─ registered by pybind: scale_grad
      └─ C++ ScaleGrad()
         └─ launch of shift_kernel over x.dims()[0]
            └─ CUDA kernel shift_kernel
""",
    ),
    "an operator in a library that a variable names": (
        "m.py::f",
        """
## names.py
LIBRARY = "mine"
## m.py
import torch
from names import LIBRARY
@torch.library.custom_op(f"{LIBRARY}::scale", mutates_args=("x",))
def scale(x: torch.Tensor) -> None:
    scale_kernel[(1,)](x)
@triton.jit
def scale_kernel(x): ...
def f(x):
    torch.ops.mine.scale(x)
""",
        """
Python f()
└─ operator mine::scale
   └─ registered by custom_op: scale
      └─ Python scale()
         └─ launch of scale_kernel over (1,)
            └─ Triton kernel scale_kernel
""",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_call_path(case: str, workspace: Callable[[str], Files]) -> None:
    symbol, text, expected = CASES[case]
    assert tree(ask(workspace(KERNELS + text), symbol)) == expected.strip().split("\n")


STARTED = {
    "auto k = n > 4 ? &scale_kernel<2> : &shift_kernel; k<<<1, 32>>>(x);": "scale_kernel shift_kernel",
    "void* k = n ? (void*)shift_kernel : (void*)scale_kernel<2>; cudaLaunchKernel(k, 1, 32, a);":
        "scale_kernel shift_kernel",
    "auto k = &shift_kernel; cudaLaunchCooperativeKernel(reinterpret_cast<void*>(k), 1, 32, a);": "shift_kernel",
    "cudaLaunchKernel(reinterpret_cast<const void*>(&shift_kernel), 1, 32, a);": "shift_kernel",
    "void* ks[2] = {(void*)scale_kernel<1>, (void*)shift_kernel}; cudaLaunchKernel(ks[n], 1, 32, a);":
        "scale_kernel shift_kernel",
    "auto run = [&](auto k) { k<<<1, 32>>>(x); }; if (n) { run(scale_kernel<2>); }": "scale_kernel",
    "through<run_shift, nullptr>(x);": "shift_kernel",
    "through<&run_shift>(x);": "shift_kernel",
    "through<width>(x);": "",
    "late_kernel<<<1, 32>>>(x);": "late_kernel",
    "use(run_shift, x);": "shift_kernel",
    "use(width, x);": "",
    "one::run(x);": "scale_kernel",
    "two::run(x);": "shift_kernel",
    "all::two::run(x);": "shift_kernel",
    "namespace short_name = all::two; short_name::run(x);": "shift_kernel",
    "hidden(x);": "scale_kernel",
    "branched::second(x);": "shift_kernel",
    "Unknown::hidden(x);": "",
    "used_by_all(x);": "shift_kernel",
    "one::again(x);": "scale_kernel",
    "Runner<float, Pair<int, 4>>::start(x);": "scale_kernel",
    "Other<float>::start(x);": "",
    "unknown<float>::run_shift(x);": "",
    "runner.template start<4>(x);": "",
    "Made::build(x);": "both_kernel",
    "Shifting object; object.start(x);": "shift_kernel",
    "Layer* layer = choose(n); layer->start(x);": "scale_kernel shift_kernel",
    "Scaling* layer = choose(n); layer->body(x);": "scale_kernel",
    "same_name(x);": "both_kernel",
    "long_kernel<<<1, 32>>>(x);": "long_kernel",
    "outer::placed(x);": "shift_kernel",
    "wrap::twice(x);": "shift_kernel",
    "two_heads(x);": "scale_kernel",
    "parameter_in_a_branch(x);": "shift_kernel",
    "Doubler<float> doubled; doubled(x);": "shift_kernel",
    "auto doubled = Doubler<float>(); doubled(x);": "shift_kernel",
    "Doubler<float>()(x);": "shift_kernel",
    "Shifting doubled; doubled(x);": "",
    "void* k = pick(n); cudaLaunchKernel(k, 1, 32, a);": "picked_kernel",
    "Spec spec = pick_spec(n); cudaLaunchKernel(spec.kernel, 1, 32, a);": "picked_kernel",
    "FORWARD_TO(run_here, x);": "shift_kernel",
    "passes_on(x);": "picked_kernel",
    "passes_an_element_on(x, n);": "picked_kernel",
    "entry_of(n)(x);": "scale_kernel shift_kernel",
    "other_entry_of(n)(x);": "",
    "Packed packed(x, n);": "picked_kernel",
    "Packed* packed = new Packed(x, n);": "picked_kernel",
    "use(Packed(x, n), x);": "picked_kernel",
    "auto packed = std::make_shared<Packed>(x, n);": "picked_kernel",
    "auto packed = std::make_unique<shapes::Halved<4>>(x);": "shift_kernel",
    "Packed* packed = of_handle(n); packed->again(x);": "scale_kernel",
    "Packed shift_all(x, n);": "picked_kernel",
    "dim3 run_shift(x, n);": "",
    "dispatched::Packed<float>(x);": "shift_kernel",
    "auto layer = Cache::get(n); layer->start(x);": "scale_kernel shift_kernel",
    "auto& layer = shared_layer(n); layer.body(x);": "shift_kernel",
    "Holder holder; holder.start(x);": "shift_kernel",
    "Layers layers; layers.first(x);": "scale_kernel",
    "Layers layers; layers.all(x);": "shift_kernel",
    "Layers layers; layers.named(x, n);": "both_kernel",
    "behind_a_directive(x);": "both_kernel shift_kernel",
    "chosen_by_macros(x, n);": "scale_kernel shift_kernel",
    "hands_over(x, n);": "first_kernel second_kernel",
    "through_a_macro(x);": "imported_kernel",
}  # fmt: skip
"""What a host function does, and the kernels that it reaches."""
LONG = "".join(f"    float* x{i}, // what is told of parameter {i} takes a line of text\n" for i in range(80))
HOST = f"""
## a.cu
template <int N>
__global__ void
#if defined(__CUDA_ARCH__)
__launch_bounds__(N)
#endif
    late_kernel(float* x) {{}}
__global__ void long_kernel(
{LONG}    int n) {{}}
void run_shift(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
constexpr int width = 4;
namespace {{ void hidden(float* x) {{ shift_kernel<<<1, 32>>>(x); }} }}
## other/width.cu
namespace three {{ void used_by_all(float* x) {{ shift_kernel<<<1, 32>>>(x); }} }}
namespace four {{ void used_by_all(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }} }}
void width(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
## parts.cuh
namespace all {{
namespace one {{
void run(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
void again(float* x) {{ run(x); }}
}}
namespace two {{ void run(float* x) {{ shift_kernel<<<1, 32>>>(x); }} }}
}}
namespace branched {{
#if OLD
}}
void first(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
#else
void second(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
}}
#endif
template <class T, class P> struct Runner {{ static void start(float* x); }};
template <class T, class P> void Runner<T, P>::start(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
template <class Derived> struct Builder {{
  static void build(float* x) {{ compile(Derived::source(x)); }}
}};
struct Made final : public Builder<Made> {{
  static std::string source(float* x) {{
    return R"(
#include <k.cuh>
auto k = &both_kernel<{{}}>;
)";
  }}
}};
struct Layer {{
  void start(float* x) {{ body(x); }}
  virtual void body(float* x) = 0;
}};
struct Scaling : Layer {{ void body(float* x) override {{ scale_kernel<1><<<1, 32>>>(x); }} }};
struct Shifting : public ns::Layer {{ void body(float* x) override {{ shift_kernel<<<1, 32>>>(x); }} }};
void same_name(float* x) {{ both_kernel<<<1, 32>>>(x); }}
namespace outer {{ void placed(float* x); }}
namespace inner {{ void placed(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }} }}
void outer::placed(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
void twice(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
#ifndef OLD
template <int N = 1>
void two_heads(
#else
void two_heads(
#endif
    float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
void parameter_in_a_branch(float* x
#ifdef WIDE
    , int width
#endif
) {{ shift_kernel<<<1, 32>>>(x); }}
template <class T> struct Doubler;
template <> struct Doubler<float> {{
  void operator()(float* x) const {{ shift_kernel<<<1, 32>>>(x); }}
}};
## entries.h
using Run = void (*)(float*);
extern std::map<int, Run> ENTRIES, OTHERS;
struct Entry {{
  Entry(int key, Run run) {{ ENTRIES.insert({{key, run}}); }}
}};
struct Unrelated {{
  Unrelated(int key, Run run) {{ OTHERS.insert({{key, nullptr}}); }}
}};
#define ENTER(KEY, KERNEL) \\
  void run_##KEY(float* x) {{ launch_entry<KEY>(x); }} \\
  static Entry entry_##KEY(KEY, run_##KEY)
## entries.cu
#include "entries.h"
template <int KEY> void launch_entry(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
ENTER(1, shift);
void run_second(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
static Entry second(2, run_second);
static Unrelated third(3, run_second);
## entries.cpp
#include "entries.h"
std::map<int, Run> ENTRIES, OTHERS;
Run entry_of(int key) {{ return all::ENTRIES.find(key)->second; }}
Run other_entry_of(int key) {{ return OTHERS.find(key)->second; }}
## picked.cu
template <int W> __global__ void picked_kernel(float* x) {{}}
void* pick(int n) {{ return (void *)picked_kernel<1>; }}
void passes_on(float* x) {{
  const auto kernel = picked_kernel<3>;
  Starter(1, 32).enabled(true)(kernel, x);
}}
static constexpr Picked PICKED[2] = {{picked_kernel<1>, picked_kernel<2>}};
void passes_an_element_on(float* x, int n) {{ Starter(1, 32).enabled(true)(PICKED[n - 1], x); }}
Spec pick_spec(int n) {{ Spec spec = {{(void*)picked_kernel<2>, 1}}; return spec; }}
struct Packed {{
  Packed(float* x, int n);
  void again(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }}
}};
Packed::Packed
(
    float* x,
    int n
) :
    x(x)
{{
  picked_kernel<1><<<1, 32>>>(x);
}}
namespace shapes {{
template <int N> struct Halved {{
  explicit Halved(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
}};
}}
void shift_all(float* x, int n) {{ shift_kernel<<<1, 32>>>(x); }}
namespace dispatched {{
template <class T> void Packed(T* x) {{ shift_kernel<<<1, 32>>>(x); }}
}}
## layers.cu
struct Cache {{
  static std::shared_ptr<Layer> get(int n) {{ return layers[n]; }}
}};
Shifting& shared_layer(int n) {{ return *layers[n]; }}
struct Holder {{
  void start(float* x) {{ mLayer->body(x); }}
  Shifting const* mLayer;
}};
struct Both {{ void body(float* x) {{ both_kernel<<<1, 32>>>(x); }} }};
struct Layers {{
  void first(float* x) {{ scaling[0].body(x); }}
  void all(float* x) {{
    for (auto& layer : shifting) layer->body(x);
  }}
  void named(float* x, int n) {{
    auto found = by_name.find(n);
    if (found == by_name.end()) return;
    auto& layer = found->second;
    layer->body(x);
  }}
  std::vector<Scaling> scaling;
  std::vector<std::unique_ptr<Shifting>> shifting;
  std::unordered_map<int32_t, std::shared_ptr<Both>> by_name;
}};
## directives.cu
#define CHECK(x) if (x) abort()
#define CHOOSE(W) if (n == W) k = &scale_kernel<W>; else k = &shift_kernel;
#define CHOOSE_ALL CHOOSE(4)
#define START(KERNEL) auto k = KERNEL<4>; void* given[] = {{&x}}; cudaLaunchKernel((void*)k, 1, 32, given, 0, 0)
using held::imported_kernel;
void behind_a_directive(float* x) {{
#if WIDE
  // of the wide kind
  run_shift(x);
#endif

  same_name(x);
}}
void chosen_by_macros(float* x, int n) {{
  void (*k)(float*) = nullptr;
  CHOOSE(4);
  k<<<1, 32>>>(x);
}}
__global__ void first_kernel(float* x) {{}}
__global__ void second_kernel(float* x) {{}}
void launched(Kernel picked, float* x) {{ picked<<<1, 32>>>(x); }}
void hands_over(float* x, int n) {{
  Kernel picked;
  picked = n > 4 ? &first_kernel : &second_kernel;
  launched(picked, x);
}}
void through_a_macro(float* x) {{ START(imported_kernel); }}
## held.cuh
namespace held {{ template <int N> __global__ void imported_kernel(float* x) {{}} }}
## wrap.h
namespace wrap {{ void twice(float* x) {{ ::twice(x); }} }}
## device/same_name.cuh
__global__ void same_name(float* x) {{}}
## f.cu
constexpr int width = 4;
void run_here(float* x) {{ shift_kernel<<<1, 32>>>(x); }}
using three::used_by_all;
namespace {{ void hidden(float* x) {{ scale_kernel<1><<<1, 32>>>(x); }} }}
template <class F> void use(F f, float* x) {{ f(x); }}
template <auto F> void through(float* x) {{ F(x); }}
void f(float* x, int n) {{ BODY }}
"""


@pytest.mark.parametrize("body", STARTED)
def test_kernels_by_what_starts_them(body: str, workspace: Callable[[str], Files]) -> None:
    shown = tree(ask(workspace(KERNELS + HOST.replace("BODY", body)), "f.cu::f"))
    kernels = {line.rpartition(" ")[2] for line in shown if "CUDA kernel" in line}
    assert sorted(kernels) == STARTED[body].split()
