"""Kinds of nodes and edges of the operator graph, with what each of them stands for.

Edges lead from what asks to what answers: from a Python call down to the kernel that runs.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from kernelscope.results import Location

if TYPE_CHECKING:
    from networkx import MultiDiGraph


class NodeKind(Enum):
    """What a node stands for."""

    MODULE = "module"
    """A source file."""
    FUNCTION = "function"
    """A Python or C++ function, a method, or a macro that calls or launches."""
    OPERATOR = "operator"
    """A name in a library, such as `torch.ops.lib.op`; several implementations may stand behind it."""
    BINDING = "binding"
    """A registration: a schema, an implementation for a dispatch key, a pybind or FFI export."""
    LAUNCH = "launch"
    """One place that starts a kernel, with its grid."""
    KERNEL = "kernel"
    """A `__global__` function or a jitted Triton function."""
    LIBRARY = "library kernel"
    """A kernel of a public library outside of the workspace, by the call or the type that starts it."""
    COLLECTIVE = "collective"
    """Communication between processes: a collective or point-to-point call of a distributed library."""
    CONFIG = "config"
    """A class that holds settings: fields with types, handed to functions by annotation."""
    ARGUMENT = "argument"
    """A tensor among the arguments of an operator's schema."""
    MISSING = "missing"
    """A hop that the workspace does not show; its name says what is missing."""


class EdgeKind(Enum):
    """How two nodes hang together."""

    CONTAINS = "contains"
    """A module its functions and kernels; a function its launches."""
    CALLS = "calls"
    """A function calls a function or an operator."""
    REGISTERS = "registers"
    """An operator has this registration."""
    BINDS = "binds"
    """A registration names its implementation."""
    LAUNCHES = "launches"
    """A launch starts a kernel."""
    READS = "reads"
    """A function is given a config; an operator is given a tensor."""
    WRITES = "writes"
    """An operator changes a tensor that it is given (`Tensor(a!)` in its schema)."""
    COMMUNICATES = "communicates"
    """A function calls a collective."""


LEAVES = frozenset({NodeKind.MISSING, NodeKind.LIBRARY, NodeKind.CONFIG, NodeKind.ARGUMENT, NodeKind.COLLECTIVE})
"""Kinds that lead nowhere."""


class Node(Struct, frozen=True, eq=False):
    """A node. `start` is the byte offset of the name in its file, -1 where there is none.

    Its line and its detail follow from the rest.
    """

    kind: NodeKind
    name: str
    path: str = ""
    start: int = -1
    line: int = 0
    detail: str = ""
    """A launch's grid, a registration's mechanism and dispatch key, a kernel's language."""

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Node)
            and self.start == other.start
            and self.name == other.name
            and self.path == other.path
            and self.kind is other.kind
        )

    def __hash__(self) -> int:
        return hash((self.name, self.path, self.start))  # without the kind, whose hash is made in Python

    @property
    def location(self) -> Location | None:
        return Location(Path(self.path), self.line) if self.path else None


def operator(library: str, name: str) -> Node:
    """The node of an operator."""
    return Node(NodeKind.OPERATOR, f"{library}::{name}")


class Edge(Struct, frozen=True):
    """An edge with the place that shows it. `certain` is False where several targets are possible."""

    kind: EdgeKind
    source: Node
    target: Node
    path: str = ""
    line: int = 0
    certain: bool = True
    note: str = ""

    @property
    def location(self) -> Location | None:
        return Location(Path(self.path), self.line) if self.path else None


def add(graph: MultiDiGraph[Node], edge: Edge) -> None:
    """Adds an edge to a graph once per kind and place."""
    graph.add_edge(edge.source, edge.target, key=(edge.kind, edge.path, edge.line), edge=edge)
