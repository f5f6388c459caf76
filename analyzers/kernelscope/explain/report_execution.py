"""How the work of a system runs, as sections of a report: tiles, memory accesses, order and synchronisation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from kernelscope.explain.report_layout import MOST_CLAIMS, Layout, claims_about, steps_of
from kernelscope.explain.report_places import Json, Places
from kernelscope.serving.claims import Claim
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.system import System

MOST_TILING_STEPS = 15
MOST_SYNCS = 100


_TILES = re.compile(r"BLOCK|TILE|SPLIT|STAGE|WARP", re.IGNORECASE)
_PAGES = re.compile(r"(?!.*(?:tile|split|stage|warp)).*block(?:s|_size)?(?:_|-|$)")
"""Names of what may as well be a block of a cache, where the file has no kernels."""


def tiling(system: System, places: Places) -> list[Json]:
    """Block sizes in configurations and arguments, grouped by their owner, and numbers of tiles."""
    kernels = frozenset(reading.path for reading in system.readings if reading.has_kernels)
    found: list[Json] = []
    for owner, group in system.following(("tiles", kernels), lambda: _declared_tiles(system, kernels)):
        blocks = ", ".join(f"{p.name} = {p.expression or p.value}" for p in group)
        evidence = places.evidence(*(p.location for p in group))
        found.append({"kernel": owner, "mapping": f"{owner}: {blocks}", "evidence": evidence})
    for claim in system.about("tiling")[:MOST_CLAIMS]:
        found.append({"kernel": claim.name, "num_tiles": claim.value, "evidence": places.evidence(*claim.evidence)})
    return found + [_of_kernel(row) for row in steps_of("tiling", MOST_TILING_STEPS)(system, places)]


def _declared_tiles(system: System, kernels: frozenset[Path]) -> list[tuple[str, list[Parameter]]]:
    """Sizes of tiles by the class, function or name that they are of."""
    owners: dict[tuple[str, str], list[Parameter]] = {}
    for p in system.parameters:
        may_be_pages = p.location.path not in kernels and _PAGES.search(p.name)
        if isinstance(p.value, int) and _TILES.search(p.name) and not may_be_pages:
            owners.setdefault((p.owner or p.name, str(p.location.path)), []).append(p)
    return [(owner, group) for (owner, _), group in list(owners.items())[:MOST_CLAIMS]]


def memory_access(system: System, places: Places) -> list[Json]:
    """Claims about memory, then the steps of functions that move it."""
    rows = [*claims_about("memory_access")(system, places), *steps_of("memory_access")(system, places)]
    return [_of_kernel(row) for row in rows]


def _of_kernel(row: Json) -> Json:
    return {"kernel": row["name"], **row}


def _order(system: System, places: Places) -> list[Json]:
    return places.claims(_in_order(system.about("dependencies.order")), 2 * MOST_CLAIMS)


def _in_order(claims: Iterable[Claim]) -> list[Claim]:
    """What an order means before the orders themselves."""
    return sorted(claims, key=lambda claim: claim.name.endswith(" order") and not claim.name.endswith("norm order"))


def _sync(system: System, places: Places) -> list[Json]:
    rows = claims_about("dependencies.sync")(system, places)
    for s in [s for s in system.syncs if s.role != "fetch"][:MOST_SYNCS]:
        expected: Json = {"expected": s.expected} if s.expected else {}
        rows.append({"kind": s.kind, s.role: s.text, **expected, "evidence": places.evidence(s.location, *s.also)})
    return rows


DEPENDENCIES: Layout = {"order": _order, "sync": _sync, "steps": steps_of("dependencies")}
