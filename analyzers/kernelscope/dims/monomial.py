"""Monomials: products of atoms with exponents, in a total order; an atom is a name or an opaque operation.

Coefficients and sums are the business of `polynomial`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernelscope.dims.polynomial import Dim


class Opaque:
    """An operation that the polynomial form cannot open: `//`, `%`, `cdiv`, `max`, `min`, bit operations, `<`.

    `args` are two Dims, for `max` and `min` two or more in normal order.
    """

    __slots__ = ("_hash", "args", "key", "op", "weight")

    def __init__(self, op: str, args: tuple[Dim, ...]) -> None:
        self.op = op
        self.args = args
        self.key = (1, op, tuple(a.key for a in args))
        self.weight = 1 + sum(a.weight for a in args)
        self._hash = hash((op, args))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Opaque) and self._hash == other._hash and self.op == other.op and self.args == other.args
        )

    def __repr__(self) -> str:
        return f"{self.op}{self.args}"


Atom = str | Opaque
KEPT = 4096
"""So many results of each operation on sizes are kept: what one file works with comes again and again, and what was
seen in thousands of files does not."""

Monomial = tuple[tuple[Atom, int], ...]
"""(atom, exponent) in the order of `factor_key`; the empty one is 1."""


def factor_key(factor: tuple[Atom, int]) -> tuple[object, ...]:
    """Names first, by alphabet."""
    atom = factor[0]
    return (0, atom) if isinstance(atom, str) else atom.key


@lru_cache(KEPT)
def monomial_key(monomial: Monomial) -> tuple[object, ...]:
    """Graded, then lexicographic with exponents: without them `B*B*S` would tie with `B*S*S`."""
    return (-sum(e for _, e in monomial), tuple((factor_key((a, e)), -e) for a, e in monomial))


@lru_cache(KEPT)
def times(left: Monomial, right: Monomial) -> Monomial:
    """The product."""
    if not left or not right:
        return left or right
    powers = dict(left)
    for atom, exponent in right:
        powers[atom] = powers.get(atom, 0) + exponent
    return tuple(sorted(powers.items(), key=factor_key))


@lru_cache(KEPT)
def over(left: Monomial, right: Monomial) -> Monomial | None:
    """The quotient, None if it is not whole."""
    if not right:
        return left
    powers = dict(left)
    for atom, exponent in right:
        rest = powers.get(atom, 0) - exponent
        if rest < 0:
            return None
        if rest:
            powers[atom] = rest
        else:
            del powers[atom]
    return tuple(sorted(powers.items(), key=factor_key))
