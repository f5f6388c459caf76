"""To which replica a request goes back: the one that a ring of hashes gives for a key, or that knows its beginning.

Told of functions that dispatch; what they do below a threshold is told with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import Guard, all_guards_text, calls, statements
from kernelscope.serving.replicas import REPLICAS, ROUTES
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

FINDS = {"get", "find", "lookup", "locate", "pick", "node", "select", "choose"}
"""Words of methods that ask a ring for the node of a key."""
KNOWS = {"match", "matches", "matching", "longest", "lookup", "find", "overlap", "overlaps"}
"""Words beside that of prefixes: calls that ask who knows a beginning."""


def kept_together(source: PythonSource, scope: Scope) -> Iterator[tuple[str, t.Node]]:
    """The ways in which a function sends requests of one kind to the same replica."""
    where = {*words(scope.qualified_name), *words(source.path.stem)}
    for statement, guards in statements(scope.node):
        if not isinstance(statement, t.Assign | t.AnnAssign | t.Return) or statement.value is None:
            continue
        for call in calls(statement):
            found = _of_ring(source, call, guards)
            said = {*words(source.quote(statement)), *words(scope.qualified_name)}
            is_of_replicas = bool(ROUTES & where or REPLICAS & said)  # else a cache is asked
            if found is None and isinstance(statement, t.Assign) and is_of_replicas:
                found = _of_prefixes(source, scope, statement, call)
            if found is not None:
                yield found


def _of_ring(source: PythonSource, call: t.Call, guards: tuple[Guard, ...]) -> tuple[str, t.Node] | None:
    """`url = self.hash_ring.get_node(session_id)`."""
    match call:
        case t.Call(func=t.Attribute(value=ring, attr=attr), args=[key, *_]) if FINDS & set(words(attr)):
            said = set(words(t.dotted(ring) or ""))
        case _:
            return None
    if not ({"hash", "ring"} <= said or "hashring" in said or {"consistent", "hash"} <= said):
        return None
    when = " and ".join(all_guards_text(source, guards))
    text = f"by consistent hashing: {source.quote(key)} leads to a node of {source.quote(ring)} ({source.quote(call)})"
    return f"{text}{f' if {when}' if when else ''}", call


def _of_prefixes(source: PythonSource, scope: Scope, bound: t.Assign, call: t.Call) -> tuple[str, t.Node] | None:
    """`length, chosen = tree.longest_prefix_match(prompt, urls)`; with what is done `if length < self.least`."""
    match call.func:
        case t.Attribute(attr=name):
            said = set(words(name))
        case _:
            return None
    targets = bound.targets[0].elts if isinstance(bound.targets[0], t.Tuple) else bound.targets
    names = {target.id for target in targets if isinstance(target, t.Name)}
    if "prefix" not in said or not KNOWS & said or not names:
        return None
    text = f"by prefix: who knows the longest beginning of {source.quote(call.args[0])}" if call.args else "by prefix"
    text = f"{text} ({source.quote(call)})"
    for statement, guards in statements(scope.node):
        below = next((g for g in guards if g.holds and _holds_against(g.test, names)), None)
        if below is None or not isinstance(statement, t.Assign | t.Return) or not isinstance(statement.value, t.Call):
            continue
        return f"{text}; if {source.quote(below.test)} instead {source.quote(statement.value)}", call
    return text, call


def _holds_against(test: t.Expr, names: set[str]) -> bool:
    """Whether a test compares one of these names with something."""
    match test:
        case t.Compare(left=t.Name(id=name), ops=["<" | "<=" | "=="]):
            return name in names
        case _:
            return False
