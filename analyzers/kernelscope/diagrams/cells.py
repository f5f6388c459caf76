"""Text measured in cells of a fixed-width font, and the same text in plain ASCII.

A picture is right only if every glyph is one cell wide in the reader's font, so all glyphs drawn are from a short list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_ASCII = str.maketrans(
    "─│═║" + "┌┐└┘├┤┬┴┼╔╗╚╝" + "▼▲►◄→←↑↓" + "×·…≤≥±█▓▒░—–∈≈Σ≠√",
    "-|=|" + "+++++++++++++" + "v^><><^v" + "x..<>~####--e~S!V",
)

_SINGLE = re.compile("[ -\u02ff\u2010-\u2027\u2190-\u22ff\u2500-\u25fc]*")
"""Characters that take one cell each, frames and arrows among them."""

_BREAKS = tuple(
    map(re.compile, (r"(?:\[[^\]]*\]|\S)+", r"\S+", r"[^·*/+]*[·*/+]*", r"[A-Z]*[^A-Z_./*+,-]*[_./*+,-]*", r"."))
)
"""The pieces of a text that is broken, from the best way to the last: words, shapes unbroken; words; factors and terms;
parts of names."""


def display_width(text: str) -> int:
    """Cells that `text` takes: wide characters two, combining ones none."""
    if _SINGLE.fullmatch(text):
        return len(text)
    return sum(_cells(c) for c in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def to_cells(text: str) -> list[str]:
    """One entry a cell: a wide character is followed by an empty one, combining marks stay with their base."""
    if _SINGLE.fullmatch(text):
        return list(text)
    cells: list[str] = []
    for character in text:
        width = _cells(character)
        if width == 0 and cells:
            cells[-1 if cells[-1] else -2] += character
        else:
            cells += [character, ""][: max(1, width)]
    return cells


def pad(text: str, width: int) -> str:
    """`text` with blanks up to `width` cells."""
    return text + " " * (width - display_width(text))


def centre(text: str, width: int) -> str:
    """`text` in the middle of `width` cells; a spare cell goes to the right."""
    spare = width - display_width(text)
    return " " * (spare // 2) + text + " " * (spare - spare // 2)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; what was cut is an ellipsis."""
    if display_width(text) <= width:
        return text
    return "".join(to_cells(text)[: max(0, width - 1)]) + "…"


def wrap_cells(text: str, width: int) -> list[str]:
    """`text` in rows of at most `width` cells (at least two), broken at spaces, best outside of brackets, else where
    the parts of a name meet, else anywhere."""
    width = max(2, width)
    rows, row = list[str](), ""
    for blank, piece in _pieces(text, width, _BREAKS):
        joined = row + blank + piece if row else piece
        if display_width(joined) <= width:
            row = joined
            continue
        if row:
            rows.append(row)
        row = piece
    return [*rows, row] if row or not rows else rows


def _pieces(text: str, width: int, breaks: tuple[re.Pattern[str], ...]) -> Iterator[tuple[str, str]]:
    """Pieces that fit, each with the blank before it, broken as rarely as possible."""
    for found in breaks[0].finditer(text):
        word = found[0].strip()
        blank = " " if found.start() and text[found.start() - 1].isspace() else ""
        if not word:
            continue
        if display_width(word) <= width or len(breaks) == 1:
            yield blank, word
            continue
        first, *others = _pieces(word, width, breaks[1:])
        yield blank, first[1]
        yield from others


def to_ascii(text: str) -> str:
    """The same text in plain ASCII glyphs, one character for one, so that positions stay."""
    return text.translate(_ASCII)
