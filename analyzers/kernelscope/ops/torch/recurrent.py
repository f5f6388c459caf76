"""Recurrent layers: LSTM, GRU, RNN and their cells, on padded and on packed sequences.

How many steps packed sequences have in all, and how long the longest is, stands in their lengths, which nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts, dim
from kernelscope.ops.arguments import Lost, Value, size, tensor, with_dims
from kernelscope.ops.modules import Module, module
from kernelscope.ops.registry import rule
from kernelscope.tensor import Fields, Shape, ShapeError, Size, Tensor, Unknown, numel, same_size

PACKED = "data batch_sizes sorted_indices unsorted_indices"
"""The fields of torch's `PackedSequence`."""
LONGEST = Unknown("how long the longest sequence is")
STEPS = Unknown("how many steps the sequences have in all")


def _layer_weights(gates: int) -> Any:
    def weights(layer: Module) -> Mapping[str, Any]:
        inward, hidden = layer.size("input_size"), layer.size("hidden_size")
        both = layer.flag("bidirectional")
        projected = layer.size("proj_size") if layer.settings.get("proj_size", 0) != 0 else hidden
        found: dict[str, Any] = {}
        for level in range(layer.integer("num_layers")):
            for suffix in ("", "_reverse") if both else ("",):
                width = inward if level == 0 else projected * (2 if both else 1)
                found[f"weight_ih_l{level}{suffix}"] = (hidden * gates, width)
                found[f"weight_hh_l{level}{suffix}"] = (hidden * gates, projected)
                if layer.flag("bias"):
                    found[f"bias_ih_l{level}{suffix}"] = (hidden * gates,)
                    found[f"bias_hh_l{level}{suffix}"] = (hidden * gates,)
                if projected is not hidden:
                    found[f"weight_hr_l{level}{suffix}"] = (projected, hidden)
        return found

    return weights


def _unrolled(layer: Module, input: Value, facts: Facts) -> tuple[Shape, Shape, Shape]:
    """Outputs, last hidden state, last cell state."""
    packed = _is_packed(input)
    shape = _data(input).shape
    if shape.rank not in {None, 2, 3}:
        raise ShapeError("rank", f"expected 2 or 3 dims, got {shape}")
    width = layer.size("input_size")
    if same_size(width, shape.size(-1), facts) is False:
        raise ShapeError("shape", f"input_size is {width} but the input is {shape}")
    hidden = layer.size("hidden_size")
    projected = layer.size("proj_size") if layer.settings.get("proj_size", 0) != 0 else hidden
    directions = _directions(layer)
    out = shape.replace_last(1, numel((projected, directions)))
    levels = numel((layer.size("num_layers"), directions))
    if packed:
        return out, Shape((levels, _batch(input), projected)), Shape((levels, _batch(input), hidden))
    if shape.rank is None:
        return out, Shape.unknown(shape.reason), Shape.unknown(shape.reason)
    batch = () if shape.rank == 2 else (_sequences(layer, shape),)
    return out, Shape((levels, *batch, projected)), Shape((levels, *batch, hidden))


def _directions(layer: Module) -> Size:
    """In how many directions the steps are gone through."""
    both = layer.settings.get("bidirectional")
    return both if isinstance(both, Unknown) else dim(2 if layer.flag("bidirectional") else 1)


def _sequences(layer: Module, shape: Shape) -> Size:
    """How many sequences there are."""
    first = layer.settings.get("batch_first")
    return first if isinstance(first, Unknown) else shape.size(0 if layer.flag("batch_first") else 1)


def _is_packed(value: Value) -> bool:
    return isinstance(value, Fields) and value.names == tuple(PACKED.split())


def _data(value: Value) -> Tensor:
    """The steps: of packed sequences all in a row."""
    return tensor(value.field("data") if _is_packed(value) else value)


def _batch(packed: Fields) -> Size:
    """How many sequences are packed."""
    return tensor(packed.field("unsorted_indices")).shape.size(0)


def _outputs(input: Value, out: Shape) -> Value:
    """What a layer gives for every step: packed as it was given."""
    steps = Tensor(out, _data(input).dtype)
    return Fields(input.names, (steps, *input[1:])) if _is_packed(input) else steps


_RNN = "bias=True, batch_first=False, dropout=0.0, bidirectional=False"


@module("LSTM", f"input_size, hidden_size, num_layers=1, {_RNN}, proj_size=0", _layer_weights(4), label="LSTM")
def lstm(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Value:
    """Outputs of every step, and the last hidden and cell state."""
    out, hidden, cell = _unrolled(layer, input, facts)
    dtype = _data(input).dtype
    return _outputs(input, out), (Tensor(hidden, dtype), Tensor(cell, dtype))


@module("GRU", f"input_size, hidden_size, num_layers=1, {_RNN}", _layer_weights(3), label="GRU")
def gru(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Value:
    """Outputs of every step, and the last hidden state."""
    out, hidden, _ = _unrolled(layer, input, facts)
    return _outputs(input, out), Tensor(hidden, _data(input).dtype)


@module("RNN", f"input_size, hidden_size, num_layers=1, nonlinearity='tanh', {_RNN}", _layer_weights(1), label="RNN")
def rnn(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Value:
    """Outputs of every step, and the last hidden state."""
    out, hidden, _ = _unrolled(layer, input, facts)
    return _outputs(input, out), Tensor(hidden, _data(input).dtype)


def _cell_weights(gates: int) -> Any:
    def weights(layer: Module) -> Mapping[str, Any]:
        hidden = layer.size("hidden_size")
        bias = (hidden * gates,) if layer.has_bias else None
        return {
            "weight_ih": (hidden * gates, layer.size("input_size")),
            "weight_hh": (hidden * gates, hidden),
            "bias_ih": bias,
            "bias_hh": bias,
        }

    return weights


def _stepped(layer: Module, input: Value, facts: Facts) -> Shape:
    shape, width = with_dims(input, 1, 2, batched=True), layer.size("input_size")
    if same_size(width, shape.size(-1), facts) is False:
        raise ShapeError("shape", f"input_size is {width} but the input is {shape}")
    return shape.replace_last(1, layer.size("hidden_size"))


@module("LSTMCell", "input_size, hidden_size, bias=True", _cell_weights(4), label="LSTM step")
def lstm_cell(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> tuple[Shape, Shape]:
    """Hidden and cell state."""
    shape = _stepped(layer, input, facts)
    return shape, shape


@module("GRUCell", "input_size, hidden_size, bias=True", _cell_weights(3), label="GRU step")
def gru_cell(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
    """Hidden state."""
    return _stepped(layer, input, facts)


@module("RNNCell", "input_size, hidden_size, bias=True, nonlinearity='tanh'", _cell_weights(1), label="RNN step")
def rnn_cell(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Shape:
    """Hidden state."""
    return _stepped(layer, input, facts)


@rule(
    "rnn.pack_padded_sequence",
    dtype=("input", "int64", "int64", "int64"),
    kind="movement",
    label="sequences without their padding",
    fields=PACKED,
)
def pack_padded_sequence(
    input: Value, lengths: Value, batch_first: Value = False, enforce_sorted: Value = True
) -> tuple[Value, ...]:
    """The steps of all sequences in a row; what tells them apart."""
    shape = tensor(input).shape
    if shape.rank is not None and shape.rank < 2:
        raise ShapeError("rank", f"expected a batch of sequences, got {shape}")
    data = Shape.unknown(shape.reason) if shape.dims is None else Shape((STEPS, *shape.dims[2:]))
    order = Shape((shape.size(0 if batch_first is True else 1),))
    return data, Shape((LONGEST,)), order if enforce_sorted is False else None, order


@rule("rnn.pad_packed_sequence", dtype=("input", "int64"), kind="movement", label="sequences in one tensor, padded")
def pad_packed_sequence(
    sequence: Value, batch_first: Value = False, padding_value: Value = 0.0, total_length: Value = None
) -> tuple[Value, ...]:
    """`batch longest *` and the length of each."""
    if not _is_packed(sequence):
        raise Lost("what is packed is not known")
    data, batch = _data(sequence), _batch(sequence)
    longest = LONGEST if total_length is None else size(total_length)
    first = (batch, longest) if batch_first is True else (longest, batch)
    rest = data.shape.dims
    padded = Shape.unknown(data.shape.reason) if rest is None else Shape((*first, *rest[1:]))
    return Tensor(padded, data.dtype), Shape((batch,))
