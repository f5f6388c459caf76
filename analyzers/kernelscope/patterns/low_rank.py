"""Low-rank adapters: a pair of projections through a narrow middle, added to a projection of the same input."""

from __future__ import annotations

from kernelscope.dims import maximum
from kernelscope.patterns.flow import Node, dependencies
from kernelscope.patterns.paths import LINEARS, back, is_scaling, width
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
            shared = set(back(down.uses[0].nodes)) & set(back(base.uses[0].nodes))
            if shared and _is_by_weights(down, shared) and _is_by_weights(up, shared) and _may_be_narrow(down, up):
                clues = (Clue(base, "the base"), Clue(down, "down"), Clue(up, "and up again"), Clue(leaf, "added"))
                return Pattern("adapter", "low-rank adapter", clues)
    return None


def _is_by_weights(product: Node, given: set[Node]) -> bool:
    """Whether the second operand is none of what the pair is given."""
    second = [node for use in product.uses[1:2] for node in use.nodes]
    return given.isdisjoint({*second, *dependencies(second)})


def _may_be_narrow(down: Node, up: Node) -> bool:
    """Whether the middle may be narrower than what comes out, as far as sizes tell."""
    middle, after = width(down), width(up)
    return middle is None or after is None or maximum(middle, after) != middle
