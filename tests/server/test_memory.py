"""Threads share one heap, whatever glibc would give each of them."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ON_GLIBC = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.maxsize < 1 << 32, reason="heaps that begin like this"
)
HEAPS = """
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
        areas = [line.split() for line in open("/proc/self/maps")]
        starts = [int(area[0].split("-")[0], 16) for area in areas if len(area) == 5 and area[1] == "rw-p"]
        print(sum(start % (64 << 20) == 0 for start in starts))
threads = [threading.Thread(target=fill) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@ON_GLIBC
@pytest.mark.parametrize(("first", "expected"), [("", True), ("use_one_heap()", False)])
def test_threads_share_one_heap(first: str, expected: bool) -> None:
    run = [sys.executable, "-I", "-c", HEAPS.format(first=first)]
    heaps = int(subprocess.run(run, capture_output=True, check=True).stdout)
    assert (heaps > 0) is expected


@ON_GLIBC
def test_the_server_has_one_heap(server: Any) -> None:
    server.open("file:///a.py", "x = 1\n" * 1_000)
    server.hover("file:///a.py", 0, 0)
    areas = [line.split() for line in Path(f"/proc/{server.process.pid}/maps").read_text().splitlines()]
    starts = [int(area[0].split("-")[0], 16) for area in areas if len(area) == 5 and area[1] == "rw-p"]
    assert sum(start % (64 << 20) == 0 for start in starts) == 0
