"""einops: rearrange, reduce, repeat, pack, unpack, einsum, parse_shape, and the layers of `einops.layers.torch`.

A list of tensors counts as one tensor with an axis in front, as in the library.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, array, is_sequence, items, size, sizes, tensor
from kernelscope.ops.families import per_input
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.ops.torch.joins import stack
from kernelscope.tensor import Several, Shape, ShapeError, Size, Tensor, Unknown, numel
from kernelscope.tensor.patterns import (
    BadPattern,
    einsum_shape,
    read_side,
    side,
    size_of,
    split_pattern,
    write_side,
)


def rearranged(value: Value, pattern: Value, lengths: Mapping[str, Value], facts: Facts, op: str = "") -> Shape:
    """The right side of a pattern, after the left side told the sizes."""
    if not isinstance(pattern, str):
        raise Lost(pattern.reason if isinstance(pattern, Unknown) else "the pattern is not known")
    try:
        left, right = split_pattern(pattern)
    except BadPattern:
        raise ShapeError("pattern", f"{pattern!r} is no pattern") from None
    shape = _stacked(value, facts)
    known_lengths = {name: size(v) for name, v in lengths.items() if name in left.names or name in right.names}
    sizes_, between = read_side(left, shape, known_lengths, pattern, facts)
    _names_agree(left.names, right.names, lengths, pattern, op)
    return write_side(right, sizes_, between)


_DOTS = ("...", "…")


def _names_agree(
    left: tuple[str, ...], right: tuple[str, ...], lengths: Mapping[str, Value], text: str, op: str
) -> None:
    ours = {n for n in left if not n.isdigit() and n not in _DOTS}
    theirs = {n for n in right if not n.isdigit() and n not in _DOTS}
    new, lost = theirs - ours, ours - theirs
    if new and (op != "repeat" or not new <= set(lengths)):
        raise ShapeError("pattern", f"{text!r}: {', '.join(sorted(new))} is on the right only")
    if lost and op != "reduce":
        raise ShapeError("pattern", f"{text!r}: {', '.join(sorted(lost))} is on the left only")


def _stacked(value: Value, facts: Facts) -> Shape:
    """A list of tensors counts as one tensor with an axis in front."""
    return stack(value, 0, facts=facts) if is_sequence(value) else tensor(value).shape


@rule("einops.rearrange", kind="view", label="rearrange axes")
def rearrange(input: Value, pattern: Value, *, facts: Facts = NO_FACTS, **axes_lengths: Value) -> Shape:
    """Splits, joins and reorders axes by name."""
    return rearranged(input, pattern, axes_lengths, facts)


@rule("einops.reduce", flops=per_input(1), label="reduce axes", name="einops_reduce")
def reduce(
    input: Value, pattern: Value, reduction: Value = None, *, facts: Facts = NO_FACTS, **axes_lengths: Value
) -> Shape:
    """Axes that the right side lacks are reduced."""
    return rearranged(input, pattern, axes_lengths, facts, "reduce")


@rule("einops.repeat", kind="movement", label="repeat along new axes", name="einops_repeat")
def repeat(input: Value, pattern: Value, *, facts: Facts = NO_FACTS, **axes_lengths: Value) -> Shape:
    """Axes that only the right side has are repeated."""
    return rearranged(input, pattern, axes_lengths, facts, "repeat")


@rule("einops.einsum", dtype="promote", label="sum of products", name="einops_einsum")
def einsum(*args: Value, facts: Facts = NO_FACTS) -> Shape:
    """Tensors first, then a pattern of words."""
    *operands, pattern = args
    if not isinstance(pattern, str):
        raise Lost("the pattern is not known")
    words = sorted({w for w in pattern.replace("->", " ").replace(",", " ").split() if w != "..."})
    letters = {word: chr(ord("a") + i) if i < 26 else chr(ord("A") + i - 26) for i, word in enumerate(words)}
    equation = " ".join(letters.get(w, w) for w in pattern.replace("->", " -> ").replace(",", " , ").split())
    try:
        return einsum_shape(equation, [array(v).shape for v in operands], facts)
    except ShapeError as error:
        raise ShapeError(
            error.code, f"{pattern!r} does not fit {', '.join(repr(array(v).shape) for v in operands)}"
        ) from None


@rule("einops.pack", kind="movement", label="flatten and join")
def pack(tensors: Value, pattern: Value, *, facts: Facts = NO_FACTS) -> tuple[Shape, Value]:
    """The axes under `*` become one; the packed shapes are returned too."""
    shapes = [tensor(t).shape for t in items(tensors)]
    if not shapes:
        raise ShapeError("pattern", "pack of nothing")
    names = str(pattern).split()
    at = names.index("*")
    behind = len(names) - at - 1
    packed = [_under_star(shape, at, behind, str(pattern)) for shape in shapes]
    total: Size = as_dim(0)
    for dims in packed:
        total = total + (dims if isinstance(dims, Unknown) else numel(dims))
    first = shapes[0]
    return Shape((*(first.size(i) for i in range(at)), total, *first.last(behind))), tuple(packed)


def _under_star(shape: Shape, at: int, behind: int, pattern: str) -> tuple[Size, ...] | Unknown:
    if shape.dims is None:
        return Unknown(shape.reason or "the rank is not known")
    if len(shape.dims) < at + behind:
        raise ShapeError("pattern", f"{pattern!r} does not describe {shape}")
    return shape.dims[at : len(shape.dims) - behind]


@rule("einops.unpack", kind="view", label="split and unflatten")
def unpack(input: Value, packed_shapes: Value, pattern: Value) -> tuple[Shape, ...] | Several:
    """One tensor for each packed shape."""
    at = str(pattern).split().index("*")
    behind = len(str(pattern).split()) - at - 1
    shape = tensor(input).shape
    head, tail = tuple(shape.size(i) for i in range(at)), shape.last(behind)
    if isinstance(packed_shapes, Unknown):
        return Several(Tensor(Shape(head, tail, packed_shapes.reason)), "how many tensors were packed is not known")
    return tuple(
        Shape(head, tail, s.reason) if isinstance(s, Unknown) else Shape((*head, *sizes(tuple(items(s))), *tail))
        for s in items(packed_shapes)
    )


@rule("einops.parse_shape", kind="result", label="sizes by name")
def parse_shape(x: Value, pattern: Value) -> Value:
    """A dict of sizes."""
    if not isinstance(pattern, str):
        raise Lost("the pattern is not known")
    found, _ = read_side(side(pattern), tensor(x).shape, {}, pattern)
    return {name: size_of(name, found) for name in side(pattern).names if name != "_"}


_AT = "einops.layers.torch"


@module("Rearrange", "pattern, *args", at=_AT, kind="view", label="rearrange axes")
def rearrange_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Splits, joins and reorders axes by name."""
    return rearranged(input, layer["pattern"], lengths_of(layer), facts)


@module("Reduce", "pattern, reduction, *args", at=_AT, flops=per_input(1), label="reduce axes")
def reduce_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Axes that the right side lacks are reduced."""
    return rearranged(input, layer["pattern"], lengths_of(layer), facts, "reduce")


def lengths_of(layer: Module) -> dict[str, Value]:
    """The lengths of axes among a layer's settings."""
    return {n: v for n, v in layer.settings.items() if n not in {"pattern", "reduction", "args", "device", "dtype"}}


def _mix_weights(layer: Module) -> Mapping[str, tuple[Size, ...] | None]:
    lengths = {name: size(v) for name, v in lengths_of(layer).items()}

    def weight(names: Value) -> tuple[Size, ...] | None:
        return None if names is None else tuple(size_of(n, lengths) for n in str(names).split())

    return {"weight": weight(layer["weight_shape"]), "bias": weight(layer["bias_shape"])}


@module(
    "EinMix", "pattern, weight_shape, bias_shape=None, *args", _mix_weights, at=_AT, label="linear layer by pattern"
)
def ein_mix(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Names of the right side that the input lacks come from the weight."""
    pattern = layer["pattern"]
    if not isinstance(pattern, str):
        raise Lost("the pattern is not known")
    left, right = split_pattern(pattern)
    lengths = {name: size(v) for name, v in lengths_of(layer).items() if not name.endswith("_shape")}
    found, between = read_side(left, tensor(input).shape, lengths, pattern, facts)
    return write_side(right, {**lengths, **found}, between)
