"""Gated feed-forward: an activated projection times another of the same input, projected back."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.ops import Module
from kernelscope.patterns.attention import FUSED
from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.paths import ACTIVATIONS, LINEARS, MATRIX_PRODUCTS, back
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.patterns.ways import excludes

GATES = words("glu nn.GLU jnn.glu")
CONVOLUTIONS = words("conv1d nn.Conv1d")
NAMES = {"silu": "SwiGLU", "gelu": "GeGLU", "relu": "ReGLU", "sigmoid": "GLU"}


def gated_mlp(call: Node) -> Pattern | None:
    """`down(act(gate(x)) * up(x))`; gate and up may be halves of one projection."""
    for leaf in call.leaves():
        if leaf.operator in GATES and (found := _by_one_operator(call, leaf)) is not None:
            return found
        if leaf.operator != "mul" or len(leaf.uses) != 2:
            continue
        sides = [list(back(use.nodes)) for use in leaf.uses]
        for active, plain in (sides, sides[::-1]):
            gate = next((n for n in active if _activates(n)), None)
            up = next((n for n in plain if _projects(n)), None)
            if gate is None or up is None:
                continue
            inner = [n for n in back([o for use in gate.uses for o in use.nodes]) if _projects(n)]
            if not inner or not _same_input(inner[0], up):
                continue
            down = next((u for u in _readers(leaf) if _projects(u)), None)
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


def _by_one_operator(call: Node, gate: Node) -> Pattern | None:
    """`down(glu(both(x)))`, where both projections see one position each."""
    both = next((n for n in back([o for use in gate.uses for o in use.nodes]) if _projects(n)), None)
    down = next((u for u in _readers(gate) if _projects(u)), None)
    if both is None or down is None:
        return None
    clues = (Clue(both, "both projections"), Clue(gate, "one half gates the other"), Clue(down, "projected back"))
    is_part = any(_is_beside(n, gate) for n in call.leaves() if n not in (both, down))
    return Pattern("mlp", "gated MLP (GLU)", clues, ("one projection for both",), is_part=is_part)


def _projects(node: Node) -> bool:
    """Whether a step is a projection of one position each: a convolution is, where it sees no others."""
    if node.operator not in CONVOLUTIONS:
        return node.operator in LINEARS
    layer = node.step.target
    size = layer.settings.get("kernel_size") if isinstance(layer, Module) else None
    return all(part == dim(1) for part in (size if isinstance(size, tuple) else (size,)))


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
