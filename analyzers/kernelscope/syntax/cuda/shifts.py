"""Comparisons with what is shifted: in `i < n >> 1` the grammar sees a template `i<n>` that is compared with 1.

Brackets that close templates come in pairs for `>>`; where only one is open, it is a comparison's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHIFT = re.compile(rb">>(?![>=])")
_NAME = re.compile(rb"(?<!\w)([A-Za-z_]\w*+)\s*+\Z")
_MINUS, _EQUALS = b"-="
_ENDS = (b";", b"{", b"}")
_NO_OPERAND = frozenset((b"template", b"operator", b"class", b"struct", b"typename"))
_BRACKET = re.compile(rb"[()\[\]{};]|(?<!-)>+|<+=?|&&|\|\|")
_WEAKER = re.compile(rb"[()\[\]{};,?&|^]|(?<![<>])[<>](?![<>])|==|!=|(?<!:):(?!:)")
"""Brackets, and operators that bind less than a shift; also two-way ones by their first character."""
MAX_BEFORE = 300
"""Bytes before a comparison in which a template is looked for that `>>` may close as well."""
MAX_OPERAND = 300


def shifted(text: bytes) -> Iterator[tuple[int, int]]:
    """What is shifted behind such comparisons, with the shift: where each begins and ends."""
    for shift in _SHIFT.finditer(text):  # few texts hold many: looking at each name for one would take far longer
        compared = _compared(text, shift.start())
        if compared is None or compared[1] in _NO_OPERAND or _is_in_template(text, compared.start()):
            continue
        begin, is_whole = _operand_end(text, compared.end() + 1, shift.start(), last=True)
        end, _ = _operand_end(text, shift.end(), min(len(text), shift.end() + MAX_OPERAND))
        if is_whole and end > shift.end() and text[shift.end() : end].strip():
            begin += len(text[begin:end]) - len(text[begin:end].lstrip())
            yield begin, end - (len(text[begin:end]) - len(text[begin:end].rstrip()))


def _compared(text: bytes, shift: int) -> re.Match[bytes] | None:
    """The name before the `<` that stands before a shift, with no angle bracket and no statement's end between."""
    end = text.rfind(b">", 0, shift)
    while end > 0 and text[end - 1] == _MINUS:  # `->`
        end = text.rfind(b">", 0, end)
    at = text.rfind(b"<", end + 1, shift)
    if at < 0 or text[at + 1] == _EQUALS or any(text.find(stop, at, shift) >= 0 for stop in _ENDS):
        return None
    return _NAME.search(text, max(0, at - MAX_BEFORE), at)


def _operand_end(text: bytes, start: int, stop: int, last: bool = False) -> tuple[int, bool]:
    """Where an operand of a shift ends that begins here, or where the last one begins that ends at `stop`; and whether
    all brackets on the way are closed."""
    depth = 0
    begin = start
    for match in _WEAKER.finditer(text, start, stop):
        token = match[0]
        if token == b">" and text[match.start() - 1 : match.start()] == b"-":
            continue
        if token in (b"(", b"["):
            depth += 1
        elif token in (b")", b"]") and depth:
            depth -= 1
        elif token in (b")", b"]", b"{", b"}", b";"):
            return match.start(), False
        elif depth == 0 and last:
            begin = match.end() if token != b"&" or text[match.end() : match.end() + 1] != b"&" else match.end() + 1
        elif depth == 0:
            return match.start(), True
    return (begin, depth == 0) if last else (stop, False)


def _is_in_template(text: bytes, start: int) -> bool:
    """Whether an angle bracket is open where a name begins, within the brackets and the part of a condition around."""
    open_ones: list[bytes] = []
    for match in _BRACKET.finditer(text, max(0, start - MAX_BEFORE), start):
        token = match[0]
        if token in (b"(", b"[", b"{", b"<"):
            open_ones.append(token)
        elif token in (b";", b"&&", b"||"):
            while open_ones and open_ones[-1] == b"<":
                open_ones.pop()
        elif token in (b")", b"]", b"}"):
            while open_ones and open_ones.pop() == b"<":
                pass
        elif token.startswith(b">"):
            for _ in token:
                if open_ones and open_ones[-1] == b"<":
                    open_ones.pop()
    return bool(open_ones) and open_ones[-1] == b"<"
