"""The tiles that a block of a CUDA kernel takes of its arguments: how large, and whether blocks or loops move them.

Read off the addresses of the accesses: what a length of the data multiplies is a row, the rest a column. An access
whose address has another form, more than two axes, or leaves elements out between, is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kernelscope.diagrams.panel import stacked, text
from kernelscope.diagrams.tile_grid import Axis, Moves, Operand, tile_grid
from kernelscope.dims import Dim, dim, render
from kernelscope.dims.monomial import Atom, Monomial
from kernelscope.explain.document import Picture, Region
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp
from kernelscope.results import Location

LEGEND = "█ tile of this round   ▒ tiles of later rounds   blank: tiles of other blocks"
_DRAWN = 8


@dataclass(slots=True)
class _Axis:
    """What moves along one axis: threads and short loops with how far they reach, blocks, other loops."""

    reach: list[tuple[Dim, Dim]] = field(default_factory=list[tuple[Dim, Dim]])
    """Steps, and how many of them are made."""
    blocks: dict[str, None] = field(default_factory=dict[str, None])
    loops: bool = False

    def drawn(self, width: int, order: tuple[str, ...]) -> Axis | None:
        size = self._covered(width)
        if size is None:
            return None
        moves = Moves.LOOP if self.loops else Moves.PROGRAMS if self.blocks else Moves.NOBODY
        return Axis(render(size, order), moves, ", ".join([*self.blocks, *(["a loop"] if self.loops else [])]))

    def _covered(self, width: int) -> Dim | None:
        """The elements from the first to the last; None where some between are left out, or may be."""
        numbers = [(step.const, last.const) for step, last in self.reach]
        covered = width
        for step, last in sorted((step, last) for step, last in numbers if step is not None and last is not None):
            if step > covered:
                return None
            covered += step * last
        others = [pair for pair, (step, last) in zip(self.reach, numbers, strict=True) if step is None or last is None]
        if not others:
            return dim(covered)
        step, last = others[0]
        return step * last + covered if len(others) == 1 and step == covered else None


def tile_picture(warp: KernelWarp, width: int) -> Picture | None:
    """One matrix for each argument of which a block takes a tile that the address tells."""
    run = warp.run
    operands: dict[tuple[object, ...], Operand] = {}
    places: dict[str, Location] = {}
    for verdict in warp.verdicts if run is not None else ():
        access = verdict.access
        if run is None or access.memory.space != "global" or verdict.outcome is None or not verdict.width:
            continue
        axes = _axes(run, verdict, verdict.width)
        if axes is None:
            continue
        place = warp.facts.location(warp.span(access.span))
        columns, rows = (axis.drawn(least, warp.facts.order) if axis is not None else None for axis, least in axes)
        if columns is None or (rows is None and axes[1][0] is not None):
            continue
        key = (access.memory.name, columns, rows)
        caption = f"{access.kind} L{place.line}"
        known = operands.get(key)
        if known is None:
            operands[key] = Operand(access.memory.name, caption, columns, rows, str(len(operands)))
            places[operands[key].key] = place
        elif access.kind not in known.caption:
            operands[key] = replace(known, caption=f"{known.caption} · {caption}")
    if not operands:
        return None
    drawing = stacked([tile_grid(list(operands.values())[:_DRAWN], width), text(LEGEND)], gap=1).drawing()
    regions = [Region(r.row, r.column, r.width, 1, places[r.key]) for r in drawing.regions if r.key in places]
    return Picture(drawing.text, tuple(regions))


def _axes(run: Run, verdict: Verdict, width: int) -> tuple[tuple[_Axis, int], tuple[_Axis | None, int]] | None:
    """Columns and rows, each with the least that one thread takes; None where the address has another form."""
    size = run.setting.constants()
    element = verdict.access.memory.element
    bytes_each = getattr(element, "size", None) or width
    found: dict[Monomial, _Axis] = {}
    if any(name.startswith("gridDim.") for name in verdict.access.offset.names()):
        return None  # a row as long as the grid is no length by name
    for monomial, factor in verdict.access.offset.terms:
        movers = [(atom, e) for atom, e in monomial if _moves(run, atom)]
        lengths = tuple((a, e) for a, e in monomial if (a, e) not in movers and _is_length(run, a))
        if len(movers) > 1 or (movers and movers[0][1] != 1):
            return None
        if not movers:
            continue
        rest = tuple(part for part in monomial if part not in movers and part not in lengths)
        step = Dim(((rest, factor),)).subs(size).exact_div(dim(bytes_each))
        if step is None or not _add(run, found.setdefault(lengths, _Axis()), movers[0][0], step):
            return None
    rows = [lengths for lengths in found if lengths]
    if len(rows) > 1 or not found:
        return None
    columns = found.get((), _Axis())
    return (columns, max(1, width // bytes_each)), (found[rows[0]] if rows else None, 1)


def _add(run: Run, axis: _Axis, atom: Atom, step: Dim) -> bool:
    """Count one mover of an axis; False where it is not told how far it reaches."""
    names = tuple(_names(atom))
    if all(name.startswith("blockIdx.") for name in names):
        axis.blocks.update(dict.fromkeys(names))
        return True
    counted = run.symbols.known[atom].values if isinstance(atom, str) and _is_counter(run, atom) else ()
    if all(_is_counter(run, name) for name in names) and not counted:
        axis.loops = True
        return True
    last = dim(len(counted) - 1) if counted else _last(run, atom)
    if last is None or (step.const is not None and step.const <= 0):
        return False
    axis.reach.append((step, last))
    return True


def _last(run: Run, atom: Atom) -> Dim | None:
    """The largest value that a thread's index, or a part of it, takes in a block."""
    if isinstance(atom, str):
        size = run.setting.block["xyz".index(atom[-1])] if atom.startswith("threadIdx.") else None
        if size is not None:
            return dim(size - 1)
        return dim(f"blockDim.{atom[-1]}") - 1 if atom.startswith("threadIdx.") else None
    number, divisor = atom.args[0], atom.args[1].subs(run.setting.constants()).const
    inner = _last(run, number.name) if number.name is not None else None
    if divisor is None or divisor <= 0 or inner is None or inner.const is None:
        return None
    if atom.op == "//":
        return dim(inner.const // divisor)
    return dim(min(inner.const, divisor - 1)) if atom.op == "%" else None


def _names(atom: Atom) -> Iterator[str]:
    if isinstance(atom, str):
        yield atom
    else:
        for arg in atom.args:
            yield from arg.names()


def _moves(run: Run, atom: Atom) -> bool:
    return any(name.startswith(("threadIdx.", "blockIdx.")) or _is_counter(run, name) for name in _names(atom))


def _is_counter(run: Run, name: str) -> bool:
    symbol = run.symbols.known.get(name)
    return symbol is not None and symbol.counter


def _is_length(run: Run, atom: Atom) -> bool:
    """A length of the data, and no size of the block or of a template."""
    if not isinstance(atom, str):
        return any(_is_length(run, name) for name in _names(atom))
    symbol = run.symbols.known.get(atom)
    known = symbol is not None and symbol.size and not symbol.template
    return known and atom not in run.setting.constants() and not atom.startswith(("blockDim.", "sizeof("))
