"""What the cursor in a Python file stands on: a name or a chain of attributes, in its function and class.

Only the definitions around the offset are lowered; nothing is resolved.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from kernelscope.results import Span
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.python.tree import (
    Alias,
    AnnAssign,
    Attribute,
    Call,
    ClassDef,
    Expr,
    FunctionDef,
    Import,
    ImportFrom,
    Name,
    Node,
    Param,
    children,
    dotted,
)


class Cursor(Struct, frozen=True):
    """`node` holds the offset; `text` is the dotted name up to and including the part under the cursor."""

    node: Node
    text: str | None
    span: Span
    functions: tuple[FunctionDef, ...]
    """The functions around it, outermost first."""
    owner: ClassDef | None
    statement: Import | ImportFrom | None = None
    called: bool = False
    """Whether the name is what a call calls."""
    is_type: bool = False
    """Whether it stands in an annotation."""

    @property
    def is_without_value(self) -> bool:
        """Whether no value is computed here: in an import, an annotation, and for the name of a class."""
        return self.statement is not None or self.is_type or isinstance(self.node, ClassDef)


@kept_of_nodes(2)
def cursor_at(module: Module, offset: int) -> Cursor | None:
    """The name under or right before an offset. A hover asks twice."""
    return _cursor(module, offset) or (_cursor(module, offset - 1) if offset else None)


def _cursor(module: Module, offset: int) -> Cursor | None:
    functions: list[FunctionDef] = []
    owner: ClassDef | None = None
    statement: Import | ImportFrom | None = None
    chain: list[Node] = []
    nodes: Iterable[Node] = module.body
    while True:
        for inner in nodes:
            start, end = inner.span.start, inner.span.end
            if start <= offset < end:
                break
        else:
            break
        chain.append(inner)
        if isinstance(inner, (FunctionDef, ClassDef)) and offset in inner.name_span:
            return Cursor(inner, inner.name, inner.name_span, tuple(functions), owner)
        if isinstance(inner, FunctionDef):
            functions.append(inner)
        elif isinstance(inner, ClassDef):
            owner = inner
            functions.clear()
        elif isinstance(inner, (Import, ImportFrom)):
            statement = inner
        nodes = children(inner)
    if not chain:
        return None
    found = chain[-1]
    around = (tuple(functions), owner, statement)
    is_type = any(_annotation(outer) is inner for outer, inner in pairwise(chain))
    if isinstance(found, Alias):
        return Cursor(found, found.bound, found.span, *around)
    if isinstance(found, Param) and offset in found.name_span:
        return Cursor(found, found.name, found.name_span, *around)
    if isinstance(found, ImportFrom):
        return Cursor(found, None, found.span, *around)
    if isinstance(found, Name):
        return Cursor(found, found.id, found.span, *around, _is_called(chain, found), is_type)
    if isinstance(found, Attribute) and offset in found.attr_span:
        return Cursor(found, _text(found), found.attr_span, *around, _is_called(chain, found), is_type)
    return None


def _text(found: Attribute) -> str | None:
    """`a.b.c`, or `super().c` for what the base classes define."""
    receiver = found.value
    if isinstance(receiver, Call) and dotted(receiver.func) == "super":
        return f"super().{found.attr}"
    return dotted(found)


def _annotation(node: Node) -> Expr | None:
    """What says of a parameter, a variable or a function of which type its values are."""
    match node:
        case Param() | AnnAssign():
            return node.annotation
        case FunctionDef():
            return node.returns
        case _:
            return None


def _is_called(chain: list[Node], node: Expr) -> bool:
    return len(chain) > 1 and isinstance(parent := chain[-2], Call) and parent.func is node
