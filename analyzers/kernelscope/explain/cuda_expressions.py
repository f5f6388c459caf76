"""How the pseudocode of CUDA writes expressions: very long indices and casts lifted away, long lines broken."""

from __future__ import annotations

import re
from textwrap import wrap

from kernelscope.syntax.cuda.nodes import one_line

MOST_PARTS = 6
"""Lines that one statement may take."""
MAX_INDEX = 60
"""Characters of an index that stays."""
_AS_VECTOR = re.compile(
    r"(?P<star>\*\s*)?\(*"
    r"(?:reinterpret_cast\s*<\s*(?:const\s+)?(?P<cast>[\w:]+)(?:\s+const)?\s*\*\s*>\s*"
    r"|\(\s*(?:const\s+)?(?P<old>[\w:]+)(?:\s+const)?\s*\*\s*\)\s*)"
    r"\(*\s*&\s*\(?(?P<place>\w+(?:(?:\.|->)\w+)*(?:\[[^\[\]]*\])+)\s*\)*(?P<first>\s*\[0\])?"
)
"""An element that is taken as a vector, together with those after it: `*(float4*)&x[i]`."""


def short(text: str) -> str:
    """Text with the indices of very long subscripts lifted away."""
    plain = one_line(_without_long_indices(one_line(text)).removesuffix(";"))
    return _with_vectors(plain.replace("( ", "(").replace(" )", ")"))


def broken(text: str, room: int) -> list[str]:
    """A text in lines that have room, at spaces; what is left of a very long one is cut."""
    if len(text) <= room:
        return [text]
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False)
    if len(lines) > MOST_PARTS:
        lines = [*lines[: MOST_PARTS - 1], f"{lines[MOST_PARTS - 1]} …"]
    return [line if len(line) <= room else f"{line[: room - 1]}…" for line in lines]


def _with_vectors(text: str) -> str:
    """`*reinterpret_cast<float4*>(&x[i])` as `x[i] as float4`, where the brackets of the text agree with that."""

    def told(match: re.Match[str]) -> str:
        if (match["star"] is None) == (match["first"] is None) or match[0].count("(") != match[0].count(")"):
            return match[0]
        return f"{match['place']} as {match['cast'] or match['old']}"

    return _AS_VECTOR.sub(told, text)


def assigned(text: str) -> tuple[str, str, str]:
    left, _, right = text.partition("=")
    return left.strip().rpartition(" ")[2].strip("*& "), "=", right


def bounds_text(bounds: tuple[str, ...]) -> str:
    return "".join(f"[{bound}]" for bound in bounds)


def _without_long_indices(text: str) -> str:
    """`A[row * K + col]` as `A[…]`; short indices such as `s[i]`, and those that are a name, stay."""
    out: list[str] = []
    depth = begin = 0
    for i, char in enumerate(text):
        if char == "[":
            if depth == 0:
                begin = i
            depth += 1
        if depth == 0:
            out.append(char)
        if char == "]" and depth:
            depth -= 1
            if depth == 0:
                inner = text[begin + 1 : i]
                out.append(f"[{inner}]" if len(inner) <= MAX_INDEX or inner.isidentifier() else "[…]")
    return "".join(out)
