"""Names outside the workspace as values: dtypes, constants of libraries, everything else by its full name."""

from __future__ import annotations

import math
import string
from typing import TYPE_CHECKING

from kernelscope.interp.class_facts import STAND_INS
from kernelscope.interp.environment import VERSIONS
from kernelscope.interp.values import (
    External,
    Value,
)
from kernelscope.tensor import DTYPES

if TYPE_CHECKING:
    pass

CONSTANTS: dict[str, Value] = {
    **{f"{library}.pi": math.pi for library in ("math", "numpy", "torch", "jax.numpy")},
    **{f"{library}.e": math.e for library in ("math", "numpy", "torch")},
    **{f"{library}.inf": math.inf for library in ("math", "numpy", "torch", "jax.numpy")},
    **{f"{library}.nan": math.nan for library in ("math", "numpy", "torch", "jax.numpy")},
    "math.tau": math.tau, "numpy.newaxis": None, "torch.newaxis": None,
    **{f"string.{name}": getattr(string, name) for name in ("ascii_lowercase", "ascii_uppercase", "ascii_letters")},
    **VERSIONS, "jax.numpy.newaxis": None, "torch.__version__": "2.9.0",  # code for an older one is not what runs
}  # fmt: skip
"""Values of libraries that are no functions."""


def external(name: str) -> Value:
    """A name outside the workspace; dtypes become dtypes."""
    package, _, last = name.rpartition(".")
    if package in ("torch", "jax.numpy") and last in DTYPES:
        return DTYPES[last]
    aliases = {"float": "float32", "half": "float16", "double": "float64", "long": "int64", "int": "int32"}
    if package == "torch" and last in aliases:
        return DTYPES[aliases[last]]
    return CONSTANTS.get(name, External(_shortest(STAND_INS.get(name, name))))


def _shortest(name: str) -> str:
    """A layer as its library's documentation spells it: `flax.linen.attention.SelfAttention` is `flax.linen`'s, and
    `torch.nn.modules.conv.Conv2d` is `torch.nn`'s."""
    owner, _, method = name.rpartition(".")
    if method.startswith("__"):
        return f"{_shortest(owner)}.{method}"
    if name.startswith("torch.nn.modules.") and method[:1].isupper():
        return f"torch.nn.{method}"
    for library in ("flax.linen.", "flax.nnx.", "equinox.nn."):
        if name.startswith(library) and not name.startswith(f"{library}initializers."):
            return library + name.rpartition(".")[2]
    return name
