"""Findings on accesses of CUDA kernels: warps that waste sectors, lanes that meet in a bank, indices out of bounds.

Only what holds for the blocks of all launches that are known, whatever the sizes of the data, is a finding; what could
be done about it is said where it follows from the addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.kernels import Kernels
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.banks import BANKS, WORD, Conflict
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp, kernel_warp
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Numbers, Undecided
from kernelscope.kernels.cuda.warp.machine import Access
from kernelscope.kernels.cuda.warp.remainders import is_for_the_rest
from kernelscope.kernels.cuda.warp.sectors import AXES, WARP, Class, Traffic, threads
from kernelscope.kernels.cuda.warp.types import Array, size_of
from kernelscope.problems import Problem
from kernelscope.results import Span

WORTH_SAYING = 0.5
"""The share of sectors that has to be wasted for a finding."""


def access_problems(kernels: Kernels, path: Path) -> Iterator[Problem]:
    """Findings in one file, in source order of its kernels."""
    for facts in kernels.in_file(str(path)):
        warp = kernel_warp(facts)
        found = [_outside(warp, verdict) for verdict in warp.verdicts]
        if not facts.unit.is_for_amd:
            found = [a or b for a, b in zip(found, _costly(warp), strict=True)]
        told: dict[tuple[str, Span], Problem] = {}
        for problem in found:
            if problem is not None:
                told.setdefault((problem.code, problem.span), problem)
        yield from told.values()


def _costly(warp: KernelWarp) -> Sequence[Problem | None]:
    """What is to be said of each access: only what holds for all launches that are known."""
    found = _everywhere(warp)
    for other in warp.elsewhere() if any(found) else ():
        also = {(problem.code, problem.span) for problem in _everywhere(other) if problem is not None}
        found = [problem if problem is not None and (problem.code, problem.span) in also else None for problem in found]
    return found


def _everywhere(warp: KernelWarp) -> list[Problem | None]:
    """What holds for all ways that lead through a function to the same access."""
    found = [_problem(warp, verdict) for verdict in warp.verdicts]
    if not any(found):
        return found
    told = list(zip(warp.verdicts, found, strict=True))
    fine = {_place(verdict.access) for verdict, problem in told if problem is None}
    return [problem if _place(verdict.access) not in fine else None for verdict, problem in told]


def _place(access: Access) -> tuple[Span, str, str]:
    return access.span, access.kind, access.memory.name


def _problem(warp: KernelWarp, verdict: Verdict) -> Problem | None:
    access = verdict.access
    if verdict.others or verdict.needs or len(verdict.sizes) > 1 or warp.setting.block[0] is None:
        return None
    if is_for_the_rest(condition.subs(warp.setting.constants()) for condition in access.conditions):
        return None
    span = warp.span(access.span)
    match verdict.outcome:
        case Traffic(kind=Class.STRIDED) as traffic if traffic.efficiency <= WORTH_SAYING and not _depends(traffic):
            message = (
                f"a warp's {access.kind} of {access.memory.name} uses {round(100 * traffic.efficiency)} % of the "
                f"{traffic.sectors} sectors that it touches{_stride(traffic)}"
            )
            return Problem("uncoalesced", message, span)
        case Conflict(degree=degree) if degree > 1:
            message = f"{degree} lanes meet in one bank when {access.memory.name} is {_done(access.kind)}"
            return Problem("bank-conflict", message + _padding(warp, verdict), span)
        case _:
            return None


def _outside(warp: KernelWarp, verdict: Verdict) -> Problem | None:
    """An access that some thread of the block makes beyond its shared array, whatever the data are."""
    access, shape = verdict.access, warp.setting.block
    size = size_of(access.memory.element)
    if access.memory.space != "shared" or size is None or access.width is None:
        return None
    constants = warp.setting.constants()
    limit, width, offset = (d.subs(constants) for d in (size, access.width, access.offset))
    guards = [condition.subs(constants) for condition in access.conditions]
    x, y, z = shape
    names = {name for d in (offset, *guards) for name in d.names()}
    if limit.const is None or width.const is None or x is None or not names <= set(AXES):
        return None
    block = (x, y or 1, z or 1)
    for first in range(-(-block[0] * block[1] * block[2] // WARP)):
        lanes = Lanes(threads(block, first))
        try:
            passed = [_numbers(lanes, guard) for guard in guards]
            reached = [n for i, n in enumerate(_numbers(lanes, offset)) if all(guard[i] for guard in passed)]
        except (Undecided, NeedsCases):
            return None
        lowest, last = min(reached, default=0), max(reached, default=-width.const) + width.const - 1
        if lowest < 0 or last >= limit.const:
            what = f"{access.memory.name} has {limit.const} bytes"
            message = f"{what}; a thread of the block of {block} reaches byte {lowest if lowest < 0 else last}"
            return Problem("out-of-bounds", message, warp.span(access.span))
    return None


def _numbers(lanes: Lanes, d: Dim) -> Numbers:
    """What a Dim over `threadIdx` is in each lane."""
    return lanes.spread(d).get(UNIT, (0,) * lanes.count)


def _depends(traffic: Traffic) -> bool:
    """Whether a small size would mend it."""
    return traffic.stride is None or traffic.stride.const is None


def _stride(traffic: Traffic) -> str:
    stride = traffic.stride
    if stride is None:
        return ""
    return f": neighbouring lanes are {abs(stride.const) if stride.const is not None else stride} bytes apart"


def _done(kind: str) -> str:
    return {"load": "read", "store": "written"}.get(kind, "changed")


def _padding(warp: KernelWarp, verdict: Verdict) -> str:
    """One more element a row helps when rows of a two-dimensional array fill whole turns of the banks."""
    kind = verdict.access.memory.element
    if not (isinstance(kind, Array) and isinstance(kind.element, Array) and verdict.width == WORD):
        return ""
    row = kind.element.count
    columns = row.subs(warp.setting.constants()).const if isinstance(row, Dim) else None
    inner = kind.element.element
    if columns is None or columns % BANKS or isinstance(inner, Array):
        return ""
    if verdict.outcome is None or not isinstance(verdict.outcome, Conflict) or verdict.outcome.degree != BANKS:
        return ""
    memory, others = verdict.access.memory, warp.verdicts
    if any(other.access.memory is memory and other.width != WORD for other in others):
        return ""  # wider accesses need rows that are as aligned as they are
    return f"; rows of {columns + 1} elements instead of {columns} would spread them over all banks"
