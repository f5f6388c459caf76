"""Views: the same elements under another shape: reshape, permute, squeeze, expand, slices of an axis.

Whether a `view` of a non-contiguous tensor fails is not judged here.
"""

from __future__ import annotations

from kernelscope.dims import NO_FACTS, Dim, Facts, Opaque, dim
from kernelscope.ops.arguments import (
    Lost,
    Value,
    asked,
    axes,
    axis,
    integer,
    items,
    known,
    size,
    sizes,
    tensor,
    unpacked,
)
from kernelscope.ops.registry import rule
from kernelscope.tensor import DType as _DType
from kernelscope.tensor import (
    Shape,
    ShapeError,
    Size,
    Tensor,
    Unknown,
    UnknownDType,
    largest,
    leaves_nothing,
    numel,
    same_size,
    smallest,
)

UNTOLD = Unknown("sizes that are not known")
BESIDE_ONE = "how many there are is not known; perhaps one, as of another axis"
"""Who asks for an axis of one wants to have it broadcast, and the first axis may be made for that as well."""


@rule("T.view", kind="view", label="other sizes, same elements")
def view(self: Value, *shape: Value, facts: Facts = NO_FACTS) -> Shape | Tensor:
    """At most one -1; the product of the sizes must equal the number of elements. `view(dtype)` reinterprets."""
    if len(shape) == 1 and isinstance(shape[0], _DType | UnknownDType):
        return _reinterpreted(tensor(self), shape[0])
    return _in_shape(tensor(self).shape, asked(shape), facts)


@rule("t,T.reshape", kind="view", label="other sizes, same elements")
def reshape(input: Value, *shape: Value, facts: Facts = NO_FACTS) -> Shape:
    """At most one -1; the product of the sizes must equal the number of elements."""
    return _in_shape(tensor(input).shape, asked(shape), facts)


@rule("T.view_as T.reshape_as", kind="view", name="view_as", label="the sizes of another tensor")
def view_as(self: Value, other: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The shape of `other`."""
    shape = tensor(other).shape
    return shape if shape.dims is None else reshaped(tensor(self).shape, shape.dims, facts)


@rule("T.resize_", kind="view", name="resize_", label="other sizes in place, whatever the number of elements")
def resize_(self: Value, *sizes_: Value) -> Shape:
    """The sizes that are given."""
    return Shape(sizes(sizes_))


@rule("T.resize_as_", kind="view", name="resize_as_", label="the sizes of another tensor in place")
def resize_as_(self: Value, other: Value) -> Shape:
    """The shape of `other`."""
    return tensor(other).shape


@rule("T.set_", kind="view", name="set_", label="the memory of another tensor, in sizes of its own")
def set_(
    self: Value, source: Value = None, storage_offset: Value = 0, size: Value = None, stride: Value = None
) -> Shape:
    """The sizes that are given, or those of another tensor; nothing is left of a tensor that is given none of them."""
    if size is not None:
        return Shape(sizes(size))
    return Shape((dim(0),)) if source is None else tensor(source).shape


def _in_shape(shape: Shape, wanted: Shape, facts: Facts) -> Shape:
    """What is asked for; of -1 among sizes of which not all are known nothing is told."""
    if wanted.dims is not None:
        return reshaped(shape, wanted.dims, facts)
    lost = Unknown(wanted.reason)
    head, tail = (tuple(lost if size == -1 else size for size in end) for end in (wanted.head, wanted.tail or ()))
    return Shape(head, tail, wanted.reason)


def reshaped(shape: Shape, wanted: tuple[Size, ...], facts: Facts) -> Shape:
    """`wanted` with -1 worked out; ShapeError if the numbers of elements certainly differ."""
    if wanted.count(dim(-1)) > 1:
        raise ShapeError("view", f"only one size of {Shape(wanted)} may be -1")
    count = shape.numel()
    rest = [s for s in wanted if s != -1]
    known_count = numel(rest)
    if len(rest) == len(wanted):
        left, asked_for = _struck_out(shape, wanted)
        if any(same_size(*pair, facts) is False for pair in ((count, known_count), (left, asked_for))):
            raise ShapeError("view", f"{shape} has {count} elements, {Shape(wanted)} has {known_count}")
        _what_is_left_is_one(left, asked_for, wanted, facts)
        return Shape(wanted)
    missing = _quotient(shape, rest, facts)
    if isinstance(missing, Unknown) and wanted[0] == -1 and any(size == 1 for size in rest):
        missing = Unknown(BESIDE_ONE)
    return Shape(tuple(missing if s == -1 else s for s in wanted))


def _struck_out(shape: Shape, wanted: tuple[Size, ...]) -> tuple[Size, Size]:
    """The products of the sizes of a tensor and of those that are asked for, without those that both have."""
    above, below = list(shape.dims or (UNTOLD,)), list(wanted)
    for each in wanted:
        if each in above and isinstance(each, Dim):
            above.remove(each)
            below.remove(each)
    return numel(above), numel(below)


def _what_is_left_is_one(count: Size, known_count: Size, wanted: tuple[Size, ...], facts: Facts) -> None:
    """`x.view(B, heads, width//heads, 1)` of `[B, T, width]`: the view succeeds, so `T` is 1."""
    if not isinstance(count, Dim) or not isinstance(known_count, Dim) or not any("//" in str(s) for s in wanted):
        return
    left = _divided_back(facts.rewrite(count), facts.rewrite(known_count))
    if left is not None and left.name is not None:
        same_size(left, dim(1), facts)


def _quotient(shape: Shape, rest: list[Size], facts: Facts) -> Size:
    """What -1 stands for: equal factors, also unknown ones, are struck out first, then the rest is divided."""
    if shape.dims is None:
        return shape.numel()
    above = list(shape.dims)
    below = list(rest)
    for factor in rest:
        at = next((i for i, s in enumerate(above) if s is factor or (isinstance(s, Dim) and s == factor)), None)
        if at is not None:  # two sizes that are not known for the same reason may differ: only the very same one counts
            del above[at]
            del below[next(i for i, s in enumerate(below) if s is factor)]
    count, known_count = numel(above), numel(below)
    if isinstance(count, Unknown) or isinstance(known_count, Unknown):
        return count if isinstance(count, Unknown) else known_count
    if not known_count.terms:
        raise Lost("a size is 0, so -1 could be anything")
    count = facts.rewrite(count)
    exact = count.exact_div(facts.rewrite(known_count))
    exact = _divided_back(count, known_count) if exact is None else exact
    exact = _as_fractions(count, known_count) if exact is None and facts.as_usual else exact
    if exact is not None:
        return exact
    if count.const is not None and known_count.const is not None:
        raise ShapeError("view", f"{shape} has {shape.numel()} elements, which {numel(rest)} does not divide")
    leaves_nothing(count, known_count, facts)
    return count // known_count


def _divided_back(count: Dim, divisor: Dim) -> Dim | None:
    """`hidden / (hidden//heads)` is `heads`: the view succeeds, so the inner division left no remainder."""
    for atom in divisor.atoms():
        if isinstance(atom, Opaque) and atom.op == "//" and atom.args[0].name is not None:
            number, part = atom.args
            exact = count.subs({number.name or "": part * (number // part)}).exact_div(divisor)
            if exact is not None:
                return exact
    return None


def _as_fractions(count: Dim, divisor: Dim) -> Dim | None:
    """What is left if no division inside left a remainder, as usual where windows are put together again."""
    if len(count.terms) != 1 or len(divisor.terms) != 1:
        return None
    above, below = _fraction(count)
    over, under = _fraction(divisor)
    return (above * under).exact_div(below * over)


def _fraction(product: Dim) -> tuple[Dim, Dim]:
    """`a*(b//c)` as `a*b` and `c`."""
    ((monomial, coefficient),) = product.terms
    above, below = dim(coefficient), dim(1)
    for atom, exponent in monomial:
        if isinstance(atom, Opaque) and atom.op == "//":
            number, part = atom.args
            above, below = above * number**exponent, below * part**exponent
        else:
            above = above * Dim(((((atom, exponent),), 1),))
    return above, below


def _reinterpreted(value: Tensor, dtype: _DType | UnknownDType) -> Tensor:
    """The last axis grows or shrinks with the ratio of the element sizes; without axes they are of one size."""
    if value.rank == 0:
        return value.with_dtype(dtype)
    if isinstance(value.dtype, Unknown):
        return Tensor(value.shape.replace_last(1, value.dtype), dtype, value.place)
    if isinstance(dtype, Unknown):
        return Tensor(value.shape.replace_last(1, dtype), dtype, value.place)
    old, new = value.dtype.bytes, dtype.bytes
    if old == new:
        return value.with_dtype(dtype)
    last = value.shape.size(-1)
    return Tensor(
        value.shape.replace_last(1, last * (old // new) if old > new else last // (new // old)), dtype, value.place
    )


@rule("t,T.transpose t,T.swapaxes t,T.swapdims", kind="view", name="transpose", label="swap two axes")
def transpose(input: Value, dim0: Value, dim1: Value) -> Shape:
    """Swaps two axes."""
    shape = tensor(input).shape
    if shape.tail is not None:
        a, b = integer(dim0), integer(dim1)
        if a < 0 and b < 0 and len(shape.tail) >= max(-a, -b):
            tail = list(shape.tail)
            tail[a], tail[b] = tail[b], tail[a]
            return Shape(shape.head, tuple(tail), shape.reason)
        raise Lost(shape.reason or "the rank is not known")
    dims = list(shape.head)
    if isinstance(dim0, Unknown) or isinstance(dim1, Unknown):
        return Shape(tuple(size(dim0 if isinstance(dim0, Unknown) else dim1) for _ in dims))
    a, b = axis(dim0, len(dims)), axis(dim1, len(dims))
    if dims:
        dims[a], dims[b] = dims[b], dims[a]
    return Shape(tuple(dims))


@rule("t,T.t", kind="view", label="transpose a matrix")
def t(input: Value) -> Shape:
    """Swaps the axes of a matrix; a vector stays."""
    dims = known(input)
    if len(dims) > 2:
        raise ShapeError("rank", f"expected at most 2 dims, got {Shape(dims)}")
    return Shape(dims[::-1])


@rule("t,T.adjoint", kind="view", label="conjugate transpose of matrices")
def adjoint(input: Value) -> Shape:
    """Swaps the last two axes."""
    shape = tensor(input).shape
    a, b = shape.last(2)
    return shape.replace_last(2, b, a)


@rule("t,T.permute", kind="view", label="reorder axes")
def permute(input: Value, *dims: Value) -> Shape:
    """Every axis once, in another order."""
    found = unpacked(dims)
    if isinstance(found, Unknown):
        raise Lost(found.reason)
    shape = tensor(input).shape
    if shape.dims is None:
        return Shape((Unknown(shape.reason or "the rank is not known"),) * len(items(found)))
    order = [axis(d, len(shape.dims)) for d in items(found)]
    if sorted(order) != list(range(len(shape.dims))):
        raise ShapeError("permute", f"{tuple(order)} is no order of the {len(shape.dims)} axes of {shape}")
    return Shape(tuple(shape.dims[i] for i in order))


@rule("t,T.movedim t,T.moveaxis", kind="view", name="movedim", label="move axes")
def movedim(input: Value, source: Value, destination: Value) -> Shape:
    """Moves axes to other places; the others keep their order."""
    dims = known(input)
    froms, tos = axes(source, len(dims)), axes(destination, len(dims))
    if len(froms) != len(tos):
        raise ShapeError("permute", f"{len(froms)} axes cannot move to {len(tos)} places")
    rest = iter([i for i in range(len(dims)) if i not in froms])
    placed = dict(zip(tos, froms, strict=True))
    return Shape(tuple(dims[placed[i] if i in placed else next(rest)] for i in range(len(dims))))


@rule("t,T.squeeze", kind="view", label="drop axes of size 1")
def squeeze(input: Value, dim: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
    """Drops the given axes where they are 1; without `dim` all that are 1."""
    dims = [facts.rewrite(size) if isinstance(size, Dim) else size for size in known(input)]
    chosen = axes(dim, len(dims)) if dims else ()
    gone = {i for i in chosen if dims[i] == 1}
    is_found = dim is None and bool(gone)  # the axis that it is there to drop
    open_ = [] if is_found else [i for i in chosen if _is_open(dims[i])]
    if not open_:
        return Shape(tuple(d for i, d in enumerate(dims) if i not in gone))
    first, last = min(open_), max(open_)
    head = tuple(d for i, d in enumerate(dims) if i < first and i not in gone)
    tail = tuple(d for i, d in enumerate(dims) if i > last and i not in gone)
    return Shape(head, tail, f"whether the squeezed axis {first} has size 1 is not known")


def _is_open(size: Size) -> bool:
    return isinstance(size, Unknown) or size.const is None


@rule("t,T.unsqueeze", kind="view", label="add an axis of size 1")
def unsqueeze(input: Value, dim: Value) -> Shape:
    """A new axis of size 1 before `dim`."""
    shape = tensor(input).shape
    one = _one()
    if isinstance(dim, Unknown):
        return Shape((dim,) * (len(known(input)) + 1))
    number = integer(dim)
    if shape.tail is not None:
        if number < 0 and -number - 1 <= len(shape.tail):
            at = len(shape.tail) + number + 1
            return Shape(shape.head, (*shape.tail[:at], one, *shape.tail[at:]), shape.reason)
        if 0 <= number <= len(shape.head):
            return Shape((*shape.head[:number], one, *shape.head[number:]), shape.tail, shape.reason)
        raise Lost(shape.reason or "the rank is not known")
    at = axis(number, len(shape.head), extra=1)
    return Shape((*shape.head[:at], one, *shape.head[at:]))


@rule("t,T.flatten t,T.ravel", kind="view", name="flatten", label="join axes")
def flatten(input: Value, start_dim: Value = 0, end_dim: Value = -1) -> Shape:
    """Joins the axes from `start_dim` to `end_dim` into one."""
    shape = tensor(input).shape
    if shape.dims is None:
        first = integer(start_dim)
        if first == 0 and end_dim == -1:
            return Shape((shape.numel(),))
        if first > 0 and end_dim == -1:
            lost = Unknown(shape.reason or "the rank is not known")
            return Shape((*(shape.head[i] if i < len(shape.head) else lost for i in range(first)), lost))
        end = integer(end_dim)
        if first < 0 and end == -1:
            return shape.replace_last(-first, numel(shape.last(-first)))
        if first == 0 and end < 0:
            return Shape((Unknown(shape.reason or "the rank is not known"), *shape.last(-1 - end)))
        raise Lost(shape.reason or "the rank is not known")
    dims = shape.dims
    if not dims:
        return Shape((_one(),))
    first, last = axis(start_dim, len(dims)), axis(end_dim, len(dims))
    if first > last:
        raise ShapeError("rank", f"start_dim {first} comes after end_dim {last}")
    return Shape((*dims[:first], numel(dims[first : last + 1]), *dims[last + 1 :]))


@rule("t,T.unflatten", kind="view", label="split an axis")
def unflatten(input: Value, dim: Value, sizes: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """One axis becomes several; one of them may be -1."""
    shape, number = tensor(input).shape, integer(dim)
    if shape.dims is None and number < 0:
        parts = reshaped(Shape((shape.size(number),)), _sizes(sizes), facts)
        return shape.replace_last(-number, *parts.head, *shape.last(-1 - number))
    dims = known(input)
    place = axis(dim, len(dims))
    parts = reshaped(Shape((dims[place],)), _sizes(sizes), facts)
    return Shape((*dims[:place], *parts.head, *dims[place + 1 :]))


def _sizes(values: Value) -> tuple[Size, ...]:
    return sizes(values)


@rule("t,T.narrow", kind="view", label="a range of an axis")
def narrow(input: Value, dim: Value, start: Value, length: Value) -> Shape:
    """One axis becomes `length` long."""
    shape = tensor(input).shape
    at, count = integer(dim), size(length)
    short = shape.size(at) - size(start) - count
    if isinstance(short, Dim) and short.const is not None and short.const < 0:
        raise ShapeError("shape", f"{count} elements from {start} on of {shape.size(at)}")
    return shape.with_size(at, count)


@rule("t,T.select", kind="view", label="one index of an axis")
def select(input: Value, dim: Value, index: Value) -> Shape:
    """Drops an axis."""
    dims = known(input)
    place = axis(dim, len(dims))
    return Shape((*dims[:place], *dims[place + 1 :]))


@rule("T.unfold", kind="view", label="sliding windows of an axis")
def unfold(self: Value, dimension: Value, size: Value, step: Value) -> Shape:
    """One axis becomes the number of windows; the window is a new last axis."""
    dims = known(self)
    place = axis(dimension, len(dims))
    width, hop = sizes(size)[0], sizes(step)[0]
    return Shape((*dims[:place], (dims[place] - width) // hop + 1, *dims[place + 1 :], width))


@rule("t,T.diagonal linalg.diagonal", kind="view", label="the diagonal of two axes")
def diagonal(input: Value, offset: Value = 0, dim1: Value = 0, dim2: Value = 1) -> Shape:
    """Two axes become one at the end."""
    dims = known(input)
    a, b = axis(dim1, len(dims)), axis(dim2, len(dims))
    return Shape((*(d for i, d in enumerate(dims) if i not in {a, b}), _diagonal(dims[a], dims[b], integer(offset))))


def _diagonal(rows: Size, columns: Size, offset: int) -> Size:
    return largest(smallest(rows + min(offset, 0), columns - max(offset, 0)), _zero())


@rule("t,T.as_strided", kind="view", label="free view of the storage")
def as_strided(input: Value, size: Value, stride: Value, storage_offset: Value = None) -> Shape:
    """The given sizes."""
    return Shape(sizes(size))


@rule("t,T.flip t.fliplr t.flipud t,T.roll", kind="movement", name="flip", label="reverse or rotate along axes")
def flip(input: Value, *args: Value, **options: Value) -> Shape:
    """Same sizes."""
    return tensor(input).shape


@rule("t,T.rot90", kind="movement", label="rotate a plane by right angles")
def rot90(input: Value, k: Value = 1, dims: Value = (0, 1)) -> Shape:
    """An odd number of turns swaps the two axes."""
    a, b = items(dims)
    return transpose(input, a, b) if integer(k) % 2 else tensor(input).shape


@rule("t.atleast_1d", kind="view", label="at least one axis")
def atleast_1d(tensors: Value) -> Shape:
    """A scalar becomes `[1]`."""
    return Shape(known(tensors) or (_one(),))


@rule("t.atleast_2d", kind="view", label="at least two axes")
def atleast_2d(tensors: Value) -> Shape:
    """New axes come in front."""
    dims = known(tensors)
    return Shape((_one(),) * (2 - len(dims)) + dims)


@rule("t.atleast_3d", kind="view", label="at least three axes")
def atleast_3d(tensors: Value) -> Shape:
    """A matrix becomes `[M, N, 1]`, a vector `[1, N, 1]`."""
    dims = known(tensors)
    if len(dims) < 3:
        dims = (_one(),) * (2 - len(dims)) + dims + (_one(),)
    return Shape(dims)


def _one() -> Dim:
    return dim(1)


def _zero() -> Dim:
    return dim(0)
