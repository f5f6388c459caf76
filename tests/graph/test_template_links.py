"""Function templates of one name: what a call means is told by how many template arguments it gives."""

from __future__ import annotations

from collections.abc import Callable

from graph.call_trees import ask, tree
from kernelscope.workspace.files import Files

SOURCE = """
## forward.cuh
template <int W> __global__ void forward_kernel(float* x) {}
template <typename T, int W> void start(Parameters<Forward>& p) { forward_kernel<W><<<1, 32>>>(p.x); }
## backward.cuh
template <int W> __global__ void backward_kernel(float* x) {}
template <typename T, int W, int LAST> void start(Parameters<Backward>& p) { backward_kernel<W><<<1, 32>>>(p.x); }
## entries.cuh
#define FORWARD(T, W) void run_forward(Parameters<Forward>& p) { start<T, W>(p); }
#define BACKWARD(T, W)                                                        \\
  void run_backward(Parameters<Backward>& p) {                                \\
    start<T,                                                                  \\
          W,                                                                  \\
          8>(p);                                                              \\
  }
## values.cuh
template <typename To, typename From> To converted(From x) { return x; }
template <> float converted<float, half>(half x) { return from_half(x); }
float from_half(half x) { return x; }
## m.cu
#include "forward.cuh"
#include "entries.cuh"
void forward(Parameters<Forward>& p) { FORWARD(float, 4); }
void backward(Parameters<Backward>& p) { BACKWARD(float, 4); }
float convert(half x) { return converted<float, half>(x); }
void either(Any& p) { start(p); }
"""


def test_what_is_given_fewer_or_more_template_arguments_is_not_called(workspace: Callable[[str], Files]) -> None:
    files = workspace(SOURCE)

    def kernels(of: str) -> list[str]:
        return [line.strip(" └├─│") for line in tree(ask(files, f"m.cu::{of}")) if "kernel" in line or "?" in line]

    assert tree(ask(files, "m.cu::convert"))[-1].endswith("C++ from_half()")  # by a specialisation
    assert kernels("forward") == ["launch of forward_kernel over 1", "CUDA kernel forward_kernel"]
    assert kernels("backward") == ["launch of backward_kernel over 1", "CUDA kernel backward_kernel"]
    assert [line for line in kernels("either") if line.startswith("?")] == ["? C++ start()", "? C++ start()"]


HANDED = """
## m.cu
template <typename T, int D> __global__ void nearest_kernel(T* x) {}
template <typename T> __global__ void kept_kernel(T* x) {}
template <typename T, int D>
struct Nearest {
  static void run(int blocks, T* x) { nearest_kernel<T, D><<<blocks, 32>>>(x); }
};
template <typename T>
struct Kept {
  static void run(T* x) { kept_kernel<T><<<1, 32>>>(x); }
};
template <template <typename, int> class Kernel, typename T, int D>
struct Chosen {
  static void run(int d, T* x) { if (d == D) Kernel<T, D>::run(1, x); }
};
template <template <typename, int> class Kernel, typename T, int LEAST, int MOST>
void dispatch(int d, T* x) { Chosen<Kernel, T, LEAST>::run(d, x); }
void search(int version, float* x) {
  if (version == 1) {
    dispatch<
        Nearest,
        float,
        1,
        8>(version, x);
  }
}
void member(float* x) { Chosen<Nearest, float, 2>::run(2, x); }
void keep(float* x) {
  std::vector<Kept<float>> all;
  auto made = std::make_unique<Kept<float>>();
}
"""


def test_a_struct_that_a_call_is_given_as_a_template_argument_may_be_run(workspace: Callable[[str], Files]) -> None:
    files = workspace(HANDED)
    for function in ("search", "member"):
        found = tree(ask(files, f"m.cu::{function}"))
        assert [line.strip(" └├─│") for line in found if "kernel" in line] == [
            "launch of nearest_kernel over blocks",
            "CUDA kernel nearest_kernel",
        ]
        assert any(line.endswith("? C++ Nearest::run()") for line in found)
    assert not any("kept_kernel" in line for line in tree(ask(files, "m.cu::keep")))
