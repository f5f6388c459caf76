"""The parts of a serving system and the calls between them, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from kernelscope.graph.kinds import Node
from kernelscope.graph.paths import Reached
from kernelscope.results import Location

SERVER, PROCESS, DRIVER = "server", "process", "driver"
SCHEDULING, CACHE, EXECUTION, MODEL = "Scheduling", "KV cache", "Execution", "Model"


@dataclass(frozen=True, slots=True)
class Component:
    """One part; `functions` are where its calls begin."""

    name: str
    role: str
    location: Location
    functions: tuple[Node, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """`source` reaches `target` by calling `by`, or sends to it over a channel that is named so."""

    source: Component
    target: Component
    by: str
    location: Location
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Parts:
    """Servers and the other components that hang together, the calls between them, and what models reach."""

    components: tuple[Component, ...]
    calls: tuple[Call, ...]
    reached: dict[Component, Reached]
