"""Gated feed-forward: an activated projection times another of the same input, projected back."""

from __future__ import annotations

from kernelscope.patterns.attention import FUSED
from kernelscope.patterns.flow import Node
from kernelscope.patterns.paths import ACTIVATIONS, LINEARS, MATRIX_PRODUCTS, back
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.patterns.ways import excludes

NAMES = {"silu": "SwiGLU", "gelu": "GeGLU", "relu": "ReGLU", "sigmoid": "GLU"}


def gated_mlp(call: Node) -> Pattern | None:
    """`down(act(gate(x)) * up(x))`; gate and up may be halves of one projection."""
    for leaf in call.leaves():
        if leaf.operator != "mul" or len(leaf.uses) != 2:
            continue
        sides = [list(back(use.nodes)) for use in leaf.uses]
        for active, plain in (sides, sides[::-1]):
            gate = next((n for n in active if _activates(n)), None)
            up = next((n for n in plain if n.operator in LINEARS), None)
            if gate is None or up is None:
                continue
            inner = [n for n in back([o for use in gate.uses for o in use.nodes]) if n.operator in LINEARS]
            if not inner or not _same_input(inner[0], up):
                continue
            down = next((u for u in _readers(leaf) if u.operator in LINEARS), None)
            if down is None:
                continue
            name = NAMES.get(gate.operator.removeprefix("nn.").lower())
            shared = ("one projection for both",) if inner[0] is up else ()
            clues = (
                Clue(gate, "activated"),
                Clue(leaf, "times another projection of the same input"),
                Clue(down, "projected back"),
            )
            title = "gated MLP" if name is None else f"gated MLP ({name})"
            is_part = any(_is_beside(n, leaf) for n in call.leaves() if n not in (inner[0], up, down))
            return Pattern("mlp", title, clues, shared, is_part=is_part)
    return None


def _is_beside(node: Node, product: Node) -> bool:
    """Whether a step multiplies matrices, too, where the gate is taken: a whole layer is not called after its part."""
    multiplies = node.operator in LINEARS or node.operator in MATRIX_PRODUCTS or node.operator in FUSED
    return multiplies and not excludes(node.step, product.step)


def _activates(node: Node) -> bool:
    return node.operator in ACTIVATIONS or node.step.kind == "choice"


def _same_input(one: Node, other: Node) -> bool:
    first, second = (set(back(n.uses[0].nodes)) if n.uses else set[Node]() for n in (one, other))
    return one is other or bool(first & second)


def _readers(node: Node) -> list[Node]:
    found: list[Node] = []
    todo = list(node.users)
    while todo:
        user = todo.pop(0)
        if user.is_view:
            todo += user.users
        else:
            found.append(user)
    return found
