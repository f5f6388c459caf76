"""Values that code outside a class stores over its settings, and what stands for those that are not set.

A store is joined with the field that one class of that name, or one configuration, has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import (
    Guard,
    assignments,
    guard_text,
    guarded,
    guards_text,
    own_calls,
    own_of,
    statements,
)
from kernelscope.serving.parameter import CONFIGURED, Parameter
from kernelscope.serving.parameters import self_stores
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

PARSED = {"args", "opts", "options", "opt", "flags", "namespace"}
"""Names of what options are parsed into."""
COMMAND_LINE = "command line"
MOST_STEPS = 3
"""Steps in which a value is worked out that are told."""
SETS = {"setattr", "object.__setattr__"}


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
    if not source.aside:
        yield from stored_in_functions(source)
        yield from _options_set(source)


@by_function
def stored_in_functions(source: PythonSource) -> Iterator[Stored]:
    """Stores by functions, and what stands there for settings that are not set."""
    for scope in source.module.functions():
        setters = dict(_setters(scope.node))
        for statement, guards in statements(scope.node):
            match statement:
                case t.Assign(targets=[t.Attribute(value=owner, attr=name) as target], value=value):
                    if t.dotted(value) == t.dotted(target):
                        continue
                case t.ExprStmt(value=t.Call() as call) if (found := _set_by_name(call, setters)) is not None:
                    owner, name, value = found
                    value = assignments(scope.node).get(value.id, value) if isinstance(value, t.Name) else value
                case _:
                    continue
            receiver = _receiver(scope, owner)
            if not (receiver[:1].isupper() or CONFIGURED & set(words(receiver))):
                continue
            condition = " and ".join(guards_text(source, guards))
            text = f"{source.quote(value)}{_worked_out(source, scope.node, value, statement)}"
            said = Claim(name, text, (source.at(statement),), f"set in {scope.qualified_name}", condition)
            yield Stored(receiver, name, said, scope.owner.name if scope.owner is not None else "")
        yield from _fallbacks(source, scope)


def _options_set(source: PythonSource) -> Iterator[Stored]:
    """`args.size = 8` after options are parsed, in functions or in the script itself; `args.model.size` too."""
    bodies: list[tuple[str, Iterator[tuple[t.Stmt, tuple[Guard, ...]]], t.FunctionDef | t.ClassDef | None]]
    bodies = [("the script", guarded(source.module.body), None)]
    bodies += [(s.qualified_name, iter(statements(s.node)), s.node) for s in source.module.functions()]
    for where, found, function in bodies:
        for statement, guards in found:
            match statement:
                case t.Assign(targets=[t.Attribute() as target], value=value):
                    held, _, name = (t.dotted(target) or "").partition(".")
                case _:
                    continue
            if held in PARSED and name:
                shown = (g for g in guards if not g.early and "__name__" not in source.quote(g.test))
                tests = (guard_text(source, g) for g in shown)
                text = source.quote(value)
                text += _worked_out(source, function, value, statement) if function is not None else ""
                said = Claim(name, text, (source.at(statement),), f"set in {where}", " and ".join(tests))
                yield Stored(COMMAND_LINE, name, said)


def _worked_out(source: PythonSource, function: t.FunctionDef | t.ClassDef, value: t.Expr, stored_at: t.Stmt) -> str:
    """What a local name is bound to before it is stored, step by step: `n = total // 6`, then `n = max(n, least)`."""
    if not isinstance(value, t.Name):
        return ""
    steps = [
        s for s in own_of(function, t.Assign)
        if t.dotted(s.targets[0]) == value.id and s.span.end <= stored_at.span.start
    ]  # fmt: skip
    near = steps[-MOST_STEPS:]
    return f", where {', then '.join(source.quote(s) for s in near)}" if near and len(steps) <= MOST_STEPS else ""


def _set_by_name(call: t.Call, setters: dict[str, t.Expr]) -> tuple[t.Expr, str, t.Expr] | None:
    """`setattr(config, "size", n)`, or a call of a function inside that does so: what is set, its field, the value."""
    match call:
        case t.Call(func=func, args=[owner, t.Constant(value=str() as name), value]) if t.dotted(func) in SETS:
            return owner, name, value
        case t.Call(func=t.Name(id=setter), args=[t.Constant(value=str() as name), value]) if setter in setters:
            return setters[setter], name, value
        case _:
            return None


def _setters(function: t.FunctionDef | t.ClassDef) -> Iterator[tuple[str, t.Expr]]:
    """Functions inside of a function that set a field by name: `def put(name, value): setattr(config, name, value)`."""
    for inner in function.body:
        if not isinstance(inner, t.FunctionDef) or len(inner.args) != 2:
            continue
        given = [p.name for p in inner.args]
        for call in own_calls(inner):
            match call.args:
                case [owner, t.Name(id=name), t.Name(id=value)] if (
                    t.dotted(call.func) in SETS and [name, value] == given
                ):
                    yield inner.name, owner
                case _:
                    pass


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
    for node in own_of(scope.node, t.BoolOp, t.IfExp):
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
    options: dict[tuple[Path, str], int] = {}
    for index, p in enumerate(declared):
        if p.kind == "field":
            fields.setdefault(p.name, []).append(index)
        elif p.kind == "option":
            options[p.location.path, p.name.lstrip("-").replace("-", "_")] = index
    more: dict[int, list[Claim]] = {}
    for store in stores:
        found = fields.get(store.name, [])
        if store.receiver == COMMAND_LINE:
            at = options.get((store.claim.evidence[0].path, store.name))
            found = [at] if at is not None else []
        elif store.receiver[:1].isupper():
            found = [i for i in found if declared[i].owner == store.receiver]
        else:
            found = [
                i for i in found if CONFIGURED & set(words(declared[i].owner)) and declared[i].owner != store.within
            ]
        if len(found) > 1:
            found = _of_its_language(declared, found, store.claim.evidence[0].path)
        if len(found) == 1:
            more.setdefault(found[0], []).append(store.claim)
    return [replace(p, overrides=(*p.overrides, *more[i])) if i in more else p for i, p in enumerate(declared)]


def _of_its_language(declared: list[Parameter], found: list[int], path: Path) -> list[int]:
    """Of several fields those that are declared in the language of a store: an engine in C++ has its own in Python."""
    return [i for i in found if (declared[i].location.path.suffix == ".py") == (path.suffix == ".py")]
