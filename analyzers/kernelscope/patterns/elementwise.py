"""Calls that treat every element alike, such as an activation written out, and copies of heads for grouped queries."""

from __future__ import annotations

from kernelscope.patterns.flow import Node
from kernelscope.patterns.paths import ELEMENTWISE
from kernelscope.patterns.pattern import Clue, Pattern

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
    """Keys or values copied for every query head of their group: `expand` and `reshape`, or `repeat_interleave`."""
    leaves = [n for n in call.leaves() if not n.is_source]
    copies = [n for n in leaves if n.operator in HEAD_COPIES]
    if len(copies) != 1 or any(not n.is_view and n not in copies for n in leaves):
        return None
    return Pattern("repeat", "repeat heads", (Clue(copies[0], "each head copied for its group"),), (), True)
