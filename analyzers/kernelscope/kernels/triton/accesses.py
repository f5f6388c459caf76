"""What a load or store touches: which argument, how neighbours lie in memory, whether a warp's request is coalesced.

Steps come from index arithmetic; strides that the kernel does not know are resolved with what launches pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kernelscope.dims import Dim, render
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Size, Tensor

Pattern = Literal["coalesced", "strided", "broadcast", "scattered", "unknown"]


@dataclass(frozen=True, slots=True)
class Footprint:
    """`axis` is the one along which neighbours lie next to each other, None where none is known to be."""

    base: str
    pattern: Pattern
    axis: int | None
    strides: tuple[Size, ...]


def footprint(access: Access, known: Mapping[str, int] | None = None) -> Footprint:
    """How an access lies in memory. `known`: parameters that every launch passes as the same number."""
    pointer = access.pointer
    if isinstance(pointer, Descriptor):
        return Footprint(pointer.base, "coalesced", len(pointer.shape or ()) - 1, ())
    if isinstance(pointer, BlockPointer):
        axis = pointer.order[0] if pointer.order else None
        return Footprint(pointer.base, "coalesced" if axis is not None else "unknown", axis, ())
    if not isinstance(pointer, Tensor):
        return Footprint("", "unknown", None, ())
    base = pointer.bases[0] if pointer.bases else ""
    if not pointer.shape:
        return Footprint(base, "broadcast" if pointer.shape == () else "unknown", None, ())
    if pointer.steps is None:
        return Footprint(base, "scattered" if _indirect(pointer) else "unknown", None, ())
    steps = tuple(step.subs(dict(known)) if step is not None and known else step for step in pointer.steps)
    wide = [i for i, size in enumerate(pointer.shape) if size is None or size.const != 1]
    for axis in wide:
        step = steps[axis]
        if step is not None and step.const in (1, -1):
            return Footprint(base, "coalesced", axis, steps)
    if all((step := steps[axis]) is not None and step.const == 0 for axis in wide):
        return Footprint(base, "broadcast", None, steps)
    if all((step := steps[axis]) is not None and step.const not in (None, 0, 1, -1) for axis in wide):
        return Footprint(base, "strided", None, steps)
    return Footprint(base, "unknown", None, steps)


def _indirect(pointer: Tensor) -> bool:
    """Blocks of addresses whose offsets come from data or from arithmetic that keeps no steps."""
    return pointer.pointer and bool(pointer.shape)


def describe_footprint(access: Access, known: Mapping[str, int] | None = None) -> list[str]:
    """The parts of an access line: `masked`, `contiguous along dim 1 (stride 1)`, `row stride s`, `coalesced`."""
    found = footprint(access, known)
    parts = ["masked" if access.masked else "not masked"]
    if found.axis is not None:
        parts.append(f"contiguous along dim {found.axis} (stride 1)")
    for axis, step in enumerate(found.strides):
        if axis != found.axis and step is not None and step.const not in (0, 1):
            parts.append(f"stride {_text(step)} along dim {axis}")
    words = {
        "coalesced": "coalesced",
        "strided": "strided: neighbours lie apart",
        "broadcast": "one address for all",
        "scattered": "order not known (data-dependent or wrapped offsets)",
        "unknown": "coalesced if a stride is 1",
    }
    if found.pattern != "unknown" or found.strides:
        parts.append(words[found.pattern])
    if access.in_loop:
        parts.append("in loop")
    return parts


def _text(step: Dim) -> str:
    return render(step)
