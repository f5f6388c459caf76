"""Which implementations a name can choose: enums, decorator registries, dicts of classes, string tables, factories.

A registry is what stores a function or class under a key that is looked up later; its own name does not matter.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource, literal
from kernelscope.serving.enum_like import enum_classes, is_list_of_names, numbered_states, stored_by
from kernelscope.serving.guards import inside_of, own_calls, whole
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import ranked
from kernelscope.syntax.python import tree as t

MAX_ENTRIES = 200
MOST_CHOSEN = 4
"""Implementations that one key may choose between."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a registry and what it chooses."""

    key: str
    implementation: str
    location: Location


@dataclass(frozen=True, slots=True)
class Registry:
    """`kind`: enum, decorator, table or factory; `name` is what holds the entries."""

    name: str
    kind: str
    entries: tuple[Entry, ...]
    location: Location


def registries(source: PythonSource) -> Iterator[Registry]:
    """The registries that one Python file shows."""
    yield from _enums(source)
    yield from held_registries(source)
    yield from factories(source)
    yield from _tables_of_functions(source)


def held_registries(source: PythonSource) -> Iterator[Registry]:
    """Those of them that something holds: tables, and what decorators fill."""
    yield from _decorated(source)
    yield from _registered(source)
    yield from _tables(source)


def _enums(source: PythonSource) -> Iterator[Registry]:
    enums = enum_classes(source)
    for scope in source.module.classes():
        node = scope.node
        if not isinstance(node, t.ClassDef):
            continue
        is_enum = node.name in enums
        numbers = [] if is_enum else numbered_states(node)
        if not is_enum and not numbers and not is_list_of_names(node):
            continue
        entries = [
            Entry(target.id, source.quote(value), source.at(statement))
            for statement in node.body
            for target, value in stored_by(statement)
            if isinstance(target, t.Name) and not target.id.startswith("_") and (not numbers or target.id in numbers)
        ]
        if entries:
            yield Registry(scope.qualified_name, "enum", tuple(entries[:MAX_ENTRIES]), source.at(node))


def _decorated(source: PythonSource) -> Iterator[Registry]:
    """`@REGISTRY.register("key")` and `@register_x("key")` above functions and classes, grouped by the decorator."""
    groups: dict[str, list[Entry]] = {}
    for scope in source.module.scopes:
        for decorator in scope.node.decorator_list:
            if not isinstance(decorator, t.Call):
                continue
            name = t.dotted(decorator.func)
            given = [*decorator.args, *(k.value for k in decorator.keywords)]
            key = literal(given[0]) if given else None
            if name is None or not isinstance(key, str) or "regist" not in name.lower():
                continue
            chosen = [f"{k.arg}={source.quote(k.value)}" for k in decorator.keywords if k.value is not given[0]]
            text = f"{scope.node.name} ({', '.join(chosen)})" if chosen else scope.node.name
            groups.setdefault(name, []).append(Entry(key, text, source.at(decorator)))
    for name, entries in groups.items():
        yield Registry(name, "decorator", tuple(entries[:MAX_ENTRIES]), entries[0].location)


def _registered(source: PythonSource) -> Iterator[Registry]:
    """`Registry.register(key, Class)` and `TABLE[key] = Class`, several times at the level of the module.

    Also `Registry.register_part("key", "module", "Class")` and `…("key", "module:Class")`, in functions, too.
    """
    groups: dict[str, list[Entry]] = {}
    for statement in t.flat(source.module.body):
        match statement:
            case t.ExprStmt(value=t.Call(func=t.Attribute(value=holder, attr="register"), args=[key, chosen])):
                pass
            case t.Assign(targets=[t.Subscript(value=holder, slice=key)], value=chosen):
                pass
            case _:
                continue
        name, implementation = t.dotted(holder), t.dotted(chosen) or ""
        is_key = isinstance(literal(key), str) or isinstance(key, t.Attribute)
        if name is not None and is_key and implementation.rpartition(".")[2][:1].isupper():
            entry = Entry(_key(source, key), implementation, source.at(statement))
            groups.setdefault(name, []).append(entry)
    for call in whole(source.module) if b".register" in source.text.data else ():
        match call:
            case t.Call(func=t.Attribute(attr=attr) as func, args=[_, _, *_] as args) if attr.startswith("register"):
                texts = [literal(a) for a in args]
            case _:
                continue
        made = ".".join(str(text) for text in texts[1:])
        if all(isinstance(text, str) for text in texts) and re.fullmatch(r"[\w.]+[.:][A-Z]\w*", made):
            entry = Entry(str(texts[0]), made, source.at(call))
            groups.setdefault(t.dotted(func) or "", []).append(entry)
    for name, entries in groups.items():
        if len(entries) > 1:
            yield Registry(name, "table", tuple(entries[:MAX_ENTRIES]), entries[0].location)


def _tables(source: PythonSource) -> Iterator[Registry]:
    """Dicts from strings (or enum members) to classes, functions or `"module.Class"` strings."""
    held = [(statement, "") for statement in t.flat(source.module.body)]
    for scope in source.module.classes():
        held += [(statement, f"{scope.qualified_name}.") for statement in scope.node.body]
    for statement, owner in held:
        match statement:
            case t.Assign(targets=[t.Name(id=name)], value=t.Dict() as table):
                pass
            case t.AnnAssign(target=t.Name(id=name), value=t.Dict() as table):
                pass
            case t.Assign(targets=[t.Name(id=name)], value=t.Call(args=[t.Dict() as table, *_])):
                pass
            case _:
                continue
        entries = [
            Entry(_key(source, key), _chosen(source, value), source.at(value))
            for key, value in zip(table.keys, table.values, strict=True)
            if key is not None and _is_implementation(value)
        ]
        if len(entries) >= 2 and len(entries) * 2 > len(table.values):
            yield Registry(f"{owner}{name}", "table", tuple(entries[:MAX_ENTRIES]), source.at(statement))


@by_function
def _tables_of_functions(source: PythonSource) -> Iterator[Registry]:
    """A dict of classes that a function looks its argument up in: `{0: Even, 1: Odd}.get(kind)` under a name."""
    for scope in source.module.functions():
        for node in inside_of(scope.node, t.Assign, t.AnnAssign):
            match node:
                case (
                    t.Assign(targets=[t.Name(id=name)], value=t.Dict() as table)
                    | t.AnnAssign(target=t.Name(id=name), value=t.Dict() as table)
                ):
                    pass
                case _:
                    continue
            entries = [
                Entry(_key(source, key), source.quote(value), source.at(value))
                for key, value in zip(table.keys, table.values, strict=True)
                if key is not None and (t.dotted(value) or "").rpartition(".")[2][:1].isupper()
            ]
            looked_up = next(_look_ups(scope.node, name), None)
            if len(entries) < 2 or len(entries) != len(table.values) or looked_up is None:
                continue
            other = _otherwise(source, scope.node, looked_up)
            found = (*entries[: MAX_ENTRIES - 1], *other)
            yield Registry(f"{scope.qualified_name} by {name}", "table", found, source.at(node))


def _look_ups(function: t.FunctionDef | t.ClassDef, name: str) -> Iterator[t.Expr]:
    """`name[key]` and `name.get(key)`."""
    for node in inside_of(function, t.Subscript, t.Call):
        match node:
            case t.Subscript(value=t.Name(id=held)) | t.Call(func=t.Attribute(value=t.Name(id=held), attr="get")):
                if held == name:
                    yield node
            case _:
                pass


def _otherwise(source: PythonSource, function: t.FunctionDef | t.ClassDef, looked_up: t.Expr) -> list[Entry]:
    """What is taken where a table has no entry: what `get` is given, or what stands in for None."""
    if isinstance(looked_up, t.Call) and len(looked_up.args) == 2:
        return [Entry("otherwise", source.quote(looked_up.args[1]), source.at(looked_up))]
    bound = (n.targets[0] for n in inside_of(function, t.Assign) if n.value is looked_up)
    name = next((target.id for target in bound if isinstance(target, t.Name)), None)
    for branch in inside_of(function, t.If):
        match branch:
            case t.If(
                test=t.Compare(left=t.Name(id=asked), ops=["is"], comparators=[t.Constant(value=None)]),
                body=[t.Assign(targets=[t.Name(id=again)], value=t.Name() | t.Attribute() as other) as stored, *_],
            ) if asked == again == name:
                return [Entry("otherwise", source.quote(other), source.at(stored))]
            case _:
                pass
    return []


def _key(source: PythonSource, key: t.Expr) -> str:
    value = literal(key)
    return value if isinstance(value, str) else source.quote(key)


def _chosen(source: PythonSource, value: t.Expr) -> str:
    text = literal(value)
    return text if isinstance(text, str) else source.quote(value)


def _is_implementation(value: t.Expr) -> bool:
    match value:
        case t.Name() | t.Attribute() | t.Lambda():
            return True
        case t.Constant(value=str() as text):
            return "." in text or ":" in text
        case t.Tuple() | t.List():
            return all(isinstance(e, t.Name | t.Attribute | t.Constant) for e in value.elts) and bool(value.elts)
        case t.Call():
            return (t.dotted(value.func) or "").rpartition(".")[2] in ("partial", "import_string")
        case _:
            return False


BUILT_IN = frozenset(name for name, value in vars(builtins).items() if callable(value) and name.islower())
"""What Python itself brings: a branch that counts or converts makes nothing."""


@by_function
def factories(source: PythonSource) -> Iterator[Registry]:
    """Chains of `if x == "a": return A(...)` on one subject; what all branches make under one name is one of them."""
    for scope in source.module.functions():
        groups: dict[str, list[tuple[Entry, str]]] = {}
        local = _local(scope.node)
        for statement in inside_of(scope.node, t.Match, t.If):
            if isinstance(statement, t.Match):
                for case in statement.cases:
                    if isinstance(case.pattern, t.Name):
                        continue
                    pattern = literal(case.pattern)
                    key = str(pattern) if pattern is not None else source.quote(case.pattern)
                    held = groups.setdefault(source.quote(statement.subject), [])
                    ways = _made(source, case.body, local)
                    held += [(Entry(key, made, source.at(case)), kept) for kept, made in ways]
            if not isinstance(statement, t.If) or not (ways := _made(source, statement.body, local)):
                continue
            for subject, key in _asked_for(source, statement.test):
                held = groups.setdefault(subject, [])
                held += [(Entry(key, made, source.at(statement)), kept) for kept, made in ways]
        for subject, told in groups.items():
            entries = _of_one_kind(told)
            if len({entry.key for entry in entries}) >= 2:
                name = f"{scope.qualified_name} by {subject}"
                yield Registry(name, "factory", tuple(entries[:MAX_ENTRIES]), source.at(scope.node))


def _of_one_kind(told: list[tuple[Entry, str]]) -> list[Entry]:
    """Of what branches make under several names that which all of them make: an object for each key, no part of it."""
    keys: dict[str, set[str]] = {}
    for entry, kept in told:
        keys.setdefault(kept, set()).add(entry.key)
    if not keys:
        return []
    everywhere = {entry.key for entry, _ in told}
    chosen = next((kept for kept, found in keys.items() if found == everywhere), None)
    if chosen is None:  # branches have names of their own for what they make
        firsts = {(entry.key, entry.location): entry for entry, _ in reversed(told)}
        return sorted(firsts.values(), key=lambda entry: entry.location.line)
    return [entry for entry, kept in told if kept == chosen]


def _asked_for(source: PythonSource, test: t.Expr) -> Iterator[tuple[str, str]]:
    """The subject and the keys that a test lets through: `x == "a"`, `x in ["a", "b"]`, `"a" in x`."""
    for each in test.values if isinstance(test, t.BoolOp) and test.op == "or" else [test]:
        if not isinstance(each, t.Compare) or each.ops not in (["=="], ["is"], ["in"]):
            continue
        chosen = each.comparators[0]
        key = literal(chosen)
        if each.ops == ["in"] and isinstance(held := literal(each.left), str) and t.dotted(chosen):
            yield source.quote(chosen), f"…{held}…"
            continue
        is_member = isinstance(chosen, t.Attribute) and each.ops != ["in"]
        if isinstance(key, str | list) or is_member:
            yield source.quote(each.left), key if isinstance(key, str) else source.quote(chosen)


def _local(function: t.FunctionDef | t.ClassDef) -> frozenset[str]:
    """The names that a function binds: what they hold is a value, no implementation."""
    stored = inside_of(function, t.Assign, t.For)
    targets = (target for n in stored for target in (n.targets if isinstance(n, t.Assign) else [n.target]))
    given = [p.name for p in function.args] if isinstance(function, t.FunctionDef) else []
    return frozenset([*given, *(n.id for target in targets for n in t.walk(target) if isinstance(n, t.Name))])


def _made(source: PythonSource, body: list[t.Stmt], local: frozenset[str]) -> list[tuple[str, str]]:
    """The classes or functions that a branch returns or constructs, each with what keeps it; several where it chooses.

    What functions work out is mostly for the object: they are told only where a branch makes none.
    """
    values = (s.value for s in t.flat(body) if isinstance(s, t.Return))
    returned = [_implementation(source, v, local) for v in values if v is not None and not isinstance(v, t.Constant)]
    known = [name for name in returned if name is not None]
    if returned:
        return [("", " or ".join(dict.fromkeys(known[:MOST_CHOSEN])))] if len(known) == len(returned) else []
    constructed = [
        (kept, name) for statement in body for kept, value in _bound(statement)
        if (name := _implementation(source, value, local)) is not None
    ]  # fmt: skip
    return [(kept, name) for kept, name in constructed if name.rpartition(".")[2][:1].isupper()] or constructed[:1]


def _bound(statement: t.Stmt) -> Iterator[tuple[str, t.Call]]:
    """What a statement keeps of what it makes, and as what: `x = A()`, and `x.reset(new A())` in C++."""
    match statement:
        case t.Assign(targets=[target, *_], value=t.Call() as value):
            yield t.dotted(target) or "", value
        case t.ExprStmt(value=t.Call(func=t.Attribute(value=held, attr="reset"), args=[t.Call() as value])):
            yield t.dotted(held) or "", value
        case _:
            pass


def _implementation(source: PythonSource, value: t.Expr, local: frozenset[str]) -> str | None:
    match value:
        case t.Call(func=func):
            name = t.dotted(func)
            is_made = name is not None and (name.rpartition(".")[2][:1].isupper() or "." not in name)
            return name if is_made and name not in BUILT_IN else None
        case t.Name() | t.Attribute():
            return source.quote(value) if (t.dotted(value) or "") not in local else None
        case _:
            return None


def stacks(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    """Lists of implementations that a class holds, of which it uses one end: what is appended last is in force."""
    for scope in source.module.classes():
        for statement in scope.node.body:
            match statement:
                case (
                    t.AnnAssign(target=t.Name(id=name), value=t.List(elts=made))
                    | t.Assign(targets=[t.Name(id=name)], value=t.List(elts=made))
                ):
                    pass
                case _:
                    continue
            used = _end_used(scope.node, name)
            added = _appended(source, scope.node.name, name)
            if used is None or not (added or made):
                continue
            first = ", ".join(source.quote(e) for e in made) or "nothing"
            later = "".join(f", then {source.quote(call.args[0])} (added in {where})" for where, call in added)
            end = "last" if source.quote(used.slice).startswith("-") else "first"
            value = (
                f"the implementation is chosen from {scope.node.name}.{name}: {first}{later}; the {end} one is used "
                f"({source.quote(used)})"
            )
            places = (source.at(used), source.at(statement), *(source.at(call) for _, call in added))
            section = next((s for _, s in ranked(scope.node.name)), "components")
            yield section, Claim(f"{scope.node.name} implementations", value, places)


def _end_used(cls: t.FunctionDef | t.ClassDef, name: str) -> t.Subscript | None:
    for node in inside_of(cls, t.Subscript):
        match node:
            case t.Subscript(value=t.Attribute(attr=attr), slice=t.UnaryOp() | t.Constant()) if attr == name:
                return node
            case _:
                pass
    return None


def _appended(source: PythonSource, cls: str, name: str) -> list[tuple[str, t.Call]]:
    found: list[tuple[str, t.Call]] = []
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            if t.dotted(call.func) in (f"{cls}.{name}.append", f"cls.{name}.append") and call.args:
                found.append((scope.qualified_name, call))
    return found
