"""Embedding tables: rows picked by integer indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.ops.arguments import Lost, Value, known, tensor
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import DTYPES, Shape, ShapeError, Tensor, Unknown


@rule("F,t.embedding", kind="movement", label="rows of a table")
def embedding(input: Value, weight: Value, *args: Value, **options: Value) -> Tensor:
    """`*i, v e -> *i e`, in the table's dtype."""
    table = tensor(weight)
    if table.rank not in {None, 2}:
        raise ShapeError("rank", f"the table must be a matrix, got {table.shape}")
    _integers(tensor(input))
    return Tensor(tensor(input).shape.replace_last(0, table.shape.size(-1)), table.dtype, table.place)


def _integers(index: Tensor) -> None:
    if not isinstance(index.dtype, Unknown) and index.dtype.kind not in {"int"}:
        raise ShapeError("dtype", f"indices must be integers, got {index.dtype}")


def _table(layer: Module) -> Mapping[str, Any]:
    return {"weight": (layer.size("num_embeddings"), layer.size("embedding_dim"))}


@module(
    "Embedding",
    "num_embeddings, embedding_dim, padding_idx=None, *args",
    _table,
    kind="movement",
    label="rows of a table",
)
def embedding_layer(layer: Module, input: Value) -> Tensor:
    """A new last axis of `embedding_dim`."""
    _integers(tensor(input))
    weight = layer.parameters.get("weight")
    dtype = DTYPES["float32"] if weight is None else weight.dtype
    return Tensor(tensor(input).shape.replace_last(0, layer.size("embedding_dim")), dtype, tensor(input).place)


@rule("F.embedding_bag", kind="movement", label="reduced rows of a table")
def embedding_bag(input: Value, weight: Value, offsets: Value = None, *args: Value, **options: Value) -> Tensor:
    """A row for each bag."""
    table, width = tensor(weight), tensor(weight).shape.size(-1)
    if isinstance(input, Tensor) and not isinstance(input.dtype, Unknown) and input.dtype.kind == "float":
        table = tensor(input)
    rows = known(input if offsets is None else offsets)
    if options.get("include_last_offset", False) is not False:
        raise Lost("the last offset may close a bag")
    return Tensor(Shape((rows[0], width)), table.dtype, table.place)


@module(
    "EmbeddingBag",
    "num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
    "mode='mean', sparse=False, _weight=None, include_last_offset=False, padding_idx=None",
    _table,
    kind="movement",
    label="reduced rows of a table",
)
def embedding_bag_layer(layer: Module, input: Value, offsets: Value = None, per_sample_weights: Value = None) -> Tensor:
    """A row for each bag."""
    if layer["include_last_offset"] is not False:
        raise Lost("the last offset may close a bag")
    rows = known(input if offsets is None else offsets)
    return Tensor(Shape((rows[0], layer.size("embedding_dim"))), DTYPES["float32"], tensor(input).place)
