"""When a cache makes room: loops and branches that evict, with what they ask, and where what is evicted goes."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.evictions import CACHES, FILES, KEYS, MEMOS
from kernelscope.serving.guards import MAX_TEST, all_guards_text, calls, last_name, own_of, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

EVICTS = {"evict", "evicts", "eviction"}
LOWER = {"spill", "offload", "demote", "backup", "swap", "flush", "writeback", "write"}
"""Words of methods of a slower memory that takes over what is evicted."""
PREFIXES = {"prefix", "radix", "trie"}
ASKS = {"can", "is", "should", "need", "needs", "has", "num", "maybe", "on", "log", "record", "count", "get", "set"}
"""First words of methods that only ask or note something of evictions."""
NOTED = {"metrics", "metric", "collector", "observe", "increment", "stats", "events"}
"""Words of what only counts evictions."""
ROOM = {"free", "available", "avail", "remaining", "remain", "used", "usage", "capacity", "max", "most", "limit",
        "size", "budget", "quota", "threshold", "needed", "need", "required", "tokens", "blocks", "pages", "slots",
        "bytes"}  # fmt: skip
"""Words of how much there is, or is wanted."""
FREE = {"free", "available", "avail", "remaining", "remain"}
MOST_TOLD = 3


@by_function
def making_room(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """`while used + needed > most: self.evict()`, `if free < needed: cache.evict(needed - free)`."""
    if source.aside:
        return
    for scope in source.module.functions():
        said = {*words(scope.qualified_name), *words(source.path.stem)}
        if FILES & said or (MEMOS & said and not KEYS & said):
            continue
        section = "serving.prefix_cache" if PREFIXES & said else "serving.kv_cache"
        for claim in (*_loops(source, scope, said), *_branches(source, scope, said), *_handed_on(source, scope)):
            yield section, claim


def _loops(source: PythonSource, scope: Scope, said: set[str]) -> Iterator[Claim]:
    for loop in own_of(scope.node, t.While):
        call = next((c for s in loop.body for c in calls(s) if _evicts(source, c, said)), None)
        if call is None or isinstance(loop.test, t.Constant | t.Name) or not _asks_for_room(source, loop.test):
            continue
        value = f"eviction: {source.quote(call)}, while {source.quote(loop.test, MAX_TEST)}"
        yield Claim(f"{scope.qualified_name} makes room", value, (source.at(loop), source.at(call)))


def _branches(source: PythonSource, scope: Scope, said: set[str]) -> Iterator[Claim]:
    told = 0
    evicts = bool(EVICTS & set(words(scope.node.name)[:2]))  # what it asks beside is whom it takes
    looped = [n.span for n in own_of(scope.node, t.While)]
    for statement, guards in statements(scope.node):
        for call in calls(statement):
            inside = any(span.start <= call.span.start < span.end for span in looped)
            asked = tuple(g for g in guards if not g.early and _asks_for_room(source, g.test))
            if evicts and not any(FREE & set(words(source.quote(g.test))) for g in asked):
                continue
            if inside or not asked or told >= MOST_TOLD or not _evicts(source, call, said):
                continue
            told += 1
            value = f"eviction: {source.quote(call)} if {' and '.join(all_guards_text(source, asked))}"
            yield Claim(f"{scope.qualified_name} makes room", value, (source.at(call), source.at(scope.node)))


def _evicts(source: PythonSource, call: t.Call, said: set[str]) -> bool:
    """Whether a call evicts from something that requests are kept in."""
    name = words(last_name(call.func))
    if not EVICTS & set(name) or ASKS & set(name[:1]) or last_name(call.func)[:1].isupper():
        return False
    meant = set(words(source.quote(call.func)))
    if NOTED & meant or (MEMOS & meant and not KEYS & meant):
        return False
    return bool((CACHES | KEYS) & (said | meant))


def _asks_for_room(source: PythonSource, test: t.Expr) -> bool:
    """Whether a test asks how much there is: a comparison of sizes, or what is asked of a method about room."""
    for node in t.walk(test):
        match node:
            case t.Compare(ops=["<" | "<=" | ">" | ">="]) if not _is_any(node):
                if ROOM & set(words(source.quote(node))):
                    return True
            case t.Call(func=func) if {"enough", "fits", "space", "room", "full", "available"} & set(
                words(last_name(func))
            ):
                return True
            case _:
                pass
    return False


def _is_any(test: t.Compare) -> bool:
    """`n > 0`, `len(jobs) > 0`: whether there is anything at all."""
    return isinstance(test.comparators[0], t.Constant) and test.ops == [">"]


def _handed_on(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`key, entry = self.entries.popitem(…)`, and `self.disk.spill(key, entry)`."""
    if not EVICTS & set(words(scope.node.name)):
        return
    taken: dict[str, t.Assign] = {}
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(targets=[target], value=t.Call(func=t.Attribute(attr="popitem" | "pop" | "popleft"))):
                taken |= {n.id: node for n in t.walk(target) if isinstance(n, t.Name)}
            case _:
                pass
    for statement, guards in statements(scope.node) if taken else ():
        for call in calls(statement):
            name = next((n.id for a in call.args for n in t.walk(a) if isinstance(n, t.Name) and n.id in taken), None)
            if name is None or not LOWER & set(words(last_name(call.func))):
                continue
            value = f"what is evicted is handed on: {source.quote(call)}"
            value += "".join(f" if {' and '.join(said)}" for said in [all_guards_text(source, guards)] if said)
            places = (source.at(call), source.at(taken[name]), source.at(scope.node))
            yield Claim(f"{scope.qualified_name} lower tier", value, places)
            return
