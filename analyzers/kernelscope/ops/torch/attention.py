"""Attention: torch's functions, FlashAttention and xFormers by their documented signatures, nn.MultiheadAttention.

FLOPs count both matrix products in full; a causal mask halves the useful work, not what is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.dims import dim as as_dim
from kernelscope.ops.arguments import Value, tensor, with_dims
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import contraction, rule
from kernelscope.ops.signatures import shape_rule
from kernelscope.tensor import Shape, ShapeError, Size, Tensor, Unknown, same_size
from kernelscope.tensor.broadcasting import broadcast


@contraction
def _work(bound: Mapping[str, Any], outputs: tuple[Tensor, ...]) -> Size:
    """Scores and values: `2 * queries * keys * head_dim` each, for every head."""
    query, key = tensor(bound["query"]).shape, tensor(bound["key"]).shape
    return query.numel() * key.size(-2) * as_dim(2) + outputs[0].shape.numel() * key.size(-2) * as_dim(2)


@rule("F.scaled_dot_product_attention", flops=_work, label="attention")
def scaled_dot_product_attention(
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value = None,
    dropout_p: Value = 0.0,
    is_causal: Value = False,
    *,
    scale: Value = None,
    enable_gqa: Value = False,
    facts: Facts = NO_FACTS,
) -> Shape:
    """`*b l e, *b s e, *b s v -> *b l v`; with `enable_gqa` the query's heads stay."""
    q, k, v = tensor(query).shape, tensor(key).shape, tensor(value).shape
    _agree("head size of query and key", q.size(-1), k.size(-1), facts)
    if k.least_rank > 1 and v.least_rank > 1:
        _agree("length of key and value", k.size(-2), v.size(-2), facts)
    if isinstance(attn_mask, Tensor) and attn_mask.rank is not None and k.least_rank > 1 and q.least_rank > 1:
        broadcast((Shape((q.size(-2), k.size(-2))), Shape(attn_mask.shape.head[-2:])), facts)
    if enable_gqa is not False:
        return q.replace_last(1, v.size(-1))
    if q.rank is not None and k.rank is not None and v.rank is not None:
        batch = broadcast((q.replace_last(2), k.replace_last(2), v.replace_last(2)), facts)
        return batch.replace_last(0, q.size(-2), v.size(-1))
    return q.replace_last(1, v.size(-1))


def _agree(what: str, a: Size, b: Size, facts: Facts) -> None:
    if same_size(a, b, facts) is False:
        raise ShapeError("shape", f"the {what} differ: {a} and {b}")


@rule(
    "flash.flash_attn_func flash.flash_attn_interface.flash_attn_func"
    " xformers.memory_efficient_attention xformers.fmha.memory_efficient_attention",
    name="flash_attn_func",
    label="attention",
)
def flash_attn_func(q: Value, k: Value, v: Value, *args: Value, **options: Value) -> Shape | Unknown:
    """`b l h e, b s hk e, b s hk v -> b l h v`: heads come after the length."""
    if options.get("return_attn_probs", False) is not False:
        return Unknown("with the probabilities a tuple is returned")
    return tensor(q).shape.replace_last(1, tensor(v).shape.size(-1))


@rule(
    "flash.flash_attn_varlen_func flash.flash_attn_interface.flash_attn_varlen_func",
    name="flash_attn_varlen_func",
    label="attention over packed sequences",
)
def flash_attn_varlen_func(q: Value, k: Value, v: Value, *args: Value, **options: Value) -> Shape | Unknown:
    """`tokens h e, … -> tokens h v`: sequences lie one behind another."""
    if options.get("return_attn_probs", False) is not False:
        return Unknown("with the probabilities a tuple is returned")
    return tensor(q).shape.replace_last(1, tensor(v).shape.size(-1))


@rule(
    "flash.flash_attn_qkvpacked_func flash.flash_attn_varlen_qkvpacked_func "
    "flash.flash_attn_interface.flash_attn_qkvpacked_func flash.flash_attn_interface.flash_attn_varlen_qkvpacked_func",
    name="flash_attn_qkvpacked_func",
    label="attention of packed queries, keys and values",
)
def flash_attn_qkvpacked_func(qkv: Value, *args: Value, **options: Value) -> Shape:
    """`* 3 h e -> * h e`."""
    shape = tensor(qkv).shape
    return shape.replace_last(3, *shape.last(2))


@rule(
    "flash.flash_attn_kvpacked_func flash.flash_attn_with_kvcache "
    "flash.flash_attn_interface.flash_attn_kvpacked_func flash.flash_attn_interface.flash_attn_with_kvcache",
    name="flash_attn_with_kvcache",
    label="attention with a cache",
)
def flash_attn_with_kvcache(q: Value, *args: Value, **options: Value) -> Shape:
    """The shape of `q`."""
    return tensor(q).shape


OUT_PROJECTION = 8
"""Where `out_proj_weight` stands behind query, key and value."""


@rule("F.multi_head_attention_forward", label="multi-head attention")
def multi_head_attention_forward(
    query: Value, key: Value, value: Value, *args: Value, **options: Value
) -> tuple[Shape, Unknown]:
    """The output has the query's shape, but for the last size, which the last projection gives."""
    projection = options.get("out_proj_weight", args[OUT_PROJECTION] if len(args) > OUT_PROJECTION else None)
    shape = tensor(query).shape
    if isinstance(projection, Tensor):
        shape = shape.replace_last(1, projection.shape.size(0))
    return shape, Unknown("the weights of attention are not followed here")


def _heads_weights(layer: Module) -> Mapping[str, Any]:
    embed = layer.size("embed_dim")
    same = layer["kdim"] is None and layer["vdim"] is None
    bias = layer.flag("bias")
    key = embed if layer["kdim"] is None else layer.size("kdim")
    value = embed if layer["vdim"] is None else layer.size("vdim")
    return {
        "in_proj_weight": (embed * 3, embed) if same else None,
        "q_proj_weight": None if same else (embed, embed),
        "k_proj_weight": None if same else (embed, key),
        "v_proj_weight": None if same else (embed, value),
        "in_proj_bias": (embed * 3,) if bias else None,
        "out_proj.weight": (embed, embed),
        "out_proj.bias": (embed,) if bias else None,
    }


_QUERY = shape_rule("*x {embed_dim} -> *x {embed_dim}")


@module(
    "MultiheadAttention",
    "embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, "
    "kdim=None, vdim=None, batch_first=False",
    _heads_weights,
    label="multi-head attention",
)
def multihead_attention(
    layer: Module,
    query: Value,
    key: Value,
    value: Value,
    key_padding_mask: Value = None,
    need_weights: Value = True,
    attn_mask: Value = None,
    average_attn_weights: Value = True,
    is_causal: Value = False,
    *,
    facts: Facts = NO_FACTS,
) -> tuple[Value, Value]:
    """The output has the query's shape; the weights are `[N, L, S]`, with heads if not averaged, or None."""
    out = _QUERY([("query", query)], {"embed_dim": layer.size("embed_dim")}, facts)
    _fit(layer, tensor(query).shape, tensor(key).shape, tensor(value).shape, key_padding_mask, attn_mask, facts)
    if need_weights is False:
        return out, None
    return out, _attention_weights(layer, tensor(query).shape, tensor(key).shape, need_weights, average_attn_weights)


def _fit(layer: Module, q: Shape, k: Shape, v: Shape, padding: Value, mask: Value, facts: Facts) -> None:
    """Keys and values are of one sequence, queries of the same batch, and masks of the ranks that go with them."""
    if q.rank not in (None, 2, 3):
        raise ShapeError("rank", f"queries have 2 dims, or 3 with a batch; there are {q}")
    batched = q.rank == 3
    for what, other in (("keys", k), ("values", v)):
        if None not in (q.rank, other.rank) and q.rank != other.rank:
            raise ShapeError("rank", f"queries {q} and {what} {other} have different numbers of dims")
    if None in (q.rank, k.rank, v.rank):
        return
    time, row = (-2, 0) if not batched or layer.flag("batch_first") else (0, 1)
    _agree("length of keys and values", k.size(time), v.size(time), facts)
    if batched:
        _agree("batch of queries and keys", q.size(row), k.size(row), facts)
        _agree("batch of keys and values", k.size(row), v.size(row), facts)
    expected = (k.size(row), k.size(time)) if batched else (k.size(time),)
    if isinstance(padding, Tensor) and padding.rank is not None:
        if padding.rank != len(expected):
            raise ShapeError(
                "rank", f"the mask of padding has {len(expected)} dims with such keys, not {padding.shape}"
            )
        for i, size in enumerate(expected):
            _agree("keys and the mask of padding", size, padding.shape.size(i), facts)
    if isinstance(mask, Tensor) and mask.rank is not None:
        if mask.rank not in (2, 3):
            raise ShapeError("rank", f"the mask has 2 dims, or 3 with a row for each head; it is {mask.shape}")
        _agree("queries and the mask", q.size(time), mask.shape.size(-2), facts)
        _agree("keys and the mask", k.size(time), mask.shape.size(-1), facts)


def _attention_weights(layer: Module, q: Shape, k: Shape, need_weights: Value, average: Value) -> Value:
    if q.rank is None or k.rank is None or not isinstance(need_weights, bool) or not layer_flags(layer):
        return Unknown("the weights of attention are not followed here")
    batched, first = q.rank == 3, layer.flag("batch_first")
    length, source = (
        q.size(-2) if first or not batched else q.size(0),
        k.size(-2) if first or not batched else k.size(0),
    )
    batch = () if not batched else (q.size(0 if first else 1),)
    heads = () if average is not False else (layer.size("num_heads"),)
    return Shape((*batch, *heads, length, source))


def layer_flags(layer: Module) -> bool:
    """Whether nothing is added to the keys."""
    return layer["add_bias_kv"] is False and layer["add_zero_attn"] is False


_D_MODEL = shape_rule("*x {d_model} -> *x {d_model}")
_TRANSFORMER = (
    "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-05, batch_first=False, "
    "norm_first=False, bias=True, device=None, dtype=None"
)


@module("TransformerEncoderLayer TransformerDecoderLayer", _TRANSFORMER, label="transformer layer")
def transformer_layer(layer: Module, src: Value, *args: Value, facts: Facts = NO_FACTS, **options: Value) -> Shape:
    """The shape of the first input, whose last size is `d_model`."""
    with_dims(src, 2, 3, batched=True)
    return _D_MODEL([("the input", src)], {"d_model": layer.size("d_model")}, facts)


@module("TransformerEncoder TransformerDecoder", "layer, num_layers, *args", label="transformer")
def transformer_stack(layer: Module, src: Value, *args: Value, **options: Value) -> Shape:
    """The shape of the first input."""
    return with_dims(src, 2, 3, batched=True)


@module("Transformer", "d_model=512, nhead=8, *args", label="transformer")
def transformer(layer: Module, src: Value, tgt: Value, *args: Value, **options: Value) -> Shape:
    """The shape of the target."""
    return with_dims(tgt, 2, 3, batched=True)
