"""The functions behind the answers of the FAQ: what the code does where the claims of an answer were found.

A claim is one sentence of a function; its steps tell what comes before and after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from kernelscope.explain.report_layout import FEW_FILES, MORE
from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.procedures import Procedure
from kernelscope.serving.system import System

MOST_FUNCTIONS = 6
MOST_PLACES = 2
"""How many places of a claim are looked at: the first are where it is, the others where it comes from."""


class Functions:
    """The functions of a system by the lines that they take."""

    def __init__(self, system: System) -> None:
        self._told = system.parameter_names | {c.kind for c in system.demands}
        self._readings = {reading.path: reading for reading in system.readings if not reading.aside}
        self._most = MOST_FUNCTIONS * (MORE if len(system.readings) <= FEW_FILES else 1)
        self._spans: dict[Path, list[tuple[int, int, Procedure]]] = {}

    def behind(self, claims: Iterable[Claim]) -> list[Procedure]:
        """The functions that most claims lie in, those that are cited first before others.

        Settings and constraints have none: they say all that there is.
        """
        found: dict[tuple[Path, int], tuple[int, Procedure]] = {}
        for claim in claims:
            if claim.name in self._told:
                continue
            for key, p in {self._key(p): p for p in map(self._around, claim.evidence[:MOST_PLACES]) if p}.items():
                found[key] = (found[key][0] + 1 if key in found else 1, p)
        ranked = sorted(found.values(), key=lambda entry: -entry[0])
        return [p for _, p in ranked[: self._most]]

    def _key(self, p: Procedure) -> tuple[Path, int]:
        return (p.evidence[0].path, p.evidence[0].line)

    def _around(self, place: Location) -> Procedure | None:
        """The innermost function that a line lies in."""
        spans = self._spans.get(place.path)
        if spans is None:
            reading = self._readings.get(place.path)
            told = reading.procedures if reading is not None else []
            spans = [(p.evidence[0].line, p.last_line, p) for p in told if p.last_line]
            self._spans[place.path] = sorted(spans, key=lambda span: span[:2])
            spans = self._spans[place.path]
        at = bisect_right(spans, place.line, key=lambda span: span[0])
        return next((spans[i][2] for i in range(at - 1, -1, -1) if spans[i][1] >= place.line), None)
