"""Dim: an integer polynomial over atoms; an atom is a name or an opaque `//`, `%`, `max`, `^`, `<` and such.

Knows no bounds and no facts: every rewrite here holds for all integers, with divisors taken as positive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from math import gcd
from operator import itemgetter
from typing import Union

from kernelscope.dims.monomial import KEPT, Atom, Monomial, Opaque, factor_key, monomial_key, over, times

MAX_WEIGHT = 400
"""Atoms that one Dim may hold, counted through opaque atoms. Nothing a reader could read comes near it."""


class TooLarge(ArithmeticError):
    """The result would have more than `MAX_WEIGHT` atoms."""


DimLike = Union["Dim", int, str]


class Dim:
    """An integer in normal form. Equal polynomials compare equal; a plain int compares equal to its constant.

    `==` is structural: False means only "not the same form". Use `same` for a three-valued answer.
    """

    __slots__ = ("_hash", "_key", "_names", "const", "has_opaque", "name", "terms", "weight")

    terms: tuple[tuple[Monomial, int], ...]
    """(monomial, coefficient) in normal order: by degree, highest first, then lexicographically."""
    const: int | None
    """The number this Dim is, or None when a name is in it."""
    name: str | None
    """The name this Dim is, when it is nothing but a name."""
    has_opaque: bool
    """Whether there is an operation in it that the polynomial form cannot open."""

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._key: tuple[object, ...] | None = None
        self._names: tuple[str, ...] | None = None
        weight = 0
        self.has_opaque = False
        for monomial, _ in terms:
            weight += 1
            for atom, _ in monomial:
                if isinstance(atom, str):
                    weight += 1
                else:
                    weight += atom.weight
                    self.has_opaque = True
        if weight > MAX_WEIGHT:
            raise TooLarge(f"an integer expression of {weight} parts")
        self.weight = weight
        self.const = self.name = None
        if not terms:
            self.const = 0
        elif len(terms) == 1:
            monomial, coefficient = terms[0]
            if not monomial:
                self.const = coefficient
            elif coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and isinstance(monomial[0][0], str):
                self.name = monomial[0][0]
        self._hash = hash(terms) if self.const is None else hash(self.const)

    @property
    def key(self) -> tuple[object, ...]:
        """Sorts Dims in a total order that depends on nothing but their value."""
        if self._key is None:
            self._key = tuple((monomial_key(m), c) for m, c in self.terms)
        return self._key

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Dim):
            return self._hash == other._hash and self.terms == other.terms
        return isinstance(other, int) and self.const == other

    def __repr__(self) -> str:
        from kernelscope.dims.render import render

        return render(self)

    def __add__(self, other: DimLike) -> Dim:
        right = _operand(other)
        if right is None:
            return NotImplemented
        if not right.terms:
            return self
        if not self.terms:
            return right
        if right.const is not None:
            return _shifted(self, right.const)
        if self.const is not None:
            return _shifted(right, self.const)
        sums = dict(self.terms)
        for monomial, coefficient in right.terms:
            sums[monomial] = sums.get(monomial, 0) + coefficient
        return _sorted(sums)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return Dim(tuple([(m, -c) for m, c in self.terms]))

    def __sub__(self, other: DimLike) -> Dim:
        right = _operand(other)
        if right is None:
            return NotImplemented
        if right.const is not None:
            return _shifted(self, -right.const)
        if self.const is not None:
            return _shifted(-right, self.const)
        differences = dict(self.terms)
        for monomial, coefficient in right.terms:
            differences[monomial] = differences.get(monomial, 0) - coefficient
        return _sorted(differences)

    def __rsub__(self, other: DimLike) -> Dim:
        return _shifted(-self, other) if isinstance(other, int) else dim(other) - self

    def __mul__(self, other: DimLike) -> Dim:
        right = _operand(other)
        if right is None:
            return NotImplemented
        if self.const == 1:
            return right
        if right.const == 1:
            return self
        if right.const is not None:
            return _scaled(self, right.const)
        if self.const is not None:
            return _scaled(right, self.const)
        if len(self.terms) * len(right.terms) > MAX_WEIGHT:
            raise TooLarge("a product of sums")
        products: dict[Monomial, int] = {}
        for mine, a in self.terms:
            for theirs, b in right.terms:
                monomial = times(mine, theirs)
                products[monomial] = products.get(monomial, 0) + a * b
        return _sorted(products)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Dim:
        if exponent < 0 or exponent > 64:
            raise TooLarge(f"exponent {exponent}")
        result = ONE
        for _ in range(exponent):
            result = result * self
        return result

    def exact_div(self, other: DimLike) -> Dim | None:
        """`self / other` when the division leaves no remainder for any sizes, else None."""
        other = dim(other)
        if other.const == 1:
            return self
        if len(other.terms) != 1:
            return ONE if self == other and self.terms else _long_division(self, other)
        divisor, factor = other.terms[0]
        quotients: dict[Monomial, int] = {}
        for monomial, coefficient in self.terms:
            quotient = over(monomial, divisor)
            if quotient is None or coefficient % factor:
                return None
            quotients[quotient] = coefficient // factor
        return _sorted(quotients)

    def __floordiv__(self, other: DimLike) -> Dim:
        right = _operand(other)
        return NotImplemented if right is None else _floor_divided(self, right)

    def __rfloordiv__(self, other: DimLike) -> Dim:
        return dim(other) // self

    def __mod__(self, other: DimLike) -> Dim:
        right = _operand(other)
        return NotImplemented if right is None else _remainder(self, right)

    def __rmod__(self, other: DimLike) -> Dim:
        return dim(other) % self

    def subs(self, values: Mapping[str, DimLike]) -> Dim:
        """Replace names by Dims, numbers or other names, all at once; operations are done anew."""
        if not values or not self.terms:
            return self
        alone = self.name
        if alone is not None:
            return dim(values[alone]) if alone in values else self
        names = self.names()
        if names and values.keys().isdisjoint(names):
            return self
        sums: dict[Monomial, int] = {}
        for monomial, coefficient in self.terms:
            kept: list[tuple[Atom, int]] = []
            others: Dim | None = None
            for factor in monomial:
                atom, exponent = factor
                found = _replaced(atom, values)
                if found is None:
                    kept.append(factor)
                elif found.const is not None:
                    coefficient *= found.const**exponent
                else:
                    power = found if exponent == 1 else found**exponent
                    others = power if others is None else others * power
            rest = tuple(kept)
            if others is None:
                sums[rest] = sums.get(rest, 0) + coefficient
                continue
            for theirs, by in others.terms if coefficient else ():
                product_of = times(rest, theirs)
                sums[product_of] = sums.get(product_of, 0) + coefficient * by
        return _sorted(sums)

    def evaluate(self, values: Mapping[str, int]) -> int | None:
        """The number for given sizes; None when a name is missing or a divisor is zero."""
        try:
            return self.subs(values).const
        except ArithmeticError:
            return None

    def atoms(self) -> Iterator[Atom]:
        """The atoms of this Dim, not those inside opaque ones; repeated where they are."""
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                yield atom

    def names(self) -> tuple[str, ...]:
        """All names, also inside opaque atoms, each once."""
        if self._names is not None:
            return self._names
        found: dict[str, None] = {}
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                if isinstance(atom, str):
                    found[atom] = None
                else:
                    for arg in atom.args:
                        for name in arg.names():
                            found[name] = None
        self._names = tuple(found)
        return self._names


def dim(value: DimLike) -> Dim:
    """A Dim of a Dim, a number or a name."""
    if isinstance(value, Dim):
        return value
    return _named(value) if isinstance(value, str) else _constant(int(value))


def _operand(value: object) -> Dim | None:
    """None for what is no integer: then Python asks the other side, as it must for an unknown size."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, int):
        return _constant(int(value))
    return _named(value) if isinstance(value, str) else None


@lru_cache(KEPT)
def _named(name: str) -> Dim:
    return Dim(((((name, 1),), 1),))


@lru_cache(KEPT)
def _constant(value: int) -> Dim:
    return Dim((((), value),) if value else ())


def difference(a: Dim, b: Dim) -> int | None:
    """`a - b` where that is a number: where both have the same terms but for the number at their ends."""
    x, y = a.terms, b.terms
    m = n = 0
    if x and not x[-1][0]:
        x, m = x[:-1], x[-1][1]
    if y and not y[-1][0]:
        y, n = y[:-1], y[-1][1]
    return m - n if x == y else None


def product(dims: Iterable[DimLike]) -> Dim:
    """The product; 1 of nothing."""
    result = ONE
    for d in dims:
        result = result * d
    return result


def total(dims: Iterable[DimLike]) -> Dim:
    """The sum; 0 of nothing."""
    result = ZERO
    for d in dims:
        result = result + d
    return result


def ceil_div(a: DimLike, b: DimLike) -> Dim:
    """`a / b` rounded up, as `cdiv`; terms that divide exactly are taken out as with `//`."""
    left, right = dim(a), dim(b)
    if not right.terms:
        raise ZeroDivisionError("integer division by zero")
    whole, rest = _split_divisible(left, right)
    if not rest.terms:
        return whole
    rest, right = cancel(rest, right)
    p, q = rest.const, right.const
    if p is not None and q is not None:
        return whole + -(-p // q)
    if _is_negative(right) or _is_negative(rest):
        return whole - rest // -right if _is_negative(right) else whole - -rest // right
    return whole + (rest if right.const == 1 else opaque("cdiv", (rest, right)))


def opaque(op: str, args: tuple[Dim, ...]) -> Dim:
    """The Dim that is one operation on others, as it stands."""
    return Dim(((((Opaque(op, args), 1),), 1),))


def sole_opaque(d: Dim, op: str = "") -> Opaque | None:
    """The operation that a Dim is and nothing else, if it is that one."""
    if len(d.terms) == 1:
        monomial, coefficient = d.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            atom = monomial[0][0]
            if isinstance(atom, Opaque) and op in ("", atom.op):
                return atom
    return None


def apply(op: str, args: tuple[Dim, ...]) -> Dim:
    """Do the operation of an opaque atom on new arguments; what is divided by zero has no value and stays as it is."""
    if op in ("//", "%", "cdiv") and not args[1].terms:
        return opaque(op, args)
    if op == "//":
        return args[0] // args[1]
    if op == "%":
        return args[0] % args[1]
    if op == "cdiv":
        return ceil_div(args[0], args[1])
    if op in ("max", "min"):
        from kernelscope.dims.extremes import maximum, minimum

        return maximum(*args) if op == "max" else minimum(*args)
    from kernelscope.dims.bits import BIT_OPERATIONS

    return BIT_OPERATIONS[op](*args)


def _replaced(atom: Atom, values: Mapping[str, DimLike]) -> Dim | None:
    """What an atom becomes; None where it stays as it is."""
    if isinstance(atom, str):
        return dim(values[atom]) if atom in values else None
    args = tuple([arg.subs(values) for arg in atom.args])
    if all(new is old for new, old in zip(args, atom.args, strict=True)):
        return None
    return apply(atom.op, args)


@lru_cache(KEPT)
def _floor_divided(number: Dim, divisor: Dim) -> Dim:
    if not divisor.terms:
        raise ZeroDivisionError("integer division by zero")
    exact = number.exact_div(divisor)
    if exact is not None:
        return exact
    whole, rest = _split_divisible(number, divisor)
    if whole.terms:
        return whole + rest // divisor
    number, divisor = cancel(number, divisor)
    a, b = number.const, divisor.const
    if a is not None and b is not None:
        return dim(a // b)
    if divisor.const == 1:
        return number
    if _is_negative(divisor) or _is_negative(number):  # -(a // -b) and -(-a // b) are how Python rounds up
        return -ceil_div(number, -divisor) if _is_negative(divisor) else -ceil_div(-number, divisor)
    inner = sole_opaque(number, "//")
    if inner is not None and (b is None or b > 0):  # (a//b)//c == a//(b*c)
        return inner.args[0] // (inner.args[1] * divisor)
    return opaque("//", (number, divisor))


@lru_cache(KEPT)
def _remainder(number: Dim, divisor: Dim) -> Dim:
    if not divisor.terms:
        raise ZeroDivisionError("integer modulo by zero")
    if _is_negative(divisor):  # what is left over has its divisor's sign
        return -_remainder(-number, -divisor)
    _, rest = _split_divisible(number, divisor)
    if rest.exact_div(divisor) is not None:
        return ZERO
    number, small = cancel(rest, divisor)
    factor = divisor.exact_div(small)
    a, b = number.const, small.const
    if a is not None and b is not None and factor is not None:
        return factor * (a % b)
    if factor is None or small.const == 1:
        return ZERO
    if b == 2 and number.terms and not number.terms[-1][0] and number.terms[-1][1] % 2:
        # (k + 1) % 2 is 1 - k % 2: a sequence is padded by 2*(k//2) - (k + 1) % 2 for windows of k
        even = _shifted(number, -number.terms[-1][1])
        return factor * (ONE - even + 2 * (even // 2))
    return factor * opaque("%", (number, small))


def _is_negative(d: Dim) -> bool:
    """Whether all that is added up is subtracted: an operation is kept on `-d` instead."""
    return all(coefficient < 0 for _, coefficient in d.terms)


def _split_divisible(d: Dim, divisor: Dim) -> tuple[Dim, Dim]:
    """(quotient of the terms that divide exactly, the other terms)."""
    if len(d.terms) == 1 or len(divisor.terms) > 1:
        exact = d.exact_div(divisor)
        return (exact, ZERO) if exact is not None else (ZERO, d)
    whole: list[Dim] = []
    rest: list[tuple[Monomial, int]] = []
    for term in d.terms:
        quotient = Dim((term,)).exact_div(divisor)
        if quotient is None:
            rest.append(term)
        else:
            whole.append(quotient)
    return total(whole), Dim(tuple(rest))


def cancel(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """Both without their common monomial factor: `(g*a)//(g*b) == a//b`."""
    if not a.terms:
        return a, b
    factor = 0
    for _, coefficient in (*a.terms, *b.terms):
        factor = gcd(factor, coefficient)
    common = dict(a.terms[0][0])
    for monomial, _ in (*a.terms[1:], *b.terms):
        if not common:
            break
        powers = dict(monomial)
        common = {atom: min(e, powers[atom]) for atom, e in common.items() if atom in powers}
    if factor == 1 and not common:
        return a, b
    shared = Dim(((tuple(sorted(common.items(), key=factor_key)), factor),))
    return a.exact_div(shared) or a, b.exact_div(shared) or b


def _long_division(numerator: Dim, divisor: Dim) -> Dim | None:
    """Division by leading terms; None unless the remainder vanishes."""
    if not divisor.terms:
        return None
    quotient, lead = ZERO, Dim(divisor.terms[:1])
    for _ in range(32):
        if not numerator.terms:
            return quotient
        step = Dim(numerator.terms[:1]).exact_div(lead)
        if step is None:
            return None
        quotient, numerator = quotient + step, numerator - step * divisor
    return None


def _shifted(d: Dim, by: int) -> Dim:
    """A Dim plus a number, which comes last in normal order."""
    if not by:
        return d
    if d.const is not None:
        return _constant(d.const + by)
    if d.terms[-1][0]:
        return Dim((*d.terms, ((), by)))
    by += d.terms[-1][1]
    return Dim((*d.terms[:-1], ((), by)) if by else d.terms[:-1])


def _scaled(d: Dim, by: int) -> Dim:
    """A Dim times a number: its terms stay in order."""
    if d.const is not None:
        return _constant(d.const * by)
    return Dim(tuple([(m, c * by) for m, c in d.terms])) if by else ZERO


_FIRST = itemgetter(0)


def _sorted(sums: dict[Monomial, int]) -> Dim:
    if len(sums) == 1:
        return Dim(tuple([term for term in sums.items() if term[1]]))
    keyed = [(monomial_key(m), m, c) for m, c in sums.items() if c]
    keyed.sort(key=_FIRST)
    return Dim(tuple([(m, c) for _, m, c in keyed]))


ZERO = _constant(0)
ONE = _constant(1)

ARITHMETIC: dict[str, Callable[[Dim, Dim], Dim]] = {
    "+": Dim.__add__,
    "-": Dim.__sub__,
    "*": Dim.__mul__,
    "//": Dim.__floordiv__,
    "%": Dim.__mod__,
}
"""Python's operators on whole numbers. `//` and `%` raise ArithmeticError for a zero."""
