"""Edits that only move what a file declares: the links stay, and so does all but the places in that file.

Typing in the body of a function is such an edit, most of the time. One that leaves what other files can mean as it was
moves what leads into the file; what differs in any other way is linked anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from kernelscope.graph.kinds import Edge, Node
from kernelscope.workspace.facts import TOP, FileFacts, Record

_PLACES = frozenset({"start", "end", "name_start", "line"})


class Shift(Struct, frozen=True):
    """Where the names and lines of a file have moved to."""

    starts: Mapping[int, int]
    lines: Mapping[int, int]

    @property
    def is_nothing(self) -> bool:
        """Whether all stands where it stood."""
        return all(old == new for places in (self.starts, self.lines) for old, new in places.items())

    def node(self, node: Node) -> Node:
        start, line = self.starts.get(node.start, node.start), self.lines.get(node.line, node.line)
        return node if (start, line) == (node.start, node.line) else replace(node, start=start, line=line)


def shift_between(before: FileFacts, after: FileFacts) -> Shift | None:
    """How to get from the places of a file to those of its next version; None when more than places differ."""
    if before.imports != after.imports:
        return None
    rest = (
        (before.calls, after.calls),
        (before.launches, after.launches),
        (before.references, after.references),
        (before.registrations, after.registrations),
    )
    return _moved(before, after, rest)


def declared_shift(before: FileFacts, after: FileFacts) -> Shift | None:
    """The same of what a file declares, when no other file can mean anything else there; calls and launches differ."""
    tables = ([r for r in facts.references if r.scope == TOP] for facts in (before, after))
    return _moved(before, after, [(next(tables), next(tables))])


def _moved(
    before: FileFacts, after: FileFacts, rest: Iterable[tuple[Sequence[Record], Sequence[Record]]]
) -> Shift | None:
    """Where definitions and the `rest` have moved to; None when more than their places differ."""
    if before.usings != after.usings:
        return None
    starts: dict[int, int] = {}
    lines: dict[int, int] = {}
    for old, new in (
        (before.defs, after.defs),
        (before.namespaces, after.namespaces),
        (before.alternatives, after.alternatives),
        *rest,
    ):
        if len(old) != len(new) or not all(map(_is_moved, old, new)):
            return None
        for one, other in zip(old, new, strict=True):
            for name, places in (("name_start", starts), ("start", starts), ("line", lines)):
                place = getattr(one, name, None)
                if place is not None and places.setdefault(place, getattr(other, name)) != getattr(other, name):
                    return None  # what stood in one place or line was torn apart: links of one line are told once
    is_within = _namespaces_around(before) == _namespaces_around(after)
    return Shift(starts, lines) if is_within else None


def knows_places(edges: Iterable[Edge], shifts: Mapping[str, Shift]) -> bool:
    """Whether all that edges show of these files is among what moved: broken text declares less than is found."""
    for edge in edges:
        if edge.path in shifts and edge.line not in shifts[edge.path].lines:
            return False
        for node in (edge.source, edge.target):
            shift = shifts.get(node.path)
            if shift is not None and not (node.start in shift.starts and node.line in shift.lines):
                return False
    return True


def shifted(edges: Iterable[Edge], shifts: Mapping[str, Shift]) -> Iterator[Edge]:
    """The same edges with the places of some files moved."""
    for edge in edges:
        source, target = (shifts[n.path].node(n) if n.path in shifts else n for n in (edge.source, edge.target))
        shift = shifts.get(edge.path)
        if shift is not None or source is not edge.source or target is not edge.target:
            line = edge.line if shift is None else shift.lines.get(edge.line, edge.line)
            yield replace(edge, source=source, target=target, line=line)
        else:
            yield edge


def _is_moved(old: Record, new: Record) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in old.__struct_fields__ if name not in _PLACES)


def _namespaces_around(facts: FileFacts) -> list[list[int]]:
    """Of each definition the namespaces whose braces hold it."""
    spaces = [(index, space.start, space.end) for index, space in enumerate(facts.namespaces)]
    return [[index for index, start, end in spaces if start < definition.start < end] for definition in facts.defs]
