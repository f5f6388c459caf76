"""What is linked before anyone asks: C++ calls and launches, operators and their registrations.

Depends on files with kernels, launches or registrations only, so most edits leave it as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from kernelscope.graph.cpp_links import CppLinks
from kernelscope.graph.function_nodes import FunctionNodes
from kernelscope.graph.kinds import Edge, Node, NodeKind, add
from kernelscope.graph.registered_with import registered_with
from kernelscope.graph.registrations import ANY_LIBRARY, Registrations
from kernelscope.workspace.facts import DefKind, FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from networkx import MultiDiGraph

MAX_CALLING_FILES = 200
SEVERAL_MODULES = "several modules export this name; which of them is meant is chosen by the build"
EXPORTED = ("pybind", "export")
"""How the details of registrations begin that hand a function to Python."""


class Links:
    """A `networkx.MultiDiGraph` of `Node`s whose edges carry an `Edge` under the key `edge`. Never changes."""

    def __init__(self, graph: MultiDiGraph[Node]) -> None:
        self.graph = graph
        self.operators: dict[str, list[Node]] = {}
        """Operators by their name without the library."""
        self._native: dict[str, list[Node]] = {}
        for node in graph:
            if node.kind is NodeKind.OPERATOR:
                self.operators.setdefault(node.name.rpartition("::")[2], []).append(node)
            elif node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL) and not node.path.endswith(PYTHON_SUFFIXES):
                self._native.setdefault(node.name.rpartition("::")[2], []).append(node)

    def native(self, name: str) -> list[Node]:
        """What C++ exports to others under this name, else its functions of this name, host functions first."""
        exported: dict[Node, None] = {}
        for op in self.operators.get(name, []):
            for _, binding in self.graph.out_edges(op):
                if binding.detail.startswith(EXPORTED):
                    exported.update(dict.fromkeys(target for _, target in self.graph.out_edges(binding)))
        found = list(exported) or [n for n in self._native.get(name, []) if n.detail not in ("macro", "device")]
        return sorted(found, key=lambda node: (node.path, node.start))


def link(workspace: Workspace) -> Links:
    """Links everything anew."""
    import networkx

    graph: MultiDiGraph[Node] = networkx.MultiDiGraph()
    functions = FunctionNodes(workspace.modules, workspace.classes, workspace.index)
    cpp = CppLinks()
    files: list[tuple[str, FileFacts]] = []
    for path, facts in workspace.index.operator_files():
        is_python = path.endswith(PYTHON_SUFFIXES)
        if not is_python or has_cuda(facts):
            cpp.add(path, facts)
        if not is_python or facts.registrations or any(call.name.endswith(".define") for call in facts.calls):
            files.append((path, facts))
        if is_python:
            for edge in registered_with(path, facts, functions):
                add(graph, edge)
    for edge in cpp.edges():
        add(graph, edge)
    made = Registrations(workspace.modules, cpp, functions.named, lambda name: python_files_calling(workspace, name))
    for edge in made.edges(files):
        add(graph, edge)
    for node in graph:
        if node.kind is NodeKind.OPERATOR:
            _doubt_exports(graph, node)
    return Links(graph)


def _doubt_exports(graph: MultiDiGraph[Node], op: Node) -> None:
    """Modules whose names the build chooses share one operator: which of them a call means is not certain."""
    if not op.name.startswith(f"{ANY_LIBRARY}::"):
        return
    made = [data for _, target, data in graph.out_edges(op, data=True) if target.detail.startswith(EXPORTED)]
    if len({cast(Edge, data["edge"]).target.path for data in made}) > 1:
        for data in made:
            data["edge"] = replace(cast(Edge, data["edge"]), certain=False, note=SEVERAL_MODULES)


def has_cuda(facts: FileFacts) -> bool:
    """Whether there is C++ or CUDA among the definitions, as in strings of a Python file."""
    return any(d.kind in (DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION) for d in facts.defs)


def python_files_calling(workspace: Workspace, name: str) -> list[tuple[str, FileFacts]]:
    """Python files that call or launch a name, with their facts."""
    paths = [path for path in workspace.index.callers(name) or [] if path.endswith(PYTHON_SUFFIXES)]
    found = [(path, workspace.index.facts(path)) for path in paths[:MAX_CALLING_FILES]]
    return [(path, facts) for path, facts in found if facts is not None]
