"""The distribution section of a report: parallel sizes, collectives, sharded parameters, groups."""

from __future__ import annotations

from kernelscope.explain.faq_answers import of_ranks
from kernelscope.explain.report_layout import Layout, claims_about, steps_of
from kernelscope.explain.report_places import Json, Places
from kernelscope.serving.collectives import Collective
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.system import System

MOST_COLLECTIVES = 320
MOST_PARTS = 12
MOST_CONSTRAINTS = 24


def _strategies(system: System, places: Places) -> list[Json]:
    return [
        {
            "kind": kind, "supported": True,
            "range": "; ".join(f"{p.owner}.{p.name} default {p.expression or 'none'}" for p in group[:4]),
            "evidence": places.evidence(*(p.location for p in group)),
        }
        for kind, group in system.strategies.items()
    ]  # fmt: skip


def _collectives(system: System, places: Places) -> list[Json]:
    found = [c for c in system.collectives if not system.is_aside(c.location.path)] or system.collectives
    ranked = sorted(found, key=lambda c: (c.confidence != "derived", c.phase in ("init", "control"), c.location))
    return [_collective(c, places) for c in ranked[:MOST_COLLECTIVES]]


def _collective(c: Collective, places: Places) -> Json:
    row: Json = {
        "primitive": c.primitive, "in": f"{c.where} ({c.call})", "tensor": c.tensor, "group": c.group,
        "after": c.after, "phase": c.phase, "condition": c.condition, "async": c.is_async,
    }  # fmt: skip
    for key in ("after", "phase"):
        if not row[key]:
            del row[key]
    if c.operation:
        row["op"] = c.operation
    if c.backward:
        row["backward"] = c.backward
    if c.overlapped:
        row["overlapped_with"] = c.overlapped
    if c.confidence != "derived":
        row["confidence"] = c.confidence
    return {**row, "evidence": places.evidence(c.location, symbol=c.where)}


def _sharded_params(system: System, places: Places) -> list[Json]:
    rows: list[Json] = [
        {
            "param": f"{part.owner}.{part.attribute}", "axis": layer.divided, "style": layer.style,
            "evidence": places.evidence(part.location, layer.location),
        }
        for layer in system.layers
        if layer.style not in ("either", "tensor")
        for part in layer.parts[:MOST_PARTS]
    ]  # fmt: skip
    return rows[:MOST_COLLECTIVES]


def _constraints(system: System, places: Places) -> list[Json]:
    """What must hold of sizes and the number of ranks, each once."""
    alike: dict[str, list[Constraint]] = {}
    for c in of_ranks(system):
        alike.setdefault(c.condition, []).append(c)
    return [
        {"condition": condition, "enforced_by": group[0].enforced_by,
         "evidence": places.evidence(*(c.location for c in group), symbol=group[0].where)}
        for condition, group in list(alike.items())[:MOST_CONSTRAINTS]
    ]  # fmt: skip


DISTRIBUTION: Layout = {
    "strategies": _strategies,
    "sizes": claims_about("distributed.sizes"),
    "constraints": _constraints,
    "collectives": _collectives,
    "sharding": claims_about("distributed.sharding"),
    "sharded_params": _sharded_params,
    "groups": claims_about("distributed.groups"),
    "implementations": claims_about("distributed"),
    "steps": steps_of("distributed"),
}
