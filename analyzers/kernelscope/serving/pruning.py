"""Trees of cached entries that are pruned from their leaves, which a heap holds; a parent follows its last child."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import Guard, calls, last_name, own_calls, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

FREEING = {"evict", "eviction", "free", "alloc", "allocate", "allocation", "reclaim", "release", "prune", "victim",
           "unreferenced"}  # fmt: skip
"""Words of functions that give up or hand out what is cached."""
RECENT = {"access", "accessed", "recent", "recency", "last", "lru", "time", "timestamp", "used", "serial", "age"}
"""Words of when something was used."""
CHILDREN = {"children", "child"}


@by_function
def prunings(source: PythonSource) -> Iterator[Claim]:
    """`if not node.children: heappush(heap, (node.used, node))`, of which the same function pops the least."""
    for scope in source.module.functions():
        if not FREEING & set(words(scope.qualified_name)):
            continue
        popped = next((c for c in own_calls(scope.node) if last_name(c.func) == "heappop" and c.args), None)
        if popped is None:
            continue
        pushes = [(c, guards) for s, guards in statements(scope.node) for c in calls(s) if _is_push(c, popped)]
        leaf = next(((c, g) for c, guards in pushes for g in guards if _is_without_children(g)), None)
        if leaf is None:
            continue
        pushed, guard = leaf
        key = pushed.args[1].elts[0] if isinstance(pushed.args[1], t.Tuple) else pushed.args[1]
        value = (
            f"leaves first: {source.quote(popped.args[0])} holds those without children (not "
            f"{source.quote(_asked(guard.test))}), and the one with the least {source.quote(key)} is taken first"
        )
        value += ": the least recently used leaf" if RECENT & set(words(last_name(key))) else ""
        parents = [c for c, _ in pushes if c is not pushed and "parent" in words(source.quote(c.args[1]))]
        value += f"; a parent follows when no child is left ({source.quote(parents[0])})" if parents else ""
        places = (source.at(pushed), source.at(popped), *map(source.at, parents[:1]), source.at(scope.node))
        yield Claim(f"{scope.qualified_name} eviction order", value, places)


def _is_push(call: t.Call, popped: t.Call) -> bool:
    """`heappush(heap, element)` onto the heap that is popped."""
    held = t.dotted(popped.args[0])
    is_push = last_name(call.func) == "heappush" and len(call.args) == 2
    return is_push and held is not None and t.dotted(call.args[0]) == held


def _is_without_children(guard: Guard) -> bool:
    """`if not node.children`, or the other branch of `if node.children`."""
    is_denied = isinstance(guard.test, t.UnaryOp) and guard.test.op == "not"
    return is_denied == guard.holds and bool(CHILDREN & set(words(last_name(_asked(guard.test)))))


def _asked(test: t.Expr) -> t.Expr:
    return test.operand if isinstance(test, t.UnaryOp) and test.op == "not" else test
