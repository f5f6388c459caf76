"""Which kernel a launch means: its name as written, or the kernels that a variable or a function may stand for."""

from __future__ import annotations

import re
import string
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from kernelscope.kernels.cuda.launch import MAX_CONFIGURATION, MAX_WAYS
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function, FunctionKind
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line

MAX_CALLEE = 300
"""Characters of a kernel's name with its namespaces."""
_NAME_BEFORE = re.compile(r"(?:::)?[A-Za-z_]\w*(?:\s*::\s*(?:template\s+)?[A-Za-z_]\w*)*\s*\Z")
_OF_NAMES = string.ascii_letters + string.digits + "_:" + string.whitespace
_GIVEN = re.compile(
    r"([A-Za-z_](?<![\w.].)\w*+)\s*+(?:=|\{)"
    r"(?=\s*(?:\([^()]*\)\s*)?(?:reinterpret_cast<[^()]*>\(|static_cast<[^()]*>\()?&?\s*((?:::)?[A-Za-z_][\w:]*))"
)
"""A variable and the name that it is given, perhaps a kernel's."""
_ENDS = re.compile(r"\s*[;,)}:]")
_CHOSEN = re.compile(r"(?<!:)[?:](?!:)\s*&?\s*((?:::)?[A-Za-z_][\w:]*)")
"""One side of `condition ? first : second`."""
_RETURNED = re.compile(r"\breturn\s+&?\s*((?:::)?[A-Za-z_][\w:]*)(?=\s*[<;])")
_BY_LAMBDA = re.compile(
    r"([A-Za-z_](?<![\w.].)\w*+)\s*+=\s*+\[[^\[\]]{0,200}\]\s*(?:\(\s*\)\s*)?(?:->\s*[\w*]++\s*)?\{"
)
_CALLED = re.compile(r"\s*\(\s*\)\s*;")
Meaning = tuple[str, tuple[str, ...]]
"""A kernel's name, with the namespaces that are written, and its template arguments."""


class LaunchedKernels:
    """The meanings of kernels' names in one file."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._text = unit.source.expanded.decode("latin-1")
        self._kernels = {kernel.name for kernel in unit.kernels}
        self._told: dict[tuple[int, str], list[tuple[int, Meaning]]] = {}

    def of(self, function: Function | None, callee: str, offset: int) -> list[Meaning]:
        """The kernels that a launch may mean: itself, or those that a variable was given before."""
        itself = parted(callee)
        is_kernel = itself[0].rpartition("::")[2] in self._kernels
        if function is None or is_kernel or not re.fullmatch(r"\w+", one_line(callee).strip()):
            return [itself]
        declared = self.unit.declarations.at(itself[0], offset)
        begin = declared.node.start_byte if declared is not None else function.body.start_byte
        asked = (max(begin, function.body.start_byte), itself[0])
        if asked not in self._told:
            self._told[asked] = list(self._kernels_given(function, *asked))
        return [meaning for end, meaning in self._told[asked] if end <= offset] or [itself]

    def _kernels_given(self, function: Function, begin: int, name: str) -> Iterator[tuple[int, Meaning]]:
        """What a function gives a variable from its declaration on: each meaning once, with the end of the name where
        it is first given."""
        told: set[Meaning] = set()
        starts, given = self._given.get(name, ([], []))
        first = bisect_left(starts, begin)
        for start, end in given[first : bisect_left(starts, function.body.end_byte)]:
            for meaning, stop in self._named(start, end):
                if meaning[0] not in ("nullptr", "NULL") and meaning not in told:
                    told.add(meaning)
                    yield stop, meaning
        for start, close in self._chosen_by_lambdas.get(name, ()):
            for meaning in self._in_returns(self.unit, self._text[start:close]) if start >= begin else ():
                if close <= function.body.end_byte and meaning not in told:
                    told.add(meaning)
                    yield close, meaning

    def _named(self, start: int, end: int) -> Iterator[tuple[Meaning, int]]:
        """The kernel that a name with its template arguments means, or those of a choice that begins with the name."""
        stop = self._arguments_end(end) if self._text[end : end + 1] == "<" else None
        if stop is not None or _ENDS.match(self._text, end):
            yield parted(self._text[start : stop or end]), stop or end
            return
        if self._text[end : end + 1] == "(":
            for meaning in self._returned(self._text[start:end]):
                yield meaning, end
            return
        limit = self._text.find(";", end, end + MAX_CONFIGURATION)
        if "?" in self._text[end:limit]:
            for match in _CHOSEN.finditer(self._text, end, limit):
                stop = template_end(self._text, match.end()) if self._text[match.end()] == "<" else None
                yield parted(self._text[match.start(1) : stop or match.end()]), stop or match.end()

    def _arguments_end(self, start: int) -> int | None:
        """Where template arguments end; with `&&` and `||` between them only where the whole expression ends there."""
        stop = template_end(self._text, start)
        if stop is None and (logical := template_end(self._text, start, True)) and _ENDS.match(self._text, logical):
            return logical
        return stop

    def _returned(self, name: str) -> Iterator[Meaning]:
        """The kernels that a function returns, one of which its caller launches."""
        for unit, function in self.unit.find(name):
            yield from (
                self._in_returns(unit, unit.source.text(function.body)) if function.kind is FunctionKind.HOST else ()
            )

    def _in_returns(self, unit: Unit, text: str) -> Iterator[Meaning]:
        """The kernels that the text of a body returns."""
        for match in islice(_RETURNED.finditer(text), MAX_WAYS):
            stop = template_end(text, match.end()) if text[match.end() : match.end() + 1] == "<" else match.end()
            meaning = parted(text[match.start(1) : stop])
            if any(found.kind is FunctionKind.KERNEL for _, found in unit.find(meaning[0])):
                yield meaning

    @cached_property
    def _chosen_by_lambdas(self) -> dict[str, list[tuple[int, int]]]:
        """The bodies of lambdas that are called where they stand, by the variable that is given what they return."""
        found: dict[str, list[tuple[int, int]]] = {}
        for match in _BY_LAMBDA.finditer(self._text):
            close = closing(self.unit.source.expanded, match.end() - 1)
            if close is not None and _CALLED.match(self._text, close + 1):
                found.setdefault(match[1], []).append((match.end(), close))
        return found

    @cached_property
    def _given(self) -> dict[str, tuple[list[int], list[tuple[int, int]]]]:
        """By variable: where it is given something, and the span of the name that it is given."""
        found: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}
        for match in _GIVEN.finditer(self._text):
            starts, given = found.setdefault(match[1], ([], []))
            starts.append(match.start())
            given.append(match.span(2))
        return found


def callee_before(head: str) -> str | None:
    """The kernel at the end of a text, with its template arguments: `ns::kernel<T, (N > 1)>`."""
    text = head.rstrip()
    if text.endswith(")"):
        return _bracketed(text)
    begin = len(text)
    if text.endswith(">"):
        opening = _template_start(text)
        if opening is None:
            return None
        begin = opening
    start = max(0, begin - MAX_CALLEE)
    start += len(text[start:begin].rstrip(_OF_NAMES))
    found = _NAME_BEFORE.search(text, start, begin)
    return head[found.start() :] if found else None


def _bracketed(text: str) -> str | None:
    """`(kernel<T>)<<<`: the name inside of the brackets."""
    depth = 0
    for i in range(len(text) - 1, -1, -1):
        depth += (text[i] == ")") - (text[i] == "(")
        if depth == 0:
            inner = text[i + 1 : -1].strip().lstrip("*&")
            if inner.startswith("(") and inner.endswith(")"):
                return _bracketed(inner)
            return inner if re.match(r"[A-Za-z_]", inner) else None
    return None


def _template_start(text: str) -> int | None:
    depth = parens = 0
    for i in range(len(text) - 1, -1, -1):
        char = text[i]
        parens += (char in ")]}") - (char in "([{")
        if parens < 0 or char == ";":
            return None
        if parens:
            continue
        if char == ">" and text[i - 1] != "-":
            depth += 1
        elif char == "<":
            depth -= 1
            if depth == 0:
                return i
    return None


def parted(callee: str) -> tuple[str, tuple[str, ...]]:
    """A kernel's name with the namespaces that are written, and its template arguments."""
    text = one_line(callee).removeprefix("&").strip()
    start = text.find("<")
    if start >= 0 and (end := template_end(text, start, text.endswith(">"))) is not None:
        rest = text[end:].strip()
        if rest.startswith("::"):
            return parted(rest.removeprefix("::").removeprefix("template").strip())
        name, inner = text[:start], text[start + 1 : text.rindex(">")]
        return re.sub(r"\s", "", name), tuple(split_arguments(inner))
    return re.sub(r"\s", "", text).removeprefix("template"), ()


def kernel_argument(text: str) -> str | None:
    """The kernel that a launch function is given: casts, `&` and HIP's wrapping macro left away."""
    while True:
        text = text.strip().removeprefix("&").strip()
        cast = re.match(
            r"\(\s*(?:const\s+)?void\s*(?:const\s*)?\*\s*\)|(?:reinterpret|static)_cast<[^()]*>(?=\s*\()", text
        )
        if cast is not None:
            text = text[cast.end() :]
        elif text.startswith("(") and text.endswith(")"):
            text = text[1:-1]
        elif text.startswith("HIP_KERNEL_NAME("):
            text = text.removeprefix("HIP_KERNEL_NAME(").removesuffix(")")
        else:
            return text if re.match(r"(?:::)?[A-Za-z_]", text) else None
