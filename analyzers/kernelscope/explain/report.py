"""The full report of a workspace as plain data: every claim with its own evidence, absence said with what was searched.

The layout follows the published schema of the report (`schema_version` 1). Facts come from `serving/`; each list begins
with what structure shows and is cut where an engineer would stop reading.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kernelscope.explain.faq import faq
from kernelscope.explain.report_kernels import Kernels
from kernelscope.explain.report_places import Json, Places
from kernelscope.explain.report_serving import importance, serving, steps
from kernelscope.results import IndexProgress
from kernelscope.serving.bindings import Native
from kernelscope.serving.claims import Claim
from kernelscope.serving.collectives import Collective
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.contradictions import contradictions
from kernelscope.serving.numbering import KINDS
from kernelscope.serving.parallel import strategies
from kernelscope.serving.parameters import Parameter
from kernelscope.serving.procedures import COMPONENT
from kernelscope.serving.readings import Readings
from kernelscope.serving.registries import Registry
from kernelscope.serving.sections import words
from kernelscope.serving.system import System
from kernelscope.workspace.workspace import Workspace

MOST_PARAMETERS = 520
MOST_CONSTRAINTS = 300
MOST_COMPONENTS = 140
MOST_REGISTRIES = 90
MOST_UNITS = 240
MOST_CLAIMS = 60
MOST_BINDINGS = 250
MOST_COLLECTIVES = 100
MOST_STEPS = 30
MAX_CHOICES = 1_500


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
    return {
        "schema_version": 1,
        "workspace": _workspace(system, root),
        "topology": _topology(system, places),
        "units_of_work": _units(system, places),
        "config": _config(system, places),
        "components": _components(system, places),
        "tiling": tiles + _tiling(system, places),
        "memory_access": accesses + [_of_kernel(row) for row in _section(system, places, "memory_access")],
        "dependencies": _dependencies(system, places),
        "distributed": _distributed(system, places),
        "serving": serving(system, places),
        "faq": faq(system, places.evidence, len(system.readings)),
        "diagnostics": _diagnostics(system, places),
    }


def _diagnostics(system: System, places: Places) -> list[Json]:
    """Where the system contradicts itself, outside its tests and examples."""
    found = contradictions(
        (p for p in system.parameters if not system.is_aside(p.location.path)),
        (c for c in system.constraints if not system.is_aside(c.location.path)),
    )
    rows: list[Json] = []
    for c in found:
        evidence = places.evidence(*c.evidence)
        rows.append({"severity": "warning", "code": c.code, "message": c.message, "evidence": evidence})
    return rows[:MOST_CLAIMS]


def in_focus(
    workspace: Workspace, root: Path, focus: Sequence[str], cancelled: Callable[[], bool] = lambda: False
) -> list[str]:
    """The source files below the parts of `root` that the user named."""
    wanted = [os.path.normpath(root / part) for part in focus]
    return [entry.path for entry in workspace.files.walk(cancelled, () if str(root) in wanted else wanted)]


def _workspace(system: System, root: Path) -> Json:
    frameworks = sorted({name for reading in system.readings for name in reading.frameworks})
    lines = sum(reading.lines for reading in system.readings)
    return {"root": root.name, "frameworks": frameworks, "files": len(system.readings), "lines": lines}


def _section(system: System, places: Places, name: str) -> list[Json]:
    """Claims of a section, then the steps of its functions."""
    return places.claims(system.about(name), MOST_CLAIMS) + steps(system, places, name, MOST_STEPS)


def _of_kernel(row: Json) -> Json:
    return {"kernel": row["name"], **row}


# -- configuration -------------------------------------------------------------------------------------------


def _config(system: System, places: Places) -> Json:
    rows = sorted(
        system.parameters,
        key=lambda p: (system.is_aside(p.location.path), importance(p), -system.weight(p.location.path)),
    )
    constraints = sorted(
        system.constraints,
        key=lambda c: (system.is_aside(c.location.path), c.kind in ("other", "shape"), -system.weight(c.location.path)),
    )
    alike: dict[tuple[str, str], list[Constraint]] = {}
    for c in constraints:
        alike.setdefault((c.condition, c.enforced_by), []).append(c)
    return {
        "parameters": [_parameter(p, places) for p in rows[:MOST_PARAMETERS]],
        "tables": places.claims(system.about("config"), MOST_CLAIMS),
        "constraints": [_constraint(group, places) for group in list(alike.values())[:MOST_CONSTRAINTS]],
    }


def _constraint(group: list[Constraint], places: Places) -> Json:
    """What several places demand in the same words, once."""
    c = group[0]
    return {
        "condition": c.condition,
        "kind": c.kind,
        "subject": list(c.subjects[:2]),
        "enforced_by": c.enforced_by,
        **({"message": c.message} if c.message else {}),
        "evidence": places.evidence(*(other.location for other in group), symbol=c.where),
    }


def _parameter(parameter: Parameter, places: Places) -> Json:
    shown: Json = {"name": parameter.name, "owner": parameter.owner or "module", "value": parameter.value}
    if parameter.expression:
        shown["expression"] = parameter.expression
    if parameter.choices:
        shown["choices"] = list(parameter.choices)
    if parameter.doc:
        shown["purpose"] = parameter.doc
    if parameter.overrides:
        shown["effective"] = "; ".join(
            f"{o.value} when {o.condition}" if o.condition else o.value for o in parameter.overrides
        )
        shown["overrides"] = [places.claim(o) for o in parameter.overrides[:3]]
    lines = [parameter.location, *(e for o in parameter.overrides for e in o.evidence)]
    return {**shown, "kind": parameter.kind, "evidence": places.evidence(*lines)}


# -- structure -----------------------------------------------------------------------------------------------


def _topology(system: System, places: Places) -> Json:
    scripts = [claim for reading in system.readings for claim in reading.scripts]
    loaders = {loader.name: loader for loader in system.loaders}
    bindings: list[Json] = []
    for natives in _by_operator(system):
        first = natives[0]
        where = [location for native in natives for location in (native.location, *native.also)]
        detail = "; ".join(native.detail for native in natives[:6])
        mechanism = first.mechanism
        loader = loaders.get(first.callee)
        if loader is not None:
            detail += f"; {loader.name} hands them to {loader.library}"
            mechanism = "tvm_ffi" if loader.library.startswith("tvm_ffi") else "jit_load"
            where.append(loader.location)
        evidence = places.evidence(*where, symbol=first.where)
        bindings.append({"op": first.op, "mechanism": mechanism, "detail": detail, "evidence": evidence})
    return {
        "execution_model": places.claims(system.about("topology.execution"), MOST_CLAIMS),
        "entry_points": [places.claim(claim) for claim in scripts if not system.is_aside(claim.evidence[0].path)][:40],
        "bindings": bindings,
        "steps": steps(system, places, "topology", MOST_STEPS),
    }


def _by_operator(system: System) -> list[list[Native]]:
    """Bindings grouped by the operator that they make known: its schema, then what implements it."""
    groups: dict[tuple[str, str], list[Native]] = {}
    for native in system.natives:
        if not system.is_aside(native.location.path):
            groups.setdefault((native.op, native.callee), []).append(native)
    return list(groups.values())[:MOST_BINDINGS]


def _units(system: System, places: Places) -> list[Json]:
    """Registered kinds of work, how it is dealt out and fetched, and the functions that build it."""
    units: list[Json] = []
    for registry in system.registries:
        if registry.kind == "decorator":
            units += _registered_units(registry, places)
    for claim in system.about("units_of_work"):
        units.append({"task": claim.name, "scheduling": claim.value, "evidence": places.evidence(*claim.evidence)})
    for s in system.syncs:
        if s.role == "fetch":
            units.append({"task": s.where, "scheduling": s.text, "evidence": places.evidence(s.location, *s.also)})
    for registry in system.registries:
        if registry.kind == "enum" and (KINDS | {"strategy", "policy", "mode"}) & set(words(registry.name)):
            units += _enumerated(registry, places)
    units += [_counted(p, places) for p in system.settings if p.kind == "constant" and KINDS & set(words(p.name))]
    rows = [{"task": row["name"], **row} for row in steps(system, places, "units_of_work", MOST_STEPS)]
    return units[:MOST_UNITS] + rows


def _counted(p: Parameter, places: Places) -> Json:
    """A constant about units of work: how wide an instruction is, how many inputs a task has."""
    purpose = f"{p.name} = {p.expression}" + (f" ({p.doc})" if p.doc else "")
    return {"task": p.name, "purpose": purpose, "evidence": places.evidence(p.location)}


def _registered_units(registry: Registry, places: Places) -> list[Json]:
    rows: list[Json] = []
    keys = ", ".join(entry.key for entry in registry.entries)
    if len(registry.entries) > 1:
        evidence = places.evidence(*(entry.location for entry in registry.entries))
        rows.append({"task": f"kinds of {registry.name}", "purpose": f"registered: {keys}", "evidence": evidence})
    for entry in registry.entries:
        purpose = f"{entry.key} is implemented by {entry.implementation}, registered with {registry.name}"
        rows.append({"task": entry.key, "purpose": purpose, "evidence": places.evidence(entry.location)})
    return rows


def _enumerated(registry: Registry, places: Places) -> list[Json]:
    """An enum as a whole, and each of its members where they are kinds of work."""
    members = ", ".join(f"{entry.key} = {entry.implementation}" for entry in registry.entries[:40])
    evidence = places.evidence(*(entry.location for entry in registry.entries))
    rows: list[Json] = [
        {"task": registry.name, "purpose": f"choices of {registry.name}: {members}", "evidence": evidence}
    ]
    if KINDS & set(words(registry.name)):
        for entry in registry.entries:
            purpose = f"{registry.name} {entry.key} = {entry.implementation}"
            rows.append({"task": entry.key, "purpose": purpose, "evidence": places.evidence(entry.location)})
    return rows


def _components(system: System, places: Places) -> list[Json]:
    """Registries with their choices, sizes that classes compute, and what forward passes and functions do."""
    merged: dict[tuple[str, str], Registry] = {}
    for registry in system.registries:
        known = merged.get((registry.name, registry.kind))
        if known is not None:
            registry = Registry(known.name, known.kind, (*known.entries, *registry.entries), known.location)
        merged[(registry.name, registry.kind)] = registry
    order = {"decorator": 0, "table": 1, "factory": 2, "enum": 3}
    found: list[Json] = []
    for registry in sorted(merged.values(), key=lambda r: (system.is_aside(r.location.path), order[r.kind]))[
        :MOST_REGISTRIES
    ]:
        choices = ", ".join(f"{e.key} → {e.implementation}" for e in registry.entries[:40])[:MAX_CHOICES]
        evidence = places.evidence(*(e.location for e in registry.entries))
        found.append(
            {"name": registry.name, "role": registry.kind, "value": f"choices: {choices}", "evidence": evidence}
        )
    found += places.claims(_telling(system.about(COMPONENT)), MOST_COMPONENTS)
    procedures = [p for p in system.procedures if p.section == COMPONENT]
    for p in sorted(procedures, key=lambda p: -p.weight * 100 - min(p.size, 40))[:MOST_COMPONENTS]:
        found.append({"name": p.name, "role": "module" if p.weight else "function", "computes": f"{p.name}:\n{p.steps}",
                      "evidence": places.evidence(*p.evidence, symbol=p.name)})  # fmt: skip
    return found


def _telling(claims: Iterable[Claim]) -> list[Claim]:
    """Claims with prose before plain quotations of arithmetic."""
    return sorted(claims, key=lambda claim: " = " in claim.value[:60])


def _tiling(system: System, places: Places) -> list[Json]:
    """Block sizes in configurations and arguments, grouped by their owner, and numbers of tiles."""
    owners: dict[tuple[str, str], list[Parameter]] = {}
    for p in system.parameters:
        if isinstance(p.value, int) and re.search(r"BLOCK|TILE|SPLIT|STAGE|WARP", p.name, re.I):
            owners.setdefault((p.owner or p.name, str(p.location.path)), []).append(p)
    found: list[Json] = []
    for (owner, _), group in list(owners.items())[:MOST_CLAIMS]:
        blocks = ", ".join(f"{p.name} = {p.expression or p.value}" for p in group)
        evidence = places.evidence(*(p.location for p in group))
        found.append({"kernel": owner, "mapping": f"{owner}: {blocks}", "evidence": evidence})
    for claim in system.about("tiling")[:MOST_CLAIMS]:
        found.append({"kernel": claim.name, "num_tiles": claim.value, "evidence": places.evidence(*claim.evidence)})
    return found + [_of_kernel(row) for row in steps(system, places, "tiling", MOST_STEPS // 2)]


def _dependencies(system: System, places: Places) -> Json:
    rows: list[Json] = []
    for s in [s for s in system.syncs if s.role != "fetch"][:MOST_COLLECTIVES]:
        expected: Json = {"expected": s.expected} if s.expected else {}
        rows.append({"kind": s.kind, s.role: s.text, **expected, "evidence": places.evidence(s.location, *s.also)})
    return {
        "order": places.claims(_in_order(system.about("dependencies.order")), 2 * MOST_CLAIMS),
        "sync": places.claims(system.about("dependencies.sync"), MOST_CLAIMS) + rows,
        "steps": steps(system, places, "dependencies", MOST_STEPS),
    }


def _in_order(claims: Iterable[Claim]) -> list[Claim]:
    """What an order means before the orders themselves."""
    return sorted(claims, key=lambda claim: claim.name.endswith(" order") and not claim.name.endswith("norm order"))


# -- distribution --------------------------------------------------------------------------------------------


def _distributed(system: System, places: Places) -> Json:
    collectives = sorted(
        system.collectives, key=lambda c: (system.is_aside(c.location.path), c.confidence != "derived")
    )
    found = strategies(p for p in system.parameters if not system.is_aside(p.location.path))
    return {
        "strategies": [
            {
                "kind": kind, "supported": True,
                "range": "; ".join(f"{p.owner}.{p.name} default {p.expression or 'none'}" for p in group[:4]),
                "evidence": places.evidence(*(p.location for p in group)),
            }
            for kind, group in found.items()
        ],
        "collectives": [_collective(c, places) for c in collectives[:MOST_COLLECTIVES]],
        "sharding": places.claims(system.about("distributed.sharding"), MOST_CLAIMS),
        "sharded_params": [
            {
                "param": f"{part.owner}.{part.attribute}", "axis": layer.divided, "style": layer.style,
                "evidence": places.evidence(part.location, layer.location),
            }
            for layer in system.layers
            if layer.style != "either"
            for part in layer.parts[:12]
        ][:MOST_COLLECTIVES],
        "groups": places.claims(system.about("distributed.groups"), MOST_CLAIMS),
        "implementations": places.claims(system.about("distributed"), MOST_CLAIMS),
        "steps": steps(system, places, "distributed", MOST_STEPS),
    }  # fmt: skip


def _collective(c: Collective, places: Places) -> Json:
    where = f"{c.where} ({c.call})"
    row: Json = {
        "primitive": c.primitive, "tensor": c.tensor, "group": c.group,
        "after": f"{c.after} in {where}" if c.after else where, "phase": c.phase, "condition": c.condition,
        "async": c.is_async,
    }  # fmt: skip
    if c.overlapped:
        row["overlapped_with"] = c.overlapped
    if c.confidence != "derived":
        row["confidence"] = c.confidence
    return {**row, "evidence": places.evidence(c.location, symbol=c.where)}
