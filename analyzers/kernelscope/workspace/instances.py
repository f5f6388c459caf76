"""Of which classes an expression is an instance: by what builds it, what is declared of it, and tests around it.

Reads constructors, annotations of parameters, attributes and results, and the elements of containers. Values are not
followed further: what a table holds or a caller hands in without an annotation is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from kernelscope.syntax.python.lower import parse_module
from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    Attribute,
    Await,
    BinOp,
    BoolOp,
    Call,
    ClassDef,
    Constant,
    Expr,
    ExprStmt,
    For,
    FunctionDef,
    IfExp,
    Import,
    ImportFrom,
    List,
    ListComp,
    Name,
    NamedExpr,
    Return,
    Stmt,
    Subscript,
    Tuple,
    With,
    dotted,
    walk,
)
from kernelscope.workspace.classes import Classes, is_class, nested
from kernelscope.workspace.modules import Definition, Modules, Resolved
from kernelscope.workspace.narrowing import tested_classes

MAX_DEPTH = 12
MAX_TYPES = 8
_TRANSPARENT = frozenset({"Optional", "Union", "Annotated", "Final", "ClassVar", "Required", "NotRequired"})
_OF_ELEMENTS = frozenset({"list", "List", "set", "tuple", "Tuple", "Sequence", "Iterable", "Iterator", "Collection",
                          "MutableSequence", "deque", "ModuleList", "Sequential"})  # fmt: skip
"""Generic types whose elements are what iteration gives; of mappings the last argument counts."""


class Scope(Struct, frozen=True):
    """Where an expression stands: its file, the functions around it, outermost first, and the class around those."""

    path: str
    functions: tuple[FunctionDef, ...] = ()
    owner: Definition | None = None


class Type(Struct, frozen=True):
    """An instance of `cls`, or with `is_class` the class itself; a container has the annotations of its parts."""

    cls: Definition | None = None
    is_class: bool = False
    is_exact: bool = False
    """Whether the class itself was named where the instance is built: what is declared may be of a class below it."""
    container: str = ""
    parts: tuple[Expr, ...] = ()
    scope: Scope | None = None
    """Where the parts are written."""


class Instances:
    """Types of expressions, as far as the workspace declares them; any thread may ask."""

    def __init__(self, modules: Modules, classes: Classes) -> None:
        self._modules = modules
        self._classes = classes

    def types(self, scope: Scope, value: Expr) -> tuple[Type, ...]:
        """What a value may be, as far as classes of the workspace go; empty when nothing is declared."""
        return _Question(self._modules, self._classes).types(scope, value)


class _Question:
    """What one value may be: names that are made of each other are followed once."""

    def __init__(self, modules: Modules, classes: Classes) -> None:
        self._modules = modules
        self._classes = classes
        self._names: dict[tuple[FunctionDef, str], list[Type] | None] = {}
        """What names of functions are, as far as is known."""

    def types(self, scope: Scope, value: Expr) -> tuple[Type, ...]:
        found = {(t.cls.node, t.is_exact, t.is_class): t for t in self._types(scope, value, MAX_DEPTH) if t.cls}
        return tuple(found.values())[:MAX_TYPES]

    # -- expressions ------------------------------------------------------------------------------------------

    def _types(self, scope: Scope, value: Expr, depth: int) -> list[Type]:
        if depth <= 0:
            return []
        match value:
            case Name(id=name):
                return self._tested(scope, value, depth - 1) or self._named(scope, name, depth - 1)
            case Attribute(value=receiver, attr=attr):
                if (name := dotted(value)) and (known := self._global(scope.path, name, depth - 1)):
                    return known
                return self._attribute(self._types(scope, receiver, depth - 1), attr, depth - 1)
            case Call(func=func):
                return self._result(scope, func, depth - 1)
            case Subscript(value=of):
                return self._elements(scope, of, depth - 1)
            case IfExp(body=body, orelse=orelse):
                return [*self._types(scope, body, depth - 1), *self._types(scope, orelse, depth - 1)]
            case BoolOp(values=values):
                return [found for part in values for found in self._types(scope, part, depth - 1)]
            case NamedExpr(value=inner) | Await(value=inner):
                return self._types(scope, inner, depth - 1)
            case _:
                return []

    def _tested(self, scope: Scope, name: Name, depth: int) -> list[Type]:
        """What a test says that must have held where the name stands."""
        tested = tested_classes(scope.functions[-1], name.id, name.span.start) if scope.functions else []
        return [t for cls in tested for t in self._declared(scope, cls, depth)]

    def _named(self, scope: Scope, name: str, depth: int) -> list[Type]:
        for index in range(len(scope.functions) - 1, -1, -1):
            function = scope.functions[index]
            inside = Scope(scope.path, scope.functions[: index + 1], scope.owner)
            decorators = {dotted(d) for d in function.decorator_list}
            is_first = index == 0 and bool(function.args) and function.args[0].name == name
            if scope.owner is not None and is_first and "staticmethod" not in decorators:
                return [Type(scope.owner, is_class="classmethod" in decorators)]
            if (function, name) not in self._names:
                self._names[function, name] = []
                self._names[function, name] = self._local(inside, function, name, depth)
            found = self._names[function, name]
            if found is not None:
                return found
        return self._global(scope.path, name, depth)

    def _local(self, scope: Scope, function: FunctionDef, name: str, depth: int) -> list[Type] | None:
        """What a name is inside a function; None where the function does not bind it."""
        found: list[Type] = []
        is_bound = False
        for param in function.args:
            if param.name == name:
                is_bound = True
                if param.annotation is not None:
                    found += self._declared(Scope(scope.path, owner=scope.owner), param.annotation, depth)
        for node in _statements(function):
            match node:
                case AnnAssign(target=Name(id=target), annotation=annotation) if target == name:
                    return self._declared(scope, annotation, depth)
                case Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, Name) and target.id == name:
                            is_bound = True
                            if not _mentions(value, name):
                                found += self._types(scope, value, depth)
                        elif isinstance(target, Tuple) and (place := _place(target, name)) is not None:
                            is_bound = True
                            found += self._part(scope, value, place, depth)
                case For(target=Name(id=target), iter=over) if target == name:
                    is_bound = True
                    found += self._elements(scope, over, depth)
                case With(items=items):
                    for item in items:
                        if isinstance(item.optional_vars, Name) and item.optional_vars.id == name:
                            is_bound = True
                            found += self._types(scope, item.context_expr, depth)
                case Import() | ImportFrom() if any(alias.bound == name for alias in node.names):
                    return self._of(self._modules.imported(scope.path, node, name), depth)
                case ClassDef(name=own) if own == name:
                    return [Type(Definition(scope.path, name, node), is_class=True, is_exact=True)]
                case FunctionDef(name=own) if own == name:
                    return []
                case _:
                    pass
        return found if is_bound else None

    def _global(self, path: str, name: str, depth: int) -> list[Type]:
        return [t for found in self._modules.resolve_all(path, name) for t in self._of(found, depth)]

    def _of(self, found: Resolved, depth: int) -> list[Type]:
        if depth <= 0 or not isinstance(found, Definition):
            return []
        match found.node:
            case ClassDef():
                return [Type(found, is_class=True, is_exact=True)]
            case AnnAssign(annotation=annotation):
                return self._declared(Scope(found.path), annotation, depth)
            case Assign(value=value):
                return self._types(Scope(found.path), value, depth - 1)
            case _:
                return []

    def _attribute(self, receivers: list[Type], name: str, depth: int) -> list[Type]:
        return [t for receiver in receivers if receiver.cls for t in self._attribute_of(receiver.cls, name, depth)]

    def _attribute_of(self, cls: Definition, name: str, depth: int) -> list[Type]:
        """What methods store under the name, else what the class declares."""
        if depth <= 0:
            return []
        found: list[Type] = []
        for stored in self._classes.stored(cls, name):
            method, statement = stored.method, stored.statement
            assert isinstance(method.node, FunctionDef)
            scope = Scope(method.path, (method.node,), method.owner)
            if isinstance(statement, AnnAssign):
                found += self._declared(scope, statement.annotation, depth)
            elif isinstance(statement, Assign):
                found += self._types(scope, statement.value, depth - 1)
        if found:
            return found
        attribute = self._classes.attribute(cls, name)
        if isinstance(attribute, Definition) and isinstance(attribute.node, FunctionDef):
            decorators = [dotted(d) or "" for d in attribute.node.decorator_list]
            is_property = any(d.rpartition(".")[2] in ("property", "cached_property") for d in decorators)
            return self._returned(attribute, depth) if is_property else []
        return self._of(attribute, depth)

    # -- results ----------------------------------------------------------------------------------------------

    def _result(self, scope: Scope, func: Expr, depth: int) -> list[Type]:
        """What a call gives: of a class its instance, of a function what it declares or returns."""
        called = self._types(scope, func, depth)
        if built := [Type(t.cls, is_exact=t.is_exact) for t in called if t.is_class]:
            return built
        if given := [t for held in called if held.container == "Callable" for t in self._held(held, None, depth)]:
            return given
        return [t for called in self._called(scope, func, depth) for t in self._returned(called, depth)]

    def _called(self, scope: Scope, func: Expr, depth: int) -> list[Definition]:
        if isinstance(func, Attribute):
            owners = [t.cls for t in self._types(scope, func.value, depth) if t.cls]
            methods = [self._classes.attribute(owner, func.attr) for owner in owners]
            if found := [m for m in methods if isinstance(m, Definition) and isinstance(m.node, FunctionDef)]:
                return found
        name = dotted(func)
        for function in reversed(scope.functions):
            for node in _statements(function):
                if isinstance(node, FunctionDef) and node.name == name:
                    return [Definition(scope.path, node.name, node)]
                if isinstance(node, (Import, ImportFrom)) and any(alias.bound == name for alias in node.names):
                    imported = self._modules.imported(scope.path, node, name or "")
                    return [imported] if isinstance(imported, Definition) else []
        found = self._modules.definition(scope.path, name) if name else None
        return [found] if found is not None and isinstance(found.node, FunctionDef) else []

    def _returned(self, function: Definition, depth: int) -> list[Type]:
        node = function.node
        if depth <= 0 or not isinstance(node, FunctionDef):
            return []
        scope = Scope(function.path, (node,), function.owner)
        if node.returns is not None:
            return self._declared(Scope(function.path, owner=function.owner), node.returns, depth)
        returned = [part.value for part in _statements(node) if isinstance(part, Return) and part.value is not None]
        return [t for value in returned[:MAX_TYPES] for t in self._types(scope, value, depth - 1)]

    # -- parts of containers ------------------------------------------------------------------------------------

    def _elements(self, scope: Scope, value: Expr, depth: int) -> list[Type]:
        """What a value holds: the elements of a display, else the parts that its type names."""
        match value:
            case List(elts=elts) | Tuple(elts=elts):
                return [t for part in elts[:MAX_TYPES] for t in self._types(scope, part, depth)]
            case ListComp(elt=part):
                return self._types(scope, part, depth)
            case Call(func=func, args=[first, *_]) if (dotted(func) or "").rpartition(".")[2] in _OF_ELEMENTS:
                return self._elements(scope, first, depth)
            case _:
                return [t for held in self._types(scope, value, depth) for t in self._held(held, None, depth)]

    def _part(self, scope: Scope, value: Expr, place: int, depth: int) -> list[Type]:
        """What unpacking gives in one place."""
        if isinstance(value, Tuple):
            return self._types(scope, value.elts[place], depth) if place < len(value.elts) else []
        return [t for held in self._types(scope, value, depth) for t in self._held(held, place, depth)]

    def _held(self, held: Type, place: int | None, depth: int) -> list[Type]:
        if held.scope is None or depth <= 0:
            return []
        parts = held.parts
        if held.container in ("tuple", "Tuple") and place is not None and len(parts) > place:
            parts = (parts[place],)
        elif held.container not in _OF_ELEMENTS:
            parts = parts[-1:]
        return [t for part in parts for t in self._declared(held.scope, part, depth - 1)]

    # -- annotations --------------------------------------------------------------------------------------------

    def _declared(self, scope: Scope, annotation: Expr, depth: int) -> list[Type]:
        """What an annotation says, in whatever spelling: `"A | None"`, `Optional[A]`, `type[A]`, `list[A]`."""
        if depth <= 0:
            return []
        match annotation:
            case Constant(value=str() as text):
                return [t for part in _parsed(text) for t in self._declared(scope, part, depth - 1)]
            case BinOp(left=left, op="|", right=right):
                return [*self._declared(scope, left, depth - 1), *self._declared(scope, right, depth - 1)]
            case Subscript(value=generic, slice=inner):
                return self._generic(scope, generic, inner, depth - 1)
            case Name() | Attribute():
                return self._declared_class(scope, dotted(annotation) or "", depth)
            case _:
                return []

    def _generic(self, scope: Scope, generic: Expr, inner: Expr, depth: int) -> list[Type]:
        tail = (dotted(generic) or "").rpartition(".")[2]
        parts = tuple(inner.elts) if isinstance(inner, Tuple) else (inner,)
        if tail in _TRANSPARENT:
            return [t for part in parts for t in self._declared(scope, part, depth)]
        if tail in ("type", "Type"):
            return [Type(t.cls, is_class=True) for t in self._declared(scope, inner, depth) if t.cls]
        return self._declared(scope, generic, depth) or [Type(container=tail, parts=parts, scope=scope)]

    def _declared_class(self, scope: Scope, name: str, depth: int) -> list[Type]:
        if name.rpartition(".")[2] == "Self" and scope.owner is not None:
            return [Type(scope.owner)]
        found: list[Type] = []
        for resolved in self._modules.resolve_all(scope.path, name):
            if is_class(resolved):
                found.append(Type(resolved))
            elif isinstance(resolved, Definition) and isinstance(resolved.node, Assign):  # `Layer = A | B`
                found += self._declared(Scope(resolved.path), resolved.node.value, depth - 1)
        return found


def _statements(function: FunctionDef) -> Iterator[Stmt]:
    """All statements of a function in their order, without those of definitions in it."""
    todo = function.body[::-1]
    while todo:
        statement = todo.pop()
        yield statement
        if not isinstance(statement, (FunctionDef, ClassDef)):
            todo += nested(statement)[::-1]


def _mentions(value: Expr, name: str) -> bool:
    """Whether a name is bound to something made of itself: `x = wrap(x)`."""
    return any(isinstance(node, Name) and node.id == name for node in walk(value))


def _place(target: Tuple, name: str) -> int | None:
    return next((i for i, part in enumerate(target.elts) if isinstance(part, Name) and part.id == name), None)


def _parsed(text: str) -> Iterator[Expr]:
    """The expression that an annotation in quotes holds."""
    body: list[Stmt] = parse_module(text.strip().encode()).body
    if len(body) == 1 and isinstance(body[0], ExprStmt):
        yield body[0].value
