"""Integer algebra over named sizes: exact arithmetic, rendering in source order, three-valued comparison, facts.

Knows nothing of tensors or Python; an atom's name is any text (`B`, `config.hidden_size`, `len(xs)`).
"""

from kernelscope.dims.bits import bit_and, bit_or, bit_xor, equal, less, shift_left, shift_right
from kernelscope.dims.compare import are_multiples, normal, same
from kernelscope.dims.extremes import maximum, minimum
from kernelscope.dims.facts import NO_FACTS, Facts
from kernelscope.dims.monomial import Opaque
from kernelscope.dims.parse import parse
from kernelscope.dims.polynomial import (
    ARITHMETIC,
    Dim,
    DimLike,
    TooLarge,
    ceil_div,
    difference,
    dim,
    product,
    total,
)
from kernelscope.dims.render import render

__all__ = [
    "ARITHMETIC",
    "NO_FACTS",
    "Dim",
    "DimLike",
    "Facts",
    "Opaque",
    "TooLarge",
    "are_multiples",
    "bit_and",
    "bit_or",
    "bit_xor",
    "ceil_div",
    "difference",
    "dim",
    "equal",
    "less",
    "maximum",
    "minimum",
    "normal",
    "parse",
    "product",
    "render",
    "same",
    "shift_left",
    "shift_right",
    "total",
]
