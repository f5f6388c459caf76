"""What a load or store touches: which argument, how neighbours lie in memory, whether a warp's request is coalesced.

Steps come from index arithmetic; strides that the kernel does not know are resolved with what launches pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from kernelscope.dims import Dim, render
from kernelscope.kernels.triton.broadcasting import ONE
from kernelscope.kernels.triton.call import Access
from kernelscope.kernels.triton.dtypes import BITS
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Size, Tensor

UNORDERED = "spacing not known (by data, division or wrap-around)"
VECTOR = 16
"""Bytes of the widest load or store of one thread."""
MAX_BASES = 3
"""Arguments that are named, where an access may go to one of several; of more the number is told."""
Pattern = Literal["coalesced", "strided", "broadcast", "scattered", "unknown"]


@dataclass(frozen=True, slots=True)
class Footprint:
    """`axis` is the one along which neighbours lie next to each other, None where none is known to be."""

    base: str
    pattern: Pattern
    axis: int | None
    strides: tuple[Size, ...]
    unordered: tuple[int, ...] = ()
    """The axes along which addresses follow data, or wrap around."""
    runs: tuple[Size, ...] = ()
    """How many neighbours along each axis share an address, where some do."""


def footprint(access: Access, known: Mapping[str, int] | None = None) -> Footprint:
    """How an access lies in memory. `known`: parameters that every launch passes as the same number."""
    pointer = access.pointer
    if isinstance(pointer, Descriptor):
        return Footprint(pointer.base, "coalesced", len(pointer.shape) - 1 if pointer.shape else None, ())
    if not isinstance(pointer, Tensor | BlockPointer):
        return Footprint("", "unknown", None, ())
    if isinstance(pointer, BlockPointer):
        base = pointer.base
    else:
        base = either(pointer.bases if pointer.pointer else pointer.bases[:1])
    if not pointer.shape:
        return Footprint(base, "broadcast" if pointer.shape == () else "unknown", None, ())
    if pointer.steps is None:
        return Footprint(base, "scattered" if isinstance(pointer, Tensor) else "unknown", None, ())
    steps = tuple(step.subs(dict(known)) if step is not None and known else step for step in pointer.steps)
    runs = pointer.runs or () if isinstance(pointer, Tensor) else ()
    wide = [i for i, size in enumerate(pointer.shape) if size is None or size.const != 1]
    unordered = tuple(i for i in wide if steps[i] is None) if isinstance(pointer, Tensor) else ()
    along = [step for i in wide if (step := steps[i]) is not None]
    next_to = next((i for i in wide if (step := steps[i]) is not None and step.const in (1, -1)), None)
    if next_to is not None:
        return Footprint(base, "coalesced", next_to, steps, unordered, runs)
    pattern: Pattern = "unknown"
    if unordered and all(step.const is not None for step in along):
        pattern = "scattered"
    elif len(along) == len(wide) and all(step.const == 0 for step in along):
        pattern = "broadcast"
    elif len(along) == len(wide) and all(step.const not in (None, 0) for step in along):
        pattern = "strided"
    return Footprint(base, pattern, None, steps, unordered, runs)


def either(bases: Sequence[str]) -> str:
    """The arguments that an access may go to, one in each run."""
    if len(bases) <= MAX_BASES:
        return " or ".join(bases)
    return f"{bases[0]} or {len(bases) - 1} others"


def describe_footprint(access: Access, known: Mapping[str, int] | None = None) -> list[str]:
    """The parts of an access line: `masked`, `contiguous along dim 1 (stride 1)`, `row stride s`, `coalesced`."""
    found = footprint(access, known)
    bounded = "bounds checked by the descriptor" if isinstance(access.pointer, Descriptor) else "masked"
    parts = [bounded if access.masked else "not masked"]
    if found.axis is not None:
        parts.append(f"contiguous along dim {found.axis} (stride 1)")
    for axis, step in enumerate(found.strides):
        if axis != found.axis and step is not None and step.const not in (0, 1):
            parts.append(f"stride {_text(step)} along dim {axis}")
    for axis, run in enumerate(found.runs):
        if run is not None and run.const != 1:
            parts.append(f"{_text(run)} neighbours share an address along dim {axis}")
    if found.pattern != "scattered":
        parts += [f"{UNORDERED} along dim {axis}" for axis in found.unordered]
    words = {
        "coalesced": "coalesced",
        "strided": "strided: neighbours lie apart",
        "broadcast": "one address for all",
        "scattered": UNORDERED,
        "unknown": f"coalesced if {_candidates(found)} is 1",
    }
    if found.pattern != "unknown" or found.strides:
        parts.append(words[found.pattern])
    own = not found.runs or (found.axis is not None and found.runs[found.axis] == ONE)
    if found.pattern == "coalesced" and own and access.kind != "atomic" and not isinstance(access.pointer, Descriptor):
        parts.append(_vectors(access, found))
    if access.in_loop:
        parts.append("in loop")
    return parts


def _candidates(found: Footprint) -> str:
    """The strides of which one may be 1."""
    names = [render(step) for step in found.strides if step is not None and step.const is None]
    known = names and found.strides.count(None) == len(found.unordered)
    return " or ".join(dict.fromkeys(names)) if known else "a stride"


def _vectors(access: Access, found: Footprint) -> str:
    """How many bytes a thread moves at once at most: 16, less where the block is narrower."""
    block = access.block
    shape, elem = (block.shape, block.elem) if isinstance(block, Tensor) else (None, "")
    size = shape[found.axis] if shape and found.axis is not None and found.axis < len(shape) else None
    width = BITS.get(elem, 0) // 8
    if not width:
        return f"vectors of up to {VECTOR} B"
    count = min(VECTOR // width, size.const if size is not None and size.const is not None else VECTOR)
    rows = [step for axis, step in enumerate(found.strides) if axis != found.axis and step is not None]
    uneven = [render(step) for step in rows if step.const is None or step.const % count]
    if count == 1:
        return f"one {elem} at a time"
    conditions = [f"{' and '.join(uneven)} is a multiple of {count}"] if uneven else []
    if found.unordered:
        conditions.append("every row begins aligned")
    aligned = f" if {' and '.join(conditions)}" if conditions else ""
    return f"vectors of up to {count * width} B ({count} {elem}){aligned}"


def _text(step: Dim) -> str:
    return render(step)
