"""What one module binds at its top level: definitions, imports, star imports, `__all__`, lazily imported names.

Reads one lowered module; where an import leads is decided in `modules`.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct, field

from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    AugAssign,
    Call,
    ClassDef,
    Constant,
    Dict,
    Expr,
    ExprStmt,
    For,
    FunctionDef,
    If,
    Import,
    ImportFrom,
    List,
    Match,
    Name,
    Set,
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

MAX_DEPTH = 20
MAX_BINDINGS = 100_000


class Guard(IntEnum):
    """Under which condition a statement binds its name; smaller is likelier to be what runs."""

    NONE = 0
    MAYBE = 1
    """In the first branch of an `if`, in a `try`, a loop or a `case`."""
    TYPING = 2
    """Under `if TYPE_CHECKING:`: the type checkers' view, which lazy tables repeat at run time."""
    OTHERWISE = 3
    """In an `else` or an `except`."""


class Imported(Struct, frozen=True):
    """What an import names. `name` is None when the module itself is meant, `*` for all its names."""

    level: int
    module: str
    name: str | None


class Binding(Struct, frozen=True, eq=False):
    """One top-level statement that gives a name its value; `target` is set when it is an import."""

    name: str
    node: Stmt
    guard: Guard
    target: Imported | None = None


class Namespace(Struct):
    """The top level of one module, in source order."""

    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    stars: list[Imported] = field(default_factory=list[Imported])
    exported: frozenset[str] | None = None
    """The names of a literal `__all__`; None when there is none or when it is computed."""
    lazy: dict[str, list[Imported]] = field(default_factory=dict[str, list[Imported]])
    """Names that a table or `__getattr__` of the module imports on first use."""

    def candidates(self, name: str, before: int | None = None) -> list[Binding]:
        """The bindings of `name` that may be in force at the module's end (or at offset `before`), likeliest first."""
        found = self.bindings.get(name, [])
        if before is not None:
            found = [binding for binding in found if binding.node.span.start < before]
        last = max((i for i, binding in enumerate(found) if binding.guard is Guard.NONE), default=0)
        in_force = found[last:]
        return sorted(in_force, key=lambda binding: (_is_placeholder(binding), binding.guard))


def namespace_of(body: list[Stmt]) -> Namespace:
    """The namespace that a module's statements make."""
    names = _Collector()
    names.visit(body)
    return names.finish()


class _Collector:
    def __init__(self) -> None:
        self.result = Namespace()
        self.count = 0
        self.exported: set[str] | None = set()
        self.has_all = False
        self.tables: list[tuple[Expr, Expr]] = []
        self.declared: dict[str, tuple[AnnAssign, Guard]] = {}
        """Names that are only said to exist, `x: T`: what hands them out is seen by whoever runs the module."""

    def visit(self, body: list[Stmt]) -> None:
        todo: list[tuple[Stmt, Guard, int]] = [(statement, Guard.NONE, 0) for statement in reversed(body)]
        while todo and self.count < MAX_BINDINGS:
            statement, guard, depth = todo.pop()
            inner = _blocks(statement, guard) if depth < MAX_DEPTH else []
            for block, block_guard in reversed(inner):
                todo.extend((child, block_guard, depth + 1) for child in reversed(block))
            self.statement(statement, guard)

    def statement(self, node: Stmt, guard: Guard) -> None:
        match node:
            case FunctionDef() | ClassDef():
                self.bind(node.name, node, guard)
                if node.name == "__getattr__" and isinstance(node, FunctionDef):
                    self.lazy_getattr(node)
            case Import():
                for alias in node.names:
                    module = alias.name if alias.asname else alias.bound
                    self.bind(alias.bound, node, guard, Imported(0, module, None))
            case ImportFrom():
                for alias in node.names:
                    target = Imported(node.level, node.module, alias.name)
                    if alias.name == "*":
                        self.result.stars.append(target)
                    else:
                        self.bind(alias.bound, node, guard, target)
            case Assign():
                for target in node.targets:
                    self.bind_target(target, node, guard)
                    self.table(target, node.value)
            case AnnAssign() if node.value is not None:
                self.bind_target(node.target, node, guard)
                self.table(node.target, node.value)
            case AnnAssign(target=Name(id=name)):
                self.declared.setdefault(name, (node, guard))
            case AugAssign():
                self.table(node.target, node.value)
            case ExprStmt():
                self.table_call(node.value)
            case For():
                self.bind_target(node.target, node, guard)
            case With():
                for item in node.items:
                    if item.optional_vars is not None:
                        self.bind_target(item.optional_vars, node, guard)
            case _:
                pass

    def bind(self, name: str, node: Stmt, guard: Guard, target: Imported | None = None) -> None:
        self.count += 1
        self.result.bindings.setdefault(name, []).append(Binding(name, node, guard, target))

    def bind_target(self, target: Expr, node: Stmt, guard: Guard) -> None:
        todo: list[Expr] = [target]
        while todo:
            match todo.pop():
                case Name(id=name):
                    self.bind(name, node, guard)
                case Tuple(elts=elts) | List(elts=elts):
                    todo.extend(elts)
                case Starred(value=value):
                    todo.append(value)
                case _:
                    pass

    # -- __all__ and lazy tables ---------------------------------------------------------------------------

    def table(self, target: Expr, value: Expr) -> None:
        """`__all__ = [...]` and `X = {"module": ["name"]}`, also as `X["module"] = ["name"]`."""
        if isinstance(target, Name) and target.id == "__all__":
            self.has_all = True
            names = _strings(value)
            self.exported = self.exported | set(names) if names is not None and self.exported is not None else None
        elif isinstance(value, Dict):
            self.tables.extend((key, item) for key, item in zip(value.keys, value.values, strict=True) if key)
        elif isinstance(target, Subscript):
            self.tables.append((target.slice, value))

    def table_call(self, value: Expr) -> None:
        """`X["module"].append("name")`, `.extend([...])`; `__all__.append(...)`."""
        if not (isinstance(value, Call) and len(value.args) == 1):
            return
        match dotted(value.func):
            case "__all__.append" | "__all__.extend":
                self.table(Name("__all__", value.span), value.args[0])
                return
            case _:
                pass
        owner = getattr(value.func, "value", None)
        if isinstance(owner, Subscript) and getattr(value.func, "attr", "") in ("append", "extend"):
            self.tables.append((owner.slice, value.args[0]))

    def lazy_getattr(self, node: FunctionDef) -> None:
        """Imports inside a module's `__getattr__` (PEP 562) name what it hands out."""
        for statement in flat(node.body):
            if isinstance(statement, ImportFrom):
                for alias in statement.names:
                    if alias.name != "*":
                        self.add_lazy(alias.bound, Imported(statement.level, statement.module, alias.name))

    def add_lazy(self, name: str, target: Imported) -> None:
        self.result.lazy.setdefault(name, []).append(target)

    def finish(self) -> Namespace:
        if self.has_all and self.exported is not None:
            self.result.exported = frozenset(self.exported)
        for name, (node, guard) in self.declared.items():
            if name not in self.result.bindings:
                self.bind(name, node, guard)
        for key, value in self.tables:
            for name, target in _lazy_entries(key, value):
                self.add_lazy(name, target)
        return self.result


def _blocks(node: Stmt, guard: Guard) -> list[tuple[list[Stmt], Guard]]:
    """The blocks in a compound statement that bind names of the same scope, with their guards."""
    maybe, otherwise = max(guard, Guard.MAYBE), Guard.OTHERWISE
    match node:
        case If():
            test = dotted(node.test) or ""
            if test.rpartition(".")[2] == "TYPE_CHECKING":
                return [(node.body, max(guard, Guard.TYPING)), (node.orelse, guard)]
            return [(node.body, maybe), (node.orelse, otherwise)]
        case Try():
            handlers = [(handler.body, otherwise) for handler in node.handlers]
            return [(node.body, maybe), *handlers, (node.orelse, maybe), (node.finalbody, guard)]
        case For() | While():
            return [(node.body, maybe), (node.orelse, maybe)]
        case With():
            return [(node.body, guard)]
        case Match():
            return [(case.body, maybe) for case in node.cases]
        case _:
            return []


def _is_placeholder(binding: Binding) -> bool:
    """`name = None`, what a module binds when an optional import failed."""
    value = binding.node.value if isinstance(binding.node, (Assign, AnnAssign)) else None
    return isinstance(value, Constant) and (value.value is None or isinstance(value.value, bool))


def _strings(node: Expr) -> list[str] | None:
    """The strings of a literal list, tuple or set, or of one string; None when anything in it is computed."""
    elts = node.elts if isinstance(node, (List, Tuple, Set)) else [node]
    values = [elt.value if isinstance(elt, Constant) else None for elt in elts]
    return [v for v in values if isinstance(v, str)] if all(isinstance(v, str) for v in values) else None


def _lazy_entries(key: Expr, value: Expr) -> list[tuple[str, Imported]]:
    """The entries of a lazy import table: `module: [names]`, `name: module`, `name: "module:attr"` or a pair."""
    if not (isinstance(key, Constant) and isinstance(key.value, str)):
        return []
    names = _strings(value)
    if not names:
        return []
    if isinstance(value, Constant):
        module, colon, attribute = names[0].partition(":")
        if colon or "." in module or module.isidentifier():
            return [(key.value, _split(module, attribute or key.value))]
        return []
    entries = [(name, _split(key.value, name)) for name in names]
    if isinstance(value, Tuple) and len(names) == 2:
        entries.append((key.value, _split(names[0], names[1])))
    return entries


def _split(module: str, name: str) -> Imported:
    """Leading dots make it relative; without them the table's own package is tried first (level -1)."""
    bare = module.lstrip(".")
    return Imported(len(module) - len(bare) or -1, bare, name)
