"""What one file says of a system: plain records without trees, so that they can be kept and joined with others.

A pure function of the file's bytes; what needs several files is decided in `system`. A fault in one recogniser costs
what it would have told of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kernelscope.faults import Fault, part
from kernelscope.results import Location
from kernelscope.serving import c_hosts, endpoints, execution, layers, lifecycle, queues, service, sharding
from kernelscope.serving.alternatives import alternatives
from kernelscope.serving.asking import Asked, asked, called
from kernelscope.serving.bindings import Loader, Native, bindings, c_bindings, loaders
from kernelscope.serving.c_algorithms import algorithms, recomputed
from kernelscope.serving.c_barriers import c_barriers
from kernelscope.serving.c_caches import (
    c_caches,
    c_free_lists,
    c_layouts,
    c_oldest,
    c_pushed_layouts,
    c_recency,
    c_shared_free_lists,
    c_walked_lists,
)
from kernelscope.serving.c_checks import c_constraints
from kernelscope.serving.c_collectives import c_collectives, c_groups
from kernelscope.serving.c_constants import c_constants, c_enums
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.c_graphs import c_graphs
from kernelscope.serving.c_options import c_options
from kernelscope.serving.c_procedures import c_procedures
from kernelscope.serving.c_queues import c_queue_uses, c_queues
from kernelscope.serving.c_services import c_mapped_routes, c_metrics, c_routes, c_threads
from kernelscope.serving.c_settings import c_settings, c_tables
from kernelscope.serving.c_structures import c_structures
from kernelscope.serving.c_waits import c_syncs
from kernelscope.serving.calling import Caller, callers
from kernelscope.serving.channels import NO_CHANNEL, Channel, Use, channels, uses
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.collectives import Collective, collectives
from kernelscope.serving.commands import settable
from kernelscope.serving.config_files import Named, named_configs
from kernelscope.serving.config_nodes import config_nodes
from kernelscope.serving.constraints import Constraint, constraints, host_refusals
from kernelscope.serving.families import families
from kernelscope.serving.finders import FINDERS, PARTS
from kernelscope.serving.guards import forget
from kernelscope.serving.handing import Handed, Renamed, handed, renamed
from kernelscope.serving.mailboxes import letters, mailboxes
from kernelscope.serving.making_room import making_room
from kernelscope.serving.metrics import Metric, metrics
from kernelscope.serving.moves import Move, moves
from kernelscope.serving.numbering import Numbering, c_numberings, numberings
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.placing import also_told
from kernelscope.serving.procedures import Procedure, procedures
from kernelscope.serving.processes import Launcher, Started, launchers, running_classes, started, targets
from kernelscope.serving.rankings import rankings
from kernelscope.serving.reaching import Reach, reaches, wrapped_collectives
from kernelscope.serving.registries import Registry, held_registries, registries, stacks
from kernelscope.serving.routes import Route, routes
from kernelscope.serving.sockets import Argument, Wrapper, Wrapping, arguments, wrappers, wrappings
from kernelscope.serving.stepped import stepped
from kernelscope.serving.stores import Stored, stored
from kernelscope.serving.switched_off import switched_off_locally
from kernelscope.serving.task_structs import task_structs
from kernelscope.serving.waits import Sync, syncs
from kernelscope.serving.warp_roles import warp_roles
from kernelscope.syntax.python import tree as t

FRAMEWORKS = {"torch": "pytorch", "triton": "triton", "jax": "jax", "cutlass": "cute", "tilelang": "tilelang"}
WITH_SECTIONS = (alternatives, families, making_room, stepped, switched_off_locally)
"""Those that find claims of several sections."""
Source = TypeVar("Source")
Record = TypeVar("Record")


@dataclass(slots=True)
class Reading:
    """The records of one file, each list in source order; `claims` by section."""

    path: Path
    aside: bool
    lines: int
    frameworks: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    """Modules that the file imports, by their last two names: `core.pool`."""
    has_kernels: bool = False
    """Whether it defines Triton or CUDA kernels."""
    scripts: list[Claim] = field(default_factory=list[Claim])
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    named_configs: list[Named] = field(default_factory=list[Named])
    """Files of settings that it names."""
    stores: list[Stored] = field(default_factory=list[Stored])
    constraints: list[Constraint] = field(default_factory=list[Constraint])
    registries: list[Registry] = field(default_factory=list[Registry])
    collectives: list[Collective] = field(default_factory=list[Collective])
    wrapped: list[Collective] = field(default_factory=list[Collective])
    reaches: list[Reach] = field(default_factory=list[Reach])
    started: list[Started] = field(default_factory=list[Started])
    launchers: list[Launcher] = field(default_factory=list[Launcher])
    targets: list[Started] = field(default_factory=list[Started])
    channels: list[Channel] = field(default_factory=list[Channel])
    uses: list[Use] = field(default_factory=list[Use])
    handed: list[Handed] = field(default_factory=list[Handed])
    renamed: list[Renamed] = field(default_factory=list[Renamed])
    wrappers: list[Wrapper] = field(default_factory=list[Wrapper])
    wrappings: list[Wrapping] = field(default_factory=list[Wrapping])
    arguments: list[Argument] = field(default_factory=list[Argument])
    routes: list[Route] = field(default_factory=list[Route])
    asked: list[Asked] = field(default_factory=list[Asked])
    metrics: list[Metric] = field(default_factory=list[Metric])
    transitions: list[lifecycle.Transition] = field(default_factory=list[lifecycle.Transition])
    moves: list[Move] = field(default_factory=list[Move])
    procedures: list[Procedure] = field(default_factory=list[Procedure])
    callers: list[Caller] = field(default_factory=list[Caller])
    syncs: list[Sync] = field(default_factory=list[Sync])
    numberings: list[Numbering] = field(default_factory=list[Numbering])
    natives: list[Native] = field(default_factory=list[Native])
    loaders: list[Loader] = field(default_factory=list[Loader])
    sharded: list[sharding.Sharded] = field(default_factory=list[sharding.Sharded])
    made: list[sharding.Made] = field(default_factory=list[sharding.Made])
    plans: list[sharding.Plan] = field(default_factory=list[sharding.Plan])
    claims: dict[str, list[Claim]] = field(default_factory=dict[str, list[Claim]])

    faults: list[Fault] = field(default_factory=list[Fault])
    """What could not be told of the file."""

    def told(self, of: Callable[[Source], Iterable[Record]], source: Source) -> list[Record]:
        """What a recogniser tells; up to its fault where it has one."""
        found: list[Record] = []
        with part(f"{of.__module__.rpartition('.')[2]} of {self.path.name}", self.faults):
            found.extend(of(source))
        return found

    def add(self, section: str, claims: Iterable[Claim]) -> None:
        self.claims.setdefault(section, []).extend(claims)


def read_python(source: PythonSource, whole: bool = True) -> Reading:
    """The records of one Python file: all, or only those of what a system is made of and how that hangs together."""
    try:
        return _read_python(source, whole)
    finally:
        forget()


def _read_python(source: PythonSource, whole: bool) -> Reading:
    reading = Reading(source.path, source.aside, source.text.line_count, _frameworks(source), _imports(source))
    reading.started += reading.told(started, source)
    reading.started += reading.told(running_classes, source)
    reading.launchers += reading.told(launchers, source)
    reading.targets += reading.told(targets, source)
    reading.channels += reading.told(channels, source)
    reading.channels += reading.told(mailboxes, source)
    reading.uses += reading.told(uses, source)
    reading.uses += reading.told(letters, source)
    reading.handed += reading.told(handed, source)
    reading.renamed += reading.told(renamed, source)
    reading.wrappers += reading.told(wrappers, source)
    reading.wrappings += reading.told(wrappings, source)
    reading.arguments += reading.told(arguments, source)
    reading.routes += reading.told(routes, source)
    reading.asked += reading.told(asked, source)
    reading.asked += reading.told(called, source)
    reading.moves += reading.told(moves, source)
    reading.registries += reading.told(registries if whole else held_registries, source)
    if whole:
        _read_rest(reading, source)
    for section, claim in reading.told(_queue_claims, source):
        reading.add(section, [claim])
    for section, find in FINDERS:
        if whole or section in PARTS:
            reading.add(section, reading.told(find, source))
    for find_with_section in (layers.orders, stacks, rankings, *WITH_SECTIONS)[0 if whole else 1 :]:
        for section, claim in reading.told(find_with_section, source):
            reading.add(section, [claim])
    if whole:
        reading.procedures = also_told(reading.procedures, reading.claims, _recorded(reading))
    return reading


def _read_rest(reading: Reading, source: PythonSource) -> None:
    """What only reports and single documents tell."""
    reading.scripts += reading.told(_scripts, source)
    reading.has_kernels = execution.has_kernels(source)
    reading.parameters += reading.told(settable, source)
    reading.parameters += reading.told(config_nodes, source)
    reading.named_configs += reading.told(named_configs, source)
    reading.stores += reading.told(stored, source)
    reading.constraints += reading.told(constraints, source)
    reading.collectives += reading.told(collectives, source)
    with part(f"reaching of {source.path.name}", reading.faults):
        reading.reaches += reaches(source, reading.collectives)
        reading.wrapped += wrapped_collectives(source, reading.reaches)
    reading.metrics += reading.told(metrics, source)
    reading.transitions += reading.told(lifecycle.initial_states, source)
    reading.transitions += reading.told(lifecycle.transitions, source)
    reading.transitions += reading.told(lifecycle.state_classes, source)
    reading.procedures += reading.told(procedures, source)
    reading.callers += reading.told(callers, source)
    reading.syncs += reading.told(syncs, source)
    reading.numberings += reading.told(numberings, source)
    reading.natives += reading.told(bindings, source)
    reading.loaders += reading.told(loaders, source)
    reading.sharded += reading.told(sharding.sharded, source)
    reading.made += reading.told(sharding.made, source)
    reading.plans += reading.told(sharding.plans, source)
    reading.add("serving.topology.addresses", reading.told(endpoints.endpoints, reading.parameters))


def read_c(source: CSource, whole: bool = True) -> Reading:
    """The records of one C++ or CUDA file: all, or only those of how a system hangs together."""
    path, text = source.path, source.text
    reading = Reading(path, source.aside, text.line_count, ("cuda" if path.suffix in (".cu", ".cuh") else "cpp",))
    reading.started += reading.told(c_threads, source)
    reading.routes += reading.told(c_routes, source)
    reading.routes += reading.told(c_mapped_routes, source)
    reading.channels += reading.told(c_queues, source)
    reading.uses += reading.told(c_queue_uses, source)
    if whole:
        _read_rest_of_c(reading, source)
        forget()
    return reading


def _read_rest_of_c(reading: Reading, source: CSource) -> None:
    """What only reports and single documents tell of C++ and CUDA."""
    reading.has_kernels = any(function.is_kernel for function in source.functions)
    reading.parameters += reading.told(c_constants, source)
    reading.registries += reading.told(c_enums, source)
    reading.constraints += reading.told(c_constraints, source)
    reading.parameters += reading.told(c_structures, source)
    reading.parameters += reading.told(c_settings, source)
    reading.parameters += reading.told(c_options, source)
    reading.collectives += reading.told(c_collectives, source)
    reading.add("distributed.groups", reading.told(c_groups, source))
    reading.metrics += reading.told(c_metrics, source)
    reading.procedures += reading.told(c_procedures, source)
    reading.syncs += reading.told(c_syncs, source)
    reading.syncs += reading.told(c_barriers, source)
    reading.numberings += reading.told(_c_numberings, reading)
    reading.add("units_of_work", reading.told(task_structs, source))
    reading.add("units_of_work", reading.told(warp_roles, source))
    reading.natives += reading.told(c_bindings, source)
    reading.add("config", reading.told(c_tables, source))
    reading.add("serving.kv_cache", reading.told(c_caches, source))
    reading.add("serving.kv_cache", reading.told(c_layouts, source))
    reading.add("serving.kv_cache", reading.told(c_pushed_layouts, source))
    reading.add("serving.kv_cache", reading.told(c_free_lists, source))
    reading.add("serving.kv_cache", reading.told(c_shared_free_lists, source))
    reading.add("serving.kv_cache", reading.told(c_recency, source))
    reading.add("serving.kv_cache", reading.told(c_walked_lists, source))
    reading.add("serving.kv_cache", reading.told(c_oldest, source))
    reading.add("topology.execution", reading.told(c_graphs, source))
    reading.add("memory_access", reading.told(recomputed, source))
    for section, claim in reading.told(algorithms, source):
        reading.add(section, [claim])
    host = c_hosts.host_source(source)
    if host is not None:
        reading.transitions += reading.told(lifecycle.transitions, host)
        with part(f"states of {source.path.name}", reading.faults):
            reading.transitions += lifecycle.bare_states(host, reading.registries)
        reading.moves += reading.told(c_hosts.host_moves, host)
        reading.callers += reading.told(callers, host)
        reading.channels += reading.told(mailboxes, host)
        reading.uses += reading.told(letters, host)
        reading.stores += reading.told(c_hosts.host_stores, host)
        reading.constraints += reading.told(host_refusals, host)
        reading.registries += reading.told(c_hosts.host_factories, host)
        for section, claim in reading.told(_queue_claims, host):
            reading.add(section, [c_hosts.in_cpp(claim)])
        for section, find in c_hosts.FINDERS:
            reading.add(section, map(c_hosts.in_cpp, reading.told(find, host)))
        for find_with_section in (alternatives, making_room, stepped):
            for section, claim in reading.told(find_with_section, host):
                reading.add(section, [c_hosts.in_cpp(claim)])
    reading.procedures = also_told(reading.procedures, reading.claims, _recorded(reading))


def _recorded(reading: Reading) -> Iterator[tuple[str, Location]]:
    """Records that say to which section a function belongs, with where they are."""
    yield from (("distributed", c.location) for c in reading.collectives)
    yield from (("dependencies", s.location) for s in reading.syncs)
    yield from (("serving.topology", s.location) for s in reading.started)
    yield from (("serving.topology", c.location) for c in reading.channels if c.transport != NO_CHANNEL)
    yield from (("serving.topology", u.location) for u in reading.uses)
    yield from (("serving.topology", a.location) for a in reading.asked)
    handlers = {r.handler for r in reading.routes}
    yield from (("serving.topology", p.evidence[0]) for p in reading.procedures if p.name in handlers)
    yield from (("serving.lifecycle", x.location) for x in reading.transitions)
    yield from (("serving.scheduling", m.location) for m in reading.moves)


def _scripts(source: PythonSource) -> Iterator[Claim]:
    for statement in source.module.body:
        if isinstance(statement, t.If) and "__main__" in source.quote(statement.test):
            yield Claim(source.path.name, "script", (source.at(statement),))


def _queue_claims(source: PythonSource) -> Iterator[tuple[str, Claim]]:
    for queue in queues.queues(source):
        if queue.holds_ids:
            for claim in service.free_list_claims(queue):
                in_batch = claim.name.endswith("admission") or service.is_of_batches(queue)
                yield ("serving.batching" if in_batch else "serving.kv_cache"), claim
        else:
            yield from (("serving.scheduling", claim) for claim in service.service_claims(queue))


def _c_numberings(reading: Reading) -> Iterator[Numbering]:
    return c_numberings(reading.parameters, reading.registries)


def _imports(source: PythonSource) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for statement in t.flat(source.module.body):
        if isinstance(statement, t.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, t.ImportFrom):
            around = source.path.parts[: -1 * statement.level] if statement.level else ()
            module = ".".join((*around[-1:], *filter(None, statement.module.split("."))))
            names = [module, *(f"{module}.{alias.name}" for alias in statement.names)]
        else:
            continue
        found.update((".".join(name.split(".")[-2:]), None) for name in names)
    return tuple(found)


def _frameworks(source: PythonSource) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for statement in source.module.body:
        names: list[str] = []
        if isinstance(statement, t.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, t.ImportFrom) and statement.level == 0:
            names = [statement.module]
        for name in names:
            if framework := FRAMEWORKS.get(name.partition(".")[0]):
                found[framework] = None
    return tuple(found)
