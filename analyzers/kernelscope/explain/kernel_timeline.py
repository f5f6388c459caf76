"""Show Execution Timeline of a Triton kernel: the tiles of a persistent program, the pipeline of its loops."""

from __future__ import annotations

from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Picture, Region
from kernelscope.explain.tiling import pipeline_blocks
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.persistent_loops import PersistentLoop, persistent_loops
from kernelscope.results import Target, UserError, ViewOptions

PROGRAMS = 3
TURNS = 3


def kernel_timeline(facts: KernelFacts, options: ViewOptions, target: Target) -> Document:
    """Raises UserError for a kernel whose programs each do one thing once."""
    blocks: list[Block] = []
    for loop in persistent_loops(facts.node):
        heading = Heading("Tiles of each program", location=facts.location(loop.head.span))
        blocks += [heading, *_turns(facts, loop, options)]
    blocks += pipeline_blocks(facts, options.width)
    if not blocks:
        raise UserError(f"{facts.node.name} has no persistent and no pipelined loop: each program runs once through")
    return Document(f"Timeline of {facts.node.name}", tuple(blocks), "timeline", target)


def _turns(facts: KernelFacts, loop: PersistentLoop, options: ViewOptions) -> list[Block]:
    """Program p takes tile p, p + programs, …"""
    first, step = (facts.module.text.slice(part.span) for part in (loop.first, loop.step))
    lanes = [
        Lane(f"program {p}", tuple(Task(_tile(p, turn, step), turn, turn + 1, key="loop") for turn in range(TURNS)))
        for p in range(PROGRAMS)
    ]
    panel = timeline(lanes, options.width, more=f"program 3 … {step} - 1").drawing()
    place = facts.location(loop.head.span)
    picture = Picture(panel.text, tuple(Region(r.row, r.column, r.width, 1, place) for r in panel.regions))
    until = f" while below {facts.module.text.slice(loop.tiles.span)}" if loop.tiles is not None else ""
    told = f"{loop.tile} runs from {first} in steps of {step}{until}; an order, not a measure of time."
    return [picture, Paragraph((Line(told, place),))]


def _tile(program: int, turn: int, step: str) -> str:
    times = "" if turn == 1 else f"{turn}*"
    return f"tile {program}" if turn == 0 else f"tile {f'{program} + ' if program else ''}{times}{step}"
