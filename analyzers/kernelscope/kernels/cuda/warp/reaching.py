"""The lanes of a warp, and which of them get to an access: what its conditions say of each.

What no lane passes in the middle of the data, or in a warp that is at hand, is asked of where it can be passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.warp.implications import refusals
from kernelscope.kernels.cuda.warp.kernel_run import Run, Shape
from kernelscope.kernels.cuda.warp.lanes import UNIT, Lanes, NeedsCases, Numbers, Undecided
from kernelscope.kernels.cuda.warp.sectors import AXES, WARP, threads

_FIRST_BLOCK = {f"blockIdx.{axis}": 0 for axis in "xyz"}
MAX_CASES = 64
MAX_WARPS = 32
_AXES = frozenset(AXES)


@dataclass(slots=True)
class Reaching:
    """Of one run; everything is worked out once."""

    run: Run
    constants: dict[str, int] = field(init=False)
    varying: dict[str, str] = field(init=False)
    _loaded: dict[str, Dim] = field(init=False)
    _masks: dict[tuple[Shape, int, Dim], Numbers | None] = field(
        default_factory=dict[tuple[Shape, int, Dim], "Numbers | None"]
    )
    _numbered: dict[Dim, Dim] = field(default_factory=dict[Dim, Dim])
    """With the numbers that the launch gives names."""
    _by_warp: dict[tuple[Shape, int], Lanes] = field(default_factory=dict[tuple[Shape, int], Lanes])

    def __post_init__(self) -> None:
        self.constants = self.run.setting.constants()
        self.varying = dict(self.run.symbols.varying_names)
        known = self.run.symbols.known.items()
        self._loaded = {name: self.known(symbol.address) for name, symbol in known if symbol.address is not None}

    def known(self, d: Dim) -> Dim:
        if not self.constants or d.const is not None:
            return d
        found = self._numbered.get(d)
        if found is None:
            found = self._numbered[d] = d.subs(self.constants)
        return found

    def lanes(self, shape: tuple[int, int, int], warp: int) -> Lanes:
        found = self._by_warp.get((shape, warp))
        if found is None:
            found = self._by_warp[shape, warp] = Lanes(
                threads(shape, warp),
                self.varying,
                is_size=self.is_size,
                is_long=self._is_long,
                loaded=self._loaded,
                has_few_values=self.has_few_values,
            )
        return found

    def is_size(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        return (symbol is not None and symbol.size) or name.startswith(("blockDim.", "sizeof("))

    def _is_long(self, d: Dim) -> bool:
        """A length that a caller passes; template parameters are often short, and their numbers matter."""
        return not any(s.template for name in d.names() if (s := self.run.symbols.known.get(name)) is not None)

    def has_few_values(self, name: str) -> bool:
        symbol = self.run.symbols.known.get(name)
        return symbol is not None and 0 < len(symbol.values) <= MAX_CASES

    def active(
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
        first = self._mask_in(conditions, shape, warp, self._first_rounds(conditions))
        lasts = [self._last_rounds(condition) for condition in conditions]
        if first is None or not any(lasts):
            return first
        last = self._mask_in(
            conditions, shape, warp, {name: number for found in lasts for name, number in found.items()}
        )
        return last if last is None or sum(map(bool, last)) > sum(map(bool, first)) else first

    def _last_rounds(self, condition: Dim) -> dict[str, int]:
        """The last rounds of the loops on which it depends which lanes pass a condition."""
        names = condition.names()
        counting = ((n, self.run.symbols.known.get(n)) for n in names) if not _AXES.isdisjoint(names) else ()
        return {n: s.values[-1] for n, s in counting if s is not None and s.counter and len(s.values) > 1}

    def _first_rounds(self, conditions: tuple[Dim, ...]) -> dict[str, int]:
        """The rounds of loops around in which an inner loop has one: `for (j = 0; j < i; ++j)` has none where `i` is 0,
        which is what a loop begins with unless it is said here."""
        found: dict[str, int] = {}
        for condition in conditions:
            names = condition.names()
            if len(names) < 2 or not all((s := self.run.symbols.known.get(n)) is not None and s.counter for n in names):
                continue
            begin = condition.subs({name: found.get(name, 0) for name in names})
            for name in names if begin.const == 0 else ():
                if condition.subs({other: found.get(other, 0) for other in names} | {name: 1}).const not in (0, None):
                    found[name] = 1
                    break
        return found

    def _mask_in(
        self, conditions: tuple[Dim, ...], shape: tuple[int, int, int], warp: int, rounds: dict[str, int]
    ) -> Numbers | None:
        """Which lanes pass all conditions in given rounds of the loops around; None for all of them."""
        mask: Numbers | None = None
        for condition in conditions:
            key = (shape, warp, condition.subs(rounds) if rounds else condition)
            if key not in self._masks:
                self._masks[key] = self._condition(key[2], shape, warp)
            lanes = self._masks[key]
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
        known = self.known(condition.subs(counters) if counters else condition)
        try:
            spread = self.lanes(shape, warp).spread(known)
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
