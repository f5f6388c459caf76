"""Where the values come from that the boxes of a dataflow picture take."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelscope.patterns.flow import Node, Use
from kernelscope.tensor import Tensor, Unknown

NOTHING = Unknown("nothing")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value that a box takes comes from: a box, an input, or something that is told in a note."""

    node: Node
    is_note: bool = False
    value: Tensor | Unknown = field(default=NOTHING, compare=False)
    """The value as it leaves there."""
    part: Tensor | Unknown = field(default=NOTHING, compare=False)
    """The part that is taken of it, as it is called."""
    is_part: bool = False
    """Whether only a part of it is taken."""
    entering: Tensor | Unknown = field(default=NOTHING, compare=False)
    """The value as it enters a loop whose rounds take a part of it each."""


@dataclass(frozen=True, slots=True)
class Link:
    """A value that goes from a box or input to a box."""

    origin: Origin
    user: Node
    use: Use

    @property
    def whole(self) -> Tensor | Unknown:
        """What leaves the origin, as it is there."""
        result = self.origin.node.step.result
        return result if isinstance(result, Tensor) else self.use.value
