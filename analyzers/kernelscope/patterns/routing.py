"""Mixture of experts: each token goes to the few experts that a projection of it scores highest."""

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node, dependencies, words
from kernelscope.patterns.paths import LINEARS, MATRIX_PRODUCTS, back, forward, given, width
from kernelscope.patterns.pattern import Clue, Pattern

SCORES = words("softmax sigmoid nn.Softmax add mul div softplus sqrt masked_fill topk sum scatter gather group_norm")
PICKS = words("index gather one_hot where nonzero index_select scatter index_add bincount argsort sort eq")


def experts(call: Node) -> Pattern | None:
    """A `topk` of a projection whose choice picks rows of tokens or weights, and whose weights scale, or sum up, what
    the experts give."""
    for leaf in call.leaves():
        if leaf.operator != "topk":
            continue
        origins = back([n for use in leaf.uses for n in use.nodes], lambda n: n.operator in SCORES)
        router = next((n for n in origins if _scores_experts(n)), None)
        after = list(forward(leaf, lambda n: n.operator in SCORES or n.operator in PICKS))
        picking = [n for n in after if n.operator in PICKS]
        picks = next((n for n in picking if not _is_of_scores(n)), next(iter(picking), None))
        weighted = forward(leaf, lambda n: n.operator in SCORES)
        sums = (n for n in weighted if n.operator in MATRIX_PRODUCTS)
        products = [n for n in after if n.operator == "mul"]
        of_two = (n for n in products if len(n.uses) > 1)  # not weights by a number
        scales = next(of_two, None) or next(iter(products), None) or next(sums, None)
        if router is not None and picks is not None and scales is not None:
            clues = (
                Clue(router, "each token scored for each expert"),
                Clue(leaf, "the best of them chosen"),
                Clue(picks, "the choice picks weights" if _is_of_weights(picks) else "the choice picks tokens"),
                Clue(scales, "its weights scale what the experts give"),
            )
            return Pattern("experts", "mixture of experts", clues)
    return None


def _scores_experts(product: Node) -> bool:
    """Whether a product is a projection by weights, to more than one number: what is made of two tensors of the data,
    or gives one score, ranks tokens."""
    if product.operator not in LINEARS and product.operator not in ("matmul", "mm"):
        return False
    if width(product) == dim(1):
        return False
    operands = [{*use.nodes, *dependencies(use.nodes)} for use in product.uses[:2]]
    data = [{n for n in side if n.step.kind == "input"} for side in operands]
    return isinstance(product.step.target, Module) or len(data) < 2 or not data[0] & data[1]


def _is_of_scores(pick: Node) -> bool:
    """Whether what is picked from are the scores themselves, as by `scores.gather(1, chosen)`: that picks no token."""
    origins = back(given(pick), lambda n: n.operator in SCORES)
    return pick.operator == "gather" and any(n.operator in LINEARS or n.operator in ("matmul", "mm") for n in origins)


def _is_of_weights(pick: Node) -> bool:
    """Whether what is picked from are weights: `self.weight[chosen]`."""
    return any(node.step.kind == "weight" for node in given(pick))
