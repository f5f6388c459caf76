"""Values that variables hold on paths that leave a loop's round or a function early, and what they are afterwards.

A branch that ends in `break`, `continue` or `return` is taken back where the others go on; what it gave variables is
kept here until the place is reached where its lanes come together with the rest again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.merging import select
from kernelscope.kernels.cuda.warp.values import Cell, Data, Int, Open, Pointer, Symbol, Value


class _Departure(Struct, eq=False):
    """One path that leaves early: how, why lanes take it apart (if they do), and what it gave variables."""

    kind: str
    condition: Dim
    uneven: str
    given: dict[Cell, Value]


class Departures(Struct, eq=False):
    """The paths that leave one round of a loop, or one function."""

    m: Machine
    kinds: tuple[str, ...]
    """`break` and `continue`, or `return`."""
    logs: int = 0
    conditions: int = 0
    """How many there were when it began."""
    found: list[_Departure] = []

    def __post_init__(self) -> None:
        self.logs, self.conditions = len(self.m.logs), len(self.m.conditions)

    def add(self, kind: str) -> None:
        """A path leaves here."""
        m = self.m
        given = {cell: cell.value for log in m.logs[self.logs :] for cell in log}
        conditions = m.conditions[self.conditions :]
        uneven = next((why for c in conditions if (why := m.symbols.varying(c))), "")
        if given or uneven:
            self.found.append(_Departure(kind, all_of(m, conditions), uneven, given))

    def uneven(self, kind: str) -> str:
        """Why some lanes leave in this way and others do not; empty if all do together."""
        return next((path.uneven for path in self.found if path.kind == kind and path.uneven), "")

    def merge(self, kind: str, names: Mapping[Cell, str] | None = None) -> None:
        """The paths that left in this way come back. With names: in a round that differs from path to path."""
        for path in reversed([path for path in self.found if path.kind == kind]):
            for cell, value in path.given.items():
                if names is None or not path.uneven:
                    self.m.assign(cell, select(self.m, path.condition, value, cell.value))
                elif cell in names:
                    self.m.assign(cell, _apart(self.m, cell, names[cell], path.uneven))


def _apart(m: Machine, cell: Cell, name: str, why: str) -> Value:
    """A variable that lanes gave values in rounds of their own."""
    match cell.value:
        case Pointer(memory=memory, target=target):
            return Pointer(memory, m.symbols.new(name, Symbol(why)), target)
        case Int():
            return Int(m.symbols.new(name, Symbol(why)))
        case Data() | Open():
            return m.unknown(cell.kind, name, why)
        case _:
            return cell.value


def all_of(m: Machine, conditions: Sequence[Dim]) -> Dim:
    """1 where all conditions hold."""
    result = dim(1)
    for condition in conditions:
        try:
            result = result * condition
        except ArithmeticError:
            return m.too_large(result, condition)
    return result
