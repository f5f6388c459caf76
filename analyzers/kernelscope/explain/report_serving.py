"""The serving section of a report: topology, lifecycle, scheduling, batching, caches and metrics, most telling first.

What structure shows comes before what is declared, and that before the steps of single functions.
"""

from __future__ import annotations

import re
from collections.abc import Container

from kernelscope.explain.report_layout import Layout, Rows, claims_about, steps_of
from kernelscope.explain.report_places import Json, Places
from kernelscope.serving.channels import Link
from kernelscope.serving.lifecycle import STATUS
from kernelscope.serving.parameters import Parameter, is_telling
from kernelscope.serving.processes import Started
from kernelscope.serving.registries import Registry
from kernelscope.serving.routes import Route
from kernelscope.serving.sections import hits, words
from kernelscope.serving.system import System

MOST_CLAIMS = 50
MOST_FAILURES = 24
EMPTY = {"set", "list", "dict", "deque", "set()", "list()", "dict()", "deque()", "[]", "{}"}
"""Defaults of fields that are filled later."""
HANDED = {"output", "outputs", "data", "result", "results", "stats", "metadata"}
"""Last words of classes whose objects one part hands to another."""
ENDS = {"finish", "finished", "stop", "end", "termination", "abort"}
"""Words of enums of reasons that requests end for."""
MOST_PARAMETERS = 64
MOST_PROCEDURES = 60
MOST_ROWS = 90

DECLARED: dict[str, re.Pattern[str]] = {
    "kv_cache": re.compile(
        r"(?:^|_)(?:kv|pages?|block_size|blocks|cache|memory|swap|watermark|alloc)(?:_|$)|kvcache", re.I
    ),
    "prefix_cache": re.compile(
        r"(?:prefix|prompt)_?(?:cach|match|reuse|shar)|prefix_(?:len|tokens)|radix|(?:^|_)hash", re.I
    ),
    "batching": re.compile(
        r"batch|num_seqs|chunk|prefill|extend|running|max_num|max_(?:\w+_)?tokens|specul|draft|n_?gram|concurren|slots",
        re.I,
    ),
    "scheduling": re.compile(
        r"sched|polic|priorit|overlap|preempt|queue|prefill_ratio|(?:decode|prefill)_first|interleav|disagg|(?:^|_)pd_"
        r"|starv|fair|(?:max_|num_)skip|rout(?:er|ing)_?(?:logic|polic|strateg)|(?:max|min|batch|queue)_wait",
        re.I,
    ),
    "topology": re.compile(
        r"(?:^|_)(?:host|port|addr|address|ipc|url|endpoint|socket|workers?|handlers?|grpc|rpc|threads)(?:_|$)", re.I
    ),
    "metrics": re.compile(r"metric|log_stats|prometheus", re.I),
}
"""Which section a parameter stands in: by common words of the field in its name."""
_SAYS_SCHEDULING = re.compile(r"out.of.order|\bpreempt|\bfair(?:ness)?\b|\bstarv|schedul\w+ polic", re.I)
"""What help says of settings that choose how requests are scheduled, whatever they are called."""
ELSEWHERE: dict[str, frozenset[str]] = {
    "kv_cache": frozenset({"dir", "file", "pin", "weight", "weights", "hub", "huggingface", "watermarking", "logits"}),
    "prefix_cache": frozenset({"watermark", "watermarking", "logits"}),
    "batching": frozenset({"ckpt", "checkpoint", "checkpoints", "crops", "files", "logsumexp"}),
    "scheduling": frozenset({"lr", "loss", "optim", "optimizer"}),
}
"""Words of names and owners that hold a section's words for another reason: so many checkpoints are kept, rates of
learning are scheduled, weights have blocks, texts watermarks."""
_OF_CACHES = re.compile(r"KV_?(?:Cache|Pool)|KvCache|(?:Paged|Key_?Value)_?Cache|(?<![a-z])kv_?(?:cache|pool)", re.I)
"""Classes that hold keys and values."""
_SCHEDULES = re.compile(r"sched|priorit|preempt|queue|overlap|rout(?:er|ing)_?(?:logic|polic|strateg)", re.I)
"""Words of registries that choose how requests are scheduled; models and their parts have policies, too."""
OF_ONE_REQUEST = {"sampling", "generation"}
"""Words of what is set for one request: how long its answer may be bounds no batch."""
FIRST = re.compile(
    r"(?:block|page|chunk|batch)_?size|max_(?:num_)?(?:seqs|tokens|running|batch)|memory_(?:ratio|fraction|util)|mem_frac"
    r"|enable_prefix|polic|priorit|overlap|disagg|^-*(?:host|port)$",
    re.IGNORECASE,
)
"""Words of the settings that are asked for most."""
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


TELLING = 3
"""Beyond it a field says nothing but its type."""


def importance(p: Parameter) -> int:
    """What users set before what is merely fixed; fields that say nothing but their type come last."""
    if p.kind == "field" and not (p.expression or p.choices or p.overrides):
        return 4
    if p.kind in ("option", "environment") or (p.kind == "field" and p.is_of_configuration):
        return 0
    if p.kind == "define" and p.overrides:
        return 1
    return {"field": 1, "computed": 1, "constant": 1, "define": 2}.get(p.kind, 3)


def declared(system: System, name: str) -> list[Parameter]:
    """Parameters of a section by their own names or by what they are fields of, outside tests and examples.

    Settings come before plain constants, and both before defaults of arguments.
    """
    return system.following(("declared", name), lambda: _declared(system, name))


def _declared(system: System, name: str) -> list[Parameter]:
    meant = system.parameters_named(DECLARED[name])
    found = [
        p for p in system.declared
        if (p.name in meant or _is_of(name, p) or _is_said(name, p))
        and importance(p) <= TELLING and p.owner not in system.enums
        and not (name == "batching" and OF_ONE_REQUEST & set(words(p.owner)))
        and not (name == "scheduling" and p.kind == "define" and not hits("serving.scheduling", p.location.path.stem))
        and (p.kind != "argument" or p.value is not None) and not _is_elsewhere(name, p) and not _is_state(p)
    ]  # fmt: skip
    arguments: set[tuple[str, str]] = set()
    found = [p for p in found if not _is_repeated(p, meant, arguments)]
    return sorted(
        found,
        key=lambda p: (importance(p) > 2, not FIRST.search(p.name), importance(p), -system.weight(p.location.path)),
    )


def _is_repeated(p: Parameter, meant: Container[str], known: set[tuple[str, str]]) -> bool:
    """Whether an argument of a function is one only by whose function it is, or has been told with that default."""
    if p.kind != "argument":
        return False
    if p.name not in meant or (p.name, p.expression) in known:
        return True
    known.add((p.name, p.expression))
    return False


def _is_state(p: Parameter) -> bool:
    """Whether a field is what an object collects, keeps for itself or hands over, and nobody sets."""
    if p.kind != "field" or p.is_of_configuration:
        return False
    is_handed = bool(HANDED & set(words(p.owner)[-1:])) and p.expression in ("None", "False", "0")
    return is_handed or p.expression in EMPTY or p.name.startswith("_")


def _is_elsewhere(section: str, p: Parameter) -> bool:
    """Whether a parameter holds the words of a section for another reason; threads of kernels are none of hosts."""
    if section == "topology":
        return p.location.path.suffix in (".cu", ".cuh") and "threads" in words(p.name)
    others = ELSEWHERE.get(section, frozenset())
    said = {*words(p.name), *words(p.owner)}
    return bool(others & said) or (section == "kv_cache" and p.location.path.stem == "watermark")


def _is_of(section: str, p: Parameter) -> bool:
    """Whether a parameter is a number or text that a cache or scheduler is made with, whatever its own name is."""
    if p.value is None or section not in ("kv_cache", "scheduling"):
        return False
    if section == "kv_cache" and _OF_CACHES.search(p.owner) is not None:
        return True
    within = hits(f"serving.{section}", p.location.path.stem)
    chosen = p.kind == "field" and is_telling(p.value) and section == "scheduling" and not p.is_of_configuration
    return bool(within and (hits(f"serving.{section}", p.owner) or chosen))


def _is_said(section: str, p: Parameter) -> bool:
    """Whether the help of a setting says that it is about scheduling."""
    is_set = p.kind == "option" or (p.kind == "field" and p.is_of_configuration)
    return section == "scheduling" and is_set and _SAYS_SCHEDULING.search(p.doc or "") is not None


def _parameter_claim(p: Parameter, places: Places) -> Json:
    choices = f"; choices {', '.join(p.choices)}" if p.choices else ""
    choices += "".join(f"; {o.value} if {o.condition}" for o in p.overrides[:6] if o.condition)
    is_chosen = bool(p.overrides) and p.overrides[0].evidence[0] == p.location
    value = f"{p.name} {p.default}{choices}"
    return {
        "name": f"{p.owner}.{p.name}" if p.owner else p.name,
        "value": f"{p.name}{choices.replace(';', ':', 1)}" if is_chosen else value,
        **({"detail": p.doc} if p.doc else {}),
        "evidence": places.evidence(p.location, *(e for o in p.overrides for e in o.evidence)),
    }


def concerns(section: str, registry: Registry) -> bool:
    """Whether a registry's name speaks of a section; of enums only those that list ways of doing something."""
    ways = {"policy", "policies", "strategy", "algorithm", "mode", "backend", "type", "kind"}
    is_ranked = section == "scheduling" and words(registry.name.rpartition(".")[2])[-1:] in (
        ("priority",),
        ("priorities",),
    )
    is_choice = registry.kind != "enum" or bool(ways & set(words(registry.name))) or is_ranked
    parts = "_".join(words(registry.name))
    if section == "scheduling" and not _SCHEDULES.search(parts):
        place = registry.location.path
        is_choice = is_choice and bool(hits("serving.scheduling", f"{place.parent.name} {place.stem}"))
    return is_choice and bool(DECLARED[section].search(registry.name) or DECLARED[section].search(parts))


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
        "role": _role(s),
        "spawn": spawn,
        "evidence": places.evidence(s.location, symbol=s.where),
    }


def _role(s: Started) -> str:
    """What a process is for, by the name of what it runs first, then by who starts it."""
    if s.kind == "start method":
        return "other"
    for said in (set(words(s.target)), set(words(s.where))):
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
            "to": x.state, "when": f"in {x.where}" + (f" if {x.condition}" if x.condition else ""),
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
