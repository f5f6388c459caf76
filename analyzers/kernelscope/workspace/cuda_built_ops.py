"""Operators that a chain of calls at the top of a C++ file builds: `PD_BUILD_OP(scale).Inputs(…).SetKernelFn(…)`.

Paddle's interface for operators of one's own; its build makes a Python module with a function for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.workspace.cuda_registrations import target_of
from kernelscope.workspace.cuda_text import closing, comma_bounds, decoded
from kernelscope.workspace.facts import Registration

BUILDERS = {
    b"PD_BUILD_OP": b"",
    b"PD_BUILD_STATIC_OP": b"",
    b"PD_BUILD_GRAD_OP": b"_grad",
    b"PD_BUILD_DOUBLE_GRAD_OP": b"_grad_grad",
}
"""Macros that begin such a chain, with what Paddle puts behind the operator's name."""
OF_THE_BUILD = "="
"""A library that the build names: none of the file's variables stands for it."""
MAX_CALLS = 32
MAX_BYTES = 4_000
"""Of what one call of the chain is given."""
_NAME = re.compile(rb"\(\s*([A-Za-z_]\w*)\s*\)")
_NEXT = re.compile(rb"\s*\.\s*(\w+)\s*\(")


def built(text: bytes, macro: bytes, opening: int, start: int, line: int) -> Iterator[Registration]:
    """The operator that the chain behind `macro(` makes known, with the function that it is computed by."""
    if (named := _NAME.match(text, opening)) is None:
        return
    end = named.end()
    for _ in range(MAX_CALLS):
        if (match := _NEXT.match(text, end)) is None:
            return
        opening = match.end() - 1
        if (close := closing(text, opening, MAX_BYTES)) is None:
            return
        end = close + 1
        if match[1] == b"SetKernelFn":
            bounds = comma_bounds(text, opening + 1, close)
            target = decoded(target_of(text[slice(*bounds[0])])) if bounds else ""
            yield Registration("pybind", OF_THE_BUILD, decoded(named[1] + BUILDERS[macro]), target, start, line)
            return
