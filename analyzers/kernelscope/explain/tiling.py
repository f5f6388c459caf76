"""Tiling and memory of a Triton kernel: the tile of each argument, where loops take it, and what lies in which memory.

Drawn from index arithmetic; a tile whose place is not told is in the table only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kernelscope.diagrams.ladder import Held, Level, Move, ladder
from kernelscope.diagrams.panel import Panel, stacked, text
from kernelscope.diagrams.tile_grid import LEGEND, Axis, Moves, Operand, tile_grid
from kernelscope.diagrams.timeline import Lane, Task, timeline
from kernelscope.dims import render
from kernelscope.explain.document import Block, Document, Heading, Line, Paragraph, Picture, Region, Table
from kernelscope.explain.triton_card import either_block, largest_blocks
from kernelscope.explain.triton_conditions import condition
from kernelscope.explain.triton_hover import describe
from kernelscope.explain.triton_pseudocode import Addresses, all_code
from kernelscope.kernels.triton.accesses import describe_footprint, footprint
from kernelscope.kernels.triton.address import Address
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.index_motion import STILL, Motion
from kernelscope.kernels.triton.kernel_facts import KernelFacts
from kernelscope.kernels.triton.persistent_loops import persistent_loops
from kernelscope.kernels.triton.shared_memory import pipelined
from kernelscope.kernels.triton.tile_motion import TileMotion, tile_motions
from kernelscope.kernels.triton.values import Sizes
from kernelscope.results import Location, Span, Target, ViewOptions

_DRAWN = 8
_HELD = 6
MAX_TIMES = 24
"""Characters of a number of rounds; of longer ones the loops are named."""
_ROUNDS = 4
"""Rounds of a pipeline that are drawn."""


def tiling(facts: KernelFacts, options: ViewOptions) -> Document:
    """The document about a kernel's tiles and memory movement."""
    blocks: list[Block] = [Paragraph(tuple(_grid_lines(facts)))]
    blocks += tile_blocks(facts, all_code(facts)[2], options.width)
    blocks += memory_blocks(facts, options.width)
    target = Target(facts.path, facts.node.name_span.start, facts.node.name)
    return Document(f"Tiling of {facts.node.name}", tuple(blocks), "tiling", target)


def tile_blocks(facts: KernelFacts, addresses: Addresses, width: int) -> list[Block]:
    """The picture of the tiles whose motion is told, and the table of all accesses with their addresses."""
    if not facts.run.accesses:
        return [Heading("Tiles"), Paragraph((Line("It loads and stores nothing itself."),))]
    picture = tile_picture(facts, width)
    return [Heading("Tiles"), *([picture] if picture is not None else []), access_table(facts, addresses)]


def tile_picture(facts: KernelFacts, width: int) -> Picture | None:
    """One matrix for each argument that is loaded or stored in tiles."""
    motions = tile_motions(facts.run)
    operands: dict[tuple[str, str, TileMotion], Operand] = {}
    places: dict[str, Location] = {}
    for access in facts.run.accesses:
        motion = motions.get(access.place)
        base = footprint(access, facts.fixed).base
        if motion is None or not base:
            continue
        where = facts.location(access.span)
        within = f" in {access.name}" if access.name else ""
        operand = _operand(facts, access, motion, base, f"{access.kind} L{where.line}{within}")
        if operand is not None and (base, access.kind, motion) not in operands:
            operands[base, access.kind, motion] = operand
            places[operand.key] = where
    if not operands:
        return None
    drawn = list(operands.values())[:_DRAWN]
    return _picture(stacked([tile_grid(drawn, width), text(LEGEND)], gap=1), places)


def _operand(facts: KernelFacts, access: Access, motion: TileMotion, base: str, caption: str) -> Operand | None:
    """A matrix with its tile; axes of one element are left out, and a third wide axis cannot be drawn."""
    shape: Sizes = getattr(access.block, "shape", None) or ()
    wide = [axis for axis, size in enumerate(shape) if size is None or size.const != 1]
    outside = motion.outside
    for axis, along in enumerate(motion.axes):
        outside = outside | along if axis not in wide else outside
    taken = {loop.tile for loop in persistent_loops(facts.node)}
    axes = [_axis(facts, shape, axis, motion.axes[axis], taken) for axis in wide]
    if len(axes) == 1 and outside != STILL:
        axes.insert(0, Axis("1 row", _mover(outside, taken), _by(outside)))
    elif outside != STILL:
        caption += f" · per {_by(outside)}"
    if not 1 <= len(axes) <= 2:
        return None
    key = f"{access.span.start}"
    return Operand(base, caption, axes[-1], axes[0] if len(axes) == 2 else None, key)


def _axis(facts: KernelFacts, shape: Sizes, axis: int, motion: Motion, taken: set[str]) -> Axis:
    size = shape[axis]
    return Axis(render(size, facts.order) if size is not None else "?", _mover(motion, taken), _by(motion))


def _mover(motion: Motion, taken: set[str]) -> Moves:
    """Who moves a tile within the work of one program; loops over `taken` take one tile of the grid after the other."""
    if moving := motion.loops - taken:
        return Moves.LOOP_BACK if moving <= motion.falling else Moves.LOOP
    return Moves.PROGRAMS if motion.programs or motion.loops else Moves.NOBODY


def _by(motion: Motion) -> str:
    movers = ", ".join([*sorted(motion.programs), *sorted(motion.loops)])
    return f"index from memory{f' by {movers}' if movers else ''}" if motion.by_memory else movers


def access_table(facts: KernelFacts, addresses: Addresses) -> Table:
    """Every load and store with the tile it moves, and how its address is made."""
    known = facts.fixed
    rows: list[tuple[Line, ...]] = []
    for access in facts.run.accesses:
        where = facts.location(access.span)
        rows.append(
            (
                Line(f"L{where.line}", where),
                Line(access.kind),
                Line(_address(facts, access, addresses)),
                Line(describe(access.block, facts.order) or "?"),
                Line(" · ".join(describe_footprint(access, known))),
                Line(_times(facts, access)),
            )
        )
    return Table(("line", "kind", "address", "tile", "access", "times"), tuple(rows))


def _times(facts: KernelFacts, access: Access) -> str:
    """How often a program makes an access: the number, or the loops whose rounds the card tells."""
    number = render(access.times, facts.order)
    loops = facts.loops(access)
    often = f"each {', '.join(loops)}" if loops and len(number) > MAX_TIMES else number
    return f"{often} {condition(facts, access)}".rstrip()


def _address(facts: KernelFacts, access: Access, addresses: Addresses) -> str:
    """The address as it is made; a helper's in its own words, with the argument that it is given."""
    base = footprint(access).base or "?"
    place = access.at if access.name else access.span
    found = addresses.get((access.name, place)) if place is not None else None
    if found is None:
        return base
    line = facts.line_in(access)
    where = f"in {access.name}{f' L{line}' if line else ''}: " if access.name else ""
    return f"{where}{found.form()}{f' ({base})' if base != '?' and not _names(found, base) else ''}"


def _names(address: Address, base: str) -> bool:
    """Whether an address as it is written tells which argument it is one of."""
    return re.search(rf"\b{re.escape(base)}\b", address.base) is not None


def memory_blocks(facts: KernelFacts, width: int) -> list[Block]:
    """Which tiles lie in which memory, and how copies of them overlap; nothing of a function that moves none."""
    if not facts.run.accesses:
        return []
    return [Heading("Memory"), memory_picture(facts, width), *pipeline_blocks(facts, width)]


def memory_picture(facts: KernelFacts, width: int) -> Picture:
    """The ladder: global arguments, what is buffered in shared memory, what stays in registers."""
    places: dict[str, Location] = {}

    def key(span: Span) -> str:
        places[f"{span.start}"] = facts.location(span)
        return f"{span.start}"

    behind = facts.run.facts.pointers | facts.run.facts.descriptors
    pointers = [p for p in facts.node.args if p.name in behind]
    staged = pipelined(facts.run.accesses, facts.run.products)
    moves = tuple(Move(_move(facts, a), key(a.span), a.kind != "load") for a in _first_of_kind(facts.run.accesses))
    held = tuple(Held(p.name, key(p.name_span)) for p in pointers) or (Held("no pointer arguments"),)
    levels = [Level("global memory", held, moves=moves)]
    if staged:
        tiles = {_tile(facts, a): key(a.span) for a in reversed(staged)}
        buffers = tuple(Held(f"{tile} · one buffer a pipeline stage", at) for tile, at in reversed(tiles.items()))
        products = tuple(
            Move(f"operands of tl.dot L{facts.location(span).line}", key(span))
            for span in dict.fromkeys(p.span for p in facts.run.products)
        )
        levels.append(Level("shared memory", buffers, moves=products[:_HELD]))
    blocks = [(name, block, span) for name, block, span in largest_blocks(facts) if not block.pointer]
    blocks = blocks[:_HELD]
    names = tuple(Held(f"{name} {either_block(facts, name, block, span)}", key(span)) for name, block, span in blocks)
    levels.append(Level("registers of the program's threads", names or (Held("scalars only"),)))
    return _picture(ladder(levels), places)


def pipeline_blocks(facts: KernelFacts, width: int) -> list[Block]:
    """How the compiler overlaps copies and products of a loop, where the number of its stages is given."""
    staged = pipelined(facts.run.accesses, facts.run.products)
    stages = _stages(facts)
    if not staged or len(stages) == 0 or stages[0] < 2:
        return []
    ahead = stages[0] - 1
    loads = list(_first_of_kind(staged))
    key = f"{loads[0].span.start}"
    product = facts.run.products[0].span
    names = ", ".join(dict.fromkeys(footprint(access).base or "?" for access in loads))
    copies = tuple(Task(f"tiles {n}", n, n + 1, key=key) for n in range(_ROUNDS))
    waits = (Task("fill", 0, ahead, waits=True),)
    products = tuple(Task(f"round {n}", n + ahead, n + ahead + 1, key="product") for n in range(_ROUNDS))
    panel = timeline([Lane("copies", copies), Lane("products", waits + products)], width)
    places = {key: facts.location(loads[0].span), "product": facts.location(product)}
    others = f" ({', '.join(map(str, stages[1:]))} in other configurations)" if len(stages) > 1 else ""
    told = f"num_stages = {stages[0]}{others}: where the compiler pipelines the loop, {names} are copied {ahead} ahead."
    lines = (Line(told), Line("An order, not a measure of time."))
    return [Heading("Pipeline"), _picture(panel, places), Paragraph(lines)]


def _stages(facts: KernelFacts) -> list[int]:
    """The numbers of stages that configurations or launches give, the smallest first."""
    given = [*facts.tuning.choices("num_stages")]
    given += [value for launch in facts.launches for name, value in launch.options if name == "num_stages"]
    return sorted({value for value in given if isinstance(value, int) and not isinstance(value, bool)})


def _first_of_kind(accesses: Sequence[Access]) -> Iterator[Access]:
    """One access for each argument, kind and tile."""
    seen: set[tuple[object, ...]] = set()
    for access in accesses:
        what = (access.kind, footprint(access).base, getattr(access.block, "shape", None), access.in_loop)
        if what not in seen:
            seen.add(what)
            yield access


def _move(facts: KernelFacts, access: Access) -> str:
    loops = facts.loops(access)
    often = f"each {', '.join(loops)}" if loops else "each round" if access.in_loop else "once"
    return f"{access.kind} {_tile(facts, access)} {often}"


def _tile(facts: KernelFacts, access: Access) -> str:
    shape = getattr(access.block, "shape", None)
    sizes = ", ".join(render(size, facts.order) if size is not None else "?" for size in shape or ())
    return f"{footprint(access).base or '?'} [{sizes}]" if shape != () else f"{footprint(access).base or '?'} (scalar)"


def _grid_lines(facts: KernelFacts) -> Iterator[Line]:
    """The grids of the launches: how many programs there are, and so how many tiles."""
    told: set[str] = set()
    for launch in facts.launches:
        if launch.grid is None:
            continue
        sizes = " × ".join(render(size, facts.order) for size in launch.grid)
        if sizes not in told:
            told.add(sizes)
            yield Line(f"Grid: {sizes} programs", launch.location)
    if not told:
        yield Line("Grid: not known, no launch was followed")


def _picture(panel: Panel, places: dict[str, Location]) -> Picture:
    drawing = panel.drawing()
    regions = [Region(r.row, r.column, r.width, 1, places[r.key]) for r in drawing.regions if r.key in places]
    return Picture(drawing.text, tuple(regions))
