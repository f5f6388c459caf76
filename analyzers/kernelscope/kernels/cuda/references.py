"""Which function a piece of host code hands a value to, and whether it may change a variable that it is handed.

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
        place = argument_place(text, start + found.start(), start)
        callee = callee_at(text, place[0]) if place is not None else None
        if place is None or callee is None:
            continue
        taken = _is_taken(unit, callee, place[1])
        if taken is True or (taken is None and not is_set):
            return True
    return False


def argument_place(text: bytes, before: int, start: int) -> tuple[int, int] | None:
    """The bracket around an argument and its place among the others; `before` is the bracket or comma before it."""
    depth = commas = 0
    for i in range(before, max(start, before - MAX_CALL) - 1, -1):
        char = text[i : i + 1]
        if char in (b")", b"]", b"}"):
            depth += 1
        elif char in (b"(", b"[", b"{"):
            if depth == 0:
                inside = text[i + 1 : before].decode("latin-1")
                return (i, len(split_arguments(inside)) if commas else 0) if char == b"(" else None
            depth -= 1
        elif char == b"," and depth == 0:
            commas += 1
        elif char == b";" and depth == 0:
            return None
    return None


def callee_at(text: bytes, opening: int) -> str | None:
    """The function whose arguments begin at a bracket."""
    found = _CALLEE.search(text, max(0, opening - MAX_CALL), opening)
    return found[1].decode() if found is not None and found[1] not in _NO_FUNCTIONS else None


def _is_taken(unit: Unit, callee: str, position: int) -> bool | None:
    """Whether a function takes an argument by a reference through which it may write; None where nobody knows it."""
    found = [function for _, function in unit.find(callee) if len(function.params) > position]
    types = [function.params[position].type for function in found]
    return any(type_.endswith("&") and "const" not in type_.split() for type_ in types) if types else None
