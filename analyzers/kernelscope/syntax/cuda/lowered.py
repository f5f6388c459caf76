"""The lowered declarations of one file by name: functions, structs, type aliases, variables.

Bodies stay unlowered until somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.spaces import Spaces


@dataclass(slots=True)
class Lowered:
    """What stands at the top level of a file, or in its namespaces."""

    functions: dict[str, list[t.Function]] = field(default_factory=dict[str, "list[t.Function]"])
    structs: dict[str, list[t.Struct]] = field(default_factory=dict[str, "list[t.Struct]"])
    aliases: dict[str, list[t.Using]] = field(default_factory=dict[str, "list[t.Using]"])
    variables: dict[str, list[t.Declare]] = field(default_factory=dict[str, "list[t.Declare]"])


def by_name(body: list[t.Stmt], spaces: Spaces) -> Lowered:
    """The declarations of a file's statements, each with its namespace."""
    found = Lowered()
    for node in body:
        if isinstance(node, t.Declare | t.Function | t.Struct | t.Using):
            node.space = spaces.at(node.span.start)
        match node:
            case t.Function():
                found.functions.setdefault(node.name, []).append(node)
            case t.Struct():
                found.structs.setdefault(node.name, []).append(node)
            case t.Using() if node.type.base != node.name:  # `using a::name;` is told by the spaces
                found.aliases.setdefault(node.name, []).append(node)
            case t.Declare():
                found.variables.setdefault(node.name, []).append(node)
            case _:
                pass
    return found
