"""Tables that a file fills by decorators and calls of its own: `@LAYERS.register("conv")`, `LAYERS.add("elu", nn.ELU)`.

What is asked of such an object by a key is looked up among these; how its class keeps them is not followed. A class
that hands further items of a subscript on to what it found, `return found(*args)`, calls it.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.sequences import is_callable
from kernelscope.interp.values import Class, Function, Instance, Opaque, Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown
from kernelscope.workspace.modules import Definition

MOST_ENTRIES = 64


@dataclass(frozen=True, slots=True)
class Registry:
    """What one object holds by the keys under which it was given, in lower case."""

    entries: dict[str, Value]
    calls_entries: bool
    """Whether it gives what an entry gives when it is called."""
    names_keys: bool
    """Whether an attribute called as a key is that key."""


def looked_up(run: Interpreter, table: Instance, index: Value, span: Any) -> Value | None:
    """`TABLE[key]` and `TABLE[key, argument]`; None where the object is no such table."""
    registry = None if run.certain else _registry(run, table)
    if registry is None:
        return None
    key, *args = index if isinstance(index, tuple) and index else (index,)
    if is_callable(key):
        return key
    from kernelscope.interp.attributes import chosen
    from kernelscope.interp.calls import call

    if isinstance(key, str):
        entry = registry.entries.get(key.lower())
        if entry is None:
            return Unknown("a key that is not known", span)
        found = [entry]
    elif isinstance(key, Unknown | Opaque):
        found = list(registry.entries.values())
    else:
        return None
    if registry.calls_entries:
        run.quiet += 1
        try:
            found = [call(run, e, args, {}, span) if isinstance(e, Function) else e for e in found]
        finally:
            run.quiet -= 1
    return found[0] if len(found) == 1 else chosen(found, span)


def named_key(run: Interpreter, table: Instance, name: str) -> Value | None:
    """`TABLE.KEY`: the key itself, or what is held under it, as the class has it; None where it is no such table."""
    if run.certain or not isinstance(run.classes.attribute(table.cls, "__getattr__"), Definition):
        return None
    registry = _registry(run, table)
    if registry is None or (entry := registry.entries.get(name.lower())) is None:
        return None
    return name if registry.names_keys else entry


def _registry(run: Interpreter, table: Instance) -> Registry | None:
    if id(table) not in run.registries:
        run.registries[id(table)] = table, _filled(run, table)
    return run.registries[id(table)][1]


def _filled(run: Interpreter, table: Instance) -> Registry | None:
    if table.is_module or not isinstance(run.classes.attribute(table.cls, "__getitem__"), Definition):
        return None
    places = (run.workspace.modules.resolve(*key) for key, value in run.globals.items() if value is table)
    home = next((place for place in places if isinstance(place, Definition)), None)
    module = None if home is None else run.workspace.modules.module(home.path)
    if home is None or module is None:
        return None
    entries: dict[str, Value] = {}
    for statement in module.body:
        for key, value in _registered(run, home, statement):
            if len(entries) < MOST_ENTRIES:
                entries.setdefault(key.lower(), value)
    if not entries:
        return None
    methods = list(_methods(run, table.cls))
    return Registry(entries, any(map(_calls_found, methods)), any(map(_returns_key, methods)))


def _registered(run: Interpreter, home: Definition, statement: t.Stmt) -> Iterator[tuple[str, Value]]:
    """What a statement of a file gives to the object, with its key."""
    match statement:
        case t.FunctionDef(name=name, decorator_list=decorators) | t.ClassDef(name=name, decorator_list=decorators):
            made = Definition(home.path, name, statement)
            for decorator in decorators:
                if (key := _key_of(home.name, decorator)) is not None:
                    yield key or name, Function(made) if isinstance(statement, t.FunctionDef) else Class(made)
        case t.ExprStmt(value=t.Call(args=[_, value]) as call) if key := _key_of(home.name, call):
            from kernelscope.interp.expressions import evaluate

            run.quiet += 1
            try:
                held = evaluate(run, Scope(home.path), value)
            finally:
                run.quiet -= 1
            if is_callable(held):
                yield key, held
        case _:
            pass


def _key_of(table: str, decorator: t.Expr) -> str | None:
    """The key that a method of the object is given, "" where it is given none; None for calls of anything else."""
    call = decorator if isinstance(decorator, t.Call) else None
    name = t.dotted(decorator if call is None else call.func) or ""
    if name.rpartition(".")[0] != table:
        return None
    match None if call is None or not call.args else call.args[0]:
        case None:
            return ""
        case t.Constant(value=str() as key):
            return key
        case _:
            return None


def _methods(run: Interpreter, cls: Definition) -> Iterator[t.FunctionDef]:
    for base in run.classes.mro(cls):
        if isinstance(base, Definition) and isinstance(base.node, t.ClassDef):
            yield from (found for found in base.node.body if isinstance(found, t.FunctionDef))


def _calls_found(method: t.FunctionDef) -> bool:
    """Whether a method gives what something that it found gives on its own further arguments."""
    own = method.args[0].name if method.args else ""
    for node in t.walk(*method.body):
        match node:
            case t.Return(value=t.Call(func=func, args=[t.Starred()])):
                if (t.dotted(func) or "").partition(".")[0] not in (own, "super"):
                    return True
            case _:
                pass
    return False


def _returns_key(method: t.FunctionDef) -> bool:
    """Whether an attribute is given as the name that was asked for."""
    if method.name != "__getattr__" or len(method.args) < 2:
        return False
    returned = (node.value for node in t.walk(*method.body) if isinstance(node, t.Return))
    return any(isinstance(value, t.Name) and value.id == method.args[1].name for value in returned)
