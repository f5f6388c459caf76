"""What a load or store touches: an argument, its indices and strides, as text.

Knows neither how it was found nor what is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.kernels.triton.offsets import tight


@dataclass(frozen=True, slots=True)
class Address:
    """`base[indices]`: `axes` are (stride, index) pairs, in the order of the source; stride "1" comes last.

    `strides` and `bounds`: of a block pointer or descriptor, whose indices stand for ranges.
    """

    base: str
    axes: tuple[tuple[str, str], ...]
    strides: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()
    """Where the data end along each axis, by the shape that the block pointer or descriptor was made with."""
    is_block: bool = False
    """Whether the base is a block of addresses, as callers give it to a helper."""
    along: tuple[int, ...] = ()
    """Which axis of the block each index that varies goes along, in the order of `axes`; empty where not told."""

    def element(self) -> str:
        """`A[row, column]`, transposed where the block is."""
        if not self.axes:
            return f"*{self.base}" if self.is_block else f"{self.base}[0]"
        told = f"{self.base}[{', '.join(index for _, index in self.axes)}]"
        order = sorted(range(len(self.along)), key=self.along.__getitem__)
        if order == list(range(len(order))):
            return told
        return f"{told}.T" if len(order) == 2 else f"{told}.permute({', '.join(map(str, order))})"

    def form(self) -> str:
        """`A + row·stride + column`; of a block the range of each dim, and the strides."""
        if self.strides:
            return f"{self.element()} by strides ({', '.join(self.strides)})"
        if any(not stride for stride, _ in self.axes):
            return self.element()
        parts = [index if stride == "1" else f"{tight(index)}·{tight(stride)}" for stride, index in self.axes]
        return " + ".join([self.base, *parts])
