"""What a picture is drawn from and what comes out: boxes, edges and nested groups in, text with regions out.

All of it is plain data. Keys are the caller's: a region names the key it stands for, and the caller knows what that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Border(StrEnum):
    """How the frame of a box is drawn; NONE is a plain line of text, as for what enters and leaves a picture."""

    SINGLE = "single"
    DOUBLE = "double"
    NONE = "none"


class Direction(StrEnum):
    """Where the edges run."""

    DOWN = "down"
    RIGHT = "right"


class Charset(StrEnum):
    UNICODE = "unicode"
    ASCII = "ascii"


@dataclass(frozen=True, slots=True)
class Box:
    """A step, a state or a value: centred lines of text, with notes beside it (`← weight: [H]`)."""

    key: str
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    border: Border = Border.SINGLE
    group: str = ""
    kind: str = ""
    """A word that exports class the box by (`view`, `collective`); characters do not show it."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Something that goes from one box to another. Edges of one source with one label are one value, drawn as one line
    that branches; other labels are other values, and leave the box at places of their own."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A frame around boxes and other groups. A collapsed one is drawn as a box."""

    key: str
    title: str
    parent: str = ""
    repeat: str = ""
    """How often it is there, as text: `32`, `num_layers`."""
    collapsed: bool = False

    @property
    def heading(self) -> str:
        return f"{self.title} (×{self.repeat})" if self.repeat else self.title


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes in the order in which they are to be read; the order decides between equally good layouts."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    title: str = ""
    direction: Direction = Direction.DOWN

    def __post_init__(self) -> None:
        _check_keys(self)

    def ancestors(self, group: str) -> tuple[str, ...]:
        """The group and those around it, outermost first."""
        parents = {g.key: g.parent for g in self.groups}
        path: list[str] = []
        while group:
            path.append(group)
            group = parents[group]
        return tuple(reversed(path))


@dataclass(frozen=True, slots=True)
class Region:
    """Characters of one row of a picture that stand for a box, an edge's source or a group."""

    row: int
    column: int
    width: int
    key: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as text. `overflow` says that it is wider than was asked; nothing is ever cut."""

    text: str
    regions: tuple[Region, ...] = ()
    width: int = 0
    overflow: bool = False
    remarks: tuple[str, ...] = field(default_factory=tuple[str, ...])
    """What was folded to make it fit."""
    is_cramped: bool = False
    """Whether it fits only with broken names, or without its frames."""
    is_narrow: bool = False
    """Whether its boxes are so narrow that words are broken."""


def _check_keys(graph: Graph) -> None:
    """A picture of a graph that contradicts itself would be a wrong picture, so there is none."""
    boxes, groups = [b.key for b in graph.boxes], [g.key for g in graph.groups]
    _once(boxes + groups)
    known = set(boxes)
    for edge in graph.edges:
        if edge.source not in known or edge.target not in known:
            raise ValueError(f"edge {edge.source} → {edge.target} joins boxes that are not there")
    frames = {"", *groups}
    for owner, group in [(b.key, b.group) for b in graph.boxes] + [(g.key, g.parent) for g in graph.groups]:
        if group not in frames:
            raise ValueError(f"{owner} is in a group that is not there: {group}")
    parents = {g.key: g.parent for g in graph.groups}
    for group in groups:
        seen: set[str] = set()
        while group:
            if group in seen:
                raise ValueError(f"group {group} contains itself")
            seen.add(group)
            group = parents[group]


def _once(keys: Iterable[str]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise ValueError(f"key {key} is used twice")
        seen.add(key)
