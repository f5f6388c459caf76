"""Layers of Flax (linen and nnx), Haiku and Equinox: constructor arguments, parameters that are known, and calls.

Linen's and Haiku's layers take the size of their input when they are called; channels come last. Equinox's have no
batch. Source: https://flax.readthedocs.io/en/latest/api_reference/, https://dm-haiku.readthedocs.io/en/latest/api.html
and https://docs.kidger.site/equinox/api/nn/linear/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kernelscope.dims import NO_FACTS, Dim, Facts
from kernelscope.ops.arguments import Lost, Value, axes, is_sequence, items, known, size, tensor
from kernelscope.ops.families import per_element
from kernelscope.ops.jax.products import slid
from kernelscope.ops.modules import Module, module, settings_of
from kernelscope.ops.registry import contraction
from kernelscope.ops.signatures import shape_rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, same_size
from kernelscope.tensor.patterns import einsum_shape

WINDOW_NOT_KNOWN = "a convolution whose window is not known"
LINEN, NNX, HAIKU, EQUINOX = "flax.linen", "flax.nnx", "haiku", "equinox.nn"


@contraction
def _dense_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return outputs[0].shape.numel() * tensor(bound["inputs"]).shape.size(-1) * 2


def _dense_kernel(layer: Module, inputs: Value) -> Mapping[str, Any]:
    return _lifted(layer, (tensor(inputs).shape.size(-1),), (layer.size("features"),))


def _lifted(layer: Module, taken: Sequence[Size], features: Sequence[Size]) -> Mapping[str, Any]:
    """A kernel, and a bias where there is one."""
    return {"kernel": (*taken, *features), "bias": features if layer.settings.get("use_bias") is True else None}


@module("Dense", "features, use_bias=True", at=LINEN, flops=_dense_work, label="linear layer", lifted=_dense_kernel)
def dense(layer: Module, inputs: Value) -> Shape:
    """The last size becomes `features`."""
    return tensor(inputs).shape.replace_last(1, layer.size("features"))


@module("Linear", "output_size, with_bias=True", at=HAIKU, flops=_dense_work, label="linear layer")
def haiku_linear(layer: Module, inputs: Value, **options: Value) -> Shape:
    """The last size becomes `output_size`."""
    return tensor(inputs).shape.replace_last(1, layer.size("output_size"))


@module("Embed", "vocab_size, embed_dim", at=HAIKU, kind="movement", dtype="float32", label="embedding")
def haiku_embed(layer: Module, ids: Value) -> Shape:
    """A row of the table for each index."""
    return tensor(ids).shape.replace_last(0, layer.size("embed_dim"))


def _features(value: Value) -> tuple[Size, ...]:
    return tuple(size(v) for v in items(value)) if is_sequence(value) else (size(value),)


def _general(layer: Module, inputs: Value, features: str) -> Shape:
    """Axes are contracted, features come behind what is left."""
    wanted = layer["axis"]
    shape = tensor(inputs).shape
    if layer.settings.get("batch_dims") or layer.settings.get("batch_axis"):
        raise Lost("a layer with weights of its own for parts of a batch")
    if not is_sequence(wanted) and wanted == -1:
        return shape.replace_last(1, *_features(layer[features]))
    dims = known(inputs)
    gone = axes(wanted, len(dims))
    return Shape((*(d for i, d in enumerate(dims) if i not in gone), *_features(layer[features])))


def _general_kernel(layer: Module, inputs: Value) -> Mapping[str, Any]:
    axis, features = layer["axis"], _features(layer["features"])
    if not is_sequence(axis) and axis == -1:
        return _lifted(layer, (tensor(inputs).shape.size(-1),), features)
    dims = known(inputs)
    return _lifted(layer, [dims[i] for i in axes(axis, len(dims))], features)


@module(
    "DenseGeneral",
    "features, axis=-1, batch_dims=(), use_bias=True",
    at=LINEN,
    label="linear layer over several axes",
    lifted=_general_kernel,
)
def dense_general(layer: Module, inputs: Value) -> Shape:
    """Axes are contracted, features come behind what is left."""
    return _general(layer, inputs, "features")


@module("LinearGeneral", "in_features, out_features, axis=-1", at=NNX, label="linear layer over several axes")
def linear_general(layer: Module, inputs: Value) -> Shape:
    """Axes are contracted, features come behind what is left."""
    return _general(layer, inputs, "out_features")


def _table(layer: Module) -> Mapping[str, Any]:
    return {"embedding": (layer.size("num_embeddings"), layer.size("features"))}


@module("Embed", "num_embeddings, features", _table, at=LINEN, kind="movement", dtype="float32", label="embedding")
@module("Embed", "num_embeddings, features", _table, at=NNX, kind="movement", dtype="float32", label="embedding")
def embed(layer: Module, inputs: Value) -> Shape:
    """A row of the table for each index."""
    return tensor(inputs).shape.replace_last(0, layer.size("features"))


_NORMS = "LayerNorm RMSNorm GroupNorm BatchNorm InstanceNorm"


@module(_NORMS, "*args", at=LINEN, flops=per_element(5), label="normalisation")
@module(_NORMS, "*args", at=HAIKU, flops=per_element(5), label="normalisation")
@module("GroupNorm", "*args", at=NNX, flops=per_element(5), label="normalisation")
@module("LayerNorm RMSNorm GroupNorm", "*args", at=EQUINOX, flops=per_element(5), label="normalisation")
def norm(layer: Module, x: Value, *args: Value, **options: Value) -> Shape:
    """Same shape."""
    return tensor(x).shape


@module("LayerNorm RMSNorm BatchNorm", "num_features", at=NNX, flops=per_element(5), label="normalisation")
def sized_norm(layer: Module, x: Value, *args: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Same shape; the last axis has the layer's features."""
    shape = tensor(x).shape
    if same_size(layer.size("num_features"), shape.size(-1), facts) is False:
        raise ShapeError("shape", f"{layer.size('num_features')} features are expected, got {shape}")
    return shape


@module("Dropout", "*args", at=LINEN, flops=per_element(2), label="dropout")
@module("Dropout", "*args", at=NNX, flops=per_element(2), label="dropout")
@module("Dropout", "*args", at=EQUINOX, flops=per_element(2), label="dropout")
def dropout(layer: Module, inputs: Value, *args: Value, **options: Value) -> Shape:
    """Same shape."""
    return tensor(inputs).shape


_LINEAR = shape_rule("*x {in_features} -> *x {out_features}")


def _kernel(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features")
    return {"kernel": (layer.size("in_features"), out), "bias": (out,) if layer.flag("use_bias") else None}


@contraction
def _linear_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return outputs[0].shape.numel() * settings_of(bound).size("in_features") * 2


@module("Linear", "in_features, out_features, use_bias=True", _kernel, at=NNX, flops=_linear_work, label="linear layer")
def linear(layer: Module, inputs: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The last size becomes `out_features`."""
    given = {name: layer.size(name) for name in ("in_features", "out_features")}
    return _LINEAR([("the input", inputs)], given, facts)


def _factor(layer: Module) -> Mapping[str, Any]:
    bias = layer.settings.get("bias_shape")
    return {"kernel": _features(layer["kernel_shape"]), "bias": _features(bias) if is_sequence(bias) else None}


@module("Einsum", "einsum_str, kernel_shape, bias_shape=None", _factor, at=NNX, label="sum of products with a weight")
def einsum_layer(layer: Module, inputs: Value, einsum_str: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
    """What the equation says of the input and the weight."""
    equation = einsum_str if isinstance(einsum_str, str) else layer["einsum_str"]
    if not isinstance(equation, str):
        raise Lost("the equation is not known")
    return einsum_shape(equation, [tensor(inputs).shape, Shape(_features(layer["kernel_shape"]))], facts)


_VECTOR = shape_rule("{in_features} -> {out_features}")


def _weight(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features")
    return {"weight": (out, layer.size("in_features")), "bias": (out,) if layer.flag("use_bias") else None}


@module(
    "Linear", "in_features, out_features, use_bias=True", _weight, at=EQUINOX, flops=_linear_work, label="linear layer"
)
def equinox_linear(layer: Module, x: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """A vector of `in_features` becomes one of `out_features`; batches are mapped over."""
    given = {name: layer.size(name) for name in ("in_features", "out_features")}
    return _VECTOR([("the input", x)], given, facts)


_PERCEPTRON = shape_rule("{in_size} -> {out_size}")


@module("MLP", "in_size, out_size, width_size, depth", at=EQUINOX, label="several linear layers")
def mlp(layer: Module, x: Value, *, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """A vector of `in_size` becomes one of `out_size`."""
    return _PERCEPTRON([("the input", x)], {name: layer.size(name) for name in ("in_size", "out_size")}, facts)


@module("Embedding", "num_embeddings, embedding_size", at=EQUINOX, dtype="float32", label="embedding", kind="movement")
def embedding(layer: Module, x: Value, **options: Value) -> Shape:
    """The row of one index."""
    if tensor(x).rank not in (None, 0):
        raise ShapeError("rank", f"one index is expected, got {tensor(x).shape}")
    return Shape((layer.size("embedding_size"),))


def _convolved(layer: Module, inputs: Value, features: str) -> Shape:
    """Positions and channels after a convolution over the axes before the last."""
    width = layer["kernel_size"]
    widths = tuple(size(v) for v in items(width)) if is_sequence(width) else (size(width),)
    n = len(widths)
    shape = tensor(inputs).shape
    if not is_sequence(width) and not (isinstance(widths[0], Dim) and widths[0].const):
        if shape.rank is None:
            return Shape((), (layer.size(features),), WINDOW_NOT_KNOWN)
        if shape.rank < 2:
            raise ShapeError("rank", f"windows slide over {shape}")
        positions = (Unknown(WINDOW_NOT_KNOWN),) * max(1, shape.rank - 2)
        return shape.replace_last(len(positions) + 1, *positions, layer.size(features))
    if shape.rank is not None and shape.rank < n + 1:
        raise ShapeError("rank", f"windows of {n} axes slide over {shape}")
    steps = 1 if layer["strides"] is None else layer["strides"]
    holes = 1 if layer["kernel_dilation"] is None else layer["kernel_dilation"]
    moved = slid(shape.last(n + 1)[:n], widths, steps, layer["padding"], holes)
    return shape.replace_last(n + 1, *moved, layer.size(features))


_WINDOW = "kernel_size, strides=1, padding='SAME', input_dilation=1, kernel_dilation=1, feature_group_count=1"


def _conv_kernel(layer: Module, inputs: Value) -> Mapping[str, Any]:
    width, groups = layer["kernel_size"], layer.size("feature_group_count")
    taken = tensor(inputs).shape.size(-1)
    if not is_sequence(width) or isinstance(taken, Unknown) or isinstance(groups, Unknown):
        raise Lost("a window, or channels, that are not known")
    return _lifted(layer, [*(size(v) for v in items(width)), taken // groups], [layer.size("features")])


@module("Conv", f"features, {_WINDOW}, use_bias=True", at=LINEN, label="convolution", lifted=_conv_kernel)
def linen_conv(layer: Module, inputs: Value) -> Shape:
    """Windows slide over the axes before the channels, which become `features`."""
    return _convolved(layer, inputs, "features")


@module("Conv", f"in_features, out_features, {_WINDOW}", at=NNX, label="convolution")
def nnx_conv(layer: Module, inputs: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Windows slide over the axes before the channels, which become `out_features`."""
    shape = tensor(inputs).shape
    if same_size(layer.size("in_features"), shape.size(-1), facts) is False:
        raise ShapeError("shape", f"{layer.size('in_features')} channels are expected, got {shape}")
    return _convolved(layer, inputs, "out_features")


@module("ConvTranspose", "features, kernel_size, strides=1, padding='SAME'", at=LINEN, label="transposed convolution")
def conv_transpose(layer: Module, inputs: Value) -> Shape:
    """With the padding `SAME`, positions multiply with the strides."""
    if layer["padding"] != "SAME":
        raise Lost("another padding than `SAME`")
    width = layer["kernel_size"]
    n = len(items(width)) if is_sequence(width) else 1
    steps = tuple(size(v) for v in items(layer["strides"])) if is_sequence(layer["strides"]) else None
    factors = steps or (size(1 if layer["strides"] is None else layer["strides"]),) * n
    shape = tensor(inputs).shape
    moved = [length * step for length, step in zip(shape.last(n + 1)[:n], factors, strict=True)]
    return shape.replace_last(n + 1, *moved, layer.size("features"))


@module(
    "MultiHeadDotProductAttention MultiHeadAttention SelfAttention",
    "num_heads, dtype=None, param_dtype=None, qkv_features=None, out_features=None",
    at=LINEN,
    label="multi-head attention",
)
@module(
    "MultiHeadAttention",
    "num_heads, in_features, qkv_features=None, out_features=None",
    at=NNX,
    label="multi-head attention",
)
def attention(layer: Module, inputs_q: Value, *args: Value, **options: Value) -> Shape:
    """The shape of the queries; `out_features` is the last size where it is given."""
    shape = tensor(inputs_q).shape
    return shape if layer["out_features"] is None else shape.replace_last(1, layer.size("out_features"))
