"""Recurrent layers: LSTM, GRU, RNN and their cells.

Packed sequences are not followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernelscope.dims import NO_FACTS, Facts
from kernelscope.ops.arguments import Value, tensor
from kernelscope.ops.modules import Module, module
from kernelscope.tensor import Shape, ShapeError, Tensor, same_size


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
    shape = tensor(input).shape
    if shape.rank not in {None, 2, 3}:
        raise ShapeError("rank", f"expected 2 or 3 dims, got {shape}")
    width = layer.size("input_size")
    if same_size(width, shape.size(-1), facts) is False:
        raise ShapeError("shape", f"input_size is {width} but the input is {shape}")
    hidden = layer.size("hidden_size")
    projected = layer.size("proj_size") if layer.settings.get("proj_size", 0) != 0 else hidden
    directions = 2 if layer.flag("bidirectional") else 1
    out = shape.replace_last(1, projected * directions)
    levels = layer.size("num_layers") * directions
    if shape.rank is None:
        return out, Shape.unknown(shape.reason), Shape.unknown(shape.reason)
    batch = () if shape.rank == 2 else (shape.size(0 if layer.flag("batch_first") else 1),)
    return out, Shape((levels, *batch, projected)), Shape((levels, *batch, hidden))


_RNN = "bias=True, batch_first=False, dropout=0.0, bidirectional=False"


@module("LSTM", f"input_size, hidden_size, num_layers=1, {_RNN}, proj_size=0", _layer_weights(4), label="LSTM")
def lstm(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> Value:
    """Outputs of every step, and the last hidden and cell state."""
    out, hidden, cell = _unrolled(layer, input, facts)
    dtype = tensor(input).dtype
    return Tensor(out, dtype), (Tensor(hidden, dtype), Tensor(cell, dtype))


@module("GRU", f"input_size, hidden_size, num_layers=1, {_RNN}", _layer_weights(3), label="GRU")
def gru(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> tuple[Shape, Shape]:
    """Outputs of every step, and the last hidden state."""
    return _unrolled(layer, input, facts)[:2]


@module("RNN", f"input_size, hidden_size, num_layers=1, nonlinearity='tanh', {_RNN}", _layer_weights(1), label="RNN")
def rnn(layer: Module, input: Value, hx: Value = None, *, facts: Facts = NO_FACTS) -> tuple[Shape, Shape]:
    """Outputs of every step, and the last hidden state."""
    return _unrolled(layer, input, facts)[:2]


def _cell_weights(gates: int) -> Any:
    def weights(layer: Module) -> Mapping[str, Any]:
        hidden = layer.size("hidden_size")
        bias = (hidden * gates,) if layer.flag("bias") else None
        return {
            "weight_ih": (hidden * gates, layer.size("input_size")),
            "weight_hh": (hidden * gates, hidden),
            "bias_ih": bias,
            "bias_hh": bias,
        }

    return weights


def _stepped(layer: Module, input: Value, facts: Facts) -> Shape:
    shape, width = tensor(input).shape, layer.size("input_size")
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
