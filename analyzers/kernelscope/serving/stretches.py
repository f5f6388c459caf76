"""A long function in stretches that can be read at once, each under the heads of the branches and loops it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from kernelscope.serving.condensing import Step
from kernelscope.syntax.python import tree as t

MAX_STEPS = 1_300
"""Longest text of one stretch, in characters, without what stands before it."""
MOST_STRETCHES = 12
OPENS = ("else:", "elif ", "except")
"""How steps begin that belong to the one before them."""
Stretch = tuple[list[str], list[t.Node]]
"""Lines, and the statements that they tell."""


def stretches(steps: Sequence[Step]) -> list[Stretch]:
    """The steps in stretches of readable length; dots stand for what is told in another one."""
    bounds = _bounds(steps)
    found: list[Stretch] = []
    for start, end in pairwise(bounds[: MOST_STRETCHES + 1]):
        heads = _heads(steps, start) if start else []
        lines = [*(step.line for step in heads), *(step.line for step in steps[start:end])]
        if start:
            lines.insert(len(heads), "  " * steps[start].depth + "…")
        nodes = [node for step in steps[start:end] for node in step.nodes]
        found.append(([*lines, "…"] if end < len(steps) else lines, nodes))
    return found


def _bounds(steps: Sequence[Step]) -> list[int]:
    """Where stretches begin, and the end: as far as fits, back to where the least deep step of the second half is."""
    ends = [0, *accumulate(len(step.line) + 1 for step in steps)]
    bounds = [0]
    while ends[-1] - ends[bounds[-1]] > MAX_STEPS:
        start = bounds[-1]
        above = sum(len(step.line) + 1 for step in _heads(steps, start))
        fits = start + 1
        while ends[fits + 1] - ends[start] + above <= MAX_STEPS:
            fits += 1
        within = [at for at in range(start + 1, fits + 1) if ends[at] - ends[start] >= (ends[fits] - ends[start]) // 2]
        bounds.append(max(within, key=lambda at: (-steps[at].depth, not steps[at].text.startswith(OPENS), at)))
    return [*bounds, len(steps)]


def _heads(steps: Sequence[Step], start: int) -> list[Step]:
    """The steps that a step lies under, outermost first."""
    found: list[Step] = []
    depth = steps[start].depth
    for step in reversed(steps[:start]):
        if step.depth < depth:
            found.insert(0, step)
            depth = step.depth
    return found
