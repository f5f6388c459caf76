"""Hovers in CUDA files of what is no kernel: shared arrays, indices and functions that CUDA gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.results import Hover

SOURCE = """
__device__ float atomicMin(float *at, float value);
__device__ float atomicMin(float *at, float value) { return *at = value; }
__device__ int own() { return threadIdx.y; }
__global__ void turned(const float *in, float *out, int n) {
  __shared__ float tile[32][33];
  extern __shared__ float more[];
  tile[threadIdx.y][threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x];
  more[threadIdx.x] = 0;
  __syncthreads();
  out[gridDim . x + blockDim.y] = __shfl_xor_sync(~0u, tile[threadIdx.x][threadIdx.y], 1);
  atomicMin(out, own());
}
void run(const float *in, float *out, int n) {
  turned<<<n / 32, dim3(32, 8), 4096>>>(in, out, n);
  turned<<<1, dim3(32, 4), 4096>>>(in, out, n);
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("hovers") / "turned.cu"
    file.write_text(SOURCE)
    return file


def hover(path: Path, word: str) -> Hover | None:
    return Analysis([path.parent]).hover(path, SOURCE.index(word) + 1)


def test_a_shared_array_tells_its_bytes_and_how_it_is_read(path: Path) -> None:
    found = hover(path, "tile[32]")
    assert found is not None
    assert found.signature == "__shared__ float tile[32][33]"
    rows = dict(found.table)
    assert rows["Bytes"] == "4224 B"
    assert rows["L8 store"] == "conflict-free"
    assert rows["L11 load"] == "conflict-free"


def test_dynamic_shared_memory_tells_what_launches_give_it(path: Path) -> None:
    found = hover(path, "more[]")
    assert found is not None
    assert found.signature == "extern __shared__ float more[]"
    assert dict(found.table)["Bytes"] == "4096 B at launch L15, 4096 B at launch L16"


@pytest.mark.parametrize(
    ("word", "signature", "rows"),
    [
        ("threadIdx.y]", "unsigned threadIdx.y", (("launch L15", "0 … 7"), ("launch L16", "0 … 3"))),
        ("blockIdx.x", "unsigned blockIdx.x", (("launch L15", "0 … n//32 - 1"), ("launch L16", "0"))),
        ("blockDim.y", "unsigned blockDim.y", (("launch L15", "8"), ("launch L16", "4"))),
        ("gridDim . x", "unsigned gridDim.x", (("launch L15", "n//32"), ("launch L16", "1"))),
        ("x + blockDim", "unsigned gridDim.x", (("launch L15", "n//32"), ("launch L16", "1"))),
        ("threadIdx.y;", "unsigned threadIdx.y", ()),
    ],
)
def test_indices_tell_what_they_are_at_each_launch(
    path: Path, word: str, signature: str, rows: tuple[tuple[str, str], ...]
) -> None:
    found = Analysis([path.parent]).hover(path, SOURCE.index(word))
    assert found is not None
    assert (found.signature, found.table) == (signature, rows)


def test_functions_of_cuda_tell_what_they_do(path: Path) -> None:
    barrier, shuffle = hover(path, "__syncthreads"), hover(path, "__shfl_xor_sync")
    assert barrier is not None and "wait here for each other" in barrier.notes[0]
    assert shuffle is not None and "bits of m turned over" in shuffle.notes[0]


def test_a_function_of_the_workspace_is_its_own_whatever_it_is_called(path: Path) -> None:
    found = hover(path, "atomicMin(out")
    assert found is None or "one step" not in " ".join(found.notes)
