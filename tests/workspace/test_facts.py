"""What a scan finds in one file: definitions with their scopes, imports, calls, launches, registrations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernelscope.workspace.definitions import names_of
from kernelscope.workspace.facts import TOP, DefKind, FileFacts, called_names, columns, decode_facts, encode, rows
from kernelscope.workspace.scan import facts_of, names_of_facts, priority

PYTHON = """
import torch, a.b as ab
import triton.language as tl
from ..ops import (  # several
    norm as n,
    silu,
)
lib = torch.library.Library("mylib", "FRAGMENT")
lib.define("scale(Tensor x) -> Tensor")
SIZE: int = 4
@triton.jit
def kernel(x, N: tl.constexpr):
    tl.load(x)
class Block(nn.Module):
    heads: int = 8
    def forward(self, x):
        def inner():
            return self.proj(x)
        kernel[(1, 2)](x, N=4)
        return torch.ops.mylib.scale(x).relu()
@torch.library.custom_op("mylib::fused", mutates_args=())
def fused(x: torch.Tensor) -> torch.Tensor:
    return helpers[0].kernel[grid(x)](x)
@torch.library.register_fake("mylib::fused")
def _(x): ...
lib.impl("scale", fused, "CUDA")
register(op_name="late", op_func=fused)
"""

CUDA = r"""
#include <x.h>
// __global__ void not_this(int);
#define DEFINE_KERNEL(name, ...) template <typename T> __global__ void name(__VA_ARGS__)
#define LAUNCH(T) \
  norm_kernel<T><<<grid, 256>>>(x);
namespace ns {
template <typename T, int N = (3 > 2)>
__global__ void __launch_bounds__(256, 2) norm_kernel(T* x) { if (x) { step(x); } }
DEFINE_KERNEL(made_kernel, int n) { x[n] = 0; }
struct Args : Base { int n; void set(int v) { n = v; } };
static inline __device__ float step(float* x) { return *x; }
}
void norm(torch::Tensor& x, cudaStream_t s) {
#ifdef FAST
  if (a) {
#else
  if (b) {
#endif
    LAUNCH(float);
  }
  auto kernel = &ns::made_kernel<float, 4>;
  kernel<<<dim3(x.size(0), 2), 128, 0, s>>>(x.data());
  DISPATCH(x, [&] { ns::norm_kernel<scalar_t, (N > 1)><<<1, 1>>>(x); });
  cudaLaunchKernelEx(&config, ns::norm_kernel<half>, x);
}
TORCH_LIBRARY_FRAGMENT(my, ops) {
  ops.def("norm(Tensor! x, "
          "int n) -> ()");
  ops.impl("norm", torch::kCUDA, &norm);
  m.def("other", &norm);
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("norm", &norm, "doc");
  m.def("lam", [](int a) { return ns::step(a); });
}
TVM_FFI_DLL_EXPORT_TYPED_FUNC(run, ns::norm);
"""


def scopes(facts: FileFacts) -> list[str]:
    names: list[str] = []
    for d in facts.defs:
        names.append((names[d.scope] + "." if d.scope != TOP else "") + d.name)
    return names


def test_python_definitions_and_scopes() -> None:
    facts = facts_of("m.py", PYTHON.encode())
    kinds = dict(zip(scopes(facts), [d.kind.name for d in facts.defs], strict=True))
    assert kinds == {
        "kernel": "FUNCTION",
        "Block": "CLASS",
        "Block.forward": "METHOD",
        "Block.forward.inner": "FUNCTION",
        "fused": "FUNCTION",
        "_": "FUNCTION",
        "lib": "VARIABLE",
        "SIZE": "VARIABLE",
        "Block.heads": "FIELD",
    }
    details = {d.name: d.detail for d in facts.defs}
    assert details["kernel"] == "@triton.jit"
    assert details["Block"] == "(nn.Module)"


def test_python_imports() -> None:
    facts = facts_of("m.py", PYTHON.encode())
    assert [(i.bound, i.level, i.module, i.name) for i in facts.imports] == [
        ("torch", 0, "torch", None),
        ("ab", 0, "a.b", None),
        ("tl", 0, "triton.language", None),
        ("n", 2, "ops", "norm"),
        ("silu", 2, "ops", "silu"),
    ]


def test_python_calls_launches_and_registrations() -> None:
    facts = facts_of("m.py", PYTHON.encode())
    names = scopes(facts)
    where = {c.name: names[c.scope] if c.scope != TOP else "" for c in facts.calls}
    assert where["self.proj"] == "Block.forward.inner"
    assert where["torch.ops.mylib.scale"] == "Block.forward"
    assert where["?.relu"] == "Block.forward"
    assert [(x.kernel, x.grid, names[x.scope]) for x in facts.launches] == [
        ("kernel", "(1, 2)", "Block.forward"),
        ("?.kernel", "grid(x)", "fused"),
    ]
    assert sorted((r.mechanism, r.library, r.name, r.target, r.key) for r in facts.registrations) == [
        ("custom_op", "mylib", "fused", "fused", ""),
        ("define", "=lib", "scale", "", ""),
        ("fake", "mylib", "fused", "_", ""),
        ("impl", "=lib", "scale", "fused", "CUDA"),
    ]
    kept = next(c for c in facts.calls if c.name == "register")
    assert kept.args == (("op_name", '"late"'), ("op_func", "fused"))


def test_cuda_definitions() -> None:
    facts = facts_of("k.cu", CUDA.encode())
    kinds = dict(zip(scopes(facts), [d.kind.name for d in facts.defs], strict=True))
    assert kinds == {
        "DEFINE_KERNEL": "MACRO",
        "LAUNCH": "MACRO",
        "norm_kernel": "CUDA_KERNEL",
        "made_kernel": "CUDA_KERNEL",
        "Args": "STRUCT",
        "Args.set": "CUDA_FUNCTION",
        "step": "CUDA_FUNCTION",
        "norm": "CUDA_FUNCTION",
        "lambda of lam": "LAMBDA",
    }
    norm = next(d for d in facts.defs if d.name == "norm")
    assert CUDA.encode()[norm.start : norm.end].endswith(b"half>, x);\n}")


def test_cuda_launches_references_and_registrations() -> None:
    facts = facts_of("k.cu", CUDA.encode())
    names = scopes(facts)
    assert [(x.kernel, x.grid, names[x.scope]) for x in facts.launches] == [
        ("norm_kernel", "grid", "LAUNCH"),
        ("kernel", "dim3(x.size(0), 2)", "norm"),
        ("ns::norm_kernel", "1", "norm"),
        ("ns::norm_kernel", "&config", "norm"),
    ]
    assert ("kernel", "ns::made_kernel") in [(r.variable, r.name) for r in facts.references]
    assert [(r.mechanism, r.library, r.name, r.target, r.key) for r in facts.registrations] == [
        ("define", "my", "norm", "", ""),
        ("impl", "my", "norm", "norm", "CUDA"),
        ("pybind", "TORCH_EXTENSION_NAME", "norm", "norm", ""),
        ("pybind", "TORCH_EXTENSION_NAME", "lam", "lambda of lam", ""),
        ("export", "", "run", "ns::norm", ""),
    ]
    assert facts.registrations[0].schema == "norm(Tensor! x, int n) -> ()"


def test_kernels_of_other_files_that_a_call_is_given_are_mentioned() -> None:
    source = b"""
    void run(float* x, Cast<int> y) {
        launch_linear(ns::scaled_kernel<float, sizeof(Wide<int>)>, 0, stream, (Narrow<char>)x);
        launch_linear(0, &shifted_kernel<4>);
        if (less(a < b, c > d)) x = 0;
    }
    """
    facts = facts_of("k.cu", source)
    assert {"ns::scaled_kernel", "shifted_kernel"} <= {r.name for r in facts.references}
    assert not {"a", "Wide", "Narrow"} & {r.name for r in facts.references}
    assert {b"scaled_kernel", b"shifted_kernel"} <= set(called_names(facts).split(b"\n"))


def test_cuda_in_python_strings_keeps_its_place() -> None:
    source = b'src = """\n__global__ void k(int* x) { x[0] = 1; }\n"""\nmod = load_inline(name="m", cuda_sources=src)\n'
    facts = facts_of("m.py", source)
    kernel = next(d for d in facts.defs if d.kind is DefKind.CUDA_KERNEL)
    assert source[kernel.name_start : kernel.name_start + 1] == b"k"
    assert kernel.line == 2


@pytest.mark.parametrize(("path", "source"), [("m.py", PYTHON), ("k.cu", CUDA)])
def test_the_two_tiers_agree_on_names(path: str, source: str) -> None:
    data = source.encode()
    exact = {(n.name, n.line, n.column) for n in names_of_facts(facts_of(path, data), data)}
    quick = {(n.name, n.line, n.column) for n in rows(names_of(path, data)) if n.name != "not_this"}
    assert quick <= exact


def test_facts_and_names_survive_storage() -> None:
    facts = facts_of("k.cu", CUDA.encode())
    assert decode_facts(encode(facts)) == facts
    names = names_of_facts(facts, CUDA.encode())
    assert rows(columns(names)) == names


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["m.py", "k.cu"]), st.integers(0, 2000), st.integers(0, 400), st.binary(max_size=8))
def test_broken_files_are_scanned_without_complaint(path: str, cut: int, drop: int, junk: bytes) -> None:
    data = (PYTHON if path == "m.py" else CUDA).encode()
    broken = data[:cut] + junk + data[cut + drop :]
    facts = facts_of(path, broken)
    names_of(path, broken)
    assert all(0 <= d.start <= d.end <= len(broken) for d in facts.defs)
    assert all(d.scope < i for i, d in enumerate(facts.defs) if d.kind not in (DefKind.FIELD, DefKind.VARIABLE))


@pytest.mark.parametrize(
    "data",
    [b"(" * 100_000, b"{" * 100_000, b"__global__ " * 20_000, b"template <" * 20_000, b"*" * 200_000,
     b"#define X \\\n" * 20_000,
     b"class A:\n " * 5_000, b"a<<<" * 30_000, b"/*" * 50_000, b'"' * 100_001,
     b"def f" * 100_000, b"class " * 100_000,
     b"#define E(a) f" + b" " * 60_000 + b"!\nvoid (*t[])() = {E(1)};\nvoid g() { t[0]<<<1, 1>>>(); }",
     b"void f() { x =" + b" " * 100_000, b"void f() { x.f(); Part" + b" " * 100_000 + b";}"],
)  # fmt: skip
def test_hostile_files_take_no_time(data: bytes) -> None:
    for path in ("m.py", "k.cu"):
        facts_of(path, data)
        names_of(path, b"\n" + data)


def test_a_parameter_of_a_macro_is_no_kernel_of_that_name() -> None:
    facts = facts_of(
        "m.cu",
        b"""
#define START(kernel, grid, ...) \\
  kernel<<<grid, 256>>>(__VA_ARGS__); \\
  after<<<1, 1>>>(grid);
__global__ void kernel(float* x) {}
__global__ void after(int n) {}
""",
    )
    assert [launch.kernel for launch in facts.launches] == ["after"]


def test_calls_that_begin_in_one_place_come_in_one_order() -> None:
    lines = "".join(f"        super().run_{i}()(x)\n" for i in range(200))
    facts = facts_of("a.py", f"class A:\n    def f(self, x):\n{lines}".encode())
    names = [call.name for call in facts.calls]
    assert names == [name for i in range(200) for name in ("super", f"super().run_{i}")]


def test_brackets_of_a_launch_may_be_apart() -> None:
    data = b"""
__global__ void kernel(float* x, int n) {}
void run(float* x, int n) {
  kernel << <dim3(n >> 5), 1 << 5 >> > (x, n);
  std::cout << n << "<< <" << (n >> 2);
  kernel < < < n, 64 >> > (x, n);
}
"""
    launches = facts_of("m.cu", data).launches
    assert [(launch.kernel, launch.grid) for launch in launches] == [("kernel", "dim3(n >> 5)"), ("kernel", "n")]


def test_a_macro_that_writes_functions_and_one_that_registers_them() -> None:
    data = b"""
#define TEXT(name) #name
#define BIND(name) m.def(TEXT(name), &name, "adds " TEXT(name));
__global__ void add_f32_kernel(float* x) {}
__global__ void add_f16_kernel(half* x) {}
#define CHECK(x, type) if (x.dtype() != type) { refuse("no " #type); }
#define ADD(kind, type)               \\
  void add_##kind(torch::Tensor x) {  \\
    CHECK(x, type)                    \\
    add_##kind##_kernel<<<x.size(0), 64>>>(x.data_ptr()); \\
  }
ADD(f32, kFloat)
ADD(f16, kHalf)
PYBIND11_MODULE(NAME, m) {
  BIND(add_f32)
  BIND(add_f16)
}
"""
    facts = facts_of("m.cu", data)
    functions = {i: (d.name, d.line, d.detail) for i, d in enumerate(facts.defs) if d.kind is DefKind.CUDA_FUNCTION}
    assert list(functions.values()) == [
        ("add_f32", 12, "void add_f32(torch::Tensor x)"),
        ("add_f16", 13, "void add_f16(torch::Tensor x)"),
    ]
    launched = [(functions[launch.scope][0], launch.kernel, launch.grid) for launch in facts.launches]
    assert launched == [("add_f32", "add_f32_kernel", "x.size(0)"), ("add_f16", "add_f16_kernel", "x.size(0)")]
    refusing = [functions[c.scope][0] for c in facts.calls if c.name == "refuse" and c.scope in functions]
    assert refusing == ["add_f32", "add_f16"]
    assert [(r.name, r.target, r.line) for r in facts.registrations] == [
        ("add_f32", "add_f32", 15),
        ("add_f16", "add_f16", 16),
    ]


def test_members_of_classes_are_no_parameters_and_no_locals() -> None:
    data = b"""
template <typename M> class Holder {
public:
  void take(Bar bar);
  int size() const { Foo foo; return 3; }
  std::unique_ptr<M> net;
  mutable Other* other = nullptr;
  std::map<int, std::vector<Layer>> unnamed;
  std::vector<std::unique_ptr<Layer>> layers;
  uint32_t n;
};
void Model::run() {
  unknown_->f();
  for (auto& one : all_) one.f();
  this->first.second[0]->f();
  Here here;
  here.part.f();
}
"""
    facts = facts_of("m.cc", data)
    assert [(facts.defs[m.owner].name, m.name, m.kind) for m in facts.members] == [
        ("Holder", "net", "M"),
        ("Holder", "other", "Other"),
        ("Holder", "layers[]", "Layer"),
    ]
    assert [dict(call.args) for call in facts.calls if call.name == "?.f"] == [
        {"by": "unknown_"},
        {"by": "all_[]"},
        {"by": "first.second[]"},
        {"by": "part", "of": "Here"},
    ]


def test_a_macro_that_calls_itself_or_many_times_ends() -> None:
    many = b"".join(b"#define M%d(x) { M%d(x) M%d(x) M%d(x) }\n" % (i, i + 1, i + 1, i + 1) for i in range(40))
    facts = facts_of("m.cu", many + b"#define SELF(x) void f(x) { SELF(x) }\nSELF(int)\nM0(1)\n")
    assert [d.name for d in facts.defs if d.kind is DefKind.CUDA_FUNCTION] == ["f"]


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("import torch\n@torch.jit.script\ndef f(x): ...\n", 1),
        ("import torch\nimport triton\n@torch.jit.script\ndef f(x): ...\n@triton.jit\ndef k(x): ...\n", 0),
        ("from triton import jit\n@jit\ndef k(x): ...\n", 0),
        ("import torch\nfrom layers.custom_op import CustomOp\n", 1),
        ('import torch\nregister_custom_op("f", f)\n', 0),
        ("import json\n", 2),
    ],
)
def test_which_files_are_read_first(text: str, rank: int) -> None:
    assert priority("m.py", text.encode()) == rank
