"""Size: one dim of a shape, known or not, and the operations that an unknown passes through.

`+ - * // %` work on sizes directly; only what is not an operator of Python stands here.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from kernelscope.dims import NO_FACTS, Dim, Facts, are_multiples, ceil_div, dim, maximum, minimum, same
from kernelscope.dims.polynomial import TooLarge
from kernelscope.dims.spelling import SEPARATOR
from kernelscope.tensor.unknown import Unknown

Size = Dim | Unknown
BATCHES = ("B", "batch", "batch_size", "bsz")
"""Names of sizes that are never those of channels."""


LENGTHS = ("S", "T", "L", "seq_len", "seq_length", "sequence_length")
"""Names of sizes that are lengths of sequences."""
PACKED = "T"
"""What the tokens of all sequences of a batch are called that lie in a row."""


def is_batch(size: Size) -> bool:
    """Whether a size is called as that of a batch."""
    return isinstance(size, Dim) and (size.name or "").partition(SEPARATOR)[0] in BATCHES


def first_unknown(sizes: Iterable[Size]) -> Unknown | None:
    """The first size that is not known."""
    return next((s for s in sizes if isinstance(s, Unknown)), None)


def numel(sizes: Iterable[Size]) -> Size:
    """The product; 0 if any size is 0 and 1 of nothing."""
    result: Size = dim(1)
    lost: Unknown | None = None
    for size in sizes:
        if isinstance(size, Unknown):
            lost = lost or size
        else:
            result = result * size
    return result if lost is None or result == 0 else lost


def same_size(a: Size, b: Size, facts: Facts = NO_FACTS) -> bool | None:
    """`same` for sizes that have to agree, None when either is unknown; what cannot be decided is noted as needed.

    Different multiples of one product agree in a tensor without elements only, which nobody means.
    """
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return None
    verdict = same(a, b, facts)
    if verdict is None and are_multiples(a, b, facts):
        return False
    if verdict is None and facts.needed is not None:
        facts.needed.append((a, b))
    return verdict


def leaves_nothing(number: Dim, divisor: Dim, facts: Facts) -> None:
    """Note that a division has to leave nothing, as that of elements into rows."""
    if facts.needed is not None:
        with suppress(TooLarge):
            facts.needed.append((number, number // divisor * divisor))


def ceil_of(a: Size, b: Size) -> Size:
    """`a / b` rounded up."""
    if isinstance(a, Unknown):
        return a
    return b if isinstance(b, Unknown) else ceil_div(a, b)


def largest(*sizes: Size) -> Size:
    """The largest size."""
    return first_unknown(sizes) or maximum(*(s for s in sizes if isinstance(s, Dim)))


def smallest(*sizes: Size) -> Size:
    """The smallest size."""
    return first_unknown(sizes) or minimum(*(s for s in sizes if isinstance(s, Dim)))


def is_row_of_tokens(size: Size) -> bool:
    """Whether a size is that of all tokens of a batch, in a row."""
    return isinstance(size, Dim) and (size.name or "").partition(SEPARATOR)[0] == PACKED


def is_length(size: Size) -> bool:
    """Whether a size is called a sequence's length."""
    return isinstance(size, Dim) and (size.name or "").partition(SEPARATOR)[0] in LENGTHS
