"""The class of every access of a kernel: how a warp's lanes hit global memory's sectors and shared memory's banks.

Each access is judged for the launch's block; what only numbers of other names decide is tried for each value that they
may have, and an answer that depends on them says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd

from kernelscope.dims import Dim, TooLarge, dim, render
from kernelscope.kernels.cuda.warp.banks import Conflict, conflict
from kernelscope.kernels.cuda.warp.kernel_run import Run, Shape
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Numbers, Scattered, Spread, Undecided
from kernelscope.kernels.cuda.warp.machine import Access
from kernelscope.kernels.cuda.warp.sectors import SECTOR, WARP, Class, Traffic, threads, traffic

MAX_CASES = 64
MAX_WARPS = 32
ELEMENT_SIZES = (4, 2)
"""Sizes that are tried for an element type that only a caller knows."""


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


def verdicts(run: Run) -> tuple[Verdict, ...]:
    """All accesses to global and shared memory, in the order in which the kernel makes them."""
    judge = _Judge(run)
    return tuple(judge.verdict(a) for a in run.accesses if a.memory.space in ("global", "shared", "unknown"))


@dataclass(slots=True)
class _Judge:
    run: Run
    constants: dict[str, int] = field(init=False)
    varying: dict[str, str] = field(init=False)
    masks: dict[tuple[int, tuple[Dim, ...]], Numbers | None] = field(
        default_factory=dict[tuple[int, tuple[Dim, ...]], Numbers | None]
    )
    by_warp: dict[tuple[Shape, int], Lanes] = field(default_factory=dict[tuple[Shape, int], Lanes])

    def __post_init__(self) -> None:
        self.constants = self.run.setting.constants()
        self.varying = dict(self.run.symbols.varying_names)

    def verdict(self, access: Access) -> Verdict:
        if access.memory.space == "unknown":
            return Verdict(access, None, reason="the pointer may point into several memories")
        try:
            offset, width = self._known(access.offset), self._known(access.width or dim(4))
            return self._judged(access, offset, width)
        except Scattered as why:
            return Verdict(access, None, reason=why.reason, scattered=True)
        except Undecided as why:
            return Verdict(access, None, reason=why.reason)
        except TooLarge:
            return Verdict(access, None, reason="an expression too large to follow")

    def _known(self, d: Dim) -> Dim:
        return d.subs(self.constants) if self.constants else d

    def _judged(self, access: Access, offset: Dim, width: Dim) -> Verdict:
        outcomes: list[Traffic | Conflict] = []
        widths: set[int] = set()
        needs: dict[str, None] = {}
        shape, condition = self._shape(access, offset)
        if condition:
            needs[condition] = None
        for case, size in self._sizes(offset, width):
            widths.add(size)
            for outcome, assumed in self._outcomes(access, case, size, shape):
                outcomes.append(outcome)
                needs.update(dict.fromkeys(assumed))
        if not outcomes:
            raise Undecided("no lane gets there")
        worst = max(outcomes, key=_cost)
        others = tuple(dict.fromkeys(o for o in outcomes if _kind(o) != _kind(worst)))
        return Verdict(access, worst, widths.pop() if len(widths) == 1 else None, "", False, tuple(needs), others)

    def _sizes(self, offset: Dim, width: Dim) -> Iterator[tuple[Dim, int]]:
        """The address and width for each size that an unknown element type may have."""
        open_sizes = [n for n in dict.fromkeys((*width.names(), *offset.names())) if n.startswith("sizeof(")]
        if not open_sizes:
            number = width.const
            if number is None:
                raise Undecided(f"the width `{width}` is not known")
            if number <= 0:
                raise Undecided("nothing is moved")
            yield offset, number
            return
        for size in ELEMENT_SIZES:
            values = dict.fromkeys(open_sizes, size)
            number = width.subs(values).const
            if number is None:
                raise Undecided(f"the width `{width}` is not known")
            yield offset.subs(values), number

    def _shape(self, access: Access, offset: Dim) -> tuple[tuple[int, int, int], str]:
        """The block's shape, and what had to be supposed of it."""
        x, y, z = self.run.setting.block
        if x is not None:
            return (x, y or WARP, z or 1), ""
        rows = {"threadIdx.y", "threadIdx.z"} & set(offset.names())
        return (WARP, 1, 1), "blockDim.x is a multiple of 32" if rows else ""

    def _lanes(self, shape: tuple[int, int, int], warp: int) -> Lanes:
        found = self.by_warp.get((shape, warp))
        if found is None:
            found = self.by_warp[shape, warp] = Lanes(threads(shape, warp), self.varying, is_size=self._is_size)
        return found

    def _is_size(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        return (symbol is not None and symbol.size) or name.startswith(("blockDim.", "sizeof("))

    def _active(self, conditions: tuple[Dim, ...], shape: tuple[int, int, int]) -> tuple[int, Numbers | None]:
        """The first warp of which any lane gets there, and its lanes that do; None for all."""
        total = shape[0] * shape[1] * shape[2]
        for warp in range(min(MAX_WARPS, -(-total // WARP))):
            mask = self._mask(conditions, shape, warp)
            if mask is None or any(mask):
                return warp, mask
        return 0, None

    def _mask(self, conditions: tuple[Dim, ...], shape: tuple[int, int, int], warp: int) -> Numbers | None:
        key = (warp, conditions)
        if key not in self.masks:
            mask: Numbers | None = None
            for condition in conditions:
                lanes = self._condition(condition, shape, warp)
                if lanes is not None and not all(lanes):
                    mask = lanes if mask is None else tuple(a and b for a, b in zip(mask, lanes, strict=True))
            self.masks[key] = mask
        return self.masks[key]

    def _condition(self, condition: Dim, shape: tuple[int, int, int], warp: int) -> Numbers | None:
        """Which lanes pass; None where that does not follow, as for bounds of the data."""
        counters = {n: 0 for n in condition.names() if (s := self.run.symbols.known.get(n)) is not None and s.counter}
        known = self._known(condition.subs(counters) if counters else condition)
        if known.const is not None:
            return None
        lanes = self._lanes(shape, warp)
        if not lanes.differs(known):
            return None
        try:
            spread = Lanes(lanes.threads, self.varying, is_size=self._is_size).spread(known)
        except (Undecided, NeedsCases):
            return None
        return spread.get(UNIT) if all(not monomial for monomial in spread) else None

    def _outcomes(
        self, access: Access, offset: Dim, width: int, shape: tuple[int, int, int]
    ) -> Iterator[tuple[Traffic | Conflict, tuple[str, ...]]]:
        """One outcome for each value of what has to be tried."""
        todo: list[tuple[Dim, tuple[Dim, ...]]] = [(offset, access.conditions)]
        count = 0
        while todo:
            case, conditions = todo.pop()
            warp, active = self._active(conditions, shape)
            if count and active is not None and not any(active):
                continue
            lanes = self._lanes(shape, warp)
            lanes.assumed = {}
            lanes.known.clear()
            try:
                address = lanes.spread(case)
                needs: tuple[str, ...] = ()
                self._try_strides(address)
                if access.memory.space == "shared":
                    outcome = conflict(address, width, active)
                else:
                    outcome = traffic(address, width, active)
                    if outcome.kind in (Class.COALESCED, Class.MISALIGNED) and outcome.lanes > 1:
                        needs = self._rows_begin(address)
            except NeedsCases as need:
                values = self._values(need)
                count += len(values)
                if count > MAX_CASES:
                    raise Undecided(f"depends on `{need.name}`") from None
                for value in values:
                    given = {need.name: value}
                    todo.append((case.subs(given), tuple(c.subs(given) for c in conditions)))
                continue
            yield outcome, (*lanes.assumed, *needs)

    def _try_strides(self, address: Spread) -> None:
        """Distances between lanes that are few numbers are tried one by one."""
        for monomial, numbers in address.items():
            if monomial and len(set(numbers)) > 1:
                for atom, _ in monomial:
                    symbol = self.run.symbols.known.get(atom) if isinstance(atom, str) else None
                    if symbol is not None and 0 < len(symbol.values) <= MAX_CASES:
                        raise NeedsCases(str(atom), 1)

    def _rows_begin(self, address: Spread) -> tuple[str, ...]:
        """What has to hold of sizes for rows to begin at sectors; positions that take every value are tried."""
        found: dict[str, None] = {}
        for monomial, numbers in address.items():
            factor = gcd(SECTOR, *numbers)
            if not monomial or factor == SECTOR:
                continue
            sizes = tuple((a, e) for a, e in monomial if not isinstance(a, str) or self._is_size(a))
            if not sizes:
                raise NeedsCases(str(monomial[0][0]), SECTOR // factor)
            found[f"{render(Dim(((sizes, 1),)))} is a multiple of {SECTOR // factor}"] = None
        return tuple(found)

    def _values(self, need: NeedsCases) -> list[Dim]:
        symbol = self.run.symbols.known.get(need.name)
        if symbol is not None and symbol.values and len(symbol.values) <= MAX_CASES:
            return [dim(value) for value in symbol.values]
        if need.modulus > MAX_CASES:
            raise Undecided(f"depends on `{need.name}`")
        return [dim(need.name) * need.modulus + rest for rest in range(need.modulus)]


def _cost(outcome: Traffic | Conflict) -> float:
    return outcome.sectors if isinstance(outcome, Traffic) else outcome.degree


def _kind(outcome: Traffic | Conflict) -> object:
    return outcome.kind if isinstance(outcome, Traffic) else outcome.degree
