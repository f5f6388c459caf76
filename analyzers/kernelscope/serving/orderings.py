"""By what a list was put into the order in which its elements are taken: where it is sorted, or in what gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import own_of
from kernelscope.syntax.python import tree as t

MOST_TOLD = 3
OWN = ("self.", "cls.")


@dataclass(frozen=True, slots=True)
class Ordering:
    """In words, and the call that sorts."""

    text: str
    node: t.Node


def orderings(source: PythonSource, function: t.FunctionDef | t.ClassDef, name: str) -> list[Ordering]:
    """How a list of a function is sorted there, or in the functions of the file that give it."""
    found = list(_sorted_in(source, function, name))
    if found:
        return found[:MOST_TOLD]
    for node in own_of(function, t.Assign):
        if [t.dotted(x) for x in node.targets] != [name] or not isinstance(node.value, t.Call):
            continue
        called = (t.dotted(node.value.func) or "").rpartition(".")
        if called[0] and f"{called[0]}." not in OWN:
            continue
        meant = [s for s in source.module.functions() if s.node.name == called[2] and s.node is not function]
        for scope in meant if len(meant) == 1 else ():
            given = {n.value.id for n in own_of(scope.node, t.Return) if isinstance(n.value, t.Name)}
            found += (o for local in sorted(given) for o in _sorted_in(source, scope.node, local))
    return found[:MOST_TOLD]


def _sorted_in(source: PythonSource, function: t.FunctionDef | t.ClassDef, name: str) -> Iterator[Ordering]:
    for call in own_of(function, t.Call):
        match call.func:
            case t.Attribute(value=t.Name(id=sorted_name), attr="sort") if sorted_name == name:
                pass
            case _:
                continue
        key = next((k.value for k in call.keywords if k.arg == "key"), None)
        if key is not None:
            is_turned = any(k.arg == "reverse" and literal(k.value) is True for k in call.keywords)
            said = f"{source.quote(key)}{_meaning(source, function, key)}"
            yield Ordering(f"{said}, {'largest' if is_turned else 'smallest'} first", call)


def _meaning(source: PythonSource, function: t.FunctionDef | t.ClassDef, key: t.Expr) -> str:
    """What the functions give back that a key names and that are defined inside the one that sorts."""
    named = {n.id for n in t.walk(key) if isinstance(n, t.Name)}
    inner = [s for s in t.flat(function.body) if isinstance(s, t.FunctionDef)]
    told: list[str] = []
    while named:
        meant = [s for s in inner if s.name in named]
        inner = [s for s in inner if s not in meant]
        returned = [(s.name, r.value) for s in meant for r in own_of(s, t.Return) if r.value is not None]
        told += (f"{name} is {source.quote(value)}" for name, value in returned)
        named = {n.id for _, value in returned for n in t.walk(value) if isinstance(n, t.Name)} if meant else set[str]()
    return f" (where {'; '.join(dict.fromkeys(told))})" if told else ""
