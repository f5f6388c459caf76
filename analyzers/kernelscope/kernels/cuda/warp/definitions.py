"""What the files of one translation unit define by name: functions, structs, type aliases and constants.

Files are looked into only when a name that stands in them is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from kernelscope.kernels.cuda.warp.specialisations import undefined
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.lower_expressions import expression, span_of
from kernelscope.syntax.cuda.source import CudaSource, parse
from kernelscope.syntax.cuda.spaces import Brought, joined, meant, plain_path, unrenamed

MAX_MACRO = 400
Declared = TypeVar("Declared", t.Function, t.Struct, t.Using, t.Declare)


class Definitions:
    """Names of a file and its headers. `holding` gives the files in whose text a name stands, nearest first, `brought`
    the lines in force that make known what other namespaces hold.

    What code means by a name is asked with the name's qualifier, as written, and the namespace that the code stands in.
    """

    def __init__(
        self, holding: Callable[[str], Iterable[CudaSource]], brought: Callable[[], Iterable[Brought]] = tuple
    ) -> None:
        self._holding = holding
        self._brought = brought
        self._held: dict[str, list[CudaSource]] = {}
        self._functions: dict[str, list[t.Function]] = {}
        self._called: dict[tuple[str, str, str], list[t.Function]] = {}
        self._types: dict[tuple[str, str, str], t.Struct | t.Using | None] = {}
        self._specialisations: dict[tuple[str, str], list[t.Struct]] = {}
        self._variables: dict[tuple[str, str, str], t.Declare | None] = {}
        self._macros: dict[str, tuple[t.Expr, ...]] = {}

    @staticmethod
    def of(*sources: CudaSource) -> Definitions:
        return Definitions(lambda name: sources, lambda: [line for source in sources for line in source.spaces.brought])

    def holding(self, name: str) -> list[CudaSource]:
        """The files in whose text a name stands, nearest first."""
        found = self._held.get(name)
        if found is None:
            found = self._held[name] = list(self._holding(name))
        return found

    def unrenamed(self, scope: str) -> str:
        """A qualifier with the namespace itself in the place of a new name of it."""
        return unrenamed(scope, self._brought())

    def functions(self, name: str) -> list[t.Function]:
        """All functions of a name, of every namespace."""
        found = self._functions.get(name)
        if found is None:
            held = ((source, source.lowered.functions.get(name)) for source in self.holding(name))
            found = [f for source, functions in held for f in in_force(source, functions, name.startswith("__"))]
            self._functions[name] = found
        return found

    def called(self, name: str, scope: str, space: str) -> list[t.Function]:
        """The functions of one namespace that a name means."""
        key = (name, scope, space)
        if key not in self._called:
            self._called[key] = meant(self.functions(name), _path, name, scope, space, self._brought)
        return self._called[key]

    def named_type(self, name: str, scope: str, space: str) -> t.Struct | t.Using | None:
        """The alias, or the general definition of a struct, that a name means."""
        key = (name, scope, space)
        if key not in self._types:
            found: list[t.Struct | t.Using] = []
            for source in self.holding(name):
                found += in_force(source, source.lowered.aliases.get(name))
                found += in_force(source, source.lowered.structs.get(name))
            self._types[key] = _first(meant(found, _path, name, scope, space, self._brought))
        return self._types[key]

    def specialisations(self, struct: t.Struct) -> list[t.Struct]:
        """The definitions of a struct for some of its template arguments."""
        key = (struct.name, struct.space)
        if key not in self._specialisations:
            held = ((source, source.lowered.structs.get(struct.name)) for source in self.holding(struct.name))
            found = [node for source, structs in held for node in in_force(source, structs)]
            self._specialisations[key] = [node for node in found if node.specialisation and node.space == struct.space]
        return self._specialisations[key]

    def variable(self, name: str, scope: str, space: str) -> t.Declare | None:
        """The variable or enumerator that a name means; the one that has a value, where several declare it."""
        key = (name, scope, space)
        if key not in self._variables:
            every = [
                node for source in self.holding(name) for node in in_force(source, source.lowered.variables.get(name))
            ]
            found = meant(every, lambda node: node.paths, name, scope, space, self._brought)
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


def _path(node: t.Function | t.Struct | t.Using) -> tuple[str]:
    return (joined(node.space, plain_path(node.scope)) if isinstance(node, t.Function) else node.space,)


def _first(found: Sequence[t.Struct | t.Using]) -> t.Struct | t.Using | None:
    """The alias, else the general struct; where only specialisations are defined, one that has their parameters."""
    alias = next((node for node in found if isinstance(node, t.Using)), None)
    structs = [node for node in found if isinstance(node, t.Struct)]
    general = next((struct for struct in structs if not struct.specialisation), None)
    return alias or general or (undefined(structs) if structs else None)


def in_force(source: CudaSource, nodes: list[Declared] | None, strictly: bool = False) -> list[Declared]:
    """The declarations that the preprocessor takes; all of them where it would take none, unless that is wanted."""
    if nodes is None or len(nodes) < 2 - strictly or not source.inactive:
        return nodes or []
    starts = (source.prepared.origin(node.span.start, node.span.end).start for node in nodes)
    active = [node for node, start in zip(nodes, starts, strict=True) if source.is_active(start)]
    return active if strictly else active or nodes


@lru_cache(maxsize=2048)
def parsed_expression(text: bytes) -> t.Expr:
    """An expression by itself, as in a macro's body or a launch's configuration; spans mean nothing then."""
    root = parse(b"auto x = (" + text + b");").tree.root_node
    declared = next((node for node in root.named_children if node.type == "declaration"), None)
    value = declared.child_by_field_name("declarator") if declared is not None else None
    value = value.child_by_field_name("value") if value is not None else None
    return expression(value, 0, span_of(root))
