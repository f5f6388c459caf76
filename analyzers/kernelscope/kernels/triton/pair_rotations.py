"""Rotations of pairs of elements, as rotary positions turn them, recognised by their two sums of products.

Names of functions and variables play no part. What is not certain is not said.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.kernels.triton.bodies import nodes_of, operation
from kernelscope.kernels.triton.loop_algorithms import Algorithm
from kernelscope.syntax.python import tree as t

Factors = tuple[str, str]


def pair_rotations(node: t.FunctionDef) -> Iterator[Algorithm]:
    """`a * c - b * s` with `b * c + a * s`, in either order of terms and factors."""
    differences: list[tuple[t.BinOp, Factors, Factors]] = []
    sums: list[tuple[Factors, Factors]] = []
    for inner in nodes_of(node, t.BinOp):
        left, right = _factors(inner.left), _factors(inner.right)
        if left is not None and right is not None:
            if inner.op == "-":
                differences.append((inner, left, right))
            elif inner.op == "+":
                sums.append((left, right))
    for difference, left, right in differences:
        if any(_completes(left, right, other) for other in sums):
            text = "each pair (a, b) becomes (a·c - b·s, b·c + a·s): turned where c and s are a cosine and a sine"
            yield Algorithm("rotation of pairs", text, difference.span)
            return


def _completes(left: Factors, right: Factors, other: tuple[Factors, Factors]) -> bool:
    """Whether of `a * c - b * s` the other sum is `b * c + a * s`."""
    wanted = {frozenset(other[0]), frozenset(other[1])}
    return any(
        {frozenset((b, c)), frozenset((a, s))} == wanted
        for a, c in (left, left[::-1])
        for b, s in (right, right[::-1])
        if len({a, b, c, s}) == 4
    )


def _factors(term: t.Expr) -> Factors | None:
    """The names of the two factors of a product."""
    if not isinstance(term, t.BinOp) or term.op != "*":
        return None
    left, right = _name(term.left), _name(term.right)
    return (left, right) if left and right else None


def _name(factor: t.Expr) -> str:
    """The name behind a factor, which may be converted or get another axis."""
    match factor:
        case t.Name(id=name):
            return name
        case t.Call(func=t.Attribute(value=value, attr="to")) | t.Subscript(value=value):
            return _name(value)
        case t.Call(args=[value, *_]) if operation(factor) == "cast":
            return _name(value)
        case _:
            return ""
