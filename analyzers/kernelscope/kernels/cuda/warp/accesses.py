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
from kernelscope.kernels.cuda.warp.implications import implied, pick_lanes
from kernelscope.kernels.cuda.warp.kernel_run import Run
from kernelscope.kernels.cuda.warp.lanes import (
    NeedsCases,
    Numbers,
    Scattered,
    Spread,
    Undecided,
)
from kernelscope.kernels.cuda.warp.lengths import Lengths
from kernelscope.kernels.cuda.warp.machine import OFFSET_OF, SIZE_OF, Access
from kernelscope.kernels.cuda.warp.outcomes import cost, kind_of
from kernelscope.kernels.cuda.warp.reaching import MAX_CASES, Reaching
from kernelscope.kernels.cuda.warp.sectors import (
    AXES,
    SECTOR,
    WARP,
    WIDTHS,
    Class,
    Traffic,
    moved,
    pieces,
    traffic,
)
from kernelscope.kernels.cuda.warp.values import UNNAMED
from kernelscope.kernels.cuda.warp.whole_vectors import as_moved

UNREACHED = "no lane gets there"
TOGETHER = "neighbouring lanes get there together"
UNKNOWN_WIDTH = 1
"""What stands for the width of a type that is not known, where all lanes want the same element."""
MAX_WIDTH = 16
"""Bytes that one lane moves at once."""
ELEMENT_SIZES = (4, 2)
"""Sizes that are tried for an element type that only a caller knows."""

_WORD = re.compile(r"[A-Za-z_]\w*")


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
    reaching: Reaching = field(init=False)
    together: dict[str, list[str]] = field(init=False)
    """Names whose values follow the rounds of one loop, by its counter."""
    judged: dict[tuple[object, ...], Verdict] = field(default_factory=dict[tuple[object, ...], Verdict])
    implied: dict[tuple[tuple[Dim, ...], tuple[tuple[str, int], ...]], dict[str, int] | None] = field(
        default_factory=dict["tuple[tuple[Dim, ...], tuple[tuple[str, int], ...]]", "dict[str, int] | None"]
    )
    lengths: Lengths = field(init=False)

    def __post_init__(self) -> None:
        self.reaching = Reaching(self.run)
        self.lengths = Lengths(self.run, self.reaching.is_size)
        self.together = {}
        for name, symbol in self.run.symbols.known.items():
            if symbol.rounds:
                self.together.setdefault(symbol.rounds, []).append(name)

    def verdict(self, access: Access) -> Verdict:
        if access.memory.space == "unknown":
            return Verdict(access, None, reason="into which memory the pointer points")
        key = (access.memory.space, access.offset, access.width, access.conditions, access.aligned)
        if (same := self.judged.get(key)) is None:
            same = self.judged[key] = self._first_verdict(access)
        return replace(same, access=access)

    def _first_verdict(self, access: Access) -> Verdict:
        try:
            offset, width = self.reaching.known(access.offset), self.reaching.known(access.width or dim(4))
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
        width = self.reaching.known(access.width or dim(4)).const
        if access.memory.space != "global" or (width is not None and width not in WIDTHS):
            return None
        try:
            shape, _ = self._shape(access, access.offset)
            active = [mask for _, mask in self.reaching.active(access.conditions, shape, access.offset)]
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
        if isinstance(worst, Traffic) and worst.kind is Class.COALESCED:
            together = not pick_lanes(self.reaching.known(condition) for condition in access.conditions)
            told = told if together else (*told, TOGETHER)
        steps = self.lengths.steps(worst, width_told)
        return Verdict(access, worst, width_told, "", False, told, others, sizes, steps)

    def _said(self, conditions: tuple[Dim, ...], given: dict[str, int]) -> dict[str, int] | None:
        """What the way to an access says of sizes; None where no lane gets there."""
        key = (conditions, tuple(given.items()))
        if key not in self.implied:
            known = (self.reaching.known(condition) for condition in conditions)
            self.implied[key] = implied((c.subs(given) if given else c for c in known), self._is_same)
        return self.implied[key]

    def _check_ways(self, conditions: tuple[Dim, ...], stride: Dim, width: int | None) -> None:
        """Whether sizes that nobody knows decide both how far lanes are apart and whether they get there, or make lanes
        some whole vectors apart, which may be one."""
        sizes = [name for name in stride.names() if (s := self.run.symbols.known.get(name)) is not None and s.template]
        by_type = any(name.startswith("sizeof(") for c in conditions for name in self.reaching.known(c).names())
        if sizes and (by_type or (width is not None and stride.exact_div(width) is None)):
            raise Undecided(f"depends on `{sizes[0]}`")

    def _is_same(self, name: str) -> bool:
        return name not in AXES and name not in self.reaching.varying

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
        return any(name in AXES or name in self.reaching.varying for name in d.names())

    def _shape(self, access: Access, offset: Dim) -> tuple[tuple[int, int, int], dict[str, int]]:
        """The block's shape, and what its sizes had to be supposed to be multiples of."""
        x, y, z = self.run.setting.block
        if x is not None:
            return (x, y or WARP, z or 1), {}
        rows = {"threadIdx.y", "threadIdx.z"} & set(offset.names())
        return (WARP, 1, 1), {"blockDim.x": WARP} if rows else {}

    def _outcomes(
        self, access: Access, offset: Dim, width: int, shape: tuple[int, int, int]
    ) -> Iterator[tuple[Traffic | Conflict, tuple[tuple[str, int], ...]]]:
        """One outcome for each value of what has to be tried, with what was supposed to divide."""
        todo: list[tuple[Dim, tuple[Dim, ...]]] = [(offset, access.conditions)]
        count = 0
        while todo:
            case, conditions = todo.pop()
            if count and any(self.reaching.known(condition).const == 0 for condition in conditions):
                continue  # no round of a loop has these values
            try:
                if not count:
                    self._try_rounds(conditions)
                for warp, active in self.reaching.active(conditions, shape, case):
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
        lanes = self.reaching.lanes(shape, warp)
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
                        if self.reaching.has_few_values(name):
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
            return self.reaching.lanes(shape, other).spread(case) if warp < other < warps else {}
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
        needs, step = row_starts((address, next_rows), assumed, self.reaching.is_size, self.run.symbols)
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
