"""The lowered declarations of one file by name: functions, structs, type aliases, variables.

Bodies stay unlowered until somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.syntax.cuda import tree as t


@dataclass(slots=True)
class Lowered:
    """What stands at the top level of a file, or in its namespaces."""

    functions: dict[str, list[t.Function]] = field(default_factory=dict[str, "list[t.Function]"])
    structs: dict[str, list[t.Struct]] = field(default_factory=dict[str, "list[t.Struct]"])
    aliases: dict[str, list[t.Using]] = field(default_factory=dict[str, "list[t.Using]"])
    variables: dict[str, list[t.Declare]] = field(default_factory=dict[str, "list[t.Declare]"])


def by_name(body: list[t.Stmt]) -> Lowered:
    """The declarations of a file's statements."""
    found = Lowered()
    for node in body:
        match node:
            case t.Function():
                found.functions.setdefault(node.name, []).append(node)
            case t.Struct():
                found.structs.setdefault(node.name, []).append(node)
            case t.Using():
                found.aliases.setdefault(node.name, []).append(node)
            case t.Declare():
                found.variables.setdefault(node.name, []).append(node)
            case _:
                pass
    return found
