"""The types that variables of a C++ file are declared with: what `x` is in `x.f()` and `x->f()`.

Goes by the last declaration before the place; scopes, namespaces and template arguments are not told apart.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort

from kernelscope.workspace.cuda_text import KEYWORDS

_RECEIVER = re.compile(rb"(?<![\w.>])(\w+)\s*(?:\.|->)\s*\Z")
_DECLARED = re.compile(
    rb"\b(?!(?:auto|return|const|new|else|case|goto|delete|throw|typename)\b)(?:(?:std::)?(?:unique_ptr|shared_ptr)\s*<\s*)?(?>(?:\w++::)*)([A-Za-z_]\w*+)(?:<[^<>;{}()]{0,200}>)?"
    rb"(?:\s+const\b)?(?:\s*>?\s*[*&]+\s*|\s*>\s+|\s+)(\w++)\s*(?=[;=,)({])"
    rb"|\b(\w++)\s*=\s*(?:new\s+|(?:std::)?make_(?:unique|shared)\s*<\s*)(?>(?:\w++::)*)(\w++)"
    rb"|\bauto\s*+[&*]?\s*+(\w++)\s*+=\s*+((?>(?:\w++::)*)(?!make_(?:unique|shared)\b)[A-Za-z_]\w*+)(?:<[^;{}()]{0,200}>)?\s*+[({]"
)
_CONTAINER = re.compile(
    rb"\b(?:std::)?(unordered_map|map|vector|array|deque|list|optional)\s*+<([^;{}()]{1,300}?)>\s*+[&*]?\s*+(\w++)\s*+(?=[;=,)({])"
)
_POINTER = re.compile(rb"(?:std::)?(?:unique_ptr|shared_ptr)\s*<(.*)>\s*\Z", re.DOTALL)
_CLASS = re.compile(rb"\s*(?:const\s+)?(?>(?:\w++::)*)([A-Za-z_]\w*+)")
_TAKEN = re.compile(
    rb"\bauto\s*+(?:const\s*+)?[&*]*\s*+(\w++)\s*+(?:=\s*+\*?\s*+(\w++)\s*+(->\s*second|\.\s*second|\.\s*find\b|\.\s*c?begin\b"
    rb"|\.\s*at\b|\.\s*front\b|\.\s*back\b|\[)|:\s*+(\w++)\s*+\))"
)
"""`auto& x = y->second`, `= y.find(k)`, `= y[i]`, and `auto& x : y)` of a loop."""
_ELEMENT = re.compile(
    rb"(?<![\w.>])(\w+)\s*(?:\[[^\[\];{}]{0,80}\]|\.\s*(?:at\s*\([^();{}]{0,80}\)|front\s*\(\)|back\s*\(\))|(?:->|\.)\s*second)"
    rb"\s*(?:\.|->)\s*\Z"
)
"""`x[i].`, `x.at(i)->`, `x->second->` at the end of a text."""


class DeclaredTypes:
    """Variables of a file with the types that they are declared with; the file is read when first asked about."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._declared: dict[bytes, list[tuple[int, bytes]]] | None = None
        self._elements: dict[bytes, list[tuple[int, bytes]]] = {}
        """Of containers and what points into them, the types of what they hold."""
        self._made: dict[int, bytes] = {}
        """The types of variables by where their names begin in their declarations."""

    def of_receiver(self, start: int) -> bytes:
        """The type of the variable before `.f` or `->f`, where `f` begins: `this` for itself, empty where unknown."""
        if element := _ELEMENT.search(self._text, max(0, start - 200), start):
            self._read()
            return _at(self._elements.get(element[1], []), start)
        receiver = _RECEIVER.search(self._text, max(0, start - 80), start)
        if receiver is None or receiver[1] == b"this":
            return receiver[1] if receiver else b""
        return self._last(receiver[1], start)

    def of_called(self, name: bytes, start: int) -> bytes:
        """The type of the variable that is called at a place, as objects with `operator()` are; empty where unknown.

        What is declared like a variable may be a function that gives such an object.
        """
        return self._last(name, start)

    def made_at(self, start: int) -> bytes:
        """The type of the variable that is declared at a place, whose brackets hold what its constructor is given."""
        self._read()
        return self._made.get(start, b"")

    def _last(self, variable: bytes, start: int) -> bytes:
        return _at(self._read().get(variable, []), start)

    def _read(self) -> dict[bytes, list[tuple[int, bytes]]]:
        if self._declared is None:
            self._declared = {}
            for match in _DECLARED.finditer(self._text):
                kind, name = (match[1] or match[4] or match[6], match[2] or match[3] or match[5])
                if kind not in KEYWORDS:
                    self._declared.setdefault(name, []).append((match.start(), kind))
                    if match[2]:
                        self._made[match.start(2)] = kind
            self._read_containers(self._declared)
        return self._declared

    def _read_containers(self, declared: dict[bytes, list[tuple[int, bytes]]]) -> None:
        """Adds what containers hold, and variables that stand for an element or point to one."""
        for match in _CONTAINER.finditer(self._text):
            if held := _held(match[2], match[1].endswith(b"map")):
                self._elements.setdefault(match[3], []).append((match.start(), held))
        for match in _TAKEN.finditer(self._text) if self._elements else ():
            held = _at(self._elements.get(match[2] or match[4], []), match.start())
            if not held:
                continue
            points = match[3] is not None and match[3].endswith((b"find", b"begin"))
            known = self._elements if points else declared
            insort(known.setdefault(match[1], []), (match.start(), held))


def _at(declared: list[tuple[int, bytes]], start: int) -> bytes:
    """The type of the last declaration before a place.

    What is declared behind its use is a member, as classes often end with them: its type when all such have one.
    """
    before = bisect_left(declared, (start, b""))
    if before:
        return declared[before - 1][1]
    kinds = {kind for _, kind in declared}
    return kinds.pop() if len(kinds) == 1 else b""


def _held(arguments: bytes, is_map: bool) -> bytes:
    """The class of what a container holds, by its template arguments: a map's second, smart pointers looked through."""
    depth, parts = 0, [b""]
    for place in range(len(arguments)):
        char = arguments[place : place + 1]
        depth += (char in b"<([") - (char in b">)]")
        if char == b"," and depth == 0:
            parts.append(b"")
        else:
            parts[-1] += char
    if is_map and len(parts) < 2:
        return b""
    kind = parts[1 if is_map else 0].strip()
    if pointer := _POINTER.match(kind):
        kind = pointer[1]
    found = _CLASS.match(kind)
    return found[1] if found and found[1] not in KEYWORDS else b""
