"""Explain Kernel for CUDA: the card, from grid to thread, what lies where, and the pseudocode.

Every line links to its source. What is not known is in the notes with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kernelscope.dims import product, render
from kernelscope.explain.cuda_axes import AccessAxes, global_axes
from kernelscope.explain.cuda_card import kernel_card
from kernelscope.explain.cuda_launch_rows import warps_text
from kernelscope.explain.cuda_levels import level_blocks
from kernelscope.explain.cuda_memory import memory_picture
from kernelscope.explain.cuda_pipeline import pipeline_blocks
from kernelscope.explain.cuda_pseudocode import kernel_code
from kernelscope.explain.cuda_tiles import tile_picture
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Table
from kernelscope.kernels.cuda.kernels import KernelFacts, Kernels
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.warp.kernel_warp import kernel_warp
from kernelscope.results import Target, UserError, ViewOptions

MAX_LAUNCHES = 6
MAX_LINES_TOLD = 3


def cuda_document(kernels: Kernels, kind: str, target: Target, options: ViewOptions) -> Document:
    """The document about the kernel at a target. Raises UserError when there is none."""
    facts = kernel_of(kernels, target)
    if kind == "pseudocode":
        return Document(f"Pseudocode of {facts.name}", (kernel_code(facts),), kind, target)
    if kind == "tiling":
        return _tiling(facts, options, target)
    return explain_kernel(facts, options)


def _tiling(facts: KernelFacts, options: ViewOptions, target: Target) -> Document:
    """From grid to thread, the tiles of a block, and what lies in which memory."""
    accesses = global_axes(kernel_warp(facts))
    tiles = _tiles(facts, accesses, options) or [Paragraph((Line("No address of the kernel tells a tile."),))]
    blocks = (_levels(facts), *tiles, Heading("Memory"), memory_picture(facts, accesses, options))
    return Document(f"Tiling of {facts.name}", blocks, "tiling", target)


def _tiles(facts: KernelFacts, accesses: Sequence[AccessAxes], options: ViewOptions) -> list[Block]:
    """The tiles of a block in the arguments, and how they are dealt to warps and threads."""
    warp = kernel_warp(facts)
    picture = tile_picture(warp, accesses, options.width)
    blocks: list[Block] = [Heading("Tiles of a block"), picture] if picture is not None else []
    parts = level_blocks(warp, accesses, options.width)
    return [*blocks, Heading("From block to thread"), *parts] if parts else blocks


def kernel_of(kernels: Kernels, target: Target) -> KernelFacts:
    """The kernel that a target means: by name, by place, or the only one of its file."""
    path = str(target.path)
    if target.symbol is not None:
        found = kernels.named(path, target.symbol.rpartition("::")[2], target.offset)
        if found is None:
            raise UserError(f"{target.path.name} defines no kernel {target.symbol}")
        return found
    if target.offset is not None and (found := kernels.at(path, target.offset)) is not None:
        return found
    every = list(kernels.in_file(path))
    if len(every) == 1:
        return every[0]
    if not every:
        raise UserError(f"{target.path.name} defines no CUDA kernel")
    names = ", ".join(facts.name for facts in every[:6])
    raise UserError(f"name a kernel of {target.path.name}: FILE::kernel or FILE:LINE; it has {names}")


def explain_kernel(facts: KernelFacts, options: ViewOptions | None = None) -> Document:
    """The document about one kernel."""
    options = options or ViewOptions()
    blocks: list[Block] = [kernel_card(facts, options.gpu)]
    blocks += [Heading("From grid to thread"), _levels(facts)]
    accesses = global_axes(kernel_warp(facts))
    blocks += _tiles(facts, accesses, options)
    blocks += [Heading("Memory"), memory_picture(facts, accesses, options), *pipeline_blocks(facts, options.width)]
    blocks += [Heading("Pseudocode"), kernel_code(facts)]
    helpers = _helpers(facts)
    if helpers:
        blocks += [Heading("Device functions it runs"), Paragraph(helpers)]
    target = Target(facts.path, facts.function.name_span.start, facts.name)
    return Document(f"Kernel {facts.name}", tuple(blocks), "explain", target, tuple(_notes(facts)))


def _levels(facts: KernelFacts) -> Table:
    """What a grid, a block and a warp are made of, launch by launch."""
    rows: list[tuple[Line, ...]] = []
    lanes = "32 or 64 threads" if facts.unit.is_for_amd else "32 threads"
    different: dict[tuple[object, ...], list[Launch]] = {}
    for launch in facts.launches:
        different.setdefault((launch.grid, launch.block), []).append(launch)
    for launch, *alike in list(different.values())[:MAX_LAUNCHES]:
        place = launch.unit.source.source.location(Path(launch.unit.path), launch.span)
        grid = ", ".join(render(size) if size is not None else "?" for size in launch.grid)
        block = ", ".join(render(size) if size is not None else "?" for size in launch.block)
        count = product(size for size in launch.block if size is not None) if None not in launch.block else None
        warps = warps_text(count.const, facts) if count is not None and count.const is not None else "?"
        row = (_lines_text([launch, *alike]), f"({grid}) blocks", f"({block}) threads", warps, lanes)
        rows.append((Line(row[0], place), *(Line(cell) for cell in row[1:])))
    if not rows:
        bounds = facts.launch_bounds
        threads = f"at most {bounds.threads} threads" if bounds is not None else "?"
        rows.append((Line("no launch found"), Line("?"), Line(threads), Line("?"), Line(lanes)))
    return Table(("launch", "grid", "block", "warps", "warp"), tuple(rows))


def _lines_text(launches: list[Launch]) -> str:
    """`L42, L43`, or `L42 and 9 more`."""
    lines = [f"L{line}" for _, line in dict.fromkeys((launch.unit.path, launch.line) for launch in launches)]
    return ", ".join(lines) if len(lines) <= MAX_LINES_TOLD else f"{lines[0]} and {len(lines) - 1} more"


def _helpers(facts: KernelFacts) -> tuple[Line, ...]:
    lines: dict[str, Line] = {}
    for one in facts.behaviour.reached[1:]:
        place = one.unit.source.source.location(Path(one.unit.path), one.function.name_span)
        bound = ", ".join(f"{name}={text}" for name, text in one.bound if text != name)
        text = f"{one.function.name}{f'<{bound}>' if bound else ''}"
        lines.setdefault(text, Line(text, place))
    return tuple(lines.values())[:24]


def _notes(facts: KernelFacts) -> Iterator[str]:
    unresolved = sorted(name for name in facts.behaviour.unresolved if "::" in name)
    if unresolved:
        yield f"Called, and not in the workspace: {', '.join(unresolved[:8])}."
    if not facts.behaviour.complete:
        yield "The kernel calls too many functions: not all were followed."
