"""What is evicted or reused first: heaps, ordered maps, sorted candidates and free lists, with their order's key.

Only the container's own operations decide; names of functions say no more than that something is freed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    MAX_TEST,
    Guard,
    all_guards_text,
    assignments,
    calls,
    denied,
    inside,
    inside_of,
    last_name,
    own_calls,
    own_of,
    statements,
)
from kernelscope.serving.pieces import by_function
from kernelscope.serving.pruning import FREEING, RECENT, prunings
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

CACHES = {"cache", "caches", "kv", "page", "pages", "block", "blocks", "prefix", "lru"}
FILES = {"file", "files", "blob", "blobs", "download", "downloads"}
"""Words of what is cached on a disk for other reasons than to go on with a request."""
MEMOS = {"result", "results", "compiled", "memo", "grammar", "grammars", "session", "sessions", "embedding",
         "embeddings", "image", "images", "video", "videos", "multimodal", "modal", "processor", "tokenizer",
         "template", "http", "response", "responses"}  # fmt: skip
"""Words of what is kept only not to be worked out again."""
KEYS = {"kv", "prefix", "radix", "block", "blocks", "page", "pages"}
"""Words of what holds keys and values, or prefixes of them, whatever else it is called."""
SORTED_SETS = {"SortedSet", "SortedList", "SortedDict", "SortedKeyList"}


@by_function
def evictions(source: PythonSource) -> Iterator[Claim]:
    """Evictions by a heap over leaves or an ordered map, with the order's key."""
    for scope in source.module.functions():
        if not isinstance(scope.node, t.FunctionDef):
            continue
        called = list(inside_of(scope.node, t.Call))
        names = [(t.dotted(c.func) or "").rpartition(".")[2] for c in called]
        spoken = {*words(scope.qualified_name), *words(source.path.stem)}
        if "heappop" in names and "heapify" in names and FREEING & spoken:
            pops = called[names.index("heappop")]
            order = _order(source)
            before = [c for c in called if c.span.end <= pops.span.start]
            candidates = [m for m in _called(source, scope.owner, before) if m is not scope.node]
            tests = [_asked(source, s) for m in candidates for s in own_of(m, t.If)]
            value = f"by a heap: the least element is evicted first; {source.quote(pops)}"
            tuples = _ranked_tuples(scope.node)
            if tuples is not None:
                value += f"; elements are ordered by `{source.quote(tuples.elts[0])}` first"
                order = None
            if order is not None:
                value += f"; elements compare by `{source.quote(order)}`"
                value += ": least recently used first" if _is_recency(order) else ""
            if tests:
                value += f"; candidates: {', '.join(m.name for m in candidates)} where {' and '.join(tests[:4])}"
            where = [source.at(pops), source.at(scope.node), *(source.at(m) for m in candidates)]
            where += [source.at(order)] if order is not None else []
            if tuples is not None:
                made = next((n for n in own_of(scope.node, t.ListComp) if n.elt is tuples), None)
                over = made.generators[0].iter if made is not None else None
                meant = assignments(scope.node).get(t.dotted(over) or "") if over is not None else None
                whom = source.quote(meant) if meant is not None else source.quote(over) if over is not None else ""
                value += f"; candidates at first: {whom}" if whom else ""
                value += _followed(source, scope.node)
                where.append(source.at(tuples))
            yield Claim(f"{scope.qualified_name} eviction", value, tuple(where))
        for call in own_calls(scope.node):
            held = _first_out(call, scope.owner)
            said = {*words(scope.qualified_name), *words(held or "")}
            if held is None or not (FREEING | CACHES) & {*spoken, *said} or (MEMOS & said and not KEYS & said):
                continue
            if "free" in words(held):
                value = f"FIFO: the first of {held} is taken ({source.quote(call)}): the least recently freed is reused"
                yield Claim(f"{scope.qualified_name} free list", value, (source.at(call), source.at(scope.node)))
                break
            moved = [n for n in inside(scope.owner or scope.node) if _moves_to_end(n, held)]
            order = "least recently used entry first" if moved else "oldest entry first, in the order of insertion"
            places = tuple(source.at(n) for n in (call, *moved[:1]))
            yield Claim(f"{scope.qualified_name} eviction", f"{order}: {source.quote(call)}", places)
            break


def _ranked_tuples(function: t.FunctionDef) -> t.Tuple | None:
    """The elements of a heap that are made with their rank: `heap = [(rank(n), n) for n in leaves]`."""
    heaps = {t.dotted(c.args[0]) for c in own_calls(function) if last_name(c.func) == "heapify" and c.args}
    for node in own_of(function, t.Assign):
        match node:
            case t.Assign(targets=[t.Name(id=name)], value=t.ListComp(elt=t.Tuple(elts=[_, _, *_]) as element)):
                if name in heaps:
                    return element
            case _:
                pass
    return None


def _followed(source: PythonSource, function: t.FunctionDef) -> str:
    """What is put into the heap while it is emptied: a parent that has become a leaf."""
    for statement, guards in statements(function):
        for call in calls(statement):
            if last_name(call.func) == "heappush" and len(call.args) == 2:
                tests = all_guards_text(source, tuple(g for g in guards if not g.early))
                when = f" if {' and '.join(tests)}" if tests else ""
                return f"; then also {source.quote(call.args[1])}{when}"
    return ""


def _asked(source: PythonSource, branch: t.If) -> str:
    """What must hold of a candidate: the contrary of a test that turns it down."""
    match branch.body[-1:]:
        case [t.Return(value=t.Constant(value=False)) | t.Continue() | t.Raise()]:
            return denied(source, branch.test, MAX_TEST)
        case _:
            return source.quote(branch.test)


def _first_out(call: t.Call, owner: t.ClassDef | None) -> str | None:
    """The ordered map of an object, or that it is, of which `popitem(last=False)` takes the first entry."""
    match call:
        case t.Call(
            func=t.Attribute(value=(t.Attribute() | t.Name(id="self")) as held, attr="popitem"), keywords=[keyword]
        ):
            if isinstance(held, t.Name) and not _is_ordered_map(owner):
                return None
            is_first = keyword.arg == "last" and isinstance(keyword.value, t.Constant) and keyword.value.value is False
            return t.dotted(held) if is_first else None
        case _:
            return None


def _is_ordered_map(cls: t.ClassDef | None) -> bool:
    bases = cls.bases if cls is not None else []
    return any(last_name(b.value if isinstance(b, t.Subscript) else b) == "OrderedDict" for b in bases)


def _moves_to_end(node: t.Node, held: str) -> bool:
    """`held.move_to_end(key)`: a use makes an entry the last one."""
    match node:
        case t.Call(func=t.Attribute(value=moved, attr="move_to_end")):
            return t.dotted(moved) == held
        case _:
            return False


def _order(source: PythonSource) -> t.Expr | None:
    """What the only `__lt__` of the file returns: the key that a heap of its instances is ordered by."""
    found = [scope.node for scope in source.module.functions() if scope.node.name == "__lt__"]
    if len(found) != 1:
        return None
    return next((n.value for n in own_of(found[0], t.Return) if n.value is not None), None)


def _is_recency(order: t.Expr) -> bool:
    """`self.last_used < other.last_used`: what was used longest ago is the least."""
    match order:
        case t.Compare(left=t.Attribute(value=t.Name(id="self"), attr=attr), ops=["<"]):
            return len(RECENT & set(words(attr))) > 0
        case _:
            return False


def _called(source: PythonSource, owner: t.ClassDef | None, found: list[t.Call]) -> list[t.FunctionDef]:
    """Methods of the same class that are called."""
    names = {(t.dotted(c.func) or "").removeprefix("self.") for c in found}
    return [m for m in owner.methods() if m.name in names] if owner is not None else []


def recency(source: PythonSource) -> Iterator[Claim]:
    """Candidates for eviction or reuse that are sorted by when they were last used, and sorted sets that are popped."""
    for scope in source.module.functions():
        if not FREEING & set(words(scope.qualified_name)):
            continue
        for node, guards in ((c, guards) for statement, guards in statements(scope.node) for c in calls(statement)):
            match node:
                case t.Call(func=t.Name(id="sorted" | "min"), args=[what, *_], keywords=keywords):
                    pass
                case t.Call(func=t.Attribute(value=what, attr="sort"), keywords=keywords):
                    pass
                case _:
                    continue
            key = next((k.value for k in keywords if k.arg == "key"), None)
            backwards = any(k.arg == "reverse" for k in keywords) or any(
                isinstance(n, t.UnaryOp) and n.op == "-" for k in keywords for n in t.walk(k.value)
            )
            if key is None or backwards or not RECENT & set(words(source.quote(key))):
                continue
            if FILES & {*words(source.quote(what)), *words(source.quote(key))}:
                continue
            value = f"least recently used first: {source.quote(what)} is ordered by {source.quote(key)}"
            value += "".join(f", if {' and '.join(said)}" for said in [_choices(source, guards)] if said)
            yield Claim(f"{scope.qualified_name} eviction order", value, (source.at(node), source.at(scope.node)))
        yield from _least_index(source, scope)
    yield from _sorted_sets(source)
    yield from prunings(source)


def _choices(source: PythonSource, guards: tuple[Guard, ...]) -> list[str]:
    """Of the conditions of a statement those that compare with a text or the member of an enum: a way was chosen."""
    chosen = [g for g in guards if isinstance(g.test, t.Compare) and any(map(_is_a_choice, g.test.comparators))]
    return all_guards_text(source, tuple(chosen))


def _is_a_choice(value: t.Expr) -> bool:
    if isinstance(value, t.Constant):
        return isinstance(value.value, str)
    return isinstance(value, t.Attribute) and value.attr.isupper()


def _least_index(source: PythonSource, scope: Scope) -> Iterator[Claim]:
    """`at = used.index(min(used))` and `entries.pop(at)`: the one that was used longest ago goes."""
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(
                targets=[t.Name(id=at)], value=t.Call(func=t.Attribute(value=used, attr="index"), args=[found])
            ):
                pass
            case _:
                continue
        if not isinstance(found, t.Call) or t.dotted(found.func) != "min" or len(found.args) != 1:
            continue
        if t.dotted(found.args[0]) != t.dotted(used) or not RECENT & set(words(last_name(used))):
            continue
        pops = (c for c in own_of(scope.node, t.Call) if last_name(c.func) == "pop")
        gone = next((c for c in pops if [t.dotted(a) for a in c.args] == [at]), None)
        if gone is None:
            continue
        loop = next((n for n in own_of(scope.node, t.While) if n.span.start < node.span.start < n.span.end), None)
        value = f"eviction: the least recently used entry goes first, by {source.quote(node)}"
        value += f", while {source.quote(loop.test)}" if loop is not None else ""
        yield Claim(f"{scope.qualified_name} eviction order", value, tuple(map(source.at, (node, gone, scope.node))))


def _sorted_sets(source: PythonSource) -> Iterator[Claim]:
    """`self.x = SortedSet(key=…)` of which `self.x.pop(0)` gives the victim."""
    for scope in source.module.classes() if any(n.encode() in source.text.data for n in SORTED_SETS) else ():
        nodes = inside(scope.node)
        made: dict[str | None, tuple[t.Assign | t.AnnAssign, t.Call]] = {}
        for node in nodes:
            match node:
                case (
                    t.Assign(targets=[target], value=t.Call() as call)
                    | t.AnnAssign(target=target, value=t.Call() as call)
                ) if (t.dotted(call.func) or "").rpartition(".")[2] in SORTED_SETS:
                    made[t.dotted(target)] = (node, call)
                case _:
                    pass
        for node in nodes:
            match node:
                case t.Call(func=t.Attribute(value=held, attr="pop"), args=[t.Constant(value=0)]):
                    pass
                case _:
                    continue
            if (kept := made.get(t.dotted(held))) is None:
                continue
            key = next((source.quote(k.value) for k in kept[1].keywords if k.arg == "key"), "its elements")
            method = next((m for m in _methods(scope.node) if _within(node, m)), None)
            asserted = own_of(method, t.Assert) if method else ()
            checked = [source.quote(n.test) for n in asserted if not isinstance(n.test, t.Constant)]
            value = f"the least element of a sorted set is evicted first: {source.quote(node)}, ordered by {key}"
            if (order := _returned(source, key)) is not None:
                value += f", which is {source.quote(order)}"
            value += f"; it must hold that {' and '.join(checked[:2])}" if checked else ""
            places = (source.at(node), source.at(kept[0]), *((source.at(method),) if method else ()))
            yield Claim(f"{scope.node.name} eviction order", value, places)


def _methods(cls: t.FunctionDef | t.ClassDef) -> list[t.FunctionDef]:
    return list(cls.methods()) if isinstance(cls, t.ClassDef) else []


def _within(inner: t.Node, outer: t.Node) -> bool:
    return outer.span.start <= inner.span.start and inner.span.end <= outer.span.end


def _returned(source: PythonSource, key: str) -> t.Expr | None:
    """What the method that a key calls returns, where the file defines it once."""
    called = re.findall(r"\.(\w+)\(\)", key)
    found = [s.node for s in source.module.functions() if called and s.node.name == called[-1]]
    returns = [n.value for f in found for n in own_of(f, t.Return) if n.value is not None]
    return returns[0] if len(found) == 1 and len(returns) == 1 else None
