"""Batches of tensors between which the code chooses: what the chosen one must agree with, each of them must.

Keys are those of a cache, or are made of the encoder's states: a query whose batch is that of the keys has that of the
states as well. Of lengths that does not hold: a cache makes keys longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from kernelscope.dims import Dim, Facts, dim
from kernelscope.dims.spelling import SEPARATOR, call_of
from kernelscope.tensor import Shape, Size

LEAST_RANK = 3
"""A tensor of fewer dims may as well begin with a length."""


@dataclass(slots=True)
class Batches:
    """The first sizes that met at places where two ways did."""

    met: dict[int, dict[str, tuple[Size, ...]]] = field(default_factory=dict[int, dict[str, tuple[Size, ...]]])
    """For each call that is running, what its symbols are on either way."""

    def meet(self, chosen: Shape, *ways: Shape) -> None:
        """One tensor or another is `chosen`; one that is made of the other has more in common than a width, and begins
        perhaps with a length: a transposed one begins with what stands behind the batch of the other."""
        first = chosen.head[0] if chosen.rank is not None and chosen.rank >= LEAST_RANK else None
        if not isinstance(first, Dim) or first.name is None or SEPARATOR not in first.name:
            return
        names = [{n for size in way.head[:-1] if isinstance(size, Dim) for n in size.names()} for way in ways]
        if len(names) < 2 or names[0].isdisjoint(names[1]):
            self.met.setdefault(call_of(first.name), {})[first.name] = tuple(way.head[0] for way in ways)

    def agree(self, facts: Facts, frame: int) -> Facts:
        """Facts at the end of a call, also about the batches of which its symbols stand for one."""
        met, own = self.met.pop(frame, {}), f"{SEPARATOR}{frame}"
        batches: dict[str, Dim] = {}
        for name, ways in reversed(met.items()):
            batch = batches.get(name, facts.rewrite(dim(name)))
            for size in ways if _is_given(batch, own) else ():
                if isinstance(size, Dim) and size.name in met:
                    batches[size.name] = batch
                elif _is_given(size, own):
                    facts = facts.with_equal(batch, size)
        for name in batches:
            ends = {facts.rewrite(size) if isinstance(size, Dim) else size for size in met[name]}
            if len(met[name]) > 1 and len(ends) == 1 and isinstance(end := ends.pop(), Dim):
                facts = facts.with_equal(end, name)
        return facts


def _is_given(size: Size, own: str) -> TypeGuard[Dim]:
    """Whether a size is one of what the call was given."""
    return isinstance(size, Dim) and size.name is not None and "." not in size.name and not size.name.endswith(own)
