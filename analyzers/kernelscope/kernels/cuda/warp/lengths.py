"""Which sizes that a launch passes are lengths of the data, and which are strides: these may be 1.

A length bounds what is done somewhere in the kernel, a loop or a guard, or parts an index into rows; a number that is
only multiplied with indices is a stride.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.warp.banks import Conflict
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.sectors import Class, Traffic


@dataclass
class Lengths:
    """The sizes of one run of a kernel."""

    run: Run
    is_size: Callable[[str], bool]

    @cached_property
    def _lengths(self) -> frozenset[str]:
        return frozenset(self._bounding())

    def _bounding(self) -> Iterator[str]:
        for access in self.run.accesses:
            for condition in access.conditions:
                yield from condition.names()
            for atom in access.offset.atoms():
                if not isinstance(atom, str):
                    for argument in atom.args:
                        yield from argument.names()

    def steps(self, outcome: Traffic | Conflict, width: int | None) -> str:
        """The strides by which lanes lie apart, if they lie next to each other where these are 1: `stride`."""
        if not isinstance(outcome, Traffic) or outcome.kind is not Class.STRIDED or outcome.group > 1 or width is None:
            return ""
        steps = outcome.stride.exact_div(Dim((((), width),))) if outcome.stride is not None else None
        if steps is None or len(steps.terms) != 1 or steps.const is not None:
            return ""
        ((monomial, factor),) = steps.terms
        names = [atom for atom, _ in monomial if isinstance(atom, str)]
        if factor != 1 or len(names) < len(monomial) or not all(map(self._may_be_one, names)):
            return ""
        return " and ".join(names)

    def _may_be_one(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        passed = symbol is not None and self.is_size(name) and not symbol.template
        return passed and name not in self._lengths
