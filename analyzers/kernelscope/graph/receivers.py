"""What `x.method()` may run: the method of the receiver's class, of an abstract one the methods that stand in for it.

Rests on `Instances` for the class; where nothing is declared of a receiver, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from kernelscope.graph.function_nodes import RUNS
from kernelscope.graph.kept_functions import KeptFunctions
from kernelscope.syntax.python.declarations import does_nothing, is_declared_only
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    Call,
    Constant,
    Expr,
    FunctionDef,
    Global,
    Name,
    dotted,
    walk,
)
from kernelscope.workspace.classes import Classes, is_class, own_attribute
from kernelscope.workspace.instances import Instances, Scope, Type
from kernelscope.workspace.modules import Definition

MAX_OVERRIDING = 40
MAX_CLASSES = 80
FEW_OVERRIDING = 8
MAX_HELD = 48
"""Definitions that are held for the next question; each holds the tree of its file, some 25 KB of source, half a MB."""
Subclasses = Callable[[Definition], tuple[Definition, ...]]
"""The classes that name a class among their bases."""


class Receivers:
    """Methods behind calls of attributes, by the classes that their receivers are instances of."""

    def __init__(self, classes: Classes, instances: Instances, kept: KeptFunctions, subclasses: Subclasses) -> None:
        self._classes = classes
        self.kept = kept
        self._instances = instances
        self._subclasses = subclasses
        self._held: dict[tuple[str, int, str], tuple[Definition, ...]] = {}
        """By file and place of a class, and a method or nothing: what overrides it, or the classes below."""
        self._nothing: set[tuple[str, int, str]] = set()
        """The same where there is nothing."""

    def types(self, scope: Scope, receiver: Expr) -> tuple[Type, ...]:
        """What a receiver may be an instance of."""
        return self._instances.types(scope, receiver)

    def methods(self, kind: Type, method: str) -> Iterator[tuple[Definition, bool]]:
        """The methods that may run where a receiver is of some type, each with whether its class itself has it.

        Where the class is declared only, those that override the method may run as well, if they are few.
        """
        cls, is_exact = kind.cls, kind.is_exact
        if cls is None:
            return
        found = self._classes.attribute(cls, method)
        if isinstance(found, Definition) and isinstance(found.node, FunctionDef):
            has_no_body = is_abstract(found.node)
            if not has_no_body:
                yield found, True
            below = self.overriding(cls, method) if not is_exact or has_no_body else ()
            if has_no_body or len(below) <= FEW_OVERRIDING:
                yield from ((other, False) for other in below)
        elif not is_exact and (isinstance(found, Definition) or not self._classes.stored(cls, method)):
            yield from ((other, False) for other in self.overriding(cls, method))

    def runs(self, scope: Scope, value: Expr) -> Iterator[Definition]:
        """What calling a value runs: `forward`, else `__call__` of the classes that it may be an instance of."""
        instances = [t.cls for t in self._instances.types(scope, value) if t.cls and not t.is_class]
        for cls in instances:
            for name in RUNS:
                found = self._classes.attribute(cls, name)
                if isinstance(found, Definition) and isinstance(found.node, FunctionDef):
                    yield found
                    break

    def module_named(self, function: FunctionDef, name: str, others: Sequence[FunctionDef] = ()) -> str:
        """The module that a function binds to a name by `importlib.import_module("module")`; "" for anything else.

        Of `others` those count that say `global name`.
        """
        for other in others:
            is_shared = any(isinstance(node, Global) and name in node.names for node in walk(*other.body))
            if is_shared and (module := self.module_named(other, name)):
                return module
        for node in walk(*function.body):
            match node:
                case Assign(targets=[Name(id=bound)], value=Call(func=func, args=[Constant(value=str() as module)])):
                    if bound == name and (dotted(func) or "").rpartition(".")[2] in ("import_module", "__import__"):
                        return module
                case _:
                    pass
        return ""

    def overriding(self, cls: Definition, method: str) -> tuple[Definition, ...]:
        """The methods of this name in the classes below one and what objects keep in their place, nearest first."""
        return self._known(cls, method, lambda: self._sought(cls, method))

    def below(self, cls: Definition) -> tuple[Definition, ...]:
        """The classes right below one."""
        return self._known(cls, "", lambda: filter(is_class, self._subclasses(cls)))

    def _known(self, cls: Definition, method: str, find: Callable[[], Iterable[Definition]]) -> tuple[Definition, ...]:
        """What was found before, unless much else was since; that there is nothing is always known."""
        key = (cls.path, cls.node.span.start, method)
        if key in self._nothing:
            return ()
        known = self._held.pop(key, None)
        if known is None:
            known = tuple(find())
        if not known:
            self._nothing.add(key)
            return ()
        self._held[key] = known
        while len(self._held) > 1 and sum(map(len, self._held.values())) > MAX_HELD:
            self._held.pop(next(iter(self._held)))
        return known

    def _sought(self, cls: Definition, method: str) -> Iterator[Definition]:
        todo, seen, count = [cls], {cls.node}, 0
        while todo and len(seen) < MAX_CLASSES:
            for below in self.below(todo.pop(0)):
                if below.node in seen:
                    continue
                seen.add(below.node)
                todo.append(below)
                own = own_attribute(below, method)
                is_method = own is not None and isinstance(own.node, FunctionDef) and not is_abstract(own.node)
                for found in (*((own,) if own is not None and is_method else ()), *self.kept.of_itself(below, method)):
                    yield found
                    count += 1
                    if count >= MAX_OVERRIDING:
                        return


def calls_in(function: FunctionDef) -> dict[tuple[int, str], Call]:
    """The calls of names and attributes in a function, by where the called expression begins and its last name."""
    found: dict[tuple[int, str], Call] = {}
    for node in walk(*function.body):
        match node:
            case Call(func=Attribute(attr=name)) | Call(func=Name(id=name)):
                found[node.func.span.start, name] = node
            case _:
                pass
    return found


def is_abstract(method: FunctionDef) -> bool:
    """Whether a method of a class below may be meant: this one is declared only, or does nothing."""
    return is_declared_only(method) or does_nothing(method)
