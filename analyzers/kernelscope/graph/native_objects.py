"""Objects of classes that C++ makes for Python: `self.model = _C.Model()`, then `self.model.forward(x)`.

A receiver is followed to the call that makes it, or to its annotation; who hands it over otherwise is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kernelscope.graph.callees import Callees
from kernelscope.graph.kinds import Node
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    BoolOp,
    Call,
    Expr,
    FunctionDef,
    IfExp,
    Name,
    NamedExpr,
    dotted,
    inside,
)
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.facts import TOP
from kernelscope.workspace.index import Index
from kernelscope.workspace.modules import Definition, Modules

MAX_MAKERS = 8


class NativeObjects:
    """Methods of such objects."""

    def __init__(
        self,
        modules: Modules,
        classes: Classes,
        index: Index,
        callees: Callees,
        exports: Callable[[str], Node | None],
    ) -> None:
        """`exports` knows what C++ hands to Python, by its dotted name."""
        self._modules = modules
        self._classes = classes
        self._index = index
        self._callees = callees
        self._exports = exports

    def method(self, function: Definition, receiver: Expr, name: str) -> list[Node]:
        """The exports that `receiver.name()` in a function may mean."""
        found: dict[Node, None] = {}
        for where, cls in self._classes_of(function, receiver):
            dotted_name = dotted(cls)
            full = self._external(where, f"{dotted_name}.{name}") if dotted_name else ""
            if full and (export := self._exports(full)):
                found[export] = None
        return list(found)

    def _classes_of(self, function: Definition, receiver: Expr) -> Iterator[tuple[Definition, Expr]]:
        """What is named where a receiver is made or declared, with the function that names it."""
        match receiver:
            case Name(id=name) if isinstance(function.node, FunctionDef):
                for parameter in function.node.args:
                    if parameter.name == name and parameter.annotation is not None:
                        yield function, parameter.annotation
                values = [
                    (function, node.value)
                    for node in inside(function.node)
                    if isinstance(node, Assign) and any(isinstance(t, Name) and t.id == name for t in node.targets)
                ]
                made = self._modules.resolve(function.path, name) if not values else None
                if isinstance(made, Definition) and isinstance(made.node, Assign):
                    values = [(made, made.node.value)]
            case Attribute(value=Name(id="self"), attr=name) if function.owner is not None:
                values = [
                    (stored.method, stored.statement.value)
                    for stored in self._classes.stored(function.owner, name)
                    if stored.statement.value is not None
                ]
            case _:
                return
        for where, value in values[:MAX_MAKERS]:
            yield from ((where, made_by.func) for made_by in _makers(value))

    def _external(self, where: Definition, name: str) -> str:
        """The full name of something outside of the workspace that a function or the top of a file names."""
        facts = self._index.facts(where.path)
        if facts is None:
            return ""
        start = where.node.name_span.start if isinstance(where.node, FunctionDef) else -1
        scope = next((i for i, definition in enumerate(facts.defs) if definition.name_start == start), TOP)
        return self._callees.external(where.path, facts, scope, scope, name)


def _makers(value: Expr) -> Iterator[Call]:
    """The calls that may give a value."""
    match value:
        case Call():
            yield value
        case IfExp(body=body, orelse=orelse):
            yield from _makers(body)
            yield from _makers(orelse)
        case BoolOp(values=values):
            for part in values:
                yield from _makers(part)
        case NamedExpr(value=inner):
            yield from _makers(inner)
        case _:
            pass
