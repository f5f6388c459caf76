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
