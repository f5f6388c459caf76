"""Occupancy: how many blocks of a kernel one multiprocessor holds, and what stops it from holding more.

The rules of NVIDIA's `cuda_occupancy.h`, with the largest shared-memory carve-out, the opt-in limit per block, and one
barrier per block.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.kernels.hardware import Generation


@dataclass(frozen=True, slots=True)
class Occupancy:
    """`limited_by`: all limits that allow no more blocks: warps, registers, shared memory, blocks, barriers."""

    blocks_per_sm: int
    warps_per_sm: int
    max_warps: int
    limited_by: tuple[str, ...]

    @property
    def share(self) -> float:
        """Active warps over the warps that the multiprocessor could hold."""
        return self.warps_per_sm / self.max_warps


def occupancy(generation: Generation, threads: int, registers: int, shared: int) -> Occupancy:
    """Blocks per multiprocessor for a block of `threads`, `registers` per thread and `shared` bytes in all.

    Raises ValueError for a block that no launch can have: no threads, or negative resources.
    """
    if threads <= 0 or registers < 0 or shared < 0:
        raise ValueError("a block has at least one thread, and no negative registers or bytes")
    warps = -(-threads // generation.warp)
    allowed = {
        "warps": generation.warps // warps if threads <= generation.block_threads else 0,
        "registers": _by_registers(generation, warps, registers),
        "shared memory": _by_shared(generation, shared),
        "blocks": generation.blocks,
        "barriers": generation.barriers,
    }
    blocks = min(allowed.values())
    limited = tuple(name for name, number in allowed.items() if number == blocks)
    return Occupancy(blocks, blocks * warps, generation.warps, limited)


def _by_registers(generation: Generation, warps: int, registers: int) -> int:
    """Registers are given to warps in units, and each partition of the SM holds whole warps of its own."""
    if registers == 0:
        return 1 << 30
    if registers > generation.thread_registers:
        return 0
    per_warp = _rounded(registers * generation.warp, generation.register_unit)
    if per_warp * _rounded(warps, generation.partitions) > generation.registers:
        return 0
    per_partition = generation.registers // generation.partitions // per_warp
    return per_partition * generation.partitions // warps


def _by_shared(generation: Generation, shared: int) -> int:
    """What a block asks for and what the system reserves for it, in the generation's units."""
    if shared > generation.block_shared:
        return 0
    size = _rounded(shared + generation.reserved_shared, generation.shared_unit)
    return generation.shared // size if size else 1 << 30


def _rounded(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def waves(programs: int, blocks_per_sm: int, sms: int) -> tuple[float, float]:
    """Waves that a grid takes on a GPU, and the share of the last wave that does work (1.0: no tail)."""
    slots = max(1, blocks_per_sm * sms)
    tail = programs % slots
    return programs / slots, 1.0 if tail == 0 else tail / slots
