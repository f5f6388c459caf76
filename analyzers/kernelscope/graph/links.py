"""What is linked before anyone asks: C++ calls and launches, operators and their registrations.

Depends on files with kernels, launches or registrations only, so most edits leave it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from kernelscope.graph.cpp_links import CppEdges, CppLinks
from kernelscope.graph.edge_table import EdgeTable
from kernelscope.graph.function_nodes import FunctionNodes
from kernelscope.graph.kinds import Edge, Node, NodeKind
from kernelscope.graph.registered_with import registered_with
from kernelscope.graph.registrations import ANY_LIBRARY, Registrations
from kernelscope.workspace.facts import DefKind, FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.workspace import Workspace

MAX_CALLING_FILES = 200
SEVERAL_MODULES = "several modules export this name; which of them is meant is chosen by the build"
EXPORTED = ("pybind", "export")
"""How the details of registrations begin that hand a function to Python."""


class Links:
    """All edges as a table. Never changes."""

    def __init__(self, cpp: Mapping[str, CppEdges], others: Iterable[Edge]) -> None:
        self.cpp = cpp
        """Those between C++ functions, by the file that shows them."""
        self.others = tuple(others)
        """Registrations."""
        self.edges = EdgeTable(self.all())
        self.operators: dict[str, list[Node]] = {}
        """Operators by their name without the library."""
        self._native: dict[str, list[Node]] = {}
        for node in self.edges.nodes():
            if node.kind is NodeKind.OPERATOR:
                self.operators.setdefault(node.name.rpartition("::")[2], []).append(node)
                self._doubt_exports(node)
            elif node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL) and not node.path.endswith(PYTHON_SUFFIXES):
                self._native.setdefault(node.name.rpartition("::")[2], []).append(node)
        for found in self.operators.values():
            found.sort(key=lambda op: op.name)

    def all(self) -> Iterable[Edge]:
        """The edges that these links are made of."""
        return (*(edge for path in sorted(self.cpp) for edge in self.cpp[path].edges), *self.others)

    def native(self, name: str) -> list[Node]:
        """What C++ exports to others under this name, else its functions of this name, host functions first."""
        exported: dict[Node, None] = {}
        for op in self.operators.get(name, []):
            for binding in self.edges.out_edges(op):
                if binding.target.detail.startswith(EXPORTED):
                    exported.update(dict.fromkeys(edge.target for edge in self.edges.out_edges(binding.target)))
        found = list(exported) or [n for n in self._native.get(name, []) if n.detail not in ("macro", "device")]
        return sorted(found, key=lambda node: (node.path, node.start))

    def _doubt_exports(self, op: Node) -> None:
        """Modules whose names the build chooses share one operator: which of them a call means is not certain."""
        if not op.name.startswith(f"{ANY_LIBRARY}::"):
            return
        made = [edge for edge in self.edges.out_edges(op) if edge.target.detail.startswith(EXPORTED)]
        if len({edge.target.path for edge in made}) > 1:
            for edge in made:
                self.edges.add(replace(edge, certain=False, note=SEVERAL_MODULES))


def link(workspace: Workspace, kept: Mapping[str, CppEdges] | None = None) -> Links:
    """Links everything; of the files whose edges are `kept`, those between C++ functions are taken from there."""
    functions = FunctionNodes(workspace.modules, workspace.classes, workspace.index)
    cpp = CppLinks()
    files: list[tuple[str, FileFacts]] = []
    others: list[Edge] = []
    for path, facts in workspace.index.operator_files():
        is_python = path.endswith(PYTHON_SUFFIXES)
        if not is_python or has_cuda(facts):
            cpp.add(path, facts)
        if not is_python or facts.registrations or any(call.name.endswith(".define") for call in facts.calls):
            files.append((path, facts))
        if is_python:
            others += registered_with(path, facts, functions)
    made = Registrations(workspace.modules, cpp, functions.named, lambda name: python_files_calling(workspace, name))
    others += made.edges(files)
    known = kept or {}
    return Links({path: known[path] if path in known else cpp.edges_of(path) for path in cpp.paths}, others)


def has_cuda(facts: FileFacts) -> bool:
    """Whether there is C++ or CUDA among the definitions, as in strings of a Python file."""
    return any(d.kind in (DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION) for d in facts.defs)


def python_files_calling(workspace: Workspace, name: str) -> list[tuple[str, FileFacts]]:
    """Python files that call or launch a name, with their facts."""
    paths = [path for path in workspace.index.callers(name) or [] if path.endswith(PYTHON_SUFFIXES)]
    found = [(path, workspace.index.facts(path)) for path in paths[:MAX_CALLING_FILES]]
    return [(path, facts) for path, facts in found if facts is not None]
