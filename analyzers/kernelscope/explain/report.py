"""The full report of a workspace as plain data: every claim with its own evidence, absence said with what was searched.

The layout follows the published schema of the report (`schema_version` 1). Facts come from `serving/`; which section a
parameter belongs to is told by the field's common words in its name, and never changes what is claimed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from kernelscope.explain.faq import faq
from kernelscope.explain.pseudocode import function_code
from kernelscope.results import IndexProgress, Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.parameters import Parameter
from kernelscope.serving.system import System, gather
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.workspace import Workspace

Json = dict[str, object]
MAX_PSEUDOCODE = 60
"""Longest pseudocode of one function in a report, in lines."""
MAX_SUMMARY = 1_500
MAX_COMPONENTS = 400

SECTIONS: dict[str, re.Pattern[str]] = {
    "kv_cache": re.compile(r"(?:^|_)(?:kv|pages?|block_size|blocks|cache|memory|swap)(?:_|$)|kvcache", re.I),
    "prefix_cache": re.compile(r"prefix|radix|(?:^|_)hash", re.I),
    "batching": re.compile(r"batch|num_seqs|chunk|prefill|extend|running|max_num|max_tokens", re.I),
    "scheduling": re.compile(r"sched|polic|priorit|overlap|preempt|queue", re.I),
    "topology": re.compile(r"(?:^|_)(?:host|port|addr|address|ipc|url|endpoint|socket|workers?)(?:_|$)", re.I),
    "metrics": re.compile(r"metric|log_stats|prometheus", re.I),
}


class Places:
    """Paths in a report are relative to the workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def evidence(self, *locations: Location, symbol: str = "") -> list[Json]:
        found: list[Json] = []
        for location in locations[:12]:
            entry: Json = {"path": self.path(location.path), "line": location.line}
            if location.end_line > location.line:
                entry["end_line"] = location.end_line
            if symbol:
                entry["symbol"] = symbol
            if entry not in found:
                found.append(entry)
        return found

    def path(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.root)).as_posix()

    def claim(self, claim: Claim) -> Json:
        shown: Json = {"name": claim.name, "value": claim.value, "confidence": claim.confidence}
        if claim.detail:
            shown["detail"] = claim.detail
        if claim.condition:
            shown["condition"] = claim.condition
        return {**shown, "evidence": self.evidence(*claim.evidence)}


def report(
    workspace: Workspace,
    root: Path,
    focus: Sequence[str] = (),
    progress: Callable[[IndexProgress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Json:
    """The report of the files below `focus` (relative paths; all of them when empty)."""
    paths = _in_focus(workspace, root, focus, cancelled)
    system = gather(workspace, paths, progress, cancelled)
    places = Places(root)
    serving = _serving(system, places)
    return {
        "schema_version": 1,
        "workspace": _workspace(system, root, paths),
        "topology": _topology(system, places),
        "units_of_work": _units(system, places),
        "config": {"parameters": _parameters(system, places), "constraints": _constraints(system, places)},
        "components": _components(system, places),
        "tiling": _tiling(system, places),
        "memory_access": [],
        "dependencies": {},
        "distributed": _distributed(system, places),
        "serving": serving,
        "faq": faq(system, places.evidence, len(paths)),
        "diagnostics": [],
    }


def _in_focus(workspace: Workspace, root: Path, focus: Sequence[str], cancelled: Callable[[], bool]) -> list[str]:
    wanted = [os.path.normpath(root / part) for part in focus]
    found: list[str] = []
    for entry in workspace.files.walk(cancelled):
        if not wanted or any(entry.path == part or entry.path.startswith(part + os.sep) for part in wanted):
            found.append(entry.path)
    return found


def _workspace(system: System, root: Path, paths: list[str]) -> Json:
    frameworks: dict[str, str] = {"torch": "pytorch", "triton": "triton", "jax": "jax"}
    used: set[str] = set()
    lines = 0
    for source in system.sources:
        lines += source.text.line_count
        for statement in source.module.body:
            modules: list[str] = []
            if isinstance(statement, t.Import):
                modules = [alias.name for alias in statement.names]
            elif isinstance(statement, t.ImportFrom):
                modules = [statement.module]
            used |= {frameworks[m.split(".")[0]] for m in modules if m.split(".")[0] in frameworks}
    for path, text in system.texts:
        lines += text.line_count
        used.add("cuda" if path.suffix in (".cu", ".cuh") else "cpp")
    return {"root": root.name, "frameworks": sorted(used), "files": len(paths), "lines": lines}


def _parameter(parameter: Parameter, places: Places) -> Json:
    shown: Json = {"name": parameter.name, "owner": parameter.owner or "module", "value": parameter.value}
    if isinstance(parameter.value, bytes | complex):
        shown["value"] = str(parameter.value)
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
        shown["overrides"] = [places.claim(o) for o in parameter.overrides]
    lines = [parameter.location, *(e for o in parameter.overrides for e in o.evidence)]
    return {**shown, "kind": parameter.kind, "evidence": places.evidence(*lines)}


def _parameters(system: System, places: Places) -> list[Json]:
    return [_parameter(p, places) for p in system.parameters]


def _constraints(system: System, places: Places) -> list[Json]:
    return [
        {
            "condition": c.condition,
            "kind": c.kind,
            "subject": list(c.subjects),
            "enforced_by": c.enforced_by,
            **({"message": c.message} if c.message else {}),
            "evidence": places.evidence(c.location, symbol=c.where),
        }
        for c in system.constraints
    ]


def _topology(system: System, places: Places) -> Json:
    entry_points: list[Json] = []
    for source in system.sources:
        for statement in source.module.body:
            if isinstance(statement, t.If) and "__main__" in source.quote(statement.test):
                evidence = places.evidence(source.at(statement))
                entry_points.append({"name": places.path(source.path), "value": "script", "evidence": evidence})
    return {"entry_points": entry_points}


def _units(system: System, places: Places) -> list[Json]:
    """Registered kinds of work: what a scheduler or code generator looks up by a string."""
    units: list[Json] = []
    for registry in system.registries:
        if registry.kind != "decorator":
            continue
        for entry in registry.entries:
            units.append(
                {
                    "task": entry.key,
                    "purpose": f"{entry.key} is implemented by {entry.implementation}, registered with {registry.name}",
                    "evidence": places.evidence(entry.location),
                }
            )
    return units


def _components(system: System, places: Places) -> list[Json]:
    """Registries with their choices, and every class with a forward pass, with what it computes."""
    merged: dict[tuple[str, str], list[tuple[str, str, Location]]] = {}
    for registry in system.registries:
        rows = merged.setdefault((registry.name, registry.kind), [])
        rows += [(e.key, e.implementation, e.location) for e in registry.entries]
    found: list[Json] = []
    for (name, kind), rows in merged.items():
        choices = ", ".join(f"{key} → {implementation}" for key, implementation, _ in rows[:40])[:MAX_SUMMARY]
        evidence = places.evidence(*(location for _, _, location in rows))
        found.append({"name": name, "role": kind, "value": f"choices: {choices}", "evidence": evidence})
    for claim in system.ties:
        found.append(places.claim(claim))
    for source in system.sources:
        for scope in source.module.classes():
            found += _derived(source, scope.node, places)
        for scope in source.module.functions():
            is_forward = scope.node.name == "forward"
            if (is_forward or scope.owner is None) and len(found) < MAX_COMPONENTS:
                name = scope.path[-2] if is_forward and scope.owner is not None else scope.qualified_name
                found.append(_component(source, scope.node, name, places))
    return found


def _derived(source: PythonSource, cls: t.FunctionDef | t.ClassDef, places: Places) -> list[Json]:
    """Sizes and scales that a class computes from others: `self.groups = heads // kv_heads`."""
    found: list[Json] = []
    assert isinstance(cls, t.ClassDef)
    for method in cls.methods():
        for node in t.walk(*method.body):
            match node:
                case t.Assign(targets=[t.Attribute(value=t.Name(id="self"), attr=attr)], value=t.BinOp() as value):
                    text = f"{cls.name}.{attr} = {source.quote(value)}"
                    where = places.evidence(source.at(node))
                    found.append({"name": f"{cls.name} {attr}", "value": text, "evidence": where})
                case _:
                    pass
    return found


def _component(source: PythonSource, node: t.FunctionDef | t.ClassDef, name: str, places: Places) -> Json:
    """A module or function: its inputs and what it computes, line by line and in one text."""
    assert isinstance(node, t.FunctionDef)
    code = function_code(node, source.text, source.path)
    lines: list[Json] = []
    for line in code.lines[1:MAX_PSEUDOCODE]:
        text = line.text.strip()
        entry: Json = {"text": text, "indent": (len(line.text) - len(line.text.lstrip())) // 4}
        if line.location is not None:
            entry["evidence"] = places.evidence(line.location, symbol=name)
        lines.append(entry)
    computes = "; ".join(line.text.strip() for line in code.lines[1:])[:MAX_SUMMARY]
    inputs: list[Json] = [{"name": p.name} for p in node.args if p.name != "self"]
    places_of = [line.location for line in code.lines if line.location is not None]
    return {
        "name": name,
        "role": "module" if node.name == "forward" else "function",
        "computes": computes,
        "inputs": inputs,
        "pseudocode": lines,
        "evidence": places.evidence(*places_of[:1], *places_of[2::3], symbol=name),
    }


def _tiling(system: System, places: Places) -> list[Json]:
    """Block sizes that are named in upper case in configurations and arguments, grouped by their owner."""
    owners: dict[tuple[str, str], list[Parameter]] = {}
    for p in system.parameters:
        if isinstance(p.value, int) and re.search(r"BLOCK|TILE|SPLIT|STAGE|WARP", p.name, re.I):
            owners.setdefault((p.owner or p.name, str(p.location.path)), []).append(p)
    found: list[Json] = []
    for (owner, _), group in owners.items():
        blocks = ", ".join(f"{p.name} = {p.expression or p.value}" for p in group)
        evidence = places.evidence(*(p.location for p in group))
        found.append({"kernel": owner, "mapping": f"{owner}: {blocks}", "evidence": evidence})
    return found


def _distributed(system: System, places: Places) -> Json:
    rows: list[Json] = []
    for c in system.collectives:
        after = f"{c.where} ({c.call})"
        rows.append(
            {
                "primitive": c.primitive, "tensor": c.tensor, "group": c.group, "after": after, "phase": c.phase,
                "condition": c.condition, "async": c.is_async, "evidence": places.evidence(c.location, symbol=c.where),
            }
        )  # fmt: skip
    return {"collectives": rows}


def _serving(system: System, places: Places) -> Json:
    sections: dict[str, list[Json]] = {name: [] for name in SECTIONS if name not in ("topology", "metrics")}
    sections["kv_cache"] += map(places.claim, system.kv_cache)
    sections["prefix_cache"] += map(places.claim, system.prefix_cache)
    sections["scheduling"] += map(places.claim, system.scheduling)
    topology: Json = {
        "processes": [
            {
                "name": s.target or s.kind,
                "role": "other",
                "spawn": f"{s.kind} started by {s.how} in {s.where}",
                "evidence": places.evidence(s.location, symbol=s.where),
            }
            for s in system.started
        ],
        "channels": [
            {
                "from": c.where, "transport": c.transport, "pattern": c.pattern, "address": c.address,
                "evidence": places.evidence(c.location, symbol=c.where),
            }
            for c in system.channels
        ],
        "routes": [
            {"name": f"{r.method} {r.path}", "value": f"served by {r.handler}", "evidence": places.evidence(r.location)}
            for r in system.routes
        ],
    }  # fmt: skip
    declared: list[Json] = []
    for p in system.parameters:
        if p.kind == "argument":
            continue
        for name, pattern in SECTIONS.items():
            if pattern.search(p.name):
                rows = declared if name == "topology" else sections.get(name)
                if rows is not None:
                    rows.append(_parameter_claim(p, places))
    topology["parameters"] = declared
    for registry in system.registries:
        for name, pattern in SECTIONS.items():
            if name in sections and pattern.search(registry.name) and registry.kind != "enum":
                keys = ", ".join(entry.key for entry in registry.entries)
                evidence = places.evidence(*(entry.location for entry in registry.entries))
                sections[name].append({"name": registry.name, "value": f"registered: {keys}", "evidence": evidence})
    lifecycle = _lifecycle(system, places)
    metrics = [
        {
            "name": m.name, "type": m.kind, "measures": m.measures, "labels": [m.labels] if m.labels else [],
            "evidence": places.evidence(m.location, symbol=m.where),
        }
        for m in system.metrics
    ]  # fmt: skip
    return {"topology": topology, "lifecycle": lifecycle, **sections, "metrics": metrics}


def _parameter_claim(p: Parameter, places: Places) -> Json:
    default = p.expression if p.value is None else str(p.value)
    choices = f"; choices {', '.join(p.choices)}" if p.choices else ""
    return {
        "name": f"{p.owner}.{p.name}" if p.owner else p.name,
        "value": f"{p.name} default {default}{choices}" if default else f"{p.name}: no default{choices}",
        **({"detail": p.doc} if p.doc else {}),
        "evidence": places.evidence(p.location),
    }


def _lifecycle(system: System, places: Places) -> Json:
    used = {transition.enum for transition in system.transitions}
    states: list[Json] = []
    for registry in system.registries:
        if registry.kind == "enum" and registry.name.rpartition(".")[2] in used:
            members = ", ".join(entry.key for entry in registry.entries)
            evidence = places.evidence(registry.location, *(e.location for e in registry.entries))
            states.append({"name": f"{registry.name} states", "value": members, "evidence": evidence})
    transitions = [
        {
            "to": x.state, "when": f"in {x.where}" + (f" if {x.condition}" if x.condition else ""),
            "evidence": places.evidence(x.location, symbol=x.where),
        }
        for x in system.transitions
    ]  # fmt: skip
    return {"states": states, "transitions": transitions}
