"""What is not known and is bound to a name: if it is a number, that is what it is called."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import replace

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import Scope, Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown


def may_count(run: Interpreter, target: t.Expr, bound: t.Expr) -> bool:
    """Whether what is bound may be a number of which only a function or an object that is not followed knows; what a
    constructor keeps may be one wherever it comes from."""
    match bound:
        case t.Call() | t.Attribute() | t.Subscript():
            return True
        case t.Name():
            return run.symbols.building > 0 and isinstance(target, t.Attribute)
        case _:
            return False


def called(run: Interpreter, scope: Scope, target: t.Expr, value: Value) -> Value:
    """What is bound, under the name that it is bound to if it is not known: each part of a pair under its own."""
    if not isinstance(target, t.Tuple):
        return run.symbols.called(scope, value, _name(run, scope, target))
    if run.trace is not None or any(isinstance(part, t.Starred) for part in target.elts):
        return value
    parts = [replace(value) for _ in target.elts] if type(value) is Unknown else value
    if type(parts) not in (tuple, list) or len(parts) != len(target.elts):
        return value
    return tuple(called(run, scope, name, part) for name, part in zip(target.elts, parts, strict=True))


def _name(run: Interpreter, scope: Scope, target: t.Expr) -> str:
    """What a number is called that is bound: not after a part of the object that holds other numbers later."""
    owner = scope.function.definition.owner if scope.function is not None else None
    if isinstance(target, t.Attribute) and owner is not None and run.classes.is_stored_later(owner, target.attr):
        return target.attr
    return t.dotted(target) or ""
