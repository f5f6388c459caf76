"""In which sections of a report the steps of a function stand: that of its name, and those of what is claimed of it.

A function that hashes blocks speaks of the cache by its name and of shared prefixes by what it does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.procedures import COMPONENT, NOWHERE, Procedure

SECTIONS = ("serving.topology", "serving.lifecycle", "serving.scheduling", "serving.batching", "serving.kv_cache",
            "serving.prefix_cache", "distributed", "dependencies", "topology")  # fmt: skip
"""Sections that hold steps, and claims that functions are cited for."""
MOST_PLACES = 2
"""How many places of a claim are looked at: the first are where it is, the others where it comes from."""


def also_told(
    procedures: list[Procedure], claims: dict[str, list[Claim]], further: Iterable[tuple[str, Location]]
) -> list[Procedure]:
    """The functions of a file, each with the sections of the claims and records within it; who has none goes."""
    spans = sorted({(p.evidence[0].line, p.last_line) for p in procedures if p.last_line})
    sections: dict[tuple[int, int], dict[str, None]] = {}
    for section, place in (*_cited(claims), *further):
        span = _around(spans, place.line)
        if span is not None:
            sections.setdefault(span, {})[section] = None
    placed = (_with(p, sections.get((p.evidence[0].line, p.last_line), {})) for p in procedures)
    return [p for p in placed if p.section != NOWHERE]


def _with(p: Procedure, sections: Iterable[str]) -> Procedure:
    if p.section == COMPONENT:
        return p
    also = dict.fromkeys((*p.also, *sections))
    if p.section == NOWHERE and also:
        p = replace(p, section=next(iter(also)), weight=1)
    also.pop(p.section, None)
    return replace(p, also=tuple(also)) if len(also) != len(p.also) else p


def _cited(claims: dict[str, list[Claim]]) -> Iterator[tuple[str, Location]]:
    """The sections of claims with where those lie."""
    for section, found in claims.items():
        name = next((s for s in SECTIONS if section == s or section.startswith(f"{s}.")), "")
        if name:
            yield from ((name, place) for claim in found for place in claim.evidence[:MOST_PLACES])


def _around(spans: list[tuple[int, int]], line: int) -> tuple[int, int] | None:
    """The innermost function that a line lies in."""
    at = bisect_right(spans, (line, 1 << 30))
    return next((spans[i] for i in range(at - 1, -1, -1) if spans[i][1] >= line), None)
