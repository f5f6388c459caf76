"""Where rows begin in global memory: what sizes have to be multiples of for each to begin at a sector.

Positions that take every value, such as a loop's, are told apart from sizes, which code keeps divisible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import gcd, lcm

from kernelscope.dims import render
from kernelscope.dims.monomial import Atom, Monomial, Opaque
from kernelscope.kernels.cuda.warp.lanes import Spread, requirement
from kernelscope.kernels.cuda.warp.sectors import SECTOR
from kernelscope.kernels.cuda.warp.values import Symbols


def row_starts(
    rows: tuple[Spread, ...], assumed: Mapping[str, int], is_size: Callable[[str], bool], symbols: Symbols
) -> tuple[dict[str, int], int]:
    """What sizes have to be multiples of, and by how many bytes at least rows may begin beside a sector then.

    The latter is a whole sector where they cannot. `assumed` says what is taken for granted of sizes already.
    """
    needs: dict[str, int] = {}
    step = SECTOR
    for monomial, numbers in ((m, n) for spread in rows for m, n in spread.items() if m):
        factor = gcd(SECTOR, _multiple(monomial, assumed) * gcd(*numbers))
        if factor == SECTOR:
            continue
        sizes = tuple((a, e) for a, e in monomial if all(is_size(n) for n in names_of(a)))
        if sizes:
            number, divisor = requirement(sizes, SECTOR // factor, is_size)
            needs[number] = lcm(divisor, needs.get(number, 1))
        elif (divided := _divided_size(monomial, is_size)) is not None:
            needs[divided[0]] = lcm(divided[1] * SECTOR // factor, needs.get(divided[0], 1))
        else:
            symbol = symbols.known.get(str(monomial[0][0])) if len(monomial) == 1 else None
            step = gcd(step, factor * gcd(*symbol.values) if symbol is not None and symbol.values else factor)
    return needs, step


def _multiple(monomial: Monomial, assumed: Mapping[str, int]) -> int:
    """What a term is a multiple of whatever its names are: `16*b % n` of 16, where `n` is taken to be one."""
    found = 1
    for atom, _ in monomial:
        if isinstance(atom, Opaque) and atom.op == "%":
            number, divisor = atom.args
            known = divisor.const or assumed.get(render(divisor), 1)
            found *= gcd(known, *(coefficient for _, coefficient in number.terms))
    return found


def _divided_size(monomial: Monomial, is_size: Callable[[str], bool]) -> tuple[str, int] | None:
    """The size of rows that a number divides, and the number: `n` and 2 of `(b*n + c*n) // 2`."""
    quotient = monomial[0][0] if len(monomial) == 1 else ""
    if not isinstance(quotient, Opaque) or quotient.op != "//" or not quotient.args[1].const:
        return None
    parts = [{atom for atom, _ in part if isinstance(atom, str)} for part, _ in quotient.args[0].terms]
    common = [name for name in quotient.args[0].names() if is_size(name) and all(name in part for part in parts)]
    return (common[0], quotient.args[1].const) if common else None


def names_of(atom: Atom) -> tuple[str, ...]:
    return (atom,) if isinstance(atom, str) else tuple(name for arg in atom.args for name in arg.names())
