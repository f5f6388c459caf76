"""Powers of two and their logarithms, as shifts and bit tricks with named sizes need them."""

from __future__ import annotations

from kernelscope.dims import Dim, dim, render

LOGARITHM = "log2("
"""How names begin that stand for the logarithm of a named size."""


def shift_factor(exponent: Dim) -> Dim | None:
    """What a shift by `exponent` multiplies or divides by."""
    if exponent.const is not None:
        return dim(1 << exponent.const) if 0 <= exponent.const < 64 else None
    return power_of_two(exponent)


def power_of_two(exponent: Dim) -> Dim:
    """Two to the power of a size; of a logarithm what it is the logarithm of."""
    if is_logarithm(exponent):
        return dim((exponent.name or "")[len(LOGARITHM) : -1])
    return dim(f"2**{bracketed(exponent)}")


def logarithm(size: Dim) -> Dim | None:
    """The exponent of a named size that is a power of two."""
    return dim(f"{LOGARITHM}{size.name})") if size.name is not None else None


def is_logarithm(number: Dim) -> bool:
    """Whether a name stands for the logarithm of a size."""
    return number.name is not None and number.name.startswith(LOGARITHM)


def bracketed(size: Dim) -> str:
    """A size as the exponent of a power."""
    return size.name if size.name is not None and size.name.isidentifier() else f"({render(size)})"
