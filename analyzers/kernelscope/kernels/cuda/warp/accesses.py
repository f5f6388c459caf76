"""The class of every access of a kernel: how a warp's lanes hit global memory's sectors and shared memory's banks.

Each access is judged for the launch's block; what only numbers of other names decide is tried for each value that they
may have, and an answer that depends on them says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import lcm

from kernelscope.dims import Dim, TooLarge, dim
from kernelscope.kernels.cuda.warp.alignment import names_of, row_starts
from kernelscope.kernels.cuda.warp.banks import Conflict, conflict
from kernelscope.kernels.cuda.warp.implications import implied, refusals
from kernelscope.kernels.cuda.warp.kernel_run import Run, Shape
from kernelscope.kernels.cuda.warp.lanes import (
    UNIT,
    Lanes,
    NeedsCases,
    Numbers,
    Scattered,
    Spread,
    Undecided,
)
from kernelscope.kernels.cuda.warp.lengths import Lengths
from kernelscope.kernels.cuda.warp.machine import OFFSET_OF, SIZE_OF, Access
from kernelscope.kernels.cuda.warp.outcomes import cost, kind_of
from kernelscope.kernels.cuda.warp.sectors import (
    AXES,
    SECTOR,
    WARP,
    WIDTHS,
    Class,
    Traffic,
    moved,
    pieces,
    threads,
    traffic,
)
from kernelscope.kernels.cuda.warp.values import UNNAMED
from kernelscope.kernels.cuda.warp.whole_vectors import as_moved

_FIRST_BLOCK = {f"blockIdx.{axis}": 0 for axis in "xyz"}
MAX_CASES = 64
UNREACHED = "no lane gets there"
MAX_WARPS = 32
UNKNOWN_WIDTH = 1
"""What stands for the width of a type that is not known, where all lanes want the same element."""
MAX_WIDTH = 16
"""Bytes that one lane moves at once."""
ELEMENT_SIZES = (4, 2)
"""Sizes that are tried for an element type that only a caller knows."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_AXES = frozenset(AXES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an access costs; `outcome` is None where it does not follow, and `reason` says why."""

    access: Access
    outcome: Traffic | Conflict | None
    width: int | None = None
    """Bytes per lane; None where the element type is not known and does not matter."""
    reason: str = ""
    scattered: bool = False
    needs: tuple[str, ...] = ()
    """What was taken for granted of sizes."""
    others: tuple[Traffic | Conflict, ...] = ()
    """Different outcomes for other values of what is not known."""
    sizes: tuple[int, ...] = ()
    """The sizes that were tried for a type that is not known: bytes are those of one of them."""
    steps: str = ""
    """The strides that the launch passes and that may be 1: then lanes lie next to each other."""


def verdicts(run: Run) -> tuple[Verdict, ...]:
    """All accesses to global and shared memory, in the order in which the kernel makes them."""
    judge = _Judge(run)
    found = (judge.verdict(a) for a in as_moved(run.accesses) if a.memory.space in ("global", "shared", "unknown"))
    return tuple(verdict for verdict in found if verdict.reason != UNREACHED)


@dataclass(slots=True)
class _Judge:
    run: Run
    constants: dict[str, int] = field(init=False)
    varying: dict[str, str] = field(init=False)
    loaded: dict[str, Dim] = field(init=False)
    together: dict[str, list[str]] = field(init=False)
    """Names whose values follow the rounds of one loop, by its counter."""
    masks: dict[tuple[tuple[int, int, int], int, Dim], Numbers | None] = field(
        default_factory=dict[tuple[tuple[int, int, int], int, Dim], Numbers | None]
    )
    judged: dict[tuple[object, ...], Verdict] = field(default_factory=dict[tuple[object, ...], Verdict])
    implied: dict[tuple[tuple[Dim, ...], tuple[tuple[str, int], ...]], dict[str, int] | None] = field(
        default_factory=dict["tuple[tuple[Dim, ...], tuple[tuple[str, int], ...]]", "dict[str, int] | None"]
    )
    known: dict[Dim, Dim] = field(default_factory=dict[Dim, Dim])
    """With the numbers that the launch gives names."""
    by_warp: dict[tuple[Shape, int], Lanes] = field(default_factory=dict[tuple[Shape, int], Lanes])
    lengths: Lengths = field(init=False)

    def __post_init__(self) -> None:
        self.constants = self.run.setting.constants()
        self.varying = dict(self.run.symbols.varying_names)
        self.lengths = Lengths(self.run, self._is_size)
        known = self.run.symbols.known.items()
        self.together = {}
        for name, symbol in known:
            if symbol.rounds:
                self.together.setdefault(symbol.rounds, []).append(name)
        self.loaded = {name: self._known(symbol.address) for name, symbol in known if symbol.address is not None}

    def verdict(self, access: Access) -> Verdict:
        if access.memory.space == "unknown":
            return Verdict(access, None, reason="into which memory the pointer points")
        key = (access.memory.space, access.offset, access.width, access.conditions, access.aligned)
        if (same := self.judged.get(key)) is None:
            same = self.judged[key] = self._first_verdict(access)
        return replace(same, access=access)

    def _first_verdict(self, access: Access) -> Verdict:
        try:
            offset, width = self._known(access.offset), self._known(access.width or dim(4))
            try:
                told = self._judged(access, offset, width)
                steps = told.steps.split(" and ") if told.steps else []
                return (self._as_launched(access, offset, width, steps) or told) if steps else told
            except Undecided:
                found = self._as_launched(access, offset, width)
                if found is None:
                    raise
                return found
        except Scattered as why:
            alone = self._of_one_lane(access)
            return alone or Verdict(access, None, reason=why.reason, scattered=True)
        except Undecided as why:
            return Verdict(access, None, reason=why.reason)
        except TooLarge:
            return Verdict(access, None, reason="an expression too large to follow")

    def _of_one_lane(self, access: Access) -> Verdict | None:
        """The verdict of an access that one lane makes alone, wherever it leads."""
        width = self._known(access.width or dim(4)).const
        if access.memory.space != "global" or (width is not None and width not in WIDTHS):
            return None
        try:
            shape, _ = self._shape(access, access.offset)
            active = [mask for _, mask in self._active(access.conditions, shape, access.offset)]
        except (Undecided, NeedsCases):
            return None
        if any(mask is None or sum(map(bool, mask)) != 1 for mask in active):
            return None
        return Verdict(access, Traffic(Class.COALESCED, 1, width or UNKNOWN_WIDTH, 1, None, 1), width)

    def _as_launched(
        self, access: Access, offset: Dim, width: Dim, only: Collection[str] | None = None
    ) -> Verdict | None:
        """The verdict for the numbers that the launch passes, where only these decide."""
        passed, asked = self.run.setting.arguments, offset.names() if only is None else only
        given = {name: number for name, number in passed.items() if name in asked}
        if not given:
            return None
        try:
            found = self._judged(access, offset.subs(given), width)
        except Undecided:
            return None
        return replace(found, needs=(*(f"{name} is {number}" for name, number in given.items()), *found.needs))

    def _known(self, d: Dim) -> Dim:
        if not self.constants or d.const is not None:
            return d
        found = self.known.get(d)
        if found is None:
            found = self.known[d] = d.subs(self.constants)
        return found

    def _judged(self, access: Access, offset: Dim, width: Dim) -> Verdict:
        outcomes: list[Traffic | Conflict] = []
        widths: set[int] = set()
        strides: dict[int, set[Dim | None]] = {}
        """By the size that was tried for an open type."""
        shape, needs = self._shape(access, offset)
        said = self._said(access.conditions, {})
        if said is None:
            raise Undecided(UNREACHED)
        offset, width = (offset.subs(said), width.subs(said)) if said else (offset, width)
        for given, size in self._sizes(offset, width):
            said = self._said(access.conditions, given) if given else said
            if said is None:
                continue
            case = offset.subs({**said, **given}) if given else offset
            widths.add(size)
            apart = strides.setdefault(next(iter(given.values()), 0), set())
            for outcome, assumed in self._outcomes(access, case, size, shape):
                outcomes.append(outcome)
                apart.add(outcome.stride if isinstance(outcome, Traffic) else None)
                for number, divisor in assumed:
                    needs[number] = lcm(divisor, needs.get(number, 1))
        if not outcomes:
            raise Undecided(UNREACHED)
        if any(name in UNNAMED for number in needs for name in _WORD.findall(number)):
            raise Undecided("depends on a choice that is not decided here")
        worst = max(outcomes, key=cost)
        if isinstance(worst, Traffic) and worst.stride is not None and worst.stride.const is None:
            self._check_ways(access.conditions, worst.stride, width.const)
        others = tuple(dict.fromkeys(o for o in outcomes if kind_of(o) != kind_of(worst)))
        width_told = width.const if len(widths) == 1 else None
        differ = any(apart != next(iter(strides.values())) for apart in strides.values())
        sizes = tuple(sorted(strides if differ else widths))
        told = tuple(
            f"{number} is a multiple of {divisor}"
            for number, divisor in needs.items()
            if not any(needs.get(factor, 1) % divisor == 0 for factor in number.split("*") if factor != number)
        )
        steps = self.lengths.steps(worst, width_told)
        return Verdict(access, worst, width_told, "", False, told, others, sizes, steps)

    def _said(self, conditions: tuple[Dim, ...], given: dict[str, int]) -> dict[str, int] | None:
        """What the way to an access says of sizes; None where no lane gets there."""
        key = (conditions, tuple(given.items()))
        if key not in self.implied:
            known = (self._known(condition) for condition in conditions)
            self.implied[key] = implied((c.subs(given) if given else c for c in known), self._is_same)
        return self.implied[key]

    def _check_ways(self, conditions: tuple[Dim, ...], stride: Dim, width: int | None) -> None:
        """Whether sizes that nobody knows decide both how far lanes are apart and whether they get there, or make lanes
        some whole vectors apart, which may be one."""
        sizes = [name for name in stride.names() if (s := self.run.symbols.known.get(name)) is not None and s.template]
        by_type = any(name.startswith("sizeof(") for c in conditions for name in self._known(c).names())
        if sizes and (by_type or (width is not None and stride.exact_div(width) is None)):
            raise Undecided(f"depends on `{sizes[0]}`")

    def _is_same(self, name: str) -> bool:
        return name not in AXES and name not in self.varying

    def _sizes(self, offset: Dim, width: Dim) -> Iterator[tuple[dict[str, int], int]]:
        """The width for each size that an unknown element type may have."""
        for name in (*width.names(), *offset.names()):
            if name.startswith((SIZE_OF, OFFSET_OF)):
                if self._differs(offset):
                    raise Undecided(
                        f"the {name.replace(SIZE_OF, 'size of `').replace(OFFSET_OF, 'offset of `')}` is not known"
                    )
                yield {}, UNKNOWN_WIDTH
                return
        open_sizes = [n for n in dict.fromkeys((*width.names(), *offset.names())) if n.startswith("sizeof(")]
        if not open_sizes:
            number = width.const
            if number is None:
                raise Undecided(f"the width `{width}` is not known")
            if number <= 0:
                raise Undecided("nothing is moved")
            yield {}, number
            return
        for size in ELEMENT_SIZES:
            values = dict.fromkeys(open_sizes, size)
            number = width.subs(values).const
            if number is None:
                raise Undecided(f"the width `{width}` is not known")
            if number > MAX_WIDTH:
                raise Undecided(f"the width `{width}` may be more than one access moves")
            yield values, number

    def _differs(self, d: Dim) -> bool:
        return any(name in AXES or name in self.varying for name in d.names())

    def _shape(self, access: Access, offset: Dim) -> tuple[tuple[int, int, int], dict[str, int]]:
        """The block's shape, and what its sizes had to be supposed to be multiples of."""
        x, y, z = self.run.setting.block
        if x is not None:
            return (x, y or WARP, z or 1), {}
        rows = {"threadIdx.y", "threadIdx.z"} & set(offset.names())
        return (WARP, 1, 1), {"blockDim.x": WARP} if rows else {}

    def _lanes(self, shape: tuple[int, int, int], warp: int) -> Lanes:
        found = self.by_warp.get((shape, warp))
        if found is None:
            found = self.by_warp[shape, warp] = Lanes(
                threads(shape, warp),
                self.varying,
                is_size=self._is_size,
                is_long=self._is_long,
                loaded=self.loaded,
                has_few_values=self._has_few_values,
            )
        return found

    def _is_size(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        return (symbol is not None and symbol.size) or name.startswith(("blockDim.", "sizeof("))

    def _is_long(self, d: Dim) -> bool:
        """A length that a caller passes; template parameters are often short, and their numbers matter."""
        return not any(s.template for name in d.names() if (s := self.run.symbols.known.get(name)) is not None)

    def _has_few_values(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        return symbol is not None and 0 < len(symbol.values) <= MAX_CASES

    def _active(
        self, conditions: tuple[Dim, ...], shape: tuple[int, int, int], offset: Dim
    ) -> list[tuple[int, Numbers | None]]:
        """The warps that are judged, with their lanes that get there; None for all lanes. Of the warps of which most
        lanes do it is the first one, and all of them where they lie across the rows of a block, as each may begin
        elsewhere. What no lane passes in the middle of the data, such as `i == 0`, is asked of the first block."""
        total = shape[0] * shape[1] * shape[2]
        every = self._differ_by_warp(shape, offset)
        for where in ({}, _FIRST_BLOCK):
            passed = tuple([condition.subs(where) for condition in conditions]) if where else conditions
            found: list[tuple[int, Numbers | None]] = []
            most = 1
            for warp in range(min(MAX_WARPS, -(-total // WARP))):
                mask = self._mask(passed, shape, warp)
                count = sum(map(bool, mask)) if mask is not None else min(WARP, total - warp * WARP)
                if count > most:
                    found.clear()
                if count >= most and (every or count > most or not found):
                    found.append((warp, mask))
                most = max(most, count)
                if count == WARP and not every:
                    break
            if found:
                return found
        return [(0, self._of_another_warp(conditions, shape))]

    def _of_another_warp(self, conditions: tuple[Dim, ...], shape: tuple[int, int, int]) -> Numbers | None:
        """The lanes that get there in a warp that is none of those at hand, as `warp == 3 && lane == 0` asks for where
        nobody knows the block: what refuses a whole warp is about the warp, what refuses some lanes is about these."""
        told = [self._condition(condition, shape, 0) for condition in conditions]
        for condition, lanes in zip(conditions, tuple(told), strict=True):
            if lanes is not None and not any(lanes):
                told += self._parts(condition, shape, 0)
        some = [lanes for lanes in told if lanes is not None and any(lanes)]
        mask = tuple(int(all(lane)) for lane in zip(*some, strict=True))
        return mask if any(mask) else None

    def _differ_by_warp(self, shape: tuple[int, int, int], offset: Dim) -> bool:
        """Whether warps begin in the middle of rows, and rows lie apart."""
        x, y, z = shape
        return x % WARP != 0 and y * z > 1 and not {"threadIdx.y", "threadIdx.z"}.isdisjoint(offset.names())

    def _mask(self, conditions: tuple[Dim, ...], shape: tuple[int, int, int], warp: int) -> Numbers | None:
        """Which lanes pass all conditions in the first or last round, whichever more do; None for all of them."""
        first = self._mask_in(conditions, shape, warp, False)
        if first is None or not any(map(self._last_rounds, conditions)):
            return first
        last = self._mask_in(conditions, shape, warp, True)
        return last if last is None or sum(map(bool, last)) > sum(map(bool, first)) else first

    def _last_rounds(self, condition: Dim) -> dict[str, int]:
        """The last rounds of the loops on which it depends which lanes pass a condition."""
        names = condition.names()
        counting = ((n, self.run.symbols.known.get(n)) for n in names) if not _AXES.isdisjoint(names) else ()
        return {n: s.values[-1] for n, s in counting if s is not None and s.counter and len(s.values) > 1}

    def _mask_in(
        self, conditions: tuple[Dim, ...], shape: tuple[int, int, int], warp: int, last: bool
    ) -> Numbers | None:
        """Which lanes pass all conditions in the first or the last round of the loops around; None for all of them."""
        mask: Numbers | None = None
        for condition in conditions:
            rounds = self._last_rounds(condition) if last else {}
            key = (shape, warp, condition.subs(rounds) if rounds else condition)
            if key not in self.masks:
                self.masks[key] = self._condition(key[2], shape, warp)
            lanes = self.masks[key]
            if lanes is not None and not all(lanes):
                mask = lanes if mask is None else tuple(a and b for a, b in zip(mask, lanes, strict=True))
        there = min(WARP, shape[0] * shape[1] * shape[2] - warp * WARP)
        if mask is None and there == WARP:
            return None
        return (*(mask or [1] * there), *[0] * (WARP - there))  # lanes beyond a small block do nothing

    def _condition(self, condition: Dim, shape: tuple[int, int, int], warp: int) -> Numbers | None:
        """Which lanes pass; None where that does not follow, as for bounds of the data."""
        names = condition.names()
        if not any(name in AXES for name in names) or any(name in self.varying for name in names):
            return None
        counters = {n: 0 for n in names if (s := self.run.symbols.known.get(n)) is not None and s.counter}
        known = self._known(condition.subs(counters) if counters else condition)
        try:
            spread = self._lanes(shape, warp).spread(known)
        except (Undecided, NeedsCases):
            return self._decided(known, shape, warp)
        if all(not monomial for monomial in spread):
            return spread.get(UNIT)
        # what is the same in all lanes may let them pass; those with nothing but zeros never do
        return tuple(int(any(lane)) for lane in zip(*spread.values(), strict=True))

    def _decided(self, condition: Dim, shape: tuple[int, int, int], warp: int) -> Numbers | None:
        """Which lanes may pass a condition of which only parts are followed: none does where these alone refuse it."""
        passed = list(self._parts(condition, shape, warp))
        return tuple(int(all(lane)) for lane in zip(*passed, strict=True)) if passed else None

    def _parts(self, condition: Dim, shape: tuple[int, int, int], warp: int) -> Iterator[Numbers]:
        """Which lanes each part of a condition that may refuse it alone lets pass."""
        for part, refusing in refusals(condition):
            lanes = self._condition(Dim(((((part, 1),), 1),)), shape, warp)
            if lanes is not None:
                yield tuple(int(bool(lane) != bool(refusing)) for lane in lanes)

    def _outcomes(
        self, access: Access, offset: Dim, width: int, shape: tuple[int, int, int]
    ) -> Iterator[tuple[Traffic | Conflict, tuple[tuple[str, int], ...]]]:
        """One outcome for each value of what has to be tried, with what was supposed to divide."""
        todo: list[tuple[Dim, tuple[Dim, ...]]] = [(offset, access.conditions)]
        count = 0
        while todo:
            case, conditions = todo.pop()
            if count and any(self._known(condition).const == 0 for condition in conditions):
                continue  # no round of a loop has these values
            try:
                if not count:
                    self._try_rounds(conditions)
                for warp, active in self._active(conditions, shape, case):
                    if not count or active is None or any(active):
                        yield from self._of_warp(access, case, width, shape, warp, active)
            except NeedsCases as need:
                cases = self._cases(need)
                count += len(cases)
                if count > MAX_CASES:
                    raise Undecided(f"depends on `{need.name}`") from None
                for given in cases:
                    bounded = given[need.name].const is not None
                    passed = tuple(c.subs(given) for c in conditions) if bounded else conditions
                    todo.append((case.subs(given), passed))
                continue

    def _of_warp(
        self, access: Access, case: Dim, width: int, shape: tuple[int, int, int], warp: int, active: Numbers | None
    ) -> Iterator[tuple[Traffic | Conflict, tuple[tuple[str, int], ...]]]:
        lanes = self._lanes(shape, warp)
        lanes.forget()
        address = lanes.spread(case)
        needs: dict[str, int] = {}
        self._try_strides(address)
        width = min(pieces(width), access.aligned or width)
        if access.memory.space == "shared":
            found: list[Traffic | Conflict] = [conflict(address, width, active)]
        else:
            rows = self._next_rows(case, shape, warp)
            found, needs = self._traffic(address, rows, width, active, lanes.assumed)
        for outcome in found:
            yield outcome, (*lanes.assumed.items(), *needs.items())

    def _try_strides(self, address: Spread) -> None:
        """Distances between lanes that are few numbers are tried one by one."""
        for monomial, numbers in address.items():
            if monomial and len(set(numbers)) > 1:
                for atom, _ in monomial:
                    for name in names_of(atom):
                        if self._has_few_values(name):
                            raise NeedsCases(name, 1)

    def _try_rounds(self, conditions: tuple[Dim, ...]) -> None:
        """Which lanes get there may change from round to round of a loop."""
        for condition in conditions:
            names = condition.names()
            moving = next((n for n in names if (s := self.run.symbols.known.get(n)) is not None and s.rounds), None)
            if moving is not None and any(name in AXES for name in names):
                raise NeedsCases(moving, 1)

    def _next_rows(self, case: Dim, shape: tuple[int, int, int], warp: int) -> Spread:
        """The addresses of another warp, where it lies in other rows of the block or of the data than this one."""
        x, y, z = shape
        warps = x * y * z // WARP
        if x % WARP == 0 and y * z > 1 and not {"threadIdx.y", "threadIdx.z"}.isdisjoint(case.names()):
            other = warp + x // WARP
        elif y * z == 1 and any(not isinstance(atom, str) and "threadIdx.x" in names_of(atom) for atom in case.atoms()):
            other = warps - 1  # threads in a row that are dealt to rows: the last of them has an odd number
        else:
            return {}
        try:
            return self._lanes(shape, other).spread(case) if warp < other < warps else {}
        except (Undecided, NeedsCases):
            return {}

    def _traffic(
        self, address: Spread, next_rows: Spread, width: int, active: Numbers | None, assumed: Mapping[str, int]
    ) -> tuple[list[Traffic | Conflict], dict[str, int]]:
        """The traffic where rows begin at sectors, and what sizes have to be multiples of for them to.

        Positions that take every value, such as a loop's, are tried at each place in a sector.
        """
        first = traffic(address, width, active)
        if first.kind not in (Class.COALESCED, Class.MISALIGNED) or first.lanes == 1:
            return [first], {}
        needs, step = row_starts((address, next_rows), assumed, self._is_size, self.run.symbols)
        others = (traffic(moved(address, by), width, active) for by in sorted({step, SECTOR - step} - {SECTOR, 0}))
        return [first, *others], needs

    def _cases(self, need: NeedsCases) -> list[dict[str, Dim]]:
        """Values to try for a name, each with those that others have in the same round of a loop."""
        symbol = self.run.symbols.known.get(need.name)
        if symbol is not None and symbol.values and len(symbol.values) <= MAX_CASES:
            counter = need.name if symbol.counter else symbol.rounds
            others = [o for o in self.together.get(counter, ()) if o != need.name]
            cases: list[dict[str, Dim]] = []
            for i, value in enumerate(symbol.values):
                values = {name: self.run.symbols.known[name].values for name in others}
                if all(i < len(known) for known in values.values()):
                    same_round = {name: dim(known[i]) for name, known in values.items()}
                    cases.append({need.name: dim(value), **same_round, **({counter: dim(i)} if counter else {})})
            return cases
        if need.modulus > MAX_CASES:
            raise Undecided(f"depends on `{need.name}`")
        return [{need.name: dim(need.name) * need.modulus + rest} for rest in range(need.modulus)]
