"""Residual additions: a value is added to what was made of it."""

from __future__ import annotations

from kernelscope.patterns.flow import Node, Use, dependencies
from kernelscope.tensor import Tensor


def is_residual(node: Node) -> bool:
    """Whether one of the two operands of an addition was there before the other, which was made of it."""
    if node.operator != "add" or len(node.uses) != 2:
        return False
    one, other = node.uses
    return _is_made_of(one, other) or _is_made_of(other, one)


def _is_made_of(later: Use, earlier: Use) -> bool:
    """Whether a value depends on another; of what gives several parts, such as scale and shift, on that very part."""
    if not later.nodes or not earlier.nodes:
        return False
    around = dependencies(later.nodes)
    value = earlier.value
    for node in earlier.nodes:
        while node.is_view and not node.is_part and node.uses and node.uses[0].nodes:
            value, node = node.uses[0].value, node.uses[0].nodes[0]
        if node not in around or (_gives_several(node) and not any(u.value is value for n in around for u in n.uses)):
            return False
    return True


def _gives_several(node: Node) -> bool:
    """Whether a step gives several values, or may do so."""
    return node.is_part or not isinstance(node.step.result, Tensor)
