"""Questions about the text of a function's or loop's body: the calls in it by operation, what its names are given.

Kept for the functions that were asked about last. Does not evaluate anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, cast

from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import tree as t

Block = t.FunctionDef | t.For | t.While
Kind = TypeVar("Kind", bound=t.Node)
PRODUCTS = frozenset(("dot", "dot_scaled"))


@kept_of_nodes(64)
def nodes_in(block: Block) -> tuple[t.Node, ...]:
    """Every node of a body, nested blocks included, in the order of the source."""
    return tuple(t.inside(block))


@kept_of_nodes(64)
def _by_kind(block: Block) -> Mapping[type[t.Node], list[t.Node]]:
    found: dict[type[t.Node], list[t.Node]] = {}
    for node in nodes_in(block):
        found.setdefault(type(node), []).append(node)
    return found


def nodes_of(block: Block, kind: type[Kind]) -> list[Kind]:
    """The nodes of one class in a body, nested blocks included, in the order of the source."""
    return cast("list[Kind]", _by_kind(block).get(kind, []))


@kept_of_nodes(64)
def first_calls(block: Block) -> Mapping[str, t.Call]:
    """The first call of each operation name in a body, nested blocks included."""
    found: dict[str, t.Call] = {}
    for name, call in all_calls(block):
        found.setdefault(name, call)
    return found


def all_calls(block: Block) -> Iterator[tuple[str, t.Call]]:
    """Every call with the last name of its operation, in the order of the source."""
    for call in nodes_of(block, t.Call):
        name = operation(call)
        if name:
            yield name, call


def product_calls(block: Block) -> list[t.Call]:
    """The matrix products of a body, in the order of the source."""
    return [call for name, call in all_calls(block) if name in PRODUCTS]


@kept_of_nodes(64)
def loops_in(node: t.FunctionDef) -> list[t.For | t.While]:
    """The loops of a function, in the order of its source."""
    return sorted((*nodes_of(node, t.For), *nodes_of(node, t.While)), key=lambda loop: loop.span.start)


def operation(node: t.Node) -> str:
    """The last name of what a call calls; empty for other nodes."""
    if not isinstance(node, t.Call):
        return ""
    return node.func.attr if isinstance(node.func, t.Attribute) else (t.dotted(node.func) or "")


@kept_of_nodes(64)
def definitions(node: t.FunctionDef) -> Mapping[str, list[t.Expr]]:
    """What each name is given, anywhere in a function."""
    found: dict[str, list[t.Expr]] = {}
    for inner in sorted((*nodes_of(node, t.Assign), *nodes_of(node, t.AugAssign)), key=lambda n: n.span.start):
        for target in inner.targets if isinstance(inner, t.Assign) else [inner.target]:
            if isinstance(target, t.Name):
                found.setdefault(target.id, []).append(inner.value)
    return found


def assignments(block: Block) -> Iterator[tuple[list[str], t.Expr]]:
    """The names that each assignment of a body gives something, those of tuples too, and what it gives them."""
    for inner in (*nodes_of(block, t.Assign), *nodes_of(block, t.AugAssign)):
        targets = inner.targets if isinstance(inner, t.Assign) else [inner.target]
        yield [n.id for target in targets for n in t.walk(target) if isinstance(n, t.Name)], inner.value


@kept_of_nodes(64)
def given_in(block: Block) -> Mapping[str, list[t.Expr]]:
    """What each name is given in a body, names in tuples what the whole tuple is."""
    made: dict[str, list[t.Expr]] = {}
    for names, value in assignments(block):
        for name in names:
            made.setdefault(name, []).append(value)
    return made


def given_before(node: t.FunctionDef, at: int) -> Mapping[str, list[t.Expr]]:
    """What each name is given before a place in the text of a function."""
    return {name: [v for v in values if v.span.start < at] for name, values in definitions(node).items()}


@kept_of_nodes(64)
def used_as_types(node: t.FunctionDef) -> frozenset[str]:
    """The names that stand where an element type is meant: of casts, and of what makes blocks."""
    found: set[str] = set()
    for name, call in all_calls(node):
        typed = [k.value for k in call.keywords if k.arg in ("dtype", "out_dtype")]
        if name in ("to", "cast", "zeros", "full"):
            typed += call.args[-1:]
        found |= {value.id for value in typed if isinstance(value, t.Name)}
    return frozenset(found)


def made_of(node: t.FunctionDef, expr: t.Expr) -> Iterator[t.Node]:
    """The nodes of an expression of a function and of what its names were given there."""
    return inlined(definitions(node), expr)


def inlined(given: Mapping[str, list[t.Expr]], expr: t.Expr) -> Iterator[t.Node]:
    """The nodes of an expression and of what its names were given."""
    todo, seen = [expr], set[str]()
    while todo:
        for inner in t.walk(todo.pop()):
            yield inner
            if isinstance(inner, t.Name) and inner.id not in seen:
                seen.add(inner.id)
                todo += given.get(inner.id, [])


@kept_of_nodes(1024)
def assigned_names(block: t.FunctionDef | t.For | t.While) -> frozenset[str]:
    """Names that a body assigns, in loops and branches too."""
    return frozenset(
        assigned_by((*nodes_of(block, t.AugAssign), *nodes_of(block, t.AnnAssign), *nodes_of(block, t.Assign)))
    )


def assigned_by(nodes: Iterable[t.Node]) -> set[str]:
    """Names that assignments among some nodes give something."""
    names: set[str] = set()
    for node in nodes:
        match node:
            case t.AugAssign(target=t.Name(id=name)) | t.AnnAssign(target=t.Name(id=name)):
                names.add(name)
            case t.Assign():
                names |= {inner.id for target in node.targets for inner in t.walk(target) if isinstance(inner, t.Name)}
            case _:
                pass
    return names


@kept_of_nodes(64)
def constants_given_once(node: t.FunctionDef) -> frozenset[str]:
    """Names that a function declares with a value in one place, outside of loops."""
    given = Counter(inner.id for inner in _targets(node))
    looped = frozenset[str]().union(*(assigned_names(loop) for loop in loops_in(node)))
    declared = {d.target.id for d in nodes_of(node, t.AnnAssign) if isinstance(d.target, t.Name)}
    return frozenset(n for n in declared if given[n] == 1) - looped - {param.name for param in node.args}


def _targets(node: t.FunctionDef) -> Iterator[t.Name]:
    """Every name to which a function assigns, as often as it does."""
    for inner in (*nodes_of(node, t.Assign), *nodes_of(node, t.AnnAssign), *nodes_of(node, t.AugAssign)):
        for target in inner.targets if isinstance(inner, t.Assign) else [inner.target]:
            yield from (name for name in t.walk(target) if isinstance(name, t.Name))


@kept_of_nodes(1024)
def last_given(loop: t.For | t.While) -> Mapping[str, Span]:
    """Where the body of a loop gives each name its value last."""
    found: dict[str, Span] = {}
    for node in (*nodes_of(loop, t.Assign), *nodes_of(loop, t.AugAssign)):
        for target in node.targets if isinstance(node, t.Assign) else [node.target]:
            if isinstance(target, t.Name) and target.span.start >= found.get(target.id, target.span).start:
                found[target.id] = target.span
    return found
