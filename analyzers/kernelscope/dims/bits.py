"""Bit operations and comparisons on Dims, as in index arithmetic: `x ^ y`, `x & 31`, `1 << k`, `a < b` as 0 or 1.

Masks that are powers of two become `%` and `//`, so that polynomials can open them; the rest stays opaque.
Every rewrite holds for all integers, shifts being taken as at least 0.
"""

from __future__ import annotations

from kernelscope.dims.polynomial import ONE, ZERO, Dim, DimLike, difference, dim, opaque

MAX_SHIFT = 62


def bit_and(a: DimLike, b: DimLike) -> Dim:
    """`a & b`; with a mask of low bits `a % 2**n`, with one of high bits `a - a % 2**n`."""
    left, right = dim(a), dim(b)
    x, y = left.const, right.const
    if x is not None and y is not None:
        return dim(x & y)
    if x is not None:
        left, right, y = right, left, x
    if y is not None and y >= 0 and y & (y + 1) == 0:
        return left % (y + 1)
    if y is not None and y < 0 and -y & (-y - 1) == 0:
        return left - left % -y
    return left if left == right else opaque("&", _sorted(left, right))


def bit_or(a: DimLike, b: DimLike) -> Dim:
    """`a | b`."""
    left, right = dim(a), dim(b)
    x, y = left.const, right.const
    if x is not None and y is not None:
        return dim(x | y)
    if x == 0 or y == 0 or left == right:
        return right if x == 0 else left
    return opaque("|", _sorted(left, right))


def bit_xor(a: DimLike, b: DimLike) -> Dim:
    """`a ^ b`."""
    left, right = dim(a), dim(b)
    x, y = left.const, right.const
    if x is not None and y is not None:
        return dim(x ^ y)
    if left == right:
        return ZERO
    if x == 0 or y == 0:
        return right if x == 0 else left
    return opaque("^", _sorted(left, right))


def shift_left(a: DimLike, b: DimLike) -> Dim:
    """`a << b`."""
    left, right = dim(a), dim(b)
    n = right.const
    if n is not None and 0 <= n <= MAX_SHIFT:
        return left * (1 << n)
    return ZERO if not left.terms else opaque("<<", (left, right))


def shift_right(a: DimLike, b: DimLike) -> Dim:
    """`a >> b`."""
    left, right = dim(a), dim(b)
    n = right.const
    if n is not None and 0 <= n <= MAX_SHIFT:
        return left // (1 << n)
    return ZERO if not left.terms else opaque(">>", (left, right))


def less(a: DimLike, b: DimLike) -> Dim:
    """1 where `a < b`, else 0."""
    left, right = dim(a), dim(b)
    by = difference(left, right)
    if by is not None:
        return ONE if by < 0 else ZERO
    return opaque("<", (left, right))


def equal(a: DimLike, b: DimLike) -> Dim:
    """1 where `a == b`, else 0."""
    left, right = dim(a), dim(b)
    by = difference(left, right)
    if by is not None:
        return ONE if by == 0 else ZERO
    return opaque("==", _sorted(left, right))


def _sorted(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    return (a, b) if a.key <= b.key else (b, a)


BIT_OPERATIONS = {
    "&": bit_and, "|": bit_or, "^": bit_xor, "<<": shift_left, ">>": shift_right, "<": less, "==": equal,
}  # fmt: skip
