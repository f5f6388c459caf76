"""The full report of a workspace as plain data: every claim with its own evidence, absence said with what was searched.

The layout follows the published schema of the report (`schema_version` 1). Facts come from `serving/`; each list begins
with what structure shows and is cut where an engineer would stop reading. A fault costs the list that it is met in, and
stands among the diagnostics.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from kernelscope.explain.faq import faq
from kernelscope.explain.report_config import CONFIG
from kernelscope.explain.report_distribution import DISTRIBUTION
from kernelscope.explain.report_execution import DEPENDENCIES, memory_access, tiling
from kernelscope.explain.report_kernels import Kernels
from kernelscope.explain.report_layout import MOST_CLAIMS, Layout, cut_to_size, laid_out
from kernelscope.explain.report_places import Json, Places
from kernelscope.explain.report_serving import SERVING
from kernelscope.explain.report_structure import TOPOLOGY, components, units
from kernelscope.faults import Fault
from kernelscope.results import IndexProgress, Location
from kernelscope.serving.contradictions import contradictions
from kernelscope.serving.readings import Readings
from kernelscope.serving.system import System
from kernelscope.workspace.workspace import Workspace


def report(
    workspace: Workspace,
    readings: Readings,
    kernels: Kernels,
    root: Path,
    focus: Sequence[str] = (),
    progress: Callable[[IndexProgress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Json:
    """The report of the files below `focus` (relative paths; all of them when empty)."""
    paths = in_focus(workspace, root, focus, cancelled)
    system = readings.system(paths, progress, cancelled)
    places = Places(root, kernels.texts)
    tiles, accesses = kernels.rows(system, places)
    layout: Layout = {
        "topology": TOPOLOGY,
        "serving": SERVING,
        "faq": faq,
        "units_of_work": units,
        "config": CONFIG,
        "components": components,
        "tiling": lambda system, places: tiles + tiling(system, places),
        "memory_access": lambda system, places: accesses + memory_access(system, places),
        "dependencies": DEPENDENCIES,
        "distributed": DISTRIBUTION,
        "diagnostics": _contradictions,
    }
    found = laid_out(layout, system, places)
    cut_to_size(found)
    return {
        "schema_version": 1,
        "workspace": _workspace(system, root, workspace.files.other_languages(str(root))),
        **found,
        "diagnostics": [*cast("list[Json]", found["diagnostics"]), *_missing(system, places)],
    }


def _contradictions(system: System, places: Places) -> list[Json]:
    """Where the system contradicts itself, outside its tests and examples."""
    found = system.following("contradictions", lambda: list(contradictions(system.declared, system.demands)))
    rows: list[Json] = []
    for c in found:
        evidence = places.evidence(*c.evidence)
        rows.append({"severity": "warning", "code": c.code, "message": c.message, "evidence": evidence})
    return rows[:MOST_CLAIMS]


def _missing(system: System, places: Places) -> list[Json]:
    """What our own faults cost: parts of files with the file, then parts of the report."""
    faults = [(fault, reading.path) for reading in system.readings for fault in reading.faults]
    rows = [_fault(fault, places.evidence(Location(path, 1))) for fault, path in faults]
    return [*rows[:MOST_CLAIMS], *(_fault(fault, []) for fault in system.faults)]


def _fault(fault: Fault, evidence: list[Json]) -> Json:
    return {"severity": "error", "code": "part-missing", "message": fault.text, "evidence": evidence}


def in_focus(
    workspace: Workspace, root: Path, focus: Sequence[str], cancelled: Callable[[], bool] = lambda: False
) -> list[str]:
    """The source files below the parts of `root` that the user named."""
    wanted = [os.path.normpath(root / part) for part in focus]
    return [entry.path for entry in workspace.files.walk(cancelled, () if str(root) in wanted else wanted)]


def _workspace(system: System, root: Path, others: Mapping[str, int]) -> Json:
    """What was read, and how many files of other languages were met and not read: "not found" says nothing of them."""
    frameworks = sorted({name for reading in system.readings for name in reading.frameworks})
    lines = sum(reading.lines for reading in system.readings)
    row: Json = {"root": root.name, "frameworks": frameworks, "files": len(system.readings), "lines": lines}
    if others:
        counted = ", ".join(f"{count} of {language}" for language, count in others.items())
        row["not_read"] = f"files in other languages ({counted}), so what they do is missing here"
    return row
