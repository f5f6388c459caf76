"""Barriers of a kernel that are waited on by phase: how many arrivals they expect, who waits, who arrives.

Known by the words of the calls and of what they are given: `wait(page_finished[i], phase)`, `arrive(ready, 1)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.c_functions import CFunction, CSource
from kernelscope.serving.sections import words
from kernelscope.serving.waits import Sync

WAITS = {"wait", "wait_parity", "try_wait", "mbarrier_wait", "wait_barrier"}
ARRIVES = {"arrive", "arrive_count", "mbarrier_arrive", "arrive_barrier"}
BARRIERS = {"semaphore", "semaphores", "sem", "barrier", "barriers", "bar", "mbar", "mbarrier", "arrived", "finished",
            "ready", "done", "full", "empty"}  # fmt: skip
"""Words of what is waited on by phase."""


def c_barriers(source: CSource) -> Iterator[Sync]:
    """The barriers of a CUDA file, each thing that a function does with one once."""
    if source.aside or source.path.suffix not in (".cu", ".cuh"):
        return
    for function in source.functions:
        told: set[str] = set()
        for sync in _of_function(source, function):
            if sync.text not in told:
                told.add(sync.text)
                yield sync


def _of_function(source: CSource, function: CFunction) -> Iterator[Sync]:
    here = source.at(function.name_start)
    for name, offset in source.calls(function):
        last = name.rpartition("::")[2]
        makes = "init" in words(last) and bool({"semaphore", "barrier", "mbarrier"} & set(words(last)))
        if not (makes or last in WAITS or last in ARRIVES):
            continue
        given = source.arguments(offset, function.end)
        if not given or not BARRIERS & set(words(_last_name(given[0]))):
            continue
        barrier, others = given[0], given[1:]
        if makes and len(others) > 1:  # what each count means is the library's
            text = f"{function.name} sets {barrier} up with the counts {', '.join(others)}"
            yield Sync("semaphore", "wait", text, function.name, source.at(offset), (here,))
        elif makes and others:
            text = f"{function.name} makes {barrier} expect {others[0]} arrivals"
            yield Sync("semaphore", "wait", text, function.name, source.at(offset), (here,), others[0])
        elif last in WAITS and len(others) == 1:
            text = f"{function.name} waits for {barrier}, phase {others[0]}"
            yield Sync("semaphore", "wait", text, function.name, source.at(offset), (here,))
        elif last in ARRIVES and len(others) <= 1:
            count = f", {others[0]} at once" if others else ""
            text = f"{function.name} arrives at {barrier}{count}"
            yield Sync("semaphore", "signal", text, function.name, source.at(offset), (here,))


def _last_name(barrier: str) -> str:
    """`finished` of `state.page_finished[i][j]`."""
    return barrier.partition("[")[0].replace("->", ".").rpartition(".")[2]
