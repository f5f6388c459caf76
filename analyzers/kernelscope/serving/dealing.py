"""How a scheduler deals tasks to queues: the queue that each task of a list goes to, found by computing its index.

The arithmetic of the loop that appends to the queues is evaluated on small numbers; nothing of the program runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.pieces import by_function
from kernelscope.syntax.python import tree as t

QUEUES = 4
"""Queues of the illustration."""
TURNS = 3
ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": int.__add__, "-": int.__sub__, "*": int.__mul__, "^": int.__xor__, "//": int.__floordiv__, "%": int.__mod__,
}  # fmt: skip
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__, "==": int.__eq__, "!=": int.__ne__,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Deal:
    """One way of dealing: `order` is the queue of task 0, 1, 2 …; empty where the load of the queues decides."""

    function: str
    kind: str
    order: tuple[int, ...]
    rule: str
    location: Location


@by_function
def deals(source: PythonSource) -> Iterator[Deal]:
    """The functions of a file that deal tasks to queues by an index."""
    for scope in source.module.functions():
        assert isinstance(scope.node, t.FunctionDef)
        popped = _popped(scope.node)
        for loop in own_of(scope.node, t.For, t.While):
            receivers = list(_receivers(loop))
            if not receivers:
                continue
            rule = " or ".join(dict.fromkeys(source.quote(index) for index, _ in receivers))
            where = source.at(receivers[0][1])
            if any(isinstance(index, t.Name) and index.id in popped for index, _ in receivers):
                yield Deal(scope.qualified_name, "to the queue that is least busy", (), rule, where)
            elif isinstance(loop, t.For) and (order := _order(loop)):
                yield Deal(scope.qualified_name, _kind(order), order, rule, where)
            break


def _receivers(loop: t.For | t.While) -> Iterator[tuple[t.Expr, t.Call]]:
    """`queues[index].append(task)` in a loop."""
    for node in t.walk(*loop.body):
        match node:
            case t.Call(func=t.Attribute(value=t.Subscript(slice=index), attr="append")):
                yield index, node
            case _:
                pass


def _popped(function: t.FunctionDef) -> set[str]:
    """Names that are taken from a heap."""
    found: set[str] = set()
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Tuple(elts=parts)], value=t.Call(func=func)) if last_name(func) == "heappop":
                found |= {part.id for part in parts if isinstance(part, t.Name)}
            case _:
                pass
    return found


def _order(loop: t.For) -> tuple[int, ...]:
    """The queue of each of the first tasks; empty where the index is no arithmetic on the task's number."""
    match loop.target, loop.iter:
        case t.Tuple(elts=[t.Name(id=number), *_]), t.Call(func=t.Name(id="enumerate")):
            pass
        case t.Name(id=number), t.Call(func=t.Name(id="range")):
            pass
        case _:
            return ()
    bound: dict[str, int | None] = {n.id: None for n in t.walk(loop.target) if isinstance(n, t.Name)}
    for node in t.walk(*loop.body):
        if isinstance(node, t.Assign | t.AugAssign | t.AnnAssign | t.For):
            targets = node.targets if isinstance(node, t.Assign) else [node.target]
            bound |= {n.id: None for target in targets for n in t.walk(target) if isinstance(n, t.Name)}
    found: list[int] = []
    for task in range(QUEUES * TURNS):
        queue = _run(loop.body, {**bound, number: task})
        if queue is None or not 0 <= queue < QUEUES:
            return ()
        found.append(queue)
    return tuple(found)


def _run(body: list[t.Stmt], names: dict[str, int | None]) -> int | None:
    """The index of the queue that one round of the loop appends to."""
    for statement in body:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=value):
                names[name] = _value(value, names)
            case t.If(test=test, body=then, orelse=otherwise):
                chosen = _value(test, names)
                if chosen is None:
                    return None
                if (found := _run(then if chosen else otherwise, names)) is not None:
                    return found
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Subscript(slice=index), attr="append"))):
                return _value(index, names)
            case _:
                pass
    return None


def _value(node: t.Expr, names: Mapping[str, int | None]) -> int | None:
    """Integer arithmetic; a name that the loop does not bind is the number of queues, one that it changes unknown."""
    match node:
        case t.Constant(value=int() as number):
            return int(number)
        case t.Name(id=name):
            return names.get(name, QUEUES)
        case t.Call(func=t.Name(id="len"), args=[counted]):
            return None if _root(counted) in names else QUEUES
        case t.Attribute():
            return None if _root(node) in names else QUEUES
        case t.BinOp(op=op, left=left, right=right) if op in ARITHMETIC:
            a, b = _value(left, names), _value(right, names)
            return None if a is None or b is None or (b == 0 and op in ("//", "%")) else ARITHMETIC[op](a, b)
        case t.Compare(ops=[op], left=left, comparators=[right]) if op in COMPARISONS:
            a, b = _value(left, names), _value(right, names)
            return None if a is None or b is None else int(COMPARISONS[op](a, b))
        case t.IfExp(test=test, body=body, orelse=orelse):
            chosen = _value(test, names)
            return None if chosen is None else _value(body if chosen else orelse, names)
        case _:
            return None


def _root(node: t.Expr) -> str:
    return (t.dotted(node) or "").partition(".")[0]


def _kind(order: tuple[int, ...]) -> str:
    turns = [order[n : n + QUEUES] for n in range(0, len(order), QUEUES)]
    if all(turn == turns[0] for turn in turns):
        return "round robin" if turns[0] == tuple(range(QUEUES)) else "in turns"
    if turns[1] == tuple(reversed(turns[0])) and turns[2] == turns[0]:
        return "back and forth (zig-zag)"
    return "by its number"
