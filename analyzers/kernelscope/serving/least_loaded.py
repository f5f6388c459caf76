"""Which replica has least to do: the shortest queue, the first of those sorted, the top of a heap, the best yet."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.replicas import ASKED, DISPATCHES, LOADS, REPLICAS, are_replicas
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope


def shortest(source: PythonSource, node: t.Node) -> tuple[str, t.Node] | None:
    """`min(queues, key=lambda q: q.qsize())`: the queue that holds least."""
    match node:
        case t.Call(func=t.Name(id="min"), args=[over], keywords=[t.Keyword(arg="key", value=t.Lambda(body=size))]):
            counts = isinstance(size, t.Call) and last_name(size.func) == "qsize"
            return (
                (f"the queue of {source.quote(over)} that holds least ({source.quote(size)})", node) if counts else None
            )
        case _:
            return None


def first_of_sorted(source: PythonSource, scope: Scope, node: t.Node) -> tuple[str, t.Node] | None:
    """`by_load = sorted(instances, key=lambda i: counts[i])`, and `by_load[0]` or the first in a loop that will do."""
    match node:
        case t.Call(func=t.Name(id="sorted"), args=[over], keywords=[t.Keyword(arg="key", value=t.Lambda(body=size))]):
            pass
        case _:
            return None
    if not LOADS & set(words(source.quote(size))):
        return None
    for user in own_of(scope.node, t.Assign, t.For):
        match user:
            case t.Assign(targets=[t.Name(id=name)], value=value) if value is node:
                is_first = any(
                    t.dotted(s.value) == name and isinstance(s.slice, t.Constant) and s.slice.value == 0
                    for s in own_of(scope.node, t.Subscript)
                )
                if is_first and REPLICAS & {*words(name), *words(source.quote(over))}:
                    return f"the first of {source.quote(over)} sorted by {source.quote(size)}: the smallest", node
            case t.For(iter=value, body=body) if value is node:
                if any(isinstance(s, t.Return) for s in t.flat(body)) and DISPATCHES & set(words(scope.qualified_name)):
                    return f"the first that will do of {source.quote(over)} sorted by {source.quote(size)}", node
            case _:
                pass
    return None


def from_heaps(source: PythonSource, scope: Scope) -> Iterator[tuple[str, t.Node]]:
    """`load, at = heappop(heap)`, `heappush(heap, (load + n, at))`, with the heap made of replicas' loads.

    Which of them is taken is the first of what the heap holds: the least loaded.
    """
    bound = {t.dotted(n.targets[0]): n.value for n in own_of(scope.node, t.Assign)}
    popped: dict[str, tuple[str, t.Node]] = {}
    for node in own_of(scope.node, t.Assign, t.Call):
        match node:
            case t.Assign(
                targets=[t.Tuple(elts=[t.Name(id=load), t.Name(), *_])],
                value=t.Call(func=func, args=[t.Name(id=heap)]),
            ) if last_name(func) == "heappop":
                popped[heap] = (load, node)
            case t.Call(func=func, args=[t.Name(id=heap), t.Tuple(elts=[raised, *_])]) if (
                last_name(func) == "heappush" and heap in popped
            ):
                load, taken = popped[heap]
                made = bound.get(heap)
                counted = made.generators[0].iter if isinstance(made, t.ListComp) else made
                if counted is None:
                    continue
                named = [n.id for n in t.walk(counted) if isinstance(n, t.Name) and n.id in bound]
                if not any(are_replicas(source, found) for found in (counted, *(bound[name] for name in named))):
                    continue
                where = f", where {named[0]} = {source.quote(bound[named[0]])}" if named else ""
                if load in {n.id for n in t.walk(raised) if isinstance(n, t.Name)}:
                    yield (
                        (
                            f"the one with the smallest load of the heap {heap} ({source.quote(taken)}), whose load "
                            f"becomes {source.quote(raised)}{where}"
                        ),
                        taken,
                    )
            case _:
                pass


def kept_least(source: PythonSource, loop: t.For) -> tuple[str, t.Node] | None:
    """`for i, e in enumerate(engines): score = …; if score < best: best, chosen = score, i`."""
    if _counts_from_one(loop.iter):
        return None
    bound: dict[str, str] = {}
    for node in t.walk(*loop.body):
        match node:
            case (
                t.Assign(targets=[t.Name(id=name)], value=value) | t.AnnAssign(target=t.Name(id=name), value=value)
            ) if value is not None:
                bound[name] = f"{name} = {source.quote(value)}"
            case t.AugAssign(target=t.Name(id=name)) if name in bound:
                bound[name] += f", {source.quote(node)}"
            case _:
                pass
    for node in t.walk(*loop.body):
        match node:
            case t.If(test=t.Compare(left=left, ops=["<"], comparators=[t.Name(id=best)]), body=body):
                score = source.quote(left)
            case _:
                continue
        kept = {last_name(target): s.value for s in body if isinstance(s, t.Assign) for target in s.targets}
        value = kept.pop(best, None)
        if value is None or source.quote(value) != score:
            continue
        chosen = next((name for name in kept if name), "")
        if not chosen or not REPLICAS & {*words(source.quote(loop.iter)), *words(chosen)}:
            continue
        return f"the one of {source.quote(loop.iter)} with the smallest {bound.get(score, score)}", node
    return None


def _counts_from_one(over: t.Expr) -> bool:
    """`range(1, n + 1)` tries how many are taken; replicas are numbered from 0."""
    match over:
        case t.Call(func=t.Name(id="range"), args=[t.Constant(value=int() as first), _, *_]):
            return first != 0
        case _:
            return False


def counts_replicas(source: PythonSource, over: t.Expr, key: t.Expr) -> bool:
    """`range(num_ranks)` by how much each has to do."""
    match over:
        case t.Call(func=t.Name(id="range"), args=[count]):
            return bool(ASKED & set(words(source.quote(count)))) and bool(LOADS & set(words(source.quote(key))))
        case _:
            return False
