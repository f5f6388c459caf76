"""Padding: pairs of amounts, from the last axis backwards."""

from __future__ import annotations

from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, is_sequence, items, known, size, sizes, tensor, with_dims
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import Several, Shape, ShapeError, Size, Unknown, largest


def padded(shape: Shape, amounts: tuple[Size, ...]) -> Shape:
    """The last axes grow by the pairs `left, right`, the very last axis first."""
    if len(amounts) % 2:
        raise ShapeError("shape", f"paddings come in pairs, got {len(amounts)}")
    n = len(amounts) // 2
    if shape.rank is not None and n > shape.rank:
        raise ShapeError("rank", f"{n} axes are padded, {shape} has {shape.rank}")
    lengths = [d + amounts[2 * (n - 1 - i)] + amounts[2 * (n - 1 - i) + 1] for i, d in enumerate(shape.last(n))]
    return shape.replace_last(n, *lengths)


@rule("F.pad", kind="movement", label="pad")
def pad(input: Value, pad: Value, mode: Value = "constant", value: Value = None) -> Shape:
    """The last axes grow."""
    return padded(tensor(input).shape, sizes(pad))


def _declare(n: int) -> None:
    kinds = ("Constant", "Zero")
    names = " ".join(f"{kind}Pad{n}d" for kind in kinds)

    @module(names, "padding, value=0.0", kind="movement", label="pad")
    def pad_layer(layer: Module, input: Value) -> Shape:
        amounts = layer["padding"]
        pairs = tuple(map(size, items(amounts))) if is_sequence(amounts) else (size(amounts),) * (2 * n)
        return padded(tensor(input).shape, pairs)

    whole = " ".join(f"{kind}Pad{n}d" for kind in ("Reflection", "Replication", "Circular"))

    @module(whole, "padding", kind="movement", label="pad")
    def pad_whole(layer: Module, input: Value) -> Shape:
        with_dims(input, n + 1, n + 2)
        return pad_layer(layer, input)


for _n in (1, 2, 3):
    _declare(_n)


@rule("rnn.pad_sequence", kind="movement", label="sequences in one tensor, padded")
def pad_sequence(sequences: Value, batch_first: Value = False, padding_value: Value = 0.0, **options: Value) -> Shape:
    """`batch longest *`: the longest length depends on the sequences."""
    if isinstance(sequences, Several):
        found = [known(sequences.element)]
        longest, count = Unknown("how long the longest sequence is"), sequences.count
    else:
        found = [known(s) for s in items(sequences)]
        longest, count = largest(*(dims[0] for dims in found)), as_dim(len(found))
    first = (count, longest) if batch_first is True else (longest, count)
    return Shape((*first, *found[0][1:]))
