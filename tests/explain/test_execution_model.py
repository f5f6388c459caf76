"""How a system runs its model, told in the overview of a folder: each way by what shows it, and near-misses."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernelscope.analysis import Analysis
from kernelscope.explain.render import to_text
from kernelscope.results import Target

SAMPLE = Path(__file__).parents[1] / "workspaces" / "sample"
MODEL = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.first = nn.Linear(size, size)

    {decorator}
    def forward(self, x):
        return self.first(x)
"""
KERNEL = """
__global__ void scale(float *x, int n) {{
    for (int i = {start}; i < n; i += {step}) x[i] *= 2.0f;
}}
"""


def told(folder: Path) -> str:
    text = to_text(Analysis([folder]).document("explain", Target(folder))).text
    return text.partition("Execution model")[2].split("\n\n")[1]


def test_a_kernel_that_runs_kinds_of_tasks() -> None:
    assert "Megakernel: megakernel loops over tasks and runs each of 5 kinds" in told(SAMPLE)


@pytest.mark.parametrize(("decorator", "said"), [("", "Eager"), ("@torch.compile", "Compiled graph")])
def test_eager_and_compiled(tmp_path: Path, decorator: str, said: str) -> None:
    (tmp_path / "model.py").write_text(MODEL.format(decorator=decorator))
    assert told(tmp_path).startswith(said)


def test_a_model_that_a_call_compiles(tmp_path: Path) -> None:
    made = (
        "def make(fast):\n    model = Model(8)\n    if fast:\n        model = torch.compile(model)\n    return model\n"
    )
    (tmp_path / "model.py").write_text(MODEL.format(decorator="") + made)
    assert told(tmp_path).startswith("Compiled graph: make compiles model by torch.compile(model)")


@pytest.mark.parametrize(
    ("start", "step", "said"),
    [("blockIdx.x", "gridDim.x", "Persistent kernels"), ("threadIdx.x", "blockDim.x", "Eager")],
)
def test_a_loop_over_blocks_is_persistent_one_over_threads_is_not(
    tmp_path: Path, start: str, step: str, said: str
) -> None:
    (tmp_path / "scale.cu").write_text(KERNEL.format(start=start, step=step))
    assert told(tmp_path).startswith(said)
