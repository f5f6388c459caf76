"""What a system consists of, as sections of a report: entry points, bindings, units of work and components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from kernelscope.explain.report_layout import Layout, claims_about, steps_of
from kernelscope.explain.report_places import Json, Places
from kernelscope.serving.bindings import Native
from kernelscope.serving.claims import Claim
from kernelscope.serving.numbering import KINDS
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.procedures import COMPONENT
from kernelscope.serving.registries import Registry
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

MOST_COMPONENTS = 140
MOST_REGISTRIES = 90
MOST_UNITS = 240
MOST_BINDINGS = 250
MOST_ENTRIES = 40
MAX_CHOICES = 1_500


def _entry_points(system: System, places: Places) -> list[Json]:
    scripts = [claim for reading in system.readings for claim in reading.scripts]
    return [places.claim(claim) for claim in scripts if not system.is_aside(claim.evidence[0].path)][:MOST_ENTRIES]


def _bindings(system: System, places: Places) -> list[Json]:
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
    return bindings


def _by_operator(system: System) -> list[list[Native]]:
    """Bindings grouped by the operator that they make known: its schema, then what implements it."""
    groups: dict[tuple[str, str], list[Native]] = {}
    for native in system.natives:
        if not system.is_aside(native.location.path):
            groups.setdefault((native.op, native.callee), []).append(native)
    return list(groups.values())[:MOST_BINDINGS]


TOPOLOGY: Layout = {
    "execution_model": claims_about("topology.execution"),
    "entry_points": _entry_points,
    "bindings": _bindings,
    "steps": steps_of("topology"),
}


# -- units of work -------------------------------------------------------------------------------------------


def units(system: System, places: Places) -> list[Json]:
    """Registered kinds of work, how it is dealt out and fetched, and the functions that build it."""
    found = list(islice(_units(system, places), MOST_UNITS))
    if not found:
        return []  # functions about queues and tasks are those of a server
    return [*found, *({"task": row["name"], **row} for row in steps_of("units_of_work")(system, places))]


def _units(system: System, places: Places) -> Iterator[Json]:
    """Kinds of work and how they are dealt out, one by one: of large systems only the first are asked for."""
    for registry in system.registries:
        if registry.kind == "decorator" and not CHOICES & set(words(registry.name)):
            yield from _registered_units(registry, places)
    for claim in system.about("units_of_work"):
        yield {"task": claim.name, "scheduling": claim.value, "evidence": places.evidence(*claim.evidence)}
    for s in system.syncs:
        if s.role == "fetch":
            yield {"task": s.where, "scheduling": s.text, "evidence": places.evidence(s.location, *s.also)}
    for registry in system.registries:
        if registry.kind == "enum" and (KINDS | {"strategy", "policy", "mode"}) & set(words(registry.name)):
            yield from _enumerated(registry, places)
    yield from (_counted(p, places) for p in system.settings if p.kind == "constant" and KINDS & set(words(p.name)))


CHOICES = {"backend", "backends", "cache", "caches", "model", "models", "manager", "config", "tokenizer", "parser",
           "object", "plugin", "hook", "fake", "meta", "abstract"}  # fmt: skip
"""Words of registries of what is chosen once, or stands for an operator while shapes are traced, not of work."""


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


# -- components ----------------------------------------------------------------------------------------------


def components(system: System, places: Places) -> list[Json]:
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
    orders = {c.evidence[0]: _in_order(c) for c in system.about("dependencies.order") if c.name.endswith(" order")}
    for p in sorted(system.procedures_of(COMPONENT), key=lambda p: -p.weight * 100 - min(p.size, 40))[:MOST_COMPONENTS]:
        order: Json = {"order": orders[p.evidence[0]]} if p.evidence[0] in orders else {}
        role = "module" if p.weight > 1 else "function"
        found.append({"name": p.name, "role": role, "computes": f"{p.name}:\n{p.steps}", **order,
                      "evidence": places.evidence(*p.evidence, symbol=p.name)})  # fmt: skip
    return found


def _in_order(claim: Claim) -> str:
    """What runs in which order, without the words before it."""
    return claim.value.partition(" runs in this order: ")[2]


def _telling(claims: Iterable[Claim]) -> list[Claim]:
    """Claims with prose before plain quotations of arithmetic."""
    return sorted(claims, key=lambda claim: " = " in claim.value[:60])
