"""The serving section of a report: topology, lifecycle, scheduling, batching, caches and metrics, most telling first.

What structure shows comes before what is declared, and that before the steps of single functions.
"""

from __future__ import annotations

import re

from kernelscope.explain.report_layout import Layout, Rows, claims_about, steps_of
from kernelscope.explain.report_places import Json, Places
from kernelscope.explain.section_settings import DECLARED, concerns, declared
from kernelscope.serving.channels import Link
from kernelscope.serving.lifecycle import STATUS
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.processes import Started
from kernelscope.serving.registries import Registry
from kernelscope.serving.routes import Route
from kernelscope.serving.sections import words
from kernelscope.serving.system import System

MOST_CLAIMS = 50
MOST_FAILURES = 24
ENDS = {"finish", "finished", "stop", "end", "termination", "abort"}
"""Words of enums of reasons that requests end for."""
MOST_PARAMETERS = 64
MOST_PROCEDURES = 60
MOST_ROWS = 90

ROLES: tuple[tuple[str, frozenset[str]], ...] = (
    ("detokenizer", frozenset({"detokenizer", "detokenize", "detokenization", "detok"})),
    ("tokenizer", frozenset({"tokenizer", "tokenize", "tokenization"})),
    ("scheduler", frozenset({"scheduler", "schedule"})),
    ("router", frozenset({"router", "balancer"})),
    ("controller", frozenset({"controller", "coordinator", "manager"})),
    ("api_server", frozenset({"server", "api", "http", "frontend"})),
    ("engine", frozenset({"engine", "core"})),
    ("worker", frozenset({"worker", "runner", "rank"})),
    ("metrics", frozenset({"metrics", "monitor"})),
)


def _parameter_claim(p: Parameter, places: Places) -> Json:
    choices = f"; choices {', '.join(p.choices)}" if p.choices else ""
    choices += "".join(f"; {o.value} if {o.condition}" for o in p.overrides[:6] if o.condition)
    is_chosen = bool(p.overrides) and p.overrides[0].evidence[0] == p.location
    value = f"{p.name} {p.default}{choices}"
    return {
        "name": f"{p.owner}.{p.name}" if p.owner else p.name,
        "value": f"{p.name}{choices.replace(';', ':', 1)}" if is_chosen else value,
        **({"detail": p.doc} if p.doc else {}),
        "evidence": places.evidence(p.location, *(e for o in p.overrides for e in o.evidence), *p.listed_at),
    }


def _is_aside(system: System, registry: Registry) -> bool:
    return system.is_aside(registry.location.path)


def _registry_claim(registry: Registry, places: Places) -> Json:
    if registry.kind == "enum":
        said = "choices: " + ", ".join(f"{entry.key} = {entry.implementation}" for entry in registry.entries[:60])
    else:
        said = "registered: " + ", ".join(f"{entry.key} → {entry.implementation}" for entry in registry.entries[:40])
    evidence = places.evidence(registry.location, *(entry.location for entry in registry.entries))
    return {"name": registry.name, "value": said[:1_500], "evidence": evidence}


def _section(name: str) -> Rows:
    """Claims, settings, registries and steps of a section."""

    def rows(system: System, places: Places) -> list[Json]:
        found = places.claims(system.about(f"serving.{name}"), MOST_CLAIMS)
        found += _settings(name)(system, places)
        found += [
            _registry_claim(r, places) for r in system.registries if concerns(name, r) and not _is_aside(system, r)
        ]
        return found + steps_of(f"serving.{name}", MOST_PROCEDURES)(system, places)

    return rows


def _settings(name: str) -> Rows:
    """The parameters of a section."""
    return lambda system, places: [_parameter_claim(p, places) for p in declared(system, name)[:MOST_PARAMETERS]]


def _processes(system: System, places: Places) -> list[Json]:
    return [_process(s, places) for s in system.running[:MOST_ROWS]]


def _process(s: Started, places: Places) -> Json:
    guard = f" if {s.condition}" if s.condition else ""
    spawn = f"{s.text}{guard}"
    return {
        "name": s.target or s.kind,
        "role": role_of(s),
        "spawn": spawn,
        **({"count": s.count} if s.count else {}),
        "evidence": places.evidence(s.location, symbol=s.where),
    }


def role_of(s: Started) -> str:
    """What a process is for, by the name of what it runs first, then by who starts it."""
    if s.kind == "start method":
        return "other"
    itself = re.split(r"[.:>]", s.target)[-1]
    for said in (set(words(itself)), set(words(s.target)), set(words(s.where))):
        for role, names in ROLES:
            if names & said:
                return role
    return "other"


def _channels(system: System, places: Places) -> list[Json]:
    return [
        {
            "from": ", ".join(link.senders) or ("" if link.receivers else link.channel.where),
            "to": ", ".join(link.receivers),
            "transport": link.channel.transport, "pattern": "request → reply" if link.said else link.pattern,
            "address": link.channel.address or link.channel.name, "messages": list(link.messages), "value": link.text,
            "evidence": places.evidence(*link.evidence),
        }
        for link in system.links[:MOST_ROWS]
    ]  # fmt: skip


def _routes(system: System, places: Places) -> list[Json]:
    served = [r for r in system.routes if not system.is_aside(r.location.path)]
    askers = {(link.channel.address, name): link for link in system.requests for name in link.receivers}
    return [_route(r, askers.get((r.path, r.handler)), places) for r in served[:MOST_ROWS]]


def _route(r: Route, asked: Link | None, places: Places) -> Json:
    by = f"; asked by {', '.join(asked.senders)}" if asked is not None else ""
    return {
        "name": f"{r.method} {r.path}",
        "value": f"served by {r.handler}{by}",
        "evidence": places.evidence(r.location, *(asked.evidence if asked is not None else ())),
    }


def _states(system: System, places: Places) -> list[Json]:
    """The states of requests, then those of other things."""
    states: list[Json] = []
    others = (r for r in system.registries if r.kind == "enum" and (STATUS & set(words(r.name)[-1:]) or _is_end(r)))
    for registry in dict.fromkeys([*system.states, *(r for r in others if not _is_aside(system, r))]):
        members = ", ".join(entry.key for entry in registry.entries)
        evidence = places.evidence(registry.location, *(e.location for e in registry.entries))
        kind = "reasons" if _is_end(registry) else "states"
        states.append({"name": f"{registry.name} {kind}", "value": members, "evidence": evidence})
    return states


def _is_end(registry: Registry) -> bool:
    """Whether an enum lists why requests end: `FinishReason`."""
    said = words(registry.name.rpartition(".")[2])
    return said[-1:] in (("reason",), ("reasons",)) and bool(ENDS & set(said))


def _transitions(system: System, places: Places) -> list[Json]:
    moved: list[Json] = [
        {
            "from": move.source, "to": move.target,
            "when": f"in {move.where}" + (f" if {move.condition}" if move.condition else ""),
            "evidence": places.evidence(move.location, move.taken_at, symbol=move.where),
        }
        for move in system.moves[:MOST_ROWS]
    ]  # fmt: skip
    became: list[Json] = [
        {
            **({"from": x.subject} if x.is_from_state else {}),
            "to": x.state,
            "when": f"in {x.where}" + (f" if {x.condition}" if x.condition else ""),
            "evidence": places.evidence(x.location, symbol=x.where),
        }
        for x in system.transitions[:MOST_ROWS]
    ]  # fmt: skip
    return became + moved


def _metrics(system: System, places: Places) -> list[Json]:
    return [
        {
            "name": m.name, "type": m.kind, "measures": m.measures, "labels": [m.labels] if m.labels else [],
            "evidence": places.evidence(m.location, symbol=m.where),
        }
        for m in list(system.metrics)[: 2 * MOST_ROWS]
    ]  # fmt: skip


SERVING: Layout = {
    "topology": {
        "processes": _processes,
        "channels": _channels,
        "routes": _routes,
        "addresses": claims_about("serving.topology.addresses", MOST_CLAIMS),
        "parameters": _settings("topology"),
        "steps": steps_of("serving.topology", MOST_PROCEDURES),
    },
    "lifecycle": {
        "states": _states,
        "transitions": _transitions,
        "ends": claims_about("serving.lifecycle", MOST_CLAIMS),
        "failures": claims_about("serving.lifecycle.failures", MOST_FAILURES),
        "refusals": claims_about("serving.lifecycle.refusals", MOST_CLAIMS),
        "steps": steps_of("serving.lifecycle", MOST_PROCEDURES),
    },
    **{name: _section(name) for name in DECLARED if name not in ("topology", "metrics")},
    "metrics": _metrics,
}
