"""What is kept of operations on sizes: a server that runs for long works with ever new ones."""

from __future__ import annotations

import gc
import sys

from kernelscope.dims import dim
from kernelscope.dims.monomial import KEPT


def test_new_sizes_take_the_place_of_old_ones() -> None:
    def work(first: int) -> int:
        for number in range(first, first + KEPT):
            a, b = dim(f"a{number}"), dim(f"b{number}")
            _ = (a * b + a * 2) // (b + 1), (a * b) % (a + 2)
        gc.collect()
        return sys.getallocatedblocks()

    work(0)
    full = work(KEPT)
    assert work(2 * KEPT) < full * 1.1
