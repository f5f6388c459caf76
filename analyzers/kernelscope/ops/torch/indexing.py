"""Subscripts, gather and scatter, and what else picks elements by index.

Sizes that depend on data (a boolean mask) are unknown with that reason.
"""

from __future__ import annotations

from typing import Any

from kernelscope.dims import NO_FACTS, Dim, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import (
    Lost,
    Value,
    axis,
    integer,
    is_sequence,
    items,
    known,
    size,
    tensor,
    tensors,
    with_dims,
)
from kernelscope.ops.families import same
from kernelscope.ops.registry import also, rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, numel, same_size
from kernelscope.tensor.broadcasting import broadcast
from kernelscope.tensor.slicing import sliced

BY_DATA = "how many elements are chosen depends on the data"
BY_INDEX = "how many dims the index has is not known"


@rule("T.__getitem__", kind="view", name="index", label="subscript")
def index(self: Value, item: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Slices, integers, `...`, None, and index tensors or masks, which copy."""
    shape = tensor(self).shape
    found = _expand(items(item) if isinstance(item, tuple) else (item,), shape)
    if isinstance(found, Shape):
        return found
    result: list[Size] = []
    picks: list[Shape] = []
    place: int | None = None
    apart = False
    for element, sizes in found:
        if element is None:
            result.append(as_dim(1))
        elif isinstance(element, slice):
            result.append(_cut(sizes[0], element, facts))
        elif _is_single(element):
            _in_range(element, sizes[0], shape)
        elif _is_index(element):
            if picks:
                apart = apart or len(result) != place
            place = len(result) if place is None else place
            picks.append(_picked(element))
        elif isinstance(element, Unknown):
            raise Lost(element.reason)
    if not picks or place is None:
        return Shape(tuple(result))
    chosen = broadcast(picks, facts)
    place = 0 if apart else place
    if chosen.dims is None:  # a mask of several dims takes as many of those behind it
        is_mask = not all(_is_of_integers(element) for element, _ in found if isinstance(element, Tensor))
        behind = () if is_mask else (*(chosen.tail or ()), *result[place:])
        return Shape((*result[:place], *chosen.head), behind, BY_INDEX)
    return Shape((*result[:place], *chosen.dims, *result[place:]))


def _cut(whole: Size, part: Any, facts: Facts = NO_FACTS) -> Size:
    return sliced(whole, part.start, part.stop, part.step, facts)


def _is_single(element: Value) -> bool:
    """Whether an index is one integer: it drops its axis and does not count among the index tensors."""
    return isinstance(element, (Dim, int)) or (
        isinstance(element, Tensor) and element.rank == 0 and not _is_mask(element)
    )


def _in_range(element: Value, length: Size, shape: Shape) -> None:
    number = element.const if isinstance(element, Dim) else element
    limit = length.const if isinstance(length, Dim) else None
    if isinstance(number, int) and limit is not None and not -limit <= number < limit:
        raise ShapeError("shape", f"index {number} is out of range for the {limit} of {shape}")


def _is_index(element: Value) -> bool:
    return isinstance(element, Tensor) or is_sequence(element)


def _picked(element: Value) -> Shape:
    """The shape that one index contributes to the broadcast of all indices."""
    if isinstance(element, Tensor):
        if _is_mask(element):
            return Shape((Unknown(BY_DATA),))
        return element.shape
    if is_sequence(element):
        return Shape(_nested(element))
    return Shape()


def _nested(element: Value) -> tuple[Size, ...]:
    found = items(element)
    inner = _nested(found[0]) if found and is_sequence(found[0]) else ()
    return (as_dim(len(found)), *inner)


def _is_mask(element: Tensor) -> bool:
    return not isinstance(element.dtype, Unknown) and element.dtype.name in {"bool", "uint8"}


def _is_of_integers(element: Tensor) -> bool:
    return not isinstance(element.dtype, Unknown) and element.dtype.kind == "int" and not _is_mask(element)


def _consumed(element: Value) -> int:
    if element is None:
        return 0
    if isinstance(element, Tensor) and _is_mask(element):
        if element.rank is None:
            raise Lost(BY_DATA)
        return element.rank
    return 1


def _expand(given: tuple[Value, ...], shape: Shape) -> list[tuple[Value, tuple[Size, ...]]] | Shape:
    """Each element with the sizes it consumes; `...` and what is left over become full slices."""
    full = slice(None)
    if sum(1 for e in given if e is Ellipsis) > 1:
        raise Lost("more than one `...`")
    if any(isinstance(e, bool) for e in given):
        raise Lost("indexed by a boolean")
    used = sum(_consumed(e) for e in given if e is not Ellipsis)
    if shape.dims is None:
        return _open(given, shape, used)
    free = len(shape.dims) - used
    if free < 0:
        raise ShapeError("rank", f"{used} indices for the {len(shape.dims)} dims of {shape}")
    cut = next((i for i, e in enumerate(given) if e is Ellipsis), len(given))
    elements = (*given[:cut], *((full,) * free), *given[cut + 1 :])
    result: list[tuple[Value, tuple[Size, ...]]] = []
    at = 0
    for element in elements:
        count = _consumed(element)
        result.append((element, shape.dims[at : at + count]))
        at += count
    return result


def _open(given: tuple[Value, ...], shape: Shape, used: int) -> Shape:
    """A tensor of unknown rank: `x[..., i]` and `x[:, None]` still tell something."""
    tail = shape.tail or ()
    lost = Unknown(shape.reason or "the rank is not known")
    if any(not (e is None or e is Ellipsis or isinstance(e, (slice, Dim, int))) for e in given):
        raise Lost(shape.reason or "the rank is not known")
    cut = next((i for i, e in enumerate(given) if e is Ellipsis), len(given))

    def walk(elements: tuple[Value, ...], sizes: list[Size]) -> list[Size]:
        result: list[Size] = []
        for element in elements:
            if element is None:
                result.append(as_dim(1))
                continue
            old = sizes.pop(0) if sizes else lost
            if isinstance(element, slice):
                result.append(_cut(old, element))
        return result

    before, after = given[:cut], given[cut + 1 :]
    left = sum(_consumed(e) for e in before)
    right = sum(_consumed(e) for e in after)
    reached = max(0, right - len(tail))  # so many of those that are known from the front may be meant
    head = walk(before, list(shape.head)) + list(shape.head[left : max(left, len(shape.head) - reached)])
    kept = tail[: max(0, len(tail) - right)]
    if left > len(shape.head):
        kept = ()  # the first indices may reach into what is known of the end
    behind = walk(after, [*((lost,) * (right - len(tail))), *tail[len(tail) - min(right, len(tail)) :]])
    return Shape(tuple(head), (*kept, *behind), shape.reason)


@rule("t,T.gather t,T.take_along_dim", kind="movement", name="gather", label="pick along an axis")
def gather(input: Value, dim: Value = None, index: Value = None, *, indices: Value = None, **options: Value) -> Shape:
    """The shape of `index`."""
    chosen = index if index is not None else indices
    if isinstance(dim, Tensor) and not isinstance(chosen, Tensor):
        chosen, dim = dim, chosen  # take_along_dim(input, indices, dim)
        if dim is None:
            return Shape((tensor(chosen).shape.numel(),))
    ranks = tensor(input).rank, tensor(chosen).rank
    if None not in ranks and ranks[0] != ranks[1] and 0 not in ranks:
        raise ShapeError("rank", f"index {tensor(chosen).shape} must have the rank of {tensor(input).shape}")
    return tensor(chosen).shape


same("index_fill index_put masked_scatter put slice_scatter select_scatter diagonal_scatter", kind="movement", flops=0)
same("copy", at="T", kind="movement", flops=0)
also("index_put", "T.__setitem__")


@rule("t,T.scatter", kind="movement", name="scatter", label="put by index")
@rule("t,T.scatter_add", kind="movement", name="scatter_add", label="add by index")
@rule("t,T.scatter_reduce", kind="movement", name="scatter_reduce", label="reduce by index")
def scatter(input: Value, dim: Value, index: Value, src: Value = None, *args: Value, **options: Value) -> Shape:
    """Same shape; the index has as many dims, and so has what is put, unless it is a number."""
    shape = tensor(input).shape
    for other in (index, src):
        rank = other.rank if isinstance(other, Tensor) else None
        if shape.rank and rank and shape.rank != rank:
            raise ShapeError("rank", f"{tensor(other).shape} cannot be put into {shape}: another number of dims")
    return shape


@rule("t,T.index_copy", kind="movement", name="index_copy", label="put along an axis")
@rule("t,T.index_add", kind="movement", name="index_add", label="add along an axis")
@rule("t,T.index_reduce", kind="movement", name="index_reduce", label="reduce along an axis")
def index_copy(
    input: Value,
    dim: Value,
    index: Value,
    source: Value = None,
    *args: Value,
    facts: Facts = NO_FACTS,
    **options: Value,
) -> Shape:
    """The shape of the input; `source` has its sizes but along the axis, where it is as long as `index`."""
    shape, given, chosen = tensor(input).shape, tensor(source).shape, tensor(index).shape
    if shape.rank and given.rank and given.rank != shape.rank:
        raise ShapeError("rank", f"{given} cannot be put into {shape}: another number of dims")
    with_dims(index, 0, 1)
    if shape.dims is None or given.rank != shape.rank:
        return shape
    place = axis(dim, len(shape.dims))
    wanted = list(shape.dims)
    wanted[place] = chosen.size(0) if chosen.rank == 1 else Unknown("how much is put depends on the index")
    if any(same_size(one, other, facts) is False for one, other in zip(wanted, given.head, strict=True)):
        raise ShapeError("shape", f"{given} cannot be put along dim {place} of {shape} at {chosen}")
    return shape


@rule("t,T.index_select", kind="movement", label="pick along an axis")
def index_select(input: Value, dim: Value, index: Value) -> Shape:
    """One axis becomes as long as `index`; what is not known to be a tensor is none of a single number."""
    dims = known(input)
    place = axis(dim, len(dims))
    chosen = index.shape if isinstance(index, Tensor) else Shape.unknown("the index is not known")
    if chosen.rank not in {None, 0, 1}:
        raise ShapeError("rank", f"index must be a vector, got {chosen}")
    length = as_dim(1) if chosen.rank == 0 else chosen.size(0) if chosen.rank else Unknown(chosen.reason)
    return Shape((*dims[:place], length, *dims[place + 1 :]))


@rule("t,T.take", kind="movement", label="pick from the flattened tensor")
def take(input: Value, index: Value) -> Shape:
    """The shape of `index`."""
    return tensor(index).shape


@rule("t,T.masked_select", kind="movement", label="pick where the mask is true")
def masked_select(input: Value, mask: Value) -> Shape:
    """A vector of unknown length."""
    return Shape((Unknown(BY_DATA),))


@rule("t,T.nonzero t,T.argwhere", dtype="int64", name="nonzero", label="where elements are not zero")
def nonzero(input: Value, *, as_tuple: Value = False) -> Shape | tuple[Shape, ...]:
    """A row for each non-zero element; with `as_tuple` a vector for each axis."""
    rank = tensor(input).rank
    count = Unknown("how many elements are not zero depends on the data")
    if as_tuple is True:
        return (Shape((count,)),) * max(1, len(known(input)))
    return Shape((count, Unknown("the rank is not known") if rank is None else as_dim(rank)))


@rule("t,T.unique t,T.unique_consecutive", dtype=("input", "int64"), name="unique", label="distinct elements")
def unique(
    input: Value,
    *args: Value,
    return_inverse: Value = False,
    return_counts: Value = False,
    dim: Value = None,
    **options: Value,
) -> Shape | tuple[Shape, ...] | Unknown:
    """A vector of unknown length, with inverse indices and counts if asked for."""
    if args or dim is not None:
        return Unknown("the distinct slices depend on the data")
    count = Unknown("how many elements are distinct depends on the data")
    extra = ([tensor(input).shape] if return_inverse is True else []) + (
        [Shape((count,))] if return_counts is True else []
    )
    return (Shape((count,)), *extra) if extra else Shape((count,))


@rule("F.one_hot", dtype="int64", kind="movement", label="indices as rows of 0 and 1")
def one_hot(input: Value, num_classes: Value = -1) -> Shape:
    """A new last axis of `num_classes`."""
    count = size(num_classes)
    return tensor(input).shape.replace_last(
        0, Unknown("the number of classes depends on the data") if count == -1 else count
    )


@rule("t.searchsorted", dtype="int64", label="positions in a sorted sequence")
def searchsorted(sorted_sequence: Value, input: Value, **options: Value) -> Shape:
    """The shape of what is looked up."""
    return tensor(input).shape


@rule("t,T.bucketize", dtype="int64", label="positions between boundaries")
def bucketize(input: Value, boundaries: Value, **options: Value) -> Shape:
    """The shape of what is looked up."""
    return tensor(input).shape


@rule("t,T.bincount", dtype="int64", label="how often each number occurs")
def bincount(input: Value, weights: Value = None, minlength: Value = 0) -> Shape:
    """As many counts as the largest number and one."""
    return Shape((Unknown("the number of bins depends on the data"),))


@rule("t,T.histc", label="histogram")
def histc(input: Value, bins: Value = 100, min: Value = 0, max: Value = 0) -> Shape:
    """`bins` counts."""
    return Shape((size(bins),))


@rule("t.tril_indices", dtype="int64", kind="movement", label="indices of a triangle")
def tril_indices(row: Value, col: Value, offset: Value = 0, **options: Value) -> Shape:
    """Two rows of indices: of a square with its diagonal `n (n + 1) / 2`, without `n (n - 1) / 2`."""
    return _triangle(row, col, offset, -1)


@rule("t.triu_indices", dtype="int64", kind="movement", label="indices of a triangle")
def triu_indices(row: Value, col: Value, offset: Value = 0, **options: Value) -> Shape:
    """Two rows of indices: of a square with its diagonal `n (n + 1) / 2`, without `n (n - 1) / 2`."""
    return _triangle(row, col, offset, 1)


def _triangle(row: Value, col: Value, offset: Value, without: int) -> Shape:
    """The indices above or below the diagonal; an offset of `without` leaves the diagonal out."""
    side, other, shifted = size(row), size(col), size(offset)
    is_square = isinstance(side, Dim) and side == other
    if is_square and shifted == as_dim(0):
        count = side * (side + 1) // 2
    elif is_square and shifted == as_dim(without):
        count = side * (side - 1) // 2
    else:
        count = Unknown("how many places the triangle has is not known")
    return Shape((as_dim(2), count))


@rule("t.combinations", kind="movement", label="combinations of elements")
def combinations(input: Value, r: Value = 2, with_replacement: Value = False) -> Shape:
    """Pairs of a vector's elements."""
    (length,) = known(input)
    if integer(r) != 2 or with_replacement is not False:
        raise Lost("other than pairs")
    return Shape((length * (length - as_dim(1)) // as_dim(2), as_dim(2)))


@rule("t.cartesian_prod", kind="movement", label="all combinations")
def cartesian_prod(*tensors_: Value) -> Shape:
    """A row for each combination."""
    found = tensors(tensors_)
    if len(found) == 1:
        return found[0].shape
    return Shape((numel(s for t in found for s in known(t)), as_dim(len(found))))


@rule("t.isin", dtype="bool", label="which elements occur in another tensor")
def isin(elements: Value, test_elements: Value, **options: Value) -> Shape:
    """The shape of the elements."""
    return tensor(elements).shape
