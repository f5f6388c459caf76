"""Convolutions in one to three dimensions, transposed ones, and their layers.

Sizes follow torch's formula `(L + 2p - d(k-1) - 1)//s + 1`; FLOPs count a multiply and an add as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, known, pair, size, tensor, under_windows
from kernelscope.ops.modules import Module, module, settings_of
from kernelscope.ops.registry import contraction, rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, numel, same_size

ONE, TWO = as_dim(1), as_dim(2)


def slid(
    length: Size, kernel: Size, stride: Size, padding: Size, dilation: Size = ONE, facts: Facts = NO_FACTS
) -> Size:
    """How many positions a window has along one axis."""
    reach = dilation * (kernel - ONE)
    both = reach if facts.as_usual and _is_half(padding, reach, dilation) else padding * TWO
    return (length + both - reach - ONE) // stride + ONE


def _is_half(padding: Size, reach: Size, dilation: Size) -> bool:
    """Whether so much is added on either side that every place is the middle of a window: `(k - 1)//2`, and `k//2`. Who
    writes that has windows with a middle, of odd sizes."""
    if isinstance(padding, Unknown) or isinstance(reach, Unknown) or isinstance(dilation, Unknown):
        return False
    if reach.const is not None:
        return False
    half = [(reach + more) // TWO for more in (ONE - ONE, dilation)]
    spread = [(reach // dilation + more) // TWO * dilation for more in (ONE - ONE, ONE)]
    return padding in (*half, *spread)


def _convolved(
    shape: Shape, out: Size, kernel: tuple[Size, ...], stride: Value, padding: Value, dilation: Value, facts: Facts
) -> Shape:
    """Channels and positions after a convolution over the last axes."""
    n = len(kernel)
    steps = [size(v) for v in pair(stride, n)]
    holes = [size(v) for v in pair(dilation, n)]
    lengths = shape.last(n)
    if padding == "same":
        return shape.replace_last(n + 1, out, *lengths)
    if isinstance(padding, str):
        padding = 0
    pads = [size(v) for v in pair(padding, n)]
    each = zip(lengths, kernel, steps, pads, holes, strict=True)
    result = tuple(slid(*axis, facts) for axis in each)
    for after, before, width in zip(result, lengths, kernel, strict=True):
        if not isinstance(after, Unknown) and after.const is not None and after.const < 1:
            raise ShapeError("shape", f"a window of {width} does not fit into {before} of {shape}")
    return shape.replace_last(n + 1, out, *result)


def _checked(shape: Shape, n: int, channels: Size, facts: Facts) -> Shape:
    shape = under_windows(shape, n, facts)
    found = shape.size(-n - 1)
    if same_size(channels, found, facts) is False:
        raise ShapeError("shape", f"{channels} input channels are expected, got {found} in {shape}")
    return shape


@contraction
def _work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    weight = known(bound["weight"])
    return numel((outputs[0].shape.numel(), *weight[1:], TWO))


def _declare_function(n: int) -> None:
    def conv(
        input: Value,
        weight: Value,
        bias: Value = None,
        stride: Value = 1,
        padding: Value = 0,
        dilation: Value = 1,
        groups: Value = 1,
        *,
        facts: Facts = NO_FACTS,
    ) -> Shape:
        kernel = known(weight)
        if len(kernel) != n + 2:
            raise ShapeError("rank", f"the weight must have {n + 2} dims, got {Shape(kernel)}")
        shape = _checked(tensor(input).shape, n, kernel[1] * size(groups), facts)
        return _convolved(shape, kernel[0], kernel[2:], stride, padding, dilation, facts)

    name = f"conv{n}d"
    rule(f"F,t.{name}", name=name, flops=_work, label="convolution")(conv)

    def transposed(
        input: Value,
        weight: Value,
        bias: Value = None,
        stride: Value = 1,
        padding: Value = 0,
        output_padding: Value = 0,
        groups: Value = 1,
        dilation: Value = 1,
        *,
        facts: Facts = NO_FACTS,
    ) -> Shape:
        kernel = known(weight)
        if len(kernel) != n + 2:
            raise ShapeError("rank", f"the weight must have {n + 2} dims, got {Shape(kernel)}")
        shape = _checked(tensor(input).shape, n, kernel[0], facts)
        return _grown(shape, kernel[1] * size(groups), kernel[2:], stride, padding, output_padding, dilation)

    name = f"conv_transpose{n}d"
    rule(f"F,t.{name}", name=name, flops=_transposed_work, label="transposed convolution")(transposed)


@contraction
def _transposed_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    weight = known(bound["weight"])
    return numel((tensor(bound["input"]).shape.numel(), *weight[1:], TWO))


def _grown(
    shape: Shape,
    out: Size,
    kernel: tuple[Size, ...],
    stride: Value,
    padding: Value,
    output_padding: Value,
    dilation: Value,
) -> Shape:
    """Channels and positions after a transposed convolution."""
    n = len(kernel)
    options = ([size(v) for v in pair(value, n)] for value in (stride, padding, output_padding, dilation))
    lengths = tuple(
        (length - ONE) * s - p * TWO + d * (k - ONE) + extra + ONE
        for length, k, s, p, extra, d in zip(shape.last(n), kernel, *options, strict=True)
    )
    return shape.replace_last(n + 1, out, *lengths)


def _weights(layer: Module, n: int, transposed: bool) -> Mapping[str, Any]:
    inward, outward, groups = (layer.size(k) for k in ("in_channels", "out_channels", "groups"))
    kernel = layer.pair("kernel_size", n)
    weight = (inward, outward // groups, *kernel) if transposed else (outward, inward // groups, *kernel)
    return {"weight": weight, "bias": (outward,) if layer.has_bias else None}


@contraction
def _layer_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    layer = settings_of(bound)
    weight = layer.parameters["weight"].shape.head
    positions = bound["input"] if "Transpose" in layer.name else outputs[0]
    return numel((tensor(positions).shape.numel(), *weight[1:], TWO))


_CONV = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode='zeros'"
)
_GROW = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, "
    "padding_mode='zeros'"
)


def _declare_layer(n: int) -> None:
    @module(f"Conv{n}d", _CONV, lambda layer: _weights(layer, n, False), flops=_layer_work, label="convolution")
    def conv(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
        shape = _checked(tensor(input).shape, n, layer.size("in_channels"), facts)
        kernel = layer.pair("kernel_size", n)
        return _convolved(
            shape, layer.size("out_channels"), kernel, layer["stride"], layer["padding"], layer["dilation"], facts
        )

    @module(
        f"ConvTranspose{n}d",
        _GROW,
        lambda layer: _weights(layer, n, True),
        flops=_layer_work,
        label="transposed convolution",
    )
    def transposed(layer: Module, input: Value, output_size: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
        if output_size is not None:
            raise Lost("an output size is asked for")
        shape = _checked(tensor(input).shape, n, layer.size("in_channels"), facts)
        kernel = layer.pair("kernel_size", n)
        return _grown(
            shape,
            layer.size("out_channels"),
            kernel,
            layer["stride"],
            layer["padding"],
            layer["output_padding"],
            layer["dilation"],
        )


for _n in (1, 2, 3):
    _declare_function(_n)
    _declare_layer(_n)


def windows(shape: Shape, kernel: Value, dilation: Value, padding: Value, stride: Value) -> Shape:
    """`b c h w -> b (c*kh*kw) positions`."""
    sides = [[size(v) for v in pair(value, 2)] for value in (kernel, stride, padding, dilation)]
    positions = numel(map(slid, shape.last(2), *sides))
    return shape.replace_last(3, numel((shape.size(-3), *sides[0])), positions)


@rule("F.unfold", name="im2col", kind="movement", label="windows as columns")
def unfold(input: Value, kernel_size: Value, dilation: Value = 1, padding: Value = 0, stride: Value = 1) -> Shape:
    """`b c h w -> b c*kh*kw positions`."""
    return windows(tensor(input).shape, kernel_size, dilation, padding, stride)


@module("Unfold", "kernel_size, dilation=1, padding=0, stride=1", kind="movement", label="windows as columns")
def unfold_layer(layer: Module, input: Value) -> Shape:
    """`b c h w -> b c*kh*kw positions`."""
    return windows(tensor(input).shape, layer["kernel_size"], layer["dilation"], layer["padding"], layer["stride"])


def folded(shape: Shape, output: Value, kernel: Value) -> Shape:
    """`b c*kh*kw positions -> b c h w`."""
    area = numel(size(v) for v in pair(kernel, 2))
    return shape.replace_last(2, shape.size(-2) // area, *(size(v) for v in pair(output, 2)))


@rule("F.fold", name="col2im", kind="movement", label="columns back to an image")
def fold(
    input: Value, output_size: Value, kernel_size: Value, dilation: Value = 1, padding: Value = 0, stride: Value = 1
) -> Shape:
    """`b c*kh*kw positions -> b c h w`."""
    return folded(tensor(input).shape, output_size, kernel_size)


@module(
    "Fold",
    "output_size, kernel_size, dilation=1, padding=0, stride=1",
    kind="movement",
    label="columns back to an image",
)
def fold_layer(layer: Module, input: Value) -> Shape:
    """`b c*kh*kw positions -> b c h w`."""
    return folded(tensor(input).shape, layer["output_size"], layer["kernel_size"])
