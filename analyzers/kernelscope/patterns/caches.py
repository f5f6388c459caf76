"""Updates of a key-value cache: keys and values go in, and what attention uses comes out."""

from __future__ import annotations

from kernelscope.interp.values import External, Function, Instance
from kernelscope.patterns.attention import FUSED, SOFTMAXES
from kernelscope.patterns.flow import Flow, Node, dependencies, outlives, words
from kernelscope.patterns.paths import LINEARS, MATRIX_PRODUCTS, back, forward
from kernelscope.patterns.pattern import Clue, Pattern

WRITES = words("index_copy_ index_put_ scatter_ copy_")
"""Operators that write into the tensor that they are given first."""
LOOKED_THROUGH = words(
    "repeat_interleave repeat expand mul div add tanh masked_fill where cat gather index_select index"
)
"""What stands between a cache and the softmax, or the product with the values; `tanh` caps scores."""


def cache_updates(flow: Flow) -> dict[Node, Pattern]:
    """Steps that keep keys or values for later: a call of an object from outside, or a write into its tensors."""
    found: dict[Node, Pattern] = {}
    for node in flow.nodes:
        if _may_keep(node) and not any(outer in found for outer in node.ancestors()):
            ends = [node] if node.is_atomic else list(node.leaves())
            readers = (
                n for way in (_passes, _expands) for end in ends for n in forward(end, way) if _is_other_to(n, end)
            )
            reader = next((n for n in readers if n not in ends), None)  # what attends itself updates nothing for it
            if reader is not None:
                clues = (
                    Clue(node, "keys and values go into what outlives the call"),
                    Clue(reader, "attention reads them"),
                )
                found[node] = Pattern("cache", "KV cache update", clues, (), True)
    return found


def _may_keep(node: Node) -> bool:
    if node.step.kind == "unfollowed":
        return _may_keep_elsewhere(node)
    if node.step.kind == "call":
        return _keeps_what_it_is_given(node)
    writes = node.step.kind == "store" or node.step.name.rpartition(".")[2] in WRITES
    return writes and bool(node.uses) and any(outlives(n) for n in node.uses[0].nodes)


def _may_keep_elsewhere(call: Node) -> bool:
    """Whether a call that is not followed may keep what it is given.

    A method of an object from outside may: where it gives something back for it, or is given two at least, keys and
    values. A function of a package has nowhere to keep them but a tensor that it is given, and is called for that.
    """
    step = call.step
    made = sum(any(not n.is_source for n in use.nodes) for use in call.uses)
    if isinstance(step.target, External):
        keeps = any(outlives(n) for use in call.uses for n in use.nodes)
        return made > 0 and keeps and step.is_statement and not step.name.startswith("torch.")
    return "." in step.name and not step.is_for_backward and made > (1 if step.is_statement else 0)


def _keeps_what_it_is_given(call: Node) -> bool:
    """Whether a call is a method of an object that is no layer, given tensors that were made before."""
    target = call.step.target
    if not isinstance(target, Function) or not isinstance(target.receiver, Instance) or target.receiver.is_module:
        return False
    return sum(any(not n.is_source for n in use.nodes) for use in call.uses) > 1


def _passes(node: Node) -> bool:
    return node.operator in LOOKED_THROUGH or node.operator in MATRIX_PRODUCTS or node.operator in SOFTMAXES


def _expands(node: Node) -> bool:
    """Whether what is kept small becomes keys and values on the way."""
    return _passes(node) or node.operator in LINEARS or node.operator == "copy" or node.step.kind == "store"


def _is_other_to(node: Node, kept: Node) -> bool:
    """Whether a step attends to what was kept with queries that are not made of it: what was projected for both is
    no cache."""
    if not _attends(node):
        return False
    products = [node] if node.operator in FUSED else back([n for use in node.uses for n in use.nodes], _passes)
    queries = [n for p in products if p.operator in FUSED | MATRIX_PRODUCTS for use in p.uses[:1] for n in use.nodes]
    return bool(queries) and kept not in dependencies(queries) and kept not in queries


def _attends(node: Node) -> bool:
    """Whether a step is attention, the softmax of scores, or its product with the values."""
    if node.operator in FUSED:
        return True
    if node.operator in SOFTMAXES:  # of scores: what is routed is weighted by a softmax, too
        return any(n.operator in MATRIX_PRODUCTS for n in forward(node, lambda n: n.operator in LOOKED_THROUGH))
    is_product = node.operator in MATRIX_PRODUCTS
    return is_product and any(n.operator in SOFTMAXES for use in node.uses for n in back(use.nodes))
