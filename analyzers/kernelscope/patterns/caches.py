"""Updates of a key-value cache: keys and values go in, and what attention uses comes out."""

from __future__ import annotations

from kernelscope.interp.values import Function, Instance
from kernelscope.patterns.attention import FUSED, SOFTMAXES
from kernelscope.patterns.flow import Flow, Node, outlives, words
from kernelscope.patterns.paths import MATRIX_PRODUCTS, forward
from kernelscope.patterns.pattern import Clue, Pattern

WRITES = words("index_copy index_put scatter index_add cat copy slice_scatter")
LOOKED_THROUGH = words("repeat_interleave repeat expand mul div add masked_fill where cat gather index_select")


def cache_updates(flow: Flow) -> dict[Node, Pattern]:
    """Steps that keep keys or values for later: a call of an object from outside, or a write into its tensors."""
    found: dict[Node, Pattern] = {}
    for node in flow.nodes:
        if _may_keep(node) and not any(outer in found for outer in node.ancestors()):
            ends = [node] if node.is_atomic else list(node.leaves())
            reader = next((n for end in ends for n in forward(end, _passes) if _attends(n)), None)
            if reader is not None:
                clues = (
                    Clue(node, "keys and values go into what outlives the call"),
                    Clue(reader, "attention reads them"),
                )
                found[node] = Pattern("cache", "KV cache update", clues, (), True)
    return found


def _may_keep(node: Node) -> bool:
    if node.step.kind == "unfollowed":
        tensors = {n for use in node.uses for n in use.nodes if not n.is_source}
        return "." in node.step.name and not node.step.name.startswith("torch.") and bool(tensors)
    if node.step.kind == "call":
        return _keeps_what_it_is_given(node)
    return node.step.kind == "store" and bool(node.uses) and any(outlives(n) for n in node.uses[0].nodes)


def _keeps_what_it_is_given(call: Node) -> bool:
    """Whether a call is a method of an object that is no layer, given tensors that were made before."""
    target = call.step.target
    if not isinstance(target, Function) or not isinstance(target.receiver, Instance) or target.receiver.is_module:
        return False
    return sum(any(not n.is_source for n in use.nodes) for use in call.uses) > 1


def _passes(node: Node) -> bool:
    return node.operator in LOOKED_THROUGH or node.operator in MATRIX_PRODUCTS or node.operator in SOFTMAXES


def _attends(node: Node) -> bool:
    return node.operator in FUSED or node.operator in SOFTMAXES
