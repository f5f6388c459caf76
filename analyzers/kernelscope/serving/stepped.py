"""Numbers that go by steps of another: `if n < 10: k = 4 elif n < 20: k = 3 else: k = 0`, told as one table."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.execution import has_kernels
from kernelscope.serving.guards import own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import STEMS, ranked
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

ORDERS = {"<", "<=", ">", ">=", "=="}
LEAST, MOST = 2, 12
"""How many tests make a table, and how many of them are told."""
ELSEWHERE = "components"


@by_function
def stepped(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """Chains of comparisons of one number with literals, whose branches set or return literals."""
    if source.aside:
        return
    for scope in source.module.functions():
        chained: set[t.Stmt] = set()
        for node in own_of(scope.node, t.If):
            if node not in chained:
                yield from _told(source, scope, node, chained)


def _told(source: PythonSource, scope: Scope, chain: t.If, chained: set[t.Stmt]) -> Iterator[tuple[str, Claim]]:
    asked, rows = "", list[tuple[str, str, t.Node]]()
    target: str | None = None
    rest: list[t.Stmt] = [chain]
    while rest and isinstance(rest[0], t.If) and len(rows) < MOST:
        node = rest[0]
        subject, value = _subject(source, node.test), _value(source, node.body)
        if subject is None or value is None or (asked and (subject, value[0]) != (asked, target)):
            break
        asked, target = subject, value[0]
        chained.add(node)
        rows.append((f"if {source.quote(node.test)}", value[1], node))
        rest = node.orelse if len(node.orelse) == 1 or target else _after(scope, node)
    if target == asked or ((target or "").isupper() and has_kernels(source)):
        return  # a size that is rounded for a launch
    if sum(" == " not in when for when, _, _ in rows) < LEAST or target is None:
        return
    last = _value(source, rest) if rest else None
    if last is not None and last[0] == target:
        rows.append(("otherwise", last[1], rest[0]))
    named = target or scope.node.name
    section = next((s for _, s in ranked(named, scope.qualified_name, source.path.stem) if s in STEMS), ELSEWHERE)
    said = "; ".join(f"{value} {when}" for when, value, _ in rows)
    value = f"{target or scope.qualified_name} goes by {asked}: {said}"
    places = (*(source.at(node) for _, _, node in rows[:MOST]), source.at(scope.node))
    yield section, Claim(f"{scope.qualified_name} {target or 'result'}", value, places)


def _after(scope: Scope, node: t.If) -> list[t.Stmt]:
    """What follows a branch that returns, in the body of the function."""
    body = scope.node.body
    return body[body.index(node) + 1 :] if node in body else []


def _subject(source: PythonSource, test: t.Expr) -> str | None:
    """What a test compares with a number."""
    match test:
        case t.Compare(left=left, ops=[op], comparators=[bound]) if op in ORDERS and _is_number(bound):
            return source.quote(left) if t.dotted(left) is not None else None
        case _:
            return None


def _value(source: PythonSource, body: list[t.Stmt]) -> tuple[str, str] | None:
    """What a branch sets and to which number; the name is empty where it returns it."""
    match body:
        case [t.Assign(targets=[target], value=value)] if _is_number(value):
            return source.quote(target), source.quote(value)
        case [t.Return(value=value), *_] if value is not None and _is_number(value):
            return "", source.quote(value)
        case _:
            return None


def _is_number(node: t.Expr) -> bool:
    value = literal(node)
    return isinstance(value, int | float) and not isinstance(value, bool)
