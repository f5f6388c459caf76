"""The lowered Python tree: small typed nodes with byte spans, named after the standard `ast`.

Operators are texts (`"+"`, `"not in"`), constants are Python values, and what did not parse is `Broken`.
Nodes compare by identity, so they can key caches. Bodies of functions and classes are lowered on first access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Literal, cast

from msgspec import Struct

from kernelscope.results import Span


class _Node(Struct, eq=False):
    """Base of all nodes. As a struct a class costs a fifteenth of what it costs as a dataclass when it is imported, and
    its objects a third."""


class Name(_Node):
    id: str
    span: Span


class Constant(_Node):
    """A literal: str, bytes, int, float, complex, bool, None or Ellipsis."""

    value: object
    span: Span


class Attribute(_Node):
    value: Expr
    attr: str
    attr_span: Span
    span: Span


class Keyword(_Node):
    """`arg=value` in a call; `arg` is None for `**value`."""

    arg: str | None
    value: Expr
    span: Span


class Call(_Node):
    func: Expr
    args: list[Expr]
    keywords: list[Keyword]
    span: Span


class Slice(_Node):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None
    span: Span


class Subscript(_Node):
    """`value[slice]`; several indices are one `Tuple`."""

    value: Expr
    slice: Expr
    span: Span


class Starred(_Node):
    value: Expr
    span: Span


class Tuple(_Node):
    elts: list[Expr]
    span: Span


class List(_Node):
    elts: list[Expr]
    span: Span


class Set(_Node):
    elts: list[Expr]
    span: Span


class Dict(_Node):
    """A key of None means `**value`."""

    keys: list[Expr | None]
    values: list[Expr]
    span: Span


class BinOp(_Node):
    left: Expr
    op: str
    right: Expr
    span: Span


class UnaryOp(_Node):
    """`op` is one of `-`, `+`, `~`, `not`."""

    op: str
    operand: Expr
    span: Span


class BoolOp(_Node):
    """`op` is `and` or `or`; a chain of one operator is one node."""

    op: str
    values: list[Expr]
    span: Span


class Compare(_Node):
    left: Expr
    ops: list[str]
    comparators: list[Expr]
    span: Span


class IfExp(_Node):
    test: Expr
    body: Expr
    orelse: Expr
    span: Span


class Lambda(_Node):
    args: list[Param]
    body: Expr
    span: Span


class Comprehension(_Node):
    """One `for target in iter if ...` of a comprehension."""

    target: Expr
    iter: Expr
    ifs: list[Expr]
    span: Span


class ListComp(_Node):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class SetComp(_Node):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class GeneratorExp(_Node):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class DictComp(_Node):
    key: Expr
    value: Expr
    generators: list[Comprehension]
    span: Span


class JoinedStr(_Node):
    """An f-string: constants and the interpolated expressions, in order."""

    values: list[Expr]
    span: Span


class NamedExpr(_Node):
    target: Name
    value: Expr
    span: Span


class Await(_Node):
    value: Expr
    span: Span


class Yield(_Node):
    value: Expr | None
    is_from: bool
    span: Span


class Broken(_Node):
    """Source that did not parse, or is nested too deeply; stands for an expression or a statement."""

    reason: str
    span: Span


ParamKind = Literal["positional", "normal", "args", "keyword", "kwargs"]


class Param(_Node):
    """`kind`: `positional` before `/`, `normal`, `args` for `*x`, `keyword` after `*`, `kwargs` for `**x`."""

    name: str
    annotation: Expr | None
    default: Expr | None
    kind: ParamKind
    span: Span
    name_span: Span


class Assign(_Node):
    targets: list[Expr]
    value: Expr
    span: Span


class AnnAssign(_Node):
    target: Expr
    annotation: Expr
    value: Expr | None
    span: Span


class AugAssign(_Node):
    """`op` is the operator's text without `=`, such as `+`."""

    target: Expr
    op: str
    value: Expr
    span: Span


class ExprStmt(_Node):
    value: Expr
    span: Span


class Return(_Node):
    value: Expr | None
    span: Span


class If(_Node):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class For(_Node):
    target: Expr
    iter: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class While(_Node):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class WithItem(_Node):
    context_expr: Expr
    optional_vars: Expr | None
    span: Span


class With(_Node):
    items: list[WithItem]
    body: list[Stmt]
    span: Span


class ExceptHandler(_Node):
    type: Expr | None
    name: str | None
    body: list[Stmt]
    span: Span


class Try(_Node):
    body: list[Stmt]
    handlers: list[ExceptHandler]
    orelse: list[Stmt]
    finalbody: list[Stmt]
    span: Span


class Raise(_Node):
    exc: Expr | None
    cause: Expr | None
    span: Span


class Assert(_Node):
    test: Expr
    msg: Expr | None
    span: Span


class Delete(_Node):
    targets: list[Expr]
    span: Span


class Alias(_Node):
    """`name as asname`; `name` is dotted for `import`, `*` for a star import."""

    name: str
    asname: str | None
    span: Span

    @property
    def bound(self) -> str:
        """The name that the import binds in its scope."""
        return self.asname or self.name.partition(".")[0]


class Import(_Node):
    names: list[Alias]
    span: Span


class ImportFrom(_Node):
    """`from module import names`; `level` counts the leading dots."""

    module: str
    names: list[Alias]
    level: int
    span: Span


class Global(_Node):
    names: list[str]
    span: Span


class Nonlocal(_Node):
    names: list[str]
    span: Span


class Pass(_Node):
    span: Span


class Break(_Node):
    span: Span


class Continue(_Node):
    span: Span


class MatchCase(_Node):
    """One `case`. The pattern is kept as an expression where it reads as one, else `Broken`."""

    pattern: Expr
    guard: Expr | None
    body: list[Stmt]
    span: Span


class Match(_Node):
    subject: Expr
    cases: list[MatchCase]
    span: Span


class _Definition:
    """What functions and classes share: a name, decorators, and a body that is lowered on first access."""

    __slots__ = ("_body", "_lower_body", "decorator_list", "name", "name_span", "span")

    def __init__(
        self, name: str, name_span: Span, decorator_list: list[Expr], span: Span, lower_body: Callable[[], list[Stmt]]
    ) -> None:
        self.name = name
        self.name_span = name_span
        self.decorator_list = decorator_list
        self.span = span
        self._lower_body: Callable[[], list[Stmt]] | None = lower_body
        self._body: list[Stmt] = []

    @property
    def body(self) -> list[Stmt]:
        if self._lower_body is not None:
            self._body = self._lower_body()
            self._lower_body = None
        return self._body

    @property
    def docstring(self) -> Constant | None:
        """The string that opens the body, if one does."""
        if self.body and isinstance(first := self.body[0], ExprStmt):
            value = first.value
            if isinstance(value, Constant) and isinstance(value.value, str):
                return value
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.span})"


class FunctionDef(_Definition):
    """`def` or `async def`; `span` begins at the first decorator. Parameters are lowered on first access, too."""

    __slots__ = ("_args", "_lower_args", "is_async", "returns")

    def __init__(
        self,
        name: str,
        name_span: Span,
        lower_args: Callable[[], list[Param]],
        returns: Expr | None,
        decorator_list: list[Expr],
        is_async: bool,
        span: Span,
        lower_body: Callable[[], list[Stmt]],
    ) -> None:
        super().__init__(name, name_span, decorator_list, span, lower_body)
        self._lower_args: Callable[[], list[Param]] | None = lower_args
        self._args: list[Param] = []
        self.returns = returns
        self.is_async = is_async

    @property
    def args(self) -> list[Param]:
        if self._lower_args is not None:
            self._args = self._lower_args()
            self._lower_args = None
        return self._args


class ClassDef(_Definition):
    """`class`; `span` begins at the first decorator."""

    __slots__ = ("bases", "keywords")

    def __init__(
        self,
        name: str,
        name_span: Span,
        bases: list[Expr],
        keywords: list[Keyword],
        decorator_list: list[Expr],
        span: Span,
        lower_body: Callable[[], list[Stmt]],
    ) -> None:
        super().__init__(name, name_span, decorator_list, span, lower_body)
        self.bases = bases
        self.keywords = keywords

    def methods(self) -> Iterator[FunctionDef]:
        """The functions of the class's own body, also inside `if` and `try`."""
        return (s for s in flat(self.body) if isinstance(s, FunctionDef))


Expr = (
    Name | Constant | Attribute | Call | Slice | Subscript | Starred | Tuple | List | Set | Dict | BinOp | UnaryOp
    | BoolOp | Compare | IfExp | Lambda | ListComp | SetComp | GeneratorExp | DictComp | JoinedStr | NamedExpr
    | Await | Yield | Broken
)  # fmt: skip
Stmt = (
    Assign | AnnAssign | AugAssign | ExprStmt | Return | If | For | While | With | Try | Raise | Assert | Delete
    | Import | ImportFrom | Global | Nonlocal | Pass | Break | Continue | Match | FunctionDef | ClassDef | Broken
)  # fmt: skip
Node = Expr | Stmt | Keyword | Comprehension | Param | WithItem | ExceptHandler | Alias | MatchCase


def flat(body: list[Stmt]) -> Iterator[Stmt]:
    """Statements of a body and of the `if`, `try` and `with` blocks in it, without entering definitions or loops."""
    todo = list(reversed(body))
    while todo:
        statement = todo.pop()
        yield statement
        match statement:
            case If():
                todo.extend(reversed(statement.body + statement.orelse))
            case Try():
                handled = [s for handler in statement.handlers for s in handler.body]
                todo.extend(reversed(statement.body + handled + statement.orelse + statement.finalbody))
            case With():
                todo.extend(reversed(statement.body))
            case _:
                pass


SCALARS = ("str", "str | None", "object", "bool", "int", "list[str]", "ParamKind", "Span")


_PARTS: dict[type, tuple[str, ...]] = {}


def _parts(kind: type) -> tuple[str, ...]:
    """Fields of a node class that may hold nodes."""
    known = _PARTS.get(kind)
    if known is None:
        _PARTS[kind] = known = tuple(name for name, type_ in kind.__annotations__.items() if type_ not in SCALARS)
    return known


def children(node: Node) -> list[Node]:
    """The nodes directly below `node`, in source order; bodies of definitions included."""
    kind = node.__class__
    if kind is Name or kind is Constant:
        return []
    if kind is FunctionDef:
        function = cast(FunctionDef, node)
        returns = [function.returns] if function.returns is not None else []
        return [*function.decorator_list, *function.args, *returns, *function.body]
    if kind is ClassDef:
        cls = cast(ClassDef, node)
        return [*cls.decorator_list, *cls.bases, *cls.keywords, *cls.body]
    found: list[Node] = []
    for name in _PARTS.get(kind) or _parts(kind):
        value: Any = getattr(node, name)
        if value is None:
            continue
        if value.__class__ is not list:
            found.append(value)
        elif None in value:
            found += [item for item in value if item is not None]
        else:
            found += value
    return found


def walk(*roots: Node) -> Iterator[Node]:
    """All nodes below `roots` and the roots themselves, before their children, without recursion."""
    todo: list[Node] = list(reversed(roots))
    while todo:
        node = todo.pop()
        yield node
        kind = node.__class__
        if kind is not Name and kind is not Constant:
            below = children(node)
            below.reverse()
            todo += below


@lru_cache(maxsize=64)
def inside(block: FunctionDef | For | While) -> tuple[Node, ...]:
    """All nodes of a body, before their children: for whoever asks several questions about one function or loop."""
    return tuple(walk(*block.body))


def dotted(node: Node) -> str | None:
    """`a.b.c` of a chain of attributes on a name, else None."""
    parts: list[str] = []
    while isinstance(node, Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))
