"""Operations that only rearrange blocks: reshape, transpose, expand, join, split and their kin."""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import dim, same
from kernelscope.kernels.triton.broadcasting import ONE, broadcast, numel
from kernelscope.kernels.triton.call import OpCall, integer_of, size_of, sizes_of
from kernelscope.kernels.triton.dtypes import is_float
from kernelscope.kernels.triton.values import Const, Items, Size, Sizes, Tensor, Unknown, Value

TWO = dim(2)


def moved(tensor: Tensor, shape: Sizes | None, steps: Sizes | None = None, runs: Sizes | None = None) -> Tensor:
    """The same elements in another arrangement."""
    value = tensor.value if shape == () else None
    return Tensor(shape, tensor.elem, tensor.pointer, tensor.bases, tensor.inputs, value, steps, runs)


def _axis(value: Value, rank: int) -> int | None:
    axis = integer_of(value)
    if axis is None or not -rank <= axis < rank:
        return None
    return axis % rank


def expand_dims(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("expand_dims of no tensor")
    axis_value = call.get("axis") if call.given("axis") else call.get("dim")
    axes = axis_value.items if isinstance(axis_value, Items) else (axis_value,)
    for value in axes:
        if x.shape is None:
            return x
        axis = _axis(value, len(x.shape) + 1)
        if axis is None:
            return moved(x, None)
        x = with_new_axis(x, axis)
    return x


def with_new_axis(x: Tensor, axis: int) -> Tensor:
    """A dim of size 1 before `axis`."""
    if x.shape is None:
        return x
    steps = x.steps
    if steps is None and not is_float(x.elem):
        steps = (None,) * len(x.shape)  # loaded indices are the same all along the new dim
    if steps is not None:
        steps = (*steps[:axis], dim(0), *steps[axis:])
    runs = x.runs and (*x.runs[:axis], ONE, *x.runs[axis:])
    return moved(x, (*x.shape[:axis], ONE, *x.shape[axis:]), steps, runs)


def item(call: OpCall) -> Value:
    """The one element of a block of one, as a scalar."""
    x = call.tensor("input")
    return moved(x, ()) if x is not None else Unknown("item of no tensor")


def squeeze(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None or x.shape is None:
        return Tensor(None)
    axis = _axis(call.get("dim"), len(x.shape))
    if axis is None:
        return moved(x, None)
    left = [s and s[:axis] + s[axis + 1 :] for s in (x.shape, x.steps, x.runs)]
    return moved(x, *left)


def _listed(call: OpCall, name: str) -> Value:
    """`f(x, [a, b])` and `f(x, a, b)` alike."""
    if len(call.rest) == 1 and isinstance(call.rest[0], Items):
        return call.rest[0]
    return Items(call.rest) if call.rest else call.get(name)


def broadcast_to(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("broadcast_to of no tensor")
    shape = sizes_of(_listed(call, "shape"))
    if shape is None:
        return moved(x, None)
    broadcast(x.shape, shape)
    return stretched(x, shape)


def stretched(x: Tensor, shape: Sizes | None) -> Tensor:
    """`x` broadcast to a shape that it fits."""
    if x.shape == shape or shape is None:
        return moved(x, shape, *((x.steps, x.runs) if shape is not None else ()))
    steps, runs = x.steps, x.runs
    if x.shape == ():
        steps = (dim(0),) * len(shape)
    elif steps is not None and len(steps) < len(shape):
        added = len(shape) - len(steps)
        steps, runs = (dim(0),) * added + steps, runs and (ONE,) * added + runs
    return moved(x, shape, steps, runs)


def broadcast_pair(call: OpCall) -> Value:
    a, b = call.tensor("x"), call.tensor("y")
    if a is None or b is None:
        return Unknown("broadcast of no tensors")
    shape = broadcast(a.shape, b.shape)
    return Items((stretched(a, shape), stretched(b, shape)))


def reshape(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("reshape of no tensor")
    shape = sizes_of(_listed(call, "shape"))
    before, after = numel(x.shape), numel(shape)
    if before is not None and after is not None and same(before, after) is False:
        call.report.problem("block-mismatch", f"reshape of {before!r} elements into {after!r}")
        return moved(x, None)
    return moved(x, shape)


def ravel(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None:
        return Unknown("ravel of no tensor")
    return moved(x, (numel(x.shape),))


def transposed(x: Tensor) -> Tensor:
    """`x.T`: the last two dims swapped."""
    if x.shape is None or len(x.shape) < 2:
        return moved(x, None)
    return _ordered(x, [*range(len(x.shape) - 2), -1, -2])


def _ordered(x: Tensor, axes: list[int]) -> Tensor:
    """The axes of a block of known rank in another order."""
    return moved(x, *(sizes and tuple(sizes[axis] for axis in axes) for sizes in (x.shape, x.steps, x.runs)))


def permute(call: OpCall) -> Value:
    """`tl.trans` without dims swaps the last two."""
    x = call.tensor("input")
    if x is None or x.shape is None:
        return moved(x, None) if x is not None else Unknown("trans of no tensor")
    rank = len(x.shape)
    listed = _listed(call, "dims")
    if listed in (Const(None), Items(())):
        order: list[int | None] = [*range(rank - 2), rank - 1, rank - 2] if rank >= 2 else []
    else:
        order = [_axis(item, rank) for item in listed.items] if isinstance(listed, Items) else []
    if sorted(o for o in order if o is not None) != list(range(rank)):
        return moved(x, None)
    return _ordered(x, [o for o in order if o is not None])


def joined(call: OpCall) -> Value:
    a, b = call.tensor("a"), call.tensor("b")
    if a is None or b is None:
        return Unknown("join of no tensors")
    shape = broadcast(a.shape, b.shape)
    return Tensor(None if shape is None else (*shape, TWO), a.elem if a.elem == b.elem else "")


def split(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None or not x.shape:
        return Items((Tensor(None), Tensor(None)))
    half = Tensor(x.shape[:-1], x.elem)
    return Items((half, half))


def interleave(call: OpCall) -> Value:
    a, b = call.tensor("a"), call.tensor("b")
    if a is None or b is None:
        return Unknown("interleave of no tensors")
    shape = broadcast(a.shape, b.shape)
    if shape is None:
        return Tensor(None, a.elem)
    shape = (*shape[:-1], _plus(shape[-1], shape[-1])) if shape else (TWO,)
    return Tensor(shape, a.elem if a.elem == b.elem else "")


def cat(call: OpCall) -> Value:
    a, b = call.tensor("a"), call.tensor("b")
    if a is None or b is None or a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return Tensor(None)
    axis = _axis(call.get("dim") if call.given("dim") else Const(dim(0)), len(a.shape)) or 0
    shape = tuple(_plus(x, y) if i == axis else x for i, (x, y) in enumerate(zip(a.shape, b.shape, strict=True)))
    return Tensor(shape, a.elem if a.elem == b.elem else "")


def _plus(a: Size, b: Size) -> Size:
    return a + b if a is not None and b is not None else None


def topk(call: OpCall) -> Value:
    x = call.tensor("input")
    if x is None or not x.shape:
        return Tensor(None)
    return moved(x, (*x.shape[:-1], size_of(call.get("k"))))


def swizzle2d(call: OpCall) -> Value:
    i, j = call.tensor("i"), call.tensor("j")
    if i is None or j is None:
        return Unknown("swizzle2d of no tensors")
    return Items((replace(i, value=None, steps=None), replace(j, value=None, steps=None)))
