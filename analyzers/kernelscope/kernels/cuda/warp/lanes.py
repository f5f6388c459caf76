"""One value in every lane of a warp: an index as what is the same in all lanes, times numbers that differ by lane.

`Lanes` evaluates a Dim over `threadIdx`. Divisions, masks and bounds that only large sizes can decide are decided as in
the middle of the data, and each such decision is noted. Nothing is guessed: what cannot be told raises `Undecided`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import factorial, gcd, lcm

from kernelscope.dims import Dim, dim, less, render
from kernelscope.dims.monomial import Atom, Monomial, Opaque, over, times
from kernelscope.dims.polynomial import apply, sole_opaque

Numbers = tuple[int, ...]
"""One number for each lane."""
Spread = dict[Monomial, Numbers]
"""A sum: what is the same in all lanes → its factor in each lane; the empty monomial holds plain numbers."""

UNIT: Monomial = ()
MIN_SHARING = 4
"""Lanes that have to share a loaded index for the warp to count as reading rows, and not single elements."""
MAX_DISTANCE = 1 << 16
"""Numbers from which on what is added to an index takes it into another row."""
ROUND = factorial(33)
"""What sizes are multiples of where only their divisibility matters."""
FROM_MEMORY = ("an index comes from memory", "the result of an atomic operation")
"""How reasons begin that make a value scattered; others only say that it is not known."""


class Undecided(Exception):
    """The lanes' values do not follow; `reason` says why, in words for the user."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Scattered(Undecided):
    """The value comes from memory and differs by lane."""


def _falls(number: Spread) -> bool:
    """Whether a number gets smaller from lane to lane."""
    return any(numbers[0] > numbers[-1] for numbers in number.values())


class NeedsCases(Exception):
    """The answer depends on the value of a name that is the same in all lanes; the caller may try values."""

    def __init__(self, name: str, modulus: int) -> None:
        super().__init__(name)
        self.name = name
        self.modulus = modulus


@dataclass(slots=True)
class Lanes:
    """Evaluates Dims for some lanes: `threads` gives the numbers of `threadIdx.x` and such.

    `varying` says of names that differ by lane where their values come from. Other names are the same in all lanes.
    """

    threads: Mapping[str, Numbers]
    varying: Mapping[str, str] = field(default_factory=dict[str, str])
    assumed: dict[str, int] = field(default_factory=dict[str, int])
    """What was taken for granted: that the first is a multiple of the second."""
    known: dict[Dim, Spread] = field(default_factory=dict[Dim, Spread])
    is_size: Callable[[str], bool] = lambda name: True
    """Whether a name is a size or stride, which code keeps divisible, and no counter."""
    is_long: Callable[[Dim], bool] = lambda d: True
    """Whether a divisor is a length of the data, in which rows are longer than a warp."""
    loaded: Mapping[str, Dim] = field(default_factory=dict[str, Dim])
    """Names of loaded values with the addresses that they come from: lanes that read one address hold one value."""
    has_few_values: Callable[[str], bool] = lambda name: False
    """Whether all values of a name can be tried."""

    def forget(self) -> None:
        """Begin anew to note what is taken for granted."""
        if self.assumed:
            self.assumed = {}
            self.known.clear()

    @property
    def count(self) -> int:
        return len(next(iter(self.threads.values())))

    def spread(self, d: Dim) -> Spread:
        """The value in all lanes. Raises `Undecided` and `NeedsCases`."""
        known = self.known.get(d)
        if known is not None:
            return known
        found: Spread = {}
        for monomial, coefficient in d.terms:
            _add(found, self._term(monomial, coefficient))
        self.known[d] = found
        return found

    def differs(self, d: Dim) -> bool:
        """Whether the value could differ by lane."""
        return any(name in self.threads or name in self.varying for name in d.names())

    def _term(self, monomial: Monomial, coefficient: int) -> Spread:
        same: list[tuple[Atom, int]] = []
        result: Spread | None = None
        for atom, exponent in monomial:
            part = self._atom(atom)
            if part is None:
                same.append((atom, exponent))
                continue
            for _ in range(exponent):
                result = part if result is None else _product(result, part)
        key = tuple(same)
        if result is None:
            return {key: (coefficient,) * self.count}
        return {times(key, m): tuple(coefficient * n for n in numbers) for m, numbers in result.items()}

    def _atom(self, atom: Atom) -> Spread | None:
        """None for what is the same in all lanes."""
        if isinstance(atom, str):
            numbers = self.threads.get(atom)
            if numbers is not None:
                return {UNIT: numbers}
            return self._varying(atom) if atom in self.varying else None
        if not any(self.differs(arg) for arg in atom.args):
            return None
        return self._operation(atom)

    def _varying(self, name: str) -> Spread | None:
        """A value that may differ by lane: loaded values are told apart by their addresses."""
        why = self.varying[name]
        scattered = Scattered(why) if why.startswith(FROM_MEMORY) else Undecided(why)
        address = self.loaded.get(name)
        if address is None:
            raise scattered
        spread = self.spread(address)
        groups: dict[tuple[int, ...], list[int]] = {}
        for lane in range(self.count):
            groups.setdefault(tuple(numbers[lane] for numbers in spread.values()), []).append(lane)
        if len(groups) == 1:
            return None
        if any(len(group) < MIN_SHARING for group in groups.values()):
            raise scattered
        return {
            ((f"{name}#{i}", 1),): tuple(int(lane in group) for lane in range(self.count))
            for i, group in enumerate(groups.values())
        }

    def _operation(self, atom: Opaque) -> Spread:
        args = [self.spread(arg) for arg in atom.args]
        if all(_plain(arg) for arg in args):
            return {UNIT: self._by_lane(atom.op, [arg.get(UNIT, (0,) * self.count) for arg in args])}
        try:
            return self._symbolic(atom, args)
        except Undecided:
            names = (name for arg in atom.args for name in arg.names())
            few = next((name for name in names if self.has_few_values(name)), None)
            if few is None:
                raise
            raise NeedsCases(few, 1) from None

    def _symbolic(self, atom: Opaque, args: list[Spread]) -> Spread:
        match atom.op:
            case "//" | "%":
                return self._division(atom, args[0])
            case "max" | "min":
                return self._extreme(atom, args)
            case "<" | "==":
                return self._comparison(atom, args)
            case "^":
                return self._exclusive(args)
            case "&" | "|":
                return self._bits(atom.op, args)
            case "cdiv":
                return self._division(_floor(atom), self.spread(_floor(atom).args[0]))
            case _:
                raise Undecided(f"`{atom.op}` of unknown numbers")

    def _by_lane(self, op: str, args: Sequence[Numbers]) -> Numbers:
        try:
            if op in _PLAIN:
                f = _PLAIN[op]
                return tuple(f(a, b) for a, b in zip(args[0], args[1], strict=True))
            return tuple(apply(op, tuple(dim(n) for n in lane)).const or 0 for lane in zip(*args, strict=True))
        except (ArithmeticError, ValueError):
            raise Undecided("a division by zero") from None

    # -- operations on what is not all numbers -----------------------------------------------------------------

    def _division(self, atom: Opaque, number: Spread) -> Spread:
        """Terms that divide come out; of the rest, whatever is the same in all lanes is taken to divide."""
        divisor = atom.args[1]
        if self.differs(divisor):
            raise Undecided(f"division by `{render(divisor)}`")
        if any(len(set(numbers)) > 1 for numbers in number.values()):
            return self._divided(atom, number)
        if all(any(isinstance(a, str) and self.is_size(a) for a, _ in monomial) for monomial in number if monomial):
            try:
                return self._divided(atom, number)  # sizes are taken to divide
            except Undecided:
                pass
        # the same in all lanes, whatever it is
        return {monomial: (n,) * self.count for monomial, n in apply(atom.op, (_dim_of(number), divisor)).terms}

    def _divided(self, atom: Opaque, number: Spread) -> Spread:
        divisor = atom.args[1]
        constant = divisor.const
        whole: Spread = {}
        rest: Spread = {}
        for monomial, numbers in number.items():
            if constant is not None and constant > 0:
                quotient = _divided(numbers, constant)
                if quotient is not None and monomial:
                    _add(whole, {monomial: quotient})
                else:
                    _add(rest, {monomial: numbers})
                continue
            exact = _exact(monomial, numbers, divisor)
            if exact is not None:
                _add(whole, {exact[0]: exact[1]})
            else:
                _add(rest, {monomial: numbers})
        numbers = rest.pop(UNIT, (0,) * self.count)
        if constant is not None and constant > 0:
            for monomial, factors in rest.items():
                needed = self._assume_multiple(monomial, factors, constant)
                _add(whole, {_quotient(monomial, needed): tuple(n * needed // constant for n in factors)})
            if atom.op == "//":
                return _add(whole, {UNIT: tuple(n // constant for n in numbers)})
            return {UNIT: tuple(n % constant for n in numbers)}
        return self._symbolic_division(atom, whole, rest, numbers)

    def _symbolic_division(self, atom: Opaque, whole: Spread, rest: Spread, numbers: Numbers) -> Spread:
        """Division by an unknown size: the lanes of a warp are taken to stay within one row of that size."""
        divisor = atom.args[1]
        if any(len(set(factors)) > 1 for factors in rest.values()) or min(numbers) < 0:
            raise Undecided(f"`{render(_again(rest, numbers, divisor, atom.op))}`")
        if len(set(numbers)) == 1 and numbers[0] >= MAX_DISTANCE:
            _add(rest, {UNIT: numbers})
            numbers = (0,) * self.count
        span = max(numbers) + 1
        if span > 1 and not self.is_long(divisor):
            raise Undecided(f"depends on `{render(divisor)}`")
        needed = _power_above(span)
        if gcd(needed, *(factor for _, factor in divisor.terms)) != needed:
            self._assume(render(divisor), needed)
        if atom.op == "//":
            if rest:
                _add(whole, {_opaque("//", _dim_of(rest), divisor): (1,) * self.count})
            return whole or {UNIT: (0,) * self.count}
        found: Spread = {UNIT: numbers}
        return _add(found, {_opaque("%", _dim_of(rest), divisor): (1,) * self.count}) if rest else found

    def _assume_multiple(self, monomial: Monomial, numbers: Numbers, constant: int) -> int:
        """Takes a product to be such that its terms divide by a constant; what it has to be a multiple of."""
        needed = constant // gcd(constant, *numbers)
        names = [atom for atom, _ in monomial if isinstance(atom, str)]
        # a position in a loop is not free: it takes every value, so that which one matters has to be tried
        if len(monomial) == 1 and names and not self.is_size(names[0]):
            raise NeedsCases(names[0], needed)
        if len(names) < len(monomial) and not _divides(Dim(((monomial, 1),)), needed):
            raise Undecided(f"whether `{render(Dim(((monomial, 1),)))}` is a multiple of {needed}")
        self._assume(*requirement(monomial, needed, self.is_size))
        return needed

    def _assume(self, number: str, divisor: int) -> None:
        self.assumed[number] = lcm(divisor, self.assumed.get(number, 1))

    def _extreme(self, atom: Opaque, args: list[Spread]) -> Spread:
        """Of bounds that are the same in all lanes nothing is felt in the middle of the data."""
        sides = list(zip(args, atom.args, strict=True))
        differing = [arg for arg, d in sides if self.differs(d)]
        constant = any(d.const is not None for _, d in sides)
        if len(differing) == 1 and (atom.op == "max" or not constant):
            if atom.op == "max" and constant and _falls(differing[0]):  # how far in the data, sizes decide
                raise Undecided("the larger of unknown numbers")
            return differing[0]
        keys = [{m: n for m, n in arg.items() if m} for arg in args]
        if all(key == keys[0] for key in keys):
            choose = max if atom.op == "max" else min
            columns = zip(*(arg.get(UNIT, (0,) * self.count) for arg in args), strict=True)
            return {**keys[0], UNIT: tuple(choose(column) for column in columns)}
        raise Undecided(f"the {'larger' if atom.op == 'max' else 'smaller'} of unknown numbers")

    def _below_all(self, number: Dim, bounds: tuple[Dim, ...]) -> Spread:
        """Which lanes are below the least of some bounds: below each; those that do not decide are far away."""
        passed: list[Numbers] = []
        for bound in bounds:
            try:
                passed.append(self.spread(less(number, bound))[UNIT])
            except (Undecided, KeyError):
                continue
        if not passed:
            raise Undecided("a comparison of unknown numbers")
        return {UNIT: tuple(min(lane) for lane in zip(*passed, strict=True))}

    def _comparison(self, atom: Opaque, args: list[Spread]) -> Spread:
        least = sole_opaque(atom.args[1], "min")
        if atom.op == "<" and least is not None:
            return self._below_all(atom.args[0], least.args)
        difference = _add(dict(args[0]), {m: tuple(-n for n in numbers) for m, numbers in args[1].items()})
        difference = {m: numbers for m, numbers in difference.items() if any(numbers)}
        plain = difference.get(UNIT, (0,) * self.count)
        unknown = [numbers for m, numbers in difference.items() if m]
        if not unknown:
            compared = (n < 0 for n in plain) if atom.op == "<" else (n == 0 for n in plain)
            return {UNIT: tuple(int(n) for n in compared)}
        if atom.op == "==":
            if all(self._is_position(m) for m in difference if m):
                return {UNIT: (0,) * self.count}  # borders of the data are no part of its middle
            raise Undecided("a comparison of unknown numbers")
        above = all(n >= 0 for numbers in unknown for n in numbers)
        below = all(n <= 0 for numbers in unknown for n in numbers)
        if above == below:
            left, right = (self.differs(arg) for arg in atom.args)
            if left == right:
                raise Undecided("a comparison of unknown numbers")
            below = left
        return {UNIT: (int(below),) * self.count}

    def _is_position(self, monomial: Monomial) -> bool:
        """Whether a term is a size or the place of a block: large, and not a number that takes every value."""
        return all(isinstance(a, str) and (a.startswith("blockIdx.") or self.is_size(a)) for a, _ in monomial)

    def _bits(self, op: str, args: list[Spread]) -> Spread:
        """Symbolic parts that are multiples of a power of two above all plain numbers keep out of the way."""
        plain = [arg.get(UNIT, (0,) * self.count) for arg in args]
        if any(n < 0 for numbers in plain for n in numbers):
            raise Undecided(f"`{op}` of negative numbers")
        power = _power_above(max(n for numbers in plain for n in numbers) + 1)
        high: Spread = {}
        for arg in args:
            for monomial, numbers in arg.items():
                if not monomial:
                    continue
                if op == "&" or len([a for a in args if any(a)]) == 2:
                    raise Undecided(f"`{op}` of unknown numbers")
                if any(n % power for n in numbers):
                    self._assume_multiple(monomial, numbers, power)
                _add(high, {monomial: numbers})
        return _add(high, {UNIT: self._by_lane(op, plain)})

    def _exclusive(self, args: list[Spread]) -> Spread:
        """`i ^ j` of unknown numbers: the low bits of what all lanes share only swap the lanes of a block."""
        plain = [arg.get(UNIT, (0,) * self.count) for arg in args]
        if any(n < 0 for numbers in plain for n in numbers):
            raise Undecided("`^` of negative numbers")
        power = _power_above(max(n for numbers in plain for n in numbers) + 1)
        high: list[Dim] = []
        for arg in args:
            same = {monomial: numbers for monomial, numbers in arg.items() if monomial}
            if any(len(set(numbers)) > 1 for numbers in same.values()):
                raise Undecided("`^` of unknown numbers")
            for monomial, numbers in same.items():
                if (step := gcd(power, numbers[0])) < power:
                    name = monomial[0][0]
                    if len(monomial) == 1 and isinstance(name, str) and monomial[0][1] == 1 and len(same) == 1:
                        raise NeedsCases(name, power // step)
                    self._assume_multiple(monomial, numbers, power)
            high.append(_dim_of(same))
        multiple = apply("^", tuple(apply("//", (number, dim(power))) for number in high))
        found: Spread = {UNIT: self._by_lane("^", plain)}
        for monomial, factor in multiple.terms:
            _add(found, {monomial: (factor * power,) * self.count})
        return found


def requirement(monomial: Monomial, needed: int, is_size: Callable[[str], bool]) -> tuple[str, int]:
    """What has to be a multiple of what for a product to be one of `needed`: its sizes, if there are any."""
    sizes = tuple((a, e) for a, e in monomial if isinstance(a, str) and is_size(a))
    if not sizes and len(monomial) == 1 and isinstance(quotient := monomial[0][0], Opaque) and quotient.op == "//":
        number, divisor = quotient.args
        if divisor.const is not None and len(number.terms) == 1:
            (inner, factor), whole = number.terms[0], needed * divisor.const
            return requirement(inner, whole // gcd(whole, factor), is_size)
    return render(Dim(((sizes or monomial, 1),))), needed


def _divides(d: Dim, by: int) -> bool:
    """Whether a number made by divisions and remainders is a multiple when all sizes in it are: `K // 8` is, `1 % K`
    and `K // N` are not. Tried on sizes of either order."""
    names = d.names()
    for numbers in (range(3, 3 + len(names)), range(2 + len(names), 2, -1)):
        value = d.evaluate({name: number * ROUND for name, number in zip(names, numbers, strict=True)})
        if value is None or value % by:
            return False
    return True


_PLAIN: dict[str, Callable[[int, int], int]] = {
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "cdiv": lambda a, b: -(-a // b),
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "<": lambda a, b: int(a < b),
    "==": lambda a, b: int(a == b),
}


def _plain(spread: Spread) -> bool:
    return all(not monomial for monomial in spread)


def _add(left: Spread, right: Spread) -> Spread:
    """Add to `left` in place."""
    for monomial, numbers in right.items():
        mine = left.get(monomial)
        left[monomial] = numbers if mine is None else tuple(a + b for a, b in zip(mine, numbers, strict=True))
    return left


def _product(left: Spread, right: Spread) -> Spread:
    result: Spread = {}
    for mine, a in left.items():
        for theirs, b in right.items():
            _add(result, {times(mine, theirs): tuple(x * y for x, y in zip(a, b, strict=True))})
    return result


def _divided(numbers: Numbers, divisor: int) -> Numbers | None:
    if any(n % divisor for n in numbers):
        return None
    return tuple(n // divisor for n in numbers)


def _exact(monomial: Monomial, numbers: Numbers, divisor: Dim) -> tuple[Monomial, Numbers] | None:
    """A term divided by a divisor of one term, when nothing is left."""
    if len(divisor.terms) != 1:
        return None
    factor, number = divisor.terms[0]
    quotient = over(monomial, factor)
    divided = _divided(numbers, number) if number > 0 else None
    return (quotient, divided) if quotient is not None and divided is not None else None


def _floor(atom: Opaque) -> Opaque:
    """`cdiv(a, b)` as `(a + b - 1) // b`."""
    number, divisor = atom.args
    return Opaque("//", (number + divisor - 1, divisor))


def _opaque(op: str, number: Dim, divisor: Dim) -> Monomial:
    return ((Opaque(op, (number, divisor)), 1),)


def _quotient(monomial: Monomial, constant: int) -> Monomial:
    return _opaque("//", Dim(((monomial, 1),)), dim(constant))


def _dim_of(spread: Spread) -> Dim:
    """The value of lanes that all agree."""
    result = dim(0)
    for monomial, numbers in spread.items():
        result = result + Dim(((monomial, numbers[0]),) if numbers[0] else ())
    return result


def _again(rest: Spread, numbers: Numbers, divisor: Dim, op: str) -> Dim:
    number = _dim_of({m: (max(n, key=abs),) for m, n in rest.items()}) + max(numbers)
    return apply(op, (number, divisor))


def _power_above(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()
