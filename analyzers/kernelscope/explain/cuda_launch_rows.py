"""The rows of a kernel's card that tell its launches: where they are, grid, block and launch bounds.

What cannot be followed is said as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kernelscope.dims import Dim, product, render
from kernelscope.explain.document import Line
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.resources import cluster_dims
from kernelscope.results import Location

MAX_LAUNCHES = 12
MAX_LINES = 8


def place_of(launch: Launch) -> Location:
    return launch.unit.source.source.location(Path(launch.unit.path), launch.span)


def launch_lines(facts: KernelFacts) -> Iterator[Line]:
    told: dict[str, Line] = {}
    for launch in (*facts.launches, *facts.other_launches):
        parts = ", ".join(launch.written)
        templates = f" with <{', '.join(launch.templates)}>" if launch.templates else ""
        how = "" if launch.mechanism == "<<<>>>" else f" by {launch.mechanism}"
        when = f", {launch.when}" if launch.when else ""
        text = f"`<<<{parts}>>>` L{launch.line} `{Path(launch.unit.path).name}`{templates}{how}{when}"
        if launch.branch:
            text += f" in a branch that is not taken, {launch.branch}"
        told.setdefault(text, Line(text, place_of(launch)))
    yield from list(told.values())[:MAX_LAUNCHES]
    if not told:
        yield Line("not known: no launch found in the workspace")
    elif len(told) > MAX_LAUNCHES:
        yield Line(f"and {len(told) - MAX_LAUNCHES} more")


def extent_lines(facts: KernelFacts, which: str) -> Iterator[Line]:
    told: set[str] = set()
    for launch in facts.launches:
        extent = launch.grid if which == "grid" else launch.block
        if None in extent:
            written = launch.written[0 if which == "grid" else 1] if len(launch.written) > 1 else "?"
            sizes = ", ".join(render(size) if size is not None else "?" for size in extent)
            some = any(size is not None and size.const != 1 for size in extent)
            text = f"not known in all: `({sizes})`" if some else f"not known: `{written}` cannot be followed"
        else:
            sizes = [render(size, ()) for size in extent if size is not None]
            text = f"`({', '.join(sizes)})`{_threads(extent, facts) if which == 'block' else ''}"
        if text not in told and len(told) < MAX_LINES:
            told.add(text)
            yield Line(text, place_of(launch))
    if not facts.launches:
        bounds = facts.launch_bounds
        yield Line(
            f"not known: no launch found in the workspace; at most {bounds.threads} threads by its launch bounds"
            if bounds is not None and which == "block"
            else "not known: no launch found in the workspace"
        )


def _threads(extent: tuple[Dim | None, ...], facts: KernelFacts) -> str:
    count = product(size for size in extent if size is not None)
    number = count.const
    if number is None:
        return f" = {render(count)} threads"
    threads = f"{number} thread{'s' if number != 1 else ''}"
    warps = warps_text(number, facts)
    return f" = {threads} = {warps} warp{'s' if warps != '1' else ''}"


def warps_text(threads: int, facts: KernelFacts) -> str:
    """The warps of a block; AMD's GPUs have them of 32 or 64 lanes (HIP, "Hardware implementation")."""
    counts = [-(-threads // lanes) for lanes in ((32, 64) if facts.unit.is_for_amd else (32,))]
    return " or ".join(str(count) for count in dict.fromkeys(counts))


def _bare(expression: str) -> str:
    """What two ways to write an expression have in common."""
    return re.sub(r"[\s()]", "", expression.replace("//", "/"))


def bounds_lines(facts: KernelFacts) -> Iterator[Line]:
    bounds = facts.launch_bounds
    cluster = cluster_dims(facts.function.header)
    where = facts.location(facts.function.name_span)
    macro = facts.unknown_qualifier
    if bounds is None and macro:
        yield Line(f"not known: `{macro}(…)` before the kernel is not defined in the workspace", where)
        return
    if bounds is None:
        yield Line("not set" + (f"; cluster of ({cluster}) blocks" if cluster else ""), where)
        return
    text = f"{bounds.threads} threads"
    if bounds.blocks:
        text += f", min {bounds.blocks} block{'s' if bounds.blocks != '1' else ''}/SM"
    value = facts.bounded_threads
    told = render(value, facts.order) if value is not None else ""
    if told and _bare(told) != _bare(bounds.threads):
        text += f"; {bounds.threads} = {told}"
    if cluster or bounds.clusters:
        text += f"; cluster of ({cluster or bounds.clusters}) blocks"
    yield Line(text, where)
