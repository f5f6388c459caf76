"""Cooperative groups: ranks and sizes of blocks, grids and tiles as arithmetic on `threadIdx` and `blockDim`.

Source: CUDA C++ Programming Guide, "Cooperative Groups".
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.dims import Dim, dim, product
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.types import INT, UINT3
from kernelscope.kernels.cuda.warp.values import Cell, Data, Group, Int, Pointer, Record, Symbol, Value

_AXES = ("x", "y", "z")


def _index(name: str) -> tuple[Dim, Dim, Dim]:
    x, y, z = (dim(f"{name}.{axis}") for axis in _AXES)
    return x, y, z


def thread_rank() -> Dim:
    """The number of a thread in its block; x runs fastest."""
    (x, y, z), (bx, by, _) = _index("threadIdx"), _index("blockDim")
    return x + y * bx + z * bx * by


def _triple(name: str) -> Value:
    return Record(UINT3, {axis: Cell(Int(d), INT) for axis, d in zip(_AXES, _index(name), strict=True)}, name)


def group_member(m: Machine, group: Group, name: str, arguments: Sequence[Value]) -> Value:
    """`group.thread_rank()` and its kin; unknown for what is no number."""
    block = product(_index("blockDim"))
    (bx, by, bz), (gx, gy, _) = _index("blockIdx"), _index("gridDim")
    block_rank = bx + by * gx + bz * gx * gy
    rank = thread_rank()
    match group.kind, name:
        case "block", "thread_rank":
            return Int(rank)
        case "block", ("size" | "num_threads"):
            return Int(block)
        case "block", "thread_index":
            return _triple("threadIdx")
        case (("block" | "grid"), ("group_index" | "block_index")):
            return _triple("blockIdx")
        case "block", ("group_dim" | "dim_threads"):
            return _triple("blockDim")
        case "grid", "thread_rank":
            return Int(block_rank * block + rank)
        case "grid", "block_rank":
            return Int(block_rank)
        case "grid", ("size" | "num_threads"):
            return Int(product(_index("gridDim")) * block)
        case "grid", "num_blocks":
            return Int(product(_index("gridDim")))
        case "tile", "thread_rank" if group.size is not None:
            return Int(rank % group.size)
        case "tile", ("size" | "num_threads") if group.size is not None:
            return Int(group.size)
        case "tile", "meta_group_rank" if group.size is not None:
            return Int(rank // group.size)
        case "tile", "meta_group_size" if group.size is not None:
            return Int(block // group.size)
        case "cluster", "map_shared_rank" if arguments and isinstance(arguments[0], Pointer):
            return arguments[0]  # another block's array lies in the same way
        case "cluster", _:
            return Int(m.symbols.new(f"cluster.{name}", Symbol()))
        case _, ("shfl" | "shfl_up" | "shfl_down" | "shfl_xor" | "match_any" | "ballot" | "any" | "all"):
            same = name in ("ballot", "any", "all")
            return Data("" if same else "a value of another lane")
        case _:
            return Data()
