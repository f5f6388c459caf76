"""What is found in one C++ or CUDA file: definitions, calls, launches and references, each with its line.

Also the texts that it is found in: without comments and strings, and with the bodies of macros.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from msgspec.structs import replace

from kernelscope.workspace.cuda_held import lambda_parameters, launched_names, variables, without_casts
from kernelscope.workspace.cuda_macros import Macro
from kernelscope.workspace.cuda_templates import taken_arguments
from kernelscope.workspace.cuda_text import (
    blank_noise,
    callee_before,
    closing,
    comma_bounds,
    decoded,
    is_plain_name,
    split_at_commas,
)
from kernelscope.workspace.facts import MAX_TEXT, TOP, Call, Def, DefKind, FileFacts, Launch, Reference

MAX_FACTS = 100_000
MAX_LAUNCHES = 5_000
MAX_CALLEE_BYTES = 2_000
MAX_ARGUMENTS = 12
MAX_ARGUMENT_BYTES = 20_000
_BODIES = (DefKind.CUDA_FUNCTION, DefKind.MACRO, DefKind.LAMBDA)


class Findings:
    """The facts of one file as they come, in no order; `text` is what is being read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.text = blank_noise(data)
        self.with_macros = self.text
        self.macros: list[Macro] = []
        self.defs: list[Def] = []
        self.calls: list[Call] = []
        self.launches: list[Launch] = []
        self.references: list[Reference] = []
        self.lambdas = lambda_parameters(self.text)
        self.launched = launched_names(self.text)
        self.variables = variables(self.text)
        self._bodies: list[tuple[int, int, int]] = []
        self._line, self._counted = 1, 0

    def define(self, name: bytes, kind: DefKind, start: int, end: int, name_start: int, scope: int) -> int:
        """Adds a definition and gives its number."""
        begin = start + len(self.text[start:end]) - len(self.text[start:end].lstrip())
        line = self.line_at(name_start)
        detail = decoded(b" ".join(self.data[begin:end].split())[:MAX_TEXT])
        self.defs.append(Def(decoded(name), kind, begin, end, name_start, line, scope, detail))
        return len(self.defs) - 1

    def end(self, index: int, end: int) -> None:
        """Tells where a definition ends."""
        old = self.defs[index]
        self.defs[index] = replace(old, end=end)

    def takes(self, index: int, header: bytes) -> None:
        """Tells what template arguments a function takes."""
        self.defs[index] = replace(self.defs[index], takes=taken_arguments(header))

    def launch(self, mark: int, scope: int) -> None:
        """Adds the launch whose `<<<` stands at a mark."""
        if len(self.launches) > MAX_LAUNCHES:
            return
        head = self.text[max(0, mark - MAX_CALLEE_BYTES) : mark]
        kernel = callee_before(head)
        if kernel is None:
            return
        end = self.text.find(b">>>", mark)
        grid = self.data[mark:end].lstrip(b"< \t") if 0 < end < mark + 2_000 else b""
        self.add_launch(kernel, split_at_commas(grid)[0] if grid else b"", mark, scope)

    def add_launch(self, kernel: bytes, grid: bytes, start: int, scope: int) -> None:
        """Adds a launch of a kernel, as it is written."""
        name = re.match(rb"(?:\w+::)*\w+", without_casts(kernel))
        if name:
            text = decoded(b" ".join(grid.split())[:MAX_TEXT])
            self.launches.append(Launch(decoded(name[0]), text, start, self.line_at(start), scope))

    def refer(self, variable: bytes, name: bytes, start: int, scope: int) -> None:
        """Adds that a function is named, held by a variable if there is one."""
        if is_plain_name(name) and len(self.references) < MAX_FACTS:
            self.references.append(Reference(decoded(variable), decoded(name), start, self.line_at(start), scope))

    def add(self, facts: FileFacts) -> None:
        """Adds what a part of the file has whose text stands elsewhere."""
        self.defs += facts.defs
        self.calls += facts.calls
        self.launches += facts.launches
        self.references += facts.references

    def owner_at(self, place: int) -> int:
        """The innermost function or macro around a place, once all are known."""
        if not self._bodies:
            self._bodies = sorted((d.start, d.end, i) for i, d in enumerate(self.defs) if d.kind in _BODIES)
        at = bisect_right(self._bodies, (place, len(self.text), len(self.defs))) - 1
        while at >= 0 and self._bodies[at][1] <= place:
            at -= 1
        return self._bodies[at][2] if at >= 0 else TOP

    def arguments(self, opening: int) -> list[bytes]:
        """The arguments of the call whose parenthesis opens here, as written."""
        close = closing(self.text, opening, MAX_ARGUMENT_BYTES)
        if close is None:
            return []
        bounds = comma_bounds(self.text, opening + 1, close)
        arguments = [self.data[a:b].strip() for a, b in bounds[:MAX_ARGUMENTS]]
        return arguments if any(arguments) else []

    def line_at(self, offset: int) -> int:
        """Lines are counted forward from the last question, which is nearly always before this one."""
        if offset >= self._counted:
            self._line += self.data.count(b"\n", self._counted, offset)
        else:
            self._line -= self.data.count(b"\n", offset, self._counted)
        self._counted = offset
        return self._line
