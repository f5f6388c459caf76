"""Joining and splitting tensors along an axis.

Splits of unknown count are unknown as a whole: nobody could unpack them.
"""

from __future__ import annotations

from itertools import pairwise

from kernelscope.dims import NO_FACTS, Dim, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import (
    Lost,
    Value,
    array,
    axis,
    integer,
    is_number,
    is_sequence,
    items,
    known,
    size,
    sizes,
    tensor,
)
from kernelscope.ops.registry import rule
from kernelscope.tensor import COUNTLESS, Several, Shape, ShapeError, Size, Tensor, Unknown, ceil_of, same_size

MAX_PIECES = 256


@rule("t.cat t.concat t.concatenate", dtype="promote", kind="movement", name="cat", label="join along an axis")
def cat(tensors: Value, dim: Value = 0, *, facts: Facts = NO_FACTS) -> Shape:
    """The sizes along `dim` add up; all others must agree."""
    if isinstance(tensors, Several) and (dims := _alike(tensors)) is not None and facts.as_usual:
        place = axis(dim, len(dims))
        is_told = tensors.is_even and isinstance(tensors.count, Dim)
        return Shape(dims).with_size(place, dims[place] * tensors.count if is_told else COUNTLESS)
    if not is_sequence(tensors):
        raise Lost(tensors.reason if isinstance(tensors, Unknown) else "the tensors that are joined are not known")
    shapes = [array(t).shape for t in items(tensors)]
    shapes = [s for s in shapes if s.dims != (as_dim(0),)]
    if not shapes:
        raise Lost("nothing is joined")
    ranked = [s.head for s in shapes if s.tail is None]
    if not ranked:
        return _joined_open(shapes, dim, facts)
    if any(_may_be_empty(s) for s in shapes) and any(len(dims) > 1 for dims in ranked):
        _note_empty(shapes, facts)
        raise Lost("a vector among the joined tensors may be empty, then it is left out")
    rank = len(ranked[0])
    if any(len(dims) != rank for dims in ranked):
        raise ShapeError("rank", f"tensors of different rank: {', '.join(map(repr, shapes))}")
    if isinstance(dim, Unknown):
        return Shape((dim,) * rank)
    place = axis(dim, rank)
    result: list[Size] = []
    for i in range(rank):
        column = [s.head[i] if s.tail is None else s.size(i - rank) for s in shapes]
        result.append(_total(column) if i == place else agreed(column, shapes, facts))
    return Shape(tuple(result))


def _alike(tensors: Several) -> tuple[Size, ...] | None:
    """The sizes that tensors of unknown number share."""
    return tensors.element.shape.head if tensors.element.shape.tail is None else None


def _note_empty(shapes: list[Shape], facts: Facts) -> None:
    """Vectors that are joined to tensors of more dims have to be empty."""
    if facts.needed is not None and facts.as_usual:
        vectors = [s.head[0] for s in shapes if _may_be_empty(s)]
        facts.needed.extend((size, as_dim(0)) for size in vectors if isinstance(size, Dim))


def _may_be_empty(shape: Shape) -> bool:
    """torch skips tensors of shape [0]."""
    return shape.rank == 1 and (isinstance(shape.head[0], Unknown) or shape.head[0].const is None)


def _joined_open(shapes: list[Shape], dim: Value, facts: Facts) -> Shape:
    at = integer(dim)
    shape = shapes[0]
    if at < 0:
        return shape.with_size(at, _total([s.size(at) for s in shapes]))
    columns = [list(column) for column in zip(*(s.head for s in shapes), strict=False)]
    if at >= len(columns):
        return Shape.unknown(shape.reason)
    head = (_total(c) if i == at else agreed(c, shapes, facts) for i, c in enumerate(columns))
    return Shape(tuple(head), (), shape.reason)


def _total(column: list[Size]) -> Size:
    result = column[0]
    for s in column[1:]:
        result = result + s
    return result


def agreed(column: list[Size], shapes: list[Shape], facts: Facts) -> Size:
    """The size on which all operands agree: a number if one says so, else the first that is known."""
    chosen = column[0]
    for s in column[1:]:
        if same_size(chosen, s, facts) is False:
            raise ShapeError("shape", f"{chosen} and {s} differ in {', '.join(map(repr, shapes))}")
        if isinstance(chosen, Unknown) or (isinstance(s, Dim) and s.const is not None):
            chosen = s
    return chosen


def _arrays(values: tuple[Value, ...]) -> list[Shape]:
    """The shapes of what is stacked: numbers, as JAX lets them, or tensors."""
    numbers = all(is_number(value) for value in values)
    return [(tensor if numbers else array)(value).shape for value in values]


@rule("t.stack", dtype="promote", kind="movement", label="join along a new axis")
def stack(tensors: Value, dim: Value = 0, *, facts: Facts = NO_FACTS) -> Shape:
    """A new axis as long as there are tensors."""
    if isinstance(tensors, Several) and (dims := _alike(tensors)) is not None:
        place = axis(dim, len(dims), extra=1)
        return Shape((*dims[:place], tensors.count, *dims[place:]))
    if not is_sequence(tensors):
        raise Lost(tensors.reason if isinstance(tensors, Unknown) else "the tensors that are joined are not known")
    shapes = _arrays(items(tensors))
    first = next((s.head for s in shapes if s.tail is None), None)
    if first is None:
        raise Lost(shapes[0].reason if shapes else "nothing is joined")
    if any(s.tail is None and len(s.head) != len(first) for s in shapes):
        raise ShapeError("rank", f"tensors of different rank: {', '.join(map(repr, shapes))}")
    rank = len(first)
    place = axis(dim, rank, extra=1)
    dims = [
        agreed([s.head[i] if s.tail is None else s.size(i - rank) for s in shapes], shapes, facts) for i in range(rank)
    ]
    return Shape((*dims[:place], as_dim(len(shapes)), *dims[place:]))


@rule("t.hstack t.column_stack", dtype="promote", kind="movement", name="hstack", label="join along the second axis")
def hstack(tensors: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Along axis 1, vectors along axis 0."""
    rank = len(known(items(tensors)[0]))
    if rank == 0:
        raise Lost("scalars are joined")
    return cat(tensors, 1 if rank > 1 else 0, facts=facts)


@rule("t.vstack t.row_stack", dtype="promote", kind="movement", name="vstack", label="join along the first axis")
def vstack(tensors: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Along axis 0; vectors become rows."""
    parts = [known(part) for part in items(tensors)]
    if all(len(dims) == 1 for dims in parts):
        return stack(tensors, 0, facts=facts)
    rows = tuple(Tensor(Shape((as_dim(1), *dims) if len(dims) == 1 else dims)) for dims in parts)
    return cat(rows, 0, facts=facts)


@rule("t.dstack", dtype="promote", kind="movement", label="join along the third axis")
def dstack(tensors: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Along axis 2; matrices become `m n 1`, vectors `1 n 1`."""
    one = as_dim(1)
    parts: list[Tensor] = []
    for part in items(tensors):
        dims = known(part)
        dims = (*(one,) * (2 - len(dims)), *dims)
        parts.append(Tensor(Shape((*dims, one) if len(dims) == 2 else dims)))
    return cat(tuple(parts), 2, facts=facts)


@rule("t.block_diag", dtype="promote", kind="movement", label="matrices along the diagonal")
def block_diag(*tensors: Value) -> Shape:
    """Rows and columns add up; vectors are one row."""
    rows, columns = as_dim(0), as_dim(0)
    for part in tensors:
        dims = known(part)
        if len(dims) > 2:
            raise ShapeError("rank", f"{Shape(dims)} is no matrix")
        rows = rows + (dims[0] if len(dims) == 2 else as_dim(1))
        columns = columns + (dims[-1] if dims else as_dim(1))
    return Shape((rows, columns))


@rule("t,T.split", kind="view", label="split along an axis")
def split(input: Value, split_size: Value, dim: Value = 0) -> tuple[Shape, ...] | Several:
    """Pieces of one size, the last what is left, or of the given sizes."""
    shape = _shape(input)
    at = integer(dim)
    whole = shape.size(at)
    if is_sequence(split_size):
        pieces = sizes(split_size)
        total = _total(list(pieces)) if pieces else as_dim(0)
        if same_size(total, whole) is False:
            raise ShapeError("split", f"{' + '.join(map(str, pieces))} is not the {whole} of dim {at} of {shape}")
        return tuple(shape.with_size(at, piece) for piece in pieces)
    return _even(shape, at, whole, size(split_size))


def _even(shape: Shape, at: int, whole: Size, piece: Size) -> tuple[Shape, ...] | Several:
    if isinstance(whole, Dim) and isinstance(piece, Dim):
        count = whole.exact_div(piece)
        if count is not None and count.const is not None and count.const <= MAX_PIECES:
            return (shape.with_size(at, piece),) * count.const
        if whole.const is not None and piece.const and whole.const // piece.const < MAX_PIECES:
            full, rest = divmod(whole.const, piece.const)
            last = (shape.with_size(at, as_dim(rest)),) if rest else ()
            return (*((shape.with_size(at, piece),) * full), *last)
    return Several(Tensor(shape.with_size(at, piece)), f"how many pieces of {piece} make {whole} is not known")


@rule("t,T.split_with_sizes", name="split_with_sizes", kind="view", label="split along an axis")
def split_with_sizes(input: Value, split_size: Value, dim: Value = 0) -> tuple[Shape, ...] | Several:
    """Pieces of the given sizes."""
    return split(input, split_size, dim)


@rule("t,T.chunk", kind="view", label="split into so many pieces")
def chunk(input: Value, chunks: Value, dim: Value = 0) -> tuple[Shape, ...] | Several:
    """Pieces of `ceil(size / chunks)`, the last shorter; a name is taken to be divisible."""
    shape = _shape(input)
    at = integer(dim)
    whole, count = shape.size(at), _count(chunks)
    if count is None:
        return Several(Tensor(shape.with_size(at, whole // size(chunks))), "the number of pieces is not known")
    if isinstance(whole, Dim) and whole.const is not None:
        return _even(shape, at, whole, ceil_of(whole, as_dim(count)))
    return (shape.with_size(at, whole // as_dim(count)),) * count


def _count(value: Value) -> int | None:
    """A definite number of pieces that is no nonsense."""
    number = value.const if isinstance(value, Dim) else value
    return number if isinstance(number, int) and 0 < number <= MAX_PIECES else None


@rule("t,T.tensor_split", kind="view", label="split, pieces differing by at most 1")
def tensor_split(input: Value, indices_or_sections: Value, dim: Value = 0) -> tuple[Shape, ...] | Unknown:
    """Into so many sections, or at indices."""
    shape = _shape(input)
    at = integer(dim)
    whole = shape.size(at)
    if is_sequence(indices_or_sections):
        cuts = [as_dim(0), *sizes(indices_or_sections), whole]
        return tuple(shape.with_size(at, b - a) for a, b in pairwise(cuts))
    count = _count(indices_or_sections)
    if count is None:
        return Unknown("the number of pieces is not known")
    return tuple(shape.with_size(at, (whole + (count - 1 - i)) // as_dim(count)) for i in range(count))


@rule("t,T.hsplit", kind="view", label="split along the second axis")
def hsplit(input: Value, indices_or_sections: Value) -> tuple[Shape, ...] | Unknown:
    """Vectors along their only axis."""
    return tensor_split(input, indices_or_sections, as_dim(0 if len(known(input)) == 1 else 1))


@rule("t,T.vsplit", kind="view", label="split along the first axis")
def vsplit(input: Value, indices_or_sections: Value) -> tuple[Shape, ...] | Unknown:
    """As `tensor_split`."""
    return tensor_split(input, indices_or_sections, as_dim(0))


@rule("t,T.dsplit", kind="view", label="split along the third axis")
def dsplit(input: Value, indices_or_sections: Value) -> tuple[Shape, ...] | Unknown:
    """As `tensor_split`."""
    return tensor_split(input, indices_or_sections, as_dim(2))


@rule("t,T.unbind", kind="view", label="split into slices without the axis")
def unbind(input: Value, dim: Value = 0) -> tuple[Shape, ...] | Several:
    """One tensor for each index of an axis."""
    dims = known(input)
    place = axis(dim, len(dims))
    length, rest = dims[place], Shape((*dims[:place], *dims[place + 1 :]))
    if isinstance(length, Unknown) or length.const is None or length.const > MAX_PIECES:
        return Several(Tensor(rest), f"how many slices dim {place} of {Shape(dims)} has is not known", dims[place])
    return (rest,) * length.const


def halved(shape: Shape, dim: Value) -> Shape:
    """One axis at half its size, which must be even."""
    at = integer(dim)
    whole = shape.size(at)
    if isinstance(whole, Dim) and whole.const is not None and whole.const % 2:
        raise ShapeError("shape", f"dim {at} of {shape} must be even")
    return shape.with_size(at, whole // as_dim(2))


def _shape(value: Value) -> Shape:
    return tensor(value).shape
