"""The rows of a kernel's card that tell registers and occupancy, and how often a grid fills a GPU.

Without a build log the figures are what registers allow at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kernelscope.dims import product
from kernelscope.explain.cuda_shared_rows import arguments_text
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda.build_logs import Compiled
from kernelscope.kernels.cuda.kernels import MAX_INSTANTIATIONS, KernelFacts
from kernelscope.kernels.hardware import Generation, Gpu
from kernelscope.kernels.occupancy import Occupancy, occupancy, waves
from kernelscope.results import Location

MAX_LINES = 8
MAX_GRIDS = 4


def register_lines(built: tuple[Compiled, ...]) -> Iterator[Line]:
    """The most that any instantiation needs, and the spills."""
    if not built:
        yield Line("not known without ptxas")
        return
    most = max(built, key=lambda entry: (entry.registers, entry.spilled or 0))
    fewest = min(entry.registers for entry in built)
    numbers = f"{most.registers}" if fewest == most.registers else f"{fewest} to {most.registers}"
    times = f" over {len(built)} instantiations" if len(built) > 1 else ""
    spilled = [entry.spilled for entry in built if entry.spilled is not None]
    spills = f", {max(spilled)} bytes spilled" if any(spilled) else ", nothing spilled" if spilled else ""
    name, head = Path(most.path).name, f"`ptxas` {numbers}{times} on {most.arch}{spills}"
    if most.line:
        yield Line(f"{head} (L{most.line} `{name}`)", Location(Path(most.path), most.line, 0, most.line, 0))
    else:
        yield Line(f"{head} (`{name}`)")


def occupancy_lines(
    facts: KernelFacts, limits: Generation | None, built: tuple[Compiled, ...], chip: Gpu | None
) -> Iterator[Line]:
    if facts.unit.is_for_amd:
        yield Line("not known: the code is for AMD's GPUs, whose limits are others")
        return
    if limits is not None and facts.block is None and (by_launch := _by_launch(facts, limits, built)):
        yield from by_launch
        return
    threads, bounded = _block_threads(facts)
    sizes = _static_sizes(facts)
    numbers = any(None not in launch.block and product(filter(None, launch.block)).const for launch in facts.launches)
    if limits is None or (threads is None and not numbers):
        yield Line("not known: the block has no size that is a number")
        return
    if threads is None:
        yield Line("not known: blocks have several sizes, and what each of them holds is not known for all")
        return
    if not sizes:
        unsized = [f"`{array.name}`" for array in facts.shared.static if array.size is None]
        size = f"the size of {', '.join(unsized)} is not known"
        yield Line(f"not known: {size if unsized else 'the shared memory depends on template arguments'}")
        return
    dynamic = _dynamic_bytes(facts)
    if dynamic is None and (facts.shared.dynamic or facts.launches):
        yield Line("not known: the dynamic shared memory is sized at run time")
        return
    registers = _registers(built, limits)
    outcomes: dict[Occupancy, str] = {}
    for static, given in sizes.items():
        outcomes.setdefault(occupancy(limits, threads, registers, static + (dynamic or 0)), given)
    for found, given in outcomes.items():
        yield Line(_told(found, limits, registers) + bounded + (f"; with {given}" if len(outcomes) > 1 else ""))
    per_sm = {found.blocks_per_sm for found in outcomes}
    if chip is not None and len(per_sm) == 1 and 0 not in per_sm:
        yield from _waves(facts, per_sm.pop(), chip, bool(registers))


def _registers(built: tuple[Compiled, ...], limits: Generation) -> int:
    """Registers of a thread by the build's log; 0 without one."""
    return max((entry.registers for entry in built if entry.arch == limits.arch), default=0)


def _told(found: Occupancy, limits: Generation, registers: int) -> str:
    at_most, supposed = ("", "") if registers else ("≤ ", ", if registers allow it")
    return (
        f"{at_most}{found.blocks_per_sm} blocks/SM = {found.warps_per_sm}/{found.max_warps} warps = "
        f"{found.share:.0%} on {limits.arch}, limited by {' and '.join(found.limited_by)}{supposed}"
    )


def _by_launch(facts: KernelFacts, limits: Generation, built: tuple[Compiled, ...]) -> list[Line]:
    """One line for each size of the blocks, where launches differ in it; empty where one of them is not known."""
    static = facts.shared.static_bytes
    fixed = static.const if static is not None else None
    told: dict[str, Line] = {}
    for launch in facts.launches:
        threads = product(size for size in launch.block if size is not None).const if None not in launch.block else None
        shared = launch.shared.const if launch.shared is not None else None
        if threads is None or threads <= 0 or shared is None:
            return []
        bytes_of = fixed
        if bytes_of is None and len(facts.instantiations) <= MAX_INSTANTIATIONS:
            made = [constants for own, constants in facts.instantiations if own is launch]
            sizes = [facts.shared_of(constants).static_bytes for constants in made]
            bytes_of = sizes[0].const if len(sizes) == 1 and sizes[0] is not None else None
        if bytes_of is None:
            return []
        registers = _registers(built, limits)
        found = occupancy(limits, threads, registers, bytes_of + shared)
        text = f"{_told(found, limits, registers)}; blocks of {threads} thread{'s' if threads != 1 else ''}"
        told.setdefault(text, Line(text))
    return list(told.values()) if len(told) <= MAX_LINES else []


def _waves(facts: KernelFacts, per_sm: int, chip: Gpu, certain: bool) -> Iterator[Line]:
    """How often grids of known size fill all multiprocessors, and how full the last time."""
    grids = {launch.grid for launch in facts.launches}
    numbers = {product(size for size in grid if size is not None).const for grid in grids if None not in grid}
    counts = sorted(blocks for blocks in numbers if blocks is not None and blocks > 0)
    for blocks in counts[:MAX_GRIDS]:
        which = f" of the grid of {blocks} block{'s' if blocks != 1 else ''}" if len(grids) > 1 else ""
        yield Line(_filled(blocks, per_sm, chip, certain, which))


def _filled(blocks: int, per_sm: int, chip: Gpu, certain: bool, which: str) -> str:
    count, tail = waves(blocks, per_sm, chip.sms)
    least, supposed = ("", "") if certain else ("≥ ", ", if registers allow it")
    if count < 1:
        full = "under 1%" if tail < 0.01 else f"{tail:.0%}"
        return f"one wave, {full} full,{which} on {chip.name} ({chip.sms} SMs){supposed}"
    return f"{least}{count:.3g} waves{which} on {chip.name} ({chip.sms} SMs), the last one {tail:.0%} full{supposed}"


def _block_threads(facts: KernelFacts) -> tuple[int | None, str]:
    """The threads of a block; where only the run tells, the most by the launch bounds, and that it is these."""
    if facts.block is not None and None not in facts.block:
        count = product(size for size in facts.block if size is not None).const
        if count is not None and count > 0:
            return count, ""
    bounded = facts.bounded_threads
    most = bounded.const if bounded is not None else None
    return (most, f"; of blocks as large as the launch bounds allow, {most} threads") if most else (None, "")


def _static_sizes(facts: KernelFacts) -> dict[int, str]:
    """Bytes of the static arrays with template arguments that give them; none where a launch leaves them open."""
    size = facts.shared.static_bytes
    if size is not None and size.const is not None:
        return {size.const: ""}
    if len(facts.instantiations) > MAX_INSTANTIATIONS:
        return {}
    sizes: dict[int, str] = {}
    for _, constants in facts.instantiations:
        found = facts.shared_of(constants).static_bytes
        if found is None or found.const is None:
            return {}
        sizes.setdefault(found.const, arguments_text(constants))
    return sizes if len(sizes) <= MAX_LINES else {}


def _dynamic_bytes(facts: KernelFacts) -> int | None:
    sizes = {launch.shared.const if launch.shared is not None else None for launch in facts.launches}
    return next(iter(sizes)) if len(sizes) == 1 else None
