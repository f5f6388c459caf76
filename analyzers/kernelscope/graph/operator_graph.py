"""The operator graph: what is linked at once, extended by the Python functions that questions reach.

Follows Python in either direction on demand. Which paths are worth showing is decided in `paths`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from kernelscope.graph.cpp_links import function_node
from kernelscope.graph.declarations import Declarations
from kernelscope.graph.edge_table import EdgeTable
from kernelscope.graph.function_nodes import RUNS, named_around
from kernelscope.graph.kept_functions import KeptFunctions
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind, add
from kernelscope.graph.links import Links, python_files_calling
from kernelscope.graph.python_calls import PythonCalls
from kernelscope.graph.receivers import Receivers
from kernelscope.graph.registrations import ANY_LIBRARY
from kernelscope.syntax.python.tree import FunctionDef
from kernelscope.workspace.classes import is_class, own_attribute
from kernelscope.workspace.facts import TOP, Call, DefKind, FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.index import Stage
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from networkx import MultiDiGraph

MAX_FAMILY = 40
FAMILY_BYTES = 1_500_000
"""Source text that is looked through for the classes below another."""
_RUN_BY_INSTANCES = (*RUNS, "__init__")


class OperatorGraph:
    """The links of the workspace, and a second table of edges for the Python functions followed so far."""

    def __init__(self, workspace: Workspace, links: Links) -> None:
        self._workspace = workspace
        self._links = links
        kept = KeptFunctions(workspace.modules, workspace.classes)
        self._receivers = receivers = Receivers(
            workspace.classes, workspace.instances, kept, lambda cls: workspace.usages.subclasses(cls, FAMILY_BYTES)
        )
        self._python = PythonCalls(
            workspace.modules, workspace.classes, workspace.index, self._exported, receivers, links.native
        )
        self.declarations = Declarations(workspace, self.is_defined_natively)
        self._followed_edges = EdgeTable()
        self._followed: set[Node] = set()
        self._sought: set[Node] = set()
        self.complete = workspace.index.stage >= Stage.CALLS

    def whole(self) -> MultiDiGraph[Node]:
        """One graph of everything that is linked so far; edges carry an `Edge` under the key `edge`."""
        import networkx

        whole: MultiDiGraph[Node] = networkx.MultiDiGraph()
        for table in self._tables:
            for edge in table:
                add(whole, edge)
        return whole

    def follow_all(self, at_most: int, cancelled: Callable[[], bool] = lambda: False) -> int:
        """Follows every function of Python files with kernels, launches or registrations; how many were left."""
        left = 0
        for path, facts in list(self._workspace.index.operator_files()):
            if not path.endswith(PYTHON_SUFFIXES):
                continue
            for index, definition in enumerate(facts.defs):
                if definition.kind not in (DefKind.FUNCTION, DefKind.METHOD):
                    continue
                if len(self._followed) >= at_most or cancelled():
                    left += 1
                else:
                    self.out_edges(self.function(path, facts, index))
        for node in self._links.edges.nodes():
            if node.kind is NodeKind.OPERATOR:
                self.out_edges(node)
        return left

    def _add(self, edges: Iterable[Edge]) -> None:
        for edge in edges:
            self._followed_edges.add(edge)

    @property
    def _tables(self) -> tuple[EdgeTable, EdgeTable]:
        return (self._links.edges, self._followed_edges)

    # -- walking --------------------------------------------------------------------------------------------

    def out_edges(self, node: Node) -> list[Edge]:
        """What a node leads to, in the order of the source; follows Python calls the first time."""
        if node not in self._followed:
            self._followed.add(node)
            if node.kind is NodeKind.FUNCTION and node.path.endswith(PYTHON_SUFFIXES):
                self._add(self._python.edges(node))
            elif node.kind is NodeKind.OPERATOR:
                self._complete_operator(node)
        edges = [edge for table in self._tables for edge in table.out_edges(node)]
        return sorted(edges, key=lambda edge: (edge.line, edge.target.name, edge.target.path, edge.target.start))

    def called_at(self, path: str, start: int, name: str) -> list[Node]:
        """What one call in a Python function leads to: where what it calls begins in the file, and its last name."""
        node = self.at(path, start)
        if node is None or node.kind is not NodeKind.FUNCTION:
            return []
        return list(dict.fromkeys(edge.target for edge in self._python.edges(node, (start, name))))

    def members_of_native(self, path: str, function: Definition | None, receiver: str, name: str) -> list[Node]:
        """What C++ has under a name of the native module that a variable of a function, or of a file, stands for."""
        return self._python.native.members(path, function, receiver, name)

    def stand_ins(self, found: Definition) -> tuple[Definition, ...]:
        """What stands in for a class or method at run time: the classes below, the methods that override it."""
        if is_class(found):
            return self._receivers.below(found)
        return self._receivers.overriding(found.owner, found.name) if found.owner is not None else ()

    def implementations(self, op: Node) -> list[Node]:
        """The functions and kernels that an operator's registrations name."""
        bindings = [edge.target for edge in self.out_edges(op) if edge.kind is EdgeKind.REGISTERS]
        bound = [edge.target for binding in bindings for edge in self.out_edges(binding)]
        return [node for node in dict.fromkeys(bound) if node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL)]

    def in_edges(self, node: Node) -> list[Edge]:
        """What leads to a node; looks for Python callers the first time."""
        if node not in self._sought:
            self._sought.add(node)
            self._seek_callers(node)
        edges = [edge for table in self._tables for edge in table.in_edges(node)]
        return sorted(edges, key=lambda edge: (edge.path, edge.line, edge.source.name, edge.source.start))

    def _exported(self, dotted: str) -> Node | None:
        """The pybind or FFI export behind `module.function` or `module.Class.method` of a compiled module."""
        module, _, name = dotted.rpartition(".")
        outer, _, owner = module.rpartition(".")
        return self._export_of(module, name) or self._export_of(outer, f"{owner}.{name}")

    def _export_of(self, module: str, name: str) -> Node | None:
        found = [op for op in self._links.operators.get(name, []) if self._is_export(op)]
        for op in found:
            library = op.name.rpartition("::")[0]
            if library and f".{module}".endswith(f".{library}"):
                return op
        for op in found:  # the build chooses its name: `ext` or `package._C`, deeper ones are somebody's package
            first, _, submodules = op.name.rpartition("::")[0].partition(".")
            outer = module.removesuffix(f".{submodules}") if submodules else module
            if first == ANY_LIBRARY and outer.count(".") <= 1 and (not submodules or outer != module):
                return op
        return None

    def _is_export(self, op: Node) -> bool:
        return any(e.target.detail.startswith(("pybind", "export")) for e in self.out_edges(op))

    def _complete_operator(self, node: Node) -> None:
        """An operator whose implementations are registered under a name the build chooses, or nowhere we can see."""
        bindings = [edge.target for edge in self.out_edges(node) if edge.kind is EdgeKind.REGISTERS]
        if not all(binding.detail.startswith(("fake", "define")) for binding in bindings):
            return
        if under_other_names := list(self._registered_under_other_names(node)):
            self._add(under_other_names)
        elif bindings:
            missing = Node(NodeKind.MISSING, f"no implementation of {node.name} in the workspace")
            self._add([Edge(EdgeKind.REGISTERS, node, missing, bindings[0].path, bindings[0].line)])
        else:
            missing = Node(NodeKind.MISSING, f"no registration of {node.name} in the workspace")
            self._add([Edge(EdgeKind.REGISTERS, node, missing)])

    def _registered_under_other_names(self, node: Node) -> Iterator[Edge]:
        """Registrations of an operator's short name in a library that the build names."""
        short = node.name.rpartition("::")[2]
        others = [op for op in self._links.operators.get(short, []) if op != node]
        known = [op for op in others if op.name == f"{ANY_LIBRARY}::{short}"]
        for op in known or [op for op in others if "::" not in op.name.strip(":")]:
            for edge in self.out_edges(op):
                if edge.kind is EdgeKind.REGISTERS and edge.target.kind is NodeKind.BINDING:
                    note = "the library's name is set by the build"
                    yield Edge(edge.kind, node, edge.target, edge.path, edge.line, False, note)

    def _seek_callers(self, node: Node) -> None:
        """Follows the functions of files that mention the node's name; of a method that runs, its class's names.

        Of functions that call the name itself no more than those calls are followed.
        """
        if node.kind not in (NodeKind.FUNCTION, NodeKind.KERNEL, NodeKind.OPERATOR):
            return
        tail = node.name.rpartition("::")[2].rpartition(".")[2]
        names = [tail]
        if tail in _RUN_BY_INSTANCES and node.path.endswith(PYTHON_SUFFIXES) and "." in node.name:
            names = self._family(node, tail)
        for name in names:
            for path, facts in python_files_calling(self._workspace, name):
                for function, calls_it in self._functions_calling(path, facts, name):
                    if not calls_it or name != tail:
                        self.out_edges(function)
                    elif function not in self._followed:
                        self._add(self._python.edges(function, (None, name)))

    def _family(self, node: Node, method: str) -> list[str]:
        """The class of a method and its subclasses; subclasses that call `super()` are followed at once."""
        modules, usages = self._workspace.modules, self._workspace.usages
        cls = modules.definition(node.path, node.name.split(".")[-2])
        todo = [cls] if cls is not None else []
        names: dict[str, None] = {}
        while todo and len(names) < MAX_FAMILY:
            current = todo.pop(0)
            names[current.name] = None
            for below in usages.subclasses(current, FAMILY_BYTES):
                own = own_attribute(below, method)
                if own is not None and (function := self._python.functions.node(own)):
                    self.out_edges(function)
                elif below.name not in names:
                    todo.append(below)
        return list(names)

    def _functions_calling(self, path: str, facts: FileFacts, name: str) -> list[tuple[Node, bool]]:
        """Functions whose own facts mention a call or launch of the name, and those that may call what these build.

        Each with whether it is one of the first.
        """
        scopes = {call.scope for call in facts.calls if call.name.rpartition(".")[2] == name}
        scopes |= {launch.scope for launch in facts.launches if launch.kernel.rpartition(".")[2] == name}
        found: dict[Node, bool] = {}
        for scope in sorted(scopes):
            index = scope
            while index != TOP and facts.defs[index].kind not in (DefKind.FUNCTION, DefKind.METHOD):
                index = facts.defs[index].scope
            if index == TOP:
                continue
            found[self.function(path, facts, index)] = True
            if facts.defs[index].name == "__init__":  # what is built here may be called by any method
                owner = facts.defs[index].scope
                for other, definition in enumerate(facts.defs):
                    if definition.scope == owner and definition.kind is DefKind.METHOD:
                        found.setdefault(self.function(path, facts, other), False)
        return list(found.items())

    def done_in(self, node: Node) -> tuple[int, int]:
        """How many launches and how many collectives stand in a function."""
        edges = self.out_edges(node)
        launches = {edge.target for edge in edges if edge.target.kind is NodeKind.LAUNCH}
        return len(launches), sum(edge.kind is EdgeKind.COMMUNICATES for edge in edges)

    # -- what is not followed ---------------------------------------------------------------------------------

    def facts(self, path: str) -> FileFacts | None:
        """The facts of a file."""
        return self._workspace.index.facts(path)

    def unfollowed(self, node: Node) -> Iterator[tuple[Call, str]]:
        """Calls in a Python function that make no edge, each with its full name where it leaves the workspace."""
        return self._python.unfollowed(node)

    def methods_named(self, name: str, at_most: int) -> int | None:
        """How many methods of the workspace have this name; None when more than `at_most` definitions have it."""
        table = self._workspace.index.table
        if table.count(name) > at_most:
            return None
        return sum(match.name.kind is DefKind.METHOD for match in table.named(name, at_most))

    def is_defined_natively(self, name: str) -> bool:
        """Whether a C++ file of the workspace defines something of this name, in whatever namespace."""
        return "::" not in name and any(
            not match.path.endswith(PYTHON_SUFFIXES) for match in self._workspace.index.table.named(name)
        )

    def native_methods(self, name: str) -> list[Node]:
        """What classes of C++ define under a name."""
        return [node for node in self._links.native(name) if "::" in node.name]

    def has_file(self, name: str) -> bool:
        """Whether a file of this name is indexed, in whatever folder."""
        return bool(self._workspace.index.paths_named(name))

    def is_class(self, path: str, scope: int, name: str) -> bool:
        """Whether a name of a Python file means a class: constructing one without `__init__` runs nothing."""
        facts = self.facts(path)
        if facts is not None and any(facts.defs[i].kind is DefKind.CLASS for i in named_around(facts, scope, name)):
            return True
        found = self._workspace.modules.definition(path, name)
        return found is not None and is_class(found)

    # -- nodes ----------------------------------------------------------------------------------------------

    def function(self, path: str, facts: FileFacts, index: int) -> Node:
        """The node of a definition in a file's facts."""
        definition = facts.defs[index]
        if definition.kind in (DefKind.CUDA_FUNCTION, DefKind.CUDA_KERNEL, DefKind.MACRO):
            return function_node(path, facts, index)
        names = [definition.name]
        scope = definition.scope
        while scope != TOP and facts.defs[scope].kind is DefKind.CLASS:
            names.append(facts.defs[scope].name)
            scope = facts.defs[scope].scope
        qualified = ".".join(reversed(names))
        kernel = self._python.functions.named(path, definition.name) if definition.detail.startswith("@") else None
        if kernel and kernel.kind is NodeKind.KERNEL and kernel.start == definition.name_start:
            return kernel
        return Node(NodeKind.FUNCTION, qualified, path, definition.name_start, definition.line, "Python")

    def at(self, path: str, offset: int) -> Node | None:
        """The function, kernel or macro whose name stands at an offset, else the innermost one around it."""
        facts = self._workspace.index.facts(path)
        if facts is None:
            return None
        around: int | None = None
        for index, definition in enumerate(facts.defs):
            if definition.kind not in _FUNCTIONS:
                continue
            end = definition.name_start + len(definition.name.encode())
            if definition.name_start <= offset <= end:
                return self.function(path, facts, index)
            holds = definition.start <= offset < definition.end
            if holds and (around is None or definition.start >= facts.defs[around].start):
                around = index
        return self.function(path, facts, around) if around is not None else None

    def named(self, path: str, symbol: str) -> Node | None:
        """A function, method or kernel of a file by its name or `Class.method`, which may be inherited; of a class what
        runs: `forward`."""
        facts = self._workspace.index.facts(path)
        if facts is None:
            return None
        wanted = symbol.replace("::", ".")
        for suffix in ("", ".forward", ".__call__"):
            for index, definition in enumerate(facts.defs):
                if definition.kind not in _FUNCTIONS:
                    continue
                node = self.function(path, facts, index)
                if wanted + suffix in (node.name.replace("::", "."), definition.name):
                    return node
        return self._inherited(path, wanted)

    def _inherited(self, path: str, symbol: str) -> Node | None:
        """The method of a base that `Class.method` means, or the `forward` of one that is meant by `Class`."""
        modules, classes = self._workspace.modules, self._workspace.classes
        holder, _, method = symbol.rpartition(".")
        for name, methods in ((symbol, RUNS), (holder, (method,))):
            cls = modules.definition(path, name) if name else None
            if cls is None or not is_class(cls):
                continue
            for each in methods:
                held = classes.attribute(cls, each)
                if isinstance(held, Definition) and isinstance(held.node, FunctionDef):
                    return self._python.functions.node(held)
        return None

    def every_operator(self) -> list[Node]:
        """All operators that something registers or C++ calls, by name."""
        return sorted((op for found in self._links.operators.values() for op in found), key=lambda op: op.name)

    def operators(self, name: str) -> list[Node]:
        """Operators by `library::name`, `library.name` or the bare name."""
        spelled = name.removeprefix("torch.ops.").replace(".", "::")
        found = self._links.operators.get(spelled.rpartition("::")[2], [])
        return [op for op in found if op.name == spelled] or found


_FUNCTIONS = (DefKind.FUNCTION, DefKind.METHOD, DefKind.CUDA_FUNCTION, DefKind.CUDA_KERNEL, DefKind.MACRO)
