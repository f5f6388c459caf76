"""The weights of the layers inside a call that stays shut: `q_proj, o_proj: [H, H]`, those of one shape on one line.

Says nothing of a call with more shapes than a reader would write beside one box.
"""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.ops import Module
from kernelscope.patterns.flow import Node
from kernelscope.tensor import Shape, Tensor

MOST_SHAPES = 4
MOST_NAMES = 4
"""More layers of one shape are counted."""


def shut_weights(call: Node, name: Callable[[Node], str], shape: Callable[[Shape], str]) -> list[str]:
    """A line for each shape of the matrices that the layers inside multiply with."""
    layers: dict[str, dict[str, None]] = {}
    for node in call.walk():
        target = node.step.target
        matrix = matrix_of(target) if isinstance(target, Module) else None
        if node.step.kind == "layer" and matrix is not None and multiplies(node):
            called = name(node).rpartition(".")[2] or node.step.name  # of a chain, in which layers have no names
            layers.setdefault(shape(matrix.shape), {})[called] = None
    if len(layers) > MOST_SHAPES:
        return []
    return [f"{_list(list(names))}: {text}" for text, names in layers.items()]


def matrix_of(layer: Module) -> Tensor | None:
    """What a layer multiplies with, or scales: torch's weight, Flax's kernel."""
    return next((layer.parameters[name] for name in ("weight", "kernel") if name in layer.parameters), None)


def multiplies(node: Node) -> bool:
    """Whether a layer has a weight that is no scale of a norm."""
    operator, target = node.step.operator, node.step.target
    has_weight = isinstance(target, Module) and matrix_of(target) is not None
    return has_weight and operator is not None and operator.flops is not None and "Norm" not in node.step.name


def _list(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} weights"
