"""Attention: softmax of scores between a product with the keys and one with the values, or one fused call.

Written out over a whole matrix of scores it is *materialised*, whatever the softmax does; only a fused operator is not.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kernelscope.dims import Dim, maximum
from kernelscope.interp.values import External, as_size
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node, Use, dependencies, words
from kernelscope.patterns.masks import CAUSAL, WINDOW, mask_traits
from kernelscope.patterns.paths import ACTIVATIONS, LINEARS, MATRIX_PRODUCTS, back, forward, given
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.tensor import Tensor

FUSED = words(
    "scaled_dot_product_attention flash_attn_func flash_attn_varlen_func flash_attn_qkvpacked_func "
    "flash_attn_with_kvcache jnn.dot_product_attention"
)
SOFTMAXES = frozenset(("softmax", "nn.Softmax", "softmin"))
NORMS = words(
    "rsqrt rms_norm layer_norm normalize nn.RMSNorm nn.LayerNorm flax.linen.RMSNorm flax.linen.LayerNorm "
    "flax.nnx.RMSNorm flax.nnx.LayerNorm"
)
GROUPED = "grouped heads"
MASK_POSITION = 3
NORMING = NORMS | {"mul"}
"""What a norm that is written out does to its input last."""
CONVOLUTIONS = words("conv2d conv3d nn.Conv2d nn.Conv3d flax.linen.Conv flax.nnx.Conv")
NO_WINDOW = -1
BETWEEN = words("mul div add sub masked_fill where clamp tanh cat index maximum max amax softmax nn.Softmax exp sum")
"""What happens to scores between the two products: scale, mask, bias, cap, sinks."""


def attention(call: Node) -> Pattern | None:
    """The attention at the heart of a call: `is_whole` where it is nothing but that, `is_part` where it is more."""
    leaves = [n for n in call.leaves() if not n.is_source]
    for leaf in leaves:
        core = _fused(leaf) if leaf.operator in FUSED else _written_out(leaf, set(leaves))
        if core is None:
            continue
        clues, traits = core
        inside = set(leaves)
        whole = not any(_is_more(n) for n in inside)
        part = _is_part(leaves, {clue.node for clue in clues}) or _is_fed(leaves, clues[0].node)
        return Pattern("attention", "Attention", tuple(clues), tuple(dict.fromkeys(traits)), whole, part)
    return None


def _is_part(leaves: Iterable[Node], core: set[Node]) -> bool:
    """Whether a call multiplies matrices beside what leads to its attention and the first projection behind it.

    A whole layer does so, with its feed-forward part behind the attention or beside it.
    """
    products = {n for n in leaves if n.operator in LINEARS or n.operator in MATRIX_PRODUCTS}
    behind, todo, seen = set[Node](), [user for node in core for user in node.users], set[Node]()
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            if node in products and node not in core:
                behind.add(node)
            else:
                todo += node.users
    return bool(products - core - behind - dependencies(core | behind))


def _is_fed(leaves: Iterable[Node], product: Node) -> bool:
    """Whether queries and keys are of what a block of its own makes: two layers with an activation between them."""
    before = _of_both(product)
    layers = {n for n in leaves if n in before and (n.operator in LINEARS or n.operator in CONVOLUTIONS)}
    bent = {n for n in leaves if n in before and n.operator in ACTIVATIONS and layers & dependencies([n])}
    return any(bent & dependencies([layer]) for layer in layers)


def _of_both(product: Node) -> set[Node]:
    """What the first two operands of a product depend on alike."""
    found = [{*use.nodes, *dependencies(use.nodes)} for use in product.uses[:2]]
    return set[Node].intersection(*found) if found else set()


def _is_more(node: Node) -> bool:
    """Whether a step is none of attention's own: a layer, a projection, something else that is used."""
    if node.step.kind == "unfollowed":
        return bool(node.users)
    return node.step.kind in ("layer", "choice") or node.operator == "linear"


def _fused(leaf: Node) -> tuple[list[Clue], list[str]]:
    kwargs = leaf.step.kwargs
    grouped = [GROUPED] if kwargs.get("enable_gqa") is True else []
    traits = ["fused", *grouped, *_heads(leaf), *_latent(leaf.uses[:3]), *_normed(leaf)]
    if kwargs.get("is_causal") is True or kwargs.get("causal") is True:
        traits.append(CAUSAL)
    window = kwargs.get("window_size")
    if isinstance(window, tuple) and any(as_size(part) != NO_WINDOW for part in window):
        traits.append(WINDOW)
    traits += mask_traits(n for position, use in enumerate(leaf.uses) if _is_mask(use, position) for n in use.nodes)
    return [Clue(leaf, "one fused operator: no matrix of scores in memory")], traits


def _written_out(leaf: Node, inside: set[Node]) -> tuple[list[Clue], list[str]] | None:
    """`softmax(q kᵀ · scale + mask) v`."""
    if leaf.operator not in SOFTMAXES:
        return None
    before = list(back([n for u in leaf.uses for n in u.nodes], lambda n: n.operator in BETWEEN))
    scores = [n for n in before if n.operator in MATRIX_PRODUCTS]
    outs = [n for n in forward(leaf, lambda n: n.operator in BETWEEN) if n.operator in MATRIX_PRODUCTS]
    scores = [n for n in scores if n in inside and len(n.uses) >= 2]
    outs = [n for n in outs if n in inside and len(n.uses) >= 2]
    if not scores or not outs or _is_projection(scores[0]):
        return None
    clues = [
        Clue(scores[0], "scores of all pairs"),
        Clue(leaf, "softmax over the whole row" if _is_over_last_axis(leaf) else "softmax"),
        Clue(outs[0], "times the values"),
    ]
    masks = [n for n in before if n not in scores and not n.is_source]
    heads = (*_heads(scores[0]), *_heads(outs[0]), *_latent([*scores[0].uses[:2], outs[0].uses[1]]))
    traits = ["materialised", *heads, *_normed(scores[0]), *mask_traits(masks)]
    return clues, traits


def _is_projection(product: Node) -> bool:
    """Whether a product is with weights: these are no keys of positions, though a softmax may run over either axis, as
    in attention of linear cost and where words that are foretold are embedded."""
    return bool(product.uses[1].nodes) and all(n.is_learned for n in back(product.uses[1].nodes))


def _is_over_last_axis(softmax: Node) -> bool:
    """Whether an operator runs over the last axis, as far as the code tells."""
    step, value = softmax.step, next((use.value for use in softmax.uses), None)
    held = step.target.settings if isinstance(step.target, Module) else {}
    told = next((of[name] for of in (step.kwargs, held) for name in ("dim", "axis") if name in of), None)
    told = as_size(step.args[1] if told is None and len(step.args) > 1 else told)
    number = told.const if isinstance(told, Dim) else told
    rank = value.shape.rank if isinstance(value, Tensor) else None
    return not isinstance(number, int) or number == -1 or (rank is not None and number == rank - 1)


def _is_mask(use: Use, position: int) -> bool:
    """Whether an operand of a fused operator is its mask: by name, or behind queries, keys and values."""
    return use.name == "attn_mask" or (not use.name and position == MASK_POSITION)


def _normed(product: Node) -> Iterator[str]:
    """Queries and keys that are normed between their projections and their product."""
    if len(product.uses) > 1 and all(_is_normed(use) for use in product.uses[:2]):
        yield "normed queries and keys"


def _is_normed(use: Use) -> bool:
    todo, seen = list(use.nodes), set[Node]()
    while todo:
        node = todo.pop()
        if node in seen or node.is_source or node.operator in LINEARS or node.operator in MATRIX_PRODUCTS:
            continue
        seen.add(node)
        if node.operator in NORMS:
            return True
        if node.step.kind != "op" and not isinstance(node.step.target, External) and not node.is_view:
            continue  # a layer that is not followed may be the projection
        todo += [origin for part in node.uses for origin in part.nodes]
    return False


def _heads(product: Node) -> Iterator[str]:
    """Keys or values that are repeated to serve several heads of the query."""
    for use in product.uses[1:3]:
        for node in use.nodes:
            if _is_repeated(node):
                yield GROUPED
                return


def _latent(operands: Sequence[Use]) -> Iterator[str]:
    """Keys and values that are unfolded from one short vector: a projection of a projection, the same for both.

    What the queries are made of as well is no such vector, but what attention is given: it may be short, too.
    """
    shorts = [{low for n in _projections(use.nodes) for low in _narrower(n)} for use in operands]
    if len(shorts) > 2 and set.intersection(*shorts[1:]) - shorts[0]:
        yield "latent keys and values"


def _projections(nodes: Iterable[Node]) -> list[Node]:
    """The projections that keys or values are parts of, perhaps joined with a part that carries positions."""
    return [n for n in back(nodes, lambda node: node.operator == "cat") if n.operator in LINEARS]


def _narrower(projection: Node) -> Iterator[Node]:
    """The projection that another takes the result of, normed at most, where it may give less than it is given."""
    for node in back(given(projection), lambda node: node.operator in NORMING):
        layer = node.step.target
        weight = layer.parameters.get("weight") if isinstance(layer, Module) else None
        match weight.shape.dims if weight is not None else None:
            case (Dim() as after, Dim() as before) if node.operator in LINEARS and maximum(before, after) != after:
                yield node
            case _:
                pass


def _is_repeated(node: Node) -> bool:
    """Whether a tensor is a copy of heads, by `repeat_interleave` or by `expand` and `reshape`."""
    seen: set[Node] = set()
    todo = [node]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.operator in ("repeat_interleave", "expand", "repeat", "expand_as"):
            return True
        if current.is_view:
            todo += current.uses[0].nodes if current.uses else []
    return False
