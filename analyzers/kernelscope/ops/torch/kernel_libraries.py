"""Functions of kernel libraries that models call beside torch's, by their documented signatures."""

from __future__ import annotations

from kernelscope.dims import dim
from kernelscope.ops.arguments import Value, size, tensor
from kernelscope.ops.families import same
from kernelscope.ops.registry import rule
from kernelscope.tensor import Shape, Unknown

KEPT = Unknown("how many tokens are no padding is in the mask")

same("causal_conv1d_update", at="causal", label="causal convolution of one step")
same("apply_rotary_emb", at="flash.layers.rotary", label="rotary embedding")


@rule("causal.causal_conv1d_fn", label="causal convolution")
def causal_conv1d_fn(x: Value, *args: Value, **options: Value) -> Shape | Unknown:
    """Same shape."""
    if options.get("return_final_states", False) is not False:
        return Unknown("with the last states a tuple is returned")
    return tensor(x).shape


@rule(
    "flash.ops.triton.layer_norm.layer_norm_fn flash.ops.triton.layer_norm.rms_norm_fn",
    name="layer_norm_fn",
    label="norm of a sum with what goes around it",
)
def layer_norm_fn(x: Value, *args: Value, **options: Value) -> Shape | tuple[Shape, Shape]:
    """Same shape; with `prenorm` also the sum."""
    shape = tensor(x).shape
    return (shape, shape) if options.get("prenorm", False) is True else shape


@rule("npu.npu_rms_norm", dtype=("input", "float32"), label="RMS norm")
def npu_rms_norm(x: Value, *args: Value, **options: Value) -> tuple[Shape, Shape]:
    """Same shape, and the root for each row."""
    shape = tensor(x).shape
    return shape, shape.replace_last(1, dim(1))


@rule("flash.bert_padding.unpad_input", dtype=("input", "int64", "int32", "int32"), kind="movement", label="unpad")
def unpad_input(hidden_states: Value, attention_mask: Value, *args: Value, **options: Value) -> tuple[Value, ...]:
    """`b s ... -> tokens ...`, their places, where each sequence begins, and the longest."""
    states, batch = tensor(hidden_states).shape, tensor(attention_mask).shape.size(0)
    rest = states.dims[2:] if states.dims is not None else None
    packed = Shape.unknown(states.reason) if rest is None else Shape((KEPT, *rest))
    starts = batch if isinstance(batch, Unknown) else batch + 1
    return packed, Shape((KEPT,)), Shape((starts,)), Unknown("the longest sequence of a batch")


@rule("flash.bert_padding.pad_input", kind="movement", label="pad")
def pad_input(hidden_states: Value, indices: Value, batch: Value, seqlen: Value) -> Shape:
    """`tokens ... -> b s ...`."""
    states = tensor(hidden_states).shape
    return Shape.unknown(states.reason) if states.dims is None else Shape((size(batch), size(seqlen), *states.dims[1:]))
