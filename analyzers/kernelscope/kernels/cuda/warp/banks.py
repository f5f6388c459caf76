"""How many times a warp's request to shared memory is repeated because lanes want different words of one bank.

32 banks of 4 bytes; requests of 8 and 16 bytes per lane go in halves and quarters of a warp (CUDA C++ Programming
Guide, "Shared Memory"). Lanes that want the same word share it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.kernels.cuda.warp.lanes import UNIT, Numbers, Spread, Undecided
from kernelscope.kernels.cuda.warp.sectors import WARP, pieces

BANKS = 32
WORD = 4


@dataclass(frozen=True, slots=True)
class Conflict:
    """`degree` words of one bank in one go at worst; `words` different ones in all, each of at most `sharing` lanes."""

    degree: int
    words: int
    lanes: int
    sharing: int = 1

    @property
    def is_free(self) -> bool:
        return self.degree <= 1

    @property
    def is_broadcast(self) -> bool:
        return self.words == 1 and self.lanes > 1


def conflict(address: Spread, width: int, active: Numbers | None = None) -> Conflict:
    """The conflicts of one request: `address` in bytes from a multiple of 128, `width` bytes in each lane.

    Raises `Undecided` when lanes lie at unknown distances from each other.
    """
    for monomial, numbers in address.items():
        if monomial and len(set(numbers)) > 1:
            from kernelscope.dims import Dim, render

            raise Undecided(f"depends on `{render(Dim(((monomial, 1),)))}`")
    plain = address.get(UNIT, (0,) * len(next(iter(address.values()), (0,) * WARP)))
    return _counted(plain, pieces(width), active)


@lru_cache(maxsize=1024)
def _counted(plain: Numbers, piece: int, active: Numbers | None) -> Conflict:
    """The conflicts of lanes with these addresses, each moving `piece` bytes at once."""
    lanes_at_once = max(1, WARP * WORD // max(piece, WORD))
    degree, words, lanes, sharing = 0, set[int](), 0, 1
    for start in range(0, len(plain), lanes_at_once):
        banks: dict[int, set[int]] = {}
        wanting = Counter[int]()
        for lane in range(start, min(start + lanes_at_once, len(plain))):
            if active is None or active[lane]:
                lanes += 1
                for word in range(plain[lane] // WORD, (plain[lane] + piece - 1) // WORD + 1):
                    banks.setdefault(word % BANKS, set()).add(word)
                    wanting[word] += 1
        for wanted in banks.values():
            degree = max(degree, len(wanted))
            words |= wanted
        sharing = max(sharing, *wanting.values(), 1)
    return Conflict(degree, len(words) * WORD // max(piece, WORD), lanes, sharing)


def padding(address: Spread, width: int, row: int, active: Numbers | None = None) -> int | None:
    """The fewest bytes by which rows of `row` bytes have to grow to be free of conflicts; None if none of 8 helps."""
    plain = address.get(UNIT, ())
    step = max(pieces(width), WORD)
    for extra in range(step, step * 8 + 1, step):
        moved = tuple(offset + offset // row * extra for offset in plain)
        if conflict({UNIT: moved}, width, active).is_free:
            return extra
    return None
