"""Requests that are put into a queue again: what was taken out and not admitted, and what goes before all others."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.admission import REMOVES, WAITING
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import calls, own_calls, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import REQUESTS, iterated
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

COUNTS = {"num", "count", "size", "tokens", "len", "length", "total", "time", "used"}
"""Words of numbers; what is added to them is no request."""


@by_function
def put_back(source: PythonSource) -> Iterator[Claim]:
    """What is taken out of a queue and not admitted is collected, and put into the queue again after the loop."""
    for scope in source.module.functions():
        taken: dict[str, str] = {}
        kept: dict[str, tuple[str, t.Call]] = {}
        for node in own_of(scope.node, t.Assign, t.Call):
            match node:
                case t.Assign(
                    targets=[t.Name(id=name)], value=t.Call(func=t.Attribute(value=queue, attr=attr), args=[])
                ) if attr in REMOVES:
                    taken[name] = t.dotted(queue) or ""
                case t.Call(func=t.Attribute(value=t.Name(id=held), attr="append"), args=[t.Name(id=name)]) if (
                    name in taken
                ):
                    kept.setdefault(held, (taken[name], node))
                case _:
                    pass
        for again, end in _given_back(scope.node, kept):
            queue, first = kept[again[0]]
            if not (WAITING | REQUESTS) & set(words(queue)):
                continue
            value = (
                f"what {scope.qualified_name} takes out of {queue} and does not admit is collected in {again[0]} "
                f"({source.quote(first)}) and goes back to the {end} of the queue ({source.quote(again[1])})"
            )
            places = (source.at(again[1]), source.at(first), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} requeue", value, places)


@by_function
def put_before(source: PythonSource) -> Iterator[Claim]:
    """`self.waiting = late + self.waiting`: what is put there goes before all that waits."""
    if source.aside:
        return
    for scope in source.module.functions():
        for node in own_of(scope.node, t.Assign):
            match node:
                case t.Assign(targets=[t.Attribute(attr=name) as queue], value=t.BinOp(left=first, op="+", right=rest)):
                    pass
                case _:
                    continue
            if t.dotted(queue) != t.dotted(rest) or t.dotted(first) == t.dotted(rest) or not _waits(name):
                continue
            if isinstance(first, t.Constant | t.BinOp):
                continue  # numbers
            value = (
                f"{source.quote(first)} goes to the front (head) of the queue {source.quote(queue)}, before all that "
                f"waits there ({source.quote(node)})"
            )
            yield Claim(f"{scope.qualified_name} requeue", value, (source.at(node), source.at(scope.node)))


def _waits(name: str) -> bool:
    """Whether a name is of a queue of requests, and not of how many there are: `waiting`, `pending_requests`."""
    said = set(words(name))
    return bool((WAITING | REQUESTS) & said) and not COUNTS & said


def _given_back(
    function: t.FunctionDef | t.ClassDef, kept: dict[str, tuple[str, t.Call]]
) -> Iterator[tuple[tuple[str, t.Call], str]]:
    """Calls that put all that a list holds into the queue it came from, with the end of the queue that it goes to."""
    ends = dict.fromkeys(("put", "put_nowait", "append"), "end") | {"appendleft": "front"}
    for loop in (n for n in own_of(function, t.For) if isinstance(n.target, t.Name)):
        held = iterated(loop.iter) or ""
        for call in (c for s in loop.body for c in calls(s)):
            match call:
                case t.Call(func=t.Attribute(value=queue, attr=attr), args=[given]) if attr in ends and held in kept:
                    if t.dotted(given) == t.dotted(loop.target) and t.dotted(queue) == kept[held][0]:
                        yield (held, call), ends[attr]
                case _:
                    pass
    for call in own_calls(function):
        match call:
            case t.Call(func=t.Attribute(value=queue, attr="extend" | "extendleft" as attr), args=[t.Name(id=held)]):
                if held in kept and t.dotted(queue) == kept[held][0]:
                    yield (held, call), "end" if attr == "extend" else "front"
            case _:
                pass
