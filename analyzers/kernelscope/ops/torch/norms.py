"""Normalisation: layer, RMS, batch, group and instance norms, weight-free ones too.

None changes a shape; what is checked is the size that is normalised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Lost, Value, axis, is_number, sizes, tensor, with_dims
from kernelscope.ops.families import per_input, same
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, ShapeError, Size, Unknown, first_unknown, same_size

same("batch_norm group_norm", at="F", flops=5, label="normalise", least=2)
same("instance_norm local_response_norm", at="F", flops=5, label="normalise", least=3)


@rule("F.normalize", flops=per_input(5), label="normalise")
def normalize(input: Value, p: Value = 2.0, dim: Value = 1, eps: Value = 1e-12, out: Value = None) -> Shape:
    """Same shape; the axis must be there."""
    shape = tensor(input).shape
    if shape.rank is not None and is_number(dim):
        axis(dim, shape.rank)
    return shape


def _normalized(shape: Shape, asked: Value, facts: Facts) -> Shape:
    """The input's shape, whatever is asked for; what is not known of its last sizes is as that says."""
    try:
        wanted = sizes(asked)
    except Lost:
        return shape
    if shape.rank is not None and shape.rank < len(wanted):
        raise ShapeError("rank", f"{Shape(wanted)} is normalised, but the input is {shape}")
    for found, size in zip(shape.last(len(wanted)), wanted, strict=True):
        if same_size(size, found, facts) is False:
            raise ShapeError("shape", f"{Shape(wanted)} is normalised, but the input is {shape}")
    if first_unknown(shape.last(len(wanted))) is None:
        return shape
    last = [w if isinstance(s, Unknown) else s for s, w in zip(shape.last(len(wanted)), wanted, strict=True)]
    return shape.replace_last(len(wanted), *last)


@rule("F,t.layer_norm", flops=per_input(8), label="layer norm")
def layer_norm(input: Value, normalized_shape: Value, *args: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Same shape; the last sizes are those of `normalized_shape`."""
    return _normalized(tensor(input).shape, normalized_shape, facts)


@rule("F,t.rms_norm", flops=per_input(4), label="RMS norm")
def rms_norm(input: Value, normalized_shape: Value, *args: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """Same shape; the last sizes are those of `normalized_shape`."""
    return _normalized(tensor(input).shape, normalized_shape, facts)


def _layer_weights(layer: Module) -> Mapping[str, Any]:
    shape = sizes(layer["normalized_shape"])
    affine = layer.flag("elementwise_affine")
    bias = affine and layer.settings.get("bias") is True
    return {"weight": shape if affine else None, "bias": shape if bias else None}


@module(
    "LayerNorm",
    "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True",
    _layer_weights,
    flops=per_input(8),
    label="layer norm",
)
def layer_norm_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Same shape."""
    return _normalized(tensor(input).shape, layer["normalized_shape"], facts)


@module(
    "RMSNorm",
    "normalized_shape, eps=None, elementwise_affine=True",
    _layer_weights,
    flops=per_input(4),
    label="RMS norm",
)
def rms_norm_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Same shape."""
    return _normalized(tensor(input).shape, layer["normalized_shape"], facts)


def _channel_weights(layer: Module) -> Mapping[str, Any]:
    channels = (layer.size("num_channels" if "num_channels" in layer.settings else "num_features"),)
    affine = layer.flag("affine")
    return {"weight": channels if affine else None, "bias": channels if affine else None}


def _channels(shape: Shape, wanted: Size, ranks: tuple[int, ...], facts: Facts) -> Shape:
    if shape.rank is not None and shape.rank not in ranks:
        raise ShapeError("rank", f"expected {' or '.join(map(str, ranks))} dims, got {shape}")
    if same_size(wanted, shape.size(1), facts) is False:
        raise ShapeError("shape", f"{wanted} channels are expected, got {shape.size(1)} in {shape}")
    if shape.dims is not None:
        channels = wanted if isinstance(shape.head[1], Unknown) else shape.head[1]
        return Shape((shape.head[0], channels, *shape.head[2:]))
    if len(ranks) != 1:
        return shape
    rank = ranks[0]
    found = [shape.size(axis if axis < len(shape.head) else axis - rank) for axis in range(rank)]
    lost = Unknown(shape.reason)
    fill = [wanted if axis == 1 else lost for axis in range(rank)]
    return Shape(tuple(f if isinstance(s, Unknown) else s for s, f in zip(found, fill, strict=True)))


_BATCH = "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True"
_RANKS = {"1d": (2, 3), "2d": (4,), "3d": (5,)}


def _declare(suffix: str, ranks: tuple[int, ...]) -> None:
    @module(f"BatchNorm{suffix}", _BATCH, _channel_weights, flops=per_input(5), label="batch norm")
    def batch(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
        return _channels(tensor(input).shape, layer.size("num_features"), ranks, facts)

    @module(
        f"InstanceNorm{suffix}",
        "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False",
        _channel_weights,
        flops=per_input(5),
        label="instance norm",
    )
    def instance(layer: Module, input: Value) -> Shape:
        return with_dims(input, ranks[-1] - 1, ranks[-1], batched=True)


for _suffix, _ranks in _RANKS.items():
    _declare(_suffix, _ranks)


@module("SyncBatchNorm", _BATCH + ", process_group=None", _channel_weights, flops=per_input(5), label="batch norm")
def sync_batch_norm(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Same shape; the mean is taken over all ranks."""
    return _channels(tensor(input).shape, layer.size("num_features"), (2, 3, 4, 5), facts)


@module(
    "GroupNorm",
    "num_groups, num_channels, eps=1e-05, affine=True",
    _channel_weights,
    flops=per_input(5),
    label="group norm",
)
def group_norm_layer(layer: Module, input: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """Same shape."""
    return _channels(tensor(input).shape, layer.size("num_channels"), (2, 3, 4, 5, 6), facts)


@module("LocalResponseNorm", "size, *args", flops=per_input(5), label="normalise over channels")
def local_response_norm_layer(layer: Module, input: Value) -> Shape:
    """Same shape."""
    return with_dims(input, 3)
