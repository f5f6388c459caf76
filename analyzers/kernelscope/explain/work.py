"""What boxes of a flow cost: FLOPs, bytes moved and parameters, each as often as loops run.

Floating-point elements count `ELEMENT_BYTES` unless the user binds `bytes`: the source seldom says in which dtype a
model is loaded.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernelscope.dims import TooLarge, dim
from kernelscope.interp.parameters import Parameter
from kernelscope.interp.steps import tensors_in
from kernelscope.ops import Module
from kernelscope.patterns.flow import Node
from kernelscope.tensor import DType, Size, Tensor, Unknown

ELEMENT_BYTES = 2
LOST = Unknown("how many there are is not known")
JOINED = frozenset(("cat", "stack"))
"""Operators that read as many numbers as they give."""
LOOKUPS = frozenset(("embedding", "nn.Embedding", "gather", "index_select", "take", "index"))
"""Operators that read as much of a table as they give."""
TOO_LONG = Unknown("a formula of more terms than one would read")


@dataclass(frozen=True, slots=True)
class Work:
    """FLOPs and bytes of one run of a box, and how often it runs; `products` are the FLOPs of matrix products, of
    convolutions and of attention."""

    flops: Size
    products: Size
    moved: Size
    times: Size

    def total(self, size: Size) -> Size:
        """A number of one run in all runs."""
        return product(size, self.times)


def work(box: Node, leaves: Iterable[Node], element_bytes: int = ELEMENT_BYTES) -> Work:
    """What the live leaves of a box cost together."""
    flops: Size = dim(0)
    products: Size = dim(0)
    moved: Size = dim(0)
    for leaf in leaves:
        cost = leaf.step.cost()
        inner = times(leaf, box)
        if cost is None:
            known = leaf.is_view or leaf.is_source or leaf.is_creation or leaf.step.kind == "store"
            flops = flops if known else Unknown(f"{leaf.step.name} is not in the operator table")
        elif (
            leaf.step.operator is not None and leaf.step.operator.kind == "compute" and leaf.step.operator.flops is None
        ):
            flops = Unknown(f"the table does not say how much {leaf.step.name} computes")
        else:
            here = product(cost.flops, inner)
            flops = _sum(flops, here)
            products = (
                _sum(products, here) if leaf.step.operator is not None and leaf.step.operator.contracts else products
            )
        if not (leaf.is_source or leaf.is_view):
            moved = _sum(moved, product(traffic(leaf, element_bytes), inner))
    return Work(flops, products, moved, times(box))


def times(node: Node, within: Node | None = None) -> Size:
    """How often a node runs for one run of what is around it."""
    count: Size = dim(node.times)
    if node is within:
        return dim(1)
    for outer in node.ancestors():
        if outer is within:
            break
        count = product(count, outer.rounds if outer.step.kind == "loop" else dim(outer.times))
    return count


def traffic(leaf: Node, element_bytes: int) -> Size:
    """Bytes read and written: each operand and weight once, of what is looked up in only what is found."""
    weights = leaf.step.target.parameters.values() if isinstance(leaf.step.target, Module) else ()
    results = list(tensors_in(leaf.step.result))
    read = [use.value for use in leaf.uses]
    if leaf.operator in JOINED:  # of parts that are alike one stands for all
        read = results
    if leaf.operator in LOOKUPS:
        read, weights = [*results, *(v for v in read if _is_integer(v))], ()
    if leaf.step.kind == "store" and leaf.step.args and isinstance(written := leaf.step.args[-1], Tensor):
        read, results = [written], [written]  # of what it is written into no more is touched
    total: Size = dim(0)
    for value in (*read, *weights, *results):
        total = _sum(total, size_of(value, element_bytes))
    return total


def _is_integer(value: Tensor | Unknown) -> bool:
    return isinstance(value, Tensor) and isinstance(value.dtype, DType) and not value.dtype.is_float


def size_of(value: Tensor | Unknown, element_bytes: int) -> Size:
    """Bytes of a tensor."""
    if isinstance(value, Unknown):
        return value
    each = value.dtype.bytes if isinstance(value.dtype, DType) and not value.dtype.is_float else element_bytes
    return product(value.shape.numel(), dim(each))


def parameter_count(parameters: Iterable[Parameter]) -> Size:
    """How many numbers the parameters hold."""
    total: Size = dim(0)
    for parameter in parameters:
        total = _sum(
            total, product(parameter.tensor.shape.numel(), LOST if parameter.count is None else parameter.count)
        )
    return total


def _sum(one: Size, other: Size) -> Size:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one if isinstance(one, Unknown) else other
    try:
        return one + other
    except TooLarge:
        return TOO_LONG


def product(one: Size, other: Size) -> Size:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one if isinstance(one, Unknown) else other
    try:
        return one * other
    except TooLarge:
        return TOO_LONG
