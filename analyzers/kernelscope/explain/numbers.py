"""Shapes and sizes in the numbers that the user bound to their names, and amounts as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kernelscope.dims.spelling import spelled
from kernelscope.tensor import DType, Tensor, Unknown


def in_numbers(tensor: Tensor, bindings: Mapping[str, int], order: Sequence[str] = ()) -> str | None:
    """`[8, 32, 4096, 128] · 256 MiB`, `[B, 32, S, 128]`; None when none of the tensor's names is bound."""
    values = spelled(tensor.shape.names(), bindings)
    if not values:
        return None
    try:
        shape = tensor.shape.subs(values)
    except ArithmeticError:
        return None
    text = shape.render(order)
    count = shape.numel()
    if isinstance(count, Unknown) or count.const is None or not isinstance(tensor.dtype, DType):
        return text
    return f"{text} · {memory(count.const * tensor.dtype.bytes)}"


def memory(size: int) -> str:
    """Bytes in the largest binary unit that they fill: `640 B`, `1.5 KiB`, `256 MiB`."""
    amount: float = size
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def thousands(number: int) -> str:
    """`4.3 T`, `640 M`, `12`."""
    amount: float = number
    for unit in ("", " K", " M", " G", " T"):
        if abs(amount) < 1000:
            return f"{amount:.4g}{unit}"
        amount /= 1000
    return f"{amount:.4g} P"
