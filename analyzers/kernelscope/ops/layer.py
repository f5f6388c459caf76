"""Module: one constructed layer of torch.nn as plain data: its settings and its parameters.

What it computes is in the operator table; no forward pass is recorded in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kernelscope.ops.arguments import Value, flag, integer, pair, size
from kernelscope.tensor import Size, Tensor


@dataclass(frozen=True, slots=True)
class Module:
    """One constructed layer. `settings` are its constructor's arguments by name, defaults included."""

    name: str
    settings: Mapping[str, Value]
    parameters: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def __getitem__(self, name: str) -> Value:
        return self.settings[name]

    def size(self, name: str) -> Size:
        """A setting that is a size."""
        return size(self.settings[name])

    def flag(self, name: str) -> bool:
        """A setting that is a definite truth value."""
        return flag(self.settings[name])

    @property
    def has_bias(self) -> bool:
        """Whether it is known to add a bias: the weights are the same either way."""
        return self.settings.get("bias") is True

    def integer(self, name: str) -> int:
        """A setting that is a definite number."""
        return integer(self.settings[name])

    def pair(self, name: str, count: int) -> tuple[Size, ...]:
        """A setting that is one size per axis."""
        return tuple(size(v) for v in pair(self.settings[name], count))
