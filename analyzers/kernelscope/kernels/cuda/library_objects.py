"""Where a function makes objects of a library's types, also under a name that it gives the type."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from kernelscope.syntax.cuda.source import BRANCHES, LOOPS, CallSite

_OBJECT_OF = r"(?<![.>\w]){}\s*(?:<[^;]*?>\s*)?\("
"""An object is made of a type of this name."""


def objects_of(node: Node, body: str, pattern: re.Pattern[str]) -> Iterator[CallSite]:
    """Where objects of a library's type are made; where the type is named, if that is not seen."""
    for match in pattern.finditer(body):
        alias = _alias(body, match.start())
        made = [m.start() for m in re.finditer(_OBJECT_OF.format(re.escape(alias)), body)] if alias else []
        for start in made or [match.start()]:
            place = node.start_byte + len(body[:start].encode())
            found = node.descendant_for_byte_range(place, place + 1)
            yield CallSite(found or node, _around(found, node) if found is not None else ())


def _around(node: Node, outer: Node) -> tuple[Node, ...]:
    """The loops and branches of an outer node in which a node stands, the innermost last."""
    found: list[Node] = []
    parent = node.parent
    while parent is not None and parent.start_byte > outer.start_byte:
        if parent.type in LOOPS or parent.type in BRANCHES:
            found.append(parent)
        parent = parent.parent
    return tuple(reversed(found))


def _alias(body: str, start: int) -> str | None:
    """The name that a type at a place is given: `using Sort = …;` and `typedef … Sort;`."""
    before = re.search(r"\busing\s+(\w+)\s*=\s*(?:typename\s+)?(?:::)?\Z", body[:start])
    if before is not None:
        return before[1]
    if re.search(r"\btypedef\s+(?:typename\s+)?(?:::)?\Z", body[:start]) is None:
        return None
    after = re.compile(r"[^;]*?(\w+)\s*;").match(body, start)
    return after[1] if after is not None else None
