"""Where things of the program stand in source: spans of files, nodes of the graph, and what an operator comes to.

What a name means is decided elsewhere; here it is only where to land.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope.graph.kinds import Node, NodeKind
from kernelscope.graph.paths import kernels_from
from kernelscope.results import LeftOut, Location, Span
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kernelscope.graph.operator_graph import OperatorGraph

MAX_KERNELS = 8


class Places:
    """Places in the files of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def place(self, path: str, span: Span) -> Location:
        """A span of a file."""
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        if module is not None:
            return module.text.location(Path(path), span)
        data = self._workspace.files.read(path)
        return SourceText(b"" if isinstance(data, LeftOut) else data).location(Path(path), span)

    def node_place(self, node: Node) -> Location:
        """The name of a node, or the line of a binding."""
        tail = re.split(r"\.|::", node.name)[-1]
        if node.kind is NodeKind.BINDING or node.start < 0:
            return Location(Path(node.path), node.line)
        return self.place(node.path, Span(node.start, node.start + len(tail.encode())))

    def node_places(self, graph: OperatorGraph, node: Node) -> Iterator[Location]:
        """Where to land for what is called: the kernels of an operator or export, else what it is bound to."""
        if node.kind in (NodeKind.OPERATOR, NodeKind.BINDING):
            yield from self.operator_places(graph, node)
        elif node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL):
            yield self.node_place(node)

    def kernels_or_itself(self, graph: OperatorGraph, node: Node) -> Iterator[Location]:
        """The kernels that a C++ function reaches, else the function."""
        kernels = [node for node in kernels_from(graph, node).via if node.kind is NodeKind.KERNEL]
        yield from (self.node_place(one) for one in (kernels or [node])[:MAX_KERNELS])

    def operator_places(self, graph: OperatorGraph, op: Node) -> Iterator[Location]:
        """The kernels that an operator reaches, else its implementations, else its registrations.

        What is told of shapes alone counts where nothing else is there.
        """
        kernels = [node for node in kernels_from(graph, op).via if node.kind is NodeKind.KERNEL]
        bindings = [edge.target for edge in graph.out_edges(op) if edge.target.kind is NodeKind.BINDING]
        real = [node for node in bindings if not node.detail.startswith("fake")] or bindings
        bound = (edge.target for node in real or [op] for edge in graph.out_edges(node))
        functions = [node for node in dict.fromkeys(bound) if node.kind is NodeKind.FUNCTION]
        yield from (self.node_place(node) for node in (kernels or functions or real)[:MAX_KERNELS])


def unique(places: Iterable[Location]) -> list[Location]:
    """Each place once, in their order."""
    return list(dict.fromkeys(places))
