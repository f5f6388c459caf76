"""Collectives of torch.distributed: in-place ones keep their tensor, functional ones may grow or shrink an axis.

The number of ranks is the name `world_size`; groups are not told apart here.
"""

from __future__ import annotations

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, integer, tensor
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, Single, Size, Unknown

WORLD = "world_size"
_LATER = Unknown("a collective works in place and returns a handle or None")


@rule(
    "dist.all_reduce dist.broadcast dist.reduce dist.all_gather_into_tensor dist.reduce_scatter_tensor "
    "dist.all_gather dist.reduce_scatter dist.all_to_all dist.all_to_all_single dist.scatter dist.gather dist.send "
    "dist.recv dist.isend dist.irecv dist.barrier dist._all_gather_base dist._reduce_scatter_base",
    kind="communication",
    name="all_reduce",
    label="collective, in place",
)
def all_reduce(*args: Value, **options: Value) -> Unknown:
    """Writes its output argument."""
    return _LATER


@rule(
    "funcol.all_reduce funcol.broadcast funcol.wait_tensor",
    name="functional_all_reduce",
    kind="communication",
    label="collective",
)
def functional_all_reduce(self: Value, *args: Value, **options: Value) -> Shape:
    """Same shape."""
    return tensor(self).shape


@rule("funcol.all_gather_tensor", kind="communication", label="gather along an axis")
def all_gather_tensor(self: Value, gather_dim: Value, group: Value = None, tag: Value = "") -> Shape:
    """One axis times the number of ranks."""
    shape = tensor(self).shape
    at = integer(gather_dim)
    return shape.with_size(at, shape.size(at) * as_dim(WORLD))


@rule("funcol.reduce_scatter_tensor", kind="communication", label="sum and scatter along an axis")
def reduce_scatter_tensor(
    self: Value, reduceOp: Value, scatter_dim: Value, group: Value = None, tag: Value = ""
) -> Shape:
    """One axis divided by the number of ranks."""
    shape = tensor(self).shape
    at = integer(scatter_dim)
    return shape.with_size(at, shape.size(at) // as_dim(WORLD))


@rule("dist.get_world_size", kind="result", label="number of ranks")
def get_world_size(group: Value = None) -> Size:
    """The name `world_size`."""
    return as_dim(WORLD) if group is None else Unknown("the size of a group is not known")


@rule("dist.get_rank", kind="result", label="own rank")
def get_rank(group: Value = None) -> Unknown:
    """A number that is not known before the code runs."""
    return Single("the rank differs between processes")
