"""Hovers in CUDA files: the card on a kernel's name, where it is defined and where it is launched."""

from __future__ import annotations

from pathlib import Path

from kernelscope.explain.cuda_card import kernel_hover
from kernelscope.explain.tensor_hover import identifier_at
from kernelscope.kernels.cuda.kernels import Kernels
from kernelscope.results import Hover, LeftOut


def cuda_hover(kernels: Kernels, path: Path, offset: int, gpu: str = "H100") -> Hover | None:
    """The hover of a name in a CUDA file; None where nothing is known."""
    data = kernels.workspace.files.read(str(path))
    span = identifier_at(data, offset) if not isinstance(data, LeftOut) else None
    if span is None:
        return None
    facts = kernels.at(str(path), span.start)
    if facts is not None and facts.function.name_span.touches(offset):
        return kernel_hover(facts, span, gpu)
    return None
