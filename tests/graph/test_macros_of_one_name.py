"""Macros that a file defines again under the same name: a use stands for the one that is defined when it comes."""

from __future__ import annotations

from collections.abc import Callable

from graph.call_trees import ask, tree
from kernelscope.workspace.files import Files

SOURCE = """
## m.cu
__global__ void add_half(half* x) {}
__global__ void add_float(float* x) {}
template <typename T> __global__ void copy_kernel(T* x) {}
void add(Tensor x) {
#define INSTANCE(type, kernel) if (x.dtype() == type) kernel<<<1, 32>>>(x.data());
  INSTANCE(kHalf, add_half)
  INSTANCE(kFloat, add_float)
#undef INSTANCE
}
void copy(Tensor x) {
#define INSTANCE(type, T) if (x.dtype() == type) copy_kernel<T><<<1, 32>>>(x.data());
  INSTANCE(kHalf, half)
#undef INSTANCE
}
#ifdef ONE_WAY
#define RUN(x) add_half<<<1, 32>>>(x);
#else
#define RUN(x) add_float<<<1, 32>>>(x);
#endif
void run(half* x) { RUN(x) }
"""


def test_a_use_stands_for_the_macro_that_is_defined_there(workspace: Callable[[str], Files]) -> None:
    files = workspace(SOURCE)

    def kernels(of: str) -> set[str]:
        lines = (line.strip(" └├─│?…") for line in tree(ask(files, f"m.cu::{of}")))
        return {line.removeprefix("CUDA kernel ") for line in lines if line.startswith("CUDA kernel")}

    assert kernels("add") == {"add_half", "add_float"}
    assert kernels("copy") == {"copy_kernel"}
    assert kernels("run") == {"add_half", "add_float"}  # which branch is compiled is not known


PASTED = """
## kernel.cuh
template <int BITS, int BOOK> __global__ void pack_kernel(float* x) {}
## ones.cu
#include "kernel.cuh"
Run pack_kernel_1_0() { return pack_kernel<1, 0>; }
Run pack_kernel_1_1() { return pack_kernel<1, 1>; }
bool is_less(int a, int b) { return a < b; }
## m.cu
#define ONE(bits, book) pack_kernel_##bits##_##book()
static const std::array<Run, 2> kernels
{
  ONE(1, 0), ONE(1, 1)
};
#undef ONE
void pack(int book, float* x) {
  auto kernel = kernels[book];
  kernel<<<1, 32>>>(x);
}
"""


def test_names_that_a_macro_pastes_together_stand_in_a_table(workspace: Callable[[str], Files]) -> None:
    lines = tree(ask(workspace(PASTED), "m.cu::pack"))
    assert [line.strip(" └├─│") for line in lines][1:] == ["launch of kernel over 1", "CUDA kernel pack_kernel"]
