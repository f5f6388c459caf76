"""Normalisations of rows, in one pass or two, and their gradients, told by the sums that scale a row.

Names of functions and variables play no part.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from kernelscope.kernels.triton.accesses import footprint
from kernelscope.kernels.triton.bodies import all_calls, first_calls, given_before, inlined, nodes_of, operation
from kernelscope.kernels.triton.kernel_runs import KernelRun
from kernelscope.kernels.triton.loop_algorithms import Algorithm, summed
from kernelscope.kernels.triton.offsets import operands
from kernelscope.syntax.python import tree as t

ROOTS = ("rsqrt", "sqrt", "sqrt_rn")


def two_passes(run: KernelRun) -> Iterator[Algorithm]:
    """A row that one loop sums up and a later loop reads again, to store it scaled by an inverse root of the sums."""
    if run.products:
        return
    loops = [inner for inner in t.flat(run.node.body) if isinstance(inner, t.For)]
    roots = [c for n, c in all_calls(run.node) if n in ROOTS]
    for place, (first, second) in enumerate(itertools.pairwise(loops)):
        read = _read_in(run, second)
        summing = [loop for loop in loops[: place + 1] if summed(loop) and _read_in(run, loop) & read]
        stores = any(a.kind == "store" and a.loop is not None and a.loop[0] == second.span for a in run.accesses)
        between = [root for root in roots if first.span.end <= root.span.start < second.span.end]
        if first not in summing or not stores or not between:
            continue
        if len(summing) == 1:
            text = "a first pass over the row sums it up; a second reads it again and stores it scaled by the root"
            yield Algorithm("two-pass normalisation", text, between[0].span)
        else:
            often = "two passes" if len(summing) == 2 else f"{len(summing)} passes"
            text = f"{often} over the row sum it up; another reads it again and stores it scaled by the root"
            yield Algorithm("normalisation in several passes", text, between[0].span)


def _read_in(run: KernelRun, loop: t.For) -> set[str]:
    """The arguments that a loop loads from."""
    inside = [a for a in run.accesses if a.kind == "load" and a.loop is not None and a.loop[0] == loop.span]
    return {base for access in inside if (base := footprint(access).base)}


def normalised(node: t.FunctionDef) -> Iterator[Algorithm]:
    """A root of a sum of squares, or of their mean, that other values are scaled by."""
    for name, root in all_calls(node):
        if name not in ROOTS or not root.args:
            continue
        before = given_before(node, root.span.start)
        made = list(inlined(before, root.args[0]))
        sums = [n for n in made if isinstance(n, t.Call) and operation(n) == "sum"]
        if sums and any(_is_square(n) for total in sums for n in inlined(before, total)):
            inside = {n.span for total in sums for n in inlined(before, total)}
            outside = [n for n in made if isinstance(n, t.BinOp) and n.op in ("/", "*") and n.span not in inside]
            of = "the mean of squares" if any(n.op == "/" for n in outside) else (
                "a scaled sum of squares" if outside else "the sum of squares"
            )  # fmt: skip
            yield Algorithm("row normalisation", f"rows are scaled by the inverse root of {of}", root.span)
            return


def _is_square(node: t.Node) -> bool:
    """`x * x` or `x ** 2`."""
    if not isinstance(node, t.BinOp):
        return False
    if node.op == "**":
        return isinstance(node.right, t.Constant) and node.right.value == 2
    same = isinstance(node.left, t.Name) and isinstance(node.right, t.Name) and node.left.id == node.right.id
    return node.op == "*" and same


def norm_gradients(node: t.FunctionDef) -> Iterator[Algorithm]:
    """`g - x * (sum(x * g) / n)`: what is taken away is a row times its mean product with the gradient."""
    for kept, taken, whole in _differences(node) if "sum" in first_calls(node) else ():
        factors = [factor for side in operands(taken, "*") for factor in _undivided(side)]
        if (
            len(factors) > 1
            and any(isinstance(f, t.Name) and f.id not in kept for f in factors)
            and _is_mean_part(node, given_before(node, taken.span.start), kept, factors, whole)
        ):
            text = "from the gradient of a row, its mean product with the normalised row times that row is taken away"
            yield Algorithm("gradient of a row normalisation", text, taken.span)
            return


def _differences(node: t.FunctionDef) -> Iterator[tuple[set[str], t.Expr, t.Expr]]:
    """What is taken away from what: the names of the one, an addend of the other, and the value that both stand in."""
    wholes = [inner.value for inner in (*nodes_of(node, t.AugAssign), *nodes_of(node, t.Assign))]
    for inner in nodes_of(node, t.BinOp):
        taken = _dividend(inner.right) if inner.op == "-" else None
        parts = [part for part in operands(taken, "+") if isinstance(part, t.BinOp)] if taken is not None else []
        if parts:
            whole = next((value for value in wholes if value.span.covers(inner.span)), inner)
            yield from ((_names(inner.left), part, whole) for part in parts)
    for added in nodes_of(node, t.AugAssign):
        factors = operands(added.value, "*") if added.op == "+" and isinstance(added.target, t.Name) else ()
        if any(isinstance(factor, t.UnaryOp) and factor.op == "-" for factor in factors):
            held = given_before(node, added.span.start).get(t.dotted(added.target) or "", ())
            yield _names(*held), added.value, added.value


def _is_mean_part(
    node: t.FunctionDef, before: Mapping[str, list[t.Expr]], kept: set[str], factors: list[t.Expr], whole: t.Expr
) -> bool:
    """Whether factors are a row that `kept` does not name, and a mean of its products with what `kept` names. The
    division by their number may stand anywhere in `whole`."""
    rows = {factor.id for factor in factors if isinstance(factor, t.Name)} - kept
    for factor in factors if rows else ():
        made = list(inlined(before, factor))
        sums = [n for n in made if isinstance(n, t.Call) and operation(n) == "sum" and n.args]
        inside = {n.span for total in sums for n in t.walk(total)}
        divided = any(isinstance(n, t.BinOp) and n.op == "/" and n.span not in inside for n in (*made, *t.walk(whole)))
        for total in sums if divided else ():
            for added in _added_up(node, before, total.args[0]):
                if isinstance(added, t.BinOp) and (named := _names(added)) & rows and named & kept:
                    return True
    return False


def _added_up(node: t.FunctionDef, before: Mapping[str, list[t.Expr]], block: t.Expr) -> list[t.Expr]:
    """What a sum over a block adds up: itself, or what rounds of a loop added to it."""
    if isinstance(block, t.Name) and any(block.id in summed(loop) for loop in nodes_of(node, t.For)):
        return before.get(block.id, [])
    return [block]


def _undivided(node: t.Expr) -> Iterator[t.Expr]:
    """The factors of what a quotient divides."""
    yield from operands(_dividend(node), "*")


def _dividend(node: t.Expr) -> t.Expr:
    while isinstance(node, t.BinOp) and node.op == "/":
        node = node.left
    return node


def _names(*nodes: t.Node) -> set[str]:
    return {n.id for n in t.walk(*nodes) if isinstance(n, t.Name)}
