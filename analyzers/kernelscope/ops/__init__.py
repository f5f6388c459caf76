"""The operator table: what torch, einops and their kin do to shapes and dtypes, as data.

Never imports torch. Start with `registry` for how to ask and how an entry is written.
"""

from kernelscope.ops.modules import Module, build, call
from kernelscope.ops.registry import KINDS, Cost, Op, Value, all_ops, apply, attribute, cost, find, index, operator
from kernelscope.tensor import ShapeError

__all__ = [
    "KINDS",
    "Cost",
    "Module",
    "Op",
    "ShapeError",
    "Value",
    "all_ops",
    "apply",
    "attribute",
    "build",
    "call",
    "cost",
    "find",
    "index",
    "operator",
]
