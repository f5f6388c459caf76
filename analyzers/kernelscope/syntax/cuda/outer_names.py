"""The names that a C++ file may declare for others: those outside of function bodies that stand as declared names do.

Read from the text, with no tree: a file that does not hold a name here need not be parsed for it. Names that are only
used outside of bodies, as the types of parameters are, are left out where the text shows it.
"""

from __future__ import annotations

import re

from kernelscope.syntax.cuda.directives import DECLARATIVE, without_strings

_TOKEN = re.compile(rb"(?m)^[ \t]*#(?:[^\n\\]|\\\r?\n|\\.)*+|[{};]")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_DECLARED = re.compile(rb"[A-Za-z_]\w*(?=\s*(?:[({=;\[,)}]|:(?!:)|__attribute__\b))")
"""A name and what may follow it where it is declared: its parameters, value, bounds, body, or the next name."""
_TYPES = re.compile(rb"(?:struct|class|union|enum)\b([^{};=()]*)")
_DEFINED = re.compile(rb"#\s*define\s+(\w+)")
_SPECIALISED = re.compile(rb"template\s*<\s*>")
_WITH_ARGUMENTS = re.compile(rb"[A-Za-z_]\w*(?=\s*<)")


def outer_names(data: bytes) -> frozenset[bytes]:
    """The names; all words of a file whose braces do not match, as where branches of an `#if` open one block."""
    text = without_strings(data)
    parts: list[bytes] = []
    depth = inside = 0  # `inside` counts the braces of the function body or initialiser that is skipped
    begin = head = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == b"{":
            if inside or not _declares(text[head : match.start()]):
                if not inside:
                    parts.append(text[begin : match.end()])
                inside += 1
            depth += 1
        elif token == b"}":
            depth -= 1
            if inside:
                inside -= 1
                begin = match.end()
        elif token != b";":
            if inside:
                parts.append(token)
            continue
        head = match.end()
        if depth < 0:
            break
    if depth:
        return frozenset(_WORD.findall(text))
    parts.append(text[begin:])
    outside = b" ".join(parts)
    found = {*_DECLARED.findall(outside), *_DEFINED.findall(outside)}
    for head in _TYPES.findall(outside):
        found.update(_WORD.findall(head))
    if _SPECIALISED.search(outside):
        found.update(_WITH_ARGUMENTS.findall(outside))
    return frozenset(found)


def _declares(head: bytes) -> bool:
    """Whether what stands before a brace opens a namespace, a type or a linkage block."""
    return DECLARATIVE.search(head) is not None and not head.rstrip().endswith(b")")
