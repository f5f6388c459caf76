"""How far apart in memory the elements of index blocks lie along each axis, and how many neighbours share one.

What operators make of both; where that is not even, the spacing is unknown and every element counts for itself.
"""

from __future__ import annotations

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.broadcasting import ONE
from kernelscope.kernels.triton.exponents import shift_factor
from kernelscope.kernels.triton.shape_ops import stretched
from kernelscope.kernels.triton.values import Size, Sizes, Tensor

ZERO = dim(0)
Spacing = tuple[Sizes | None, Sizes | None]
"""The steps and the runs of a block."""
NOT_EVEN: Spacing = None, None


def spacing(op: str, a: Tensor, b: Tensor, shape: Sizes | None) -> Spacing:
    """The steps and runs of `a op b`."""
    if not shape:
        return NOT_EVEN
    one, other = stretched(a, shape), stretched(b, shape)
    left, right = one.steps, other.steps
    try:
        if op in ("+", "-"):
            if left is None or right is None:
                return NOT_EVEN
            if one.runs is not None or other.runs is not None:
                return _shared_sum(op, one, other)
            sign = 1 if op == "+" else -1
            return tuple(
                x + y * sign if x is not None and y is not None else None for x, y in zip(left, right, strict=True)
            ), None
        if op == "*":
            for block, steps, factor in ((one, left, b), (other, right, a)):
                if factor.is_scalar and steps is not None and factor.value is not None:
                    return tuple(x * factor.value if x is not None else None for x in steps), block.runs
        if op == "%" and b.is_scalar:  # wraps around, and is even in between
            return left, one.runs
        divisor = _divisor(op, b)
        if divisor is not None and left is not None:
            return _divided(left, one.runs or (ONE,) * len(left), divisor)
    except ArithmeticError:
        return NOT_EVEN
    if left is None or right is None:
        return NOT_EVEN
    return tuple(ZERO if x == ZERO == y else None for x, y in zip(left, right, strict=True)), None


def _shared_sum(op: str, a: Tensor, b: Tensor) -> Spacing:
    """A sum or difference of which one side is the same for several neighbours."""
    assert a.steps is not None and b.steps is not None
    steps: list[Size] = []
    runs: list[Size] = []
    own = (ONE,) * len(a.steps)
    for x, y, m, n in zip(a.steps, b.steps, a.runs or own, b.runs or own, strict=True):
        if ZERO in (x, y):
            moved = x if y == ZERO else y if op == "+" or y is None else -y
            steps.append(moved)
            runs.append(m if y == ZERO else n)
        else:
            even = x is not None and y is not None and m is not None and m == n
            steps.append((x + y if op == "+" else x - y) if even and x is not None and y is not None else None)
            runs.append(m if even else ONE)
    return tuple(steps), tuple(runs)


def _divisor(op: str, b: Tensor) -> Dim | None:
    """What `//` or `>>` divides a block by."""
    if not b.is_scalar or b.value is None:
        return None
    return b.value if op == "//" else shift_factor(b.value) if op == ">>" else None


def _divided(steps: Sizes, runs: Sizes, divisor: Dim) -> Spacing:
    """Steps that are multiples of the divisor shrink; of smaller ones several are the same."""
    found = [_quotient(step, run, divisor) for step, run in zip(steps, runs, strict=True)]
    shared = tuple(run for _, run in found)
    return tuple(step for step, _ in found), None if all(run == ONE for run in shared) else shared


def _quotient(step: Size, run: Size, divisor: Dim) -> tuple[Size, Size]:
    if step is None or run is None:
        return None, ONE
    if step % divisor == ZERO:
        return step // divisor, run
    if divisor % step == ZERO:
        return ONE, run * (divisor // step)
    return None, ONE
