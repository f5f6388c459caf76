"""What an editor shows of a kernel's threads: hovers and ranges of index variables, findings, the card's rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.results import Span

SOURCE = """\
__global__ void transpose(float *out, const float *in, int width, int height) {
  __shared__ float tile[32][32];
  __shared__ float small[128];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  const int lane = threadIdx.x % 32;
  for (int j = threadIdx.y; j < 32; j += 8)
    tile[j][threadIdx.x] = in[(y + j) * width + x];
  __syncthreads();
  out[y * height + x] = tile[lane][threadIdx.y];
  out[lane * 10] = small[threadIdx.y * 32 + lane];
  if (lane < 2) small[lane * 64] = 0;
}
void run(float *o, float *i) {
  dim3 block(32, 8);
  transpose<<<dim3(64, 64), block>>>(o, i, 2048, 2048);
}
"""


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    (tmp_path / "transpose.cu").write_text(SOURCE)
    return Analysis([tmp_path])


def path_of(analysis: Analysis) -> Path:
    return analysis.roots[0] / "transpose.cu"


def test_hovers_of_index_variables_tell_formula_and_values(analysis: Analysis) -> None:
    hover = analysis.hover(path_of(analysis), SOURCE.index("x = blockIdx"))
    assert hover is not None
    assert hover.signature == "int x = 32*blockIdx.x+threadIdx.x"
    assert hover.notes == ("values: 0 … 2047",)
    hover = analysis.hover(path_of(analysis), SOURCE.index("j = threadIdx"))
    assert hover is not None
    assert hover.signature == "int j = threadIdx.y+8*k"


def test_hints_tell_ranges(analysis: Analysis) -> None:
    hints = analysis.inlay_hints(path_of(analysis), Span(0, len(SOURCE)))
    told = {SOURCE[: hint.offset].rsplit(maxsplit=1)[-1]: hint.label for hint in hints}
    assert told["x"] == ": 0 … 2047"
    assert told["lane"] == ": 0 … 31"


def test_findings_say_what_wastes_and_what_would_help(analysis: Analysis) -> None:
    found = [(p.code, SOURCE[: p.span.start].count("\n") + 1, p.message) for p in analysis.problems(path_of(analysis))]
    expected = [("bank-conflict", 9), ("out-of-bounds", 10), ("uncoalesced", 10), ("bank-conflict", 11)]
    assert [(code, line) for code, line, _ in found] == expected
    assert "rows of 33 elements instead of 32" in found[0][2]
    assert "small has 512 bytes; a thread of the block of (32, 8, 1) reaches byte 639" in found[1][2]
    assert "40 bytes apart" in found[2][2]


def test_card_rows(analysis: Analysis) -> None:
    hover = analysis.hover(path_of(analysis), SOURCE.index("transpose"))
    assert hover is not None
    rows = dict(hover.table)
    assert "`x = 32*blockIdx.x+threadIdx.x`" in rows["Thread mapping"]
    assert "neighbouring threads are 40 bytes apart in `out`" in rows["Thread mapping"]
    assert "`in` L7 load: coalesced (stride 1, 4 bytes/lane, if width is a multiple of 4)" in rows["Global access"]
    assert "`tile` L9 load: 32-way bank conflict" in rows["Shared access"]
