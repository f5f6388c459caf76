"""Selections that `itertools` makes of sequences: permutations, combinations, products, pairs of neighbours.

How many there are is told as far as it is a number or a polynomial; how many elements each has is what shapes need.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from kernelscope.dims import Dim, dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.sequences import MAX_ELEMENTS, any_of, iterated
from kernelscope.interp.values import Alike, Arguments, Keywords, Value, as_size
from kernelscope.tensor import Unknown

MOST = 1_000_000
"""A count above this is not worked out: nobody goes through so many."""

MOST_FACTORS = 8


def _elements(run: Interpreter, given: Value) -> tuple[Value, Dim | None]:
    """What stands for any element of a sequence, and how many it has."""
    found = iterated(run, given)
    if isinstance(found, list):
        return any_of(found), dim(len(found))
    return found.element, found.count if isinstance(found.count, Dim) else None


def _each(element: Value, count: Value) -> Value:
    """One selection: so many elements."""
    number = count.const if isinstance(count, Dim) else None
    return Alike(element, count) if number is None or not 0 <= number <= MAX_ELEMENTS else (element,) * number


def _of_one(ways: Callable[[int, int], int], pairs: bool, is_whole: bool) -> Callable[..., Value]:
    """Selections out of one sequence: `ways` counts them; of pairs without order there are `n*(n - 1)/2`."""

    def selected(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
        if not args:
            return Unknown("an element", span)
        element, count = _elements(run, args[0])
        asked = args[1] if len(args) > 1 else kwargs.get("r")
        size = count if asked is None and is_whole else as_size(asked)
        many: Dim | None = None
        if isinstance(count, Dim) and isinstance(size, Dim) and size.const is not None:
            if count.const is not None and 0 <= size.const <= MAX_ELEMENTS and 0 <= count.const <= MAX_ELEMENTS:
                found = ways(count.const, size.const)
                many = dim(found) if found <= MOST else None
            elif size.const == 2:
                many = count * (count - 1) // 2 if pairs else count * (count - 1)
        return Alike(_each(element, size), many)

    return selected


def _product(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Each of the first with each of the others; `repeat` takes all of them so often."""
    repeat = as_size(kwargs.get("repeat", dim(1)))
    found = [_elements(run, given) for given in args]
    if not isinstance(repeat, Dim):
        return Alike(Unknown("an element", span))
    if repeat.const is None or not 0 <= repeat.const <= MAX_ELEMENTS:
        return Alike(_each(found[0][0], repeat)) if len(found) == 1 else Alike(Unknown("an element", span))
    many: Dim | None = dim(1) if len(found) * repeat.const <= MOST_FACTORS else None
    for _, count in found * repeat.const:
        many = many * count if many is not None and count is not None else None
    return Alike(tuple(element for element, _ in found) * repeat.const, many)


def _pairwise(run: Interpreter, args: Arguments, kwargs: Keywords, span: Any) -> Value:
    """Each element with the next."""
    found = iterated(run, args[0]) if args else []
    if isinstance(found, list):
        return list(itertools.pairwise(found))
    return Alike((found.element, found.element), found.count - 1 if isinstance(found.count, Dim) else None)


SELECTIONS: dict[str, Callable[..., Value]] = {
    "itertools.permutations": _of_one(math.perm, pairs=False, is_whole=True),
    "itertools.combinations": _of_one(math.comb, pairs=True, is_whole=False),
    "itertools.product": _product,
    "itertools.pairwise": _pairwise,
}
