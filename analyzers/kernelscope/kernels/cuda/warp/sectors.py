"""What one warp's request costs in global memory: 32-byte sectors, bytes used, and the class of the access.

Sectors are counted as NVIDIA's profilers do (CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory").
Addresses are spreads (see `lanes`): lanes whose symbolic parts differ are taken to lie far apart, and what is the same
in all lanes to begin at a sector.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from kernelscope.dims import Dim, dim, render
from kernelscope.kernels.cuda.warp.lanes import UNIT, Numbers, Spread, Undecided

WARP = 32
SECTOR = 32
WIDTHS = (16, 8, 4, 2, 1)
AXES = ("threadIdx.x", "threadIdx.y", "threadIdx.z")


def threads(shape: tuple[int, int, int], warp: int = 0) -> dict[str, Numbers]:
    """`threadIdx` of the lanes of a block's warp: x runs fastest, so that a warp spans rows of narrow blocks."""
    x, y, z = shape
    first = warp * WARP
    lanes = range(first, min(first + WARP, x * y * z))
    columns = ([i % x for i in lanes], [i // x % y for i in lanes], [i // (x * y) for i in lanes])
    return {axis: tuple(column) for axis, column in zip(AXES, columns, strict=True)}


class Class(Enum):
    """How well a request uses the sectors that it moves."""

    COALESCED = "coalesced"
    BROADCAST = "broadcast"
    MISALIGNED = "partially coalesced (misaligned)"
    STRIDED = "uncoalesced (strided)"


@dataclass(frozen=True, slots=True)
class Traffic:
    """One request of a warp."""

    kind: Class
    sectors: int
    bytes_used: int
    lanes: int
    stride: Dim | None
    """Bytes from one lane to the next, where that is the same for all, or from one group of lanes to the next."""
    group: int
    """Neighbouring lanes that lie together, next to each other or in one place; 1 where the stride is of lanes."""

    @property
    def efficiency(self) -> float:
        return self.bytes_used / (self.sectors * SECTOR)


def pieces(width: int) -> int:
    """The bytes that one instruction moves per lane of a value of `width` bytes."""
    return next(size for size in WIDTHS if width % size == 0)


def traffic(address: Spread, width: int, active: Numbers | None = None) -> Traffic:
    """The cost of one request: `address` in bytes from the start of the array, `width` bytes in each lane."""
    groups = _groups(address, active)
    lanes = sum(len(group) for group in groups.values())
    piece = pieces(width)
    sectors, used = 0, 0
    ideal_if_moved = 0
    for offsets in groups.values():
        taken = {byte for offset in set(offsets) for byte in range(offset, offset + piece)}
        used += len(taken)
        sectors += len({byte // SECTOR for byte in taken})
        low = min(taken)
        ideal_if_moved += len({(byte - low) // SECTOR for byte in taken})
    ideal = -(-used // SECTOR)
    step, group = _stride(address, groups, active, piece)
    if used == piece and lanes > 1:
        kind = Class.BROADCAST
    elif sectors <= ideal:
        kind = Class.COALESCED
    elif ideal_if_moved <= ideal:
        kind = Class.MISALIGNED
    else:
        kind = Class.STRIDED
    return Traffic(kind, sectors, used, lanes, step, group)


def _groups(address: Spread, active: Numbers | None) -> dict[tuple[int, ...], list[int]]:
    """Offsets of active lanes by their symbolic part. Raises `Undecided` where a choice is such a part."""
    apart = [(monomial, numbers) for monomial, numbers in address.items() if monomial and len(set(numbers)) > 1]
    for monomial, _ in apart:
        choice = next((a for a, _ in monomial if not isinstance(a, str) and a.op in ("==", "<")), None)
        if choice is not None:  # which is no distance
            raise Undecided(f"depends on whether `{render(Dim(((((choice, 1),), 1),)))}`")
    symbolic = [numbers for _, numbers in apart]
    plain = address.get(UNIT)
    count = len(next(iter(address.values()), (0,) * WARP))
    found: dict[tuple[int, ...], list[int]] = {}
    for lane in range(count):
        if active is None or active[lane]:
            key = tuple(numbers[lane] for numbers in symbolic)
            found.setdefault(key, []).append(plain[lane] if plain is not None else 0)
    return found


def _stride(
    address: Spread, groups: dict[tuple[int, ...], list[int]], active: Numbers | None, piece: int
) -> tuple[Dim | None, int]:
    """The distance between lanes that differ, if it is one, and how many lanes lie together."""
    count = len(next(iter(address.values()), (0,) * WARP))
    lanes = [lane for lane in range(count) if active is None or active[lane]]
    together = 1
    if len(groups) > 1:
        symbolic = [numbers for monomial, numbers in address.items() if monomial and len(set(numbers)) > 1]
        keys = [tuple(numbers[lane] for numbers in symbolic) for lane in lanes]
        changes = sum(a != b for a, b in pairwise(keys))
        within = {b - a for offsets in groups.values() for a, b in pairwise(offsets)}
        if changes == len(groups) - 1 and len(within) == 1 and abs(step := next(iter(within))) > piece:
            return dim(step), 1  # rows of lanes, each lane apart from its neighbour
        firsts: dict[tuple[int, ...], int] = {}
        for key, lane in zip(keys, lanes, strict=True):
            firsts.setdefault(key, lane)
        together = len(lanes) // len(groups) if changes == len(groups) - 1 else 1
        lanes = list(firsts.values())
    step = dim(0)
    for monomial, numbers in address.items():
        steps = {numbers[b] - numbers[a] for a, b in pairwise(lanes)}
        if len(steps) > 1:
            return None, together
        if steps and (factor := steps.pop()):
            step = step + Dim(((monomial, factor),))
    return (step if len(lanes) > 1 else None), together


def moved(address: Spread, by: int) -> Spread:
    """All lanes further on by a number of bytes."""
    if not by:
        return address
    count = len(next(iter(address.values()), (0,) * WARP))
    return {**address, UNIT: tuple(n + by for n in address.get(UNIT, (0,) * count))}
