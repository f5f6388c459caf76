"""Classes that a variable is tested to be an instance of, where the test must have held for a place to be reached.

Knows `isinstance` in `assert`, in `if` around a place and in `if not …: raise` before it; nothing of other tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.syntax.python.tree import (
    Assert,
    BoolOp,
    Break,
    Call,
    Continue,
    Expr,
    FunctionDef,
    If,
    Name,
    Raise,
    Return,
    Stmt,
    Tuple,
    UnaryOp,
    dotted,
    walk,
)
from kernelscope.workspace.classes import nested

_LEAVES = (Raise, Return, Continue, Break)


def tested_classes(function: FunctionDef, name: str, offset: int) -> list[Expr]:
    """The classes, as written, of the innermost test that says what `name` is at an offset; empty without one."""
    found: list[Expr] = []
    body = function.body
    while body:
        inside: Stmt | None = None
        for statement in body:
            if offset < statement.span.start:
                break
            if offset < statement.span.end:
                inside = statement
                break
            found = _behind(statement, name, found)
        if inside is None or isinstance(inside, FunctionDef):
            break
        if isinstance(inside, If):
            is_chosen = any(part.span.start <= offset < part.span.end for part in inside.body)
            found = (_tested(inside.test, name) if is_chosen else []) or found
            body = inside.body if is_chosen else inside.orelse
        else:
            body = nested(inside)
    return found


def _behind(statement: Stmt, name: str, before: list[Expr]) -> list[Expr]:
    """What is known behind a statement, from what was before it."""
    match statement:
        case Assert(test=test):
            return _tested(test, name) or before
        case If(test=UnaryOp(op="not", operand=test), body=[*_, last], orelse=[]) if isinstance(last, _LEAVES):
            return _tested(test, name) or before
        case _:
            return [] if before and _binds(statement, name) else before


def _tested(test: Expr, name: str) -> list[Expr]:
    match test:
        case Call(args=[Name(id=tested), classes]) if tested == name and dotted(test.func) == "isinstance":
            return list(classes.elts) if isinstance(classes, Tuple) else [classes]
        case BoolOp(op="and", values=parts):
            return [cls for part in parts for cls in _tested(part, name)]
        case _:
            return []


def _binds(statement: Stmt, name: str) -> bool:
    """Whether a statement may give a name another value: whatever is assigned in it or in a loop over it."""
    return any(isinstance(node, Name) and node.id == name for target in _targets(statement) for node in walk(target))


def _targets(statement: Stmt) -> Iterator[Expr]:
    todo = [statement]
    while todo:
        current = todo.pop()
        targets: list[Expr] = getattr(current, "targets", [])
        yield from targets
        target: Expr | None = getattr(current, "target", None)
        if target is not None:
            yield target
        todo += nested(current)
