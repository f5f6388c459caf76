"""FLOPs, bytes and counts as people read them: numbers where all sizes are bound, else formulas of a few terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kernelscope.dims import Dim, TooLarge, dim
from kernelscope.dims.spelling import spelled
from kernelscope.explain.dim_names import DimNames
from kernelscope.explain.numbers import memory, thousands
from kernelscope.explain.work import TOO_LONG
from kernelscope.tensor import Size, Unknown

MAX_TERMS = 10
"""Terms of a formula that are written out, those of the highest degree first."""


def counted_at(element_bytes: int) -> str:
    """How many bytes the elements of tensors take."""
    which = "elements that are floating-point, or of unknown type,"
    return f"{which} are counted at {element_bytes} bytes; bind bytes=4 for float32"


class Amounts:
    """Writes amounts in the names of one document."""

    def __init__(self, names: DimNames, bindings: Mapping[str, int]) -> None:
        self.names = names
        self.bindings = bindings
        self.formulas: list[str] = []
        """What was written that is no number, for the legend."""

    def number(self, size: Size) -> int | None:
        """The amount, where all its names are bound."""
        if isinstance(size, Unknown):
            return None
        return self._in_numbers(self.names.settled(size)).const

    def _in_numbers(self, size: Dim) -> Dim:
        """A size in the numbers that its names, or the letters that stand for them, are bound to."""
        names = size.names()
        letters = {n: self.names.numbers[n] for n in names if n in self.names.numbers}
        return size.subs(letters | spelled(names, self.bindings))

    def text(self, size: Size, unit: str = "") -> str:
        """`4.3 G`, `1.5 MiB`, `2*B*S*H + 3 more terms`, `?`."""
        number = self.number(size)
        if number is not None:
            return memory(number) if unit == "B" else thousands(number)
        if isinstance(size, Unknown):
            return f"({size.reason})" if size is TOO_LONG else "?"
        size = self.names.settled(size)
        left = len(size.terms) - MAX_TERMS
        more = "" if left <= 0 else " + 1 more term" if left == 1 else f" + {left} more terms"
        self.formulas.append(" + ".join(self.names.size(Dim((term,))) for term in size.terms[:MAX_TERMS]))
        return self.formulas[-1].replace("+ -", "- ") + more

    def total(self, sizes: Iterable[Size]) -> tuple[Size, int]:
        """The sum of the sizes that are known, in numbers as far as these are bound, and how many are not known."""
        total, unknown = dim(0), 0
        for size in sizes:
            if isinstance(size, Unknown):
                unknown += 1
                continue
            try:
                size = self.names.settled(size)
                total = total + self._in_numbers(size)
            except TooLarge:
                return TOO_LONG, unknown
        return total, unknown
