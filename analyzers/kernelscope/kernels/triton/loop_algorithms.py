"""Algorithms recognised in one loop of a kernel by the structure of its operations.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kernelscope.kernels.triton.bodies import (
    PRODUCTS,
    definitions,
    first_calls,
    made_of,
    nodes_of,
    operation,
    product_calls,
)
from kernelscope.kernels.triton.persistent_loops import persistent_loops
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t

EXPONENTIALS = ("exp", "exp2")
FLASH = (
    "online softmax over tiles of scores: running maximum and running sum per row; the weighted sum of values"
    " is scaled by exp(old maximum - new maximum) whenever the maximum grows; no matrix of scores is stored"
)
ONLINE = (
    "running maximum and running sum per row; what was accumulated is scaled by exp(old maximum - new maximum)"
    " whenever the maximum grows"
)
_BEFORE_SUM = {"dot": 2, "dot_scaled": 6}
"""How many arguments of a product come before what it adds to."""
REDUCTIONS = frozenset(("sum", "max", "min", "argmax", "argmin", "reduce", "xor_sum"))


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A recognised algorithm: what it is called, what it does in one sentence, and where it is seen."""

    name: str
    text: str
    span: Span


def of_loop(node: t.FunctionDef, loop: t.For | t.While) -> Iterator[Algorithm]:
    products = product_calls(loop)
    recomputed = _recomputed(node, loop)
    if is_online(loop) and is_weighted(node, loop):
        yield Algorithm("flash attention", FLASH, loop.span)
    elif recomputed is not None:
        text = (
            "the weights are computed again from scores and the logarithms of the sums that the forward pass stored;"
            " their gradient is weight · (product - row sum)"
        )
        yield Algorithm("backward of flash attention", text, recomputed)
    elif is_online(loop):
        yield Algorithm("online softmax", ONLINE, loop.span)
    elif products and _adds_products(node, loop):
        text = "tiles along the inner dim are multiplied and accumulated in registers"
        yield Algorithm("tiled matrix product", text, products[0].span)
    if products and _begins_inside(node, loop):
        text = (
            "rounds along the inner dim of all tiles are shared out evenly: a program may begin and end inside a tile,"
            " whose parts are added up"
        )
        yield Algorithm("stream-K", text, loop.span)
    if any(found.loop is loop for found in persistent_loops(node)):
        text = "a fixed number of programs runs through all tiles, each taking every n-th"
        yield Algorithm("persistent loop", text, loop.span)
    if _welford(loop):
        text = "mean and sum of squared differences are updated together, element by element"
        yield Algorithm("Welford's algorithm", text, loop.span)


def is_online(loop: t.For | t.While) -> bool:
    """A carried maximum joined with the maximum of a new tile, then exponentials of differences, then a sum; or a sum
    of each element's own that is scaled whenever its maximum grows."""
    calls = first_calls(loop)
    if is_rescaled(loop):
        return True
    if not ({"exp", "exp2"} & calls.keys()) or "sum" not in calls:
        return False
    joined = calls.get("maximum")
    if joined is None or "max" not in calls:
        return False
    carried = _carried(loop)
    return any(isinstance(a, t.Name) and a.id in carried for a in joined.args)


def is_rescaled(loop: t.For | t.While) -> bool:
    """`new = maximum(old, x)`, `total = total * exp(old - new) + …`, `old = new`."""
    grown = {(old, new) for _, old, new in grown_maxima(loop)}
    if not grown:
        return False
    carried = _carried(loop)
    given = {
        target.id: inner.value
        for inner in nodes_of(loop, t.Assign)
        for target in inner.targets
        if isinstance(target, t.Name)
    }
    scaled = [(inner.left, inner.right) for inner in nodes_of(loop, t.BinOp) if inner.op == "*"]
    scaled += [(inner.target, inner.value) for inner in nodes_of(loop, t.AugAssign) if inner.op == "*"]
    for total, factor in scaled:
        if not isinstance(total, t.Name) or total.id not in carried:
            continue
        call = given.get(factor.id) if isinstance(factor, t.Name) else factor
        change = call.args[0] if isinstance(call, t.Call) and operation(call) in EXPONENTIALS and call.args else None
        if isinstance(change, t.BinOp) and change.op == "-" and (_name(change.left), _name(change.right)) in grown:
            return True
    return False


def grown_maxima(loop: t.For | t.While) -> Iterator[tuple[t.Expr, str, str]]:
    """`new = maximum(old, x)` of a maximum that rounds carry: x, old and new."""
    given = nodes_of(loop, t.Assign) if "maximum" in first_calls(loop) else []
    kept = {(_name(target), _name(inner.value)) for inner in given for target in inner.targets}
    for inner in given:
        call = inner.value
        if not isinstance(call, t.Call) or operation(call) != "maximum" or len(call.args) != 2:
            continue
        for old, other in (call.args, call.args[::-1]):
            for new in inner.targets:
                before, after = _name(old), _name(new)
                if before and after and (before == after or (before, after) in kept):
                    yield other, before, after


def _carried(loop: t.For | t.While) -> set[str]:
    """Names that a body assigns: values of one round that the next may read."""
    names: set[str] = set()
    for inner in nodes_of(loop, t.Assign):
        names |= {n.id for target in inner.targets for n in t.walk(target) if isinstance(n, t.Name)}
    for inner in nodes_of(loop, t.AugAssign):
        if isinstance(inner.target, t.Name):
            names.add(inner.target.id)
    return names


def is_weighted(node: t.FunctionDef, loop: t.For | t.While) -> bool:
    """Two products in a round: one makes what the exponentials are of, an operand of the other is made of them."""
    products = product_calls(loop)
    return len(products) > 1 and any(call.args and _has_exponential(node, call.args[0]) for call in products)


def _recomputed(node: t.FunctionDef, loop: t.For | t.While) -> Span | None:
    """`p = exp(dot - loaded)`, `p * (dot - loaded)` and products with what is made of them: where p is."""
    products = product_calls(loop)
    if len(products) < 3 or "max" in first_calls(loop):
        return None
    for inner in nodes_of(loop, t.BinOp):
        if inner.op != "*":
            continue
        for weight, other in ((inner.left, inner.right), (inner.right, inner.left)):
            if isinstance(other, t.BinOp) and other.op == "-" and _has_exponential(node, weight):
                made = {name for n in made_of(node, other.left) if (name := operation(n))}
                if made & PRODUCTS:
                    return inner.span
    return None


def _has_exponential(node: t.FunctionDef, expr: t.Expr) -> bool:
    """Whether exponentials of a product are among what an expression is made of."""
    found = [n for n in made_of(node, expr) if isinstance(n, t.Call) and operation(n) in EXPONENTIALS and n.args]
    return any(operation(inner) in PRODUCTS for call in found for inner in made_of(node, call.args[0]))


def _begins_inside(node: t.FunctionDef, loop: t.For | t.While) -> bool:
    """Whether a loop in another one begins at `unit % rounds` of the tile `unit // rounds`."""
    around = [outer for outer in nodes_of(node, t.For) + nodes_of(node, t.While) if outer is not loop]
    if not isinstance(loop, t.For) or not any(loop.span.start in outer.span for outer in around):
        return False
    quotients = {(_name(n.left), _name(n.right)) for n in nodes_of(node, t.BinOp) if n.op == "//"}
    parts = (n for n in made_of(node, loop.iter) if isinstance(n, t.BinOp) and n.op == "%")
    return any((_name(n.left), _name(n.right)) in quotients and _counts_rounds(node, n.right) for n in parts)


def _counts_rounds(node: t.FunctionDef, expr: t.Expr) -> bool:
    """Whether a name is given, or stands for an argument, what may be the number of rounds of a tile."""
    made = definitions(node).get(_name(expr), []) if isinstance(expr, t.Name) else []
    return any(operation(n) == "cdiv" and not any("program" in operation(m) for m in t.walk(n)) for n in made)


def _name(expr: t.Expr) -> str:
    return expr.id if isinstance(expr, t.Name) else ""


def _welford(loop: t.For | t.While) -> bool:
    """`delta = x - mean`, `mean += delta / n`, `m2 += delta * (x - mean)`."""
    differences: dict[str, str] = {}
    for inner in nodes_of(loop, t.Assign):
        if isinstance(inner.value, t.BinOp) and inner.value.op == "-":
            right = inner.value.right
            if isinstance(right, t.Name) and len(inner.targets) == 1 and isinstance(inner.targets[0], t.Name):
                differences[inner.targets[0].id] = right.id
    for inner in nodes_of(loop, t.AugAssign):
        if isinstance(inner.target, t.Name) and inner.op == "+":
            used = {n.id for n in t.walk(inner.value) if isinstance(n, t.Name)}
            if any(name in used and mean == inner.target.id for name, mean in differences.items()):
                return any(isinstance(n, t.BinOp) and n.op == "/" for n in t.walk(inner.value))
    return False


def _adds_products(node: t.FunctionDef, loop: t.For | t.While) -> bool:
    """Whether what a round multiplies is added to what earlier rounds did: to a name, or by the product itself."""
    products = product_calls(loop)
    if any(_is_given_a_sum(call) for call in products):
        return True
    added = summed(loop)
    return any(
        operation(inner) in PRODUCTS
        for given in (*nodes_of(loop, t.Assign), *nodes_of(loop, t.AugAssign))
        for target in (given.targets if isinstance(given, t.Assign) else [given.target])
        if isinstance(target, t.Name) and target.id in added
        for inner in _unreduced(definitions(node), given.value)
    )


def _is_given_a_sum(product: t.Call) -> bool:
    before = _BEFORE_SUM[operation(product)]
    return len(product.args) > before or any(k.arg == "acc" for k in product.keywords)


def _unreduced(given: Mapping[str, list[t.Expr]], expr: t.Expr) -> Iterator[t.Node]:
    """The nodes of an expression and of what its names were given, without what reductions make one value of."""
    todo: list[t.Node] = [expr]
    seen: set[str] = set()
    while todo:
        node = todo.pop()
        if operation(node) in REDUCTIONS:
            continue
        yield node
        todo += t.children(node)
        if isinstance(node, t.Name) and node.id not in seen:
            seen.add(node.id)
            todo += given.get(node.id, [])


def summed(loop: t.For | t.While) -> set[str]:
    """Names that each round gives what they were plus something: `total = total + x`, `total += x`."""
    added = (inner.target for inner in nodes_of(loop, t.AugAssign))
    return {target.id for target in added if isinstance(target, t.Name)} | {
        target.id
        for inner in nodes_of(loop, t.Assign)
        for target in inner.targets
        for total in t.walk(inner.value)
        if isinstance(total, t.BinOp)
        and total.op == "+"
        and isinstance(target, t.Name)
        and any(isinstance(n, t.Name) and n.id == target.id for n in t.walk(total))
    }
