"""Warps of a kernel that do different work: a switch on the number of a warp, with who is called for which."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.serving.c_functions import CFunction, CSource, matching
from kernelscope.serving.claims import Claim

_SWITCH = re.compile(rb"\bswitch\s*\(")
_CASE = re.compile(rb"\bcase\s+(\w+(?:::\w+)*)\s*:(?!:)")
_CALLED = re.compile(rb"(?<![\w:])([A-Za-z_:][\w:]*)\s*(?:<[^;{}()]*>)?\s*\(")
_OPEN = re.compile(rb"\s*\{")
_KEYWORDS = {b"if", b"for", b"while", b"switch", b"sizeof", b"asm", b"return"}
_REGISTERS = re.compile(r"reg(?:isters?)?(?:_|$|<)|setmaxnreg", re.IGNORECASE)
LEAST = 2


def warp_roles(source: CSource) -> Iterator[Claim]:
    """One claim for each switch on the number of a warp whose cases call functions."""
    if source.aside:
        return
    for match in _SWITCH.finditer(source.code):
        closed = matching(source.code, match.end() - 1)
        test = source.quote(match.end(), closed, 120) if closed >= 0 else ""
        opened = _OPEN.match(source.code, closed + 1) if "warp" in test.lower() else None
        function = source.around(match.start()) if opened is not None else None
        if opened is None or function is None:
            continue
        end = _closing(source.code, opened.end() - 1)
        cases = list(_CASE.finditer(source.code, opened.end(), end))
        bounds = [*(c.start() for c in cases[1:]), end]
        roles = [
            (case[1].decode(), called, case.start())
            for case, until in zip(cases, bounds, strict=True)
            if (called := _called(source, case.end(), until))
        ]
        if len(roles) < LEAST:
            continue
        others = _other_side(source, function, match.start())
        listed = ", ".join(f"{number} runs {name}" for number, name, _ in roles)
        value = f"the warps of {function.name} have roles: {listed} (by {test})"
        value += f", while {others[0]} runs {others[1]}" if others is not None else ""
        places = (match.start(), *(place for _, _, place in roles[:6]), function.name_start)
        yield Claim(f"{function.name} roles of warps", value, tuple(source.at(place) for place in places))


def _called(source: CSource, start: int, end: int) -> str:
    """The first function that is called between two offsets, but for those that change how many registers there are."""
    found = (m[1].decode() for m in _CALLED.finditer(source.code, start, end) if m[1] not in _KEYWORDS)
    return next((name.removeprefix("::") for name in found if not _REGISTERS.search(name)), "")


def _other_side(source: CSource, function: CFunction, offset: int) -> tuple[str, str] | None:
    """The test whose `else` the switch stands in, with what is called where it holds."""
    denied = [g for g in source.guards(function, offset) if g.startswith("not (") and "warp" in g.lower()]
    if not denied:
        return None
    test = denied[-1].removeprefix("not (").removesuffix(")")
    for match in re.finditer(rb"\bif\s*\(", source.code[function.start : offset]):
        opened = function.start + match.end() - 1
        closed = matching(source.code, opened)
        if closed >= 0 and source.quote(opened + 1, closed, 120) == test:
            name = _called(source, closed + 1, source.branch_end(closed + 1, offset))
            return (test, name) if name else None
    return None


def _closing(code: bytes, opened: int) -> int:
    depth = 0
    for index in range(opened, len(code)):
        depth += (code[index] == 0x7B) - (code[index] == 0x7D)
        if depth == 0:
            return index
    return len(code)
