"""Functions that are handed to one that is not known: it calls them where the code itself does so for the same names.

`h = wrapper(self.block, x)` on one way, `h = self.block(x)` on the other: checkpointing, compilation, profiling. So
does one that has them run again in the backward pass: the same goes through them on either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import CALLABLES, External, Function, Opaque, PlainMethod, Scope, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown

CHECKPOINTING = {f"torch.utils.checkpoint.{name}" for name in ("checkpoint", "checkpoint_sequential")}
"""What keeps a function's inputs in place of its results, and runs it again for the gradients."""


def handed_call(
    run: Interpreter, scope: Scope, node: t.Call, target: Value, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> tuple[Value, list[Value], dict[str, Value]] | None:
    """The function that a `target` is handed first which is not known or runs it again for its gradients, with what it
    is called on: None where nothing tells."""
    target = present(target)
    if run.certain or scope.function is None or not isinstance(target, Unknown | Opaque | Function):
        return None
    if min(len(args), len(node.args)) < 2:  # `f(*given)` is written with one
        return None
    handed, first = _called(node.args[0]), node.args[1]
    if handed is None or not isinstance(args[0], (*CALLABLES, PlainMethod)) or isinstance(args[0], External):
        return None
    if isinstance(target, Function) and not _runs_again(run, target):
        return None
    for other in _other_ways(scope.function.definition.node, node):
        if _called(other.func) == handed and other.args and _is_same(other.args[0], first):
            named = {keyword.arg for keyword in other.keywords}
            return args[0], list(args[1:]), {name: value for name, value in kwargs.items() if name in named}
    return None


def _runs_again(run: Interpreter, target: Function) -> bool:
    """Whether a function has what it is handed run again in the backward pass."""
    definition = target.definition
    if not isinstance(definition.node, t.FunctionDef):
        return False
    names = {t.dotted(node.func) for node in t.walk(*definition.node.body) if isinstance(node, t.Call)}
    asked = (name for name in names if name is not None and "checkpoint" in name)
    found = (run.module_name(definition.path, name) for name in sorted(asked))
    return any(isinstance(value, External) and value.name in CHECKPOINTING for value in found)


def _other_ways(body: t.Stmt, node: t.Call) -> list[t.Call]:
    """The calls whose results go where that of a call goes: to the same names, or out of the function."""
    inside = t.inside(body) if isinstance(body, t.FunctionDef) else ()
    stored = [found for found in inside if isinstance(found, t.Assign | t.Return)]
    own = next((found for found in stored if found.value is node), None)
    calls = [(found, found.value) for found in stored if isinstance(found.value, t.Call) and found is not own]
    return [] if own is None else [call for found, call in calls if _target(found) == _target(own)]


def _target(stored: t.Assign | t.Return) -> tuple[str | None, ...]:
    if isinstance(stored, t.Return):
        return ()
    targets = [part for target in stored.targets for part in (target.elts if isinstance(target, t.Tuple) else [target])]
    return tuple(map(t.dotted, targets))


def _called(func: t.Expr) -> str | None:
    name = t.dotted(func)
    return None if name is None else name.removesuffix(".__call__").removesuffix(".forward")


def _is_same(one: t.Expr, other: t.Expr) -> bool:
    name = t.dotted(one)
    return name is not None and name == t.dotted(other)
