"""A function that is followed by itself: what its callers call a size is not what its own objects hold."""

from pathlib import Path

from kernelscope.dims import dim
from kernelscope.interp.findings import Seen
from kernelscope.interp.traced_runs import trace_function
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor
from kernelscope.workspace.files import Files
from kernelscope.workspace.workspace import Workspace

LAYERS = """
import torch
from torch import nn
from elsewhere import sizes


class Plain(nn.Module):
    def __init__(self, rows, columns):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = Plain(sizes.up, sizes.width)

    def forward(self, hidden):
        return hidden @ self.up.weight.t()
"""


def test_a_size_of_the_callers_is_not_one_that_an_object_made_here_holds_under_that_name(tmp_path: Path) -> None:
    """The callers' size is how many rows the weight of some layer has; it comes in as what `up` has columns."""
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    workspace = Workspace(Files([str(tmp_path)]), None)
    module = workspace.modules.module(str(path))
    assert module is not None
    scope = next(scope for scope in module.functions() if scope.node.name == "forward")
    assert isinstance(scope.node, t.FunctionDef)
    given = Tensor(Shape((dim("rows"), dim("self.weight_dim0"))))
    trace = trace_function(workspace, str(path), scope, {scope.node.args[1].name_span: Seen(given)})
    result = trace.root.result
    assert isinstance(result, Tensor) and result.shape.dims is not None
    assert result.shape.dims[0] == dim("rows")
    assert result.shape.dims[1] != dim("self.weight_dim0")
