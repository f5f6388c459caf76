"""What an interpretation notes: values seen at places of the code, contradictions, and what holds there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.interp.values import (
    Value,
)
from kernelscope.ops import ShapeError
from kernelscope.results import Span

if TYPE_CHECKING:
    pass


class Seen(Struct):
    """The value that a binding or call has whichever way the code takes, and how many callers agree on it."""

    value: Value
    contexts: int = 1
    by_name: bool = False
    """Whether sizes in it are only what the name of an input promises."""
    untaken: bool = False
    """Whether it is of a branch that is not taken on what is known."""
    moment: int = 0
    """The round, or way through the code, in which it is that."""
    before: list[tuple[int, Value]] = field(default_factory=list[tuple[int, "Value"]])
    """What it was in earlier ones."""


class Finding(Struct):
    """A contradiction at one call."""

    path: str
    span: Span
    error: ShapeError


class Known(Struct, frozen=True):
    """What holds at a place of the code: conditions by name, and facts about sizes."""

    conditions: Mapping[str, bool] = field(default_factory=dict[str, bool])
    facts: Facts = NO_FACTS


NOTHING_KNOWN = Known()
