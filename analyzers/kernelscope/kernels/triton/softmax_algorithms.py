"""Softmaxes of what a kernel holds at once: of a row, of partial results that it merges, and their logarithms.

Softmaxes that run through a loop are in `loop_algorithms`. Names of functions and variables play no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kernelscope.kernels.triton.bodies import all_calls, made_of, nodes_of, operation
from kernelscope.kernels.triton.loop_algorithms import EXPONENTIALS, Algorithm
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t


def softmaxes(node: t.FunctionDef, loops: Sequence[t.For | t.While]) -> Iterator[Algorithm]:
    """In a function, or a side of a branch, that has no loops."""
    for region in _straight(node, loops):
        calls = {name: call for name, call in reversed(list(all_calls(node))) if call.span.start in region}
        if not {"max", "sum"} <= calls.keys() or not any(name in calls for name in EXPONENTIALS):
            continue
        weighted = _divided(node, region)
        if weighted is not None and _weighs(node, weighted.left, region):
            text = (
                "partial results are weighted by exp(maximum of the part - maximum of all), summed, and divided by the"
                " sum of the weights"
            )
            yield Algorithm("merge of partial softmaxes", text, calls["max"].span)
        elif weighted is not None:
            once = "a row is read once: " if _read_once(node, calls["max"], weighted.left) else ""
            text = f"{once}maximum, exponentials of the differences, sum, quotient"
            yield Algorithm("softmax of a row", text, calls["max"].span)
        elif "log" in calls and _sums_exponentials(node, calls["log"], region):
            text = "maximum, exponentials of the differences, their sum, its logarithm"
            yield Algorithm("logarithm of a sum of exponentials", text, calls["log"].span)


def _straight(node: t.FunctionDef, loops: Sequence[t.For | t.While]) -> list[Span]:
    """The body where it has no loops, else the sides of branches that have none and stand in none."""
    if not loops:
        return [node.span]
    sides = [side for inner in nodes_of(node, t.If) for side in (inner.body, inner.orelse) if side]
    spans = [Span(side[0].span.start, side[-1].span.end) for side in sides]
    return [s for s in spans if not any(loop.span.start in s or s.start in loop.span for loop in loops)]


def _divided(node: t.FunctionDef, region: Span) -> t.BinOp | None:
    """Where something made of exponentials is divided by their sum."""
    for inner in nodes_of(node, t.BinOp):
        if inner.op not in ("/", "*") or inner.span.start not in region:
            continue
        if inner.op == "*" and not any(isinstance(n, t.BinOp) and n.op == "/" for n in made_of(node, inner.right)):
            continue
        weights = [n for n in _made_in(node, inner.left, region) if operation(n) in EXPONENTIALS]
        if weights and _sums_exponentials(node, inner.right, region):
            return inner
    return None


def _weighs(node: t.FunctionDef, divided: t.Expr, region: Span) -> bool:
    """Whether what is divided is itself a sum, of what the exponentials weigh."""
    made = _made_in(node, divided, region)
    summed = [n for part in made if operation(part) == "sum" for n in _made_in(node, part, region)]
    return all(any(n is weight for n in summed) for weight in made if operation(weight) in EXPONENTIALS)


def _read_once(node: t.FunctionDef, maximum: t.Call, divided: t.Expr) -> bool:
    """Whether the quotients are of what was loaded before the maximum was taken."""
    loads = [n for n in made_of(node, divided) if operation(n) == "load"]
    return bool(loads) and all(load.span.end <= maximum.span.end for load in loads)


def _sums_exponentials(node: t.FunctionDef, expr: t.Expr, region: Span) -> bool:
    """Whether a sum of exponentials is among what an expression is made of."""
    sums = [n for n in _made_in(node, expr, region) if operation(n) == "sum"]
    return any(operation(n) in EXPONENTIALS for part in sums for n in _made_in(node, part, region))


def _made_in(node: t.FunctionDef, expr: t.Node, region: Span) -> list[t.Call]:
    """The calls in a region that an expression is made of."""
    found = made_of(node, expr) if isinstance(expr, t.Expr) else ()
    return [n for n in found if isinstance(n, t.Call) and n.span.start in region]
