"""Functions of a C++ or CUDA file with their parameters, conditions and condensed bodies, by matching brackets.

Works on text with comments blanked, so unknown macros spoil nothing; knows no types and resolves no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.results import Location, Span
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.cuda_facts import blank_noise, cuda_facts
from kernelscope.workspace.facts import DefKind

MAX_CONDITION = 160
_TOKEN = re.compile(rb"\b(if|else|for|while|switch)\b|[{};]")
_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[^\n]*$")
_SPACE = re.compile(r"\s+")
_LAUNCH = re.compile(rb"\b([A-Za-z_]\w*)(?:\s*<[^<>;{}()]{0,200}>)?\s*<<<")
_CALL = re.compile(rb"\b((?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)\s*(?:<[^;{}()<>]{0,120}>)?\s*\(")
_WORDS = frozenset(b"if for while switch return sizeof assert catch static_cast reinterpret_cast defined else".split())


@dataclass(frozen=True, slots=True)
class CFunction:
    """One function with a body: offsets of its name and of the body's braces in the file."""

    name: str
    is_kernel: bool
    name_start: int
    start: int
    end: int
    parameters: str


class CSource:
    """A C++ or CUDA file: its text, the same with comments and strings blanked, and its functions."""

    def __init__(self, path: Path, text: SourceText, aside: bool = False) -> None:
        self.path = path
        self.aside = aside
        self.text = text
        self.code = blank_noise(text.data)
        self.functions = list(self._functions())

    def _functions(self) -> Iterator[CFunction]:
        for fact in cuda_facts(self.text.data).defs:
            if fact.kind not in (DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION):
                continue
            opened = self.code.find(b"(", fact.name_start)
            closed = matching(self.code, opened) if opened >= 0 else -1
            body = self.code.find(b"{", closed, fact.end) if closed >= 0 else -1
            if body < 0:
                continue
            parameters = self.quote(opened + 1, closed, 600)
            is_kernel = fact.kind is DefKind.CUDA_KERNEL
            yield CFunction(fact.name, is_kernel, fact.name_start, body, fact.end, parameters)

    def at(self, start: int, end: int = 0) -> Location:
        return self.text.location(self.path, Span(start, end or start))

    def quote(self, start: int, end: int, longest: int) -> str:
        """The source between two offsets on one line, without comments and directives."""
        raw = _DIRECTIVE.sub(b" ", _COMMENT.sub(b" ", self.text.data[start:end]))
        text = _SPACE.sub(" ", raw.decode("utf-8", "replace")).strip()
        return text if len(text) <= longest else text[: longest - 1] + "…"

    def around(self, offset: int) -> CFunction | None:
        """The innermost function whose body holds an offset."""
        holding = [f for f in self.functions if f.start <= offset < f.end]
        return max(holding, key=lambda f: f.start, default=None)

    def launches(self, function: CFunction) -> list[tuple[str, int]]:
        """Kernels launched in a function, in order, with their offsets."""
        found = _LAUNCH.finditer(self.code, function.start, function.end)
        return [(m[1].decode(), m.start(1)) for m in found]

    def calls(self, function: CFunction) -> list[tuple[str, int]]:
        """Functions called in a function, in order, with their offsets."""
        found = _CALL.finditer(self.code, function.start, function.end)
        return [(m[1].decode(), m.start(1)) for m in found if m[1] not in _WORDS]

    def arguments(self, call: int, end: int) -> list[str]:
        """The top-level arguments of the call whose name begins at `call`."""
        opened = self.code.find(b"(", call, end)
        return self.split(opened + 1, matching(self.code, opened)) if opened >= 0 else []

    def split(self, start: int, end: int) -> list[str]:
        parts: list[str] = []
        depth, begin = 0, start
        for index in range(start, end):
            c = self.code[index]
            if c in b"([{":
                depth += 1
            elif c in b")]}":
                depth -= 1
            elif c == 0x2C and depth == 0:
                parts.append(self.quote(begin, index, MAX_CONDITION))
                begin = index + 1
        last = self.quote(begin, end, MAX_CONDITION)
        return [*parts, last] if last or parts else parts

    def guards(self, function: CFunction, offset: int) -> list[str]:
        """The conditions of the `if`s around an offset, outermost first."""
        blocks: list[str] = []
        pending = ""
        chain = ""
        position = function.start + 1
        while position < offset:
            match = _TOKEN.search(self.code, position, offset)
            if match is None:
                break
            position = match.end()
            match match[0]:
                case b"{":
                    blocks.append(pending)
                    pending = ""
                case b"}":
                    chain = blocks.pop() if blocks else ""
                case b";":
                    if pending:
                        chain, pending = pending, ""
                case b"else":
                    pending = f"not ({chain})" if chain else "else"
                case b"if":
                    opened = self.code.find(b"(", position)
                    closed = matching(self.code, opened)
                    if closed < 0 or closed >= offset:
                        break
                    test = self.quote(opened + 1, closed, MAX_CONDITION)
                    before = f"{pending} and " if pending.startswith("not (") and len(pending) < 60 else ""
                    pending = f"{before}{test}"
                    position = closed + 1
                case _:
                    opened = self.code.find(b"(", position)
                    closed = matching(self.code, opened)
                    position = closed + 1 if 0 <= closed < offset else offset
                    pending = ""
        return [guard for guard in (*blocks, pending) if guard and guard != "else"]


def matching(code: bytes, opened: int) -> int:
    """The offset of the bracket that closes the one at `opened`, -1 when there is none nearby."""
    if opened < 0:
        return -1
    depth = 0
    for index in range(opened, min(len(code), opened + 20_000)):
        c = code[index]
        if c == 0x28:
            depth += 1
        elif c == 0x29:
            depth -= 1
            if depth == 0:
                return index
    return -1
