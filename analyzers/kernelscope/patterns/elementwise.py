"""Calls that treat every element alike, such as an activation written out, and copies of heads for grouped queries."""

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.patterns.attention import FUSED
from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.paths import ELEMENTWISE, MATRIX_PRODUCTS, forward, result
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.tensor import Tensor

TURNS = words("permute transpose swapaxes movedim")
HEAD_COPIES = ("expand", "repeat_interleave", "repeat", "expand_as")


def elementwise(call: Node) -> Pattern | None:
    """An activation or the like: one tensor in, the same operation on each element."""
    leaves = [n for n in call.leaves() if not (n.is_source or n.is_view or n.is_creation)]
    if len(leaves) < 1 or any(n.operator not in ELEMENTWISE for n in leaves):
        return None
    inside = set(call.walk())
    outside = {o for n in inside for use in n.uses for o in use.nodes if o not in inside}
    if len({o for o in outside if o.step.kind != "weight"}) > 1:
        return None
    return Pattern("elementwise", "elementwise", (Clue(leaves[-1], "each element by itself"),), (), True)


def repeated_heads(call: Node) -> Pattern | None:
    """Keys or values copied for every query head of their group: `expand` and `reshape`, or `repeat_interleave`.

    The copies lie along an axis that was there before, between the first and the last: learned queries that are copied
    for each sequence, and a mask for each query, are none. What is told of them is that attention reads them, or that
    they are returned: a picture is made larger by copies, too.
    """
    leaves = [n for n in call.leaves() if not n.is_source]
    copies = [n for n in leaves if n.operator in HEAD_COPIES]
    if len(copies) != 1 or any(not n.is_view and n not in copies for n in leaves):
        return None
    if any(n.operator in TURNS for n in leaves) or not _multiplies_one_axis(leaves[0], call):
        return None
    inside = set(call.walk())
    readers = [n for n in forward(copies[0]) if n not in inside]
    if readers and not any(n.operator in MATRIX_PRODUCTS or n.operator in FUSED for n in readers):
        return None
    return Pattern("repeat", "repeat heads", (Clue(copies[0], "each head copied for its group"),), (), True)


def _multiplies_one_axis(first: Node, call: Node) -> bool:
    """Whether what a call gives differs from what its first step takes in one inner axis, as far as that is known."""
    made, value = result(call), next((use.value for use in first.uses if isinstance(use.value, Tensor)), None)
    if made is None or value is None or made.shape.dims is None or value.shape.dims is None:
        return False
    before, after = value.shape.dims, made.shape.dims
    grown = [axis for axis, (one, other) in enumerate(zip(before, after, strict=False)) if one != other]
    inner = range(1, len(before) - 1)
    return len(before) == len(after) and len(grown) <= 1 and all(a in inner and before[a] != dim(1) for a in grown)
