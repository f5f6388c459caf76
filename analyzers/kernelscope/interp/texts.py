"""Texts of the program that are put together from texts and numbers that are known, such as names of attributes."""

# Values are dynamic by nature; narrowing one to a slice leaves its bounds unknown to the type checker.
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Sequence

from kernelscope.dims import Dim
from kernelscope.interp.sequences import slice_of
from kernelscope.interp.values import Formatted, Value
from kernelscope.results import Span
from kernelscope.tensor import Unknown

BRACES = re.compile(r"\{\}")
NUMBER = re.compile(r"\d")
PERCENTS = re.compile("%[dsi]")


def text_of(value: Value) -> str | None:
    """What `str` gives of a text or a number, if it is known."""
    if isinstance(value, Dim):
        return None if value.const is None else str(value.const)
    return value if isinstance(value, str) else None


def pattern_of(parts: Sequence[Value]) -> str:
    """The parts one behind the other, with braces for those that are not known."""
    texts = (part.pattern if isinstance(part, Formatted) else text_of(part) for part in parts)
    return "".join("{}" if text is None else text for text in texts)


def put_together(parts: Sequence[Value], span: Span) -> str | Formatted:
    """The text that the parts make, or its pattern where some of them are not known."""
    text = joined_text(parts)
    return Formatted("a text that is not known", span, pattern_of(parts)) if text is None else text


def fits(name: str, pattern: str) -> bool:
    """Whether a name may be one that is put together by a pattern."""
    return re.fullmatch(".+".join(map(re.escape, BRACES.split(pattern))), name) is not None


def is_numbered(name: str, pattern: str) -> bool:
    """Whether a name is what a pattern makes of numbers."""
    return re.fullmatch("[0-9]+".join(map(re.escape, BRACES.split(pattern))), name) is not None


def joined_text(parts: Sequence[Value]) -> str | None:
    """The parts one behind the other, if all are known."""
    texts = [text for part in parts if (text := text_of(part)) is not None]
    return "".join(texts) if len(texts) == len(parts) else None


def joined_by(separator: str, parts: Sequence[Value]) -> str | None:
    """What `separator.join(parts)` gives, if all are known."""
    texts = [part for part in parts if isinstance(part, str)]
    return separator.join(texts) if len(texts) == len(parts) else None


def filled(template: str, places: re.Pattern[str], values: Sequence[Value], span: Span) -> str | Formatted | None:
    """`block{}` or `block%d` with its places filled; none where it asks for more than the plain values."""
    around = places.split(template)
    if len(around) != len(values) + 1 or any(sign in text for text in around for sign in "{}%"):
        return None
    parts = [part for pair in zip(around, values, strict=False) for part in pair]
    return put_together([*parts, around[-1]], span)


def text_operation(op: str, left: Value, right: Value, span: Span) -> str | Formatted | None:
    """`"block%d" % i` and `"block" + name`; none where it is no operation on texts."""
    if op == "%" and isinstance(left, str):
        return filled(left, PERCENTS, right if isinstance(right, tuple) else (right,), span)
    is_text = isinstance(left, str | Formatted) and isinstance(right, str | Formatted)
    return put_together((left, right), span) if op == "+" and is_text else None


def part_of_text(text: str, index: Value, span: Span) -> Value:
    """A letter or a slice of a text, if it is known which: `"abc"[:2]`."""
    if isinstance(index, Dim) and index.const is not None and -len(text) <= index.const < len(text):
        return text[index.const]
    part = slice_of(index) if isinstance(index, slice) else None
    return Unknown("a text that is not known", span) if part is None else text[part]
