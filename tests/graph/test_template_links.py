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
