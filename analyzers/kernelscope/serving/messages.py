"""Which kinds of messages go through a channel: what a sender makes, and what a receiver asks for by `isinstance`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kernelscope.serving.guards import last_name, own
from kernelscope.syntax.python import tree as t

MOST_KINDS = 8


def sent(call: t.Call, known: Mapping[str, t.Expr]) -> tuple[str, ...]:
    """The classes of what a call sends: made in its arguments, or bound to a name that it is given."""
    found: list[str] = []
    for given in call.args:
        value = known.get(given.id, given) if isinstance(given, t.Name) else given
        parts = value.elts if isinstance(value, t.List | t.Tuple) else [value]
        found += [last_name(p.func) for p in parts if isinstance(p, t.Call) and last_name(p.func)[:1].isupper()]
    return tuple(dict.fromkeys(found))[:MOST_KINDS]


def taken(function: t.FunctionDef | t.ClassDef, call: t.Node) -> tuple[str, ...]:
    """The classes that a function asks for of what a call gives it."""
    held = {name for node in own(function) for name in _bound(node, call)}
    found = [name for node in own(function) for name in _asked(node, held)]
    return tuple(dict.fromkeys(found))[:MOST_KINDS]


def _bound(node: t.Node, call: t.Node) -> Iterator[str]:
    match node:
        case t.Assign(targets=[t.Name(id=name)], value=value) if any(n is call for n in t.walk(value)):
            yield name
        case t.NamedExpr(target=t.Name(id=name), value=value) if any(n is call for n in t.walk(value)):
            yield name
        case _:
            pass


def _asked(node: t.Node, held: set[str]) -> Iterator[str]:
    match node:
        case t.Call(func=t.Name(id="isinstance"), args=[t.Name(id=name), kinds]) if name in held:
            classes = kinds.elts if isinstance(kinds, t.Tuple) else [kinds]
            yield from (last_name(c) for c in classes if last_name(c)[:1].isupper())
        case _:
            pass
