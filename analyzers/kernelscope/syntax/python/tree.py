"""The lowered Python tree: small typed nodes with byte spans, named after the standard `ast`.

Operators are texts (`"+"`, `"not in"`), constants are Python values, and what did not parse is `Broken`.
Nodes compare by identity, so they can key caches. As structs they cost a third of dataclasses, and their classes a
fifteenth, which counts at every start; those without parts are in no cycle, so that nobody looks for one (`gc`). Bodies
of functions and classes are lowered on first access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

from msgspec import Struct

from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python import looks


class Name(Struct, eq=False, gc=False):
    id: str
    span: Span


class Constant(Struct, eq=False, gc=False):
    """A literal: str, bytes, int, float, complex, bool, None or Ellipsis."""

    value: object
    span: Span


class Attribute(Struct, eq=False):
    value: Expr
    attr: str
    attr_span: Span
    span: Span


class Keyword(Struct, eq=False):
    """`arg=value` in a call; `arg` is None for `**value`."""

    arg: str | None
    value: Expr
    span: Span


class Call(Struct, eq=False):
    func: Expr
    args: list[Expr]
    keywords: list[Keyword]
    span: Span


class Slice(Struct, eq=False):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None
    span: Span


class Subscript(Struct, eq=False):
    """`value[slice]`; several indices are one `Tuple`."""

    value: Expr
    slice: Expr
    span: Span


class Starred(Struct, eq=False):
    value: Expr
    span: Span


class Tuple(Struct, eq=False):
    elts: list[Expr]
    span: Span


class List(Struct, eq=False):
    elts: list[Expr]
    span: Span


class Set(Struct, eq=False):
    elts: list[Expr]
    span: Span


class Dict(Struct, eq=False):
    """A key of None means `**value`."""

    keys: list[Expr | None]
    values: list[Expr]
    span: Span


class BinOp(Struct, eq=False):
    left: Expr
    op: str
    right: Expr
    span: Span


class UnaryOp(Struct, eq=False):
    """`op` is one of `-`, `+`, `~`, `not`."""

    op: str
    operand: Expr
    span: Span


class BoolOp(Struct, eq=False):
    """`op` is `and` or `or`; a chain of one operator is one node."""

    op: str
    values: list[Expr]
    span: Span


class Compare(Struct, eq=False):
    left: Expr
    ops: list[str]
    comparators: list[Expr]
    span: Span


class IfExp(Struct, eq=False):
    test: Expr
    body: Expr
    orelse: Expr
    span: Span


class Lambda(Struct, eq=False):
    args: list[Param]
    body: Expr
    span: Span


class Comprehension(Struct, eq=False):
    """One `for target in iter if ...` of a comprehension."""

    target: Expr
    iter: Expr
    ifs: list[Expr]
    span: Span


class ListComp(Struct, eq=False):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class SetComp(Struct, eq=False):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class GeneratorExp(Struct, eq=False):
    elt: Expr
    generators: list[Comprehension]
    span: Span


class DictComp(Struct, eq=False):
    key: Expr
    value: Expr
    generators: list[Comprehension]
    span: Span


class JoinedStr(Struct, eq=False):
    """An f-string: constants and the interpolated expressions, in order."""

    values: list[Expr]
    span: Span


class NamedExpr(Struct, eq=False):
    target: Name
    value: Expr
    span: Span


class Await(Struct, eq=False):
    value: Expr
    span: Span


class Yield(Struct, eq=False):
    value: Expr | None
    is_from: bool
    span: Span


class Broken(Struct, eq=False, gc=False):
    """Source that did not parse, or is nested too deeply; stands for an expression or a statement."""

    reason: str
    span: Span


ParamKind = Literal["positional", "normal", "args", "keyword", "kwargs"]


class Param(Struct, eq=False):
    """`kind`: `positional` before `/`, `normal`, `args` for `*x`, `keyword` after `*`, `kwargs` for `**x`."""

    name: str
    annotation: Expr | None
    default: Expr | None
    kind: ParamKind
    span: Span
    name_span: Span


class Assign(Struct, eq=False):
    targets: list[Expr]
    value: Expr
    span: Span


class AnnAssign(Struct, eq=False):
    target: Expr
    annotation: Expr
    value: Expr | None
    span: Span


class AugAssign(Struct, eq=False):
    """`op` is the operator's text without `=`, such as `+`."""

    target: Expr
    op: str
    value: Expr
    span: Span


class ExprStmt(Struct, eq=False):
    value: Expr
    span: Span


class Return(Struct, eq=False):
    value: Expr | None
    span: Span


class If(Struct, eq=False):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class For(Struct, eq=False):
    target: Expr
    iter: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class While(Struct, eq=False):
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


class WithItem(Struct, eq=False):
    context_expr: Expr
    optional_vars: Expr | None
    span: Span


class With(Struct, eq=False):
    items: list[WithItem]
    body: list[Stmt]
    span: Span


class ExceptHandler(Struct, eq=False):
    type: Expr | None
    name: str | None
    body: list[Stmt]
    span: Span


class Try(Struct, eq=False):
    body: list[Stmt]
    handlers: list[ExceptHandler]
    orelse: list[Stmt]
    finalbody: list[Stmt]
    span: Span


class Raise(Struct, eq=False):
    exc: Expr | None
    cause: Expr | None
    span: Span


class Assert(Struct, eq=False):
    test: Expr
    msg: Expr | None
    span: Span


class Delete(Struct, eq=False):
    targets: list[Expr]
    span: Span


class Alias(Struct, eq=False, gc=False):
    """`name as asname`; `name` is dotted for `import`, `*` for a star import."""

    name: str
    asname: str | None
    span: Span

    @property
    def bound(self) -> str:
        """The name that the import binds in its scope."""
        return self.asname or self.name.partition(".")[0]


class Import(Struct, eq=False):
    names: list[Alias]
    span: Span


class ImportFrom(Struct, eq=False):
    """`from module import names`; `level` counts the leading dots."""

    module: str
    names: list[Alias]
    level: int
    span: Span


class Global(Struct, eq=False, gc=False):
    names: list[str]
    span: Span


class Nonlocal(Struct, eq=False, gc=False):
    names: list[str]
    span: Span


class Pass(Struct, eq=False, gc=False):
    span: Span


class Break(Struct, eq=False, gc=False):
    span: Span


class Continue(Struct, eq=False, gc=False):
    span: Span


class MatchCase(Struct, eq=False):
    """One `case`. The pattern is kept as an expression where it reads as one, else `Broken`."""

    pattern: Expr
    guard: Expr | None
    body: list[Stmt]
    span: Span


class Match(Struct, eq=False):
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
        if looks.watching is not None:
            looks.watching(self.span.start)
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

    __slots__ = ("_args", "_lower_args", "body_start", "is_async", "returns")

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
        body_start: int = 0,
    ) -> None:
        super().__init__(name, name_span, decorator_list, span, lower_body)
        self.body_start = body_start
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


WITH_GAPS = "list[Expr | None]"
"""A list in which a node may be missing: keys of `{**more}`."""
_PARTS: dict[type, tuple[tuple[str, bool], ...]] = {}


def _parts(kind: type) -> tuple[tuple[str, bool], ...]:
    """Fields of a node class that may hold nodes, and whether one may be missing in their lists."""
    known = _PARTS.get(kind)
    if known is None:
        fields = kind.__annotations__.items()
        _PARTS[kind] = known = tuple((name, type_ == WITH_GAPS) for name, type_ in fields if type_ not in SCALARS)
    return known


def children(node: Node) -> list[Node]:
    """The nodes directly below `node`, in source order; bodies of definitions included."""
    kind = node.__class__
    if kind is Name or kind is Constant:
        return []
    if kind is Attribute:
        return [cast(Attribute, node).value]
    if kind is Call:
        call = cast(Call, node)
        return [call.func, *call.args, *call.keywords]
    if kind is FunctionDef:
        function = cast(FunctionDef, node)
        returns = [function.returns] if function.returns is not None else []
        return [*function.decorator_list, *function.args, *returns, *function.body]
    if kind is ClassDef:
        cls = cast(ClassDef, node)
        return [*cls.decorator_list, *cls.bases, *cls.keywords, *cls.body]
    found: list[Node] = []
    for name, has_gaps in _PARTS.get(kind) or _parts(kind):
        value: Any = getattr(node, name)
        if value is None:
            continue
        if value.__class__ is not list:
            found.append(value)
        elif has_gaps:
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
        if kind is Name or kind is Constant:
            continue
        if kind is Attribute:
            todo.append(cast(Attribute, node).value)
            continue
        below = children(node)
        below.reverse()
        todo += below


@kept_of_nodes(64)
def inside(block: FunctionDef | For | While) -> tuple[Node, ...]:
    """All nodes of a body, before their children: for whoever asks several questions about one function or loop."""
    return tuple(walk(*block.body))


def aliased(node: Node) -> str | None:
    """What a value is another name for: `a.b`, also written `getattr(a, "b", None)`; else None."""
    match node:
        case Call(func=Name(id="getattr"), args=[owner, Constant(value=str() as name), *_], keywords=[]):
            around = dotted(owner)
            return f"{around}.{name}" if around is not None and name.isidentifier() else None
        case _:
            return dotted(node)


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
