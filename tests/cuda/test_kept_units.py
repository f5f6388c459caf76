"""What is kept of CUDA files while they are edited: nothing of what they were."""

from __future__ import annotations

import gc
from pathlib import Path

from kernelscope.analysis import Analysis
from kernelscope.kernels.cuda.units import KEPT_CHANGES, Unit

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


def test_nothing_is_kept_of_files_that_nobody_asks_for_while_texts_change(tmp_path: Path) -> None:
    old, typed = tmp_path / "old" / "fill.cu", tmp_path / "typed" / "other.cu"
    for path in (old, typed):
        path.parent.mkdir()
        path.write_text(TEXT)
    analysis = Analysis([tmp_path])
    before = analysis.hover(old, TEXT.index("fill(float"))
    for number in range(KEPT_CHANGES + 1):
        analysis.set_text(typed, f"__global__ void mine() {{}}  // {number}\n".encode())
    assert analysis.hover(typed, len("__global__ void m")) is not None
    gc.collect()
    assert {Path(unit.path).name for unit in gc.get_objects() if isinstance(unit, Unit)} == {"other.cu"}
    assert analysis.hover(old, TEXT.index("fill(float")) == before
