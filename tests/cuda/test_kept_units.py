"""What is kept of CUDA files while they are edited: nothing of what they were."""

from __future__ import annotations

import gc
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.kernels.cuda.units import Unit

TEXT = """
template <typename F> void start(F kernel, float *out, int grid) { kernel<<<grid, 128>>>(out); }

__global__ void fill(float *out) { out[blockIdx.x * blockDim.x + threadIdx.x] = 1.0f; }

void launch(float *out, dim3 grid, dim3 block) { fill<<<grid, block>>>(out); }

void run(float *out) {
  launch(out, dim3(4), dim3(64));
  start(fill, out, 8);
}
"""


def test_nothing_is_kept_of_a_file_as_it_was_before_edits(tmp_path: Path) -> None:
    path = tmp_path / "fill.cu"
    path.write_text(TEXT)
    analysis = Analysis([tmp_path])
    for number in range(8):
        data = f"// {number}\n{TEXT}".encode()
        analysis.set_text(path, data)
        hover = analysis.hover(path, data.index(b"fill(float"))
        assert hover is not None and "fill" in hover.signature
    gc.collect()
    alive = [unit for unit in gc.get_objects() if isinstance(unit, Unit) and unit.path == str(path)]
    assert len(alive) <= 1
