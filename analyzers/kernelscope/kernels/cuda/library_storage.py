"""Bytes of the shared memory that CUB's operations ask for, as in `cub::BlockReduce<T, N>::TempStorage`.

As the layouts of CUB say (block_reduce_warp_reductions.cuh, block_raking_layout.cuh, block_scan_warp_scans.cuh,
block_radix_rank.cuh, block_exchange.cuh); what another algorithm or an odd number of threads needs is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from kernelscope.dims import Dim, ceil_div, dim

WARP = 32
ALIGNED = 16
"""What arrays that threads exchange elements by are aligned to."""
RANKING_BYTES = 36
"""Of a thread that sorts four bits at a time: nine packed counters."""
_OF_LIBRARY = re.compile(r"(?:::)?(?:\w+::)*(?:hip)?cub::(\w+)\Z")
_NO_VALUES = re.compile(r"(?:\w+::)*NullType\Z")
Fixed = tuple[int, int]
"""Size and alignment."""
Layouts = Callable[[str], Fixed | None]
Numbers = Callable[[str], Dim | None]
Storage = tuple[Dim, int]
Rule = Callable[[Sequence[str], Layouts, Numbers], Storage | None]


def storage(
    name: str,
    arguments: Sequence[str],
    layout: Layouts,
    number: Numbers,
) -> Storage | None:
    """The layout of an operation's storage, by the operation's name and template arguments."""
    found = _OF_LIBRARY.match(name)
    rule = _RULES.get(found[1]) if found is not None else None
    return rule(arguments, layout, number) if rule is not None and arguments else None


def _rounded(size: int, aligned: int) -> int:
    return -(-size // aligned) * aligned


def _block(given: Sequence[str], places: Sequence[int], number: Numbers) -> Dim | None:
    """The threads of a block with up to three sides, of which the first is always given."""
    threads = dim(1)
    for place in places:
        side = number(given[place]) if place < len(given) else dim(1)
        if side is None:
            return None
        threads = threads * side
    return threads if len(given) > places[0] else None


def _threads(given: Sequence[str], places: Sequence[int], number: Numbers) -> int | None:
    """The same as a positive number."""
    threads = _block(given, places, number)
    return threads.const if threads is not None and threads.const is not None and threads.const > 0 else None


def _count(given: Sequence[str], place: int, number: Numbers) -> int | None:
    found = number(given[place]) if place < len(given) else None
    return found.const if found is not None and found.const is not None and found.const > 0 else None


def _algorithm(given: Sequence[str], place: int, default: str) -> str:
    return given[place].rpartition("::")[2].strip() if place < len(given) else default


def _block_reduce(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
    """One empty object and one element for each warp, and one for the block."""
    element, block = layout(given[0]), _block(given, (1, 3, 4), number)
    if _algorithm(given, 2, "BLOCK_REDUCE_WARP_REDUCTIONS") != "BLOCK_REDUCE_WARP_REDUCTIONS":
        return None
    if element is None or block is None:
        return None
    if block.const is not None and (block.const <= 0 or (block.const < WARP and block.const & (block.const - 1))):
        return None  # a warp of another size exchanges its values through memory
    warps, (size, aligned) = ceil_div(block, WARP), element
    return ceil_div(warps, aligned) * aligned + (warps + 1) * size, aligned


def _block_scan(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
    element, threads = layout(given[0]), _threads(given, (1, 3, 4), number)
    if element is None or element[1] > ALIGNED or threads is None or threads % WARP:
        return None
    algorithm = _algorithm(given, 2, "BLOCK_SCAN_RAKING")
    if algorithm == "BLOCK_SCAN_WARP_SCANS":
        return dim(_warp_scans(threads, element)), ALIGNED
    if algorithm not in ("BLOCK_SCAN_RAKING", "BLOCK_SCAN_RAKING_MEMOIZE"):
        return None
    segment = threads // WARP
    padded = segment + (segment % 2 == 0 and segment > 2)
    grid = _rounded(WARP * padded * element[0], ALIGNED)
    return dim(_rounded(ALIGNED + grid + element[0], ALIGNED)), ALIGNED


def _warp_scans(threads: int, element: Fixed) -> int:
    """One element and one empty object for each warp, and one element for the block."""
    warps, (size, aligned) = threads // WARP, element
    return _rounded(_rounded(warps * size + warps, aligned) + size, 2 * ALIGNED)


def _exchange(threads: int, items: int, element: Fixed) -> int:
    count = threads * items
    padding = count // WARP if items > 4 and items & (items - 1) == 0 else 0
    return _rounded((count + padding) * element[0], ALIGNED)


def _block_exchange(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
    element, threads = layout(given[0]), _threads(given, (1,), number)
    items = _count(given, 2, number) if len(given) == 3 else None
    if element is None or threads is None or items is None:
        return None
    return dim(_exchange(threads, items, element)), ALIGNED


def _radix_sort(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
    """Ranks and exchanges take turns; ranks need counters, and a scan of them."""
    key, threads = layout(given[0]), _threads(given, (1,), number)
    items = _count(given, 2, number)
    if key is None or threads is None or items is None or threads % WARP or len(given) > 4:
        return None
    sizes = [threads * RANKING_BYTES + _warp_scans(threads, (4, 4)), _exchange(threads, items, key)]
    if len(given) == 4 and not _NO_VALUES.match(given[3].strip()):
        value = layout(given[3])
        if value is None:
            return None
        sizes.append(_exchange(threads, items, value))
    return dim(max(sizes)), ALIGNED


def _warp_wide(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
    """Lanes hand their values to each other: an empty object."""
    lanes = _count(given, 1, number) if len(given) > 1 else WARP
    return (dim(1), 1) if lanes is not None and 0 < lanes <= WARP and lanes & (lanes - 1) == 0 else None


def _moves(way: str) -> Rule:
    def rule(given: Sequence[str], layout: Layouts, number: Numbers) -> Storage | None:
        algorithm = _algorithm(given, 3, f"BLOCK_{way}_DIRECT").removeprefix(f"BLOCK_{way}_")
        if algorithm in ("DIRECT", "STRIPED", "VECTORIZE"):
            return dim(1), 1
        if way == "LOAD" and algorithm in ("TRANSPOSE", "WARP_TRANSPOSE") and len(given) == 4:
            return _block_exchange(given[:3], layout, number)
        return None  # what a store keeps besides differs by version

    return rule


_RULES: dict[str, Rule] = {
    "BlockReduce": _block_reduce,
    "BlockScan": _block_scan,
    "BlockExchange": _block_exchange,
    "BlockRadixSort": _radix_sort,
    "WarpReduce": _warp_wide,
    "WarpScan": _warp_wide,
    **{f"Block{way.capitalize()}": _moves(way) for way in ("LOAD", "STORE")},
}
