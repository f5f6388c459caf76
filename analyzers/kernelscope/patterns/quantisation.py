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
            if scale is not None and held is not None and not _is_mask(held, scale):
                clues = (
                    Clue(held, "integers that an object holds"),
                    Clue(scale, "times a scale"),
                    Clue(leaf, "in a product"),
                )
                return Pattern("quantised", "quantised weights", clues)
    return None


def _is_mask(held: Node, scale: Node) -> bool:
    """Whether there is a factor for each of the integers: they are what keeps some of these, and drops others."""
    shape = held.step.result.shape if isinstance(held.step.result, Tensor) else None
    factors = [use for use in scale.uses if held not in back(use.nodes, lambda n: n.operator in BETWEEN)]
    return any(isinstance(u.value, Tensor) and u.value.shape.dims and u.value.shape == shape for u in factors)


def _is_integer(value: object) -> bool:
    return isinstance(value, Tensor) and isinstance(value.dtype, DType) and value.dtype.kind == "int"
