"""What the text of a loop says, whatever its variables hold: what it changes, by how much, and how it may be left.

The values that follow from it are the business of `loops`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.syntax.cuda import tree as t


@dataclass(frozen=True, slots=True)
class LoopText:
    """What the text of a loop says, whatever its variables hold."""

    declared: frozenset[str]
    changes: tuple[t.Assign | t.Step, ...]
    """Assignments and steps in the body, the loop's own step and its test, but for names that the body declares."""
    always: frozenset[t.Node]
    """Those of them that are made in every round."""
    assigned: frozenset[str]
    """Names that the loop gives values, or declares."""
    leaves: bool
    """Whether anything jumps out of it."""
    returns: bool
    """Whether its function may end in it."""


@lru_cache(maxsize=1024)
def loop_text(node: t.For | t.While) -> LoopText:
    """Read once for each loop, however often it is followed."""
    body = list(t.walk(*node.body))
    declared = frozenset(inner.name for inner in body if isinstance(inner, t.Declare))
    skips = any(isinstance(inner, t.Jump) and inner.kind == "continue" for inner in body)
    always = {part.value for part in node.body if isinstance(part, t.Express)} if not skips else set[t.Node]()
    steps: list[t.Node] = []
    if isinstance(node, t.For) and node.step is not None:
        steps = list(t.walk(node.step))
        always |= set(_comma(node.step))
    test = t.walk(node.test) if node.test is not None else ()
    outside = (inner for inner in (*steps, *test) if isinstance(inner, t.Assign | t.Step))
    changes = (*_changes(node.body, frozenset()), *outside)
    assigned = set(declared)
    for change in (inner for inner in (*body, *steps) if isinstance(inner, t.Assign | t.Step)):
        target = change.target if isinstance(change, t.Assign) else change.operand
        assigned |= {inner.id for inner in t.walk(target) if isinstance(inner, t.Name)}
    leaves = any(isinstance(inner, t.Jump | t.Return) for inner in body)
    returns = any(isinstance(inner, t.Return) for inner in body)
    return LoopText(declared, changes, frozenset(always), frozenset(assigned), leaves, returns)


def _changes(statements: Iterable[t.Node], hidden: frozenset[str]) -> Iterator[t.Assign | t.Step]:
    """What statements change of what is declared before them, in source order."""
    for statement in statements:
        match statement:
            case t.For():
                inner = hidden.union(*(_declared(part) for part in statement.setup))
                yield from _changes(statement.setup, hidden)
                yield from _changes((part for part in (statement.test, statement.step) if part is not None), inner)
                yield from _changes(statement.body, inner)
            case t.ForEach():
                yield from _changes((statement.values,), hidden)
                yield from _changes(statement.body, hidden | {statement.target.name})
            case t.If():
                inner = hidden.union(*(_declared(part) for part in statement.setup))
                yield from _changes((*statement.setup, statement.test), hidden)
                yield from _changes(statement.body, inner)
                yield from _changes(statement.orelse, inner)
            case t.Block() | t.While() | t.Switch() | t.Case():
                yield from _changes(t.children(statement), hidden)
            case _:
                for part in t.walk(statement):
                    if isinstance(part, t.Assign | t.Step) and _root(part) not in hidden:
                        yield part
                hidden = hidden.union(_declared(statement))


def _declared(statement: t.Node) -> tuple[str, ...]:
    """The names that a statement declares for those after it."""
    match statement:
        case t.Declare():
            return (statement.name,)
        case t.Bindings():
            return tuple(name.id for name in statement.names)
        case _:
            return ()


def _root(change: t.Assign | t.Step) -> str:
    """The variable that a change is of: `v` of `v[i].x`."""
    place = change.target if isinstance(change, t.Assign) else change.operand
    while isinstance(place, t.Subscript | t.Member):
        place = place.value
    return place.id if isinstance(place, t.Name) and not place.scope else ""


def _comma(node: t.Expr) -> Iterator[t.Expr]:
    while isinstance(node, t.Binary) and node.op == ",":
        yield node.right
        node = node.left
    yield node


def step_of(node: t.Assign | t.Step, name: str) -> tuple[str, t.Expr] | None:
    """The sign and amount of `x += e`, `x++`, `x = x + e`."""
    if isinstance(node, t.Step):
        return node.op[0], t.Number(1, node.span)
    if node.op in ("+=", "-="):
        return node.op[0], node.value
    value = node.value
    if node.op == "=" and isinstance(value, t.Binary) and value.op in "+-":
        if isinstance(value.left, t.Name) and value.left.id == name:
            return value.op, value.right
        if value.op == "+" and isinstance(value.right, t.Name) and value.right.id == name:
            return "+", value.left
    return None


def stays(node: t.Node, moving: frozenset[str]) -> bool:
    """Whether a part of an expression is the same in every round."""
    return not isinstance(node, t.Call) and not (isinstance(node, t.Name) and node.id in moving)
