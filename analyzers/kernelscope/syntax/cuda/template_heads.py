"""One `template <…>` before an `#if` whose branches each define a function: it is the head of all of them.

The compiler sees one branch; here all that define kernels are read, and each is given the head again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kernelscope.results import Span
from kernelscope.syntax.cuda.expressions import template_end
from kernelscope.syntax.cuda.mapped import Mapped, joined

MAX_HEAD = 1_000
_KERNEL_HEAD = re.compile(rb"\s*(?!template\b)[^;{}]*\b__global__\b[^;{}]*\{")


def open_head(text: bytes, offset: int) -> Span | None:
    """The head of a template that ends where only blanks are left to a place."""
    before = text[:offset].rstrip()
    begin = before.rfind(b"template", max(0, len(before) - MAX_HEAD)) if before.endswith(b">") else -1
    head = before[begin:].decode("latin-1") if begin >= 0 else ""
    opening = len("template") + len(head.removeprefix("template")) - len(head.removeprefix("template").lstrip())
    is_whole = head[opening : opening + 1] == "<" and template_end(head, opening, logical=True) == len(head)
    return Span(begin, len(before)) if is_whole else None


def has_no_head(branch: bytes) -> bool:
    """Whether a branch begins with a kernel that has no head of its own."""
    return _KERNEL_HEAD.match(branch) is not None


def with_heads(text: Mapped, heads: Iterable[tuple[int, Span]]) -> Mapped:
    """A file with heads of templates at further places."""
    parts: list[Mapped] = []
    done = 0
    for offset, head in sorted(heads):
        parts += [text.slice(done, offset), text.slice(head.start, head.end)]
        done = offset
    return joined([*parts, text.slice(done, len(text.data))]) if parts else text
