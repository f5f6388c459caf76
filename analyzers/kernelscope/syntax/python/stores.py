"""Attributes that the code of a file stores, read off the parsed tree: nothing is lowered for it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from msgspec import Struct
from tree_sitter import Language, Node, Query

from kernelscope.results import Span
from kernelscope.syntax.captures import captured
from kernelscope.syntax.python.expressions import text_of

PATTERNS = {"pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "parenthesized_expression"}
"""Targets that hold others."""


class Store(Struct, frozen=True):
    """`holder.name = …` or `holder.name += …`; no holder where it is more than a name."""

    holder: str
    name: str
    augmented: bool
    definition: int
    """Offset of the innermost `def` or `class` around it, -1 outside of all."""


class Stores:
    """The stores of one file, in source order."""

    def __init__(self, root: Node, language: Language) -> None:
        found = captured(_query(language), root)
        inside = sorted(found.get("definition", []), key=lambda n: n.start_byte)
        self._definitions = [node.start_byte for node in inside]
        self.all: list[Store] = []
        around: list[Node] = []
        assignments = [(n, kind == "augmented") for kind in ("plain", "augmented") for n in found.get(kind, [])]
        for node, augmented in sorted(assignments, key=lambda entry: entry[0].start_byte):
            while inside and inside[0].start_byte <= node.start_byte:
                around.append(inside.pop(0))
            while around and around[-1].end_byte <= node.start_byte:
                around.pop()
            definition = around[-1].start_byte if around else -1
            for target in _attributes(node):
                holder, name = target.child_by_field_name("object"), target.child_by_field_name("attribute")
                if holder is not None and name is not None:
                    plain = text_of(holder) if holder.type == "identifier" else ""
                    self.all.append(Store(plain, text_of(name), augmented, definition))
        self._by_definition: dict[int, list[Store]] = {}
        for store in self.all:
            self._by_definition.setdefault(store.definition, []).append(store)

    def of(self, function: Span) -> list[Store]:
        """Those of a function's own body, not of functions in it; the span may begin with decorators."""
        at = bisect_left(self._definitions, function.start)
        return self._by_definition.get(self._definitions[at], []) if at < len(self._definitions) else []


def _attributes(target: Node) -> Iterator[Node]:
    todo = [target]
    while todo:
        node = todo.pop()
        if node.type == "attribute":
            yield node
        elif node.type in PATTERNS:
            todo.extend(reversed(node.named_children))


@cache
def _query(language: Language) -> Query:
    return Query(
        language,
        """(assignment left: (_) @plain)
        (augmented_assignment left: (_) @augmented)
        [(function_definition) (class_definition)] @definition""",
    )
