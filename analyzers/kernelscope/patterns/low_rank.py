"""Low-rank adapters: a pair of projections through a narrow middle, added to a projection of the same input."""

from __future__ import annotations

from kernelscope.patterns.flow import Node
from kernelscope.patterns.paths import LINEARS, back, is_scaling
from kernelscope.patterns.pattern import Clue, Pattern

PRODUCTS = LINEARS | {"matmul"}


def adapter(call: Node) -> Pattern | None:
    """`base(x) + up(down(x)) * scale`, with nothing between down and up."""
    for leaf in call.leaves():
        if leaf.operator != "add" or len(leaf.uses) != 2:
            continue
        sides = [[n for n in back(use.nodes, is_scaling) if n.operator in PRODUCTS] for use in leaf.uses]
        for plain, pair in (sides, sides[::-1]):
            up = next((n for n in pair if n.uses), None)
            base = next((n for n in plain if n is not up), None)
            if up is None or base is None:
                continue
            down = next((n for n in back(up.uses[0].nodes) if n.operator in PRODUCTS), None)
            if down is None or not down.uses or not base.uses:
                continue
            if set(back(down.uses[0].nodes)) & set(back(base.uses[0].nodes)):
                clues = (Clue(base, "the base"), Clue(down, "down"), Clue(up, "and up again"), Clue(leaf, "added"))
                return Pattern("adapter", "low-rank adapter", clues)
    return None
