"""Comments that silence findings: `# kernelscope: ignore[code]`, in C++ behind `//`, on the line or alone above it."""

from __future__ import annotations

import re

from kernelscope.problems import Problem
from kernelscope.results import Insertion, Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.text import SourceText

_COMMENT = re.compile(rb"(?:#|//)[ \t]*kernelscope:[ \t]*ignore\b(?:\[([^\]\n]*)\])?")


def is_silenced(text: SourceText, problem: Problem) -> bool:
    """Whether a comment says that the finding is known."""
    first, last = text.line_of(problem.span.start), text.line_of(problem.span.end)
    above = text.line_bytes(first - 1) if first > 1 else b""
    lines = [text.line_bytes(line) for line in range(first, last + 1)]
    if above.lstrip().startswith((b"#", b"//")):
        lines.append(above)
    return any(_names(line, problem.code) for line in lines)


def _names(line: bytes, code: str) -> bool:
    found = _COMMENT.search(line)
    return found is not None and (found[1] is None or code.encode() in re.split(rb"[\s,]+", found[1].strip()))


def silencing(text: SourceText, module: Module | None, span: Span, code: str) -> Insertion | None:
    """The comment that silences a finding, and where it can stand; `module` is the tree of a Python file.

    None where neither the line nor the one above can take a comment: they end inside a string, or go on behind a `\\`.
    """
    line = text.line_of(span.start)
    start, data = text.line_start(line), text.line_bytes(line)
    if (found := _COMMENT.search(data)) and found[1] is not None:
        return Insertion(start + found.end(1), f", {code}" if found[1].strip() else code)
    mark = "#" if module is not None else "//"
    comment = f"{mark} kernelscope: ignore[{code}]"
    if _takes_comment(module, data, start + len(data)):
        return Insertion(start + len(data.rstrip()), f"  {comment}")
    above = text.line_bytes(line - 1) if line > 1 else b""
    if not _takes_comment(module, above, start - 1):
        return None
    indent = data[: len(data) - len(data.lstrip())].decode()
    return Insertion(start, f"{indent}{comment}\n")


def _takes_comment(module: Module | None, line: bytes, end: int) -> bool:
    if line.rstrip().endswith(b"\\"):
        return False
    if module is None:
        return True
    strings = (n for n in t.walk(*module.body) if isinstance(n, t.JoinedStr | t.Constant))
    return not any(n.span.start < end < n.span.end for n in strings)
