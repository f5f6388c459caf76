"""Facts about names: equalities, divisibility (`hidden % heads == 0`), smallest and largest values.

Immutable: `with_…` returns new facts, so a branch can know more than what follows it. Nothing is derived by search.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache

from kernelscope.dims.monomial import KEPT, Atom, Monomial, Opaque
from kernelscope.dims.polynomial import ONE, ZERO, Dim, DimLike, TooLarge, apply, cancel, dim, sole_opaque, total

MOST_MISSING = 8
"""Multiples of numbers up to this one are looked for behind a size that is a little smaller."""
MOST_DIVISOR = 32
"""How often images become half as large, as 32 of 2 five times: what may be known to divide them by coming back."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about names in one place of the code.

    Without facts a name is any integer from 0: a cached length or an offset may be 0, so `S + past` may equal `S`.
    """

    equal: Mapping[str, Dim] = field(default_factory=dict[str, Dim])
    """Replaced name → what it equals; right sides hold no replaced names."""
    divisible: tuple[tuple[Dim, Dim], ...] = ()
    """(a, b) for `a % b == 0`."""
    smallest: Mapping[str, int] = field(default_factory=dict[str, int])
    largest: Mapping[str, int] = field(default_factory=dict[str, int])
    needed: list[tuple[Dim, Dim]] | None = field(default=None, compare=False)
    """Where an operator notes sizes that must be equal for its call to succeed, if anybody asks."""
    alike: list[tuple[Dim, Dim]] | None = field(default=None, compare=False)
    """Where it notes sizes that are broadcast together: equal, for a name is a size in general, which is not 1."""
    ones: Set[str] = field(default=frozenset(), compare=False)
    """Names that may well be 1."""
    as_usual: bool = field(default=False, compare=False)
    """Whether code is taken to do what is usual where nothing tells: hovers are, diagnostics are not."""

    def asking(
        self, needed: list[tuple[Dim, Dim]], alike: list[tuple[Dim, Dim]], ones: Set[str], as_usual: bool
    ) -> Facts:
        """The same for one operator, with the lists in which it notes what must be equal."""
        return Facts(self.equal, self.divisible, self.smallest, self.largest, needed, alike, ones, as_usual)

    def with_equal(self, kept: DimLike, replaced: DimLike) -> Facts:
        """Know that two Dims are equal. A name of `replaced` gives way, else one of `kept`; nothing if none can.

        `width == 2*half` makes `half` a half of `width`, which is even.
        """
        left, right = self.rewrite(dim(kept)), self.rewrite(dim(replaced))
        if left == right:
            return self
        multiple = multiple_of_name(right)
        if multiple is not None and len(left.terms) == 1 and left.terms[0][1] == 1 and multiple[1] not in left.names():
            factor, name = multiple
            return self.with_divisible(left, factor)._with(name, left // factor)
        solution = solve(left, right)
        return self if solution is None else self._with(*solution)

    def _with(self, name: str, value: Dim) -> Facts:
        change = {name: value}
        known = {n: v.subs(change) if name in v.names() else v for n, v in self.equal.items()}
        return replace(self, equal={**known, name: value})

    def with_same(self, a: DimLike, b: DimLike) -> Facts:
        """Know that two Dims are equal, as after a view that succeeded: what that says of names and divisibility.

        `num_heads*(hidden//num_heads) == hidden` says that `num_heads` divides `hidden`; `B*S == B*T` says `S == T`.
        """
        try:
            return self._with_same(*cancel(self.rewrite(dim(a)), self.rewrite(dim(b))))
        except TooLarge:
            return self

    def _with_same(self, left: Dim, right: Dim) -> Facts:
        if left == right:
            return self
        known = self
        for atom in (*left.atoms(), *right.atoms()):
            if isinstance(atom, Opaque) and atom.op in {"//", "cdiv"}:
                one = self.with_divisible(*atom.args)
                if not _is_so_only(left, right, *atom.args):
                    continue
                if one is not self and not one.rewrite(left - right).terms:
                    return one
                known = known.with_divisible(*atom.args)
        if known is not self and not known.rewrite(left - right).terms:
            return known
        if (whole := self._without_rest(left, right)) is not None:
            return whole
        known = self.with_equal(*_without_sum(left, right))
        for quotient, other in ((left, right), (right, left)):
            if known is self and other != quotient and (parts := self._parts(quotient)) is not None:
                known = self.with_equal(*sorted((parts[0], other * parts[1]), key=_is_name))  # n is w times n//w
        return known

    def _without_rest(self, left: Dim, right: Dim) -> Facts | None:
        """`2*((n - 1)//2) + 2 == n` says that `n` is even: what was halved and doubled is as long as before."""
        names = (left - right).names()
        for atom in (*left.atoms(), *right.atoms()) if len(names) == 1 else ():
            divisor = atom.args[1].const if isinstance(atom, Opaque) and atom.op in {"//", "cdiv"} else None
            if divisor is None or not 1 < divisor <= MOST_DIVISOR:
                continue
            number = dim(names[0])
            known = self.with_divisible(number, divisor)
            if known is not self and not known.rewrite(left - right).terms:
                return known if _is_so_only(left, right, number, dim(divisor)) else None
        return None

    def with_alike(self, a: DimLike, b: DimLike) -> Facts:
        """Know that two Dims are equal if that does not make a name a number: a step with no past is no rule."""
        try:
            left, right = cancel(self.rewrite(dim(a)), self.rewrite(dim(b)))
            solution = None if left == right else solve(left, right)
        except TooLarge:
            return self
        if solution is not None and solution[1].const is not None:
            return self
        return self.with_same(left, right)

    def common(self, other: Facts) -> Facts:
        """What both know, as after two branches."""
        if other == self:
            return self
        return Facts(
            self._common_equal(other),
            tuple(fact for fact in self.divisible if fact in other.divisible),
            {name: low for name, low in self.smallest.items() if other.smallest.get(name) == low},
            {name: high for name, high in self.largest.items() if other.largest.get(name) == high},
        )

    def _common_equal(self, other: Facts) -> dict[str, Dim]:
        """Names that both take to be one, whichever gives way: `a = b = c` and `b = a` have `b = a` in common."""
        if self.equal == other.equal:
            return dict(self.equal)
        shared = {name: value for name, value in self.equal.items() if other.equal.get(name) == value}
        known = Facts(shared)
        kept: dict[tuple[Dim, Dim], Dim] = {}
        told = dict.fromkeys((*self.equal, *other.equal)) if self.equal and other.equal else ()
        for name in (n for n in told if n not in shared):
            one, two = self.equal.get(name, dim(name)), other.equal.get(name, dim(name))
            if (one, two) not in kept:
                kept[one, two] = one if other.rewrite(one) == two else two if self.rewrite(two) == one else dim(name)
            known = known.with_equal(kept[one, two], name)
        return dict(known.equal)

    def with_facts_about(self, names: Set[str], other: Facts) -> Facts:
        """What other facts say these names equal as well, which mean nothing where they are not known.

        Two other names that equal one of these there need not equal each other here: the first tells what it is.
        """
        known = self
        for name, value in other.equal.items():
            if name in self.equal:
                continue
            if name in names:
                known = known.with_equal(value, name)
            elif value.name in names and value.name not in known.equal:
                known = known.with_equal(name, value)
        return known

    def with_divisible(self, number: DimLike, divisor: DimLike) -> Facts:
        """Know that `number % divisor == 0`."""
        fact = (dim(number), dim(divisor))
        if fact in self.divisible or fact[0].exact_div(fact[1]) is not None:
            return self
        return replace(self, divisible=(*self.divisible, fact))

    def with_bounds(self, name: str, smallest: int | None = None, largest: int | None = None) -> Facts:
        """Know that `smallest <= name <= largest`; a bound known before stays if it is tighter."""
        low, high = dict(self.smallest), dict(self.largest)
        if smallest is not None:
            low[name] = max(smallest, low.get(name, smallest))
        if largest is not None:
            high[name] = min(largest, high.get(name, largest))
        return replace(self, smallest=low, largest=high)

    def with_sizes(self, *names: str) -> Facts:
        """Know that names are sizes of tensors that hold something: at least 1."""
        low = {**self.smallest, **{n: max(1, self.smallest.get(n, 1)) for n in names}}
        return replace(self, smallest=low)

    def divides(self, divisor: Dim, number: Dim) -> bool:
        """Whether `number % divisor == 0` is certain."""
        if number.exact_div(divisor) is not None:
            return True
        floor = sole_opaque(number, "//")
        if floor is not None and self.divides(divisor * floor.args[1], floor.args[0]):
            return True
        if (parts := self._parts(divisor)) is not None and number.exact_div(parts[0]) is not None:
            return True
        return any(
            number.exact_div(a) is not None and _product_divides(divisor, b, number, a) for a, b in self.divisible
        )

    def _parts(self, quotient: Dim) -> tuple[Dim, Dim] | None:
        """`n` and `w` of a quotient `n//w` that leaves nothing."""
        floor = sole_opaque(quotient, "//")
        if floor is None or not self.divides(floor.args[1], floor.args[0]):
            return None
        return floor.args[0], floor.args[1]

    def rewrite(self, d: Dim) -> Dim:
        """Put in what names equal and what divides what: `heads*(hidden//heads)` becomes `hidden`."""
        try:
            return self._rewritten(d)
        except ArithmeticError:  # too large to be written so
            return d

    def folded(self, d: Dim) -> Dim:
        """A size with a setting's own name for the product that it equals: `hidden_size` for `heads*head_dim`."""
        products = [(name, value) for name, value in self.equal.items() if "." in name and _is_product(value)]
        for name, value in products:
            for term in d.terms:
                others = Dim((term,)).exact_div(value)
                if others is not None:
                    d = d - Dim((term,)) + others * dim(name)
        return d

    def _rewritten(self, d: Dim) -> Dim:
        if self.equal and d.const is None:
            d = d.subs(self.equal)
        return _divided(self.divisible, d) if self.divisible and d.has_opaque else d

    def rewritten_term(self, term: Dim) -> Dim:
        """The same of one product."""
        ((monomial, coefficient),) = term.terms
        for atom, exponent in monomial:
            if not isinstance(atom, Opaque):
                continue
            args = tuple(self.rewrite(arg) for arg in atom.args)
            rest = Dim(((tuple(f for f in monomial if f[0] is not atom), coefficient),))
            if atom.op in {"//", "%", "cdiv"} and self.divides(args[1], args[0]):
                if atom.op == "%":
                    return ZERO
                if (parts := self._parts(args[1])) is not None and (several := args[0].exact_div(parts[0])) is not None:
                    return self.rewrite(rest * (several * parts[1]) ** exponent)  # n//(n//w) is w
                others = rest.exact_div(args[1])
                if others is not None:
                    return self.rewrite(others * args[0] * (args[0] // args[1]) ** (exponent - 1))
                several, fewer = cancel(rest, args[1])  # 2*(a//(2*b)) is a//b
                if fewer != args[1]:
                    return self.rewrite(several * (args[0] // fewer) * (args[0] // args[1]) ** (exponent - 1))
                if atom.op == "cdiv":
                    return rest * (args[0] // args[1]) ** exponent
            if atom.op == "cdiv" and (whole := self._rounded_up(*args)) is not None:
                return rest * whole**exponent
            if atom.op == "//" and (apart := self._apart(*args)) is not None:
                return self.rewrite(rest * apart**exponent)
            times = rest.exact_div(args[1]) if atom.op == "//" else None
            if times is not None and (whole := self._rounded_down(*args)) is not None:
                return self.rewrite(times * whole * (args[0] // args[1]) ** (exponent - 1))
            if args != atom.args:
                return rest * apply(atom.op, args) ** exponent
        return term

    def _rounded_up(self, number: Dim, divisor: Dim) -> Dim | None:
        """`n//2` for `cdiv(n - 1, 2)` of an even `n`: what is a little less than a multiple is rounded up to it."""
        if divisor.const is None or not 1 < divisor.const <= MOST_MISSING:
            return None
        more = (number + missing for missing in range(1, divisor.const))
        return next((multiple // divisor for multiple in more if self.divides(divisor, multiple)), None)

    def _rounded_down(self, number: Dim, divisor: Dim) -> Dim | None:
        """`n - 1` for `2*(n//2)` of an odd `n`: the multiple that it is a little more than."""
        if divisor.const is None or not 1 < divisor.const <= MOST_MISSING:
            return None
        fewer = (number - more for more in range(1, divisor.const))
        return next((multiple for multiple in fewer if self.divides(divisor, multiple)), None)

    def _apart(self, number: Dim, divisor: Dim) -> Dim | None:
        """`n//8 - 1` for `(n - 1)//8` of a multiple `n` of 8: what is beside it is divided for itself."""
        beside = sum(count for monomial, count in number.terms if not monomial)
        if divisor.const is None or not beside or not self.divides(divisor, whole := number - beside):
            return None
        return whole // divisor + beside // divisor.const


@lru_cache(KEPT)
def _divided(divisible: tuple[tuple[Dim, Dim], ...], d: Dim) -> Dim:
    """A size with what divides what put in: asked again and again of the same sizes."""
    facts, result = Facts(divisible=divisible), ZERO
    for monomial, coefficient in d.terms:
        result = result + facts.rewritten_term(Dim(((monomial, coefficient),)))
    return _without_whole(facts, result) if len(result.terms) > 1 else result


def _without_whole(facts: Facts, d: Dim) -> Dim:
    """`n//2` for `n - n//2` of an even `n`: a quotient and what it is a part of are one thing where that is shorter."""
    for part in dict.fromkeys(d.atoms()):
        if not isinstance(part, Opaque) or part.op != "//" or not facts.divides(part.args[1], part.args[0]):
            continue
        for whole in dict.fromkeys(d.atoms()):
            times = None if whole is part else _times(whole, part)
            if times is None:
                continue
            quotient = Dim(((((part, 1),), 1),))
            shorter = total(
                _others(term, whole) * times * quotient if (whole, 1) in term[0] else Dim((term,)) for term in d.terms
            )
            if len(shorter.terms) < len(d.terms):
                return shorter
    return d


def _times(whole: Atom, part: Opaque) -> Dim | None:
    """How often `n//2` or `n//4` is in `n`, or `n//4` in `n//2`."""
    if isinstance(whole, str):
        return part.args[1] if part.args[0].name == whole else None
    if whole.op != "//" or whole.args[0] != part.args[0]:
        return None
    return part.args[1].exact_div(whole.args[1])


@lru_cache(2048)
def _is_so_only(left: Dim, right: Dim, number: Dim, divisor: Dim) -> bool:
    """Whether two sizes are equal only where one divides a number, as far as that can be tried: 0 is the rest of none
    that makes them equal."""
    names = {*left.names(), *right.names(), *number.names()}
    if len(names) != 1 or divisor.const is None or divisor.const > MOST_DIVISOR:
        return True
    for n in range(1, 3 * divisor.const):
        given = {name: dim(n) for name in names}
        if (number.subs(given) % divisor) != 0 and left.subs(given) == right.subs(given):
            return False
    return True


def _others(term: tuple[Monomial, int], atom: Atom) -> Dim:
    """What a product has beside one atom."""
    return Dim(((tuple(f for f in term[0] if f[0] != atom), term[1]),))


def _is_name(d: Dim) -> bool:
    return d.name is not None


def _is_product(d: Dim) -> bool:
    """Whether a size is one name times another."""
    return len(d.terms) == 1 and d.terms[0][1] == 1 and sum(exponent for _, exponent in d.terms[0][0]) > 1


def _without_sum(left: Dim, right: Dim) -> tuple[Dim, Dim]:
    """What is left of equal sizes without a sum that both are multiples of: `n` and `w` of `a*n + n == a*w + w`."""
    if len(left.terms) > 1 and len(right.terms) > 1:
        for one in left.names():
            rest = left.exact_div(dim(one))
            other = None if rest is None else right.exact_div(rest)
            if other is not None:
                return dim(one), other
    return left, right


def _product_divides(divisor: Dim, known: Dim, number: Dim, base: Dim) -> bool:
    """Whether `base % known == 0` makes `number`, a multiple of `base`, divisible by `divisor`."""
    multiple = number.exact_div(base) or ONE
    return (known * multiple).exact_div(divisor) is not None


def multiple_of_name(size: Dim) -> tuple[int, str] | None:
    """2 and `half` for `2*half`."""
    match size.terms:
        case ((((str() as name, 1),), int() as factor),) if factor > 1:
            return factor, name
        case _:
            return None


def solve(left: Dim, right: Dim) -> tuple[str, Dim] | None:
    """From `left == right` the value of a name that stands alone in one term; names of `right` first."""
    difference = left - right
    inner = {
        name for atom in difference.atoms() if isinstance(atom, Opaque) for arg in atom.args for name in arg.names()
    }
    uses: dict[str, int] = {}
    for atom in difference.atoms():
        if isinstance(atom, str):
            uses[atom] = uses.get(atom, 0) + 1
    for name in dict.fromkeys((*reversed(right.names()), *reversed(left.names()))):
        if name in inner or uses.get(name) != 1:
            continue
        for monomial, coefficient in difference.terms:
            if monomial == ((name, 1),) and abs(coefficient) == 1:
                rest = difference - Dim(((monomial, coefficient),))
                return name, -rest if coefficient == 1 else rest
    return None


NO_FACTS = Facts()
