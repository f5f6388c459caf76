"""Functions by which implementations are registered under names: what they fill, and what looks it up.

`def register(name, made): TABLE[name] = made`, whoever calls it, in this program or in a plugin.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.guards import last_name, own_of
from kernelscope.serving.listed_classes import listed_classes
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope

REGISTERS = ("regist", "add_", "install")
"""How functions are called that put implementations where others find them."""
LOOKS_UP = {"get", "pop"}


def registrars(source: PythonSource) -> Iterator[Claim]:
    """One claim for each table of a file that a function fills with what it is given, and for lists of classes."""
    if source.aside:
        return
    yield from listed_classes(source)
    tables = dict(_tables(source))
    if not tables:
        return
    functions = list(source.module.functions())
    for scope in functions:
        if not isinstance(scope.node, t.FunctionDef) or not scope.node.name.lower().startswith(REGISTERS):
            continue
        for stored, table in _stored(scope, tables):
            finders = [s for s in functions if s is not scope and _looks_up(s, table)]
            found = f"; {', '.join(s.qualified_name for s in finders[:3])} looks it up" if finders else ""
            arguments = ", ".join(p.name for p in scope.node.args if p.name not in ("self", "cls"))
            value = (
                f"registered by name: {scope.qualified_name}({arguments}) puts what it is given into "
                f"{table} ({source.quote(stored)}){found}"
            )
            places = (source.at(scope.node), source.at(stored), source.at(tables[table]))
            places = (*places, *(source.at(s.node) for s in finders[:3]))
            yield Claim(f"{table} registry", value, places)
            break


def _tables(source: PythonSource) -> Iterator[tuple[str, t.Stmt]]:
    """Names of the module that are bound to an empty dict: `TABLE: dict[str, type] = {}`."""
    for statement in t.flat(source.module.body):
        match statement:
            case t.AnnAssign(target=t.Name(id=name), value=value) | t.Assign(targets=[t.Name(id=name)], value=value):
                is_empty = isinstance(value, t.Dict) and not value.keys
                if is_empty or (isinstance(value, t.Call) and last_name(value.func) == "dict" and not value.args):
                    yield name, statement
            case _:
                pass


def _stored(scope: Scope, tables: dict[str, t.Stmt]) -> Iterator[tuple[t.Assign, str]]:
    """What a function stores of its arguments in one of the tables, under one of them."""
    given = {p.name for p in scope.node.args} if isinstance(scope.node, t.FunctionDef) else set[str]()
    for node in own_of(scope.node, t.Assign):
        match node:
            case t.Assign(
                targets=[t.Subscript(value=t.Name(id=table), slice=t.Name(id=key))], value=t.Name(id=value)
            ) if table in tables and key in given and value in given:
                yield node, table
            case _:
                pass


def _looks_up(scope: Scope, table: str) -> bool:
    for node in own_of(scope.node, t.Subscript, t.Call):
        match node:
            case t.Subscript(value=t.Name(id=name)) if name == table:
                return True
            case t.Call(func=t.Attribute(value=t.Name(id=name), attr=attr)) if name == table and attr in LOOKS_UP:
                return True
            case _:
                pass
    return False
