"""The layers that torch's transformer layers are made of, by the names that those who derive from them use."""

from __future__ import annotations

from collections.abc import Iterator

from kernelscope.ops.arguments import Value
from kernelscope.ops.modules import Module, build

LAYERS = {"torch.nn.TransformerEncoderLayer": 2, "torch.nn.TransformerDecoderLayer": 3}
"""How many blocks each has: attention to itself, attention to what is encoded, and the feed-forward block."""
BLOCKS = {"_sa_block", "_mha_block", "_ff_block"}
"""Methods for the blocks, which give what is as large as their first argument."""
ACTIVATIONS = {"relu": "torch.nn.ReLU", "gelu": "torch.nn.GELU"}


def parts_of(layer: Module) -> dict[str, Module]:
    """What a layer holds: `self.linear1` and `self.norm2` in a class that derives from it."""
    blocks = LAYERS.get(layer.name, 0)
    return {name: part for name, part in _parts(layer, blocks) if isinstance(part, Module)} if blocks else {}


def _parts(layer: Module, blocks: int) -> Iterator[tuple[str, object]]:
    given = layer.settings
    width, inner = given["d_model"], given["dim_feedforward"]
    heads: list[Value] = [width, given["nhead"]]
    for name in ("self_attn", "multihead_attn")[: blocks - 1]:
        yield name, build("torch.nn.MultiheadAttention", heads, {"batch_first": given["batch_first"]})
    yield "linear1", build("torch.nn.Linear", [width, inner])
    yield "linear2", build("torch.nn.Linear", [inner, width])
    for number in range(1, blocks + 1):
        yield f"norm{number}", build("torch.nn.LayerNorm", [width])
    for name in ("dropout", *(f"dropout{number}" for number in range(1, blocks + 1))):
        yield name, build("torch.nn.Dropout", [given["dropout"]])
    if (activation := ACTIVATIONS.get(str(given["activation"]))) is not None:
        yield "activation", build(activation, [])
