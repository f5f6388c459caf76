"""Arithmetic that is written as one expression and is one box of a picture: `(1 + scale) * x + shift`.

A residual addition stays a box of its own, and so does what has few operators.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from textwrap import wrap

from kernelscope.patterns.flow import Node, words
from kernelscope.patterns.residuals import is_residual

ARITHMETIC = words("add sub mul div pow neg")
LEAST = 3
"""An expression of fewer operators is drawn operator by operator."""
LONGEST_LINE = 26
MOST_LINES = 3
HOLDER = re.compile(r"\bself\.|(?<![\w.\])])[A-Za-z_]\w*\.(?=[a-z_]\w+\b(?!\())(?!data\b|real\b|imag\b)")
"""The object that holds a part of an expression: the part's name says enough."""


@dataclass(frozen=True, slots=True)
class Expression:
    """The operators of one expression, and what the values that it is computed of are computed by in it."""

    parts: frozenset[Node]
    beside: frozenset[Node]

    @property
    def nodes(self) -> frozenset[Node]:
        return self.parts | self.beside


def expressions(boxes: Iterable[Node]) -> dict[Node, Expression]:
    """The expressions among boxes, by the operator that gives the result."""
    arithmetic = {n: None for n in boxes if n.step.kind == "op" and n.operator in ARITHMETIC}
    above = {node: user for node in arithmetic if (user := _only_user(node)) in arithmetic and _is_within(node, user)}
    inner: dict[Node, list[Node]] = {}
    for node, user in above.items():
        inner.setdefault(user, []).append(node)
    found: dict[Node, Expression] = {}
    tops = [node for node in arithmetic if node not in above]
    while tops:
        top = tops.pop()
        if is_residual(top):
            tops += inner.get(top, [])
            continue
        parts = frozenset(_all_inside(top, inner))
        if len(parts) >= LEAST and top.parent is not None:
            spans = [n for n in top.parent.children if n not in parts and n.step.kind == "op" and _is_within(n, top)]
            found[top] = Expression(parts, _without_detours(top, parts, {n for n in spans if n.operator in ARITHMETIC}))
    return found


def _without_detours(top: Node, parts: Set[Node], beside: set[Node]) -> frozenset[Node]:
    """Those whose results stay in the expression: what goes through another box on the way back to it, as the square
    in `(x**2).sum() - 2 * y`, would draw a circle."""
    while True:
        leaving = {n for n in beside if any(u not in parts and u not in beside and _is_inside(u, top) for u in n.users)}
        if not leaving:
            return frozenset(beside)
        beside = beside - leaving


def _is_inside(node: Node | None, top: Node) -> bool:
    """Whether a step, or the call that it is part of, is written inside another."""
    while node is not None and node.parent is not top.parent:
        node = node.parent
    return node is not None and node is not top and top.step.span.covers(node.step.span)


def _only_user(node: Node) -> Node | None:
    return node.users[0] if len(set(node.users)) == 1 else None


def _is_within(node: Node, user: Node | None) -> bool:
    """Whether a step is written inside another, and taken whenever that is."""
    if user is None or node.parent is not user.parent or node.step.path != user.step.path:
        return False
    return user.step.span.covers(node.step.span) and node.step.span != user.step.span and node.tests == user.tests


def _all_inside(top: Node, inner: Mapping[Node, list[Node]]) -> Iterator[Node]:
    yield top
    for node in inner.get(top, []):
        yield from _all_inside(node, inner)


def formula(source: str) -> tuple[str, ...]:
    """An expression's source in short lines, a term each where it is a sum; nothing where it is too long to read."""
    text = HOLDER.sub("", " ".join(source.split()))
    lines = [text] if len(text) <= LONGEST_LINE else list(_terms(text))
    rows = [row for line in lines for row in wrap(line, LONGEST_LINE, break_long_words=False, break_on_hyphens=False)]
    return tuple(rows) if len(rows) <= MOST_LINES else ()


def _terms(text: str) -> Iterator[str]:
    """The terms of a sum, each with its sign."""
    depth = start = 0
    for sign in re.finditer(r"[(\[{]|[)\]}]| (?=[+-] )", text):
        if sign[0] == " " and depth == 0:
            yield text[start : sign.start()]
            start = sign.end()
        elif sign[0] != " ":
            depth += 1 if sign[0] in "([{" else -1
    yield text[start:]
