"""Blocks of statements: which of them may end the code that they stand in, and what is come to for certain."""

from __future__ import annotations

from kernelscope.syntax.python import tree as t


def may_end(statement: t.Stmt) -> bool:
    """Whether what follows a statement may not be reached."""
    return any(isinstance(n, t.Return | t.Raise | t.Break | t.Continue | t.Assert | t.Try) for n in t.walk(statement))


def expects_errors(manager: t.Expr) -> bool:
    """Whether a context manager is told of errors, which it then expects or lets pass: `raises(KeyError)`,
    `assertRaises`, `suppress`."""
    if not isinstance(manager, t.Call):
        return False
    given = [*manager.args, *(keyword.value for keyword in manager.keywords)]
    given += [element for each in given if isinstance(each, t.Tuple) for element in each.elts]
    names = (t.dotted(each) or "" for each in given)
    return any(name.endswith(("Error", "Exception")) for name in names)


def start_of_way_to(body: list[t.Stmt], start: int, place: int) -> int:
    """From where on whoever comes there comes to a statement as well: `start`, that of the body, or later."""
    while True:
        at = next((i for i, s in enumerate(body) if s.span.start <= place < s.span.end), None)
        if at is None:
            return place
        start = next((s.span.end for s in reversed(body[:at]) if may_end(s)), start)
        statement = body[at]
        if isinstance(statement, t.With):
            body = statement.body
            continue
        blocks = [b for b in _blocks(statement) if b and b[0].span.start <= place < b[-1].span.end]
        if not blocks:
            return start
        body, start = blocks[0], blocks[0][0].span.start


def _blocks(statement: t.Stmt) -> list[list[t.Stmt]]:
    match statement:
        case t.If() | t.For() | t.While():
            return [statement.body, statement.orelse]
        case t.Try():
            return [statement.body, statement.orelse, statement.finalbody]
        case _:
            return []
