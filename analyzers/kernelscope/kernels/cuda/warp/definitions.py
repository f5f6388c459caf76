"""What the files of one translation unit define by name: functions, structs, type aliases and constants.

Files are looked into only when a name that stands in them is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TypeVar

from kernelscope.kernels.cuda.warp.specialisations import undefined
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.lower_expressions import expression, span_of
from kernelscope.syntax.cuda.source import CudaSource, parse

MAX_MACRO = 400
Declared = TypeVar("Declared", t.Function, t.Struct, t.Using, t.Declare)


class Definitions:
    """Names of a file and its headers. `holding` gives the files in whose text a name stands, nearest first."""

    def __init__(self, holding: Callable[[str], Iterable[CudaSource]]) -> None:
        self._holding = holding
        self._held: dict[str, list[CudaSource]] = {}
        self._functions: dict[str, list[t.Function]] = {}
        self._structs: dict[str, t.Struct | None] = {}
        self._specialisations: dict[str, list[t.Struct]] = {}
        self._aliases: dict[str, t.TypeName | None] = {}
        self._variables: dict[tuple[str, str], t.Declare | None] = {}
        self._macros: dict[str, tuple[t.Expr, ...]] = {}

    @staticmethod
    def of(*sources: CudaSource) -> Definitions:
        return Definitions(lambda name: sources)

    def holding(self, name: str) -> list[CudaSource]:
        """The files in whose text a name stands, nearest first."""
        found = self._held.get(name)
        if found is None:
            found = self._held[name] = list(self._holding(name))
        return found

    def functions(self, name: str) -> list[t.Function]:
        found = self._functions.get(name)
        if found is None:
            found = [f for source in self.holding(name) for f in in_force(source, source.lowered.functions.get(name))]
            self._functions[name] = found
        return found

    def struct(self, name: str) -> t.Struct | None:
        """The general definition of a struct, before any specialisation."""
        if name not in self._structs:
            found = [s for source in self.holding(name) for s in in_force(source, source.lowered.structs.get(name))]
            general = next((struct for struct in found if not struct.specialisation), None)
            self._structs[name] = general or (undefined(found) if found else None)
        return self._structs[name]

    def specialisations(self, name: str) -> list[t.Struct]:
        """The definitions of a struct for some of its template arguments."""
        if name not in self._specialisations:
            found = [s for source in self.holding(name) for s in in_force(source, source.lowered.structs.get(name))]
            self._specialisations[name] = [struct for struct in found if struct.specialisation]
        return self._specialisations[name]

    def with_struct(self, struct: t.Struct) -> None:
        """A struct that a function defines for itself."""
        self._structs[struct.name] = struct

    def alias(self, name: str) -> t.TypeName | None:
        if name not in self._aliases:
            nodes = (
                node for source in self.holding(name) for node in in_force(source, source.lowered.aliases.get(name))
            )
            self._aliases[name] = next((node.type for node in nodes), None)
        return self._aliases[name]

    def variable(self, name: str, space: str = "") -> t.Declare | None:
        """A variable of a file; of a namespace or enumeration, where one of that name has it."""
        key = (name, space)
        if key not in self._variables:
            found = [
                node for source in self.holding(name) for node in in_force(source, source.lowered.variables.get(name))
            ]
            found = [node for node in found if space and f"::{node.space}".endswith(f"::{space}")] or found
            given = next((node for node in found if node.value is not None), None)
            self._variables[key] = given or next(iter(found), None)
        return self._variables[key]

    def macro(self, name: str) -> tuple[t.Expr, ...]:
        """What a constant macro may stand for; several where branches of `#if` define it, the taken one first."""
        if name not in self._macros:
            self._macros[name] = tuple(self._macro_values(name.encode()))
        return self._macros[name]

    def _macro_values(self, name: bytes) -> Iterator[t.Expr]:
        for source in self.holding(name.decode()):
            for macro in reversed(source.macros.get(name, ())):
                short = macro.params is None and 0 < len(macro.body) < MAX_MACRO
                if short and re.search(rb"\b" + re.escape(name) + rb"\b", macro.body) is None:
                    yield parsed_expression(macro.body)


def in_force(source: CudaSource, nodes: list[Declared] | None) -> list[Declared]:
    """The declarations that the preprocessor takes; all of them where it would take none."""
    if nodes is None or len(nodes) < 2 or not source.inactive:
        return nodes or []
    starts = (source.prepared.origin(node.span.start, node.span.end).start for node in nodes)
    return [node for node, start in zip(nodes, starts, strict=True) if source.is_active(start)] or nodes


@lru_cache(maxsize=2048)
def parsed_expression(text: bytes) -> t.Expr:
    """An expression by itself, as in a macro's body or a launch's configuration; spans mean nothing then."""
    root = parse(b"auto x = (" + text + b");").tree.root_node
    declared = next((node for node in root.named_children if node.type == "declaration"), None)
    value = declared.child_by_field_name("declarator") if declared is not None else None
    value = value.child_by_field_name("value") if value is not None else None
    return expression(value, 0, span_of(root))
