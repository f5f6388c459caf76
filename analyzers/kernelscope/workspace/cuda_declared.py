"""The types that variables of a C++ file are declared with: what `x` is in `x.f()` and `x->f()`.

Goes by the last declaration before the place; scopes, namespaces and template arguments are not told apart.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from kernelscope.workspace.cuda_text import KEYWORDS

_RECEIVER = re.compile(rb"(?<![\w.>])(\w+)\s*(?:\.|->)\s*\Z")
_DECLARED = re.compile(
    rb"\b(?!(?:auto|return|const|new|else|case|goto|delete|throw|typename)\b)(?:(?:std::)?(?:unique_ptr|shared_ptr)\s*<\s*)?(?>(?:\w++::)*)([A-Za-z_]\w*+)(?:<[^<>;{}()]{0,200}>)?"
    rb"(?:\s+const\b)?(?:\s*>?\s*[*&]+\s*|\s*>\s+|\s+)(\w++)\s*(?=[;=,)({])"
    rb"|\b(\w++)\s*=\s*(?:new\s+|(?:std::)?make_(?:unique|shared)\s*<\s*)(?>(?:\w++::)*)(\w++)"
    rb"|\bauto\s*+[&*]?\s*+(\w++)\s*+=\s*+((?>(?:\w++::)*)(?!make_(?:unique|shared)\b)[A-Za-z_]\w*+)(?:<[^;{}()]{0,200}>)?\s*+[({]"
)


class DeclaredTypes:
    """Variables of a file with the types that they are declared with; the file is read when first asked about."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._declared: dict[bytes, list[tuple[int, bytes]]] | None = None
        self._made: dict[int, bytes] = {}
        """The types of variables by where their names begin in their declarations."""

    def of_receiver(self, start: int) -> bytes:
        """The type of the variable before `.f` or `->f`, where `f` begins: `this` for itself, empty where unknown."""
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
        declared = self._read().get(variable, [])
        before = bisect_left(declared, (start, b""))
        if before:
            return declared[before - 1][1]
        kinds = {kind for _, kind in declared}  # declared behind its use it is a member, as classes often end with them
        return kinds.pop() if len(kinds) == 1 else b""

    def _read(self) -> dict[bytes, list[tuple[int, bytes]]]:
        if self._declared is None:
            self._declared = {}
            for match in _DECLARED.finditer(self._text):
                kind, name = (match[1] or match[4] or match[6], match[2] or match[3] or match[5])
                if kind not in KEYWORDS:
                    self._declared.setdefault(name, []).append((match.start(), kind))
                    if match[2]:
                        self._made[match.start(2)] = kind
        return self._declared
