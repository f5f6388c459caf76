"""Values that code outside a class stores over its settings, and what stands for those that are not set.

A store is joined with the field that one class of that name, or one configuration, has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import guards_text, own, statements
from kernelscope.serving.parameters import CONFIGURED, Parameter, self_stores
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope


@dataclass(frozen=True, slots=True)
class Stored:
    """A value that code outside a class stores over one of its fields: `config.blocks = n`, `Sequence.size = n`."""

    receiver: str
    name: str
    claim: Claim
    within: str = ""
    """The class whose method stores it, where that object is not the one that is stored into."""


def stored(source: PythonSource) -> Iterator[Stored]:
    """Stores into attributes of configurations and classes, by functions that are no methods of theirs."""
    if source.aside:
        return
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[t.Attribute(value=owner, attr=name)], value=value):
                    receiver = _receiver(scope, owner)
                case _:
                    continue
            if not (receiver[:1].isupper() or CONFIGURED & set(words(receiver))):
                continue
            if t.dotted(value) == t.dotted(statement.targets[0]):
                continue
            condition = " and ".join(guards_text(source, guards))
            said = Claim(
                name, source.quote(value), (source.at(statement),), f"set in {scope.qualified_name}", condition
            )
            yield Stored(receiver, name, said, scope.owner.name if scope.owner is not None else "")
        yield from _fallbacks(source, scope)


def _receiver(scope: Scope, owner: t.Expr) -> str:
    """What holds a setting: its class where an annotation names it, of an argument or of what `__init__` stores."""
    name = t.dotted(owner) or ""
    last = name.rpartition(".")[2]
    init = next((m for m in scope.owner.methods() if m.name == "__init__"), None) if scope.owner else None
    function = scope.node if "." not in name else init if name.count(".") == 1 else None
    if isinstance(function, t.FunctionDef) and ("." not in name or last in self_stores(function)):
        for param in function.args:
            annotated = t.dotted(param.annotation) if param.name == last and param.annotation else None
            if annotated is not None:
                return annotated.rpartition(".")[2]
    return last


def _fallbacks(source: PythonSource, scope: Scope) -> Iterator[Stored]:
    """`config.theta or 10000.0`: what stands for a setting that is not set."""
    for node in own(scope.node):
        match node:
            case t.BoolOp(op="or", values=[t.Attribute(value=owner, attr=name), instead]):
                receiver = _receiver(scope, owner)
            case t.IfExp(
                test=t.Compare(left=t.Attribute(value=owner, attr=name), ops=["is not"]),
                body=t.Attribute(attr=same),
                orelse=instead,
            ) if same == name:
                receiver = _receiver(scope, owner)
            case _:
                continue
        if CONFIGURED & set(words(receiver)):
            where = f"fallback in {scope.qualified_name}"
            yield Stored(
                receiver, name, Claim(name, source.quote(instead), (source.at(node),), where, f"{name} is unset")
            )


def overridden(declared: list[Parameter], stores: Iterable[Stored]) -> list[Parameter]:
    """Parameters with what other code stores over them: by the class, or by a field that one configuration has."""
    fields: dict[str, list[int]] = {}
    for index, p in enumerate(declared):
        if p.kind == "field":
            fields.setdefault(p.name, []).append(index)
    more: dict[int, list[Claim]] = {}
    for store in stores:
        found = fields.get(store.name, [])
        if store.receiver[:1].isupper():
            found = [i for i in found if declared[i].owner == store.receiver]
        else:
            found = [
                i for i in found if CONFIGURED & set(words(declared[i].owner)) and declared[i].owner != store.within
            ]
        if len(found) == 1:
            more.setdefault(found[0], []).append(store.claim)
    return [replace(p, overrides=(*p.overrides, *more[i])) if i in more else p for i, p in enumerate(declared)]
