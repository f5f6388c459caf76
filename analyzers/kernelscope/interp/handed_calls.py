"""Functions that are handed to one that is not known: it calls them where the code itself does so elsewhere.

`h = wrapper(self.block, x)` on one way, `h = self.block(x)` on the other: checkpointing, compilation, profiling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.values import CALLABLES, External, Opaque, PlainMethod, Scope, Value, present
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown

CALLS = (".__call__", ".forward")
"""What may be handed for the layer itself."""


def handed_call(
    run: Interpreter, scope: Scope, node: t.Call, target: Value, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> tuple[Value, list[Value], dict[str, Value]] | None:
    """The function that an unknown `target` is handed first, with what it is called on: None where nothing tells."""
    if run.certain or scope.function is None or not isinstance(present(target), Unknown | Opaque):
        return None
    if min(len(args), len(node.args)) < 2:  # `f(*given)` is written with one
        return None
    handed, first = _called(node.args[0]), node.args[1]
    if handed is None or not isinstance(args[0], (*CALLABLES, PlainMethod)) or isinstance(args[0], External):
        return None
    body = scope.function.definition.node
    for call in _calls(body):
        if call is not node and _called(call.func) == handed and call.args and _same(call.args[0], first):
            named = {keyword.arg for keyword in call.keywords}
            return args[0], list(args[1:]), {name: value for name, value in kwargs.items() if name in named}
    return None


def _calls(body: t.Stmt) -> Iterator[t.Call]:
    return (node for node in t.inside(body) if isinstance(node, t.Call))


def _called(func: t.Expr) -> str | None:
    name = t.dotted(func)
    for suffix in CALLS if name is not None else ():
        name = name.removesuffix(suffix) if name is not None else None
    return name


def _same(one: t.Expr, other: t.Expr) -> bool:
    name = t.dotted(one)
    return name is not None and name == t.dotted(other)
