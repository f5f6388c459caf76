"""Facts of the texts that calls of macros stand for: functions and registrations that a macro of the same file writes.

Macros of headers are not known here, and are left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from kernelscope.results import Span
from kernelscope.syntax.cuda import macros as preprocessor
from kernelscope.syntax.cuda.mapped import Mapped, Run
from kernelscope.workspace.cuda_macros import Macro
from kernelscope.workspace.facts import TOP, FileFacts

_DECLARES = re.compile(rb"\{|\.\s*(?:def|impl)\s*\(")


class MacroTexts:
    """The macros of one file and what their calls stand for, as far as the bounds of the preprocessor allow."""

    def __init__(self, macros: Iterable[Macro], data: bytes) -> None:
        self._data = data
        self._macros: dict[bytes, list[preprocessor.Macro]] = {}
        for macro in macros:
            self._macros.setdefault(macro.name, []).append(_as_written(macro, data))
        self._expansion = preprocessor.Expansion(self._macros, "")

    def declares(self, name: bytes) -> bool:
        """Whether the text of a macro may define functions or register them, rather than compute something."""
        return any(_DECLARES.search(macro.body) for macro in self._macros.get(name, ()))

    def of_call(self, start: int, end: int) -> bytes:
        """What the call stands for that is written from `start` to `end`."""
        call = Mapped(self._data[start:end], (Run(0, start, end, True),))
        return self._expansion.expand(call).data


def _as_written(macro: Macro, data: bytes) -> preprocessor.Macro:
    """A macro with the text that the file gives it, strings included."""
    body = data[macro.rest_start : macro.end].partition(b")")[2].replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    name = Span(macro.name_start, macro.name_start + len(macro.name))
    return preprocessor.Macro(macro.name, macro.parameters, body, "", name)


def placed(facts: FileFacts, start: int, end: int, line: int, scope: int, first: int) -> FileFacts:
    """What the text has that a call of a macro stands for, all of it where the call is.

    `scope` is the definition around the call, `first` the number that the first definition of the text gets.
    """

    def within(inner: int) -> int:
        return scope if inner == TOP else first + inner

    at = {"start": start, "line": line}
    return FileFacts(
        tuple(replace(d, **at, end=end, name_start=start, scope=within(d.scope)) for d in facts.defs),
        (),
        tuple(replace(c, **at, scope=within(c.scope)) for c in facts.calls),
        tuple(replace(x, **at, scope=within(x.scope)) for x in facts.launches),
        tuple(replace(r, **at, scope=within(r.scope)) for r in facts.references),
        tuple(replace(r, **at, scope=within(r.scope)) for r in facts.registrations),
        tuple(replace(n, start=start, end=end) for n in facts.namespaces),
        (),
        tuple(replace(a, **at) for a in facts.alternatives),
        tuple(replace(m, owner=within(m.owner)) for m in facts.members),
    )
