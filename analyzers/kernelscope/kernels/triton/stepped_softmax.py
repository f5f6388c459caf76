"""Online softmaxes whose step is a helper's: it gets the running maximum and gives the next one with the weights.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.kernels.triton.bodies import (
    PRODUCTS,
    all_calls,
    assignments,
    first_calls,
    given_in,
    inlined,
    nodes_of,
    operation,
    product_calls,
)
from kernelscope.kernels.triton.loop_algorithms import EXPONENTIALS, FLASH, ONLINE, Algorithm
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

Loop = t.For | t.While


def stepped_softmax(loop: Loop, called: Mapping[Span, t.FunctionDef]) -> Algorithm | None:
    """`best, total, weights, scale = step(scores, best, total)` in a round that scales a sum by one of the results."""
    for names, call in assignments(loop):
        helper = called.get(call.span) if isinstance(call, t.Call) and len(names) > 1 else None
        if helper is None or not isinstance(call, t.Call) or not _grows_a_maximum(helper):
            continue
        handed = {n.id for argument in call.args for n in t.walk(argument) if isinstance(n, t.Name)}
        if handed.isdisjoint(names) or not _scales(loop, set(names)):
            continue
        if _is_made_of_products(loop, call) and _weighs_in_products(loop, call):
            return Algorithm("flash attention", FLASH, loop.span)
        return Algorithm("online softmax", ONLINE, loop.span)
    return None


def _grows_a_maximum(helper: t.FunctionDef) -> bool:
    """Whether a function joins a parameter with the maximum of a block, and sums exponentials."""
    calls = first_calls(helper)
    if "max" not in calls or "sum" not in calls or not any(name in calls for name in EXPONENTIALS):
        return False
    given = {param.name for param in helper.args}
    joined = (call for name, call in all_calls(helper) if name == "maximum")
    return any(isinstance(argument, t.Name) and argument.id in given for call in joined for argument in call.args)


def _scales(loop: Loop, names: set[str]) -> bool:
    """Whether a name that rounds carry is multiplied by one of some names: `total = total * scale[:, None]`."""
    for inner in (*nodes_of(loop, t.Assign), *nodes_of(loop, t.AugAssign)):
        targets = inner.targets if isinstance(inner, t.Assign) else [inner.target]
        used = {n.id for n in t.walk(inner.value) if isinstance(n, t.Name)}
        if isinstance(inner, t.AugAssign) and inner.op == "*" and used & names:
            return True
        carried = any(isinstance(target, t.Name) and target.id in used for target in targets)
        products = (n for n in t.walk(inner.value) if isinstance(n, t.BinOp) and n.op == "*")
        if carried and any(isinstance(n, t.Name) and n.id in names for product in products for n in t.walk(product)):
            return True
    return False


def _is_made_of_products(loop: Loop, call: t.Call) -> bool:
    made = given_in(loop)
    return any(operation(n) in PRODUCTS for argument in call.args for n in inlined(made, argument))


def _weighs_in_products(loop: Loop, step: t.Call) -> bool:
    """Whether an operand of a product is made of what the step gives."""
    made = given_in(loop)
    products = (call for call in product_calls(loop) if call.args)
    return any(n is step for product in products for n in inlined(made, product.args[0]))
