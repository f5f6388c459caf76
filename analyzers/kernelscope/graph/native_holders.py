"""What stands for a native module where one of its functions is called.

Variables, also of functions around, attributes of the object, and namespaces that a function puts together of
functions. Knows neither loaders nor C++.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    Attribute,
    Call,
    Dict,
    Expr,
    FunctionDef,
    Import,
    ImportFrom,
    Name,
    Return,
    Subscript,
    dotted,
    inside,
    walk,
)
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.modules import Definition, Modules

MAX_HELD = 8
"""Values that a variable or an attribute is given which are looked at, the last ones."""
MAX_HOPS = 3
"""Functions that only hand on what another one gives."""
_NAMESPACE = "SimpleNamespace"


class Held(NamedTuple):
    """A value, and where it is written: the file and the function around."""

    path: str
    value: Expr
    around: Definition | None


class NativeHolders:
    """What receivers of calls hold."""

    def __init__(self, modules: Modules, classes: Classes) -> None:
        self._modules = modules
        self._classes = classes

    def values(self, path: str, function: Definition | None, receiver: str) -> list[Held]:
        """What a receiver in a function, or at the top of a file, may stand for."""
        first, _, attribute = receiver.partition(".")
        if attribute:
            return self._of_object(function, attribute) if first in ("self", "cls") and function is not None else []
        for around in self._from_within(function) if function is not None else ():
            if values := [value for name, value in _assignments(around) if name == receiver]:
                return [Held(path, value, around) for value in values[-MAX_HELD:]]
            if isinstance(around.node, FunctionDef) and any(param.name == receiver for param in around.node.args):
                return []
        found = self._modules.resolve(path, receiver)
        if isinstance(found, Definition) and isinstance(found.node, Assign):
            return [Held(found.path, found.node.value, None)]
        return []

    def _of_object(self, function: Definition, attribute: str) -> list[Held]:
        """What methods of the class give to an attribute."""
        if function.owner is None or "." in attribute:
            return []
        stored = self._classes.stored(function.owner, attribute)[:MAX_HELD]
        return [Held(s.method.path, s.statement.value, s.method) for s in stored if isinstance(s.statement, Assign)]

    def _from_within(self, function: Definition) -> Iterator[Definition]:
        """A function and those that it stands in, from within."""
        yield function
        module = self._modules.module(function.path)
        for scope in module.scopes_around(function.node.span.start) if module is not None else ():
            if isinstance(scope.node, FunctionDef) and scope.node is not function.node:
                yield Definition(function.path, scope.node.name, scope.node)

    def called(self, held: Held) -> list[Definition]:
        """What a call runs: what a name stands for, which the function around may import, or what is in a table."""
        match held.value:
            case Call(func=Subscript(value=Name(id=table))) if held.around is not None:
                made = assigned(held.around).get(table)
                names = [dotted(value) for value in made.values[:MAX_HELD]] if isinstance(made, Dict) else []
            case Call(func=function):
                names = [dotted(function)]
            case _:
                names = []
        found = (self._definition(held, name) for name in names if name)
        return [definition for definition in found if definition is not None]

    def _definition(self, held: Held, name: str) -> Definition | None:
        around = held.around.node if held.around is not None else None
        for statement in inside(around) if isinstance(around, FunctionDef) and "." not in name else ():
            if isinstance(statement, (Import, ImportFrom)) and any(alias.bound == name for alias in statement.names):
                found = self._modules.imported(held.path, statement, name)
                return found if isinstance(found, Definition) else None
        return self._modules.definition(held.path, name)

    def given(self, held: Held, name: str, hops: int = MAX_HOPS) -> Held | Definition | None:
        """What stands under a name of the namespace that a call gives: `f` of `SimpleNamespace(f=module.f)`."""
        maker = next(iter(self.called(held)), None)
        for result in returned(maker) if maker is not None and isinstance(maker.node, FunctionDef) else ():
            if not isinstance(result, Call):
                continue
            if (dotted(result.func) or "").rpartition(".")[2] != _NAMESPACE:
                given = self.given(Held(maker.path, result, maker), name, hops - 1) if hops and maker else None
                if given is not None:
                    return given
                continue
            value = next((keyword.value for keyword in result.keywords if keyword.arg == name), None)
            if isinstance(value, Name) and maker is not None:
                local = assigned(maker).get(value.id)
                if local is None:
                    return _inner(maker, value.id)
                value = local
            if isinstance(value, Attribute) and maker is not None:
                return Held(maker.path, value, maker)
        return None


def _inner(maker: Definition, name: str) -> Definition | None:
    """A function that stands in another one."""
    found = (n for n in walk(maker.node) if isinstance(n, FunctionDef) and n.name == name and n is not maker.node)
    inner = next(found, None)
    return Definition(maker.path, name, inner) if inner is not None else None


def assigned(function: Definition) -> dict[str, Expr]:
    """What a function assigns to its local names, the last time."""
    return dict(_assignments(function))


def _assignments(function: Definition) -> Iterator[tuple[str, Expr]]:
    nodes = inside(function.node) if isinstance(function.node, FunctionDef) else walk(function.node)
    for node in nodes:
        match node:
            case Assign(targets=targets, value=value):
                yield from ((target.id, value) for target in targets if isinstance(target, Name))
            case AnnAssign(target=Name(id=name), value=value) if value is not None:
                yield name, value
            case _:
                pass


def returned(function: Definition) -> Iterator[Expr]:
    """What a function returns, each followed through one local name; its own result is none."""
    local = assigned(function)
    for node in walk(function.node):
        if isinstance(node, Return) and node.value is not None:
            value = local.get(node.value.id) if isinstance(node.value, Name) else node.value
            if value is not None and not (isinstance(value, Call) and dotted(value.func) == function.name):
                yield value
