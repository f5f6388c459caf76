"""Everything that is known of a whole system, gathered file by file: the input of the report and the FAQ.

Gathering only: what a fact means for a question is decided where the question is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kernelscope.results import IndexProgress
from kernelscope.serving import caches, lifecycle, queues
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.collectives import Collective, collectives, nccl_collectives, wrapped_collectives
from kernelscope.serving.constraints import Constraint, c_constraints, constraints
from kernelscope.serving.metrics import Metric, metrics
from kernelscope.serving.parameters import Parameter, c_parameters, parameters
from kernelscope.serving.preferences import preferences
from kernelscope.serving.processes import Channel, Route, Started, channels, routes, started
from kernelscope.serving.registries import Registry, registries
from kernelscope.serving.weights import shared_weights
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace


@dataclass(slots=True)
class System:
    """Facts of the files in focus, each list in the order of paths and lines."""

    sources: list[PythonSource] = field(default_factory=list[PythonSource])
    texts: list[tuple[Path, SourceText]] = field(default_factory=list[tuple[Path, SourceText]])
    parameters: list[Parameter] = field(default_factory=list[Parameter])
    constraints: list[Constraint] = field(default_factory=list[Constraint])
    registries: list[Registry] = field(default_factory=list[Registry])
    collectives: list[Collective] = field(default_factory=list[Collective])
    started: list[Started] = field(default_factory=list[Started])
    channels: list[Channel] = field(default_factory=list[Channel])
    routes: list[Route] = field(default_factory=list[Route])
    metrics: list[Metric] = field(default_factory=list[Metric])
    transitions: list[lifecycle.Transition] = field(default_factory=list[lifecycle.Transition])
    scheduling: list[Claim] = field(default_factory=list[Claim])
    kv_cache: list[Claim] = field(default_factory=list[Claim])
    ties: list[Claim] = field(default_factory=list[Claim])
    prefix_cache: list[Claim] = field(default_factory=list[Claim])

    @property
    def enums(self) -> frozenset[str]:
        return frozenset(r.name.rpartition(".")[2] for r in self.registries if r.kind == "enum")


def gather(
    workspace: Workspace,
    paths: Iterable[str],
    progress: Callable[[IndexProgress], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> System:
    """The facts of `paths`, which are source files of the workspace."""
    system = System()
    ordered = sorted(paths)
    for done, path in enumerate(ordered):
        if cancelled():
            break
        if progress is not None and done % 50 == 0:
            progress(IndexProgress(done, len(ordered), "reading the system"))
        if path.endswith(PYTHON_SUFFIXES):
            module = workspace.modules.module(path)
            if module is not None:
                _python(system, PythonSource(Path(path), module))
        else:
            data = workspace.files.read(path)
            if isinstance(data, bytes):
                _cuda(system, Path(path), SourceText(data))
    wrappers = frozenset(c.where.rpartition(".")[2] for c in system.collectives)
    for source in system.sources:
        system.collectives += wrapped_collectives(source, wrappers)
        system.transitions += lifecycle.initial_states(source, system.enums)
        system.transitions += lifecycle.transitions(source, system.enums)
    return system


def _python(system: System, source: PythonSource) -> None:
    system.sources.append(source)
    system.parameters += parameters(source)
    system.constraints += constraints(source)
    system.registries += registries(source)
    system.collectives += collectives(source)
    system.started += started(source)
    system.channels += channels(source)
    system.routes += routes(source)
    system.metrics += metrics(source)
    for queue in queues.queues(source):
        if queue.holds_ids:
            system.kv_cache += queues.free_list_claims(queue)
        else:
            system.scheduling += queues.service_claims(queue)
    for find in (caches.paging, caches.buffers, caches.reference_counts, caches.evictions, caches.sizing):
        system.kv_cache += find(source)
    system.prefix_cache += caches.hashes(source)
    system.scheduling += preferences(source)
    system.ties += shared_weights(source)


def _cuda(system: System, path: Path, text: SourceText) -> None:
    system.texts.append((path, text))
    system.parameters += c_parameters(path, text)
    system.constraints += c_constraints(path, text)
    system.collectives += nccl_collectives(path, text)
