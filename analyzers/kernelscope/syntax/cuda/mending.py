"""Mends what the grammar cannot read: macros that nobody defines, and attributes in places it does not expect.

Bytes are replaced one for one, so that every place stays what it is. Unknown macros are recognised by where they
stand: before a declaration, as a statement without a semicolon, or around a block.
"""

from __future__ import annotations

import re

from kernelscope.results import Span
from kernelscope.syntax.cuda.bracketed_names import bracketed_variables
from kernelscope.syntax.cuda.macros import bracketed, closing
from kernelscope.syntax.cuda.mapped import Mapped, joined, standing_for
from kernelscope.syntax.cuda.shifts import shifted

_ATTRIBUTE = re.compile(
    rb"__(?<!\w__)(?:(?:attribute|launch_bounds|cluster_dims|maxnreg|block_size|noinline|builtin_align|nv_pure)__|declspec)"
    rb"\b(\s*\()?|\[\[(?:\w|::|\s)+\]\]"
)
_ALIGN = re.compile(rb"__align__(?<!\w__align__)(?=\s*\()")
_MACRO_CALL = re.compile(rb"([A-Z](?<![\w:.>][A-Z])[A-Z0-9_]{2,})\s*\(")
_QUALIFIER = re.compile(
    rb"[A-Z_](?<!\w[A-Z_])[A-Z0-9_]{3,}"
    rb"(?=\s+(?!const\b|or\b|and\b)(?:[A-Za-z_][\w:]*)(?:\s*<[^;{}()]{0,200}>)?[\s*&]+[A-Za-z_~])"
)
_IN_HEAD = re.compile(rb"__global__\s+(?:(?:static|inline|extern)\s+)*void\s*\Z")
_NAME_OF = re.compile(rb"\s*[A-Za-z_]\w*\s*\(")
_HEAD_GOES_ON = re.compile(rb"\s*(?:__(?:global|device|host)__|(?:static|inline|extern)\s+__global__)")
_PRAGMA = re.compile(rb"_Pragma(?<!\w_Pragma)\s*\(\s*\"[^\"\n]*\"\s*\)")
_BEFORE_LOOP = re.compile(rb"[A-Z_](?<!\w[A-Z_])[A-Z0-9_]{3,}(?=\s+(?:for|while|do)\b)")
"""A macro that nobody defines before a loop: how it is unrolled."""
_BEFORE_QUALIFIER = re.compile(
    rb"(?:\A|[;{}>)]|(?<!\w)(?:static|inline|extern|__device__|__host__|__global__|constexpr|__forceinline__))\s*\Z"
)
_TYPENAME = re.compile(rb"typename(?<!\wtypename)\s+(?=[A-Za-z_][\w:<>, ]*?[({;]|[A-Za-z_])")
_BEFORE_TYPENAME = re.compile(rb"(?:[=({;}]|return)\s*\Z")
_TEMPLATED = re.compile(
    rb"[;{}]\s*()(?!template\b)(?:[A-Za-z_]\w*\s*::\s*)*[A-Za-z_]\w*<[^;=(){}<>]*(?:<[^;=(){}<>]*>[^;=(){}<>]*)*>\s+"
    rb"[A-Za-z_]\w*\s*(?=[=;({\[])"
)
_OF_LAMBDA = re.compile(rb"\](\s*(?>(?:__(?:device|host|forceinline|noinline)__\s*)+))(?=[({])")
"""Where a lambda runs, which CUDA has said between its capture and its parameters."""
_LOOK_BACK = 80
"""Bytes before a word that are looked at."""
_CONTINUES = b";,)].+-*/<>=?:|&^%!{["
_SPACE = ord(" ")
_BLANK = bytes.maketrans(bytes(range(256)), bytes(c if c in b"\r\n" else 32 for c in range(256)))


def attributes_before(text: bytes, begin: int, end: int) -> bytes:
    """The attributes with their arguments that stand between two places, such as those in front of a declaration."""
    found: list[bytes] = []
    for match in _ATTRIBUTE.finditer(text, begin, end):
        close = closing(text, match.end() - 1) if match[1] is not None else match.end() - 1
        if close is not None:
            found.append(text[match.start() : close + 1])
    return b" ".join(found)


def unmistakable(text: Mapped) -> Mapped:
    """`A<4> x = y;` with `register` before it: the grammar would read two comparisons and an assignment; and `i < (n >>
    1)`, which without the brackets it would read as a template and another comparison."""
    added = [(match.start(1), b"register ") for match in _TEMPLATED.finditer(text.data)]
    for begin, end in shifted(text.data):
        added += [(begin, b"("), (end, b")")]
    parts: list[Mapped] = []
    copied = 0
    for place, word in sorted(added):
        at = text.origin(place, place + 1).start
        parts += [text.slice(copied, place), standing_for(word, Span(at, at))]
        copied = place
    return joined([*parts, text.slice(copied, len(text.data))]) if added else text


def mended(data: bytes) -> bytes:
    """The text as the grammar can read it, byte for byte in place."""
    out = bytearray(_ALIGN.sub(b"alignas  ", data))
    for match in _ATTRIBUTE.finditer(data):
        end = match.end()
        if match[1] is not None:
            close = closing(data, match.end() - 1)
            end = close + 1 if close is not None else match.end()
        _erase(out, match.start(), end)
    for match in _OF_LAMBDA.finditer(data):
        _erase(out, *match.span(1))
    for match in _PRAGMA.finditer(data):
        _erase(out, *match.span())
    for match in _BEFORE_LOOP.finditer(data):
        if _before(data, match.start()) in (b";", b"{", b"}"):
            _erase(out, *match.span())
    for match in _QUALIFIER.finditer(data):
        if _BEFORE_QUALIFIER.search(data, max(0, match.start() - _LOOK_BACK), match.start()):
            _erase(out, *match.span())
    for match in _TYPENAME.finditer(data):
        if _BEFORE_TYPENAME.search(data, max(0, match.start() - _LOOK_BACK), match.start()):
            _erase(out, match.start(), match.start() + len(b"typename"))
    for match in _MACRO_CALL.finditer(data):
        _mend_call(out, data, match)
    for begin, end in bracketed_variables(data):
        out[begin] = out[end] = _SPACE
    return bytes(out)


def _mend_call(out: bytearray, data: bytes, match: re.Match[bytes]) -> None:
    given = bracketed(data, match.end() - 1) if out[match.start(1) : match.end(1)] == match[1] else None
    if given is None:
        return
    bounds, close = given
    for start, end in bounds:
        piece = data[start:end].lstrip()
        if piece.startswith(b"{") and b";" in piece:
            _unwrap(out, match.start(), start + len(data[start:end]) - len(piece), end, close)
            return
    if _is_of_head(data, match.start(), close + 1):
        _erase(out, match.start(), close + 1)
        return
    before = _before(data, match.start())
    after = data[close + 1 : close + 400]
    stripped = after.lstrip()
    alone = b"\n" in after[: len(after) - len(stripped)]
    statement = before in (b"", b";", b"{", b"}") and alone and stripped[:1] not in _CONTINUES
    if statement and stripped and data[close + 1 : close + 2].isspace():
        out[close + 1 : close + 2] = b";"


def _is_of_head(data: bytes, start: int, end: int) -> bool:
    """Whether a macro stands among the qualifiers of a function, as one for launch bounds does."""
    if _HEAD_GOES_ON.match(data, end):
        return _before(data, start) in (b"", b";", b"{", b"}", b">", b")")
    inside = _IN_HEAD.search(data, max(0, start - _LOOK_BACK), start) is not None
    return inside and _NAME_OF.match(data, end) is not None


def _before(data: bytes, place: int) -> bytes:
    """The last byte before a place that is no space; none at the beginning."""
    step = _LOOK_BACK
    while place > 0:
        start = max(0, place - step)
        near = data[start:place].rstrip()
        if near:
            return near[-1:]
        place, step = start, 2 * step  # comments are blank by now, and expanded macros may bring many of them
    return b""


def _unwrap(out: bytearray, start: int, block: int, end: int, close: int) -> None:
    """Leaves the block that a macro is given, as a statement."""
    _erase(out, start, block)
    _erase(out, end, close + 1)


def _erase(out: bytearray, start: int, end: int) -> None:
    out[start:end] = bytes(out[start:end]).translate(_BLANK)
