"""Which functions of a file call which, by name, what they read of objects, and which of them go round for ever.

Names only: they say what lies near the main loop of a system, and nothing is claimed of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.serving.claims import PythonSource
from kernelscope.serving.guards import own_of
from kernelscope.serving.pieces import by_function
from kernelscope.syntax.python import tree as t

OWN = "self."
"""How calls of an object's own methods begin."""
MOST_NAMES = 120
"""Of one function: longer ones do everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One function with the names that it calls, its own methods with `self.`, and the attributes that it reads."""

    name: str
    calls: tuple[str, ...]
    reads: tuple[str, ...]
    is_endless: bool = False


@by_function
def callers(source: PythonSource) -> Iterator[Caller]:
    """The functions of a file that call something."""
    if source.aside:
        return
    for scope in source.module.functions():
        called: dict[str, None] = {}
        methods: set[t.Expr] = set()
        for call in own_of(scope.node, t.Call):
            match call.func:
                case t.Name(id=name):
                    called[name] = None
                case t.Attribute(value=t.Name(id="self" | "cls"), attr=name):
                    called[f"{OWN}{name}"] = None
                    methods.add(call.func)
                case t.Attribute(attr=name):
                    called[name] = None
                    methods.add(call.func)
                case _:
                    pass
        read = dict.fromkeys(n.attr for n in own_of(scope.node, t.Attribute) if n not in methods)
        if called or read:
            endless = any(map(_goes_on, own_of(scope.node, t.While)))
            names = (tuple(called)[:MOST_NAMES], tuple(read)[:MOST_NAMES])
            yield Caller(scope.qualified_name, *names, endless)


def _goes_on(loop: t.While) -> bool:
    """`while True`, `while self.is_running`, `while not stop.is_set()`: until somebody ends it."""
    match loop.test:
        case t.Constant(value=value):
            return bool(value)
        case t.Attribute():
            return True
        case t.UnaryOp(op="not", operand=t.Attribute() | t.Call()):
            return True
        case _:
            return False
