"""What an interpretation notes: values seen at places of the code, contradictions, and what holds there."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.interp.values import Value
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.tensor import Tensor, Unknown

OF_A_LAYER = "the dtype that a layer gives of which nothing is known"
OF_ITS_KIN = "the dtype that one kind of a layer gives which is not followed"


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
    whole: Value = None
    """The same with settings called by all of their way, where `value` has no more than the end of it."""

    def in_whole_names(self) -> Seen:
        """As code elsewhere has to know it, which calls the same settings by all of their way."""
        return self if self.whole is None else replace(self, value=self.whole, whole=None)

    @property
    def by_layer(self) -> bool:
        """Whether it is made of what a layer gives that is known by its name only, and so is taken to keep sizes."""
        return self._rests_on(OF_A_LAYER)

    @property
    def by_kin(self) -> bool:
        """Whether it is made of what one of several kinds of a layer gives, which is taken to be as of the others."""
        return self._rests_on(OF_ITS_KIN)

    def _rests_on(self, reason: str) -> bool:
        dtype = self.value.dtype if isinstance(self.value, Tensor) else None
        return isinstance(dtype, Unknown) and dtype.reason == reason


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
