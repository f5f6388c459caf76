"""Lists of an object that one thread fills and another empties when it is woken: mailboxes guarded by a condition.

`jobs.append(job); there.notify()` in one method and `there.wait(); taken = jobs` in another are a queue between
threads, in Python and in C++ alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.channels import Channel, Use
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import last_name, own_calls, own_of
from kernelscope.syntax.python import tree as t

WAKES = {"notify", "notify_all", "notify_one"}
WAITS = {"wait", "wait_for", "wait_until"}
PUTS = {"append", "extend", "push", "emplace", "emplace_back", "push_back", "heappush"}
TAKES = {"popleft", "pop", "front", "clear", "swap", "heappop"}


@dataclass(frozen=True, slots=True)
class _Put:
    """Who fills or empties a list of the object, and where."""

    where: str
    node: t.Node


def mailboxes(source: PythonSource) -> Iterator[Channel]:
    """The lists of objects that are queues between threads."""
    for cls, name, filled, _ in _found(source):
        yield Channel("queue", "", "", cls.name, source.at(filled[0].node), name)


def letters(source: PythonSource) -> Iterator[Use]:
    """Who fills and empties such lists."""
    for _, name, filled, emptied in _found(source):
        for uses, sends in ((filled, True), (emptied, False)):
            yield from (Use(name, sends, use.where, source.at(use.node)) for use in uses)


def _found(source: PythonSource) -> Iterator[tuple[t.ClassDef, str, list[_Put], list[_Put]]]:
    if source.aside or not any(word.encode() in source.text.data for word in ("notify", "notify_one")):
        return
    for scope in source.module.classes():
        if not isinstance(scope.node, t.ClassDef):
            continue
        filled: dict[str, list[_Put]] = {}
        emptied: dict[str, list[_Put]] = {}
        for method in scope.node.methods():
            called = {last_name(c.func) for c in own_calls(method)}
            where = f"{scope.node.name}.{method.name}"
            if called & WAKES:
                for name, node in _members(method, PUTS):
                    filled.setdefault(name, []).append(_Put(where, node))
            if called & WAITS:
                taken = dict(_members(method, TAKES)) | dict(_bound(method))
                for name, node in taken.items():
                    emptied.setdefault(name, []).append(_Put(where, node))
        for name, puts in filled.items():
            if name in emptied:
                yield scope.node, name, puts, emptied[name]


def _members(method: t.FunctionDef, verbs: set[str]) -> Iterator[tuple[str, t.Node]]:
    """The object's own lists that a method calls something of, or gives to a heap or a swap."""
    for call in own_calls(method):
        if last_name(call.func) not in verbs:
            continue
        held = [call.func.value] if isinstance(call.func, t.Attribute) else []
        for part in (*held, *call.args[:1]):
            match part:
                case t.Attribute(value=t.Name(id="self"), attr=name):
                    yield name, call
                case _:
                    pass


def _bound(method: t.FunctionDef) -> Iterator[tuple[str, t.Node]]:
    """`taken = self.jobs`, `taken, self.jobs = self.jobs, []`: all of it is taken at once."""
    for node in own_of(method, t.Assign):
        match node:
            case t.Assign(targets=[t.Name()], value=t.Attribute(value=t.Name(id="self"), attr=name)):
                yield name, node
            case t.Assign(targets=[t.Tuple(elts=targets)], value=t.Tuple(elts=[t.Attribute(attr=name) as held, *_])):
                if t.dotted(held) in [t.dotted(target) for target in targets]:
                    yield name, node
            case _:
                pass
