"""Where the answers of the technical FAQ come from: selections of a system's facts, each as claims in words.

Nothing is answered from knowledge about a project; a selection that finds nothing gives no claim.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path

from kernelscope.serving.claims import Claim
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.parallel import STRATEGIES
from kernelscope.serving.parameter import CHOSEN, Parameter
from kernelscope.serving.reaching import THE_WRAPPERS
from kernelscope.serving.registries import Registry
from kernelscope.serving.routes import Route
from kernelscope.serving.sections import hits, words
from kernelscope.serving.system import System

SERVERS = {"engine", "inference", "server", "scheduler", "serving", "serve", "cache", "runtime", "sched", "parallel"}
ENTRIES = {"llm", "pipeline", "generator"}
"""Words of what users make to have something served."""
SERVED = {"request", "req", "sequence", "seq", "job", "params", "args", "config", "query", "body"}
"""Words of what is served, and of what tells how."""
MODELS = {"model", "gpt", "transformer", "attention", "vision", "text"}
"""Words of configurations of models, whose blocks are layers or contexts."""
OTHERS = {"eplb", "expert", "experts", "moe", "evict", "eviction", "offload", "offloading", "cache", "registry",
          "weight"}  # fmt: skip
"""Words of what else follows a policy."""
RESULTS = {"stats", "output", "outputs", "metadata", "metrics", "result", "results", "snapshot"}
"""Last words of classes that tell what happened and set nothing."""
FAULTS = {"error", "errors", "status", "state", "code", "codes"}
"""Words of enums that tell how something is, and choose nothing."""
PHASES = {"prefill": frozenset({"prefill"}), "decode": frozenset({"decode", "decoding", "generate", "generation"})}
INSTANCES = {"engine", "engines", "instance", "instances", "slices", "server", "servers", "worker", "workers", "node",
             "nodes", "host", "hosts", "url", "urls", "addr", "replicas", "devices", "gpus", "port"}  # fmt: skip
"""What is there twice where prefill and decode run apart."""
PARTS = {"dtype", "dtypes", "type", "types", "quant", "fp8", "mask", "bias", "rope", "split", "strategy", "weight",
         "weights", "guided", "gate", "routing", "expert", "experts", "topk", "act", "activation", "norm"}  # fmt: skip
"""Words of functions and tables that choose something within a layer."""
FREE_ORDERS = ("FIFO", "LIFO")
"""How the claims of free lists begin."""
_LIMITED = re.compile(r"\s[<>]=?\s")
_COUNTED = re.compile(r"(?:\.|->)(?:size|empty)\(\)")
RANKS = re.compile(r"tensor_parallel|\btp_size|world_size", re.IGNORECASE)
_MANY_RANKS = (
    r"(?:group|comm|communicator|mesh)(?:s|_\w*)?\.size\(\)"
    r"|\b(?:\w*world_size|(?:tp|pp|ep|cp|dp|sp)_size|num_ranks|n_ranks|num_shards)\b"
)
_SEVERAL_RANKS = re.compile(r"[\w.]+(?:\(\))? ?(?:> ?1|>= ?2|!= ?1)")
"""A test that there is more than one."""
_IS_NAME = re.compile(r"[\"']?[A-Za-z_][\w.:<>\"', ()=-]*")
"""Something that has a name: numbers and lists of them are no implementations."""
OVER = {"finished", "finish", "aborted", "abort", "stopped", "done", "cancelled", "canceled", "completed", "complete",
        "failed", "ended", "timeout"}  # fmt: skip
"""Words of states of what is over."""
MOST_ROUTES = 12
_ASKS_A_MODEL = re.compile(r"generat|complet|chat|embed|/models|health|infer|predict", re.IGNORECASE)
"""Paths of a server of models that are asked for most."""
MOST_OWNERS = 3
MOST_CHOSEN = 6
MOST_REMEMBERED = 20_000
"""Texts of which it is remembered whether they speak of one thing."""
MOST_PLACES = 8

Answer = Callable[[System], Iterator[Claim]]


class Speaking:
    """Whether texts hold a pattern; it is remembered, for an edit changes few of them."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern, re.IGNORECASE)
        self._known: dict[str, bool] = {}

    def __call__(self, text: str) -> bool:
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            found = self._known[text] = self._pattern.search(text) is not None
        return found


_SPEAKS_OF_RANKS = Speaking(_MANY_RANKS)


def both(*answers: Answer) -> Answer:
    """One selection after the other."""

    def find(system: System) -> Iterator[Claim]:
        for answer in answers:
            yield from answer(system)

    return find


def first(*answers: Answer) -> Answer:
    """The first selection that finds anything."""

    def find(system: System) -> Iterator[Claim]:
        for answer in answers:
            found = list(answer(system))
            if found:
                yield from found
                return

    return find


def about(section: str, pattern: str = "") -> Answer:
    """Claims of a section whose name or value speaks of something."""
    speaks = Speaking(pattern)

    def find(system: System) -> Iterator[Claim]:
        for claim in system.about(section):
            if speaks(claim.name) or speaks(claim.value):
                guard = f" (if {claim.condition})" if claim.condition and claim.condition not in claim.value else ""
                yield Claim(claim.name, f"{claim.text}{guard}", claim.evidence, confidence=claim.confidence)

    return find


def unless_preempted(system: System) -> Iterator[Claim]:
    """That nobody is preempted, where all that is found is what goes back to a queue."""
    back = list(about("serving.scheduling", "requeue")(system))
    if back and not list(about("serving.scheduling", "preempt|victim")(system)):
        said = "no running request is found to be preempted for another; what goes back to a queue is the following"
        yield Claim("preemption", said, back[0].evidence[:1])


def closest(section: str, pattern: str) -> Answer:
    """The same from files whose names speak of the section, where there are any."""
    find_all = about(section, pattern)

    def find(system: System) -> Iterator[Claim]:
        found = list(find_all(system))
        near = [claim for claim in found if _is_near(section, claim.evidence[0].path)]
        yield from near or found

    return find


def _is_near(section: str, path: Path) -> bool:
    return bool(hits(section, path.stem) or hits(section, path.parent.name))


def settings(pattern: str, with_demands: bool = True) -> Answer:
    """Parameters, with defaults and overrides, and constraints whose names hold the words of a topic."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        yield from system.following(("settings", pattern, with_demands), lambda: list(find_all(system)))

    def find_all(system: System) -> Iterator[Claim]:
        chosen = [p for p in system.settings_about(compiled) if not p.is_bare and not _is_elsewhere(p)]
        told = {p.name for p in chosen if p.kind != "option"}
        chosen = [p for p in chosen if not is_only_named(p, told)]
        alike: dict[str, list[Parameter]] = {}
        for p in sorted(chosen, key=lambda p: (remoteness(p), -system.weight(p.location.path))):
            alike.setdefault(said_of(p), []).append(p)
        for said, group in alike.items():
            yield setting_claim(said, group)
        names = {p.name for p in chosen}
        for c in system.demands_about(compiled) if with_demands else ():
            if _COUNTED.search(c.condition):
                continue  # how many there are of something says nothing of a setting
            meant = [s for s in c.subjects if compiled.search(s)]
            if meant and not any(re.search(rf"\b{re.escape(s)}\b(?!\.)", c.condition) for s in meant):
                continue  # what holds the setting that is meant
            if c.kind != "other" or not names.isdisjoint(c.subjects):
                yield constraint_claim(c)

    return find


def given(pattern: str) -> Answer:
    """Numbers that the constructors of servers take by default and hand on."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        yield from system.following(("given", pattern), lambda: list(find_all(system)))

    def find_all(system: System) -> Iterator[Claim]:
        for p in system.declared:
            is_meant = p.kind == "argument" and p.owner.endswith(".__init__") and isinstance(p.value, int | float)
            if is_meant and compiled.search(p.name) and (SERVERS | ENTRIES) & set(words(p.owner)):
                yield setting_claim(said_of(p), [p])

    return find


def is_only_named(p: Parameter, told: Container[str]) -> bool:
    """An option of the command line that says nothing but its name; its default is that of a field of this name."""
    says = p.expression or p.choices or p.overrides
    return p.kind == "option" and not says and p.name.strip("-").replace("-", "_") in told


def _is_elsewhere(p: Parameter) -> bool:
    """A `priority` or `policy` of what is no request, such as hooks or experts; fields of what is only reported."""
    owner = words(p.owner)
    if p.kind == "option":
        return False
    if p.kind == "field" and RESULTS & {*owner[-1:], "".join(owner[-2:])}:
        return True
    if p.name == "policy":
        return bool(OTHERS & set(owner))
    return p.name == "priority" and not (SERVERS | SERVED) & set(owner)


def numbers(pattern: str) -> Answer:
    """The same without switches: what is a number, or computed; what shapes and types agree in limits nothing."""
    find_all = settings(pattern)

    def find(system: System) -> Iterator[Claim]:
        for claim in find_all(system):
            is_form = claim.name in ("shape", "dtype") and not _LIMITED.search(claim.value)
            if not is_form and (not claim.evidence or claim.evidence[0] not in system.switches):
                yield claim

    return find


def of_hosts(answer: Answer) -> Answer:
    """What a selection finds outside CUDA sources, whose kernels have pipelines and pages of their own."""

    def find(system: System) -> Iterator[Claim]:
        yield from (claim for claim in answer(system) if claim.evidence[0].path.suffix not in (".cu", ".cuh"))

    return find


def barriers(system: System) -> Iterator[Claim]:
    """Barriers between processes."""
    for claim in collectives(system):
        if claim.name == "barrier":
            yield claim


def remoteness(p: Parameter) -> int:
    """Configurations of servers come before others, those before what is no configuration."""
    spoken = set(words(p.owner))
    return 0 if SERVERS & spoken and p.is_of_configuration else 1 if p.is_of_configuration else 2


def said_of(p: Parameter) -> str:
    chosen = [o for o in p.overrides if o.detail == CHOSEN]
    if chosen and len(chosen) == len(p.overrides):
        return f"{p.name} is {', '.join(f'{o.value} if {o.condition}' for o in chosen[:MOST_CHOSEN])}"
    text = f"{p.name} {p.default}"
    if p.choices:
        text += f", one of {', '.join(p.choices)}"
    for o in p.overrides[:2]:
        verb = f"{o.detail} is" if o.detail.startswith("default of") else "becomes"
        text += f", {verb} {o.value}" + (f" if {o.condition}" if o.condition else "")
    return text


def setting_claim(said: str, group: list[Parameter]) -> Claim:
    """A setting; one that several classes have alike names some of them."""
    first = group[0]
    owner = f"{first.owner or 'module'}.{said}"
    if len(group) > 1:
        others = list(dict.fromkeys(p.owner or "module" for p in group[1:]))
        more = f" and {len(others) - MOST_OWNERS} more" if len(others) > MOST_OWNERS else ""
        owner += f" (also in {', '.join(others[:MOST_OWNERS])}{more})"
    places = [
        place for p in group
        for place in (p.location, *p.listed_at[:1], *(e for o in p.overrides[:2] for e in o.evidence))
    ]  # fmt: skip
    return Claim(first.name, owner, tuple(places[:MOST_PLACES]))


def constraint_claim(c: Constraint) -> Claim:
    where = f" in {c.where}" if c.where else ""
    when = f", if {c.when}" if c.when else ""
    return Claim(c.kind, f"{c.condition} must hold ({c.enforced_by}{where}{when})", (c.location,))


def constraints(*kinds: str) -> Answer:
    """Constraints of some kinds."""

    def find(system: System) -> Iterator[Claim]:
        meant = system.following(("constraints", kinds), lambda: [c for c in system.demands if c.kind in kinds])
        yield from map(constraint_claim, meant)

    return find


def memberships(pattern: str) -> Answer:
    """What a setting whose name speaks of something may be, where the code checks it."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        for c in system.demands_about(compiled):
            if c.kind == "membership":
                yield constraint_claim(c)

    return find


def architectures(system: System) -> Iterator[Claim]:
    """Constraints that compare an architecture with one that is written out: models have architectures, too.

    What a memory of one holds is no demand for it.
    """
    for claim in constraints("arch")(system):
        is_amount = re.search(r"smem|bytes|capacity", claim.value)
        is_asked = re.search(r"[<>=]=|[<>]| in ", claim.value) and re.search(r"(?<![a-zA-Z\d.])[1-9]", claim.value)
        if is_asked and not is_amount:
            yield claim


def states(system: System) -> Iterator[Claim]:
    """States of requests and their transitions; where no field says a state, the queues that they move between."""
    for registry in system.states:
        members = ", ".join(entry.key for entry in registry.entries)
        where = (registry.location, *(entry.location for entry in registry.entries))
        yield Claim(registry.name, f"status states of {registry.name}: {members}", where)
    for x in system.transitions:
        guard = f" if {x.condition}" if x.condition else ""
        yield Claim(x.state, f"{x.subject} becomes {x.state} in {x.where}{guard}", (x.location,))
    if not system.transitions:
        for move in system.moves:
            yield Claim(f"{move.source} → {move.target}", move.text, (move.location, move.taken_at))


def ending_states(system: System) -> Iterator[Claim]:
    """Transitions to a state in which a request is over."""
    for x in system.transitions:
        if OVER & set(words(x.state.rpartition(".")[2])) and x.condition:
            yield Claim(x.state, f"{x.subject} becomes {x.state} in {x.where} if {x.condition}", (x.location,))


def collectives(system: System) -> Iterator[Claim]:
    """Communication with tensor, group and guard."""
    exchanged = [c for c in system.collectives if not system.is_aside(c.location.path)]
    for c in sorted(exchanged, key=lambda c: (c.confidence != "derived", not c.where.endswith(".forward"), c.location)):
        guard = f" if {c.condition}" if c.condition else ""
        after = f" after {c.after}" if c.after else ""
        overlapped = f", overlapped with {c.overlapped}" if c.overlapped else ""
        hidden = f" within {c.call}" if c.group == THE_WRAPPERS else " of its arguments"
        moved = "" if c.primitive == "barrier" else f" of {c.tensor}" if c.tensor else hidden
        value = f"{c.where}: {c.primitive}{moved} over {c.group or 'its communicator'}{after}"
        back = f"; in backward {c.backward}" if c.backward else ""
        yield Claim(c.primitive, value + guard + overlapped + back, (c.location,))


def processes(system: System) -> Iterator[Claim]:
    """What is started, processes first, and the ends of channels."""
    for s in system.running:
        yield Claim(s.kind, s.text, (s.location,))
    for link in system.links:
        yield Claim(link.channel.transport, link.text, link.evidence)


def routes(system: System) -> Iterator[Claim]:
    """Routes, several of one file in one claim, those that ask a model for something first."""
    served = [r for r in system.routes if not system.is_aside(r.location.path)]
    of_servers: dict[Path, list[Route]] = {}
    for r in sorted(served, key=lambda r: _ASKS_A_MODEL.search(r.path) is None):
        of_servers.setdefault(r.location.path, []).append(r)
    for routes_of_one in of_servers.values():
        for start in range(0, len(routes_of_one), MOST_ROUTES):
            group = routes_of_one[start : start + MOST_ROUTES]
            said = "; ".join(f"{r.method} {r.path} is served by {r.handler}" for r in group)
            yield Claim("route", said, tuple(r.location for r in group))


def metrics(system: System) -> Iterator[Claim]:
    exported = (m for m in system.metrics if not system.is_aside(m.location.path))
    for m in sorted(exported, key=lambda m: -system.weight(m.location.path)):
        yield Claim(m.name, f"{m.kind} {m.name}{m.measures and ': '}{m.measures}", (m.location,))


def separate_instances(system: System) -> Iterator[Claim]:
    """Settings that prefill and decode have each: engines, hosts or sizes of their own."""
    yield from system.following("separate instances", lambda: list(_separate_instances(system)))


def _separate_instances(system: System) -> Iterator[Claim]:
    owners: dict[tuple[str, tuple[str, ...]], dict[str, Parameter]] = {}
    for p in system.settings:
        said = words(p.name)
        phase = next((phase for phase, names in PHASES.items() if names & set(said)), "")
        rest = tuple(word for word in said if phase and word not in PHASES[phase])
        if INSTANCES & set(rest):
            owners.setdefault((p.owner, rest), {}).setdefault(phase, p)
    for (owner, _), found in owners.items():
        if len(found) == len(PHASES):
            names = " and ".join(p.name for p in found.values())
            value = f"prefill and decode have each their own: {owner or 'module'} declares {names}"
            yield Claim(f"{owner} instances", value, tuple(p.location for p in found.values()))


def registered(pattern: str) -> Answer:
    """What registries, tables and factories of a kind of thing hold; what chooses types, masks or ropes is none."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        yield from system.following(("registered", pattern), lambda: list(find_all(system)))

    def find_all(system: System) -> Iterator[Claim]:
        for registry in system.registries:
            if (
                compiled.search(_what_is_chosen(registry))
                and any(_IS_NAME.fullmatch(e.implementation) for e in registry.entries)
                and (registry.kind != "enum" or _names_backends(registry.name))
                and not _chooses_a_part(w for w in _words_of(registry) if not compiled.search(w))
                and not (" by " in registry.name and len({e.implementation for e in registry.entries}) == 1)
                and not system.is_aside(registry.location.path)
            ):
                keys = ", ".join(f"{e.key} → {e.implementation}" for e in registry.entries[:30])
                where = tuple(entry.location for entry in registry.entries)
                yield Claim(registry.name, f"{registry.name} registers {keys}", where)

    return find


def _words_of(registry: Registry) -> tuple[str, ...]:
    """The words of a registry, or of the function that chooses."""
    return words(registry.name.rpartition(" by ")[0].rpartition(".")[2] or registry.name)


def _chooses_a_part(said: Iterable[str]) -> bool:
    """Whether a function's words speak of a part of a layer; tokens are routed to experts, requests by a logic."""
    found = PARTS & set(said)
    return bool(found - {"routing"} if {"logic", "policy", "policies"} & set(said) else found)


def _what_is_chosen(registry: Registry) -> str:
    """The words of a registry; of a choice in a constructor what it goes by and gives, not whose constructor it is."""
    made, by, subject = registry.name.partition(".__init__ by ")
    return f"{subject} {' '.join(e.implementation for e in registry.entries)}" if by else made


def _names_backends(enum: str) -> bool:
    return "backend" in words(enum) and not FAULTS & set(words(enum))


def choices_of(pattern: str) -> Answer:
    """The members of enums whose name speaks of something, outside tests."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        for r in system.registries:
            is_meant = r.kind == "enum" and compiled.search(r.name) and not FAULTS & set(words(r.name))
            if is_meant and not system.is_aside(r.location.path):
                members = ", ".join(f"{e.key} = {e.implementation}" for e in r.entries[:30])
                yield Claim(r.name, f"{r.name} is one of {members}", (r.location,))

    return find


def choices(pattern: str) -> Answer:
    """The members of the enums of a kind of thing, all in one answer: which ways there are."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def find(system: System) -> Iterator[Claim]:
        enums = [
            r for r in system.registries
            if r.kind == "enum" and hits("serving.scheduling", r.location.path.stem) and compiled.search(r.name)
            and not system.is_aside(r.location.path)
        ]  # fmt: skip
        if enums:
            members = (", ".join(f"{e.key} = {e.implementation}" for e in r.entries) for r in enums)
            said = "; ".join(f"{r.name}: {listed}" for r, listed in zip(enums, members, strict=True))
            places = tuple(place for r in enums for place in (r.location, *(e.location for e in r.entries[:4])))
            yield Claim("policies", f"policies to choose from: {said}", places)

    return find


def parallel_sizes(*kinds: str) -> Answer:
    """Parameters that set how many ways something is split."""

    def find(system: System) -> Iterator[Claim]:
        for kind, _ in STRATEGIES:
            meant = [p for p in system.strategies.get(kind, []) if kind in kinds and not p.is_bare]
            for p in sorted(meant, key=remoteness):
                yield Claim(p.name, f"{kind}: {p.owner}.{p.name} {p.default}", (p.location,))
        if "TP" in kinds:
            told = system.demands_about(RANKS)
            yield from map(constraint_claim, dict.fromkeys([*told, *of_ranks(system)]))

    return find


def of_ranks(system: System) -> list[Constraint]:
    """Constraints that hold something against how many ranks there are, by the size of a group too.

    That there are several is what a function is called under, and no limit of how many there may be.
    """

    def limits() -> list[Constraint]:
        return [
            c for c in system.demands if _SPEAKS_OF_RANKS(c.condition) and not _SEVERAL_RANKS.fullmatch(c.condition)
        ]

    return system.following("of ranks", limits)


def synchronisation(system: System) -> Iterator[Claim]:
    """Waits and signals."""
    for s in sorted(system.syncs, key=lambda s: s.kind == "stream_event"):
        yield Claim(s.kind, s.text, (s.location, *s.also))
