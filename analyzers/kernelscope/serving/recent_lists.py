"""Caches whose entries are linked through themselves in the order of use: which end is evicted, where uses move to.

What an empty list joins are its ends (`linked_lists`). A method that frees goes through the list from one end; another
takes an element out and joins it to the other end, and what looks entries up calls it.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import own_calls, own_of
from kernelscope.serving.linked_lists import Ends, ends_of, puts
from kernelscope.serving.pruning import FREEING
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

MOST_NAMED = 3


def recent_lists(source: PythonSource) -> Iterator[Claim]:
    """Evictions along a linked list that uses keep in order."""
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        methods = list(scope.node.methods())
        ends = next((found for method in methods if (found := ends_of(method)) is not None), None)
        if ends is None:
            continue
        freeing = [m for m in methods if FREEING & set(words(m.name))]
        for end, link, other, back in (
            (ends.first, ends.after, ends.last, ends.before), (ends.last, ends.before, ends.first, ends.after),
        ):  # fmt: skip
            walked = next(((m, start) for m in freeing if (start := _starts_at(m, end, link)) is not None), None)
            moving = _moving(methods, Ends(other, back, end, link))
            users = [m for m in methods if moving is not None and _calls(m, {moving.name}) and m.name != "__init__"]
            if walked is None or moving is None or not users:
                continue
            method, start = walked
            named = ", ".join(m.name for m in users[:MOST_NAMED])
            value = (
                f"least recently used first (LRU): {method.name} evicts from the {_side(end, ends)} of a doubly linked "
                f"list through the entries ({source.quote(start)}), and {moving.name} moves an entry to its "
                f"{_side(other, ends)} when {named} uses it"
            )
            places = (source.at(start), source.at(moving), source.at(method), source.at(users[0]))
            yield Claim(f"{scope.node.name} eviction order", value, places)
            break


def _side(end: str, ends: Ends) -> str:
    return "front" if end == ends.first else "back"


def _starts_at(method: t.FunctionDef, end: str, link: str) -> t.Stmt | None:
    """`node = self.end.link` before a loop that asks for it: how C++ goes on stands in the loop's head."""
    tests = [n.test for n in own_of(method, t.While)]
    for node in own_of(method, t.Assign):
        if not isinstance(node.targets[0], t.Name) or t.dotted(node.value) != f"self.{end}.{link}":
            continue
        name = node.targets[0].id
        if any(isinstance(n, t.Name) and n.id == name for test in tests for n in t.walk(test)):
            return node
    return None


def _moving(methods: list[t.FunctionDef], ends: Ends) -> t.FunctionDef | None:
    """The method that takes an element out of the list and joins it to the first of these ends, itself or by others."""
    putting = {m.name for m in methods if puts(m, ends.first, ends.after)}
    unlinking = {m.name for m in methods if _unlinks(m, ends)}
    for method in methods:
        joins = method.name in putting or _calls(method, putting)
        takes_out = method.name in unlinking or _calls(method, unlinking)
        if joins and takes_out and not FREEING & set(words(method.name)):
            return method
    return None


def _unlinks(method: t.FunctionDef, ends: Ends) -> bool:
    """`node.before.after = node.after` and the reverse."""
    joined = {(t.dotted(n.targets[0]) or "", t.dotted(n.value) or "") for n in own_of(method, t.Assign)}
    names = {value.removesuffix(f".{ends.after}") for _, value in joined if value.endswith(f".{ends.after}")}
    return any(
        {
            (f"{name}.{ends.before}.{ends.after}", f"{name}.{ends.after}"),
            (f"{name}.{ends.after}.{ends.before}", f"{name}.{ends.before}"),
        }
        <= joined
        for name in names
    )


def _calls(method: t.FunctionDef, names: set[str]) -> bool:
    return any((t.dotted(call.func) or "").removeprefix("self.") in names for call in own_calls(method))
