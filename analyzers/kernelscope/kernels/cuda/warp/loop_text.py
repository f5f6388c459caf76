"""What the text of a loop says, whatever its variables hold: what it changes, by how much, and how it may be left.

The values that follow from it are the business of `loops`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.of_nodes import kept_of_nodes


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


_TOLD = frozenset((t.Declare, t.Assign, t.Step, t.Jump, t.Return))


@kept_of_nodes(1024)
def loop_text(node: t.For | t.While) -> LoopText:
    """Read once for each loop, however often it is followed."""
    declared: set[str] = set()
    changed: list[t.Assign | t.Step] = []
    changes: list[t.Assign | t.Step] = []
    skips = leaves = returns = False
    for inner, hidden in _nodes(node.body, frozenset()):
        if inner.__class__ not in _TOLD:
            continue
        match inner:
            case t.Declare():
                declared.add(inner.name)
            case t.Assign() | t.Step():
                changed.append(inner)
                if _variable(inner) not in hidden:
                    changes.append(inner)
            case t.Jump():
                skips, leaves = skips or inner.kind == "continue", True
            case t.Return():
                leaves = returns = True
            case _:
                pass
    always = {part.value for part in node.body if isinstance(part, t.Express)} if not skips else set[t.Node]()
    steps: list[t.Node] = []
    if isinstance(node, t.For) and node.step is not None:
        steps = list(t.walk(node.step))
        always |= set(_comma(node.step))
    test = t.walk(node.test) if node.test is not None else ()
    changes += (inner for inner in (*steps, *test) if isinstance(inner, t.Assign | t.Step))
    changed += (inner for inner in steps if isinstance(inner, t.Assign | t.Step))
    assigned = set(declared)
    for change in changed:
        target = change.target if isinstance(change, t.Assign) else change.operand
        assigned |= {inner.id for inner in t.walk(target) if isinstance(inner, t.Name)}
    return LoopText(frozenset(declared), tuple(changes), frozenset(always), frozenset(assigned), leaves, returns)


def _nodes(statements: Iterable[t.Node], hidden: frozenset[str]) -> Iterator[tuple[t.Node, frozenset[str]]]:
    """The nodes of statements in source order, each with what is declared before it among them."""
    for statement in statements:
        match statement:
            case t.For():
                yield statement, hidden
                inner = hidden.union(*(_declared(part) for part in statement.setup))
                yield from _nodes(statement.setup, hidden)
                yield from _nodes((part for part in (statement.test, statement.step) if part is not None), inner)
                yield from _nodes(statement.body, inner)
            case t.ForEach():
                yield statement, hidden
                yield statement.target, hidden
                yield from _nodes((statement.values,), hidden)
                yield from _nodes(statement.body, hidden | {statement.target.name})
            case t.If():
                yield statement, hidden
                inner = hidden.union(*(_declared(part) for part in statement.setup))
                yield from _nodes((*statement.setup, statement.test), hidden)
                yield from _nodes(statement.body, inner)
                yield from _nodes(statement.orelse, inner)
            case t.Block() | t.While() | t.Switch() | t.Case():
                yield statement, hidden
                yield from _nodes(t.children(statement), hidden)
            case _:
                for part in t.parts(statement):
                    yield part, hidden
                if names := _declared(statement):
                    hidden = hidden.union(names)


def _declared(statement: t.Node) -> tuple[str, ...]:
    """The names that a statement declares for those after it."""
    match statement:
        case t.Declare():
            return (statement.name,)
        case t.Bindings():
            return tuple(name.id for name in statement.names)
        case _:
            return ()


def _variable(change: t.Assign | t.Step) -> str:
    """The variable that a change is of; one behind an address is another."""
    place = change.target if isinstance(change, t.Assign) else change.operand
    return "" if isinstance(place, t.Unary | t.Cast) else root_of(place)


def root_of(place: t.Expr) -> str:
    """The variable that a place is reached by: `v` of `v[i].x` and of `*v`."""
    while isinstance(place, t.Subscript | t.Member | t.Unary | t.Cast):
        place = place.value if isinstance(place, t.Subscript | t.Member) else place.operand
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
