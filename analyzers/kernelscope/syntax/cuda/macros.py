"""Macros and their expansion, as the preprocessor does it, with every byte's place in the file kept.

Names that stand for constants are left as they are written: people read `BM`, and the constants know its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from kernelscope.results import Span
from kernelscope.syntax.cuda.mapped import Mapped, joined, standing_for

MAX_DEPTH = 24
MAX_EXPANDED = 1 << 20
MAX_ARGUMENTS = 64
MAX_BRACKETED = 200_000
MAX_COPIES = 8
"""Launches that one use of a macro makes of one place of the file. Of more, each way that it chooses is read once."""
MAX_WAYS = 8
"""Ways of one macro that are read once each where all that is in them would be too much."""
MIN_SEARCHED = 4_000
"""Bytes of a text for which a search for the macros that it uses is worth being made."""
_VA_OPT = re.compile(rb"\b__VA_OPT__\s*\(")
_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")

_TOKEN = re.compile(
    rb"R\"([^\s()\\]{0,16})\((?s:.*?)\)\1\""
    rb'|"[^"\\\n]*+(?>(?:\\.[^"\\\n]*+)*)"?'
    rb"|(?<!\w)'(?>(?:[^'\\\n]|\\.){1,8})'"
    rb"|\.?\d[\w.']*"
    rb"|[A-Za-z_]\w*"
)
_OPENING = re.compile(rb"\s*\(")
_BODY = re.compile(rb"\"(?:[^\"\\\n]|\\.)*\"|'(?<!\w')(?:[^'\\\n]|\\.){1,8}'|(#\s*)?([A-Za-z_]\w*)|\s*##\s*")
"""Names, pastings, and the literals in which neither is one."""
_PLAIN = re.compile(rb"(?>(?:[\s()+\-*/%<>=&|^~!?:,]++|\.?\d[\w.']*+|\"[^\"]*+\"|'[^']*+'|[A-Za-z_]\w*+)*)")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_NOT_CONSTANT = frozenset(
    b"__global__ __device__ __host__ __shared__ __forceinline__ __noinline__ __inline__ __restrict__ __restrict inline "
    b"static extern const volatile constexpr void int unsigned signed long short char float double bool auto template "
    b"typename class struct return if else for while do switch case break continue threadIdx blockIdx blockDim gridDim "
    b"__launch_bounds__ __align__ __attribute__ asm goto using namespace "
    b"__constant__ __managed__ __grid_constant__ _Pragma".split()
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a macro's body that stands for an argument, or that only pastes what is around it."""

    start: int
    end: int
    name: bytes
    """Empty for `##`."""
    quoted: bool
    pasted: bool


@dataclass(frozen=True)
class Macro:
    """A `#define`: `params` is None for a macro without parentheses."""

    name: bytes
    params: tuple[bytes, ...] | None
    body: bytes
    path: str
    span: Span
    """Its name, in the file at `path`."""

    @cached_property
    def is_constant(self) -> bool:
        """Whether it only gives a value a name."""
        if self.params is not None or not self.body:
            return False
        return _PLAIN.fullmatch(self.body) is not None and not any(
            word in _NOT_CONSTANT for word in _WORD.findall(self.body)
        )

    @cached_property
    def pieces(self) -> tuple[_Piece, ...]:
        """The names and pastings of the body that may stand for arguments."""
        named = self.params or ()
        wanted = {param.removesuffix(b"...").strip() or b"__VA_ARGS__" for param in named}
        return tuple(
            _Piece(match.start(), match.end(), match[2] or b"", bool(match[1]), _pasted(self.body, match))
            for match in _BODY.finditer(self.body)
            if match[2] in wanted or (match[2] is None and match[0].strip() == b"##")
        )


Macros = Mapping[bytes, list[Macro]]

_HIP_INDICES = tuple(
    (f"hip{kind}_{axis}".encode(), f"{name}.{axis}".encode())
    for kind, name in (("ThreadIdx", "threadIdx"), ("BlockIdx", "blockIdx"), ("BlockDim", "blockDim"),
                       ("GridDim", "gridDim"))
    for axis in "xyz"
)  # fmt: skip
LIBRARY_MACROS: Macros = {
    name: [Macro(name, params, body, "", Span(0, 0))]
    for name, params, body in (
        (b"CUTLASS_GLOBAL", None, b"__global__ static"),
        (b"HIP_DYNAMIC_SHARED", (b"type", b"var"), b"extern __shared__ type var[];"),
        *((name, None, body) for name, body in _HIP_INDICES),
    )
}
"""What headers of CUTLASS and HIP, which few workspaces hold, define."""


def macro_at(macros: Macros, name: bytes, offset: int, path: str) -> Macro | None:
    """The definition in force at an offset of a file: the last before it, else the first there is."""
    found = macros.get(name)
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    before = [macro for macro in found if macro.path != path or macro.span.start < offset]
    return before[-1] if before else found[0]


def closing(data: bytes, opening: int, limit: int = MAX_BRACKETED) -> int | None:
    """The offset of the bracket that closes the one at `opening`; strings are skipped."""
    depth = 0
    for match in _BRACKET.finditer(data, opening, min(len(data), opening + limit)):
        char = match[0]
        if char in b"([{":
            depth += 1
        elif char in b")]}":
            depth -= 1
            if depth == 0:
                return match.start()
    return None


_QUOTED = rb"\"[^\"\\\n]*+(?>(?:\\.[^\"\\\n]*+)*)\"|'(?<!\w')(?>(?:[^'\\\n]|\\.){1,8})'"
_BRACKET = re.compile(rb"\(|\)|\[|\]|\{|\}|" + _QUOTED)
_PART = re.compile(rb"\(|\)|\[|\]|\{|\}|,|" + _QUOTED)
"""Each alternative begins with a character of its own: such patterns are searched for several times as fast."""


def bracketed(data: bytes, opening: int, limit: int = MAX_BRACKETED) -> tuple[list[tuple[int, int]], int] | None:
    """The parts between commas of what a bracket encloses, and where it is closed."""
    bounds: list[tuple[int, int]] = []
    depth, begin = 0, opening + 1
    for match in _PART.finditer(data, begin, min(len(data), opening + limit)):
        char = match[0]
        if char == b",":
            if depth == 0:
                bounds.append((begin, match.start()))
                begin = match.end()
        elif char in b"([{":
            depth += 1
        elif char in b")]}":
            if depth == 0:
                bounds.append((begin, match.start()))
                return bounds, match.start()
            depth -= 1
    return None


@lru_cache(maxsize=64)
def _token_of(names: frozenset[bytes]) -> re.Pattern[bytes]:
    """Finds these names and what may hide them, and passes over all else."""
    words = b"".join(rb"|" + re.escape(name) + rb"(?!\w)" for name in sorted(names))
    return re.compile(
        rb"R\"([^\s()\\]{0,16})\((?s:.*?)\)\1\""
        rb'|"[^"\\\n]*+(?>(?:\\.[^"\\\n]*+)*)"?'
        rb"|'(?<!\w')(?>(?:[^'\\\n]|\\.){1,8})'" + words
    )


class Expansion:
    """Expands the macros of one file; stops growing at a limit, so that macros cannot fill the memory."""

    def __init__(self, macros: Macros, path: str) -> None:
        self.macros, self.path = macros, path
        self.expandable = frozenset(
            name for name, defined in macros.items() if not all(macro.is_constant for macro in defined)
        )
        """Names of which some definition is more than a constant."""
        self.size = 0
        self.once = False
        """Whether of what a macro repeats only the first is kept."""
        self._single: dict[bytes, Mapped] = {}

    def expand(self, text: Mapped, active: frozenset[bytes] = frozenset()) -> Mapped:
        data = text.data
        used = self.expandable.intersection(_WORD.findall(data))
        if not used:
            return text
        token = _TOKEN if len(data) < MIN_SEARCHED else _token_of(used)
        parts: list[Mapped] = []
        copied = position = launches = 0
        while match := token.search(data, position):
            position = match.end()
            name = match[0]
            if name not in used or name in active or (match.start() and data[match.start() - 1] in _WORD_BYTES):
                continue
            place = text.origin(match.start(), position)
            macro = macro_at(self.macros, name, place.start, self.path)
            if macro is None or macro.is_constant:
                continue
            bounds: list[tuple[int, int]] = []
            end = position
            if macro.params is not None:
                opening = _OPENING.match(data, position)
                given = bracketed(data, opening.end() - 1) if opening else None
                if given is None:
                    continue
                bounds, end = given[0][:MAX_ARGUMENTS], given[1] + 1
                macro = self._keeping(macro, data[position:end])
            if len(active) >= MAX_DEPTH or self.size > MAX_EXPANDED:
                continue
            parts.append(text.slice(copied, match.start()))
            use = text.origin(match.start(), end)
            body = self._substitute(macro, [text.slice(*_stripped(data, *b)) for b in bounds], use, active)
            expanded = self.expand(body, active | {name})
            launching = _launches(expanded)
            if not active or launches < (1 if self.once else MAX_COPIES) or not launching:
                parts.append(expanded)
                self.size += len(expanded.data)
            launches += launching * max(1, expanded.data.count(b"<<<"))
            copied = position = end
        if not parts:
            return text
        parts.append(text.slice(copied, len(data)))
        return joined(parts)

    def _keeping(self, macro: Macro, given: bytes) -> Macro:
        """A definition that keeps a launch which the one in force leaves away: how the code is built decides."""
        if macro.body or b"<<<" not in given:
            return macro
        return next((other for other in self.macros[macro.name] if other.params and other.body), macro)

    def _substitute(self, macro: Macro, arguments: list[Mapped], use: Span, active: frozenset[bytes]) -> Mapped:
        if b"__VA_OPT__" in macro.body and macro.params:
            more = any(argument.data.strip() for argument in arguments[len(macro.params) - 1 :])
            macro = replace(macro, body=_optional(macro.body, more))
        body = macro.body
        if not macro.params and not arguments:
            return standing_for(body.replace(b"##", b""), use)
        given = _bound(macro.params or (), arguments)
        expanded: dict[bytes, Mapped] = {}
        copies: dict[bytes, int] = {}
        ways: dict[bytes, int] = {}
        parts: list[Mapped] = []
        copied = 0
        for piece in macro.pieces:
            if not piece.name:
                parts.append(standing_for(body[copied : piece.start].rstrip(), use))
                copied = piece.end
                continue
            value = given.get(piece.name)
            if value is None:
                continue
            parts.append(standing_for(body[copied : piece.start], use))
            copied = piece.end
            if piece.quoted:
                quoted = value.data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b" ")
                parts.append(standing_for(b'"' + quoted + b'"', use))
                continue
            if not piece.pasted:
                if piece.name not in expanded:
                    expanded[piece.name] = self.expand(value, active)
                value = expanded[piece.name]
            made = copies.get(piece.name, 0)
            copies[piece.name] = made + _repeats(given[piece.name], value)
            if not _launches(value) or made < (1 if self.once else MAX_COPIES):
                parts.append(value)
            elif not self.once and ways.get(piece.name, 0) < MAX_WAYS:
                ways[piece.name] = ways.get(piece.name, 0) + 1
                parts.append(self._one_of(given[piece.name], active))
        parts.append(standing_for(body[copied:], use))
        return joined(parts)

    def _one_of(self, value: Mapped, active: frozenset[bytes]) -> Mapped:
        """An argument expanded so that each macro in it that repeats a launch makes one of it."""
        if value.data not in self._single:
            self.once = True
            self._single[value.data] = self.expand(value, active)
            self.once = False
        return self._single[value.data]


def _optional(body: bytes, more: bool) -> bytes:
    """A macro's body with what `__VA_OPT__(…)` holds, or without it where no further arguments are given."""
    while (match := _VA_OPT.search(body)) is not None:
        close = closing(body, match.end() - 1)
        if close is None:
            return body
        body = body[: match.start()] + (body[match.end() : close] if more else b"") + body[close + 1 :]
    return body


def _launches(text: Mapped) -> bool:
    return b"<<<" in text.data or b"aunch" in text.data


def _repeats(written: Mapped, expanded: Mapped) -> int:
    """How often macros in an argument repeat what is written there."""
    return max(1, len(expanded.data) // max(1, len(written.data)))


def _bound(params: tuple[bytes, ...], arguments: list[Mapped]) -> dict[bytes, Mapped]:
    """Parameters with their arguments; `__VA_ARGS__` takes the rest."""
    given: dict[bytes, Mapped] = {}
    for i, param in enumerate(params):
        if param.endswith(b"..."):
            rest: list[Mapped] = []
            for argument in arguments[i:]:
                rest.extend((standing_for(b", ", Span(argument.runs[0].origin, argument.runs[0].origin)), argument)
                            if rest and argument.runs else (argument,))  # fmt: skip
            given[param.removesuffix(b"...").strip() or b"__VA_ARGS__"] = joined(rest)
        else:
            given[param] = arguments[i] if i < len(arguments) else Mapped(b"", ())
    return given


def _pasted(body: bytes, match: re.Match[bytes]) -> bool:
    return body[: match.start()].rstrip().endswith(b"##") or body[match.end() :].lstrip().startswith(b"##")


def _stripped(data: bytes, start: int, end: int) -> tuple[int, int]:
    piece = data[start:end]
    left = len(piece) - len(piece.lstrip())
    return (start + left, start + len(piece.rstrip())) if piece.strip() else (start, start)
