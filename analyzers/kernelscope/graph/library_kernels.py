"""Calls of public libraries that start kernels of theirs: CUTLASS's adapters, CUB, Thrust, cuBLAS, cuDNN and their kin.

Their source is not in the workspace, so they are nodes that say whose kernel it is. Calls that only ask, allocate or
convert are none.
"""

from __future__ import annotations

import re

from kernelscope.graph.kinds import Node, NodeKind
from kernelscope.workspace.facts import Call

_THRUST = (
    "sort reduce transform inclusive exclusive unique merge gather scatter copy_if count for_each fill sequence "
    "tabulate replace remove partition min_element max_element find"
)
_STARTING: dict[str, re.Pattern[str]] = {
    "CUTLASS": re.compile(r"cutlass::(?:kernel_launch|launch_kernel_on_cluster|ClusterLauncher::launch\w*)"),
    "CUB": re.compile(r"(?:hip)?cub::Device\w+::\w+"),
    "Thrust": re.compile(rf"thrust::(?:stable_)?(?:{_THRUST.replace(' ', '|')})\w*"),
    "cuBLAS": re.compile(r"cublas(?:Lt)?\w*(?:[gG]emm|GEMM|[gG]emv|Matmul|[sS]yrk|[tT]rsm)\w*"),
    "rocBLAS": re.compile(r"(?:rocblas_|hipblas(?:Lt)?)\w*(?:[gG]emm|GEMM|[gG]emv|Matmul)\w*"),
    "cuDNN": re.compile(r"cudnn(?:BackendExecute|\w+(?:Forward|Backward)\w*)"),
    "cuSPARSE": re.compile(r"cusparse\w*(?:SpMM|SDDMM|SpMV|Matmul)"),
    "NCCL": re.compile(r"ncclEp(?:Dispatch|Combine)\w*"),
    "cuFFT": re.compile(r"cufft\w*Exec\w*"),
}
"""Which functions of which library start kernels."""
ASKING = re.compile(r"Create|Destroy|Get|Set|Init|BufferSize|WorkspaceSize|Heuristic|Check|iterator|_t\Z")
_FUNCTOR_KERNELS = {"cutlass": "CUTLASS", "cub": "CUB", "thrust": "Thrust"}
ADAPTER = re.compile(r"(?:\w+::)*cutlass::(?:\w+::)*device::\w+")
"""A host-side object of CUTLASS that starts a kernel when it runs."""
RUNS = frozenset({"?.run", "?.initialize"})
"""How such an object is told to, where its type is not seen."""


def started_by(call: Call) -> Node | None:
    """The kernel of a library that a C++ call starts; with no memory to work in it only asks how much it takes."""
    for library, pattern in _STARTING.items():
        if pattern.fullmatch(call.name) and not ASKING.search(call.name):
            return None if ("", "nullptr") in call.args else Node(NodeKind.LIBRARY, call.name, detail=library)
    return None


def launched(name: str) -> Node | None:
    """The kernel that a launch names, when it is one of a library that runs a functor given to it."""
    library = _FUNCTOR_KERNELS.get(name.partition("::")[0])
    return Node(NodeKind.LIBRARY, name, detail=library) if library and "::" in name else None


def adapter(name: str) -> Node | None:
    """The kernel behind the type of an adapter."""
    return Node(NodeKind.LIBRARY, name, detail="CUTLASS") if ADAPTER.fullmatch(name) else None
