"""What is given for a parameter that is annotated as a number is one, whatever else is known of it."""

from __future__ import annotations

from pathlib import Path

from kernelscope.interp.traced_runs import trace_function
from kernelscope.tensor import Tensor
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

SOURCE = """
import torch
from torch import nn
from elsewhere import settings


def normed(x: torch.Tensor, epsilon: float):
    variance = x.pow(2).mean(dim=-1, keepdim=True)
    return torch.rsqrt(variance + epsilon)


class Rms(nn.Module):
    def __init__(self, eps: float = 1e-6):
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor):
        return normed(x, self.eps)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = Rms(eps=settings().get("eps"))

    def forward(self, x: torch.Tensor):
        B, S, W = x.shape
        return self.norm(x)
"""


def test_a_float_that_nothing_is_known_of_changes_no_shape(tmp_path: Path) -> None:
    path = tmp_path / "layer.py"
    path.write_text(SOURCE)
    workspace = Workspace(Files([str(tmp_path)]), None)
    module = workspace.modules.module(str(path))
    assert module is not None
    scope = next(s for s in module.functions() if s.path == ("Layer", "forward"))
    trace = trace_function(workspace, str(path), scope, {})
    (added,) = [step for step in trace.root.walk() if step.name == "torch.add"]
    assert isinstance(added.result, Tensor) and str(added.result.shape) == "[B, S, 1]"
