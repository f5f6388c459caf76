"""Calls that communicate, by the names that the distributed libraries give them.

Knows names only; which tensor, group and condition a call has is the business of `serving`.
"""

from __future__ import annotations

import re

PRIMITIVES: dict[str, str] = {
    "all_reduce": "all_reduce",
    "all_gather": "all_gather",
    "all_gather_into_tensor": "all_gather",
    "all_gather_object": "all_gather",
    "_all_gather_base": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "reduce_scatter_tensor": "reduce_scatter",
    "_reduce_scatter_base": "reduce_scatter",
    "all_to_all": "all_to_all",
    "all_to_all_single": "all_to_all",
    "broadcast": "broadcast",
    "broadcast_object_list": "broadcast",
    "gather": "gather",
    "scatter": "scatter",
    "send": "send",
    "isend": "send",
    "recv": "recv",
    "irecv": "recv",
    "barrier": "barrier",
}
"""Of `torch.distributed` and its modules."""
LAX: dict[str, str] = {
    "psum": "all_reduce",
    "pmean": "all_reduce",
    "pmax": "all_reduce",
    "pmin": "all_reduce",
    "psum_scatter": "reduce_scatter",
    "ppermute": "permute",
    "all_gather": "all_gather",
    "all_to_all": "all_to_all",
    "ragged_all_to_all": "all_to_all",
    "pbroadcast": "broadcast",
}
"""Of `jax.lax`, whose `gather`, `scatter` and `broadcast` move elements of one array."""
MLX: dict[str, str] = {
    "all_sum": "all_reduce",
    "all_max": "all_reduce",
    "all_min": "all_reduce",
    "sum_scatter": "reduce_scatter",
    "all_gather": "all_gather",
    "send": "send",
    "recv": "recv",
    "recv_like": "recv",
}
"""Of `mlx.core.distributed`."""
_NATIVE = re.compile(
    r"(?:nccl|rccl|nvshmemx?_?)(AllReduce|AllGather|ReduceScatter|Broadcast|Bcast|Send|Recv|AlltoAll|barrier\w*)\Z"
)
_WORDS = {"AllReduce": "all_reduce", "AllGather": "all_gather", "ReduceScatter": "reduce_scatter",
          "Broadcast": "broadcast", "Bcast": "broadcast", "Send": "send", "Recv": "recv",
          "AlltoAll": "all_to_all"}  # fmt: skip


def collective(dotted: str) -> str | None:
    """The primitive that a library function of this full name carries out."""
    library, _, name = dotted.rpartition(".")
    if library == "jax.lax":
        return LAX.get(name)
    if library == "mlx.core.distributed":
        return MLX.get(name)
    return PRIMITIVES.get(name) if f"{library}.".startswith("torch.distributed.") else None


def may_communicate(called: str) -> bool:
    """Whether a call of this name may be a collective, before anybody looks where the name comes from."""
    tail = called.rpartition(".")[2]
    return tail in PRIMITIVES or tail in LAX or native_collective(tail) is not None


def native_collective(name: str) -> str | None:
    """The primitive behind a function of NCCL, RCCL or NVSHMEM."""
    found = _NATIVE.match(name)
    return _WORDS.get(found[1], "barrier") if found else None
