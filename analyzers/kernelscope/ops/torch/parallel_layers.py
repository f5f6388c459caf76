"""Layers of fairscale whose weights are split over the ranks of a model-parallel group.

Source: `fairscale/nn/model_parallel/layers.py`. The number of these ranks is the name `model_parallel_size`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Lost, Value, tensor
from kernelscope.ops.modules import Module, module, settings_of
from kernelscope.ops.registry import contraction, rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, numel, same_size

LAYERS = "fairscale.nn.model_parallel.layers"
RANKS = as_dim("model_parallel_size")
_LINEAR = "in_features, out_features, bias=True, {}, init_method=None, stride=1, keep_master_weight_for_test=False"
_TABLE = "num_embeddings, embedding_dim, *args"


@rule("fairscale.get_model_parallel_world_size", kind="result", label="number of ranks")
def get_model_parallel_world_size() -> Size:
    """The name `model_parallel_size`."""
    return RANKS


def _column_weights(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features") // RANKS
    return {"weight": (out, layer.size("in_features")), "bias": (out,) if layer.has_bias else None}


def _row_weights(layer: Module) -> Mapping[str, Any]:
    out = layer.size("out_features")
    return {"weight": (out, layer.size("in_features") // RANKS), "bias": (out,) if layer.has_bias else None}


@contraction
def _column_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    layer = settings_of(bound)
    rows = tensor(bound["input_"]).shape.replace_last(1).numel()
    return numel((rows, layer.size("in_features"), layer.size("out_features") // RANKS, as_dim(2)))


@contraction
def _row_work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    return numel((outputs[0].shape.numel(), settings_of(bound).size("in_features") // RANKS, as_dim(2)))


@module(
    "ColumnParallelLinear",
    _LINEAR.format("gather_output=True"),
    _column_weights,
    at=LAYERS,
    flops=_column_work,
    label="linear layer, its outputs split over ranks",
)
def column_parallel_linear(layer: Module, input_: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The last size becomes `out_features`, or the share of it that a rank has."""
    out = layer.size("out_features")
    return _projected(input_, layer.size("in_features"), out if layer.flag("gather_output") else out // RANKS, facts)


@module(
    "RowParallelLinear",
    _LINEAR.format("input_is_parallel=False"),
    _row_weights,
    at=LAYERS,
    flops=_row_work,
    label="linear layer, its inputs split over ranks",
)
def row_parallel_linear(layer: Module, input_: Value, *, facts: Facts = NO_FACTS) -> Shape:
    """The last size, of which a rank may be given its share, becomes `out_features`: ranks add what each has."""
    given = layer.size("in_features")
    return _projected(
        input_, given // RANKS if layer.flag("input_is_parallel") else given, layer.size("out_features"), facts
    )


def _projected(value: Value, given: Size, made: Size, facts: Facts) -> Shape:
    shape = tensor(value).shape
    if shape.rank == 0:
        raise Lost("a number has no last axis")
    if shape.least_rank and same_size(given, shape.size(-1), facts) is False:
        raise ShapeError("shape", f"{given} features are expected, got {shape.size(-1)} in {shape}")
    return shape.replace_last(1, made)


def _split_columns(layer: Module) -> Mapping[str, Any]:
    return {"weight": (layer.size("num_embeddings"), layer.size("embedding_dim") // RANKS)}


def _split_rows(layer: Module) -> Mapping[str, Any]:
    return {"weight": (layer.size("num_embeddings") // RANKS, layer.size("embedding_dim"))}


def _looked_up(layer: Module, input_: Value) -> Tensor:
    """A new last axis of `embedding_dim`, which ranks have together."""
    rows = tensor(input_)
    return Tensor(rows.shape.replace_last(0, layer.size("embedding_dim")), layer.parameters["weight"].dtype, rows.place)


module("ParallelEmbedding", _TABLE, _split_columns, at=LAYERS, kind="movement", label="rows of a table")(_looked_up)
module("VocabParallelEmbedding", _TABLE, _split_rows, at=LAYERS, kind="movement", label="rows of a table")(_looked_up)
