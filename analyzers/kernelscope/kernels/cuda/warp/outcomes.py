"""Outcomes of one access compared: which costs most, which are of one kind. What they are is not decided here."""

from __future__ import annotations

from kernelscope.kernels.cuda.warp.banks import Conflict
from kernelscope.kernels.cuda.warp.sectors import Class, Traffic

_CLASSES = (Class.BROADCAST, Class.COALESCED, Class.MISALIGNED, Class.STRIDED)
"""From good to bad."""


def cost(outcome: Traffic | Conflict) -> tuple[int, int, int]:
    if isinstance(outcome, Conflict):
        return outcome.degree, 0, outcome.lanes
    return outcome.sectors, _CLASSES.index(outcome.kind), outcome.lanes


def kind_of(outcome: Traffic | Conflict) -> object:
    return outcome.kind if isinstance(outcome, Traffic) else outcome.degree
