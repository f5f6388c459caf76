"""Hovers of what CUDA C++ itself provides: indices with the values that launches give them, barriers, shuffles, votes.

CUDA C++ Programming Guide, "Built-in Variables", "Synchronization Functions", "Warp Shuffle Functions" and those after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.dims import render
from kernelscope.kernels.cuda.kernels import KernelFacts
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.results import Hover, Span

MAX_ROWS = 6
_REACH = 24
"""Bytes around a place in which `threadIdx . x` is looked for."""
_INDEX = re.compile(rb"\b(threadIdx|blockIdx|blockDim|gridDim)\s*\.\s*([xyz])\b")
_INDICES = {
    "threadIdx": "the thread's place in its block",
    "blockIdx": "the block's place in the grid",
    "blockDim": "threads of a block",
    "gridDim": "blocks of the grid",
}
_ALL_WAIT = (
    "All threads of the block wait here for each other; what they wrote to memory before is seen by all after it."
)
_LANES = "All lanes of the mask have to get here."
FUNCTIONS: dict[str, tuple[str, str]] = {
    "__syncthreads": ("void __syncthreads()", _ALL_WAIT),
    "__syncthreads_count": ("int __syncthreads_count(int p)", f"{_ALL_WAIT} Gives for how many threads p is not 0."),
    "__syncthreads_and": ("int __syncthreads_and(int p)", f"{_ALL_WAIT} Not 0 if p is so for all threads."),
    "__syncthreads_or": ("int __syncthreads_or(int p)", f"{_ALL_WAIT} Not 0 if p is so for any thread."),
    "__syncwarp": ("void __syncwarp(unsigned mask = 0xffffffff)", "The lanes of the mask wait for each other here."),
    "__shfl_sync": (
        "T __shfl_sync(unsigned mask, T v, int lane, int width = 32)",
        f"The value of another lane: the one with that number among `width` neighbours. {_LANES}",
    ),
    "__shfl_up_sync": (
        "T __shfl_up_sync(unsigned mask, T v, unsigned d, int width = 32)",
        f"The value of the lane d before this one; the first d of `width` neighbours keep their own. {_LANES}",
    ),
    "__shfl_down_sync": (
        "T __shfl_down_sync(unsigned mask, T v, unsigned d, int width = 32)",
        f"The value of the lane d after this one; the last d of `width` neighbours keep their own. {_LANES}",
    ),
    "__shfl_xor_sync": (
        "T __shfl_xor_sync(unsigned mask, T v, int m, int width = 32)",
        f"The value of the lane whose number is this one's with the bits of m turned over. {_LANES}",
    ),
    "__ballot_sync": ("unsigned __ballot_sync(unsigned mask, int p)", f"A bit for each lane: is p not 0? {_LANES}"),
    "__any_sync": ("int __any_sync(unsigned mask, int p)", f"Not 0 if p is so in any lane. {_LANES}"),
    "__all_sync": ("int __all_sync(unsigned mask, int p)", f"Not 0 if p is so in all lanes. {_LANES}"),
    "__activemask": ("unsigned __activemask()", "A bit for each lane that runs this together with the asking one."),
    "__threadfence": (
        "void __threadfence()",
        "What was written before is seen by the GPU before what is written after.",
    ),
    "__threadfence_block": (
        "void __threadfence_block()",
        "What was written before is seen by the block before what is written after.",
    ),
    "__ldg": ("T __ldg(const T *p)", "A load by the read-only path: nothing may write there while the kernel runs."),
    "atomicAdd": ("T atomicAdd(T *p, T v)", "Adds v at p as one step; gives what was there before."),
    "atomicMax": ("T atomicMax(T *p, T v)", "Keeps the larger one at p as one step; gives what was there before."),
    "atomicMin": ("T atomicMin(T *p, T v)", "Keeps the smaller one at p as one step; gives what was there before."),
    "atomicExch": ("T atomicExch(T *p, T v)", "Puts v at p as one step; gives what was there before."),
    "atomicCAS": (
        "T atomicCAS(T *p, T old, T v)",
        "Puts v at p if old is there, as one step; gives what was there before.",
    ),
    "__launch_bounds__": (
        "__launch_bounds__(most threads of a block, least blocks of an SM)",
        "The compiler keeps to as many registers as this leaves a thread; larger blocks cannot be launched.",
    ),
}
"""Signature and meaning of functions, by name."""


def builtin_hover(facts: KernelFacts | None, data: bytes, span: Span) -> Hover | None:
    """The hover of a name that CUDA gives; `facts` are of the kernel around it."""
    told = FUNCTIONS.get(data[span.start : span.end].decode("utf-8", "replace"))
    if told is not None:
        return Hover(span, told[0], "cuda-cpp", (told[1],))
    start = max(0, span.start - _REACH)
    for found in _INDEX.finditer(data, start, span.end + _REACH):
        if found.start() <= span.start < found.end():
            name, axis = found[1].decode(), found[2].decode()
            rows = tuple(_values(facts, name, "xyz".index(axis))) if facts is not None else ()
            whole = Span(found.start(), found.end())
            return Hover(whole, f"unsigned {name}.{axis}", "cuda-cpp", (f"{_INDICES[name]}, along {axis}",), rows)
    return None


def _values(facts: KernelFacts, name: str, axis: int) -> Iterator[tuple[str, str]]:
    """What an index is at each launch, once where all of them agree."""
    told: dict[str, list[Launch]] = {}
    for launch in facts.launches:
        size = (launch.block if name in ("threadIdx", "blockDim") else launch.grid)[axis]
        if size is None:
            text = "not known"
        elif name.endswith("Idx"):
            text = "0" if size == 1 else f"0 … {render(size - 1)}"
        else:
            text = render(size)
        told.setdefault(text, []).append(launch)
    for text, launches in list(told.items())[:MAX_ROWS]:
        yield ", ".join(f"launch L{launch.line}" for launch in launches[:MAX_ROWS]), text
