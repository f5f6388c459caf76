"""How the pseudocode of CUDA writes expressions: very long indices and casts lifted away, long lines broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from tree_sitter import Node

from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line
from kernelscope.syntax.cuda.source import CudaSource

MOST_PARTS = 6
"""Lines that one statement may take."""
MAX_INDEX = 120
"""Characters of an index that stays."""
_AS_VECTOR = re.compile(
    r"(?P<star>\*\s*)?\(*"
    r"(?:reinterpret_cast\s*<\s*(?:const\s+)?(?P<cast>[\w:]+)(?:\s+const)?\s*\*\s*>\s*"
    r"|\(\s*(?:const\s+)?(?P<old>[\w:]+)(?:\s+const)?\s*\*\s*\)\s*)"
    r"\(*\s*&\s*\(?(?P<place>\w+(?:(?:\.|->)\w+)*(?:\[[^\[\]]*\])+)\s*\)*(?P<first>\s*\[0\])?"
)
"""An element that is taken as a vector, together with those after it: `*(float4*)&x[i]`."""

_FROM_OFFSET = re.compile(r"\*\s*reinterpret_cast\s*<\s*(?:const\s+)?([\w:]+)(?:\s+const)?\s*\*\s*>\s*\(")
_OFFSET = re.compile(r"([A-Za-z_]\w*)\s*\+(?!\+)\s*(.+)", re.DOTALL)
_LOOSE = re.compile(r"[()\[\]]|[?:,]|[<>=!]=?|&&?|\|\|?|\^")
_ALIGNED = re.compile(r"(?:cuda::)?aligned_size_t\s*<[^<>]*>\s*\((.*)\)\Z", re.DOTALL)

_CALLS = re.compile(rb"[A-Za-z_]\w*\s*\((?<!sizeof\()")
_COMPUTES = re.compile(rb"[-+*/%?]")


def short(text: str) -> str:
    """Text with the indices of very long subscripts lifted away."""
    plain = one_line(_without_long_indices(one_line(text)).removesuffix(";"))
    return _with_offsets(_with_vectors(plain.replace("( ", "(").replace(" )", ")")))


def as_written(source: CudaSource, node: Node) -> str:
    """The text of a node, in which macros that only compute have their names: `CEIL_DIV(n, 32)`."""
    data, begin = source.prepared.data, node.start_byte
    parts: list[bytes] = []
    for start, end, use in source.prepared.uses(begin, node.end_byte):
        body, written = data[start:end], source.source.data[use.start : use.end]
        if len(written) < len(body) and b"(" in written and not _CALLS.search(body) and _COMPUTES.search(body):
            parts += [data[begin:start], written]
            begin = end
    parts.append(data[begin : node.end_byte])
    return b"".join(parts).decode("utf-8", "replace")


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


def _with_offsets(text: str) -> str:
    """`*reinterpret_cast<float4*>(x + i)` as `x[i] as float4`."""
    at = 0
    while (found := _FROM_OFFSET.search(text, at)) is not None:
        at = found.end()
        close = closing(text.encode("latin-1", "replace"), found.end() - 1)
        inner = _OFFSET.fullmatch(text[found.end() : close].strip()) if close is not None else None
        if close is None or inner is None or not _is_one_sum(inner[2]):
            continue
        told = f"{inner[1]}[{inner[2].strip()}] as {found[1]}"
        before = text[: found.start()]
        text, at = before + told + text[close + 1 :], len(before) + len(told)
    return text


def _is_one_sum(text: str) -> bool:
    """Whether nothing in an expression binds less than a sum does, outside of brackets."""
    depth = 0
    for found in _LOOSE.finditer(text):
        depth += (found[0] in "([") - (found[0] in ")]")
        if depth == 0 and found[0] not in "()[]":
            return False
    return depth == 0


def copied(name: str, arguments: Sequence[str]) -> tuple[str, str, str, str] | None:
    """Target, source, bytes and what is told of the end, of an asynchronous copy by a thread or a group; None for
    another call.

    libcu++ and CUDA C++ Programming Guide, "memcpy_async", "__pipeline_memcpy_async".
    """
    tail = name.partition("<")[0].rpartition("::")[2]
    if tail not in ("memcpy_async", "__pipeline_memcpy_async"):
        return None
    by_group = tail == "memcpy_async" and (len(arguments) == 5 or not name.startswith("cuda::"))
    taken = arguments[by_group : by_group + 3]
    if len(taken) < 3 or len(arguments) > 5:
        return None
    size = _ALIGNED.sub(r"\1", taken[2])
    sign = arguments[by_group + 3] if tail == "memcpy_async" and len(arguments) > by_group + 3 else ""
    return _element(taken[0]), _element(taken[1]), size, sign


def _element(pointer: str) -> str:
    """What a pointer leads to: `x[i]` for `&x[i]` and `x + i`."""
    pointer = pointer.strip()
    if pointer.startswith("&"):
        return pointer[1:].strip()
    offset = _OFFSET.fullmatch(pointer)
    return f"{offset[1]}[{offset[2].strip()}]" if offset is not None and _is_one_sum(offset[2]) else f"*{pointer}"


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
