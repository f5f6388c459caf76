"""Values of Python's literals: numbers and strings, as the language defines them.

Nothing is evaluated: `ast.literal_eval` is not used because it needs a whole valid expression.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(\r\n|\n|\r|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")
_SIMPLE = {"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LONGEST_NUMBER = 400


def number(text: str) -> int | float | complex | None:
    """The value of a numeric literal, or None where it is malformed or absurdly long."""
    if len(text) > _LONGEST_NUMBER:
        return None
    text = text.replace("_", "").rstrip("lL")
    try:
        if text[-1:] in "jJ":
            return complex(text)
        if text[:2].lower() in ("0x", "0o", "0b"):
            return int(text, 0)
        if text.isdigit():
            return int(text)
        return float(text)
    except ValueError:
        return None


def unescape(text: str) -> str:
    """The characters that a string body without `r` prefix stands for."""
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    body = match[1]
    if body in _SIMPLE:
        return _SIMPLE[body]
    if body[0] in "\r\n":
        return ""
    code = int(body[1:], 16) if body[0] in "xuU" else int(body, 8)
    return chr(code) if code <= 0x10FFFF else match[0]
