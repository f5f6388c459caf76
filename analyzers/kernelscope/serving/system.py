"""Everything that is known of a whole system: the readings of its files, joined where a fact needs several of them.

Joining only: what a fact means for a question is decided where the question is answered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TypeVar, cast

from kernelscope.faults import Fault, part
from kernelscope.results import Location
from kernelscope.serving.asking import requests
from kernelscope.serving.bindings import Loader, Native
from kernelscope.serving.channels import Channel, Link, links
from kernelscope.serving.claims import Claim
from kernelscope.serving.collectives import Collective
from kernelscope.serving.config_files import OWNER
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.defaults import NAMES_A_FIELD, with_choices, with_value
from kernelscope.serving.handing import handed_on
from kernelscope.serving.lifecycle import Transition, of_requests, states_only
from kernelscope.serving.metrics import Metric
from kernelscope.serving.moves import Move
from kernelscope.serving.nearness import Nearness, nearness
from kernelscope.serving.numbering import numbering_claims
from kernelscope.serving.parallel import Layer, layer_claims, plan_claims, sharded_layers, strategies
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.procedures import Procedure
from kernelscope.serving.processes import Started
from kernelscope.serving.reaching import reached
from kernelscope.serving.reading import Reading
from kernelscope.serving.registries import Registry
from kernelscope.serving.routes import Route
from kernelscope.serving.sections import hits
from kernelscope.serving.sharding import Made as MadeLayer
from kernelscope.serving.sharding import Plan, Sharded
from kernelscope.serving.sockets import unwrapped
from kernelscope.serving.stores import overridden
from kernelscope.serving.waits import Sync
from kernelscope.workspace.files import PYTHON_SUFFIXES

DECLARED = ("path", "aside", "imports", "parameters", "stores", "constraints", "registries")
"""The records of a file on which declarations rest: what is set, demanded and chosen."""
RESTING = (
    "_asides", "_importers", "parameters", "parameter_names", "declared", "settings", "_setting_names",
    "_setting_places", "_enums_by_name", "switches", "demands", "_subjects", "_subject_places", "registries", "enums",
    "strategies",
)  # fmt: skip
"""What follows from those alone; most edits leave it as it was."""
Made = TypeVar("Made")
KINDS_IN_ORDER = ("process", "actor", "process pool", "thread", "thread of a pool", "asyncio task", "thread pool")
KINDS = {kind: place for place, kind in enumerate(KINDS_IN_ORDER)}


@lru_cache(maxsize=256)
def _matching(names: frozenset[str], pattern: re.Pattern[str]) -> frozenset[str]:
    """The names that hold a word; kept, as an edit seldom adds a name."""
    return frozenset(name for name in names if pattern.search(name.replace("-", "_")))


@dataclass
class System:
    """Facts of the files in focus, each list in the order of paths and lines."""

    readings: list[Reading] = field(default_factory=list[Reading])
    collectives: list[Collective] = field(default_factory=list[Collective])
    transitions: list[Transition] = field(default_factory=list[Transition])
    layers: list[Layer] = field(default_factory=list[Layer])
    claims: dict[str, list[Claim]] = field(default_factory=dict[str, list[Claim]])
    faults: list[Fault] = field(default_factory=list[Fault])
    """What could not be told of the system as a whole; readings hold what could not be told of their files."""
    layers_rest_on: tuple[list[Sharded], list[MadeLayer], list[Collective]] | None = field(default=None, repr=False)
    """What the layers were made of: most edits leave it as it was."""
    _about: dict[str, list[Claim]] = field(default_factory=dict[str, "list[Claim]"], repr=False)
    _weights: dict[Path, int] = field(default_factory=dict[Path, int], repr=False)
    _follows: dict[Hashable, tuple[object, object]] = field(
        default_factory=dict[Hashable, tuple[object, object]], repr=False
    )

    def following(self, key: Hashable, make: Callable[[], Made], rests_on: object = None) -> Made:
        """What follows from declarations alone (`DECLARED`), made once for as long as no edit changes them.

        What rests on something besides is made anew when that is another object.
        """
        known = self._follows.get(key)
        if known is None or known[0] is not rests_on:
            known = self._follows[key] = (rests_on, make())
        return cast(Made, known[1])

    def take_over(self, before: System) -> None:
        """What follows from declarations is that of the system before, if those are the same."""
        pairs = list(zip(self.readings, before.readings, strict=False))
        is_as_long = len(self.readings) == len(before.readings)
        if is_as_long and all(a is b or (a.path, a.aside, a.callers) == (b.path, b.aside, b.callers) for a, b in pairs):
            self.__dict__["nearness"] = before.nearness
        elif self.nearness == before.nearness:
            self.__dict__["nearness"] = before.nearness  # the same object: what rests on it is not made anew
        if not is_as_long or not all(a is b or _declare_alike(a, b) for a, b in pairs):
            return
        self.__dict__.update((name, before.__dict__[name]) for name in RESTING if name in before.__dict__)
        self._weights, self._follows = before._weights, before._follows

    def about(self, section: str) -> list[Claim]:
        """The claims that stand in a section, without those of tests and examples."""
        found = self._about.get(section)
        if found is None:
            found = self.claims.get(section, [])
            if len(self._asides) < len(self.readings):
                found = [claim for claim in found if claim.evidence[0].path not in self._asides]
            self._about[section] = found
        return found

    @cached_property
    def _asides(self) -> frozenset[Path]:
        return frozenset(reading.path for reading in self.readings if reading.aside)

    @cached_property
    def _importers(self) -> Counter[str]:
        return Counter(chain.from_iterable(reading.imports for reading in self.readings))

    def weight(self, path: Path) -> int:
        """How central a file is: the number of binary digits of how many files import it."""
        known = self._weights.get(path)
        if known is None:
            package = path.parent.name if path.stem == "__init__" else f"{path.parent.name}.{path.stem}"
            known = self._weights[path] = self._importers[package].bit_length()
        return known

    def is_aside(self, path: Path) -> bool:
        """Whether a file belongs to tests, benchmarks or examples: what it says comes last."""
        return path in self._asides

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Parameters with what any file stores over them."""
        declared = [entry for reading in self.readings for entry in reading.parameters]
        return overridden(declared, (entry for reading in self.readings for entry in reading.stores))

    @property
    def constraints(self) -> Iterator[Constraint]:
        return (entry for reading in self.readings for entry in reading.constraints)

    @cached_property
    def parameter_names(self) -> frozenset[str]:
        return frozenset(p.name for p in self.parameters)

    @cached_property
    def declared(self) -> list[Parameter]:
        """Parameters outside tests and examples; a default that names another is told with what that one is."""
        found = [p for p in self.parameters if not self.is_aside(p.location.path)]
        values: dict[str, set[str]] = {}
        for p in found:
            if p.kind == "field" and p.expression and not NAMES_A_FIELD.fullmatch(p.expression):
                values.setdefault(p.name, set()).add(p.expression)
                values.setdefault(f"{p.owner}.{p.name}", set()).add(p.expression)
            elif p.kind == "constant" and p.value is not None:
                values.setdefault(f":{p.name}", set()).add(p.expression)
                values.setdefault(f"{p.location.path}:{p.name}", set()).add(p.expression)
        return [with_choices(with_value(p, values), self._enums_by_name) for p in found]

    @cached_property
    def _enums_by_name(self) -> dict[str, Registry | None]:
        """The enums outside tests and examples; none under a name that several have."""
        found: dict[str, Registry | None] = {}
        for registry in self.registries:
            if registry.kind == "enum" and not self.is_aside(registry.location.path):
                name = registry.name.rpartition(".")[2]
                found[name] = None if name in found else registry
        return found

    @cached_property
    def settings(self) -> list[Parameter]:
        """What users may set, outside tests and examples: no arguments of functions, no macros, no members of enums."""
        return [p for p in self.declared if p.kind not in ("argument", "define") and p.owner not in self.enums]

    def parameters_named(self, pattern: re.Pattern[str]) -> frozenset[str]:
        """Names of parameters that hold a word."""
        return _matching(self.parameter_names, pattern)

    def settings_about(self, pattern: re.Pattern[str]) -> list[Parameter]:
        """Settings whose names hold a word; options are read with `_` for `-`."""
        names = _matching(self._setting_names, pattern)
        return [self.settings[place] for place in sorted(place for n in names for place in self._setting_places[n])]

    def settings_named(self, name: str) -> list[Parameter]:
        """Settings of one name."""
        return [self.settings[place] for place in self._setting_places.get(name, ())]

    @cached_property
    def _setting_names(self) -> frozenset[str]:
        return frozenset(self._setting_places)

    @cached_property
    def _setting_places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, p in enumerate(self.settings):
            found.setdefault(p.name, []).append(place)
            if p.owner.startswith(f"{OWNER}."):  # a key of a file: what it is of says as much as its name
                found.setdefault(f"{p.owner.rpartition('.')[2]}.{p.name}", []).append(place)
        return found

    def demands_about(self, pattern: re.Pattern[str]) -> list[Constraint]:
        """Constraints one of whose subjects holds a word."""
        subjects = _matching(self._subjects, pattern)
        return [self.demands[place] for place in sorted({place for s in subjects for place in self._subject_places[s]})]

    @cached_property
    def _subjects(self) -> frozenset[str]:
        return frozenset(self._subject_places)

    @cached_property
    def _subject_places(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, c in enumerate(self.demands):
            for subject in c.subjects:
                found.setdefault(subject, []).append(place)
        return found

    @cached_property
    def switches(self) -> frozenset[Location]:
        """Where parameters are declared that are no number: on or off, a text, or nothing."""
        return frozenset(
            p.location for p in self.parameters if isinstance(p.value, bool | str) or p.expression == "None"
        )

    @cached_property
    def demands(self) -> list[Constraint]:
        """Constraints outside tests and examples."""
        return [c for c in self.constraints if not self.is_aside(c.location.path)]

    @cached_property
    def registries(self) -> list[Registry]:
        """Registries; what one decorator registers in several files is one of them."""
        found: list[Registry] = []
        places: dict[str, int] = {}
        for registry in (entry for reading in self.readings for entry in reading.registries):
            if registry.kind == "decorator":
                if (place := places.get(registry.name)) is not None:
                    found[place] = replace(found[place], entries=(*found[place].entries, *registry.entries))
                    continue
                places[registry.name] = len(found)
            found.append(registry)
        return found

    @cached_property
    def states(self) -> list[Registry]:
        """Enums whose members requests have as their state, those that many files import first."""
        stored: dict[str, set[str]] = {}
        for transition in self.transitions:
            stored.setdefault(transition.enum, set()).add(transition.state.rpartition(".")[2])
        enums = (r for r in self.registries if r.kind == "enum")
        used = ((r, stored.get(r.name.rpartition(".")[2], set())) for r in enums)
        found = of_requests(r for r, states in used if any(entry.key in states for entry in r.entries))
        return sorted(found, key=lambda r: -self.weight(r.location.path))

    @cached_property
    def moves(self) -> list[Move]:
        """What moves between queues, in central files first: the states of requests where no field says them."""
        found = [move for reading in self.readings if not reading.aside for move in reading.moves]
        return sorted(found, key=lambda move: -self.weight(move.location.path))

    @cached_property
    def started(self) -> list[Started]:
        """Processes and threads; those that a class of the system starts are named by what it is given to run."""
        launchers = {launcher.cls: launcher for reading in self.readings for launcher in reading.launchers}
        handed_on = {f"self.{launcher.field}" for launcher in launchers.values()}
        found: list[Started] = []
        for reading in self.readings:
            found += [s for s in reading.started if s.target not in handed_on]
            for s in reading.targets:
                launcher = launchers.get(s.how.rpartition(".")[2])
                if launcher is not None and launcher.runs(s.kind):
                    found.append(replace(s, kind=launcher.kind))
        return found

    @cached_property
    def running(self) -> list[Started]:
        """What is started outside tests and examples: processes, then threads, then pools; central files first."""
        found = [s for s in self.started if not self.is_aside(s.location.path)]
        return sorted(found, key=lambda s: (KINDS.get(s.kind, len(KINDS)), -self.weight(s.location.path)))

    @property
    def channels(self) -> Iterator[Channel]:
        return (entry for reading in self.readings for entry in reading.channels)

    @cached_property
    def links(self) -> list[Link]:
        """Channels outside tests and examples, with who sends and who receives."""
        readings = [reading for reading in self.readings if not reading.aside]
        opened = unwrapped(
            (c for r in readings for c in r.channels), (w for r in readings for w in r.wrappers),
            (w for r in readings for w in r.wrappings), (a for r in readings for a in r.arguments),
        )  # fmt: skip
        used = [u for r in readings for u in r.uses]
        further = handed_on(
            opened, used, (h for r in readings for h in r.handed), (n for r in readings for n in r.renamed)
        )
        found = sorted(links(opened, [*used, *further]), key=lambda link: _nearness(link.channel))
        return [*found, *self.requests]

    @cached_property
    def requests(self) -> list[Link]:
        """By path, who asks for what the system serves."""
        readings = [reading for reading in self.readings if not reading.aside]
        return requests((a for r in readings for a in r.asked), (route for r in readings for route in r.routes))

    @property
    def routes(self) -> Iterator[Route]:
        return (entry for reading in self.readings for entry in reading.routes)

    @property
    def metrics(self) -> Iterator[Metric]:
        return (entry for reading in self.readings for entry in reading.metrics)

    def procedures_of(self, section: str) -> list[Procedure]:
        """The functions that belong to a section."""
        return self._procedures.get(section, [])

    @cached_property
    def _procedures(self) -> dict[str, list[Procedure]]:
        found: dict[str, list[Procedure]] = {}
        for reading in self.readings:
            for entry in reading.procedures:
                for section in (entry.section, *entry.also):
                    found.setdefault(section, []).append(entry)
        return found

    @cached_property
    def nearness(self) -> Nearness:
        """How near functions lie to the main loops, outside tests and examples."""
        return nearness((reading.path, reading.callers) for reading in self.readings if not reading.aside)

    @cached_property
    def strategies(self) -> dict[str, list[Parameter]]:
        """Settings of how many ways something is split, by strategy; constants inside of native code are none."""
        return strategies(
            p for p in self.declared
            if p.owner not in self.enums and (p.owner or p.location.path.suffix in PYTHON_SUFFIXES)
        )  # fmt: skip

    @property
    def syncs(self) -> Iterator[Sync]:
        return (entry for reading in self.readings for entry in reading.syncs)

    @property
    def natives(self) -> Iterator[Native]:
        return (entry for reading in self.readings for entry in reading.natives)

    @property
    def loaders(self) -> Iterator[Loader]:
        return (entry for reading in self.readings for entry in reading.loaders)

    @property
    def plans(self) -> Iterator[Plan]:
        return (entry for reading in self.readings for entry in reading.plans)

    @cached_property
    def enums(self) -> frozenset[str]:
        return frozenset(r.name.rpartition(".")[2] for r in self.registries if r.kind == "enum")


def _declare_alike(a: Reading, b: Reading) -> bool:
    return all(getattr(a, name) == getattr(b, name) for name in DECLARED)


def join(readings: list[Reading], before: System | None = None) -> System:
    """The system that the files make together; what an edit left as it was is taken from the system before it."""
    readings = sorted(readings, key=lambda reading: reading.aside)
    system = System(readings)
    if before is not None:
        system.take_over(before)
    enums = system.enums
    for reading in readings:
        system.collectives += reading.collectives
        if not reading.aside or readings[0].aside:
            system.transitions += (x for x in reading.transitions if x.enum in enums)
        for section, claims in reading.claims.items():
            system.claims.setdefault(section, []).extend(claims)
    system.transitions = states_only(system.transitions)
    places = {state.name.rpartition(".")[2]: place for place, state in enumerate(system.states)}
    members = {(s.name.rpartition(".")[2], entry.key) for s in system.states for entry in s.entries}
    system.transitions = [x for x in system.transitions if (x.enum, x.state.rpartition(".")[2]) in members]
    system.transitions.sort(key=lambda x: places.get(x.enum, len(places)))
    with part("numbers of kinds of work", system.faults):
        system.claims.setdefault("units_of_work", []).extend(_numbered(readings))
    wrappers = {c.where.rpartition(".")[2] for c in system.collectives}
    system.collectives += reached(
        (c for r in readings for c in r.wrapped), (reach for r in readings for reach in r.reaches), wrappers
    )
    with part("sharded layers", system.faults):
        rests_on = ([c for r in readings for c in r.sharded], [m for r in readings for m in r.made], system.collectives)
        if before is not None and before.layers_rest_on == rests_on:
            system.layers = before.layers
        else:
            system.layers = sharded_layers(*rests_on)
        system.layers_rest_on = rests_on
        system.claims.setdefault("distributed.sharding", []).extend(layer_claims(system.layers))
        system.claims["distributed.sharding"] += plan_claims(system.plans)
    for section, claims in system.claims.items():
        claims.sort(key=lambda claim: -_rank(system, section, claim))
    return system


def _numbered(readings: list[Reading]) -> Iterator[Claim]:
    """What numbers kinds of work have, in Python and in C++."""
    native = [n for r in readings if r.path.suffix not in PYTHON_SUFFIXES for n in r.numberings]
    python = [n for r in readings if r.path.suffix in PYTHON_SUFFIXES for n in r.numberings]
    return numbering_claims(python, native)


def _rank(system: System, section: str, claim: Claim) -> int:
    """What belongs to the section by its words, in files that many others import, comes first."""
    path = claim.evidence[0].path
    if system.is_aside(path):
        return -1
    fit = hits(section, claim.name) + hits(section, path.stem) + hits(section, path.parent.name)
    return 2 * min(fit, 4) + system.weight(path) + system.nearness.of_file(path) // 2


def _nearness(channel: Channel) -> int:
    """What joins programs comes before what one program has for itself, and that before what only wakes somebody."""
    return 0 if channel.pattern else 2 if channel.transport in ("event", "barrier") else 1
