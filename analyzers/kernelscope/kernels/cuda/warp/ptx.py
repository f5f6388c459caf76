"""Inline PTX that moves data: which operand is an address, in which memory, and how wide the access is.

Source: PTX ISA, "Data Movement and Conversion Instructions". Instructions that work on whole tiles (TMA, wgmma) have
no addresses of single lanes and are left to the card's other rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = r"\[\s*%(\d+)\s*(?:\+\s*\d+\s*)?\]"
_PLAIN = re.compile(r"\b(ld|st|red|atom)((?:\.[\w:]+)*)(?=[\s{])[^;]*?" + _ADDRESS)
_COPY = re.compile(r"\bcp\.async\.c[ag]\.shared[\w.:]*\s+" + _ADDRESS + r"\s*,\s*" + _ADDRESS + r"\s*,\s*(%?\w+)")
_MATRIX = re.compile(r"\b(ld|st)matrix[\w.:]*(?=[\s{])[^;]*?" + _ADDRESS)
_ELECTED = re.compile(r"\belect\.sync\s+[^;|]*\|\s*%*(\w+)")
_TYPE = re.compile(r"\.([busf])(8|16|32|64|128)(?:x2)?\b")
_COUNT = re.compile(r"\.v([248])\b")


@dataclass(frozen=True, slots=True)
class Movement:
    """One access: `operand` counts outputs and inputs of the statement together."""

    kind: str
    operand: int
    space: str
    width: int | None
    """Bytes per lane; None where an operand says it."""
    size_operand: int | None = None


def elected_operand(code: str) -> int | None:
    """The output that is set to one in the lane of a warp which `elect.sync` elects."""
    found = _ELECTED.search(code)
    if found is None:
        return None
    told = re.search(rf"@%*{found[1]}\s+mov\.[bsu]32\s+%(\d+)\s*,\s*1\b", code)
    chosen = told or re.search(rf"\bselp\.[bsu]32\s+%(\d+)\s*,\s*1\s*,\s*0\s*,\s*%*{found[1]}\b", code)
    return int(chosen[1]) if chosen is not None else None


def movements(code: str) -> list[Movement]:
    """The accesses of an `asm` statement, in its order of instructions."""
    found: list[Movement] = []
    for match in _COPY.finditer(code):
        size = match[3]
        width = int(size) if size.isdigit() else None
        operand = int(size[1:]) if size.startswith("%") and size[1:].isdigit() else None
        found.append(Movement("store", int(match[1]), "shared", width, operand))
        found.append(Movement("load", int(match[2]), "global", width, operand))
    for match in _MATRIX.finditer(code):
        found.append(Movement("load" if match[1] == "ld" else "store", int(match[2]), "shared", 16))
    for match in _PLAIN.finditer(code):
        modifiers = match[2]
        space = "shared" if ".shared" in modifiers else "global" if ".global" in modifiers else ""
        kind = {"ld": "load", "st": "store"}.get(match[1], "atomic")
        size = _TYPE.search(modifiers)
        count = _COUNT.search(modifiers)
        if size is not None and ".param" not in modifiers and "async" not in modifiers:
            width = int(size[2]) // 8 * (int(count[1]) if count is not None else 1)
            found.append(Movement(kind, int(match[3]), space, width))
    return found
