"""CUDA files as trees: macros expanded, branches chosen, places kept."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from kernelscope.syntax.cuda.functions import Function, FunctionKind, functions
from kernelscope.syntax.cuda.mending import mended
from kernelscope.syntax.cuda.nodes import walk
from kernelscope.syntax.cuda.outer_names import outer_names
from kernelscope.syntax.cuda.source import CudaSource, of_kinds, parse
from tree_sitter import Node


def nodes(source: CudaSource, kind: str) -> list[Node]:
    return [node for node in walk(source.root) if node.type == kind]


def kernels(source: CudaSource) -> list[Function]:
    return [function for function in functions(source) if function.kind is FunctionKind.KERNEL]


def test_macros_expand_and_their_arguments_keep_their_places() -> None:
    data = b"""#define VEC4(p) (reinterpret_cast<float4*>(&(p))[0])
#define TILE 64
__global__ void copy(float* out, const float* in) {
  __shared__ float buffer[TILE];
  VEC4(out[threadIdx.x]) = VEC4(in[threadIdx.x]);
}
"""
    source = parse(data)
    assert not source.root.has_error
    subscripts = [node for node in nodes(source, "subscript_expression") if source.text(node) == "in[threadIdx.x]"]
    assert [source.written(node) for node in subscripts] == ["in[threadIdx.x]"]
    assert source.line(subscripts[0]) == 5
    cast = next(node for node in nodes(source, "subscript_expression") if "reinterpret_cast" in source.text(node))
    assert source.written(cast) == "VEC4(out[threadIdx.x])"
    array = nodes(source, "array_declarator")[0]
    assert source.text(array) == "buffer[TILE]"


def test_unknown_macros_do_not_break_the_tree() -> None:
    data = b"""
LIB_DEVICE float twice(float x) { return 2 * x; }
template <typename T> __global__ __launch_bounds__(128, 2) void scale(T* x) {
  CHECK_SOMETHING(x)
  x[threadIdx.x] = twice(x[threadIdx.x]);
}
void run(float* x, int n) {
  SWITCH_ON(n > 4, kBig, { scale<float><<<n, 128>>>(x); });
}
"""
    source = parse(data)
    assert not source.root.has_error
    (kernel,) = kernels(source)
    assert (kernel.name, [t.name for t in kernel.templates], [p.type for p in kernel.params]) == (
        "scale",
        ["T"],
        ["T*"],
    )
    assert "__launch_bounds__(128, 2)" in kernel.header
    assert len(nodes(source, "kernel_call_syntax")) == 1


def test_one_branch_of_a_split_statement_is_read_and_all_kernels_are() -> None:
    data = b"""
#ifdef USE_HALF
__global__ void half_kernel(__half* x) { x[0] = 0; }
#else
__global__ void float_kernel(float* x) {
#if __CUDA_ARCH__ >= 800
  if (x[0] > 0) {
#else
  if (x[0] > 1) {
#endif
    x[0] = 0;
  }
}
#endif
"""
    source = parse(data)
    assert not source.root.has_error
    assert [(k.name, source.is_active(k.span.start)) for k in kernels(source)] == [
        ("half_kernel", False),
        ("float_kernel", True),
    ]


def test_lines_for_older_architectures_are_not_read_and_those_for_others_are() -> None:
    data = b"""__global__ void k(int* x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  x[1] = 0;
#endif
#if __CUDA_ARCH__ >= 1000
  x[2] = 0;
#endif
#if __CUDA_ARCH__ >= 750 && __CUDA_ARCH__ < 900
  x[3] = 0;
#endif
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 700
  x[4] = 0;
#endif
}
"""
    (kernel,) = kernels(parse(data))
    body = kernel.body.text
    assert body is not None
    assert [number for number in b"1234" if bytes((number,)) in body] == list(b"234")


def test_unknown_macros_among_the_qualifiers_of_a_kernel_do_not_hide_it() -> None:
    data = b"""
template <typename T, int N>
BOUNDS_2(512, 4)
__global__ void before(T* x) { x[0] = 0; }
template <typename T> __global__ void
BOUNDS_1((same<T, float>::value ? 1024 : 896), 1)
within(T* x) { x[0] = 0; }
template <typename T>
#if defined(OTHER_VENDOR)
BOUNDS_2(1024, 4)
#else
BOUNDS_2(512, 8)
#endif
__global__ void chosen(T* x) { x[0] = 0; }
template <class T> __launch_bounds__(64) __global__ void first(T* x) { x[0] = 0; }
"""
    found = kernels(parse(data))
    assert [(kernel.name, [t.name for t in kernel.templates]) for kernel in found] == [
        ("before", ["T", "N"]),
        ("within", ["T"]),
        ("chosen", ["T"]),
        ("first", ["T"]),
    ]
    assert "BOUNDS_2(512, 8)" in found[2].header
    assert "1024" not in found[2].header


def test_words_of_the_language_stay_what_they_are() -> None:
    data = b"""#define __global__ __attribute__((global))
#define __launch_bounds__(...) __attribute__((bounds(__VA_ARGS__)))
__global__ __launch_bounds__(64) void k(int* p) { p[0] = 1; }
"""
    (kernel,) = kernels(parse(data))
    assert "__launch_bounds__(64)" in kernel.header


def test_what_a_build_switches_on_is_read_where_nothing_is_in_its_place() -> None:
    data = b"""namespace a {
#ifdef WITH_GPU
namespace {
__global__ void hidden(int* p) { p[0] = 1; }
}  // namespace
}  // namespace a
#endif
"""
    assert [kernel.name for kernel in kernels(parse(data))] == ["hidden"]
    data = b"""
#ifdef WITH_HALF
#define CASE_HALF(T, ...) { using T = half; __VA_ARGS__(); }
#else
#define CASE_HALF(T, ...)
#endif
void run(float* x, bool half) {
#ifdef WITH_FLOAT
  scale<float><<<1, 32>>>(x);
#endif
#if 0
  scale<double><<<1, 32>>>(x);
#endif
  CASE_HALF(T, [&] { scale<T><<<1, 64>>>(x); });
  CASE_HALF(T, [&] { other(x); });
}
"""
    expanded = parse(data).expanded
    assert expanded.count(b"scale<float><<<") == expanded.count(b"scale<T><<<") == 1
    assert b"scale<double>" not in expanded
    assert b"other" not in expanded


def test_a_kernel_in_the_midst_of_broken_code_is_read_by_itself() -> None:
    data = b"""
struct X { int a = [[[ ;
__global__ void lonely(int* p) { p[0] = 1; }
"""
    (kernel,) = kernels(parse(data))
    assert kernel.name == "lonely"
    assert not kernel.body.has_error


def test_of_two_heads_in_front_of_one_body_the_last_is_its_own() -> None:
    source = parse(b"__global__\n__global__ void copy(float *out) {\n  out[0] = [[ ;\n  if (\n}\n")
    assert [kernel.name for kernel in kernels(source)] == ["copy"]


def test_kernels_made_by_macros_are_functions_of_their_use() -> None:
    data = b"""#define KERNEL(name, op) \\
  __global__ void name(float* x) { x[threadIdx.x] = op; }
KERNEL(zero, 0.f)
KERNEL(one, 1.f)
"""
    source = parse(data)
    assert [(k.name, source.source.line_of(k.name_span.start)) for k in kernels(source)] == [("zero", 3), ("one", 4)]


def test_macros_that_repeat_a_launch_keep_some_of_its_copies() -> None:
    """Four ways times four are sixteen copies: some stay, each way once at least; what launches nothing stays whole."""
    data = b"""#define WAYS(T, ...) { using T = A; __VA_ARGS__(); } { using T = B; __VA_ARGS__(); } \\
  { using T = C; __VA_ARGS__(); } { using T = D; __VA_ARGS__(); }
void f(int n) { WAYS(in, [&] { WAYS(out, [&] { run<in, out><<<1, n>>>(); }); }); }
void g() { WAYS(in, [&] { WAYS(out, [&] { plain<in, out>(); }); }); }
"""
    expanded = parse(data).expanded
    assert 4 <= expanded.count(b"<<<") <= 12
    before = expanded.index(b"void g")
    assert all(re.search(rb"using in = " + way + rb";[^}]*<<<", expanded[:before]) for way in (b"A", b"B", b"C", b"D"))
    assert expanded.count(b"plain<") == 16


def test_a_long_macro_is_read_in_no_time() -> None:
    """A pattern that tries every way to part a name would not come back."""
    name = b"a_rather_long_identifier_without_an_end" * 4
    source = parse(b"#define LONG " + name + b" = " + name + b";\nvoid f() { LONG }\n")
    assert source.text(nodes(source, "assignment_expression")[0]) == (name + b" = " + name).decode()


FIXTURES = sorted((Path(__file__).parents[1] / "cuda").glob("*/*.cu"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_outer_names_hold_all_that_a_file_declares(path: Path) -> None:
    data = path.read_bytes()
    declared = parse(data).lowered
    every = {*declared.functions, *declared.structs, *declared.aliases, *declared.variables}
    assert {name.encode() for name in every} <= outer_names(data)


def test_outer_names_leave_out_what_bodies_say() -> None:
    text = b"""
    #define SIZE 4
    namespace outer { template <typename T> struct Tile { T data[SIZE]; __device__ T sum() const { T inside = 0; } }; }
    __device__ int twice(int x) { int local = x; if (x) { deeper(local); }
    #define ODD(y) { y
    return local; }
    constexpr int table[] = {hidden, 2};
    template <int N, bool Last = (N > 4)> __global__ void __launch_bounds__(BOUND) run(Tile<T> given, int count);
    DECLARED(made, count)
    """
    assert {b"SIZE", b"run", b"made", b"Tile", b"data", b"sum", b"twice", b"ODD", b"table"} <= outer_names(text)
    assert not {b"inside", b"local", b"deeper", b"hidden", b"outer", b"given", b"Last", b"BOUND"} & outer_names(text)


def test_outer_names_are_all_words_where_braces_do_not_match() -> None:
    assert b"local" in outer_names(b"#if A\nvoid f(int a) {\n#else\nvoid f() {\n#endif\n int local; }\nvoid g();")


def test_what_stands_far_before_a_macro_is_found_in_no_time() -> None:
    parts = (b"int a%d;" % i + b" " * 1_500 + b"\nSAY_IT(a%d)\n" % i for i in range(6_000))
    text = b"void f() {\n" + b"".join(parts) + b"}"
    began = time.process_time()
    read = mended(text)
    assert time.process_time() - began < 2, "each macro copied all that stands before it"
    assert read.count(b";") == 12_000, "each is a statement"


def test_brackets_around_a_variable_make_no_cast_of_a_sum_and_those_around_a_type_do() -> None:
    text = b"""typedef float real; template <typename T> T f(T x, int i, int n) {
    T least = (T) -n * 2; real far = (real) -n * 2; unseen near = (unseen) - n * 2;
    return g (i) - n * 2 + h[(i) + n * 2] + (i) - n * 2; }"""
    told = mended(text)
    assert b"(T) -n" in told and b"(real) -n" in told and b"(unseen) - n" in told
    assert b"g (i) - n" in told
    assert b"h[ i  + n * 2] +  i  - n * 2" in told


@pytest.mark.parametrize("count", [3, 4, 12, 40])
def test_nodes_of_a_kind_are_in_source_order(count: int) -> None:
    branches = "".join(f"if (a == {i}) {{ a = {i}; }}\n" for i in range(count))
    found = of_kinds(parse(f"void f(int a) {{ {branches} }}".encode()).root, ("if_statement",))["if_statement"]
    assert len(found) == count
    assert [node.start_byte for node in found] == sorted(node.start_byte for node in found)


def test_functions_that_run_without_threads_are_no_kernels() -> None:
    text = """extern "C" __global__ __aicore__ void quantize(uint8_t *input) { input[0] = 0; }
__global__ void scale(float *x) { x[threadIdx.x] *= 2; }"""
    assert [kernel.name for kernel in kernels(parse(text.encode()))] == ["scale"]
