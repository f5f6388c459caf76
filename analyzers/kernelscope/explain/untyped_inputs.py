"""Inputs of which nothing tells that they are tensors, where a box works on them: `cos` and `sin`, a mask of attention.

The flow follows tensors; what a caller gives without a word of what it is has no step of its own there.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.interp.steps import Step
from kernelscope.interp.trace import Trace
from kernelscope.interp.values import Opaque, Value
from kernelscope.ops import Op
from kernelscope.patterns.flow import UNITS, Node, words

TENSORS = words("other mask attn_mask condition index weight bias mat1 mat2")
"""Parameters of operators that take tensors."""


def untyped_inputs(trace: Trace, box: Node) -> Iterator[str]:
    """How the source reaches the inputs that operators of a box take for tensors."""
    for node in box.walk():
        step, operator = node.step, node.step.operator
        if step.kind != "op" or operator is None or (node is box and operator.name in UNITS):
            continue  # a box of its own is called by its operand: `× scale`
        for value in _operands(step, operator):
            if name := trace.reached(value):
                yield name


def _operands(step: Step, operator: Op) -> Iterator[Value]:
    parameters = operator.parameters
    for name, value in (parameters.bind(step.args, step.kwargs) or {}).items():
        if name == parameters.rest and isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, Opaque))
        elif name in TENSORS and isinstance(value, Opaque):
            yield value
