"""How a report is laid out: lists of rows under keys, each made on its own so that a fault costs one list only.

Also the lists that most sections have: claims of a section and the steps of its functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from kernelscope.explain.report_places import Json, Places
from kernelscope.faults import part
from kernelscope.serving.procedures import Procedure
from kernelscope.serving.system import System

MOST_CLAIMS = 60
MOST_STEPS = 30
FEW_FILES = 300
MORE = 3
"""How many times as many functions are told of a system that has so few files."""

Rows = Callable[[System, Places], list[Json]]
"""Makes one list of a report."""
Layout: TypeAlias = "dict[str, Rows | Layout]"


def laid_out(layout: Layout, system: System, places: Places, above: str = "") -> Json:
    """The lists of a layout; one whose maker fails is empty, and the system's faults say so."""
    found: Json = {}
    for key, rows in layout.items():
        name = f"{above}{key}"
        if not callable(rows):
            found[key] = laid_out(rows, system, places, f"{name}.")
            continue
        found[key] = []
        with part(f"section {name} of the report", system.faults):
            found[key] = rows(system, places)
    return found


def claims_about(section: str, most: int = MOST_CLAIMS) -> Rows:
    """The claims of a section."""
    return lambda system, places: places.claims(system.about(section), most)


def steps_of(section: str, most: int = MOST_STEPS) -> Rows:
    """The functions that belong to a section, those that fit best first, then those that belong to it, too."""

    def rows(system: System, places: Places) -> list[Json]:
        ranked = sorted(system.procedures_of(section), key=lambda p: _importance(system, p))
        more = MORE if len(system.readings) <= FEW_FILES else 1
        own = [p for p in ranked if p.section == section][: more * most]
        others = [p for p in ranked if p.section != section]
        return [places.procedure(p) for p in (*own, *others)[: more * (most + most // 5)]]

    return rows


def _importance(system: System, p: Procedure) -> tuple[int, int]:
    """What fits the section, does much and is used by many files comes first."""
    return (-p.weight * min(p.size, 30) * (2 + system.weight(p.evidence[0].path)), -p.size)
