"""The card of a CUDA kernel: every row of it, with `none` written out, and what is not known said with its reason.

Rows are gathered from the kernel's facts; each line links to the source that it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kernelscope.explain.cuda_accesses import access_lines
from kernelscope.explain.cuda_atomic_rows import atomic_lines
from kernelscope.explain.cuda_behaviour_rows import (
    async_lines,
    barrier_lines,
    counted_lines,
    loop_lines,
    specialisation_lines,
    tensor_lines,
    vector_lines,
)
from kernelscope.explain.cuda_launch_rows import bounds_lines, extent_lines, launch_lines, place_of
from kernelscope.explain.cuda_occupancy_rows import occupancy_lines, register_lines
from kernelscope.explain.cuda_shared_rows import dynamic_lines, static_lines
from kernelscope.explain.cuda_threads import directions, index_formulas
from kernelscope.explain.document import Card, CardRow, Line
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.intrinsics import Kind
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp, kernel_warp
from kernelscope.kernels.hardware import GPUS, generation
from kernelscope.results import Hover, Link, Span, Target

MAX_SIGNATURE = 160
MAX_LINES = 8


def kernel_card(facts: KernelFacts, gpu: str = "H100") -> Card:
    """Every row of the card."""
    warp = kernel_warp(facts)
    limits = generation(gpu)
    built = facts.compiled_for(limits.arch if limits is not None else "")
    rows: tuple[tuple[str, Callable[[], Iterator[Line]]], ...] = (
        ("Launch", lambda: launch_lines(facts)),
        ("Grid", lambda: extent_lines(facts, "grid")),
        ("Block", lambda: extent_lines(facts, "block")),
        ("Launch bounds", lambda: bounds_lines(facts)),
        ("Thread mapping", lambda: _mapping(warp)),
        ("Shared memory (static)", lambda: static_lines(facts)),
        ("Shared memory (dynamic)", lambda: dynamic_lines(facts)),
        ("Global access", lambda: _accesses(warp, "global")),
        ("Shared access", lambda: _accesses(warp, "shared")),
        ("Vector width", lambda: vector_lines(facts)),
        ("Barriers", lambda: barrier_lines(facts)),
        ("Warp ops", lambda: counted_lines(facts, Kind.WARP)),
        ("Atomics", lambda: atomic_lines(facts, warp)),
        ("Tensor cores", lambda: tensor_lines(facts)),
        ("Async copy", lambda: async_lines(facts)),
        ("Loop", lambda: loop_lines(facts, warp)),
        ("Warp specialisation", lambda: specialisation_lines(facts)),
        ("Registers", lambda: register_lines(built)),
        ("Occupancy", lambda: occupancy_lines(facts, limits, built, GPUS.get(gpu))),
    )
    told = tuple(CardRow(name, tuple(lines()) or (Line(_nothing(warp, name)),)) for name, lines in rows)
    return Card((CardRow("Cut off", tuple(_cut(facts))), *told) if facts.function.cut else told)


def _nothing(warp: KernelWarp, row: str) -> str:
    """What an empty row says: of what functions do only as far as they were followed."""
    if row not in ("Barriers", "Warp ops", "Atomics", "Tensor cores", "Async copy", "Thread mapping"):
        return "none"
    if not warp.facts.behaviour.complete:
        return "none in what was followed: it calls too many functions"
    return "none" if _is_followed(warp) else "none in what was followed"


def _is_followed(warp: KernelWarp) -> bool:
    """Whether all was seen that the kernel does; one with pointers that never reach memory was not understood."""
    run = warp.run
    if run is None or not run.is_followed:
        return run is None
    return bool(run.accesses) or not (_held(warp.facts, "global") or _held(warp.facts, "shared"))


def _cut(facts: KernelFacts) -> Iterator[Line]:
    """That nothing closes the body: what is told holds of the part that is there."""
    place = facts.location(facts.function.span)
    yield Line(f"the body that begins at L{place.line} is not closed: what follows is of the part that is there", place)


def kernel_hover(facts: KernelFacts, span: Span, gpu: str = "H100") -> Hover:
    """The hover of a kernel's name: the card as a table."""
    rows = tuple(
        (row.name, "<br>".join(line.text.replace("|", "\\|") for line in row.lines))
        for row in kernel_card(facts, gpu).rows
    )
    links = (Link("Explain kernel", command="kernelscope.explainKernel", target=Target(facts.path, span.start)),)
    return Hover(span, f"__global__ void {facts.name}{_signature(facts)}", "cuda-cpp", (), rows, links)


def _signature(facts: KernelFacts) -> str:
    """As declared; names only where the types would not fit one line."""
    templates = ", ".join(t.name for t in facts.function.templates)
    typed = ", ".join(f"{p.type} {p.name}".replace(" *", "*") for p in facts.function.params)
    params = typed if len(typed) <= MAX_SIGNATURE else ", ".join(p.name for p in facts.function.params)
    text = f"{f'<{templates}>' if templates else ''}({params})"
    return text if len(text) <= MAX_SIGNATURE else f"{text[: MAX_SIGNATURE - 1]}…"


def _mapping(warp: KernelWarp) -> Iterator[Line]:
    place = warp.facts.location(warp.facts.function.name_span)
    run_along = list(directions(warp))
    yield from (Line(text, place) for text in (*index_formulas(warp), *run_along))
    if run_along and warp.launch is not None and warp.sizes_differ_by_launch:
        yield Line(_as_launched(warp, warp.launch), place_of(warp.launch))


def _accesses(warp: KernelWarp, space: str) -> Iterator[Line]:
    lines = list(access_lines(warp.verdicts, space, warp.line))
    for text, verdict in lines:
        yield Line(text, warp.facts.location(warp.span(verdict.access.span)))
    run = warp.run
    if run is None or not run.complete:
        yield Line("not every path was followed: the kernel is too large")
        return
    missed = list(_missed(run)) if space == "global" else []
    yield from missed
    if not lines and not missed and (held := _held(warp.facts, space)) and not _is_unused(run, warp.facts, space):
        given = f" {_as_launched(warp, warp.launch)}" if warp.launch is not None and warp.differs_by_launch else ""
        yield Line(f"not known: no access to `{held}` was followed{given}")
    if lines and warp.facts.unit.is_for_amd:
        yield Line("as warps of 32 lanes and NVIDIA's sectors and banks would have it; the code is for AMD's GPUs")
    if lines and warp.launch is not None and warp.differs_by_launch:
        yield Line(_as_launched(warp, warp.launch), place_of(warp.launch))
    elif lines and warp.launch is None and warp.setting.numbers:
        given = ", ".join(f"`{name}` = {number}" for name, number in warp.setting.numbers.items())
        yield Line(f"with what the template gives by default: {given}")


def _as_launched(warp: KernelWarp, launch: Launch) -> str:
    given = f" with {warp.told_arguments}" if warp.told_arguments else ""
    return f"as launched at L{launch.line} `{Path(launch.unit.path).name}`{given}"


def _missed(run: Run) -> Iterator[Line]:
    """What may reach memory and was not followed."""
    if run.unfollowed:
        names = ", ".join(f"`{name}`" for name in run.unfollowed[:MAX_LINES])
        yield Line(f"not followed: pointers are passed on to {names}")
    if run.unread:
        yield Line(f"not followed: {', '.join(f'`{text}`' for text in run.unread[:MAX_LINES])}")


def _is_unused(run: Run, facts: KernelFacts, space: str) -> bool:
    """Whether the kernel declares its shared arrays and names none of them again."""
    names = [array.name for array in (*facts.shared.static, *facts.shared.dynamic)] if space == "shared" else []
    body = facts.unit.source.text(facts.function.body)
    if facts.behaviour.of(Kind.ASYNC) or not run.is_followed:
        return False
    return bool(names) and all(len(re.findall(rf"\b{re.escape(n)}\b", body)) == 1 for n in names)


def _held(facts: KernelFacts, space: str) -> str:
    """Memory of a kind that the kernel has at hand, and so may use; empty where it has none."""
    if space == "shared":
        return next((array.name for array in (*facts.shared.static, *facts.shared.dynamic)), "")
    reaching = (p.name for p in facts.function.params if types.bare(p.type).endswith("*") or types.is_accessor(p.type))
    return next(reaching, "")
