"""What CUDA's own functions and PTX instructions do, by name: synchronise, shuffle, add atomically, copy, multiply.

CUDA C++ Programming Guide; PTX ISA; cooperative groups, CUB and CUTLASS headers for their wrappers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Kind(Enum):
    """What an operation is for; one row of the card each."""

    BARRIER = "barrier"
    WARP_BARRIER = "warp barrier"
    WARP = "warp op"
    ATOMIC = "atomic"
    TENSOR = "tensor cores"
    FRAGMENT = "fragments of matrices"
    ASYNC = "async copy"
    REGISTERS = "register allocation"


@dataclass(frozen=True, slots=True)
class Effect:
    kind: Kind
    text: str
    """How the card names it."""


_BARRIERS = ("__syncthreads", "__syncthreads_and", "__syncthreads_or", "__syncthreads_count")
_WARP = (
    "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync", "__shfl", "__shfl_up", "__shfl_down",
    "__shfl_xor", "__ballot_sync", "__ballot", "__any_sync", "__any", "__all_sync", "__all", "__match_any_sync",
    "__match_all_sync", "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync",
    "__reduce_or_sync", "__reduce_xor_sync",
)  # fmt: skip
_ATOMICS = (
    "atomicAdd", "atomicSub", "atomicMin", "atomicMax", "atomicExch", "atomicCAS", "atomicInc", "atomicDec",
    "atomicAnd", "atomicOr", "atomicXor",
)  # fmt: skip

EFFECTS: dict[str, Effect] = {
    **{name: Effect(Kind.BARRIER, name) for name in _BARRIERS},
    "__syncwarp": Effect(Kind.WARP_BARRIER, "__syncwarp"),
    **{name: Effect(Kind.WARP, name) for name in _WARP},
    **{name + scope: Effect(Kind.ATOMIC, name + scope) for name in _ATOMICS for scope in ("", "_block", "_system")},
    "__pipeline_memcpy_async": Effect(Kind.ASYNC, "cp.async"),
    "cp_async_bulk_tensor_1d_global_to_shared": Effect(Kind.ASYNC, "TMA (cp.async.bulk.tensor)"),
    **{
        f"cp_async_bulk_tensor_{rank}d_{way}": Effect(Kind.ASYNC, "TMA (cp.async.bulk.tensor)")
        for rank in range(1, 6)
        for way in ("global_to_shared", "shared_to_global")
    },
    "cp_async_bulk_global_to_shared": Effect(Kind.ASYNC, "TMA (cp.async.bulk)"),
    "cp_async_bulk_shared_to_global": Effect(Kind.ASYNC, "TMA (cp.async.bulk)"),
    "warpgroup_reg_dealloc": Effect(Kind.REGISTERS, "setmaxnreg.dec"),
    "warpgroup_reg_alloc": Effect(Kind.REGISTERS, "setmaxnreg.inc"),
}

GROUP_OF_COPIES = Effect(Kind.ASYNC, "cp.async groups")
"""The end of a group: tells of copies where these are behind a library's types."""

NAMESPACED: tuple[tuple[re.Pattern[str], Effect], ...] = (
    (re.compile(r"wmma::(?:mma_sync|bmma_sync)$"), Effect(Kind.TENSOR, "wmma")),
    (re.compile(r"(?:cuda|cg|cooperative_groups)::memcpy_async$"), Effect(Kind.ASYNC, "cp.async")),
    (
        re.compile(r"(?:cg|cooperative_groups)::(?:reduce|inclusive_scan|exclusive_scan)$"),
        Effect(Kind.WARP, "cg::reduce"),
    ),
    (re.compile(r"\bNamedBarrier::(?:sync|arrive_and_wait)$"), Effect(Kind.BARRIER, "bar.sync (named)")),
    (re.compile(r"\bSM\d+_TMA_\w+::copy$"), Effect(Kind.ASYNC, "TMA (cp.async.bulk.tensor)")),
    (re.compile(r"\bSM\d+_BULK_\w+::copy$"), Effect(Kind.ASYNC, "TMA (cp.async.bulk)")),
    (re.compile(r"\bptx::cp_async_bulk_tensor$"), Effect(Kind.ASYNC, "TMA (cp.async.bulk.tensor)")),
    (re.compile(r"\bptx::cp_async_bulk$"), Effect(Kind.ASYNC, "TMA (cp.async.bulk)")),
    (re.compile(r"\bptx::barrier_cluster_wait$"), Effect(Kind.BARRIER, "barrier.cluster")),
    (re.compile(r"\bptx::tcgen05_mma\w*$"), Effect(Kind.TENSOR, "tcgen05")),
    (re.compile(r"\bcp_async_fence$"), GROUP_OF_COPIES),
    (re.compile(r"\bwarpgroup_arrive$"), Effect(Kind.TENSOR, "wgmma")),
)
"""Names with a namespace of a library of NVIDIA's; of instructions behind CuTe's atoms, what they cannot do without."""

ANY_OBJECT: dict[str, Effect] = {"arrive_and_expect_tx": Effect(Kind.ASYNC, "TMA (mbarrier that expects bytes)")}
"""Methods that say what they do whatever the object is."""

METHODS: dict[str, dict[str, Effect]] = {
    "block": {
        "sync": Effect(Kind.BARRIER, "block.sync()"),
        "barrier_wait": Effect(Kind.BARRIER, "block.barrier_wait()"),
    },
    "group": {"sync": Effect(Kind.BARRIER, "thread_group.sync()")},
    "grid": {"sync": Effect(Kind.BARRIER, "grid.sync()")},
    "cluster": {"sync": Effect(Kind.BARRIER, "cluster.sync()")},
    "tile": {
        "sync": Effect(Kind.WARP_BARRIER, "tile.sync()"),
        **{
            name: Effect(Kind.WARP, f"tile.{name}")
            for name in ("shfl", "shfl_down", "shfl_up", "shfl_xor", "any", "all", "ballot", "match_any", "match_all")
        },
    },
    "barrier": {
        "arrive_and_wait": Effect(Kind.BARRIER, "cuda::barrier arrive_and_wait"),
        "wait": Effect(Kind.BARRIER, "cuda::barrier wait"),
    },
    "atomic": {
        name: Effect(Kind.ATOMIC, f"cuda::atomic {name}")
        for name in ("fetch_add", "fetch_sub", "fetch_max", "fetch_min", "fetch_or", "fetch_and", "exchange",
                     "compare_exchange_strong", "compare_exchange_weak")
    },
}  # fmt: skip
"""Methods by the kind of object: cooperative groups, of which `group` may be any, libcu++."""

OBJECTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"tiled_partition|thread_block_tile|coalesced_threads|coalesced_group|binary_partition"), "tile"),
    (re.compile(r"this_thread_block|\bthread_block\b"), "block"),
    (re.compile(r"\bthread_group\b"), "group"),
    (re.compile(r"this_grid|\bgrid_group\b|this_multi_grid|multi_grid_group"), "grid"),
    (re.compile(r"this_cluster|\bcluster_group\b"), "cluster"),
    (re.compile(r"\bcuda::(?:std::)?barrier\b|\bbarrier<"), "barrier"),
    (re.compile(r"\bcuda::(?:std::)?atomic(?:_ref)?\b"), "atomic"),
)
"""What a declaration says its object is: the first pattern found in its type or value."""

GROUPS = {"block": "thread_block", "tile": "thread_block_tile", "grid": "grid_group", "cluster": "cluster_group"}
"""Types of cooperative groups by the kind of object."""

LIBRARY_TYPES: tuple[tuple[re.Pattern[str], tuple[Effect, ...]], ...] = (
    (
        re.compile(r"cub::Block(?<!\wcub::Block)(?:Reduce|Scan|RadixSort)\b"),
        (Effect(Kind.BARRIER, "__syncthreads in CUB"), Effect(Kind.WARP, "shuffles in CUB")),
    ),
    (
        re.compile(r"cub::Block(?<!\wcub::Block)(?:Exchange|Shuffle|MergeSort|Discontinuity|Histogram)\b"),
        (Effect(Kind.BARRIER, "__syncthreads in CUB"),),
    ),
    (re.compile(r"cub::Warp(?<!\wcub::Warp)(?:Reduce|Scan|MergeSort)\b"), (Effect(Kind.WARP, "shuffles in CUB"),)),
)
"""Types of CUB whose use synchronises or shuffles."""


@lru_cache(maxsize=64)
def library_types(renamed: frozenset[str]) -> tuple[tuple[re.Pattern[str], tuple[Effect, ...]], ...]:
    """The same types, also under new names that a file gives the library's namespace."""
    under = (
        (re.compile(pattern.pattern.replace("cub::", f"{name}::")), effects)
        for name in sorted(renamed)
        for pattern, effects in LIBRARY_TYPES
    )
    return (*LIBRARY_TYPES, *under)


LIBRARY_CONSTANTS = {
    "cutlass::NumThreadsPerWarp": 32,
    "cutlass::NumThreadsPerWarpGroup": 128,
    "cutlass::NumWarpsPerWarpGroup": 4,
    "cutlass::NumThreadsPerHalfWarp": 16,
    "cutlass::NumThreadsPerQuad": 4,
}
"""What CUTLASS's headers, which few workspaces hold, give names (cutlass/cutlass.h)."""

_PTX: tuple[tuple[re.Pattern[str], Kind, str], ...] = (
    (re.compile(r"\b(?:bar|barrier)\.(?:cta\.)?(?:sync|red)\b"), Kind.BARRIER, "bar.sync"),
    (re.compile(r"\bbarrier\.cluster\.wait\b"), Kind.BARRIER, "barrier.cluster"),
    (re.compile(r"\bshfl(?:\.sync)?\.(?:\w+)"), Kind.WARP, ""),
    (re.compile(r"\bvote(?:\.sync)?\.\w+"), Kind.WARP, ""),
    (re.compile(r"\b(?:redux|match)\.\w*sync\w*[.\w]*"), Kind.WARP, ""),
    (re.compile(r"\b(?:atom|red)\.[\w.:]+"), Kind.ATOMIC, ""),
    (re.compile(r"\bwgmma\.mma_async[\w.]*?\.(m\d+n\d+k\d+)"), Kind.TENSOR, "wgmma"),
    (re.compile(r"\bwgmma\.(?:mma_async|fence)\b"), Kind.TENSOR, "wgmma"),
    (re.compile(r"\btcgen05\.mma\b[\w.:]*"), Kind.TENSOR, "tcgen05"),
    (re.compile(r"(?<![.\w])mma\.(?:sp[:\w]*\.)?sync[\w.]*?\.(m\d+n\d+k\d+)"), Kind.TENSOR, "mma.sync"),
    (re.compile(r"\bwmma\.mma\.sync[\w.]*?\.(m\d+n\d+k\d+)"), Kind.TENSOR, "wmma"),
    (re.compile(r"\bcp\.async\.bulk\.tensor\b"), Kind.ASYNC, "TMA (cp.async.bulk.tensor)"),
    (re.compile(r"\bcp\.async\.bulk\.(?:shared|global)[\w:.]*"), Kind.ASYNC, "TMA (cp.async.bulk)"),
    (re.compile(r"\bcp\.async\.cg\.shared"), Kind.ASYNC, "cp.async 16 B"),
    (re.compile(r"\bcp\.async\.ca\.shared"), Kind.ASYNC, "cp.async"),
    (re.compile(r"\b(?:ldmatrix|stmatrix)\.sync(?:\.aligned)?(?:\.m\d+n\d+)?\.x[124](?:\.trans)?"), Kind.FRAGMENT, ""),
    (re.compile(r"\bsetmaxnreg\.inc\b[\w.]*(?:\s+(\d+))?"), Kind.REGISTERS, "setmaxnreg.inc"),
    (re.compile(r"\bsetmaxnreg\.dec\b[\w.]*(?:\s+(\d+))?"), Kind.REGISTERS, "setmaxnreg.dec"),
)


@lru_cache(maxsize=4096)
def effect_of(name: str) -> Effect | None:
    """What a called function of CUDA's does; `name` as written, without template arguments."""
    plain = name.removeprefix("::")
    tail = plain.rpartition("::")[2]
    found = EFFECTS.get(plain) or (EFFECTS.get(tail) if tail.startswith(("cp_async", "warpgroup_reg")) else None)
    if found is not None:
        return found
    return next((effect for pattern, effect in NAMESPACED if pattern.search(plain)), None)


def ptx_effects(text: str) -> list[Effect]:
    """What the instructions of an inline assembly do."""
    found: list[Effect] = []
    for pattern, kind, name in _PTX:
        for match in pattern.finditer(text):
            shape = match[1] if pattern.groups and match[1] else ""
            effect = Effect(kind, f"{name} {shape}".strip() if name else match[0])
            covered = any(e.kind is kind and e.text.startswith(effect.text) for e in found)
            if not covered:
                found.append(effect)
    return found


_NO_INSTRUCTION = re.compile(r"\.\w+[^;]*;|@!?%?\w+|\w+:(?!:)|\\[nt]|[{}\";\s]+")
"""Declarations, predicates, labels and brackets, which may stand before an instruction."""
_INSTRUCTION = re.compile(r"[a-z]\w*(?:\.[\w:]+)*")


def first_instruction(text: str) -> str:
    """The first instruction of an inline assembly; empty where none is written out."""
    at = 0
    while passed := _NO_INSTRUCTION.match(text, at):
        at = passed.end()
    found = _INSTRUCTION.match(text, at)
    return found[0] if found is not None else ""


def object_kind(declared: str) -> str | None:
    """`block`, `tile`, `grid` … for a declaration's type and value."""
    return next((kind for pattern, kind in OBJECTS if pattern.search(declared)), None)
