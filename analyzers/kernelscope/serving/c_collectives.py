"""Collectives of C++ and CUDA: calls of NCCL and of NVSHMEM-like device libraries, with tensor, group and guards.

Calls inside check macros count like others; a `MULTI_GPU`-like `#if` around them is not followed.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import Claim
from kernelscope.serving.collectives import Collective, phase_of
from kernelscope.serving.sections import words

NCCL: dict[str, str] = {
    "ncclAllReduce": "all_reduce",
    "ncclReduceScatter": "reduce_scatter",
    "ncclAllGather": "all_gather",
    "ncclBroadcast": "broadcast",
    "ncclBcast": "broadcast",
    "ncclReduce": "all_reduce",
    "ncclSend": "send",
    "ncclRecv": "recv",
}


INITIALISES = {"ncclCommInitAll", "ncclCommInitRank", "ncclCommInitRankConfig", "ncclCommSplit", "MPI_Init",
               "MPI_Init_thread", "MPI_Comm_split", "nvshmem_init", "nvshmemx_init_attr"}  # fmt: skip
"""Functions that make communicators."""


def c_groups(source: CSource) -> Iterator[Claim]:
    """Communicators that a C++ or CUDA file makes."""
    if source.aside:
        return
    for function in source.functions:
        for name, offset in source.calls(function):
            if name not in INITIALISES:
                continue
            guard = " and ".join(source.guards(function, offset))
            call = f"{name}({', '.join(source.arguments(offset, function.end))})"
            value = f"process group: {name} in {function.name}: {call}" + (f", if {guard}" if guard else "")
            yield Claim(f"{function.name} process_group", value, (source.at(offset),), condition=guard)


def c_collectives(source: CSource) -> Iterator[Collective]:
    """The collectives that a C++ or CUDA file calls, in source order."""
    for function in source.functions:
        waits = any("event" in words(name) for name, _ in source.calls(function))
        for name, offset in source.calls(function):
            if name not in NCCL:
                continue
            arguments = source.arguments(offset, function.end)
            group = next((a for a in arguments if "comm" in a.lower()), "")
            stream = arguments[-1] if arguments and "stream" in arguments[-1].lower() else ""
            overlapped = ""
            if stream and waits:
                overlapped = f"the compute stream: it runs on {stream}, which waits for an event only"
            yield Collective(
                NCCL[name], arguments[0] if arguments else "", group, function.name,
                " and ".join(source.guards(function, offset)), bool(overlapped), phase_of(function.name),
                source.at(offset), name, overlapped=overlapped,
            )  # fmt: skip
