"""The lowered C++/CUDA tree: small typed nodes with byte spans for what device code is made of.

Operators are texts (`"+"`, `">>="`), types are `TypeName`s, and what did not parse is `Broken`.
Nodes compare by identity, so they can key caches. Bodies of functions and structs are lowered on first access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import chain
from typing import Any, Literal, get_args

from kernelscope.results import Span
from kernelscope.syntax.cuda.spaces import joined
from kernelscope.syntax.of_nodes import kept_of_nodes


@dataclass(slots=True, eq=False)
class ArrayOf:
    """One `[size]` of a declarator; None for `[]`."""

    size: Expr | None


Layer = Literal["*", "&"] | ArrayOf


@dataclass(slots=True, eq=False)
class TypeName:
    """`const ns::Vec<T, 4>* x[2]`: base `Vec` in scope `ns` with arguments, then layers from the name outwards."""

    base: str
    span: Span
    scope: str = ""
    arguments: tuple[Expr | TypeName, ...] = ()
    layers: tuple[Layer, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is a bare name, as a type parameter would be."""
        return not (self.scope or self.arguments or self.layers)


@dataclass(slots=True, eq=False)
class Name:
    """`x`, `ns::f<T, 4>`."""

    id: str
    span: Span
    scope: str = ""
    arguments: tuple[Expr | TypeName, ...] = ()


@dataclass(slots=True, eq=False)
class Number:
    """A literal: int, float, bool, or a character's code."""

    value: int | float
    span: Span


@dataclass(slots=True, eq=False)
class Text:
    value: str
    span: Span


@dataclass(slots=True, eq=False)
class Member:
    """`value.name` or, with `arrow`, `value->name`; arguments are a template method's."""

    value: Expr
    name: str
    arrow: bool
    name_span: Span
    span: Span
    arguments: tuple[Expr | TypeName, ...] = ()


@dataclass(slots=True, eq=False)
class Subscript:
    value: Expr
    indices: list[Expr]
    span: Span


@dataclass(slots=True, eq=False)
class Call:
    func: Expr
    args: list[Expr]
    span: Span


@dataclass(slots=True, eq=False)
class Launch:
    """`kernel<<<configuration>>>(args)`."""

    func: Expr
    configuration: list[Expr]
    args: list[Expr]
    span: Span


@dataclass(slots=True, eq=False)
class Cast:
    """`(T)x`, `T(x)` of a builtin type, `static_cast<T>(x)` and its kin."""

    type: TypeName
    operand: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Braced:
    """`T{a, b}` or, without a type, `{a, b}`."""

    type: TypeName | None
    items: list[Expr]
    span: Span


@dataclass(slots=True, eq=False)
class Unary:
    """`op` is one of `- + ! ~ * &`."""

    op: str
    operand: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Step:
    """`++x`, `x--`."""

    op: str
    operand: Expr
    prefix: bool
    span: Span


@dataclass(slots=True, eq=False)
class Binary:
    left: Expr
    op: str
    right: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Assign:
    """`target = value`, `target += value`; `op` is the text of the operator."""

    target: Expr
    op: str
    value: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Conditional:
    test: Expr
    body: Expr
    orelse: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Lambda:
    params: list[Param]
    body: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class SizeOf:
    operand: Expr | TypeName
    span: Span


@dataclass(slots=True, eq=False)
class Broken:
    """What did not parse or is not understood; stands as an expression and as a statement."""

    reason: str
    span: Span


@dataclass(slots=True, eq=False)
class Declare:
    """One declared name. `qualifiers` are words such as `__shared__`, `extern`, `static`, `constexpr`, `const`."""

    name: str
    type: TypeName
    value: Expr | None
    qualifiers: frozenset[str]
    name_span: Span
    span: Span
    space: str = ""
    """The path of the namespaces that it stands in."""
    enumeration: str = ""
    """Of an enumerator."""
    scoped: bool = False
    """Whether an enumerator is known by its enumeration only."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The namespaces and the enumeration by which it may be qualified."""
        own = (joined(self.space, self.enumeration),) if self.enumeration else ()
        return own if self.scoped and own else (self.space, *own)


@dataclass(slots=True, eq=False)
class Bindings:
    """`auto [a, b] = value`."""

    names: list[Name]
    value: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Using:
    """`using name = type` or `typedef type name`."""

    name: str
    type: TypeName
    span: Span
    space: str = ""
    """The path of the namespaces and classes that it stands in."""


@dataclass(slots=True, eq=False)
class Express:
    value: Expr
    span: Span


@dataclass(slots=True, eq=False)
class Block:
    body: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class If:
    setup: list[Stmt]
    test: Expr
    body: list[Stmt]
    orelse: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class For:
    setup: list[Stmt]
    test: Expr | None
    step: Expr | None
    body: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class ForEach:
    target: Declare
    values: Expr
    body: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class While:
    """`do` loops test after the body."""

    test: Expr
    body: list[Stmt]
    span: Span
    after: bool = False


@dataclass(slots=True, eq=False)
class Case:
    """One label of a switch; None is `default`."""

    value: Expr | None
    body: list[Stmt]
    span: Span


@dataclass(slots=True, eq=False)
class Switch:
    subject: Expr
    cases: list[Case]
    span: Span


@dataclass(slots=True, eq=False)
class Return:
    value: Expr | None
    span: Span


@dataclass(slots=True, eq=False)
class Jump:
    """`break`, `continue` or `goto`."""

    kind: str
    span: Span


@dataclass(slots=True, eq=False)
class Asm:
    """Inline PTX with its operands as (constraint, expression)."""

    code: str
    outputs: list[tuple[str, Expr]]
    inputs: list[tuple[str, Expr]]
    span: Span


@dataclass(slots=True, eq=False)
class Param:
    """A parameter of a function or lambda."""

    name: str
    type: TypeName
    default: Expr | None
    qualifiers: frozenset[str]
    span: Span


@dataclass(slots=True, eq=False)
class TemplateParam:
    """`typename T`, `int BM = 8`; `type` is None for a parameter that is itself a type."""

    name: str
    type: TypeName | None
    default: Expr | TypeName | None
    span: Span
    pack: bool = False


@dataclass(slots=True, eq=False)
class Function:
    """A function definition; the body is lowered on first access."""

    name: str
    scope: str
    template: list[TemplateParam]
    params: list[Param]
    returns: TypeName | None
    qualifiers: frozenset[str]
    name_span: Span
    span: Span
    lower: Callable[[], list[Stmt]] = field(repr=False)
    members: list[tuple[str, list[Expr]]] = field(default_factory=list[tuple[str, "list[Expr]"]])
    """What a constructor gives members before its body: `: data(p), width{w}`."""
    specialisation: tuple[Expr | TypeName, ...] = ()
    """The template arguments that it is made for: `16` of `template <> void copy<16>(…)`."""
    space: str = ""
    """The path of the namespaces and classes that it stands in."""
    lowered: list[Stmt] | None = None

    @property
    def body(self) -> list[Stmt]:
        if self.lowered is None:
            self.lowered = self.lower()
        return self.lowered


@dataclass(slots=True, eq=False)
class Struct:
    """A struct, class or union with its fields and methods, lowered on first access."""

    name: str
    scope: str
    template: list[TemplateParam]
    specialisation: tuple[Expr | TypeName, ...]
    bases: list[TypeName]
    kind: str
    name_span: Span
    span: Span
    lower: Callable[[], list[Stmt]] = field(repr=False)
    space: str = ""
    """The path of the namespaces and classes that it stands in."""
    lowered: list[Stmt] | None = None
    asks_alignment: Callable[[], bool] = field(default=lambda: False, repr=False)
    """Whether it, or a member, asks for an alignment of its own."""

    @property
    def path(self) -> str:
        """By which its members are qualified."""
        return joined(self.space, self.name)

    @property
    def body(self) -> list[Stmt]:
        if self.lowered is None:
            self.lowered = self.lower()
            for node in self.lowered:
                if isinstance(node, Declare | Function | Struct | Using):
                    node.space = self.path
        return self.lowered

    @property
    def fields(self) -> list[Declare]:
        return [node for node in self.body if isinstance(node, Declare) and not node.qualifiers & {"static"}]


Expr = (
    Name
    | Number
    | Text
    | Member
    | Subscript
    | Call
    | Launch
    | Cast
    | Braced
    | Unary
    | Step
    | Binary
    | Assign
    | Conditional
    | Lambda
    | SizeOf
    | Broken
)
Stmt = (
    Declare
    | Bindings
    | Using
    | Express
    | Block
    | If
    | For
    | ForEach
    | While
    | Switch
    | Return
    | Jump
    | Asm
    | Function
    | Struct
    | Broken
)
Node = Expr | Stmt | TypeName | ArrayOf | Case | Param
_NODES: frozenset[type] = frozenset(get_args(Node))


_LEAVES = ("str", "bool", "int | float", "frozenset[str]", "Span")
"""Types of fields that hold no nodes."""


@cache
def _fields(kind: type[Node]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.type not in _LEAVES and f.name not in ("lower", "lowered"))


def children(node: Node) -> list[Node]:
    """The nodes directly below one, without entering definitions."""
    found: list[Node] = []
    of: type[Node] = node.__class__
    if of is Function or of is Struct:
        return found
    for name in _fields(of):
        value: Any = getattr(node, name)
        kind: type = value.__class__
        if kind in _NODES:
            found.append(value)
        elif value and (kind is list or kind is tuple):
            for item in value:
                inner: Any = item[1] if item.__class__ is tuple else item
                if inner.__class__ in _NODES:
                    found.append(inner)
    return found


def walk(*nodes: Node) -> Iterator[Node]:
    """Nodes and everything below them, in source order, without entering nested definitions."""
    todo = list(reversed(nodes))
    while todo:
        node = todo.pop()
        yield node
        below = children(node)
        below.reverse()
        todo += below


_WITH_BODIES = (Block, If, For, ForEach, While, Switch, Case)


@kept_of_nodes(4096)
def parts(node: Node) -> tuple[Node, ...]:
    """The same of one node, kept: statements within several loops are asked for with each of them."""
    if not isinstance(node, _WITH_BODIES):
        return tuple(walk(node))
    return (node, *chain.from_iterable(map(parts, children(node))))
