"""What a name of Python means at a place: definitions, places of bindings, or names outside the workspace.

Resolves through local bindings, attributes of the object, declared types and the modules of the workspace. Knows no
operators and nothing of C++.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.graph.cursor import Cursor
from kernelscope.graph.places import Places
from kernelscope.results import Location, Span
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    ClassDef,
    FunctionDef,
    Import,
    ImportFrom,
    Name,
    Stmt,
    dotted,
    walk,
)
from kernelscope.workspace.classes import nested
from kernelscope.workspace.instances import Scope
from kernelscope.workspace.modules import Definition, External, Missing, Resolved
from kernelscope.workspace.packages import ModuleRef
from kernelscope.workspace.workspace import Workspace

MAX_PARTS = 8
"""Classes that an attribute of the object may be of."""

_METHODS = ("classmethod", "staticmethod", "abstractmethod", "abc.abstractmethod")
"""What decorates a function that stays one."""


class Meanings:
    """Meanings of names in the files of a workspace."""

    def __init__(self, workspace: Workspace, places: Places) -> None:
        self._workspace = workspace
        self._places = places

    def meant(self, path: str, cursor: Cursor) -> list[Resolved | Location]:
        """What the cursor means, a definition of itself."""
        owner = Definition(path, cursor.owner.name, cursor.owner) if cursor.owner is not None else None
        if isinstance(cursor.node, FunctionDef | ClassDef):
            is_method = owner is not None and not cursor.functions
            return [Definition(path, cursor.node.name, cursor.node, owner if is_method else None)]
        if cursor.text is not None:
            return self.meanings(path, cursor)
        return self.by_type(path, cursor, cursor.node) if isinstance(cursor.node, Attribute) else []

    def meanings(self, path: str, cursor: Cursor) -> list[Resolved | Location]:
        """What a dotted name means at the cursor: a local binding, an attribute of `self`, or a global name."""
        assert cursor.text is not None
        first, _, rest = cursor.text.partition(".")
        modules, classes = self._workspace.modules, self._workspace.classes
        if cursor.owner is not None and first == "super()":
            owner = Definition(path, cursor.owner.name, cursor.owner)
            return [classes.super_attribute(owner, owner, rest)]
        if cursor.owner is not None and rest and cursor.functions and _receiver(cursor.functions[0]) == first:
            owner = Definition(path, cursor.owner.name, cursor.owner)
            name, _, rest = rest.partition(".")
            attribute = classes.attribute(owner, name)
            if isinstance(attribute, Definition) and not rest:
                return [attribute]
            stored = classes.stored(owner, name)
            if not rest:
                return [self._places.place(s.method.path, s.statement.span) for s in stored] or [attribute]
            if isinstance(cursor.node, Attribute) and (typed := self.by_type(path, cursor, cursor.node)):
                return typed
            parts = [
                found
                for s in stored
                for node in walk(s.statement)
                if isinstance(node, Name) and (found := modules.definition(s.method.path, node.id))
                if isinstance(found.node, ClassDef)
            ]
            return [classes.attribute(part, rest) for part in parts[:MAX_PARTS]]
        for function in reversed(cursor.functions):
            if local := _local(function, first):
                if isinstance(local, (Import, ImportFrom)):
                    found = modules.imported(path, local, first)
                    return [self._below(found, rest)]
                if not rest:
                    return [self._places.place(path, local)]
                return self.by_type(path, cursor, cursor.node) if isinstance(cursor.node, Attribute) else []
        meant: list[Resolved | Location] = [self._below(result, rest) for result in modules.resolve_all(path, first)]
        if rest and isinstance(cursor.node, Attribute) and all(isinstance(m, (Missing, Definition)) for m in meant):
            return self.by_type(path, cursor, cursor.node) or meant
        return meant

    def by_type(self, path: str, cursor: Cursor, attribute: Attribute) -> list[Resolved | Location]:
        """An attribute of a value whose class is declared or told by what builds it."""
        classes = self._workspace.classes
        owner = Definition(path, cursor.owner.name, cursor.owner) if cursor.owner is not None else None
        found: list[Resolved | Location] = []
        for kind in self._workspace.instances.types(Scope(path, cursor.functions, owner), attribute.value):
            if kind.cls is None:
                continue
            own = classes.attribute(kind.cls, attribute.attr)
            stored = () if isinstance(own, Definition) else classes.stored(kind.cls, attribute.attr)
            found += [self._places.place(s.method.path, s.statement.span) for s in stored] or [own]
        return found

    def _below(self, found: Resolved, rest: str) -> Resolved:
        """Attributes of a resolved name, through modules, classes and plain aliases."""
        modules, classes = self._workspace.modules, self._workspace.classes
        while rest:
            first, _, following = rest.partition(".")
            match found:
                case External(dotted=name):
                    return External(f"{name}.{rest}")
                case ModuleRef():
                    found = modules.in_module(found, first)
                case Definition(node=ClassDef()):
                    found = classes.attribute(found, first)
                case Definition(node=Assign()):
                    alias = modules.alias_target(found)
                    if alias is None:
                        return found
                    found = alias
                    continue
                case _:
                    return found
            rest = following
        return found


def tells_all(found: Resolved | Location) -> bool:
    """Whether a called name is a variable, function or class of the source, of which the graph would tell no more."""
    return isinstance(found, Location) or (
        isinstance(found, Definition) and isinstance(found.node, (FunctionDef, ClassDef))
    )


def is_definition(found: Resolved | Location) -> bool:
    """Whether what is meant is a function, class or module, of which a value tells no more."""
    match found:
        case Definition(node=FunctionDef() as node):
            return all(dotted(decorator) in _METHODS for decorator in node.decorator_list)  # a property has a value
        case Definition(node=ClassDef()) | ModuleRef() | External():
            return True
        case _:
            return False


def _receiver(function: FunctionDef) -> str | None:
    return function.args[0].name if function.args else None


def _local(function: FunctionDef, name: str) -> Span | Import | ImportFrom | None:
    """The first statement of a function that binds the name: a parameter, an assignment, a loop, a definition."""
    for param in function.args:
        if param.name == name:
            return param.name_span
    found: Span | Import | ImportFrom | None = None
    for statement in _own(function.body):
        if isinstance(statement, (Import, ImportFrom)):
            if any(alias.bound == name for alias in statement.names):
                return statement
        elif isinstance(statement, (FunctionDef, ClassDef)):
            if statement.name == name:
                return statement.name_span
        else:
            for target in _targets(statement):
                if target.id == name:
                    return target.span
    return found


def _own(body: list[Stmt]) -> Iterator[Stmt]:
    """All statements of a function, without entering nested definitions."""
    todo = list(reversed(body))
    while todo:
        statement = todo.pop()
        yield statement
        if not isinstance(statement, (FunctionDef, ClassDef)):
            todo.extend(reversed(nested(statement)))


def _targets(statement: Stmt) -> Iterator[Name]:
    """Names that a statement binds."""
    targets = [*getattr(statement, "targets", []), getattr(statement, "target", None)]
    targets += [item.optional_vars for item in getattr(statement, "items", [])]
    for target in targets:
        if target is not None:
            yield from (node for node in walk(target) if isinstance(node, Name))
