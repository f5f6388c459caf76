"""The names that a C++ file may declare for others: those outside of function bodies that stand as declared names do.

Read from the text, with no tree: a file that does not hold a name here need not be parsed for it. Names that are only
used outside of bodies, as the types of parameters are, are left out where the text shows it; so are namespaces.
"""

from __future__ import annotations

import re

from kernelscope.syntax.cuda.directives import DECLARATIVE, without_strings

_TOKEN = re.compile(rb"(?m)^[ \t]*#[^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*)|[{};]")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_DECLARED = re.compile(rb"[A-Za-z_]\w*(?=\s*(?:[({=;\[,)}]|:(?!:)|__attribute__\b))")
"""A name and what may follow it where it is declared: its parameters, value, bounds, body, or the next name."""
_TYPES = re.compile(rb"(?:struct|class|union|enum)\b([^{};=()]*)")
_DEFINED = re.compile(rb"#\s*define\s+(\w+)")
_MACRO_PARAMETERS = re.compile(rb"(#\s*define\s+\w+)\([^)]*\)")
_NAMESPACE = re.compile(rb"\bnamespace\s+[\w:]+(?=\s*\{)")
_BRACKET = re.compile(rb"\btemplate\s*<|[()<>]")
_FUNCTION = re.compile(rb"[\w>*&)][\s*&]+(?:operator\s*[^\s\w]+|[A-Za-z_]\w*)\s*\Z")
_MACRO = re.compile(rb"(?<!\w)[A-Z_][A-Z0-9_]*\s*\Z")
MAX_HEAD = 200
"""Bytes before a bracket that tell what it belongs to."""
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
    outside = _without_parameters(_NAMESPACE.sub(b" ", _MACRO_PARAMETERS.sub(rb"\1", b" ".join(parts))))
    found = {*_DECLARED.findall(outside), *_DEFINED.findall(outside)}
    for head in _TYPES.findall(outside):
        found.update(_WORD.findall(head))
    if _SPECIALISED.search(outside):
        found.update(_WITH_ARGUMENTS.findall(outside))
    return frozenset(found)


def _declares(head: bytes) -> bool:
    """Whether what stands before a brace opens a namespace, a type or a linkage block."""
    return DECLARATIVE.search(head) is not None and not head.rstrip().endswith(b")")


def _without_parameters(text: bytes) -> bytes:
    """Without what stands between the brackets of templates and functions: those names are nobody else's.

    What a macro is given stays, for it may become a name.
    """
    parts: list[bytes] = []
    copied = position = 0
    while match := _BRACKET.search(text, position):
        position = match.end()
        template = match[0].startswith(b"template")
        if not template:
            before = text[max(0, match.start() - MAX_HEAD) : match.start()]
            if match[0] != b"(" or not _FUNCTION.search(before) or _MACRO.search(before):
                continue
        end = _end(text, position, b"<" if template else b"(")
        if end is None:
            continue
        parts.append(text[copied:position])
        copied = position = end
    parts.append(text[copied:])
    return b"".join(parts)


def _end(text: bytes, start: int, opening: bytes) -> int | None:
    """Where the bracket that was opened before `start` is closed."""
    angles, parens = (1, 0) if opening == b"<" else (0, 1)
    for match in _BRACKET.finditer(text, start):
        token = match[0]
        if token in b"()":
            parens += 1 if token == b"(" else -1
        elif parens == 0:
            angles += -1 if token == b">" else 1
        if parens < 0:
            return None
        if angles == 0 and parens == 0:
            return match.start()
    return None
