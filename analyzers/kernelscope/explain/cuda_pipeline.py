"""The pipeline of a CUDA kernel as a timeline: which rounds its copies are for while it works on one.

An order, not a measure of time. Kernels whose copies do not run ahead have none.
"""

from __future__ import annotations

from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.dims import Dim, render
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Picture, Region
from kernelscope.kernels.cuda.kernels import KernelFacts, Kernels
from kernelscope.kernels.cuda.pipelines import Pipeline, pipeline_of
from kernelscope.results import Target, ViewOptions

ROUNDS = 4
DRAWN = 2
"""Rounds ahead that are drawn where no launch says how many there are."""
MOST_DRAWN = 6


def pipeline_blocks(facts: KernelFacts, width: int) -> list[Block]:
    """Copies above the work that they are for; nothing for kernels without."""
    found = pipeline_of(facts.behaviour)
    if found is None:
        return []
    number = _number(facts, found.ahead)
    drawn = min(number if number is not None else DRAWN, MOST_DRAWN)
    copies = tuple(Task(f"tile {n}", n, n + 1, key="copy") for n in range(ROUNDS + drawn))
    fill = Task("fill", 0, drawn, waits=True)
    work = tuple(Task(f"round {n}", n + drawn, n + drawn + 1, key="wait") for n in range(ROUNDS))
    panel = timeline([Lane("copies", copies), Lane("work", (fill, *work))], width).drawing()
    places = {"copy": found.copy, "wait": found.wait}
    regions = tuple(Region(r.row, r.column, r.width, 1, places[r.key]) for r in panel.regions if r.key in places)
    return [
        Heading("Pipeline", location=found.loop),
        Picture(panel.text, regions),
        Paragraph(_told(facts, found, drawn)),
    ]


def pipeline_document(kernels: Kernels, target: Target, options: ViewOptions) -> Document | None:
    """The timeline of the kernel that a target means; None where it means none, or one without a pipeline."""
    path = str(target.path)
    if target.symbol is not None:
        facts = kernels.named(path, target.symbol.rpartition("::")[2], target.offset)
    else:
        own = list(kernels.in_file(path))
        facts = own[0] if len(own) == 1 else kernels.at(path, target.offset) if target.offset is not None else None
    blocks = pipeline_blocks(facts, options.width) if facts is not None else []
    return Document(f"Timeline of {facts.name}", tuple(blocks), "timeline", target) if facts and blocks else None


def _told(facts: KernelFacts, found: Pipeline, drawn: int) -> tuple[Line, ...]:
    number = _number(facts, found.ahead)
    rounds = "round" if found.ahead.const == 1 else "rounds"
    buffers = (
        f"; {_size(facts, found.buffers)} buffers take turns" if found.buffers is not None and not found.most else ""
    )
    most = "up to " if found.most else ""
    told = f"Copies run {most}{_size(facts, found.ahead)} {rounds} ahead of the work: {found.because}{buffers}."
    lines = [Line(told, found.wait)]
    if number is None or number > drawn:
        lines.append(Line(f"Drawn for {drawn}."))
    return (*lines, Line("An order, not a measure of time."))


def _size(facts: KernelFacts, size: Dim) -> str:
    """`kStages-1 = 3`."""
    number = _number(facts, size)
    return f"{render(size, facts.order)}{f' = {number}' if number is not None and size.const is None else ''}"


def _number(facts: KernelFacts, size: Dim) -> int | None:
    """What a size comes to in all launches."""
    if size.const is not None:
        return size.const
    numbers = {size.subs(given).const for given in facts.numbers}
    return numbers.pop() if len(numbers) == 1 else None
