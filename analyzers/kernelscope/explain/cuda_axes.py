"""The axes along which an access of a CUDA kernel runs: what a length of the data multiplies is a row, else a column.

Read off the address. Along each axis threads, short loops, blocks and other loops move; an address of another form, or
of more than two axes, has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple

from kernelscope.dims import Dim, dim
from kernelscope.dims.monomial import Atom, Monomial
from kernelscope.kernels.cuda.warp.accesses import Verdict
from kernelscope.kernels.cuda.warp.kernel_run import WARP_SIZE, Run
from kernelscope.kernels.cuda.warp.kernel_warp import KernelWarp
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Numbers, Undecided
from kernelscope.kernels.cuda.warp.sectors import AXES
from kernelscope.kernels.cuda.warp.types import TypeParameter


@dataclass
class AccessAxis:
    """What moves along one axis. A step is in elements. It is asked once all movers are added."""

    run: Run
    block: Lanes | None
    """All threads of a block whose size is known."""
    reached: Numbers = ()
    """Which threads of that block make the access; empty where the block has no size."""
    width: int = 1
    """Elements that one thread takes at once."""
    threads: list[tuple[Atom, Dim]] = field(default_factory=list[tuple[Atom, Dim]])
    """Parts of the index that threads differ in, with their steps."""
    counters: list[tuple[str, Dim]] = field(default_factory=list[tuple[str, Dim]])
    """Loops of a known number of rounds, with their steps."""
    blocks: dict[str, None] = field(default_factory=dict[str, None])
    loops: bool = False
    """Whether a loop moves it whose rounds are not a number."""

    def add(self, atom: Atom, step: Dim) -> bool:
        """Count one mover; False where it moves in a way that is not told."""
        names = tuple(names_of(atom))
        if all(name.startswith("blockIdx.") for name in names):
            self.blocks.update(dict.fromkeys(names))
            return True
        if all(is_counter(self.run, name) for name in names):
            if isinstance(atom, str) and self.run.symbols.known[atom].values:
                self.counters.append((atom, step))
            else:
                self.loops = True
                return True
        else:
            self.threads.append((atom, step))
        return step.const is None or step.const > 0

    @cached_property
    def own(self) -> frozenset[int] | None:
        """The elements that one thread takes, from its first; None where steps are no numbers."""
        found = set(range(self.width))
        for name, step in self.counters:
            if step.const is None:
                return None
            found = {at + step.const * value for at in found for value in self.run.symbols.known[name].values}
        return frozenset(found)

    @cached_property
    def starts(self) -> Numbers | None:
        """The first element of each thread of the block; None where that is not told by numbers."""
        if self.block is None:
            return None
        total = (0,) * self.block.count
        for atom, step in self.threads:
            values = _values(self.run, self.block, atom)
            if values is None or step.const is None:
                return None
            total = tuple(at + step.const * value for at, value in zip(total, values, strict=True))
        return total

    def covered(self) -> Dim | None:
        """The elements from the first to the last; None where some between are left out, or may be."""
        own, starts = self.own, self.starts
        if own is not None and starts is not None:
            firsts = {start for start, makes in zip(starts, self.reached, strict=True) if makes}
            taken = {start + at for start in firsts for at in own}
            return dim(len(taken)) if taken and len(taken) == max(taken) - min(taken) + 1 else None
        return self._symbolic(len(own)) if own is not None and len(own) == max(own) + 1 else None

    def _symbolic(self, own: int) -> Dim | None:
        """The same for a block of unknown size, whose threads lie side by side: along x, rows of them along y."""
        covered = dim(own)
        for atom, step in sorted(self.threads, key=lambda mover: str(mover[0])):
            if not isinstance(atom, str) or not atom.startswith("threadIdx.") or step != covered:
                return None
            size = self.run.setting.block["xyz".index(atom[-1])]
            covered = step * (dim(size) if size is not None else dim(f"blockDim.{atom[-1]}"))
        return covered


class AccessAxes(NamedTuple):
    """An access with its axes; a vector has no rows."""

    verdict: Verdict
    columns: AccessAxis
    rows: AccessAxis | None


def global_axes(warp: KernelWarp) -> tuple[AccessAxes, ...]:
    """The accesses to global memory whose addresses have axes."""
    run = warp.run
    if run is None:
        return ()
    block = threads_of_block(run)

    @cache
    def passing(condition: Dim) -> Numbers | None:
        return _passing(run, block, condition)

    @cache
    def reached(conditions: tuple[Dim, ...]) -> Numbers | None:
        return _reaching(block, map(passing, conditions))

    found: list[AccessAxes] = []
    for verdict in warp.verdicts:
        if verdict.access.memory.space == "global" and verdict.outcome is not None:
            unit = _unit(verdict)
            axes = _axes(run, block, verdict, *unit, reached(verdict.access.conditions)) if unit is not None else None
            if axes is not None:
                found.append(AccessAxes(verdict, *axes))
    return tuple(found)


def _unit(verdict: Verdict) -> tuple[Dim, int] | None:
    """The bytes of an element of the array, by name where only a launch knows its type, and how many of them a thread
    takes at once; None where that is not known."""
    element, width = verdict.access.memory.element, verdict.access.width
    if verdict.width:
        each = getattr(element, "size", None) or verdict.width
        return dim(each), max(1, verdict.width // each)
    if not isinstance(element, TypeParameter) or width is None:
        return None
    each = dim(f"sizeof({element.name})")
    many = width.exact_div(each)
    return (each, many.const) if many is not None and many.const is not None else None


def _axes(
    run: Run, block: Lanes | None, verdict: Verdict, each: Dim, many: int, reached: Numbers | None
) -> tuple[AccessAxis, AccessAxis | None] | None:
    """Columns and rows; None where the address has another form."""
    size = run.setting.constants()
    found: dict[Monomial, AccessAxis] = {}
    if reached is None:
        return None
    names = verdict.access.offset.names()
    if WARP_SIZE in names or any(name.startswith("gridDim.") for name in names):
        return None  # a row as long as the grid, or a warp of one size or another, is no length by name
    if not run.symbols.varying_names.keys().isdisjoint(names):
        return None  # threads are where memory or a branch leads each of them
    for monomial, factor in verdict.access.offset.terms:
        movers = [(atom, e) for atom, e in monomial if _moves(run, atom)]
        lengths = tuple((a, e) for a, e in monomial if (a, e) not in movers and _is_length(run, a))
        if len(movers) > 1 or (movers and movers[0][1] != 1):
            return None
        if not movers:
            continue
        rest = tuple(part for part in monomial if part not in movers and part not in lengths)
        step = Dim(((rest, factor),)).subs(size).exact_div(each)
        if step is None or not found.setdefault(lengths, AccessAxis(run, block, reached)).add(movers[0][0], step):
            return None
    rows = [lengths for lengths in found if lengths]
    if len(rows) > 1 or not found:
        return None
    columns = found.get((), AccessAxis(run, block, reached))
    columns.width = many
    return columns, found[rows[0]] if rows else None


def threads_of_block(run: Run) -> Lanes | None:
    """All threads of a block whose size is known."""
    x, y, z = run.setting.block
    if x is None or y is None or z is None:
        return None
    places = [(i, j, k) for k in range(z) for j in range(y) for i in range(x)]
    indices = zip(*places, strict=True)
    return Lanes({f"threadIdx.{axis}": numbers for axis, numbers in zip("xyz", indices, strict=True)})


def _reaching(block: Lanes | None, passing: Iterable[Numbers | None]) -> Numbers | None:
    """Which threads of a block pass all conditions to an access, in the middle of the data; None where that is not
    told."""
    reached = (1,) * block.count if block is not None else ()
    for passes in passing:
        if passes is None:
            return None
        if passes:
            reached = tuple(a and b for a, b in zip(reached, passes, strict=True))
    return reached


def _passing(run: Run, block: Lanes | None, condition: Dim) -> Numbers | None:
    """Which threads of a block a condition lets through, empty for all that get to it; None where that is not told."""
    names = condition.names()
    if not any(name in AXES for name in names):
        return ()
    known = {name: symbol for name in names if (symbol := run.symbols.known.get(name)) is not None}
    if WARP_SIZE in names or any(symbol.rounds for symbol in known.values()):
        return None  # other threads in other rounds
    constants = run.setting.constants()
    guard = condition.subs({**constants, **{name: 0 for name, symbol in known.items() if symbol.counter}})
    if block is None:
        return None if set(guard.names()) <= set(AXES) else ()
    try:
        spread = block.spread(guard)
    except (Undecided, NeedsCases, ArithmeticError):
        return ()
    if any(spread):  # more than numbers: the threads are in the middle of the data
        return ()
    passes = spread.get(UNIT, (0,) * block.count)
    return passes if not all(passes) else ()


def _values(run: Run, lanes: Lanes, atom: Atom) -> Numbers | None:
    try:
        spread = lanes.spread(Dim(((((atom, 1),), 1),)).subs(run.setting.constants()))
    except (Undecided, NeedsCases, ArithmeticError):
        return None
    return spread.get(UNIT, (0,) * lanes.count) if all(not monomial for monomial in spread) else None


def names_of(atom: Atom) -> Iterator[str]:
    """The names in an atom."""
    if isinstance(atom, str):
        yield atom
    else:
        for arg in atom.args:
            yield from arg.names()


def is_counter(run: Run, name: str) -> bool:
    """Whether a name counts the rounds of a loop."""
    symbol = run.symbols.known.get(name)
    return symbol is not None and symbol.counter


def _moves(run: Run, atom: Atom) -> bool:
    return any(name.startswith(("threadIdx.", "blockIdx.")) or is_counter(run, name) for name in names_of(atom))


def _is_length(run: Run, atom: Atom) -> bool:
    """A length of the data, and no size of the block or of a template."""
    if not isinstance(atom, str):
        return any(_is_length(run, name) for name in names_of(atom))
    symbol = run.symbols.known.get(atom)
    known = symbol is not None and symbol.size and not symbol.template
    return known and atom not in run.setting.constants() and not atom.startswith(("blockDim.", "sizeof("))
