"""Unknown: what we do not know, with the reason. A value like any other, never an error.

Arithmetic with an unknown is that unknown, so the first reason is the one a reader is told.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.dims import Dim
from kernelscope.results import Span


@dataclass(frozen=True, slots=True)
class Unknown:
    """`reason` completes "unknown because …"; `span` is where in the source knowledge ended."""

    reason: str
    span: Span | None = None

    def _absorb(self, _: object) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = _absorb

    def __neg__(self) -> Unknown:
        return self

    def __repr__(self) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Called(Unknown):
    """What is not known but has a name: where nothing but a size will do, it is the size of that name."""

    size: Dim | None = None

    def __repr__(self) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Single(Unknown):
    """A number that is not known, but one: no sequence of several."""

    def __repr__(self) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class UnknownDType(Unknown):
    """The type of elements, which is not known: no size, and no sequence of sizes."""

    def __repr__(self) -> str:
        return "?"


COUNTLESS = Unknown("how many tensors are joined is not known")
"""The size of tensors joined along an axis. Where another way has none to join, these are usually its parts."""
