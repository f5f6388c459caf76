"""All recognisers on all calls of a flow: which call is what."""

from __future__ import annotations

from collections.abc import Callable

from kernelscope.interp.values import Function
from kernelscope.patterns.attention import attention
from kernelscope.patterns.caches import cache_updates
from kernelscope.patterns.elementwise import elementwise, repeated_heads
from kernelscope.patterns.flow import Flow, Node
from kernelscope.patterns.gating import gated_mlp
from kernelscope.patterns.low_rank import adapter
from kernelscope.patterns.norms import norm
from kernelscope.patterns.pattern import Pattern
from kernelscope.patterns.quantisation import quantised
from kernelscope.patterns.rotary import rotary
from kernelscope.patterns.routing import experts

RECOGNISERS: tuple[Callable[[Node], Pattern | None], ...] = (
    norm, rotary, repeated_heads, elementwise, attention, experts, quantised, gated_mlp, adapter,
)  # fmt: skip
"""In order: the first that fits says what a call is."""


def recognise(flow: Flow) -> dict[Node, Pattern]:
    """The patterns of the calls of a flow, each call once."""
    updates = cache_updates(flow)
    found: dict[Node, Pattern] = {_outermost(node): pattern for node, pattern in updates.items()}
    for node in flow.nodes:
        if node.step.kind != "call" or node.step.own_result or node in found:
            continue
        for recogniser in RECOGNISERS:
            pattern = recogniser(node)
            if pattern is not None:
                found[node] = pattern
                break
    return found


def _outermost(node: Node) -> Node:
    """The function around a step that does nothing but that."""
    for outer in node.ancestors():
        leaves = [n for n in outer.leaves() if not (n.is_source or n.is_view or n.is_creation)]
        if not isinstance(outer.step.target, Function) or any(
            n.step.kind not in ("store", "unfollowed") for n in leaves
        ):
            break
        node = outer
    return node
