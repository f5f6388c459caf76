"""The C++ side of the graph: functions, macros, launches and kernels, joined by name.

Names are matched without namespaces, overloads or includes: the nearest definitions count, and more than one makes
an edge uncertain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from kernelscope.graph.collectives import native_collective
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.library_kernels import RUNS, adapter, launched, started_by
from kernelscope.graph.tensor_methods import TENSOR_METHODS
from kernelscope.workspace.facts import RECEIVER, TOP, Call, Def, DefKind, FileFacts, Launch, Reference
from kernelscope.workspace.files import PYTHON_SUFFIXES

MAX_CANDIDATES = 8
LIBRARY_NAMESPACES = frozenset({"std", "at", "c10", "torch", "cub", "thrust", "cute", "nvcuda", "py", "pybind11"})
"""Qualified names of the language's and the frameworks' own libraries are not looked for in the workspace."""
APPLIED = "apply of an autograd function runs its forward"
_CALLABLE = (DefKind.CUDA_FUNCTION, DefKind.CUDA_KERNEL, DefKind.MACRO, DefKind.LAMBDA)


class CppLinks:
    """Definitions of all C++ files by name, and the edges between them."""

    def __init__(self) -> None:
        self._files: dict[str, FileFacts] = {}
        self._by_name: dict[str, list[tuple[str, int]]] = {}
        self._structs: set[str] = set()
        self._aliases: dict[tuple[str, str], list[Reference]] = {}
        """What other names stand for in a file: `using Small = Norm<64>`, `auto launch = &run`."""
        self._tables: dict[str, dict[str, list[str]]] = {}
        """What stands in the tables of each name, by file."""
        self._struct_names: dict[tuple[str, int], str] = {}
        self._answers: dict[tuple[str, str, str, bool, str], list[tuple[str, int]]] = {}

    def add(self, path: str, facts: FileFacts) -> None:
        """Makes the definitions of a file known; edges come once all files are added."""
        self._files[path] = facts
        for index, definition in enumerate(facts.defs):
            if definition.kind is DefKind.STRUCT:
                self._structs.add(definition.name)
            elif definition.kind in _CALLABLE:
                self._by_name.setdefault(definition.name.rpartition("::")[2], []).append((path, index))
        for reference in facts.references:
            if reference.variable and reference.scope == TOP:
                self._tables.setdefault(reference.variable, {}).setdefault(path, []).append(reference.name)
            if reference.variable:
                self._aliases.setdefault((path, reference.variable), []).append(reference)

    def edges(self) -> Iterator[Edge]:
        """All edges between C++ functions, launches and kernels."""
        for path, facts in self._files.items():
            owners = {index: function_node(path, facts, index) for index, d in enumerate(facts.defs) if _is_owner(d)}
            for launch in facts.launches:
                yield from self._launch_edges(path, facts, launch, owners)
            for call in facts.calls:
                yield from self._call_edges(path, facts, call, owners)
            yield from self._passed_edges(path, facts, owners)

    def functions(self, name: str, near: str) -> list[Node]:
        """The nearest C++ functions or kernels of a possibly qualified name."""
        qualifier, _, tail = name.rpartition("::")
        return [
            function_node(path, self._files[path], index)
            for path, index in self._nearest(tail, qualifier.rpartition("::")[2], near)
        ]

    def _call_edges(self, path: str, facts: FileFacts, call: Call, owners: dict[int, Node]) -> Iterator[Edge]:
        tail = call.name.rpartition("::")[2].removeprefix("?.")
        scope = _owner(facts, call.scope)
        source = owners.get(scope)
        if source is None:
            return
        if tail not in self._by_name and (library := started_by(call)):
            yield Edge(EdgeKind.CALLS, source, library, path, call.line)
            return
        if (path, call.name) in self._aliases:
            around = set(_scopes(facts, call.scope))
            named = {r.name: None for r in self._aliases[path, call.name] if r.scope in around}
            given = [node for name in named for node in self.functions(name, path) if node != source]
            for node in given:
                yield Edge(EdgeKind.CALLS, source, node, path, call.line, len(given) == 1)
            if given:
                return
        if call.name in RUNS:
            for kernel in self._adapters(facts, scope):
                yield Edge(EdgeKind.CALLS, source, kernel, path, call.line, False)
        if tail == "apply" and (forward := self._differentiable(call.name, path)):
            for node in forward:
                yield Edge(EdgeKind.CALLS, source, node, path, call.line, len(forward) == 1, APPLIED)
            return
        primitive = native_collective(tail) if tail not in self._by_name else None
        if tail not in self._by_name and primitive is None:
            return
        if primitive is not None:
            target = Node(NodeKind.COLLECTIVE, tail, detail=primitive)
            yield Edge(EdgeKind.COMMUNICATES, source, target, path, call.line)
            return
        is_member = call.name.startswith("?.")
        qualifier = dict(call.args).get(RECEIVER, "") if is_member else call.name.rpartition("::")[0]
        if qualifier.partition("::")[0] in LIBRARY_NAMESPACES:
            return
        around = self._struct_of(path, scope)
        found = self._nearest(tail, qualifier.rpartition("::")[2], path, is_member, around)
        if is_member and TENSOR_METHODS.match(tail):
            found = [(where, index) for where, index in found if where == path]
        if is_member and len(found) > 1:
            return
        for where, index in found:
            target = function_node(where, self._files[where], index)
            if target != source:
                is_told = not is_member or (bool(qualifier) and self._struct_of(where, index) == qualifier)
                yield Edge(EdgeKind.CALLS, source, target, path, call.line, len(found) == 1 and is_told)

    def _differentiable(self, called: str, near: str) -> list[Node]:
        """The `forward` of a struct that inherits its `apply`, as subclasses of `torch::autograd::Function` do."""
        struct = called.rpartition("::")[0].rpartition("::")[2]
        if struct not in self._structs:
            return []
        own = [self._nearest(name, struct, near, True) for name in ("apply", "forward")]
        applying, forward = ([(p, i) for p, i in found if self._struct_of(p, i) == struct] for found in own)
        return [] if applying else [function_node(p, self._files[p], i) for p, i in forward]

    def _passed_edges(self, path: str, facts: FileFacts, owners: dict[int, Node]) -> Iterator[Edge]:
        """A kernel or macro that a function passes on is started or expanded there."""
        for reference in facts.references:
            source = owners.get(_owner(facts, reference.scope))
            if source is not None and (kernel := adapter(reference.name)):
                yield Edge(EdgeKind.CALLS, source, kernel, path, reference.line)
                continue
            if reference.variable or source is None:
                continue
            if reference.name.partition("::")[0] in LIBRARY_NAMESPACES:
                continue
            found = self.functions(reference.name, path)
            for node in found:
                if node != source and (node.kind is NodeKind.KERNEL or node.detail == "macro" or len(found) == 1):
                    yield Edge(EdgeKind.CALLS, source, node, path, reference.line, False, "passed as an argument")

    def _launch_edges(self, path: str, facts: FileFacts, launch: Launch, owners: dict[int, Node]) -> Iterator[Edge]:
        owner = owners.get(_owner(facts, launch.scope))
        if owner is None and path.endswith(PYTHON_SUFFIXES):
            return  # a Triton launch; only CUDA source in strings is ours
        node = Node(NodeKind.LAUNCH, launch.kernel, path, launch.start, launch.line, launch.grid)
        if owner is not None:
            yield Edge(EdgeKind.CONTAINS, owner, node, path, launch.line)
        kernels = self._launched(path, facts, launch)
        for kernel in kernels:
            yield Edge(EdgeKind.LAUNCHES, node, kernel, path, launch.line, len(kernels) == 1)
        if not kernels and (library := launched(launch.kernel)):
            yield Edge(EdgeKind.LAUNCHES, node, library, path, launch.line)
        elif not kernels:
            why = f"the kernel behind `{launch.kernel}` is chosen at run time or lies outside the workspace"
            missing = Node(NodeKind.MISSING, why)
            yield Edge(EdgeKind.LAUNCHES, node, missing, path, launch.line)

    def _launched(self, path: str, facts: FileFacts, launch: Launch) -> list[Node]:
        """The kernels that a launch may start: by name, else through the variable that holds the kernel."""
        direct = [n for n in self.functions(launch.kernel, path) if n.kind is NodeKind.KERNEL]
        if direct:
            return direct
        held = self._held(facts, launch)
        found = [node for name in held for node in self.functions(name, path)]
        for table in [name for name in (launch.kernel, *held) if not found]:
            elsewhere = self._tables.get(table, {})
            if len(elsewhere) == 1:  # a table of a header
                ((header, entries),) = elsewhere.items()
                found = [node for name in entries for node in self.functions(name, header)]
        given = [kernel for node in found if node.kind is NodeKind.FUNCTION for kernel in self._given_by(node)]
        return list(dict.fromkeys(node for node in (*found, *given) if node.kind is NodeKind.KERNEL))

    def _held(self, facts: FileFacts, launch: Launch) -> list[str]:
        """What the variable of a launch may hold: names it is given, and those in a table that it is an element of."""
        scopes = {*_scopes(facts, launch.scope), TOP}
        held, todo = dict[str, None](), [launch.kernel]
        while todo:
            variable = todo.pop()
            for reference in facts.references:
                if reference.variable == variable and reference.scope in scopes and reference.name not in held:
                    held[reference.name] = None
                    todo.append(reference.name)
        return list(held)

    def _given_by(self, chooser: Node) -> Iterator[Node]:
        """The kernels that a function names without launching them: `kernel = choose(n)` is given one of those."""
        facts = self._files[chooser.path]
        for reference in facts.references:
            owner = _owner(facts, reference.scope)
            if owner != TOP and facts.defs[owner].name_start == chooser.start:
                yield from self.functions(reference.name, chooser.path)

    def _adapters(self, facts: FileFacts, scope: int) -> list[Node]:
        """The library's adapters that a type around this function, or of its file, stands for; its own are edges."""
        if any(_owner(facts, r.scope) == scope and adapter(r.name) for r in facts.references):
            return []
        outside = [r for r in facts.references if _owner(facts, r.scope) == TOP]
        around = set(_scopes(facts, scope))
        named = [r for r in outside if r.scope in around] or outside
        return list(dict.fromkeys(kernel for r in named if (kernel := adapter(r.name))))

    def _nearest(
        self, name: str, qualifier: str, near: str, is_member: bool = False, around: str = ""
    ) -> list[tuple[str, int]]:
        """Candidates in the same file, else the same folder, else the one above it, else anywhere.

        Members of a struct count for `x.f()`, for `Struct::f` and inside that struct (`around`) only.
        """
        asked = (name, qualifier, near, is_member, around)
        known = self._answers.get(asked)
        if known is None:
            known = self._answers[asked] = self._sought(name, qualifier, near, is_member, around)
        return known

    def _sought(self, name: str, qualifier: str, near: str, is_member: bool, around: str) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        if qualifier and qualifier not in self._structs:
            meant = self._aliases.get((near, qualifier), [])
            qualifier = meant[-1].name.rpartition("::")[2] if meant else qualifier
        for path, index in self._by_name.get(name, []):
            struct = self._struct_of(path, index)
            fits = bool(struct) if is_member else struct in ("", qualifier, around)
            if fits:
                found.append((path, index))
        if qualifier and (inside := [(p, i) for p, i in found if self._struct_of(p, i) == qualifier]):
            found = inside
        if len(found) == 1 and not is_member:
            return found
        if closer := [(p, i) for p, i in found if p == near]:
            return closer[:MAX_CANDIDATES]
        folder = os.path.dirname(near) + os.sep
        beside = [(p, i) for p, i in found if p.startswith(folder) and os.sep not in p[len(folder) :]]
        if is_member and not beside:  # an unknown receiver has the types of its neighbourhood
            beside = [(p, i) for p, i in found if p.startswith(folder) or near.startswith(os.path.dirname(p) + os.sep)]
            return beside[:MAX_CANDIDATES]
        above = os.path.dirname(os.path.dirname(near))
        beside = beside or [(p, i) for p, i in found if os.path.dirname(p) == above]
        if not beside and len(found) > MAX_CANDIDATES:  # of too many, those that share most of the path
            shared = [len(os.path.commonpath((near, p))) for p, _ in found]
            found = [candidate for candidate, length in zip(found, shared, strict=True) if length == max(shared)]
        return (beside or found)[:MAX_CANDIDATES]

    def _struct_of(self, path: str, index: int) -> str:
        if index == TOP:
            return ""
        known = self._struct_names.get((path, index))
        if known is None:
            defs = self._files[path].defs
            known = defs[index].name.rpartition("::")[0].rpartition("::")[2]
            if known not in self._structs:  # else a member defined outside of its struct: `Struct::f`
                scope = defs[index].scope
                known = defs[scope].name if scope != TOP and defs[scope].kind is DefKind.STRUCT else ""
            self._struct_names[path, index] = known
        return known


def function_node(path: str, facts: FileFacts, index: int) -> Node:
    """The node of a C++ definition."""
    definition = facts.defs[index]
    if definition.kind is DefKind.CUDA_KERNEL:
        return Node(NodeKind.KERNEL, definition.name, path, definition.name_start, definition.line, "CUDA")
    name = definition.name
    if definition.scope != TOP:
        name = f"{facts.defs[definition.scope].name}::{name}"
    return Node(NodeKind.FUNCTION, name, path, definition.name_start, definition.line, _role(definition))


def _role(definition: Def) -> str:
    if definition.kind is DefKind.MACRO:
        return "macro"
    return "device" if re.search(r"\b__device__\b", definition.detail) else "C++"


def _is_owner(definition: Def) -> bool:
    return definition.kind in _CALLABLE


def _scopes(facts: FileFacts, scope: int) -> Iterator[int]:
    while scope != TOP:
        yield scope
        scope = facts.defs[scope].scope


def _owner(facts: FileFacts, scope: int) -> int:
    """The innermost function around a scope."""
    return next((s for s in _scopes(facts, scope) if _is_owner(facts.defs[s])), TOP)
