"""Threads share one heap, whatever glibc would give each of them."""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from kernelscope_server.server import Server

ON_GLIBC = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.maxsize < 1 << 32, reason="heaps that begin like this"
)
THREADS = """
import threading
from kernelscope_server.memory import give_back, use_one_heap
{first}
turn = threading.Barrier(4)
def fill():
    blocks = []
    for _ in range(50):
        turn.wait()
        blocks.append([bytes(2_000) for _ in range(50)])
    turn.wait()
    give_back()
    if turn.wait() == 0:
        print(open("/proc/self/maps").read())
threads = [threading.Thread(target=fill) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
HEAP_BYTES = 64 << 20


def heaps(maps: str) -> int:
    """The heaps of threads among the areas of a process: what is used of one, then what is reserved for it."""
    areas = [line.split() for line in maps.splitlines() if line]
    spans = [[int(end, 16) for end in area[0].split("-")] for area in areas]
    return sum(
        used[1] == reserved[0]
        and reserved[1] - used[0] == HEAP_BYTES
        and used[0] % HEAP_BYTES == 0
        and kind[1] == "---p"
        for used, reserved, kind in zip(spans, spans[1:], areas[1:], strict=False)
    )


@ON_GLIBC
@pytest.mark.parametrize(("first", "expected"), [("", True), ("use_one_heap()", False)])
def test_threads_share_one_heap(first: str, expected: bool) -> None:
    run = [sys.executable, "-I", "-c", THREADS.format(first=first)]
    maps = subprocess.run(run, capture_output=True, check=True, text=True).stdout
    assert (heaps(maps) > 0) is expected


@ON_GLIBC
def test_the_server_has_one_heap(server: Any) -> None:
    server.open("file:///a.py", "x = 1\n" * 1_000)
    server.hover("file:///a.py", 0, 0)
    assert heaps(Path(f"/proc/{server.process.pid}/maps").read_text()) == 0


@ON_GLIBC
def test_free_memory_is_given_back_in_pauses_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    own = threading.get_ident()  # servers of other tests may rest at the same time

    def give_back() -> None:
        given.extend([0] if threading.get_ident() == own else [])

    monkeypatch.setattr("kernelscope_server.server.give_back", give_back)
    monkeypatch.setattr("kernelscope_server.server.GIVE_BACK_SECONDS", 0)
    served = Server(io.BytesIO(), io.BytesIO())

    def pause() -> int:
        for action in served.on_free:
            action()
        return len(given)

    assert pause() == 0  # nothing was asked
    served.heard += 1
    assert (pause(), pause()) == (1, 1)
