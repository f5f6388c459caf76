r"""Formulas and roles of documentation in plain words: `:math:`\mathbf{X} \in \mathbb{R}^{N \times F}`` has a shape.

Reads text only. A formula says the shape of what it says to be in a space; others stay as they are.
"""

from __future__ import annotations

import re
from functools import lru_cache

WRITTEN = (
    (re.compile(r"\\(?:mathcal|mathbf|mathrm|mathit|text|textit|textrm|boldsymbol)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\_"), "_"),
    (re.compile(r"\\(?:cdot|times)\b"), "*"),
    (re.compile(r"\\(?:l|c)?dots\b"), "..."),
    (re.compile(r"_\s*\{\s*(\w+)\s*\}"), r"_\1"),
    (re.compile(r"\|\s*(\w+)\s*\|"), r"\1"),
)
"""How formulas write names of sizes, and what is meant; how many a set has is called by its letter."""
ROLE = re.compile(r":(\w+):`([^`]*)`")
SPACE = re.compile(
    r"\\in\s*(?:\\mathbb\s*\{\w\}|\\?\{.*\})\s*\^\s*(?:\{(?P<sizes>[^{}^]*(?:\{[^{}^]*\}[^{}^]*)*)\}|(?P<size>\w))\s*$",
    re.DOTALL,
)
"""`\\in \\mathbb{R}^{B \\times N}` and `\\in {\\{ 0, 1 \\}}^N`."""
SUM = re.compile(r"\(\s*(\w+?)_\{?\w+\}?\s*\+\s*\\l?dots\s*\+\s*\1_\{?\w+\}?\s*\)")
"""All nodes of a batch, `(N_1 + \\ldots + N_B)`, are as many as their letter says."""
TIMES = re.compile(r"\s*\\times\b\s*")
KEPT = 256
"""Texts that are read once: each parameter asks."""


def plain(formula: str) -> str:
    """A formula as far as it names sizes."""
    for written, meant in WRITTEN:
        formula = written.sub(meant, formula)
    return formula


@lru_cache(KEPT)
def in_plain_words(text: str) -> str:
    """A docstring without roles, with shapes in place of spaces."""
    return ROLE.sub(_said, text) if ":`" in text else text


def _said(found: re.Match[str]) -> str:
    content = found[2]
    space = SPACE.search(content) if found[1] == "math" else None
    if space is None:
        return f"`{content}`"
    sizes = TIMES.sub(", ", SUM.sub(r"\1", space["sizes"] or f"{space['size']}\\times"))
    return f"of shape ({plain(sizes).strip()})"
