"""Whether two Dims are the same number: yes, no, or cannot tell.

Does not search: one stronger normal form, then divisibility of coefficients, then bounds.
"""

from __future__ import annotations

from math import gcd, prod

from kernelscope.dims.bits import BIT_OPERATIONS
from kernelscope.dims.facts import NO_FACTS, Facts
from kernelscope.dims.monomial import Atom, Monomial, Opaque
from kernelscope.dims.polynomial import ONE, ZERO, Dim, DimLike, TooLarge, apply, dim, sole_opaque

ROUNDED = ("//", "cdiv")
MOST_COMPARED = 40
"""Sizes of more parts than this are not taken apart to be compared."""
MOST_ROUNDED = 3
"""So many quotients of a size are put between their bounds."""


def same(a: DimLike, b: DimLike, facts: Facts = NO_FACTS) -> bool | None:
    """True and False are certain for all sizes that `facts` allow; None is "cannot tell"."""
    left, right = dim(a), dim(b)
    if left == right:
        return True
    try:
        difference = left - right
        for form in (difference, normal(difference, facts)):
            low, high = bounds(form, facts)
            if low == high == 0:
                return True
            if (low is not None and low > 0) or (high is not None and high < 0) or _never_zero(form):
                return False
    except TooLarge:
        return None
    return None


def are_multiples(a: Dim, b: Dim, facts: Facts = NO_FACTS) -> bool:
    """Whether two Dims are different multiples of one product, `2*H` and `3*H`: equal only where that is 0."""
    one, other = facts.rewrite(a), facts.rewrite(b)
    if len(one.terms) != 1 or len(other.terms) != 1:
        return False
    (product, times), (same_product, other_times) = one.terms[0], other.terms[0]
    return bool(product) and product == same_product and times != other_times


def normal(d: Dim, facts: Facts = NO_FACTS) -> Dim:
    """A form in which more equal Dims agree than in that of arithmetic, though nobody would write it so.

    `cdiv(a, b)` and `%` become `//`, numbers come out of `//` (`(H-1)//2 + 1` is `(H+1)//2`), floors are merged.
    """
    d = facts.rewrite(d)
    if not d.has_opaque:
        return d
    result = ZERO
    for monomial, coefficient in d.terms:
        term = dim(coefficient)
        for atom, exponent in monomial:
            term = term * _normal_atom(atom, facts) ** exponent
        result = result + term
    return facts.rewrite(result)


def _normal_atom(atom: Atom, facts: Facts) -> Dim:
    if isinstance(atom, str):
        return dim(atom)
    args = tuple(normal(arg, facts) for arg in atom.args)
    if atom.op == "//":
        return _floor(*args)
    if atom.op == "cdiv":
        return _floor(args[0] + args[1] - ONE, args[1])
    if atom.op == "%":
        return args[0] - args[1] * _floor(*args)
    return apply(atom.op, args)


def _floor(number: Dim, divisor: Dim) -> Dim:
    """`number // divisor` with inner floors merged and, for a numeric divisor, coefficients reduced."""
    for monomial, coefficient in number.terms:
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and not _is_negative(divisor):
            inner = monomial[0][0]
            if isinstance(inner, Opaque) and inner.op == "//" and not _is_negative(inner.args[1]):
                rest = number - Dim(((monomial, 1),))  # (a//b + r)//c == (a + r*b)//(b*c)
                return _floor(inner.args[0] + rest * inner.args[1], inner.args[1] * divisor)
    k = divisor.const
    if k is None or k <= 0:
        return number // divisor
    whole, rest = ZERO, ZERO
    for monomial, coefficient in number.terms:
        whole = whole + Dim(((monomial, coefficient // k),) if coefficient // k else ())
        rest = rest + Dim(((monomial, coefficient % k),) if coefficient % k else ())
    return whole + rest // divisor


def _is_negative(d: Dim) -> bool:
    return d.const is not None and d.const <= 0


def _never_zero(d: Dim) -> bool:
    """Whether the coefficients forbid zero, as in `2*S - 3`."""
    constant, factor = 0, 0
    for monomial, coefficient in d.terms:
        if monomial:
            factor = gcd(factor, coefficient)
        else:
            constant = coefficient
    return constant % factor != 0 if factor else constant != 0


Bounds = tuple[int | None, int | None]


def bounds(d: Dim, facts: Facts = NO_FACTS) -> Bounds:
    """(smallest, largest) possible value, each None if not known. A name is at least 0 unless facts say more."""
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in d.terms:
        small, large = _monomial_bounds(monomial, facts)
        if coefficient < 0:
            small, large = large, small
        low = None if low is None or small is None else low + coefficient * small
        high = None if high is None or large is None else high + coefficient * large
    return low, high


def _monomial_bounds(monomial: Monomial, facts: Facts) -> Bounds:
    low: list[int] = []
    high: list[int | None] = []
    for atom, exponent in monomial:
        small, large = _atom_bounds(atom, facts)
        if small is None or small < 0:
            return (small, large) if len(monomial) == 1 and exponent == 1 else (None, None)
        low += [small] * exponent
        high += [large] * exponent
    known = [n for n in high if n is not None]
    return prod(low), prod(known) if len(known) == len(high) else None


def _atom_bounds(atom: Atom, facts: Facts) -> Bounds:
    if isinstance(atom, str):
        return facts.smallest.get(atom, 0), facts.largest.get(atom)
    args = [bounds(arg, facts) for arg in atom.args]
    lows = [low for low, _ in args if low is not None]
    highs = [high for _, high in args if high is not None]
    if atom.op == "max":
        return max(lows, default=None), max(highs) if len(highs) == len(args) else None
    if atom.op == "min":
        return min(lows) if len(lows) == len(args) else None, min(highs, default=None)
    (low, high), (small, large) = args
    if atom.op in ("<", "=="):
        return 0, 1
    if atom.op in BIT_OPERATIONS:
        return _bit_bounds(atom.op, args)
    if atom.op == "%":
        if small is None or small < 0:  # what is left over has its divisor's sign
            return None, None
        limits = (high if low is not None and low >= 0 else None, None if large is None else large - 1)
        return 0, min((n for n in limits if n is not None), default=None)
    if small is None or low is None or low < 0:
        return None, None
    small = max(small, 1)  # a divisor of 0 would have failed
    if atom.op == "cdiv":
        return (-(-low // large) if large else int(low > 0)), None if high is None else -(-high // small)
    return (low // large if large else 0), None if high is None else high // small


def _bit_bounds(op: str, args: list[Bounds]) -> Bounds:
    (low, high), (small, large) = args
    if low is None or small is None or low < 0 or small < 0:
        return None, None
    if op == ">>":
        return 0, high
    if op == "<<":
        return low, None
    if op == "&":
        return 0, min((n for n in (high, large) if n is not None), default=None)
    return 0, (1 << max(high, large).bit_length()) - 1 if high is not None and large is not None else None


def at_most(a: Dim, b: Dim, facts: Facts = NO_FACTS) -> bool:
    """Whether `a <= b` is certain, with divisors of at least 1."""
    difference = b - a
    low, _ = bounds(difference, facts)
    if low is not None and low >= 0:
        return True
    for d in a, b:
        atom = sole_opaque(d)
        if atom is None or atom.weight > MOST_COMPARED:
            continue
        of_a = d is a
        if atom.op == "min":
            return (any if of_a else all)(at_most(x, b, facts) if of_a else at_most(a, x, facts) for x in atom.args)
        if atom.op == "max":
            return (all if of_a else any)(at_most(x, b, facts) if of_a else at_most(a, x, facts) for x in atom.args)
        if atom.op == "//" and of_a and _is_floor_at_most(atom, b, facts):
            return True
        if atom.op == "cdiv" and not of_a and (rounded_up := normal(b, facts)) != b:
            return at_most(normal(a, facts), rounded_up, facts)
    return _is_from_zero_unrounded(difference, facts)


def _is_floor_at_most(floor: Opaque, b: Dim, facts: Facts) -> bool:
    number, divisor = floor.args
    if at_most(number, b * divisor, facts):
        return True
    least, _ = bounds(number, facts)
    if least is None or least < 0:
        return False
    other = sole_opaque(b, "//")
    if other is not None and other.args[0] == number and divisor.exact_div(other.args[1]) is not None:
        return True  # a//(2*b) of a//b
    if other is not None and other.args[1] == divisor and at_most(number, other.args[0], facts):
        return True
    return at_most(number, b, facts)


def _is_from_zero_unrounded(d: Dim, facts: Facts) -> bool:
    """Whether a Dim is at least 0 with every rounded quotient `a//b` put between `(a - b + 1)/b` and `a/b`.

    So `n - n//2` is `n/2` at least, and `b*((a-1)//b) + b - a` is not below 0.
    """
    scale = 1
    for _ in range(MOST_ROUNDED):
        rounded = next((term for term in d.terms if _holds_rounded(term[0], facts)), None)
        if rounded is None:
            return False
        monomial, coefficient = rounded
        atom = next(atom for atom, _ in monomial if isinstance(atom, Opaque) and atom.op in ROUNDED)
        number, divisor = atom.args
        if (atom.op == "//") == (coefficient > 0):
            number = number - divisor + ONE if coefficient > 0 else number + divisor - ONE
        others = Dim(((tuple(f for f in monomial if f[0] is not atom), coefficient),))
        d = (d - Dim((rounded,))) * divisor + others * number
        if d.weight > MOST_COMPARED:
            return False
        scale *= divisor.const or 1
        low, _ = bounds(d, facts)
        if low is not None and low > -scale:  # what is a whole number above -1 is at least 0
            return True
    return False


def _holds_rounded(monomial: Monomial, facts: Facts) -> bool:
    """Whether a product is of one rounded quotient, by what is not negative, and others that are not."""
    rounded = 0
    for atom, exponent in monomial:
        if isinstance(atom, Opaque) and atom.op in ROUNDED:
            rounded += exponent
            low, _ = bounds(atom.args[1], facts)
        else:
            low, _ = _atom_bounds(atom, facts)
        if low is None or low < 0:
            return False
    return rounded == 1
