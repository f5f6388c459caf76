"""Accessors of tensors, as PyTorch's kernels get them: `x[i][j]` lies where the launch's strides say.

ATen/core/TensorAccessor.h: an index moves by the axis' stride, in elements; the last one gives an element, those before
it an accessor of one axis less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.types import Strided
from kernelscope.kernels.cuda.warp.values import InMemory, Int, Memory, Pointer, Symbol, Value


def passed_accessor(m: Machine, kind: Strided, name: str) -> Pointer:
    """An accessor that a launch passes: its sizes and strides are names."""
    for axis in range(kind.rank):
        for what in ("stride", "size"):
            m.symbols.shared(f"{name}.{what}({axis})", Symbol(size=True))
    return Pointer(Memory(name, "global", kind.element), dim(0), replace(kind, tensor=name))


def element(m: Machine, accessor: Pointer, kind: Strided, index: Dim) -> InMemory:
    """What an accessor has at an index."""
    there = m.moved(accessor, index)
    inner = replace(kind, axis=kind.axis + 1) if kind.axis + 1 < kind.rank else kind.element
    return InMemory(Pointer(there.memory, there.offset, inner))


def accessor_method(m: Machine, accessor: Pointer, kind: Strided, name: str, given: Sequence[Value]) -> Value | None:
    """What a method of an accessor returns; None for one that is not known."""
    if name == "data" and not given:
        return Pointer(accessor.memory, accessor.offset, kind.element)
    axis = given[0].d.const if len(given) == 1 and isinstance(given[0], Int) else None
    if name not in ("size", "stride") or axis is None:
        return None
    return Int(m.symbols.shared(f"{kind.tensor}.{name}({kind.axis + axis})", Symbol(size=True)))
