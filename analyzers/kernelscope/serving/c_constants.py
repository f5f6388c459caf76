"""Constants of C++ and CUDA files: `#define`, `const`, `constexpr` and enums, with the `#if` that chooses among them.

Read off the text: a constant with several values becomes one parameter with a row per branch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from kernelscope.results import Span
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import Claim
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.registries import MAX_ENTRIES, Entry, Registry

LONGEST_DEFINE = 40
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[ \t]*(ifdef|ifndef|if|elif|else|endif)\b((?:[^\n\\]|\\\r?\n|\\.)*)")
_DEFINE = re.compile(rb"(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([^\n\\]+)")
_CONSTANT = re.compile(
    rb"\b((?>(?:(?:static|inline|constexpr|const|unsigned|signed|long|short|int|auto|\w+_t|float|double)\s++){2,6}))"
    rb"(\w+)\s*=\s*([^;{}]{1,200});"
)
_ENUM = re.compile(rb"\benum\s+(?:class\s+|struct\s+)?(\w+)\s*(?::[\s\w:]+)?\{([^{}]*)\}")
_MEMBER = re.compile(rb"(\w+)\s*(?:=\s*([^,]+))?(?:,|\Z)")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)[uUlLfF]*")
_ARITHMETIC = re.compile(r"(?>(?:[A-Z_][A-Z0-9_]*+|\d[\w.]*+|<<|[-+*/()%\s])+)")


def c_constants(source: CSource) -> Iterator[Parameter]:
    """The constants of a file, in the order of their names' first appearance."""
    text = source.text
    conditions = _Conditions(text.data)
    found: dict[str, list[tuple[Parameter, str]]] = {}
    for kind, pattern, data, group in (("define", _DEFINE, text.data, 1), ("constant", _CONSTANT, source.code, 2)):
        for match in pattern.finditer(data):
            raw = text.data[match.start(group + 1) : match.end(group + 1)]
            expression = " ".join(raw.split(b"//")[0].split(b"/*")[0].decode("utf-8", "replace").split())
            value = number(expression)
            if kind == "constant":
                is_known = b"const" in match[1] and (value is not None or _ARITHMETIC.fullmatch(expression))
            else:
                is_known = value is not None or 0 < len(expression) <= LONGEST_DEFINE
            if not is_known or expression.startswith(("__attribute__", "extern")):
                continue
            name = match[group].decode("utf-8", "replace")
            where = text.location(source.path, Span(match.start(group), match.end(group + 1)))
            p = Parameter(name, "", kind, expression, where, value)
            found.setdefault(name, []).append((p, conditions.around(match.start(group))))
    for rows in found.values():
        yield from _chosen(rows)


def _chosen(rows: list[tuple[Parameter, str]]) -> Iterator[Parameter]:
    """One parameter for values that the preprocessor chooses between; constants of several scopes stay apart."""
    if len(rows) == 1 or not all(condition for _, condition in rows) or len({c for _, c in rows}) < len(rows):
        yield from (p for p, _ in rows)
        return
    first = rows[0][0]
    overrides = tuple(
        Claim(p.name, p.expression, (p.location,), "chosen by the preprocessor", said) for p, said in rows
    )
    yield Parameter(first.name, "", first.kind, first.expression, first.location, first.value, overrides=overrides)


class _Conditions:
    """Which `#if`s of a file stand around an offset, as what must hold."""

    def __init__(self, data: bytes) -> None:
        self._spans: list[tuple[int, int, str]] = []
        opened: list[tuple[int, str, list[str]]] = []
        lines = list(_DIRECTIVE.finditer(data))
        for match in lines:
            word, text = match[1], " ".join(match[2].split(b"//")[0].decode("utf-8", "replace").split())
            if word in (b"if", b"ifdef", b"ifndef"):
                said = {b"ifdef": f"defined({text})", b"ifndef": f"not defined({text})"}.get(word, text)
                opened.append((match.end(), said, []))
            elif opened:
                start, said, before = opened.pop()
                is_guard = start == lines[0].end() and match is lines[-1] and said.startswith("not defined")
                parts = [*(f"not ({b})" for b in before), *([said] if said else [])]
                if not is_guard:
                    self._spans.append((start, match.start(), " and ".join(parts)))
                if word != b"endif":
                    opened.append((match.end(), text if word == b"elif" else "", [*before, said]))
        self._spans.sort()

    def around(self, offset: int) -> str:
        """What must hold at an offset, outermost first."""
        return " and ".join(said for start, end, said in self._spans if start <= offset < end)


PLAIN = {"Value", "Enum", "Code", "Kind", "Type"}
"""Names of enums that say nothing without the class around."""


def c_enums(source: CSource) -> Iterator[Registry]:
    """Enums with their members' numbers, those that follow from the order as well."""
    code = source.code
    for match in _ENUM.finditer(code):
        entries: list[Entry] = []
        following: int | None = 0
        for member in _MEMBER.finditer(code, match.start(2), match.end(2)):
            given = member[2].decode("utf-8", "replace").strip() if member[2] else ""
            value = number(given) if given else following
            following = value + 1 if isinstance(value, int) else None
            where = source.text.location(source.path, Span(member.start(1), member.end(1)))
            entries.append(Entry(member[1].decode("utf-8", "replace"), given or str(value), where))
        if len(entries) >= 2:
            where = source.text.location(source.path, Span(match.start(1), match.end(1)))
            name = match[1].decode("utf-8", "replace")
            if name in PLAIN:  # an enum that a class is made of goes by the name of the class
                around = [cls for start, end, cls in source.classes if start < match.start() < end]
                name = around[-1] if around else name
            yield Registry(name, "enum", tuple(entries[:MAX_ENTRIES]), where)


def number(expression: str) -> int | float | None:
    """The value of a number, or of a sum of products of whole numbers, as C has it."""
    if _NUMBER.fullmatch(expression):
        hexadecimal = expression.lower().startswith("0x")
        digits = expression.rstrip("uUlL" if hexadecimal else "uUlLfF")
        try:
            return int(digits, 0) if digits.lstrip("-").isdigit() or hexadecimal else float(digits)
        except ValueError:
            return None
    shifted = [number(part.strip()) for part in expression.strip("() ").split("<<")] if "<<" in expression else []
    match shifted:
        case [int() as left, int() as right] if 0 <= right < 64:
            return left << right
        case _:
            pass
    factors = [number(part.strip(" ()")) for part in expression.split("*")] if "*" in expression else []
    whole = [f for f in factors if isinstance(f, int)]
    return math.prod(whole) if whole and len(whole) == len(factors) else None
