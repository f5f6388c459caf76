"""What is taken by its name of a dictionary that a caller gives: `tensors["hidden_states"]`, here or further on.

What an item is like is not told here.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.uses import Uses
from kernelscope.interp.values import Function, Instance, Scope, Value
from kernelscope.interp.wants import MAX_DEPTH, entered, parameter_for, target_of
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition


def keys_of(run: Interpreter, scope: Scope, uses: Uses, name: str, depth: int = 0) -> dict[str, None]:
    """The names of the items that are taken of a parameter."""
    found = dict(uses.keys.get(name, {}))
    for func, place in uses.given.get(name, []) if depth < MAX_DEPTH else ():
        if _root(func) in scope.names:
            found |= _keys_in(run, _method(run, target_of(run, scope, func)), place, depth)
    return found


def _root(func: t.Expr) -> str:
    """The name that a callee is taken of; `super()` is of the object itself."""
    match func:
        case t.Attribute(value=t.Call(func=t.Name(id="super"))):
            return "self"
        case _:
            return (t.dotted(func) or "").partition(".")[0]


def _method(run: Interpreter, target: Value) -> Value:
    match target:
        case Instance() if target.is_module:
            method = run.classes.attribute(target.cls, "forward")
            return Function(method, target, True) if isinstance(method, Definition) else None
        case _:
            return target


def _keys_in(run: Interpreter, function: Value, place: int | str, depth: int) -> dict[str, None]:
    if not isinstance(function, Function) or not isinstance(node := function.definition.node, t.FunctionDef):
        return {}
    return keys_of(run, entered(function), run.uses(node), parameter_for(function, place), depth + 1)
