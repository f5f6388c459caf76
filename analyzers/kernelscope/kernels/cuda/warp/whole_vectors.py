"""Members of one vector that are read or written one after the other: they move as one, as the compiler makes it.

Vectors are aligned to their size, so nothing but an access in between that may mean the same memory keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernelscope.dims import dim
from kernelscope.kernels.cuda.warp.machine import Access
from kernelscope.kernels.cuda.warp.types import Vector, alignment


def as_moved(accesses: Sequence[Access]) -> tuple[Access, ...]:
    """The accesses with those to all members of a vector as accesses to the vector."""
    moved = list(accesses)
    done: set[int] = set()
    for first, access in enumerate(accesses):
        vector = access.vector
        if vector is None or first in done or access.kind == "atomic":
            continue
        assert isinstance(vector.target, Vector)
        size = vector.target.element.size * vector.target.count
        if alignment(vector.target) != size:
            continue
        group = _together(accesses, first)
        if len({accesses[i].offset for i in group}) == vector.target.count:
            done.update(group)
            for i in group:
                moved[i] = replace(accesses[i], offset=vector.offset, target=vector.target, width=dim(size))
    return tuple(moved)


def _together(accesses: Sequence[Access], first: int) -> list[int]:
    """The accesses to members of the same vector from one on, up to one that comes between them."""
    start = accesses[first]
    found = [first]
    for i in range(first + 1, len(accesses)):
        other = accesses[i]
        if other.vector == start.vector:
            if other.kind == start.kind and other.conditions == start.conditions and other.loops == start.loops:
                found.append(i)
        elif _separates(other, start):
            break
    return found


def _separates(other: Access, access: Access) -> bool:
    """Whether an access must keep its place among others: one of them writes, and both may mean the same memory."""
    if other.kind == "load" and access.kind == "load":
        return False
    return other.memory.space in (access.memory.space, "unknown")
