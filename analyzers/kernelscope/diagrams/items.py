"""What one level of a layout arranges: boxes, frames, bends of long lines, and the ends of lines at a frame's border.

Positions are abstract: lines run from layer to layer in y. A turned canvas makes that left to right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from kernelscope.diagrams.canvas import Canvas
from kernelscope.diagrams.model import Border, Box

Value = tuple[str, str]
"""What flows: the key of the box it comes from, and its label."""


class Kind(Enum):
    BOX = auto()
    FRAME = auto()
    BEND = auto()
    ENTRY = auto()
    EXIT = auto()


@dataclass(eq=False, slots=True)
class Item:
    """Something that has a place in a layer."""

    key: str
    kind: Kind
    width: int = 1
    height: int = 0
    box: Box | None = None
    inner: Canvas | None = None
    entries: dict[Value, int] = field(default_factory=dict[Value, int])
    """Offsets at which values enter the top, where that is not the middle."""
    middle: int | None = None
    """The offset of the middle, where the longest way goes through the item at another place."""
    exits: dict[Value, int] = field(default_factory=dict[Value, int])
    before: int = 0
    """Cells left of it that are kept for lines and text of its own."""
    after: int = 0
    layer: int = 0
    place: int = 0
    x: int = 0
    y: int = 0

    @property
    def solid(self) -> bool:
        return self.kind in (Kind.BOX, Kind.FRAME)

    def enters(self, value: Value) -> int:
        """The offset of the cell in which a value arrives."""
        return self.entries.get(value, self.width // 2 if self.middle is None else self.middle)

    def leaves(self, value: Value) -> int:
        return self.exits.get(value, self.width // 2)

    @property
    def trunk(self) -> int:
        """The row in which a line that leaves begins: the border, or below where there is none."""
        match self.kind:
            case Kind.BOX | Kind.FRAME:
                plain = self.box is not None and self.box.border is Border.NONE
                return self.y + self.height - (0 if plain else 1)
            case Kind.ENTRY:
                return self.y - 1
            case Kind.BEND | Kind.EXIT:
                return self.y


@dataclass(eq=False, slots=True)
class Link:
    """A value that goes from one item to another."""

    source: Item
    target: Item
    value: Value


@dataclass(eq=False, slots=True)
class Piece:
    """The part of a link between one layer and the next."""

    source: Item
    target: Item
    value: Value

    @property
    def start(self) -> int:
        return self.source.x + self.source.leaves(self.value)

    @property
    def end(self) -> int:
        return self.target.x + self.target.enters(self.value)


@dataclass(eq=False, slots=True)
class Rail:
    """A line on the right that passes what lies between its source and its targets, nearest target first.

    It enters each target from the right but the last, which it may enter from above.
    """

    source: Item
    value: Value
    sides: list[Item]
    top: Item | None = None
    column: int = 0
    start: int = 0

    @property
    def first_layer(self) -> int:
        return self.source.layer

    @property
    def last_layer(self) -> int:
        return max(item.layer for item in self.targets)

    @property
    def targets(self) -> list[Item]:
        return [*self.sides, self.top] if self.top else self.sides


@dataclass(eq=False, slots=True)
class Return:
    """A line on the left that closes a cycle: it goes up past everything and enters its target from the left, or from
    above where something stands in the way."""

    source: Item
    target: Item
    value: Value
    from_above: bool = False
    column: int = 0
    slot: int = 0
    start: int = 0
    row: int = 0


@dataclass(slots=True)
class Level:
    """One level of nesting, layered: what a frame holds, or the whole picture."""

    layers: list[list[Item]]
    pieces: list[Piece]
    rails: list[Rail]
    returns: list[Return]
    spine: list[Item]

    @property
    def items(self) -> list[Item]:
        return [item for layer in self.layers for item in layer]
