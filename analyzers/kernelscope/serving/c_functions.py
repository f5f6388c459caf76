"""Functions of a C++ or CUDA file with their parameters, conditions and condensed bodies, by matching brackets.

Works on text with comments blanked, so unknown macros spoil nothing; knows no types and resolves no names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kernelscope.results import Location, Span
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.cuda_facts import cuda_facts
from kernelscope.workspace.cuda_text import blank_noise
from kernelscope.workspace.facts import DefKind, FileFacts

MAX_CONDITION = 160
_IF = re.compile(rb"\bif\s*(?:constexpr\s*)?\(")
_ELSE = re.compile(rb"\s*else\s*(?=\W|if\b)")
_BLOCK = re.compile(rb"\s*\{")
_CLASS = re.compile(rb"\b(?:class|struct)\s+(?:[A-Z_]+\s+)?(\w+)\s*(?:final\s*)?(?::[^;{}=]*)?\Z")
LONGEST_HEAD = 400
"""How far before a brace the head of its class may begin, in bytes."""
_BRACE = re.compile(rb"[{}]")
_COMMENT = re.compile(rb"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[^\n]*$")
_SPACE = re.compile(r"\s+")
_LAUNCH = re.compile(rb"\b([A-Za-z_]\w*)(?:\s*<[^<>;{}()]{0,200}>)?\s*<<<")
_CALL = re.compile(rb"\b(?<!\w::)((?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)\s*(?:<[^;{}()<>]{0,120}>)?\s*\(")
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


@dataclass(frozen=True, slots=True)
class Condition:
    """A branch: the offsets between which its condition holds."""

    start: int
    end: int
    text: str


class CSource:
    """A C++ or CUDA file: its text, the same with comments and strings blanked, its functions; made when asked."""

    def __init__(self, path: Path, text: SourceText, aside: bool = False) -> None:
        self.path = path
        self.aside = aside
        self.text = text
        self._branches: dict[int, list[Condition]] = {}
        self._calls: dict[int, list[tuple[str, int]]] = {}

    @cached_property
    def code(self) -> bytes:
        return blank_noise(self.text.data)

    @cached_property
    def facts(self) -> FileFacts:
        return cuda_facts(self.text.data)

    @cached_property
    def functions(self) -> list[CFunction]:
        return list(self._functions())

    def _functions(self) -> Iterator[CFunction]:
        for fact in self.facts.defs:
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

    @cached_property
    def classes(self) -> list[tuple[int, int, str]]:
        """The classes and structs with a body: offsets of their braces, and their names."""
        found: list[tuple[int, int, str]] = []
        opened: list[tuple[int, str]] = []
        for mark in _BRACE.finditer(self.code):
            if mark[0] == b"{":
                head = _CLASS.search(self.code, max(0, mark.start() - LONGEST_HEAD), mark.start())
                opened.append((mark.start(), head[1].decode() if head is not None else ""))
            elif opened:
                start, name = opened.pop()
                if name:
                    found.append((start, mark.start(), name))
        return sorted(found)

    def owner(self, function: CFunction) -> str:
        """The innermost class around a function that is defined in one."""
        around = [name for start, end, name in self.classes if start < function.start < end]
        return around[-1] if around else ""

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
        if (known := self._calls.get(function.start)) is None:
            found = _CALL.finditer(self.code, function.start, function.end)
            known = [(m[1].decode(), m.start(1)) for m in found if m[1] not in _WORDS]
            self._calls[function.start] = known
        return known

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
        return [c.text for c in self._conditions(function) if c.start <= offset < c.end]

    def _conditions(self, function: CFunction) -> list[Condition]:
        """The branches of a function with their conditions; an `else` negates the `if` before it."""
        if (known := self._branches.get(function.start)) is not None:
            return known
        found: list[Condition] = []
        before: dict[int, str] = {}
        for match in _IF.finditer(self.code, function.start, function.end):
            opened = match.end() - 1
            closed = matching(self.code, opened)
            if closed < 0 or closed >= function.end:
                continue
            text = self.quote(opened + 1, closed, MAX_CONDITION)
            negated = before.get(match.start())
            end = self.branch_end(closed + 1, function.end)
            found.append(Condition(closed + 1, end, f"{negated} and {text}" if negated else text))
            otherwise = _ELSE.match(self.code, end, function.end)
            if otherwise is None:
                continue
            denied = f"not ({text})"
            start = otherwise.end()
            if (chained := _IF.match(self.code, start)) is not None:
                before[chained.start()] = denied
            else:
                found.append(Condition(start, self.branch_end(start, function.end), denied))
        found.sort(key=lambda c: c.start)
        self._branches[function.start] = found
        return found

    def branch_end(self, start: int, limit: int) -> int:
        """Where the block or the single statement that begins at `start` ends."""
        opened = _BLOCK.match(self.code, start, limit)
        if opened is None:
            end = self.code.find(b";", start, limit)
            return end + 1 if end >= 0 else limit
        depth = 0
        for match in _BRACE.finditer(self.code, opened.end() - 1, limit):
            depth += 1 if match[0] == b"{" else -1
            if depth == 0:
                return match.end()
        return limit


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
