"""Methods that a call names by a text: `executor.run_on_workers("execute_model", batch)`.

What is called must get the method of that name itself, or hand the name to what does. Nothing is said of what the
text is looked up in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kernelscope.graph.receivers import Receivers
from kernelscope.syntax.python.tree import Call, Constant, FunctionDef, Name, dotted, walk
from kernelscope.workspace.modules import Definition, Modules

MOST_HANDED = 2
"""A name may be handed on so often before it is looked up."""


class NamedCalls:
    """Tells which method names are texts in a call."""

    def __init__(self, modules: Modules, receivers: Receivers) -> None:
        self._modules = modules
        self._receivers = receivers

    def name_in(self, call: Call, called: Iterable[Definition]) -> str | None:
        """The method that a call of one of some functions names by its first argument."""
        match call.args[:1]:
            case [Constant(value=str() as name)] if name.isidentifier():
                return name if any(self._looks_up(function, 0, MOST_HANDED) for function in called) else None
            case _:
                return None

    def _looks_up(self, function: Definition, position: int, left: int) -> bool:
        """Whether a function, or a method that runs in its place, gets what the argument at a position names."""
        standing_in = () if function.owner is None else self._receivers.overriding(function.owner, function.name)
        return any(self._looks_up_itself(found, position, left) for found in (function, *standing_in))

    def _looks_up_itself(self, function: Definition, position: int, left: int) -> bool:
        node = function.node
        if not isinstance(node, FunctionDef):
            return False
        parameters = [param.name for param in node.args if param.kind != "kwargs"]
        if function.owner is not None:
            parameters = parameters[1:]
        if position >= len(parameters):
            return False
        name = parameters[position]
        for call in (found for found in walk(*node.body) if isinstance(found, Call)):
            at = next(_places(call, name), None)
            if at is None:
                continue
            if dotted(call.func) == "getattr":
                return at == 1
            if left and any(self._looks_up(handed, at, left - 1) for handed in self._function(function, call)):
                return True
        return False

    def _function(self, function: Definition, call: Call) -> Iterator[Definition]:
        """The function of a file's own names that a call means, or the method of the same object."""
        name = dotted(call.func) or ""
        owner, _, method = name.rpartition(".")
        node = function.node
        if owner and function.owner is not None and isinstance(node, FunctionDef) and node.args[:1]:
            if owner == node.args[0].name:
                yield from self._receivers.overriding(function.owner, method)
        elif not owner and (found := self._modules.definition(function.path, name)) is not None:
            yield found


def _places(call: Call, name: str) -> Iterator[int]:
    """At which of its positions a call is given a variable as it is."""
    return (index for index, arg in enumerate(call.args) if isinstance(arg, Name) and arg.id == name)
