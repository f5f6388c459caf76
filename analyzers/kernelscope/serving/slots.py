"""Continuous batching by slots: a step goes on with what runs and starts requests in slots that are idle."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, own, own_of, statements
from kernelscope.serving.lifecycle import REQUESTS, STATUS
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

PLACES = REQUESTS | {"slot", "slots", "requests", "sequences", "seqs"}
"""Words of what has a place in a batch: workers and connections have states, too."""


@by_function
def slots(source: PythonSource) -> Iterator[Claim]:
    """Two loops of a function over the same places, in one of which a place that waits gets another state."""
    for scope in source.module.functions():
        loops = list(own_of(scope.node, t.For))
        for loop in loops:
            name = t.dotted(loop.iter)
            others = [n for n in loops if n is not loop and t.dotted(n.iter) == name and _asks_for_state(n)]
            if name is None or not isinstance(loop.target, t.Name) or not others:
                continue
            if not PLACES & {*words(name), *words(loop.target.id)}:
                continue
            started = next(_started(loop, loop.target.id), None)
            if started is None:
                continue
            branch, becomes = started
            around = next((guards for s, guards in statements(scope.node) if s is becomes), ())
            outside = tuple(g for g in around if g.test.span.start < loop.span.start and not g.early)
            guard = " and ".join(guards_text(source, outside))
            value = (
                f"continuous batching by slots: at every step {scope.qualified_name} goes on with what runs in "
                f"{source.quote(loop.iter)} and starts a request in one where {source.quote(branch.test)} "
                f"({source.quote(becomes)}), so requests join while others go on"
            )
            value += f"; only if {guard}" if guard else ""
            value += " (≈ places of requests by their names)"
            places = (source.at(branch), source.at(becomes), source.at(others[0]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} admission", value, places)


@by_function
def places(source: PythonSource) -> Iterator[Claim]:
    """`for i in range(n): if slots[i] is None: slots[i] = request`, and `slots[i] = None` where it is through."""
    for scope in source.module.functions():
        nodes = own(scope.node)
        emptied = {t.dotted(target.value): n for n in nodes if (target := _emptied(n)) is not None}
        for loop in (n for n in nodes if isinstance(n, t.For)):
            for branch in (s for s in loop.body if isinstance(s, t.If)):
                match branch.test:
                    case t.Compare(left=t.Subscript(value=held), ops=["is"], comparators=[t.Constant(value=None)]):
                        name = t.dotted(held)
                    case _:
                        continue
                filled = next((s for s in branch.body if _fills(s, name)), None)
                if name is None or filled is None or name not in emptied or not PLACES & set(words(name)):
                    continue
                value = (
                    f"continuous batching by slots: {scope.qualified_name} puts a request into the first place of "
                    f"{name} that is free ({source.quote(filled)} if {source.quote(branch.test)}), and frees it when "
                    f"the request is through ({source.quote(emptied[name])}), so requests join while others go on "
                    f"(≈ requests by their names)"
                )
                where = (source.at(branch), source.at(filled), source.at(emptied[name]), source.at(scope.node))
                yield Claim(f"{scope.qualified_name} admission", value, where, confidence="heuristic")


def _emptied(node: t.Node) -> t.Subscript | None:
    """The place of `slots[i] = None`."""
    match node:
        case t.Assign(targets=[t.Subscript() as target], value=t.Constant(value=None)):
            return target
        case _:
            return None


def _fills(statement: t.Stmt, name: str | None) -> bool:
    match statement:
        case t.Assign(targets=[t.Subscript(value=held)], value=t.Name() | t.Attribute()):
            return t.dotted(held) == name
        case _:
            return False


def _started(loop: t.For, slot: str) -> Iterator[tuple[t.If, t.Assign]]:
    """Branches that ask for the state of a slot and give it another one at once."""
    for branch in t.flat(loop.body):
        if not isinstance(branch, t.If):
            continue
        asked: set[tuple[str, str | None]] = set()
        for node in t.walk(branch.test):
            match node:
                case t.Compare(left=t.Attribute(attr=attr) as left, ops=["=="], comparators=[was]) if _is_state(
                    left, slot
                ):
                    asked.add((attr, t.dotted(was)))
                case _:
                    pass
        for statement in branch.body:
            match statement:
                case t.Assign(targets=[t.Attribute(attr=attr) as target], value=value) if _is_state(target, slot):
                    if any(a == attr and was != t.dotted(value) for a, was in asked):
                        yield branch, statement
                case _:
                    pass


def _asks_for_state(loop: t.For) -> bool:
    """Whether a loop treats slots by their state."""
    slot = t.dotted(loop.target)
    tests = (s.test for s in t.flat(loop.body) if isinstance(s, t.If))
    return slot is not None and any(_is_state(n, slot) for test in tests for n in t.walk(test))


def _is_state(node: t.Node, slot: str) -> bool:
    return isinstance(node, t.Attribute) and t.dotted(node.value) == slot and bool(STATUS & set(words(node.attr)))
