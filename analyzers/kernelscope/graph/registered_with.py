"""Python functions that are registered with another function, which chooses among them: `@scale.register(...)`.

The first function must be one of the workspace; registries of other kinds are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.graph.function_nodes import FunctionNodes
from kernelscope.graph.kinds import Edge, EdgeKind
from kernelscope.workspace.facts import DefKind, FileFacts

CHOSEN = "registered with it; which one runs is chosen at run time"
_REGISTERS = re.compile(r"(?m)^@\s*([A-Za-z_][\w.]*)\.register(?:_(?:impl|implementation|kernel|backend|overload))?\b")


def registered_with(path: str, facts: FileFacts, functions: FunctionNodes) -> Iterator[Edge]:
    """Edges from functions to the implementations that a file registers with them."""
    for index, definition in enumerate(facts.defs):
        if definition.kind is not DefKind.FUNCTION or not (found := _REGISTERS.search(definition.detail)):
            continue
        chooser = functions.named(path, found[1])
        made = functions.definition_of(path, facts, index) if chooser is not None else None
        implementation = functions.node(made) if made is not None else None
        if chooser is not None and implementation is not None:
            yield Edge(EdgeKind.CALLS, chooser, implementation, path, definition.line, False, CHOSEN)
