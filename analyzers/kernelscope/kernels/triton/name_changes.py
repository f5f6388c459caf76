"""Which statements change what a name of a module or function holds, and which names functions change."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.syntax.python import tree as t


def is_set_by_functions(text: bytes, name: str) -> bool:
    """Whether functions set a name of the module, who knows when."""
    return re.search(rb"\bglobal\b[^\n]*\b%b\b" % re.escape(name.encode()), text) is not None


def changes(statement: t.Stmt, name: str) -> bool:
    """Whether a statement of a body binds a name or adds to what it holds."""
    if isinstance(statement, t.FunctionDef | t.ClassDef):
        return False
    return any(name in changed(node) for node in t.walk(statement))


def changed(node: t.Node) -> Iterator[str]:
    """The names that a node binds, or whose methods it calls for their effect."""
    match node:
        case t.Assign(targets=targets):
            yield from (n.id for target in targets for n in t.walk(target) if isinstance(n, t.Name))
        case t.AugAssign(target=t.Name(id=name)) | t.AnnAssign(target=t.Name(id=name)):
            yield name
        case t.ExprStmt(value=t.Call(func=t.Attribute(value=t.Name(id=name)))):
            yield name
        case _:
            pass
