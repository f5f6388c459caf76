"""RMSNorm, LayerNorm and L2 normalisation written out: a division by a root of a mean (or sum) of squares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kernelscope.patterns.flow import Node, Use, words
from kernelscope.patterns.paths import ELEMENTWISE, back, forward, given, result
from kernelscope.patterns.pattern import Clue, Pattern
from kernelscope.patterns.spreads import is_of_rows, spread
from kernelscope.tensor import Tensor

LIBRARY = {
    "nn.LayerNorm": "LayerNorm", "layer_norm": "LayerNorm", "nn.RMSNorm": "RMSNorm", "rms_norm": "RMSNorm",
    **{f"{library}.{name}": name for library in ("flax.linen", "flax.nnx", "equinox.nn")
       for name in ("LayerNorm", "RMSNorm")},
}  # fmt: skip

CASTS = words("to float type")
ADDED = "added to another input"
OWN = ELEMENTWISE | words("mean sum var std jnp.var var_mean norm vector_norm normalize")
"""What a normalisation consists of: work on each element, and over a row of them."""


def norm(call: Node) -> Pattern | None:
    """The normalisation that a call is, if it is one and nothing else."""
    leaves = list(call.leaves())
    if any(_is_other_work(n) for n in leaves):
        return None
    for leaf in leaves:
        if leaf.operator in LIBRARY:
            others = [n for n in leaves if n is not leaf and not n.is_view and not n.is_source]
            if not others:
                return Pattern("norm", LIBRARY[leaf.operator], (Clue(leaf, "the library's own"),), (), True)
        found = _root_of_mean(leaf)
        if found is not None:
            return replace(found, traits=(*found.traits, ADDED)) if _is_added(leaf, set(leaves)) else found
    return None


def _is_added(root: Node, leaves: set[Node]) -> bool:
    """Whether what is normed is added to another tensor of its size, which is no weight: a residual stream."""
    normed = {n for n in forward(root, lambda n: n in leaves) if n in leaves}
    return any(
        n.operator == "add"
        and any(_is_stream(use, n, normed) for use in n.uses)
        and any(map(normed.issuperset, _operands(n)))
        for n in normed
    )


def _operands(node: Node) -> Iterator[set[Node]]:
    """What made the numbers of each operand."""
    return (set(back(use.nodes)) for use in node.uses)


def _is_stream(use: Use, node: Node, normed: set[Node]) -> bool:
    """Whether an operand has a value for each of the result, as far as is known, and comes from elsewhere."""
    made, own = set(back(use.nodes)), result(node)
    if own is None or not isinstance(use.value, Tensor) or use.value.shape.rank != own.shape.rank:
        return False
    if use.value.shape.dims is None or any(size == 1 for size in use.value.shape.dims):
        return False
    return bool(made) and made.isdisjoint(normed) and all(n.step.kind != "weight" for n in made)


def _is_other_work(node: Node) -> bool:
    """Whether a step does more than what is done to each element, or over a row of them."""
    if node.operator in LIBRARY:
        return False
    operator = node.step.operator
    computes = operator is not None and operator.kind in ("compute", "communication")
    return node.step.kind in ("layer", "unfollowed", "choice") or (computes and node.operator not in OWN)


def _root_of_mean(leaf: Node) -> Pattern | None:
    """`x * rsqrt(mean(x²) + ε)`, `(x - mean(x)) / std(x)` and what else comes to that, of rows."""
    found = spread(leaf)
    if found is None or not is_of_rows(found.taken):
        return None
    if found.centred is not None:
        traits = ("mean subtracted",) if found.squares is None else ()
        return Pattern("norm", "LayerNorm", found.clues(), traits, True)
    precision = _precision(found.squares) if found.squares is not None else ()
    return Pattern("norm", "RMSNorm" if found.is_mean else "L2 norm", found.clues(), precision, True)


def _precision(square: Node) -> tuple[str, ...]:
    """The dtype that what is squared is cast to, where the code casts it."""
    dtype = getattr(square.uses[0].value, "dtype", None) if square.uses else None
    node = next(iter(given(square)), None)
    while node is not None and node.is_view:
        if node.operator in CASTS:
            return (f"in {dtype!r}",) if repr(dtype) == "float32" else ()
        node = next(iter(given(node)), None)
    return ()
