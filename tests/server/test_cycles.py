"""What is left in cycles is taken back while nobody waits: what is young each time, all of it now and then."""

from __future__ import annotations

import gc

import pytest
from kernelscope_server.cycles import LEAST_BLOCKS, OLD, YOUNG_ENOUGH, Growth, take_back


@pytest.mark.parametrize(
    ("count", "looked_at"),
    [
        ((0, 0, 0), []),
        ((9, 1, 1), [1]),
        ((9, 1, OLD), [2]),
        ((9, 0, OLD - 1), []),
        ((YOUNG_ENOUGH, 0, 1), [0]),
        ((YOUNG_ENOUGH - 1, 0, 1), []),
    ],
)
def test_only_what_is_young_is_looked_at_unless_much_is_old(
    monkeypatch: pytest.MonkeyPatch, count: tuple[int, int, int], looked_at: list[int]
) -> None:
    found: list[int] = []

    def collect(generation: int = 2) -> int:
        found.append(generation)
        return 0

    monkeypatch.setattr(gc, "get_count", lambda: count)
    monkeypatch.setattr(gc, "collect", collect)
    take_back()
    assert found == looked_at


def test_all_is_looked_at_once_there_is_a_quarter_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[int] = []
    blocks = [LEAST_BLOCKS]
    monkeypatch.setattr(gc, "get_count", lambda: (0, len(found) + blocks[0], 0))
    monkeypatch.setattr(gc, "collect", lambda: found.append(blocks[0]))
    monkeypatch.setattr("sys.getallocatedblocks", lambda: blocks[0])
    growth = Growth()
    for there in (1, 4, 8, 8, 9, 10, 12):
        blocks[0] = there * LEAST_BLOCKS // 4
        growth.take_back()
    assert found == [8 * LEAST_BLOCKS // 4, 12 * LEAST_BLOCKS // 4]
