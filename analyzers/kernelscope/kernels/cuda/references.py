"""Where host code hands a variable to a function that may change it: by reference, as `configure(n, grid, block)` does.

Addresses (`&block`) count as assignments already; what is handed over by value changes nothing.
"""

from __future__ import annotations

import re

from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments

MAX_CALL = 2_000
_CALLEE = re.compile(rb"([A-Za-z_][\w:]*)\s*(?:<[^;{}()]*>)?\s*\Z")
_NO_FUNCTIONS = frozenset(b"if while for switch return sizeof decltype dim3 min max".split())


def is_handed_out(unit: Unit, name: str, start: int, end: int, is_set: bool) -> bool:
    """Whether a function may give a variable another value between two places.

    `is_set` says that it has a value of its own: one that has none is handed over to be given one.
    """
    text = unit.source.expanded
    for found in re.finditer(rb"[(,]\s*" + re.escape(name.encode()) + rb"\s*(?=[,)])", text[start:end]):
        place = start + found.start()
        opening = _opening(text, place if text[place : place + 1] == b"," else place + 1, start)
        callee = _CALLEE.search(text, max(0, opening - MAX_CALL), opening) if opening is not None else None
        if opening is None or callee is None or callee[1] in _NO_FUNCTIONS:
            continue
        position = len(split_arguments(text[opening + 1 : place + 1].decode("latin-1") + "_")) - 1
        taken = _taken(unit, callee[1].decode(), position)
        if taken is True or (taken is None and not is_set):
            return True
    return False


def _opening(text: bytes, place: int, start: int) -> int | None:
    """The bracket that is open at a place."""
    depth = 0
    for i in range(place - 1, max(start, place - MAX_CALL) - 1, -1):
        char = text[i : i + 1]
        if char in b")]}" and char:
            depth += 1
        elif char in b"([{" and char:
            if depth == 0:
                return i if char == b"(" else None
            depth -= 1
        elif char == b";" and depth == 0:
            return None
    return None


def _taken(unit: Unit, callee: str, position: int) -> bool | None:
    """Whether a function takes an argument by a reference through which it may write; None where nobody knows it."""
    found = [function for _, function in unit.find(callee) if len(function.params) > position]
    types = [function.params[position].type for function in found]
    return any(type_.endswith("&") and "const" not in type_.split() for type_ in types) if types else None
