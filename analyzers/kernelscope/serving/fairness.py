"""Who is served next where owners of requests wait in queues of their own: the one who got least so far.

`who = min(served, key=served.get)`, and the next request is taken from `queues[who]`; a counter of that owner rises.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.queues import REQUESTS
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

TAKES = {"pop", "popleft", "get", "get_nowait"}
QUEUES = REQUESTS | {"queue", "queues", "req", "reqs", "waiting", "pending"}


@by_function
def fairness(source: PythonSource) -> Iterator[Claim]:
    """Choices of an owner by what it got, from one file."""
    if source.aside:
        return
    for scope in source.module.functions():
        for chosen in own_of(scope.node, t.Assign):
            match chosen:
                case t.Assign(
                    targets=[t.Name(id=who)],
                    value=t.Call(
                        func=t.Name(id="min"),
                        args=[counts],
                        keywords=[t.Keyword(arg="key", value=t.Attribute(value=same, attr="get"))],
                    ),
                ) if t.dotted(counts) is not None and t.dotted(counts) == t.dotted(same):
                    pass
                case _:
                    continue
            taken = _taken(source, scope, who)
            if taken is None:
                continue
            raised = _raised(scope, who)
            costs = "; ".join(f"it costs {source.quote(n.value)} ({source.quote(n.target)})" for n in raised[:2])
            value = (
                f"fairness: of the queues in {taken[0]} that of the one with the smallest {source.quote(counts)} is "
                f"served next ({source.quote(chosen)}){f'; {costs}' if costs else ''}"
            )
            places = (source.at(chosen), source.at(taken[1]), *map(source.at, raised[:2]))
            yield Claim(f"{scope.qualified_name} fairness", value, places)


def _taken(source: PythonSource, scope: Scope, who: str) -> tuple[str, t.Node] | None:
    """`queues[who].popleft()`, or the first of `queues[who]`."""
    for node in own_of(scope.node, t.Call, t.Subscript):
        match node:
            case t.Call(func=t.Attribute(value=t.Subscript(value=queues, slice=t.Name(id=key)), attr=attr)) if (
                attr in TAKES
            ):
                pass
            case t.Subscript(value=t.Subscript(value=queues, slice=t.Name(id=key)), slice=t.Constant(value=0)):
                pass
            case _:
                continue
        if key == who and QUEUES & set(words(t.dotted(queues) or "")):
            return source.quote(queues), node
    return None


def _raised(scope: Scope, who: str) -> list[t.AugAssign]:
    """The counters of the owner that rise."""
    return [
        node for node in own_of(scope.node, t.AugAssign)
        if node.op == "+" and isinstance(node.target, t.Subscript)
        and isinstance(node.target.slice, t.Name) and node.target.slice.id == who
    ]  # fmt: skip
