"""Switches that say whether a library can be imported: what is done without one of which nothing is known tells more.

`try: from fast import norm; has_fast = True` and `except ImportError: has_fast = False`: code behind such a switch does
the same to shapes either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from kernelscope import ops
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import External, Value
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition


def without_unknown_library(run: Interpreter, found: Definition, value: Value) -> Value:
    """A switch of a file, off where it says that such a library is there; pictures show what is done with it."""
    module = run.workspace.modules.module(found.path)
    if value is not True or run.trace is not None or module is None or b"except" not in module.text.data:
        return value
    for statement in module.body:
        if isinstance(statement, t.Try) and found.node in statement.body and _is_off(statement.handlers, found.name):
            names = [name for part in statement.body for name in _imported(part)]
            return not names or any(_is_known(run, found.path, name) for name in names)
    return value


def _is_off(handlers: list[t.ExceptHandler], name: str) -> bool:
    """Whether the switch is off where the import fails."""
    for statement in (part for handler in handlers for part in handler.body):
        match statement:
            case t.Assign(targets=[t.Name(id=target)], value=t.Constant(value=False)) if target == name:
                return True
            case _:
                pass
    return False


def _imported(statement: t.Stmt) -> Iterator[str]:
    """The names that an import binds."""
    if isinstance(statement, t.Import | t.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]


def _is_known(run: Interpreter, path: str, name: str) -> bool:
    """Whether an imported name is one of the workspace, or of a library of which operators are known."""
    meant = run.module_name(path, name)
    return not isinstance(meant, External) or meant.name.partition(".")[0] in _libraries()


@cache
def _libraries() -> frozenset[str]:
    return frozenset(spelling.partition(".")[0] for op in ops.all_ops() for spelling in op.spellings)
