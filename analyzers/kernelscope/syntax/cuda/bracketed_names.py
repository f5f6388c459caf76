"""Brackets around a name before a sign: `(i) + n * j` is a sum, which the grammar reads as a cast of `+n` to a type.

Macros that put brackets around their arguments write such sums. A name counts as a variable where the text before it
declares one; of others, which may be types, nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LOOK_BACK = 30_000
"""Bytes in which the declaration of a variable is looked for: it mostly stands in the same function."""
_SIGNED = re.compile(rb"\(\s*+([A-Za-z_]\w*+)\s*+\)\s*+[-+](?![-+=>])")
_BEFORE = re.compile(
    rb"(?:[(\[{,;=+\-*/%<?:&|^!]|\breturn"
    rb"|\(\s*(?:unsigned\s+|signed\s+)?(?:char|short|int|long|float|double|size_t|u?int(?:8|16|32|64)_t)\s*\))\s*\Z"
)
"""What stands before brackets that call no function."""
_NEAR = 60
_WIDE = 200
MAX_MENTIONS = 20
"""Places where a name stands that are looked at before nothing is known of it."""
MAX_MISSES = 100
"""How often that may be before a name is looked for no more."""
_NO_TYPE = (
    rb"typename|class|struct|union|enum|using|typedef|return|goto|case|new|delete|else|operator|template|namespace"
    rb"|const|volatile|constexpr|static|inline|extern|friend|sizeof|throw|__device__|__host__|__global__|__shared__"
)
_TYPED = re.compile(rb"(?<!\w)(?!(?:%b)\b)[A-Za-z_]\w*(?:<[^<>;{}]{0,100}>)?[\s*&]+\Z" % _NO_TYPE)
_GOES_ON = re.compile(rb"\s*[=;,)\[]")
_MAKES_TYPE = re.compile(rb"\b(?:typename|class|struct|union|enum|using)\s+\Z|\btypedef\b[^;{}]*\Z")
_WORD = re.compile(rb"\w")


def bracketed_variables(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the brackets around such variables open and close."""
    variables: set[bytes] = set()
    misses: dict[bytes, int] = {}
    for match in _SIGNED.finditer(data):
        start, name = match.start(), match[1]
        if _BEFORE.search(data, max(0, start - _NEAR), start) is None:
            continue
        if name not in variables:
            if misses.get(name, 0) >= MAX_MISSES or not _is_variable(data, name, start):
                misses[name] = misses.get(name, 0) + 1
                continue
            variables.add(name)
        yield start, data.index(b")", match.end(1))


def _is_variable(data: bytes, name: bytes, place: int) -> bool:
    """Whether the text before a place declares a variable of a name, and no type since then."""
    begin = max(0, place - LOOK_BACK)
    for _ in range(MAX_MENTIONS):
        place = data.rfind(name, begin, place)
        if place < 0:
            return False
        if _WORD.match(data, place - 1) or _WORD.match(data, place + len(name)):
            continue
        if _MAKES_TYPE.search(data, max(0, place - _WIDE), place):
            return False
        if _GOES_ON.match(data, place + len(name)) and _TYPED.search(data, max(0, place - _WIDE), place):
            return True
    return False
