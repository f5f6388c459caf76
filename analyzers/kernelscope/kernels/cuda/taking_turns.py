"""What takes turns in a loop: halves of a buffer by a flag, stages by a count, pointers that are swapped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelscope.dims import Dim, dim

_FLIPS = (
    re.compile(r"\b(\w+)\s*\^=\s*1\b"),
    re.compile(r"\b(\w+)\s*=\s*1\s*-\s*\1\b"),
    re.compile(r"\b(\w+)\s*=\s*!\s*\1\b"),
    re.compile(r"\b(\w+)\s*=\s*\(?\s*\1\s*\^\s*1\b"),
)
"""A number that is 0 and 1 in turn."""
_WRAPS = (
    re.compile(r"\b(\w+)\s*=\s*\(\s*\1\s*\+\s*1\s*\)\s*%\s*([\w:]+|\([^()]*\))"),
    re.compile(r"\b(\w+)\s*=\s*\(?\s*\1\s*==\s*([\w:]+)\s*-\s*1\s*\)?\s*\?\s*0"),
    re.compile(r"\bif\s*\(\s*\+\+\s*(\w+)\s*==\s*([\w:]+)\s*\)"),
    re.compile(r"\b(\w+)\s*=\s*\(?\s*\(?\1\s*\+\s*1\s*\)?\s*(?:<|==)\s*([\w:]+)\s*\)?\s*\?"),
)
"""A number that counts through stages and begins anew."""
_REST = re.compile(r"\[\s*\(?\s*\w+(?:\s*[+-]\s*[\w\s+-]+)?\)?\s*%\s*([\w:]+|\([^()]*\))\s*\]")
_PARITY = re.compile(r"\[\s*\(?\s*\w+(?:\s*[+-]\s*\w+)?\s*\)?\s*&\s*1\s*\]")
_STATE = re.compile(r"\bPipelineState\s*<\s*([\w:]+)\s*>")
"""CUTLASS's number of a stage."""
_STAGE = re.compile(r"(?i)stage|pipe|slot|buf|ring")
_SWAPS = re.compile(r"\b(?:std::|cuda::std::)?swap\s*\(\s*(\w+)\s*,\s*(\w+)\s*\)")
_KEPT = re.compile(r"\b(\w+)\s*=\s*(\w+)\s*;\s*(\w+)\s*=\s*(\w+)\s*;\s*(\w+)\s*=\s*(\w+)\s*;")


@dataclass(frozen=True, slots=True)
class Turns:
    """What takes turns in a loop."""

    flags: frozenset[str]
    """Numbers that are 0 and 1 in turn."""
    counts: tuple[str, ...]
    """How many stages there are, as written where a number of a stage begins anew."""
    swapped: frozenset[frozenset[str]]
    """Pairs of pointers that change places."""

    def change_places(self, a: str, b: str) -> bool:
        return frozenset((a, b)) in self.swapped

    def buffers(self, evaluate: Callable[[str, int], Dim | None], offset: int) -> Dim | None:
        """How many parts take turns; None where that is not written, or in several ways."""
        sizes = {evaluate(text.strip("()"), offset) for text in self.counts}
        if self.flags or self.swapped:
            sizes.add(dim(2))
        return sizes.pop() if len(sizes) == 1 else None


def turns_in(text: str) -> Turns:
    """What takes turns in the text of a loop."""
    flags = frozenset(found[1] for pattern in _FLIPS for found in pattern.finditer(text))
    counts = [found[2] for pattern in _WRAPS for found in pattern.finditer(text)]
    counts += [found[1] for found in _REST.finditer(text)]
    counts += ["2"] if _PARITY.search(text) else []
    return Turns(flags, tuple(dict.fromkeys(counts)), frozenset(_pairs(text)))


def stage_counts(text: str) -> list[str]:
    """How many stages a ring has, as written where the number of a stage begins anew."""
    found = (match for pattern in (*_WRAPS, _STATE) for match in pattern.finditer(text) if _STAGE.search(match[0]))
    return list(dict.fromkeys(match[match.re.groups] for match in found))


def _pairs(text: str) -> Iterator[frozenset[str]]:
    for found in _SWAPS.finditer(text):
        yield frozenset((found[1], found[2]))
    for found in _KEPT.finditer(text):
        kept, first, over, second, back, last = found.groups()
        if first == over and second == back and kept == last:
            yield frozenset((first, second))
