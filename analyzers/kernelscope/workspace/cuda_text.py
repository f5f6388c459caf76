"""Pieces of C++ text for the scanner: what is no code, closing brackets, parts between commas, names, literals."""

from __future__ import annotations

import re

from kernelscope.syntax.cuda.launch_brackets import with_joined_brackets

KEYWORDS = frozenset(
    b"if for while switch return sizeof alignof decltype static_cast reinterpret_cast const_cast dynamic_cast defined "
    b"catch new delete throw noexcept alignas static_assert typeid assert void int float double bool char auto "
    b"__launch_bounds__ __attribute__ __declspec __align__ requires template operator typename and or not asm volatile "
    b"__asm__ else do case constexpr explicit".split()
)
"""Words before a bracket that call nothing."""
_NOISE = re.compile(
    rb"//[^\n]*"
    rb"|/\*.*?(?:\*/|\Z)"
    rb"|R\"([^\s()\\]{0,16})\(.*?\)\1\""
    rb'|"[^"\\\n]*+(?>(?:\\.[^"\\\n]*+)*)"?'
    rb"|'(?>(?:[^'\\\n]|\\.){1,8})'",
    re.DOTALL,
)
_DIRECTIVE = re.compile(rb"(?m)^[ \t]*#[ \t]*(\w*)[^\n\\]*+(?>(?:\\(?:\r?\n|.)[^\n\\]*+)*)")
_LINE = re.compile(_DIRECTIVE.pattern + rb"(?:\n|\\?\Z)")
_BLANK = bytes.maketrans(bytes(range(256)), bytes(c if c in b"\r\n" else 32 for c in range(256)))
_PLAIN_NAME = re.compile(rb"(?:\w+::)*[A-Za-z_]\w*\Z")
_STRING = re.compile(rb'"((?:[^"\\\n]|\\.)*)"|R"([^\s()\\]{0,16})\((.*?)\)\2"', re.DOTALL)
_BRACKETS = re.compile(rb"[()\[\]{}]")
_PLACE = re.compile(rb"(?:\s*\[[^\[\];]{0,200}\]){1,3}\Z")
"""The place in a table whose element is launched: `table[bits - 2]<<<…>>>`."""
_SEPARATORS = re.compile(rb"[()\[\]{},]")
_TYPES = rb"(?>(?:[^;{}()<>=]|\([^;{}()<>=]{0,99}\)){0,2500})"
TOKEN = re.compile(
    rb"[{};]"
    rb"|\x01[ioe]"
    rb"|<<<"
    rb"|\b(?P<call>(?>(?:[A-Za-z_]\w*+\s*+::\s*+)*)[A-Za-z_]\w*+)\s*+"
    rb"(?:<" + _TYPES + rb"(?:<" + _TYPES + rb">" + _TYPES + rb"){0,3}>)?\s*\("
    rb"|=\s*+(?:\(\s*+(?:const\s++)?void\s*+\*\s*+\)\s*+)?&?\s*+"
    rb"(?P<ref>(?>(?:[A-Za-z_]\w*::)*)[A-Za-z_]\w*+)\s*+(?=[<;])(?!<<)"
)
"""What the scanner stops at: brackets, branches of `#if`, launches, calls, and functions that are held."""
MACRO_NAME = re.compile(rb"[A-Z][A-Z0-9]*_[A-Z0-9_]+\Z")


def launches(text: bytes) -> bool:
    """A look for what every launch is written with, which spares most files a search for launches."""
    return b"<<<" in text or b"Launch" in text


def without_strings(data: bytes) -> bytes:
    """Comments and strings replaced by spaces of equal length."""
    return _NOISE.sub(_spaces, data)


def with_macro_bodies(text: bytes) -> bytes:
    """A text without comments and strings, its directives blanked but for macros, in lines of their own.

    What stands behind a directive begins anew: `#endif` and a call in the next line are no declaration.
    """
    return _LINE.sub(_macro_alone, text).replace(b"\\\n", b" \n").replace(b"\\\r\n", b" \r\n")


def _macro_alone(match: re.Match[bytes]) -> bytes:
    if match[1] != b"define":
        return match[0].translate(_BLANK)
    return match[0][:-1] + b";" if match[0].endswith(b"\n") else match[0]


def blank_noise(data: bytes) -> bytes:
    """Comments, strings and directives replaced by spaces of equal length; `#if`, `#else`, `#endif` become marks."""
    return with_joined_brackets(_DIRECTIVE.sub(_directive_mark, without_strings(data)))


def _spaces(match: re.Match[bytes]) -> bytes:
    return match[0].translate(_BLANK)


def _directive_mark(match: re.Match[bytes]) -> bytes:
    word = match[1]
    mark = b"i" if word.startswith(b"if") else b"o" if word in (b"else", b"elif") else b"e" if word == b"endif" else b""
    blank = match[0].translate(_BLANK)
    return b"\x01" + mark + blank[2:] if mark else blank


def closing(text: bytes, opening: int, limit: int = 8_000) -> int | None:
    """The offset of the bracket that closes the one at `opening`."""
    depth = 0
    for match in _BRACKETS.finditer(text, opening, opening + limit):
        depth += 1 if match[0] in b"([{" else -1
        if depth == 0:
            return match.start()
    return None


def comma_bounds(text: bytes, start: int, end: int) -> list[tuple[int, int]]:
    bounds: list[tuple[int, int]] = []
    depth, begin = 0, start
    for match in _SEPARATORS.finditer(text, start, end):
        if match[0] == b",":
            if depth == 0:
                bounds.append((begin, match.start()))
                begin = match.end()
        else:
            depth += 1 if match[0] in b"([{" else -1
    bounds.append((begin, end))
    return bounds


def split_at_commas(text: bytes) -> list[bytes]:
    return [text[a:b].strip() for a, b in comma_bounds(text, 0, len(text))] or [b""]


def callee_before(head: bytes) -> bytes | None:
    """The kernel's name at the end of a text, before its template arguments or its place: `ns::kernel<T, (N > 1)>`."""
    text = _PLACE.sub(b"", head.rstrip())
    text = _without_arguments(text)
    if text.endswith(b")"):
        return None
    found = re.search(rb"(?:[A-Za-z_]\w*\s*::\s*)*(?:template\s+)?[A-Za-z_]\w*$", text[-200:])
    return found[0] if found else None


def qualifier_before(head: bytes) -> bytes:
    """The class with template arguments before `::` at the end of a text: `Norm<>::` of `Norm<T, 4>::`."""
    text = head.rstrip().removesuffix(b"::").rstrip()
    if not text.endswith(b">"):
        return b""
    found = re.search(rb"(?:\w+\s*::\s*)*[A-Za-z_]\w*$", _without_arguments(text)[-200:])
    return found[0] + b"<>::" if found else b""


def _without_arguments(text: bytes) -> bytes:
    """A text without the template arguments at its end."""
    if not text.endswith(b">"):
        return text
    depth = parens = 0
    for i in range(len(text) - 1, -1, -1):
        char = text[i : i + 1]
        parens += (char == b")") - (char == b"(")
        if parens:
            continue
        depth += (char == b">") - (char == b"<")
        if depth == 0 and char == b"<":
            return text[:i].rstrip()
    return text


def without_template(header: bytes) -> bytes:
    """Leading `template <...>` blanked, so that its defaults are not taken for a parameter list."""
    out = header
    while match := re.match(rb"\s*template\s*<", out):
        depth, i = 1, match.end()
        while i < len(out) and depth:
            char = out[i : i + 1]
            depth += (char == b"<") - (char == b">")
            i += 1
        if depth:
            return out
        out = b" " * i + out[i:]
        if not out.strip():
            break
    return out


def literal(argument: bytes) -> str | None:
    """The text of an argument that is one or several adjoining string literals."""
    pieces = [m[1] if m[1] is not None else m[3] for m in _STRING.finditer(argument)]
    return decoded(b"".join(pieces)) if pieces and argument.lstrip()[:1] in b'"R' else None


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def is_plain_name(text: bytes) -> bool:
    """Whether a text is one name, with or without its namespaces."""
    return _PLAIN_NAME.match(text) is not None
