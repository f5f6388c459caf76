"""Type traits in the constants of CUDA code: `std::is_same_v<T, half>` for a `T` that a launch gives."""

from __future__ import annotations

import re
from collections.abc import Callable

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.warp.type_traits import TRAITS
from kernelscope.kernels.cuda.warp.types import Number
from kernelscope.syntax.cuda.expressions import split_arguments

_TRAIT = re.compile(r"(?:::)?(?:cuda::)?std::(\w+?)(_v)?\s*<(.*)>\s*(::\s*value)?", re.DOTALL)


def trait(written: str, argument: Callable[[str], str]) -> bool | None:
    """What a trait of the standard library says of numbers; None for all else. `argument` gives template parameters."""
    found = _TRAIT.fullmatch(written)
    told = TRAITS.get(found[1]) if found is not None and bool(found[2]) != bool(found[4]) else None
    if found is None or told is None:
        return None
    numbers = [_number(argument(text.strip())) for text in split_arguments(found[3])]
    return told([number for number in numbers if number is not None]) if None not in numbers else None


def _number(text: str) -> Number | None:
    name = text.rpartition("::")[2].strip()
    size = types.SCALARS.get(name)
    return Number(name, size, name in types.INTEGERS) if size is not None else None
