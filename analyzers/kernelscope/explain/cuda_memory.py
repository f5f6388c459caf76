"""The memory ladder of a CUDA kernel: what lies in global and shared memory and in registers, and what a block moves.

Bytes are numbers where the launches agree on them, else formulas in the kernel's words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap

from kernelscope.diagrams.ladder import Held, Level, Move, ladder
from kernelscope.diagrams.model import Charset
from kernelscope.dims import Dim, dim, render
from kernelscope.explain.cuda_axes import AccessAxes, is_counter, names_of, threads_of_block
from kernelscope.explain.cuda_expressions import bounds_text
from kernelscope.explain.cuda_shared_rows import bytes_text
from kernelscope.explain.document import Picture, Region
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import Kind
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.operations import Reached
from kernelscope.kernels.cuda.shared_memory import SharedArray
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.kernel_warp import kernel_warp
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Undecided
from kernelscope.kernels.cuda.warp.sectors import AXES
from kernelscope.kernels.hardware import GPUS, generation
from kernelscope.results import Location, ViewOptions

MAX_ARRAYS = 12
MAX_MOVES = 4
MAX_SIZES = 3
MAX_ELEMENTS = 4096
_FRAME = 4
"""Columns of a box around what it holds."""
_DESCRIPTOR = re.compile(r"\b(?:CUtensorMap|TmaDescriptor)\b")


def memory_picture(facts: KernelFacts, accesses: Sequence[AccessAxes], options: ViewOptions) -> Picture:
    """Levels below each other, from global memory to the registers of a thread; `accesses` are those with axes."""
    places: dict[str, Location] = {}
    far, near, own = _far(facts, places), _near(facts, places, options.width), _own(facts, places, options.width)
    limits = generation(options.gpu)
    gpu = next((g for g in GPUS.values() if g.name.lower() == options.gpu.lower()), None)
    moves = (*_moves(facts, accesses, "load", "copy"), *_moves(facts, accesses, "store", "atomic"))
    held = tuple(far) or (Held("no pointers among the parameters"),)
    levels = [Level("global memory", held, f"{gpu.memory_gb} GB" if gpu else "", moves)]
    if near:
        size = f"{limits.block_shared // 1024} KiB a block at most" if limits and not facts.unit.is_for_amd else ""
        levels.append(Level("shared memory of a block", tuple(near), size, (Move("reads"), Move("writes", back=True))))
    levels.append(Level("registers of a thread", tuple(own[:MAX_ARRAYS]) or (Held(_without_arrays(facts)),)))
    charset = Charset.ASCII if options.charset == "ascii" else Charset.UNICODE
    drawing = ladder(levels).drawing(options.width, charset)
    regions = tuple(
        Region(region.row, region.column, region.width, 1, places[region.key])
        for region in drawing.regions
        if region.key in places
    )
    return Picture(drawing.text, regions)


def _far(facts: KernelFacts, places: dict[str, Location]) -> list[Held]:
    """Arguments that lead to global memory: pointers, accessors and descriptors of tensors, pointers in structs."""
    far: list[Held] = []
    for parameter in facts.function.params:
        is_tensor = _DESCRIPTOR.search(parameter.type) is not None
        reaches = types.bare(parameter.type).endswith(("*", "&")) or types.is_accessor(parameter.type)
        if is_tensor or reaches:
            span = facts.unit.source.span(parameter.node)
            places[parameter.name] = facts.location(span)
            written = " ".join(parameter.type.replace("__restrict__", " ").split())
            far.append(Held(f"{parameter.name}: {'a tensor by TMA' if is_tensor else written}", parameter.name))
    seen = (verdict.access.memory for verdict in kernel_warp(facts).verdicts)
    names = {memory.name for memory in seen if memory.space == "global"}
    return far + [Held(name) for name in sorted(names - places.keys()) if "." in name]


def _near(facts: KernelFacts, places: dict[str, Location], width: int) -> list[Held]:
    near: list[Held] = []
    warp = kernel_warp(facts)
    readers = _readers(facts)
    where = f" as launched at L{warp.launch.line}" if warp.launch is not None and warp.differs_by_launch else ""
    for array in (*facts.shared.static, *facts.shared.dynamic):
        size = _as_number(facts, array) or (bytes_text(facts, array) if array.size is not None else array.reason)
        if array in facts.shared.dynamic:
            size = bytes_text(facts, array)
        many = readers.get(array.name, 1)
        size += f", each element read by {many} threads{where}" if many > 1 else ""
        if array.path == facts.unit.path:
            places[array.name] = facts.location(array.span)
        near += _held(f"{array.name} {array.declared}", size, array.name, width)
    return near


def _as_number(facts: KernelFacts, array: SharedArray) -> str:
    """`2*N B = 512 B`: a formula with what it comes to; empty where launches say nothing or too much."""
    if array.size is None or array.size.const is not None:
        return ""
    told = _numbers(facts, array.size)
    return f"{bytes_text(facts, array)} = {told} B" if told else ""


def _numbers(facts: KernelFacts, size: Dim) -> str:
    sizes = {size.subs(numbers).const for numbers in facts.numbers}
    known = sorted(number for number in sizes if number is not None)
    return " or ".join(map(str, known)) if 0 < len(known) == len(sizes) <= MAX_SIZES else ""


def _own(facts: KernelFacts, places: dict[str, Location], width: int) -> list[Held]:
    """Arrays that a thread has for itself, in the kernel and the functions that it runs."""
    own: dict[str, tuple[Held, ...]] = {}
    for i, one in enumerate(facts.behaviour.reached):
        for key, text, size, place in _arrays(facts, one, "" if i == 0 else f" in {one.function.name}"):
            places.setdefault(key, place)
            own.setdefault(text, _held(text, size, key, width))
    return [held for group in own.values() for held in group]


def _arrays(facts: KernelFacts, one: Reached, where: str) -> Iterator[tuple[str, str, str, Location]]:
    for declared in one.unit.declarations.within(one.function.body):
        if (
            declared.node.type == "field_identifier"
            or not declared.bounds
            or declared.words & {"__shared__", "static", "constexpr"}
        ):
            continue
        at = declared.node.start_byte
        size = dim(8) if declared.pointer else one.constants.size_of(declared.type, at)
        for bound in declared.bounds:
            length = one.constants.evaluate(bound, at)
            size = size * length if size is not None and length is not None else None
        told = "size not known"
        if size is not None:
            number = _numbers(facts, size) if size.const is None and not where else ""
            told = f"{render(size, facts.order)} B{f' = {number} B' if number else ''} a thread"
        shape = f"{'*' if declared.pointer else ''}{bounds_text(declared.bounds)}"
        span = one.unit.source.span(declared.node)
        place = one.unit.source.source.location(Path(one.unit.path), span)
        yield f"{declared.name}{where}", f"{declared.name} {types.bare(declared.type)}{shape}{where}", told, place


def _without_arrays(facts: KernelFacts) -> str:
    """What a thread keeps that has no arrays of its own."""
    if len(facts.behaviour.reached) > 1 or not facts.behaviour.complete:
        return "no arrays"
    local = facts.unit.declarations.within(facts.function.body)
    values = (types.bare(one.type) for one in local if not one.pointer and "__shared__" not in one.words)
    known = {"auto", *(parameter.name for parameter in facts.function.templates)}
    return "scalars only" if all(kind in known or types.layout(kind) for kind in values) else "no arrays"


def _held(declared: str, size: str, name: str, width: int) -> tuple[Held, ...]:
    """An array and its bytes; these under it where both do not fit in a line."""
    if len(declared) + len(size) + 2 <= width - _FRAME:
        return (Held(f"{declared}  {size}", name),)
    room = width - _FRAME - 4
    return (Held(declared, name), *(Held(f"    {line}") for line in wrap(size, room, break_long_words=False)))


# -- what is moved ----------------------------------------------------------------------------------------------


def _moves(facts: KernelFacts, accesses: Sequence[AccessAxes], kind: str, other: str) -> Iterator[Move]:
    """What a block loads or stores, with the bytes of its tiles where all of them are known; nothing where every access
    was followed and none is of this kind, nor of the other one that moves data in the same way."""
    told: dict[str, str] = {}
    count: Counter[str] = Counter()
    warp = kernel_warp(facts)
    for access in accesses:
        if access.verdict.access.kind == kind and (size := _tile_bytes(access)) is not None:
            rounds = access.columns.loops or (access.rows is not None and access.rows.loops)
            name, text = access.verdict.access.memory.name, f"{render(size, facts.order)} B"
            text += " a round" if rounds else ""
            told[name] = text if told.get(name, text) == text else ""  # where there are several tiles
            count[name] += 1
    moved = Counter(
        v.access.memory.name for v in warp.verdicts if v.access.memory.space != "shared" and v.access.kind == kind
    )
    run = warp.run
    is_all = run is not None and run.complete and not run.unfollowed and not run.unread
    if is_all and moved == count and all(told.values()) and 0 < len(told) <= MAX_MOVES:
        yield from (Move(f"{kind}s {name} {size}", back=kind == "store") for name, size in told.items())
    elif not is_all or moved or not facts.behaviour.complete or _moves_besides(facts, other):
        yield Move(f"{kind}s", back=kind == "store")


def _moves_besides(facts: KernelFacts, kind: str) -> bool:
    """Whether a kernel has accesses of a kind, or copies in the background, which no access stands for."""
    return bool(facts.behaviour.of(Kind.ASYNC)) or any(
        verdict.access.kind == kind and verdict.access.memory.space != "shared"
        for verdict in kernel_warp(facts).verdicts
    )


def _tile_bytes(access: AccessAxes) -> Dim | None:
    """The bytes of a block's tile."""
    verdict, columns, rows = access
    across, down = columns.covered(), rows.covered() if rows is not None else dim(1)
    if across is None or down is None or verdict.width is None or len(verdict.sizes) > 1:
        return None
    return across * down * (verdict.width // columns.width)


def _readers(facts: KernelFacts) -> dict[str, int]:
    """How many threads of a block read each element of a shared array, where all loads agree and leave none out."""
    warp = kernel_warp(facts)
    run = warp.run
    block = threads_of_block(run) if run is not None else None
    if run is None or block is None:
        return {}
    sizes = {array.name: array.size.subs(run.setting.constants()) for array in facts.shared.static if array.size}
    found: dict[str, set[int]] = {}
    for verdict in warp.verdicts:
        access = verdict.access
        if access.memory.space == "shared" and access.kind == "load" and access.memory.name in sizes:
            many = _readers_of_each(run, block, verdict, sizes[access.memory.name].const)
            found.setdefault(access.memory.name, set()).add(many)
    return {name: counts.pop() for name, counts in found.items() if len(counts) == 1}


def _readers_of_each(run: Run, block: Lanes, verdict: Verdict, size: int | None) -> int:
    """The threads that read each element in one load; 1 where that does not follow."""
    access = verdict.access
    if size is None or verdict.width is None or any(n in AXES for c in access.conditions for n in c.names()):
        return 1
    offset = access.offset.subs(run.setting.constants())
    own = {0}
    for monomial, factor in offset.terms:
        names = {name for atom, _ in monomial for name in names_of(atom) if is_counter(run, name)}
        if not names:
            continue
        name = names.pop()
        values = run.symbols.known[name].values if not names and monomial == ((name, 1),) else None
        if not values or len(own) * len(values) > MAX_ELEMENTS:
            return 1
        own = {at + factor * value for at in own for value in values}
    still = {name: 0 for name in offset.names() if is_counter(run, name) or name.startswith("blockIdx.")}
    try:
        spread = block.spread(offset.subs(still))
    except (Undecided, NeedsCases, ArithmeticError):
        return 1
    starts = spread.get(UNIT, (0,) * block.count)
    counts = Counter(starts)
    taken = {start + at for start in counts for at in own}
    is_whole = len(taken) * verdict.width == size and len(taken) == len(counts) * len(own)
    return next(iter(counts.values())) if is_whole and len(set(counts.values())) == 1 and set(spread) <= {UNIT} else 1
