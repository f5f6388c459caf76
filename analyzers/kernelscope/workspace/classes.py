"""Classes across files: bases, method resolution order, attributes, and what methods store in `self`.

Evaluates nothing: metaclasses, dynamic bases and `setattr` are not followed.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Set
from typing import TypeGuard

from msgspec import Struct

from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    Attribute,
    AugAssign,
    Call,
    ClassDef,
    Expr,
    For,
    FunctionDef,
    If,
    List,
    Match,
    Name,
    Starred,
    Stmt,
    Subscript,
    Try,
    Tuple,
    While,
    With,
    dotted,
    flat,
)
from kernelscope.workspace.modules import Definition, External, Missing, Modules, Resolved

MAX_BASES = 64
KEPT = 512
MODULES = ("torch.nn.", "flax.linen.", "flax.nnx.", "haiku.", "equinox.")
"""How the names of classes begin whose objects are layers."""
KNOWN_BASES = sys.stdlib_module_names | {"torch", "numpy", "jax", "triton", "pydantic", "typing_extensions"}
"""Libraries of whose other classes it is known that their objects are none."""


class Stored(Struct, frozen=True, eq=False):
    """A statement of a method that stores `self.name`."""

    method: Definition
    statement: Assign | AnnAssign | AugAssign


class Classes:
    """Questions about classes of the workspace; a class is a `Definition` whose node is a ClassDef."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def bases(self, cls: Definition) -> tuple[Resolved, ...]:
        """The base classes in the order written; `Generic[T]` counts as `Generic`."""
        return tuple(self._base(cls, base) for base in _class(cls).bases[:MAX_BASES])

    def mro(self, cls: Definition) -> tuple[Resolved, ...]:
        """The class and all its bases in the order in which Python looks attributes up.

        External and missing bases stand in it without their own bases. An order that Python would refuse is replaced
        by depth first.
        """
        kept = self._modules.orders
        if kept is None:
            return self._order(cls)
        found = kept.get(_class(cls))
        if found is None:
            found = kept[_class(cls)] = self._order(cls)
        return found

    def _order(self, cls: Definition) -> tuple[Resolved, ...]:
        orders: dict[ClassDef, list[Resolved]] = {}
        pending: list[tuple[Definition, bool]] = [(cls, False)]
        while pending:
            current, bases_done = pending.pop()
            node = _class(current)
            if node in orders and not bases_done:
                continue
            bases = self.bases(current)
            if not bases_done:
                orders[node] = [current]
                pending.append((current, True))
                pending.extend((b, False) for b in reversed(bases) if is_class(b) and b.node not in orders)
                continue
            inherited = [orders.get(_class(b), [b]) if is_class(b) else [b] for b in bases]
            orders[node] = [current, *_merge([*inherited, list(bases)])]
        return tuple(orders[_class(cls)])

    def attribute(self, cls: Definition, name: str, order: tuple[Resolved, ...] | None = None) -> Resolved:
        """The method or class attribute that `cls.name` means; External names the base that may hold it.

        `order` is the mro, if it is known already.
        """
        outside: Resolved | None = None
        for base in order or self.mro(cls):
            if is_class(base):
                if found := own_attribute(base, name):
                    return found
            elif outside is None and isinstance(base, External):
                outside = External(f"{base.dotted}.{name}")
        return outside or Missing(f"{cls.name} and its bases define no {name}")

    def is_module(self, cls: Definition, order: tuple[Resolved, ...] | None = None) -> bool:
        """Whether the objects of a class are layers of torch, Flax or Equinox.

        Of a base outside of the workspace nobody knows what it derives from; who writes a `forward` for its objects
        writes a layer, but for autograd's functions, whose `forward` is no method.
        """
        order = order or self.mro(cls)
        outside = [base.dotted for base in order if isinstance(base, External)]
        if any(base.startswith(MODULES) for base in outside):
            return True
        may_be = any(base.partition(".")[0] not in KNOWN_BASES and base.partition(".")[2] for base in outside)
        return may_be and any(_has_forward(base) for base in order if is_class(base))

    def super_attribute(
        self, cls: Definition, instance_of: Definition, name: str, order: tuple[Resolved, ...] | None = None
    ) -> Resolved:
        """What `super().name` means in a method of `cls` when `self` is an `instance_of`."""
        order = order or self.mro(instance_of)
        after = next((i + 1 for i, base in enumerate(order) if _same(base, cls)), len(order))
        for base in order[after:]:
            if is_class(base):
                if found := own_attribute(base, name):
                    return found
            elif isinstance(base, External) and base.dotted not in ("object", "typing.Generic", "abc.ABC"):
                return External(f"{base.dotted}.{name}")
        return Missing(f"no base of {cls.name} defines {name}")

    def setters(self, order: tuple[Resolved, ...]) -> dict[str, Definition]:
        """The methods that run when properties are stored, by property."""
        found: dict[str, Definition] = {}
        for base in filter(is_class, order):
            for method in _class(base).methods():
                if any(dotted(d) == f"{method.name}.setter" for d in method.decorator_list):
                    found.setdefault(method.name, Definition(base.path, method.name, method, base))
        return found

    def storing(self, order: tuple[Resolved, ...]) -> Mapping[str, Set[str]]:
        """The names of the methods that store each attribute of `self`, of the nearest class that has any."""
        found: dict[str, Set[str]] = {}
        for base in order:
            if is_class(base):
                found = {**self._storing(base), **found}
        return found

    def _storing(self, cls: Definition) -> Mapping[str, Set[str]]:
        """The names of the methods of one class that store each attribute of their first parameter."""
        module = self._modules.module(cls.path)
        return _storing_methods(module, _class(cls)) if module is not None else {}

    def stored_in_others(self, path: str) -> set[str]:
        """Attributes that the code of a file stores in anything but `self`."""
        module = self._modules.module(path)
        stores = module.stores.all if module is not None else ()
        return {store.name for store in stores if store.holder != "self" and not store.augmented}

    def stored(self, cls: Definition, name: str) -> tuple[Stored, ...]:
        """The statements `self.name = ...` in the methods of the nearest class of the order that has any."""
        for base in self.mro(cls):
            if is_class(base) and (methods := self._storing(base).get(name)):
                found = [stored for stored in _stores(base, methods) if _stores_name(stored.statement, name)]
                if found:
                    return tuple(found)
        return ()

    def stores(self, cls: Definition) -> tuple[Stored, ...]:
        """All statements of the class's own methods that store in their first parameter."""
        methods = {name for names in self._storing(cls).values() for name in names} if is_class(cls) else set[str]()
        return tuple(_stores(cls, methods))

    def _base(self, cls: Definition, base: Expr) -> Resolved:
        node = base
        while isinstance(node, Subscript):
            node = node.value
        name = dotted(node)
        if name is None:
            made_by = dotted(node.func) if isinstance(node, Call) else None
            return Missing(f"a base of {cls.name} is computed" + (f" by {made_by}()" if made_by else ""))
        definition = self._modules.definition(cls.path, name) if "." in name else self._before(cls, name)
        if definition is not None:
            return definition
        found = self._modules.resolve(cls.path, name)
        if isinstance(found, Missing) and name in BUILTIN_BASES:
            return External(name)
        return found

    def _before(self, cls: Definition, name: str) -> Definition | None:
        """A base named like the class itself is the one bound before it."""
        if name != cls.name:
            return self._modules.definition(cls.path, name)
        found = self._modules.resolve(cls.path, name, before=cls.node.span.start)
        return found if is_class(found) else None


@kept_of_nodes(KEPT)
def _storing_methods(module: Module, cls: ClassDef) -> Mapping[str, Set[str]]:
    found: dict[str, set[str]] = {}
    for method in cls.methods():
        for store in module.stores.of(method.span) if method.args else ():
            if store.holder == method.args[0].name:
                found.setdefault(store.name, set()).add(method.name)
    return found


def _has_forward(cls: Definition) -> bool:
    """Whether a class has a method `forward` of its own for its objects."""
    methods = (method for method in _class(cls).methods() if method.name == "forward" and method.args)
    return any(all(dotted(d) not in ("staticmethod", "classmethod") for d in m.decorator_list) for m in methods)


BUILTIN_BASES = frozenset(name for name in dir(builtins) if isinstance(getattr(builtins, name), type))


def own_attribute(cls: Definition, name: str) -> Definition | None:
    """The last binding of `name` in the class's own body; of a property its getter, never an overload's stub."""
    found: Stmt | None = None
    for statement in flat(_class(cls).body):
        match statement:
            case FunctionDef() | ClassDef() if statement.name == name:
                decorators = [dotted(d) or "" for d in statement.decorator_list]
                is_accessor = any(d in (f"{name}.setter", f"{name}.deleter") for d in decorators)
                if not is_accessor and not (found and any(d.endswith("overload") for d in decorators)):
                    found = statement
            case Assign() if any(isinstance(t, Name) and t.id == name for t in statement.targets):
                found = statement
            case AnnAssign() if isinstance(statement.target, Name) and statement.target.id == name:
                found = statement
            case _:
                pass
    return Definition(cls.path, name, found, cls) if found else None


def _stores(cls: Definition, methods: Set[str]) -> list[Stored]:
    """All statements in these methods of one class that store an attribute of the first parameter."""
    found: list[Stored] = []
    for method in _class(cls).methods():
        if method.name not in methods or not method.args:
            continue
        definition = Definition(cls.path, method.name, method, cls)
        receiver = method.args[0].name
        todo: list[Stmt] = list(reversed(method.body))
        while todo:
            statement = todo.pop()
            if isinstance(statement, (FunctionDef, ClassDef)):
                continue
            if isinstance(statement, (Assign, AnnAssign, AugAssign)):
                if any(_is_store(target, receiver) for target in _targets(statement)):
                    found.append(Stored(definition, statement))
                continue
            todo.extend(reversed(nested(statement)))
    return found


def nested(statement: Stmt) -> list[Stmt]:
    """The statements in the blocks of a compound statement, in source order."""
    match statement:
        case If() | For() | While():
            return statement.body + statement.orelse
        case With() | FunctionDef() | ClassDef():
            return [*statement.body]
        case Try(handlers=handlers):
            handled = [child for handler in handlers for child in handler.body]
            return statement.body + statement.orelse + statement.finalbody + handled
        case Match(cases=cases):
            return [child for case in cases for child in case.body]
        case _:
            return []


def _targets(statement: Assign | AnnAssign | AugAssign) -> list[Expr]:
    todo = list(statement.targets) if isinstance(statement, Assign) else [statement.target]
    found: list[Expr] = []
    while todo:
        target = todo.pop()
        if isinstance(target, (Tuple, List)):
            todo.extend(target.elts)
        elif isinstance(target, Starred):
            todo.append(target.value)
        else:
            found.append(target)
    return found


def _is_store(target: Expr, receiver: str) -> bool:
    return isinstance(target, Attribute) and isinstance(target.value, Name) and target.value.id == receiver


def _stores_name(statement: Assign | AnnAssign | AugAssign, name: str) -> bool:
    return any(isinstance(target, Attribute) and target.attr == name for target in _targets(statement))


def _merge(sequences: list[list[Resolved]]) -> list[Resolved]:
    """C3 linearisation; what it cannot order follows depth first."""
    rest = [list(sequence) for sequence in sequences if sequence]
    merged: list[Resolved] = []
    while rest:
        tails = {_key(entry) for sequence in rest for entry in sequence[1:]}
        head = next((s[0] for s in rest if _key(s[0]) not in tails), rest[0][0])
        merged.append(head)
        key = _key(head)
        rest = [kept for s in rest if (kept := [entry for entry in s if _key(entry) != key])]
    return merged


def _key(entry: Resolved) -> object:
    return entry.node if isinstance(entry, Definition) else entry


def _same(one: Resolved, other: Resolved) -> bool:
    return _key(one) == _key(other)


def is_class(found: Resolved) -> TypeGuard[Definition]:
    """Whether a name led to a class of the workspace."""
    return isinstance(found, Definition) and isinstance(found.node, ClassDef)


def _class(cls: Definition) -> ClassDef:
    assert isinstance(cls.node, ClassDef)
    return cls.node
