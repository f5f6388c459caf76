"""Quantised weights: integers of an object, turned into numbers by a scale, that a product uses."""

from __future__ import annotations

from kernelscope.patterns.flow import Node
from kernelscope.patterns.paths import MATRIX_PRODUCTS, back
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.tensor import DType, Tensor

BETWEEN = frozenset(("mul", "sub", "div", "add", "bitwise_and", "bitwise_right_shift", "stack", "cat"))


def quantised(call: Node) -> Pattern | None:
    """A matrix product one of whose operands is `(integers - zero) * scale`."""
    for leaf in call.leaves():
        if leaf.operator not in MATRIX_PRODUCTS:
            continue
        for use in leaf.uses[1:]:
            way = list(back(use.nodes, lambda n: n.operator in BETWEEN))
            scale = next((n for n in way if n.operator in ("mul", "div") and len(n.uses) == 2), None)
            held = next((n for n in way if n.step.kind == "weight" and _is_integer(n.step.result)), None)
            if scale is not None and held is not None:
                clues = (
                    Clue(held, "integers that an object holds"),
                    Clue(scale, "times a scale"),
                    Clue(leaf, "in a product"),
                )
                return Pattern("quantised", "quantised weights", clues)
    return None


def _is_integer(value: object) -> bool:
    return isinstance(value, Tensor) and isinstance(value.dtype, DType) and value.dtype.kind == "int"
