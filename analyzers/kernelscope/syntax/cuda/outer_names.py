"""The names that stand outside of function bodies in a C++ file: all that it declares for others is among them.

Read from the text, with no tree: a file that does not hold a name here need not be parsed for it.
"""

from __future__ import annotations

import re

from kernelscope.syntax.cuda.directives import DECLARATIVE, without_strings

_TOKEN = re.compile(rb"(?m)^[ \t]*#(?:[^\n\\]|\\\r?\n|\\.)*+|[{};]")
_WORD = re.compile(rb"[A-Za-z_]\w*")


def outer_names(data: bytes) -> frozenset[bytes]:
    """Names of declarations, their types and parameters, and all words of directives.

    Where braces do not match, as where branches of an `#if` open the same block, all words of the file.
    """
    text = without_strings(data)
    parts: list[bytes] = []
    depth = inside = 0  # `inside` counts the braces of the function body or initialiser that is skipped
    begin = head = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token == b"{":
            if inside or not _declares(text[head : match.start()]):
                if not inside:
                    parts.append(text[begin : match.start()])
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
    return frozenset(_WORD.findall(b" ".join(parts)))


def _declares(head: bytes) -> bool:
    """Whether what stands before a brace opens a namespace, a type or a linkage block."""
    return DECLARATIVE.search(head) is not None and not head.rstrip().endswith(b")")
