"""Which function makes which document about the flow of tensors through a Python function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kernelscope.explain.dataflow import dataflow
from kernelscope.explain.document import Document
from kernelscope.explain.lifetimes import lifetimes
from kernelscope.explain.operators import operator_table
from kernelscope.explain.targets import PythonTarget, python_target
from kernelscope.interp.findings import Seen
from kernelscope.results import Span, Target, ViewOptions
from kernelscope.workspace.workspace import Workspace

Maker = Callable[[Workspace, PythonTarget, Mapping[Span, Seen], ViewOptions, Target], Document]
MAKERS: dict[str, Maker] = {"dataflow": dataflow, "ops": operator_table, "memory": lifetimes}


def flow_document(
    kind: str, workspace: Workspace, target: Target, callers: Mapping[Span, Seen], options: ViewOptions
) -> Document:
    """The document of a kind about the function at a target; `callers` tells what its parameters are given."""
    return MAKERS[kind](workspace, python_target(workspace, target), callers, options, target)
