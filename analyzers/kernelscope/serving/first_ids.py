"""Where ids that are given out begin: a free list that is filled from 1 on leaves 0 for something else."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.guards import calls, last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

FREE = {"free", "available", "unused", "avail", "idle"}
"""Words of what holds ids that may be given out."""
RANGES = {"range", "arange"}
WRAPS = {"list", "deque", "set", "array", "tensor", "sorted"}
"""What makes a list of a range and leaves its ids as they are."""
PUTS = {"append", "add", "put", "insert"}
LONGEST = 90


@by_function
def first_ids(source: PythonSource) -> Iterator[Claim]:
    """`self.free_pages = arange(1, n + 1)`, `for i in range(1, n): self.free.append(i)`."""
    if source.aside:
        return
    for scope in source.module.functions():
        owner = scope.owner.name if scope.owner is not None else scope.qualified_name
        for node in own_of(scope.node, t.Assign, t.For):
            match node:
                case t.Assign(targets=[target], value=value):
                    held, ids = t.dotted(target) or "", _ids(value)
                case t.For(target=t.Name(id=each), iter=ids, body=body):
                    held = next((h for s in body for c in calls(s) if (h := _put_into(c, each))), "")
                case _:
                    continue
            first = _first(ids)
            if not first or not FREE & set(words(held.rpartition(".")[2])):
                continue
            left = "0 is" if first == 1 else f"0 to {first - 1} are"
            value = (
                f"{held} is filled with ids from {first} on ({source.quote(node, LONGEST)}): {left} not among those "
                f"that it holds to give out"
            )
            yield Claim(f"{owner} first id of {held}", value, (source.at(node), source.at(scope.node)))


def _put_into(call: t.Call, each: str) -> str:
    """The list that a call puts the counter of a loop into."""
    match call:
        case t.Call(func=t.Attribute(value=held, attr=attr), args=[t.Name(id=given)]) if attr in PUTS and given == each:
            return t.dotted(held) or ""
        case _:
            return ""


def _ids(value: t.Expr) -> t.Expr:
    """The range that a list is made of."""
    while isinstance(value, t.Call) and last_name(value.func) in WRAPS and len(value.args) == 1:
        value = value.args[0]
    return value


def _first(ids: t.Expr) -> int:
    """Where a range begins that goes up by one; 0 where it begins there or is none."""
    match ids:
        case t.Call(func=func, args=[first, _]) if last_name(func) in RANGES:
            begins = literal(first)
            return begins if isinstance(begins, int) and not isinstance(begins, bool) and begins > 0 else 0
        case _:
            return 0
