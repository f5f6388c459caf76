"""Words and figures about one kernel that take several facts together: vector width, clusters.

Each is certain or says what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.layouts import is_aligned_template, is_read_by_members, layout_of
from kernelscope.kernels.cuda.operations import Reached
from kernelscope.syntax.cuda.nodes import one_line

_POINTED = re.compile(r"[24]\s*(?:const\s*)?(?:volatile\s*)?[*&]")
"""Three elements move one by one."""
_VECTOR_NAME = re.compile(
    r"(?<![\w:])(?:::)?((?:__)?(?:u?(?:char|short|int|long|longlong)|float|double)[24]|(?:__)?half2|__nv_bfloat162|nv_bfloat162)\Z"
)
MAX_VECTOR_NAME = 18
_ASM_VECTOR = re.compile(r"(?:ld|st)\.(?<!\w...)(?:[\w:]+\.)*?v([248])\.[busf](\d+)")
_WIDE_CAST = re.compile(
    r"(?:_cast\s*<|\()\s*(?:const\s+|volatile\s+|typename\s+)*([A-Za-z_][\w:]*(?:<[^<>]*>)?)\s*(?:const\s*)?[*&]"
)

_OF_VARIABLE = re.compile(r"\s*(?:const\s*)?[>)]\s*\(?\s*&\s*\w+\s*[);]")
"""The end of a cast of a variable's address: that is in registers."""


@dataclass(frozen=True, slots=True)
class Vector:
    """The widest access to memory by one thread: bytes, and the type that makes it so.

    No width where the type's own alignment depends on what the kernel is instantiated with.
    """

    width: int | None
    type: str


def vector_width(reached: list[Reached]) -> Vector | None:
    """None where every access is of one element."""
    widest: Vector | None = None
    open_one: Vector | None = None
    for one in reached:
        source = one.unit.source
        pointers = (p.type for p in one.function.params if p.type.endswith("*"))  # references may be to registers
        texts = [source.text(one.function.body), *pointers]
        for text in texts:
            for found in _vectors(text, one.constants, one.function.body.start_byte + 1):
                if found.width is None:
                    open_one = open_one or found
                elif widest is None or found.width > (widest.width or 0):
                    widest = found
    return widest or open_one


def _vectors(text: str, constants: Constants, offset: int) -> Iterator[Vector]:
    spelled, casts = _spelled_vectors(text)
    yield from spelled
    for kind in casts:
        laid = layout_of(constants, kind, offset)
        if laid is not None and laid[1] is not None and laid[0].const is not None and laid[1] > 1:
            width = min(16, laid[1])
            if (width > 8 or (width > 4 and laid[0].const > 4)) and not is_read_by_members(constants.unit, kind):
                yield Vector(width, kind)
        elif (laid is None or laid[1] is None or laid[0].const is None) and is_aligned_template(constants.unit, kind):
            yield Vector(None, kind)


@lru_cache(maxsize=2048)
def _spelled_vectors(text: str) -> tuple[tuple[Vector, ...], tuple[str, ...]]:
    """Vectors that a text names, and the types of casts that may be some."""
    found: list[Vector] = []
    for match in _POINTED.finditer(text):
        if _OF_VARIABLE.match(text, match.end()):
            continue
        named = _VECTOR_NAME.search(text, max(0, match.start() - MAX_VECTOR_NAME), match.start() + 1)
        known = types.layout(named[1]) if named is not None else None
        if named is not None and known is not None:
            found.append(Vector(known[0], named[1]))
    for match in _ASM_VECTOR.finditer(text):
        found.append(Vector(int(match[1]) * int(match[2]) // 8, f"v{match[1]} PTX"))
    casts: dict[str, None] = {}
    for match in _WIDE_CAST.finditer(text):
        name = match[1].rpartition("::")[2].partition("<")[0]
        if _OF_VARIABLE.match(text, match.end()):
            continue
        if name not in types.SCALARS and types.layout(name) is None and name not in ("void", "T", "auto"):
            casts[match[1]] = None
    return tuple(found), tuple(casts)


def cluster_dims(header: str) -> str:
    """`__cluster_dims__(x, y, z)` as written, empty without."""
    found = re.search(r"__cluster_dims__\s*\(([^()]*)\)", header)
    return one_line(found[1]) if found else ""
