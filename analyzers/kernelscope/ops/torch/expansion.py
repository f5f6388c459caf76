"""Larger tensors from smaller ones: expand and broadcast without copying, repeat and tile with."""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Dim, Facts, same
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, asked, integer, items, known, sizes, tensor, unpacked
from kernelscope.ops.arguments import size as as_size
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, numel
from kernelscope.tensor.broadcasting import broadcast

ONE = as_dim(1)
LOST = Unknown("the rank is not known")


@rule("T.expand", kind="view", label="repeat axes of size 1 without copying")
def expand(self: Value, *size: Value, facts: Facts = NO_FACTS) -> Shape:
    """-1 keeps a size; other sizes must equal it unless it is 1; new axes come in front."""
    given, shape = asked(size), tensor(self).shape
    wanted = given.dims
    if wanted is None:
        return _kept(shape, given)
    if shape.dims is None:
        lost = Unknown(shape.reason or "the rank is not known")
        return Shape(tuple(lost if s == -1 else s for s in wanted))
    return expanded(shape.dims, wanted, facts)


@rule("t.broadcast_to", kind="view", label="repeat axes of size 1 without copying")
def broadcast_to(input: Value, size: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """As `expand`."""
    return _broadcast(input, asked(size), facts)


@rule("T.broadcast_to", kind="view", label="repeat axes of size 1 without copying", name="Tensor.broadcast_to")
def broadcast_method(self: Value, *size: Value, facts: Facts = NO_FACTS) -> Shape:
    """As `expand`."""
    return _broadcast(self, asked(size), facts)


def _broadcast(input: Value, given: Shape, facts: Facts) -> Shape:
    return _kept(tensor(input).shape, given) if given.dims is None else expanded(known(input), given.dims, facts)


def _kept(shape: Shape, given: Shape) -> Shape:
    """The sizes that are given, not all of which are known; a -1 among the last ones keeps what stands there."""
    tail = given.tail or ()
    old = [
        shape.size(axis) if shape.dims is None or -axis <= len(shape.dims) else LOST for axis in range(-len(tail), 0)
    ]
    head = tuple(LOST if size == -1 else size for size in given.head)
    return Shape(head, tuple(was if size == -1 else size for was, size in zip(old, tail, strict=True)), given.reason)


def expanded(dims: tuple[Size, ...], wanted: tuple[Size, ...], facts: Facts) -> Shape:
    """The sizes after `expand`."""
    extra = len(wanted) - len(dims)
    if extra < 0:
        raise ShapeError("broadcast", f"{Shape(dims)} cannot be expanded to the fewer dims of {Shape(wanted)}")
    result: list[Size] = []
    for i, target in enumerate(wanted):
        old = dims[i - extra] if i >= extra else None
        if target == -1:
            if old is None:
                raise ShapeError("broadcast", f"-1 for a new axis of {Shape(wanted)}")
            result.append(old)
        else:
            if old is not None and old != 1 and _differ(old, target, facts) and _differ(old, ONE, facts):
                raise ShapeError("broadcast", f"{Shape(dims)} cannot be expanded to {Shape(wanted)}")
            result.append(target)
    return Shape(tuple(result))


def _differ(a: Size, b: Size, facts: Facts) -> bool:
    """Whether two sizes certainly differ; they need not agree."""
    return isinstance(a, Dim) and isinstance(b, Dim) and same(a, b, facts) is False


@rule("T.expand_as", kind="view", label="repeat axes of size 1 without copying")
def expand_as(self: Value, other: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The shape of `other`."""
    shape, old = tensor(other).shape, tensor(self).shape.dims
    return shape if shape.dims is None or old is None else expanded(old, shape.dims, facts)


@rule("t.broadcast_tensors", kind="view", label="expand to a common shape")
def broadcast_tensors(*tensors: Value, facts: Facts = NO_FACTS) -> tuple[Tensor, ...]:
    """Each tensor in the common shape."""
    found = [tensor(t) for t in items(unpacked(tensors))]
    shape = broadcast((t.shape for t in found), facts)
    return tuple(t.with_shape(shape) for t in found)


@rule("t.broadcast_shapes", kind="result", label="the common shape")
def broadcast_shapes(*shapes: Value, facts: Facts = NO_FACTS) -> tuple[Size, ...] | Shape:
    """A tuple of sizes."""
    shape = broadcast((Shape(sizes(s)) for s in shapes), facts)
    return shape if shape.dims is None else shape.dims


@rule("T.repeat", kind="movement", label="repeat along axes, copied")
def repeat(self: Value, *repeats: Value) -> Shape:
    """Each size times its factor; more factors than axes add axes in front."""
    factors = sizes(repeats)
    shape = tensor(self).shape
    if shape.dims is None:
        return Shape((Unknown(shape.reason or "the rank is not known"),) * len(factors))
    if len(factors) < len(shape.dims):
        raise ShapeError("rank", f"{shape} has {len(shape.dims)} dims, more than the {len(factors)} factors of repeat")
    return _repeated(shape.dims, factors)


@rule("t,T.tile", kind="movement", label="repeat along axes, copied")
def tile(input: Value, *dims: Value) -> Shape:
    """Each size times its factor, aligned from the right."""
    return _repeated(known(input), sizes(dims))


def _repeated(dims: tuple[Size, ...], factors: tuple[Size, ...]) -> Shape:
    one = ONE
    factors = (one,) * (len(dims) - len(factors)) + factors
    dims = (one,) * (len(factors) - len(dims)) + dims
    return Shape(tuple(d * f for d, f in zip(dims, factors, strict=True)))


@rule("t,T.repeat_interleave", kind="movement", label="repeat elements along an axis")
def repeat_interleave(input: Value, repeats: Value = None, dim: Value = None, *, output_size: Value = None) -> Shape:
    """One axis times `repeats`; without `dim` the tensor is flattened first."""
    if repeats is None:
        return Shape((Unknown("the number of repeats depends on the data"),))
    count: Size = (
        as_size(output_size) if output_size is not None else Unknown("the sum of the repeats depends on the data")
    )
    shape = tensor(input).shape
    if dim is None:
        return Shape((shape.numel() * as_size(repeats) if not isinstance(repeats, Tensor) else count,))
    at = integer(dim)
    return shape.with_size(at, shape.size(at) * as_size(repeats) if not isinstance(repeats, Tensor) else count)


@rule("t.meshgrid", kind="view", label="coordinates of a grid")
def meshgrid(*tensors: Value, indexing: Value = "ij") -> tuple[Shape, ...]:
    """One tensor for each axis, all of the grid's shape."""
    vectors = items(unpacked(tensors))
    lengths = [numel(known(v)) for v in vectors]
    if indexing == "xy" and len(lengths) > 1:
        lengths[:2] = lengths[1], lengths[0]
    return (Shape(tuple(lengths)),) * len(vectors)
