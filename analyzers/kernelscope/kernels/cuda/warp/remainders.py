"""Whether a place is only for lanes at the end of the data: those whose position is beyond what a bound lets through.

How many they are depends on sizes that nobody knows, so that nothing certain can be said of a whole warp there.
"""

from __future__ import annotations

from collections.abc import Iterable

from kernelscope.dims import Dim
from kernelscope.dims.monomial import Opaque
from kernelscope.kernels.cuda.warp.sectors import AXES


def is_for_the_rest(conditions: Iterable[Dim]) -> bool:
    """Whether the way to a place leads beyond a bound: `n <= i`, or not (`i + 3 < n` and `row < m`)."""
    return any(_is_beyond(condition) for condition in conditions)


def _is_beyond(condition: Dim) -> bool:
    for monomial, factor in condition.terms:
        sides = [_side(atom) for atom, _ in monomial]
        if (factor > 0 and -1 in sides) or (factor < 0 and sides and all(side == 1 for side in sides)):
            return True
    return False


def _side(atom: str | Opaque) -> int:
    """1 for a position below a size, -1 for one above it, 0 for everything else."""
    if not isinstance(atom, Opaque) or atom.op != "<":
        return 0
    small, large = atom.args
    if _is_position(small) and _is_size(large):
        return 1
    return -1 if _is_size(small) and _is_position(large) else 0


def _is_position(d: Dim) -> bool:
    return any(name in AXES for name in d.names())


def _is_size(d: Dim) -> bool:
    return d.const is None and not _is_position(d)
