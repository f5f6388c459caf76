"""The names of a file that hovers may be asked for, for answering them ahead: first each once in every function.

Knows no answers; what is remembered of them is the business of whoever gives them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from keyword import iskeyword

from kernelscope.syntax.python.lower import Module

MAX_NAMES = 1_500
MAX_REPEATED = 10_000
_DOTTED = re.compile(rb"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_PART = re.compile(rb"\w+")


def names_ahead(module: Module) -> Iterator[int]:
    """Where a name, or a part of a dotted one, stands: for the first time in its function, and then all others."""
    seen: set[tuple[object, bytes]] = set()
    again: list[int] = []
    for match in _DOTTED.finditer(module.text.data):
        scope = module.scope_at(match.start())
        for part in _PART.finditer(match[0]):
            name = (scope, match[0][: part.end()])
            if iskeyword(part[0].decode()):
                continue
            if name in seen or len(seen) >= MAX_NAMES:
                again.append(match.start() + part.start())
                continue
            seen.add(name)
            yield match.start() + part.start()
    yield from again[:MAX_REPEATED]
