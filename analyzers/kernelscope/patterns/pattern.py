"""Pattern: something that a call was found to be, with the steps that made it so."""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.patterns.flow import Node


@dataclass(frozen=True, slots=True)
class Clue:
    """One step of the evidence: the node, and what it has to do with the pattern."""

    node: Node
    text: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """`kind` names the family (`norm`, `attention` …), `title` what a picture calls it, `traits` its variants.

    A pattern that `is_whole` is all that its call does, so that there is nothing to see inside; one that `is_part` is
    only a part of it, so that the call is not called so.
    """

    kind: str
    title: str
    clues: tuple[Clue, ...]
    traits: tuple[str, ...] = ()
    is_whole: bool = False
    is_part: bool = False
