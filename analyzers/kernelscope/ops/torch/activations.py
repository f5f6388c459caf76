"""Layers without sizes of their own: activations, dropout, softmax; each the twin of a function in `elementwise`."""

from __future__ import annotations

from kernelscope.ops.arguments import Value, tensor
from kernelscope.ops.families import per_element
from kernelscope.ops.modules import Module, module
from kernelscope.ops.torch import resampling, views
from kernelscope.ops.torch.elementwise import glu
from kernelscope.tensor import Shape

_SAME = (
    "ReLU ReLU6 ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Softshrink Hardshrink Tanhshrink "
    "Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid RReLU Threshold"
)
_DROPOUT = "Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout"


@module(_SAME, "*args", flops=per_element(4), label="activation")
def activation(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@module(_DROPOUT, "*args", flops=per_element(2), label="dropout")
def dropout(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@module("Softmax LogSoftmax Softmin Softmax2d", "*args", flops=per_element(5), label="softmax")
def softmax(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@module(
    "PReLU",
    "num_parameters=1, init=0.25",
    lambda layer: {"weight": (layer.size("num_parameters"),)},
    flops=per_element(2),
    label="activation",
)
def prelu(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@module("GLU", "dim=-1", flops=per_element(5), label="gated linear unit")
def glu_layer(layer: Module, input: Value) -> Shape:
    """Halves one axis."""
    return glu(input, layer["dim"])


@module("Flatten", "start_dim=1, end_dim=-1", kind="view", label="join axes")
def flatten(layer: Module, input: Value) -> Shape:
    """Joins axes, all but the first by default."""
    return views.flatten(input, layer["start_dim"], layer["end_dim"])


@module("Unflatten", "dim, unflattened_size", kind="view", label="split an axis")
def unflatten(layer: Module, input: Value) -> Shape:
    """One axis becomes several."""
    return views.unflatten(input, layer["dim"], layer["unflattened_size"])


@module("ChannelShuffle", "groups", kind="movement", label="reorder channels")
def channel_shuffle(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return tensor(input).shape


@module("PixelShuffle", "upscale_factor", kind="movement", label="channels to pixels")
def pixel_shuffle_layer(layer: Module, input: Value) -> Shape:
    """`* c*r*r h w -> * c h*r w*r`."""
    return resampling.shuffled(tensor(input).shape, layer["upscale_factor"])


@module("PixelUnshuffle", "downscale_factor", kind="movement", label="pixels to channels")
def pixel_unshuffle_layer(layer: Module, input: Value) -> Shape:
    """`* c h*r w*r -> * c*r*r h w`."""
    return resampling.unshuffled(tensor(input).shape, layer["downscale_factor"])
