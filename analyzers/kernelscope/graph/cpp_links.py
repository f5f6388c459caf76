"""The C++ side of the graph: functions, macros, launches and kernels, joined by name.

Names are matched by namespaces, classes and numbers of template arguments, without overloads or includes: of several
definitions the nearest count, and more than one makes an edge uncertain.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.graph.collectives import native_collective
from kernelscope.graph.cpp_classes import MAX_CANDIDATES, CppClasses, Place, nearest, without_arguments
from kernelscope.graph.cpp_macros import as_defined
from kernelscope.graph.cpp_namespaces import CppNamespaces
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.library_kernels import RUNS, adapter, launched, started_by
from kernelscope.graph.tensor_methods import TENSOR_METHODS
from kernelscope.workspace.cuda_templates import fits
from kernelscope.workspace.facts import (
    DISPATCHED,
    GLOBAL,
    LIBRARY_NAMESPACES,
    RECEIVER,
    TOP,
    VARIABLE,
    Alternative,
    Call,
    Def,
    DefKind,
    FileFacts,
    Launch,
    Reference,
)
from kernelscope.workspace.files import PYTHON_SUFFIXES

NAMED = "named here, started where it is passed to"
CHOSEN = "offered under this name; which one runs is chosen at run time"
APPLIED = "apply of an autograd function runs its forward"
_CALLABLE = (DefKind.CUDA_FUNCTION, DefKind.CUDA_KERNEL, DefKind.MACRO, DefKind.LAMBDA)


@dataclass(frozen=True, slots=True)
class CppEdges:
    """The edges of one file, and the other files of which they rest on more than what these declare."""

    edges: tuple[Edge, ...]
    consulted: frozenset[str]


class CppLinks:
    """Definitions of all C++ files by name, and the edges between them."""

    def __init__(self) -> None:
        self._files: dict[str, FileFacts] = {}
        self._by_name: dict[str, list[Place]] = {}
        self._consulted: set[str] = set()
        """Files that were looked into beyond their declarations, for the file whose edges are being made."""
        self._classes = CppClasses(self._consulted)
        self._namespaces = CppNamespaces(self._classes.names)
        self._aliases: dict[tuple[str, str], list[Reference]] = {}
        """What other names stand for in a file: `using Small = Norm<64>`, `auto launch = &run`."""
        self._tables: dict[str, dict[str, list[str]]] = {}
        """What stands in the tables of each name, by file."""
        self._alternatives: dict[str, list[tuple[str, Alternative]]] = {}
        """By name: what files offer to be run under it."""
        self._answers: dict[tuple[str, str, str, bool, str, tuple[str, ...] | None], list[Place]] = {}
        self._nodes: dict[Place, Node] = {}
        self._expansions: dict[tuple[str, int], set[int]] = {}
        """The macros that a scope expands, by file and scope."""

    def add(self, path: str, facts: FileFacts) -> None:
        """Makes the definitions of a file known; edges come once all files are added."""
        self._files[path] = facts
        self._classes.add(path, facts)
        self._namespaces.add(path, facts)
        for index, definition in enumerate(facts.defs):
            if definition.kind in _CALLABLE:
                self._by_name.setdefault(definition.name.rpartition("::")[2], []).append((path, index))
        for alternative in facts.alternatives:
            self._alternatives.setdefault(alternative.name, []).append((path, alternative))
        for reference in facts.references:
            if reference.variable and reference.scope == TOP:
                self._tables.setdefault(reference.variable, {}).setdefault(path, []).append(reference.name)
            if reference.variable:
                self._aliases.setdefault((path, reference.variable), []).append(reference)

    @property
    def paths(self) -> list[str]:
        """The files that are known."""
        return list(self._files)

    def edges_of(self, path: str) -> CppEdges:
        """The edges that a file shows between C++ functions, launches and kernels."""
        self._consulted.clear()
        edges = tuple(self._edges_of(path, self._files[path]))
        return CppEdges(edges, frozenset(self._consulted - {path}))

    def _edges_of(self, path: str, facts: FileFacts) -> Iterator[Edge]:
        owners = {index: self._node((path, index)) for index, d in enumerate(facts.defs) if _is_owner(d)}
        for launch in facts.launches:
            yield from self._launch_edges(path, facts, launch, owners)
        for call in facts.calls:
            yield from self._call_edges(path, facts, call, owners)
        yield from self._passed_edges(path, facts, owners)

    def _node(self, place: Place) -> Node:
        known = self._nodes.get(place)
        if known is None:
            known = self._nodes[place] = function_node(place[0], self._files[place[0]], place[1])
        return known

    def functions(self, name: str, near: str, scope: int = TOP) -> list[Node]:
        """The nearest C++ functions or kernels of a possibly qualified name, as a definition of the file means it."""
        qualifier, _, tail = name.rpartition("::")
        inside = self._inside(near, scope)
        found = self._nearest(tail, qualifier, near, inside=inside)
        if not found and (cls := self._class_called(qualifier, near)):
            found = self._classes.inherited(cls, tail, near)[0]
            found = found or [place for place, _, _ in self._classes.run_by(cls, tail, near)]
        return [self._node(place) for place in found]

    def hooks(self, name: str, near: str) -> list[Node]:
        """What a method that a class inherits calls of the class itself: it runs where the method is taken of it."""
        qualifier, _, tail = name.rpartition("::")
        cls = self._class_called(qualifier, near)
        if not cls or self._nearest(tail, qualifier, near):
            return []
        return [self._node(place) for place in self._classes.inherited(cls, tail, near)[1]]

    def _class_called(self, qualifier: str, near: str) -> str:
        return self._meant(without_arguments(qualifier).rpartition("::")[2], near)

    def _inside(self, path: str, scope: int) -> tuple[str, ...] | None:
        """The namespaces around a definition that uses a name."""
        if scope == TOP or self._files[path].defs[scope].kind is DefKind.MACRO:
            return None
        return self._namespaces.around((path, scope))

    def _call_edges(self, path: str, facts: FileFacts, call: Call, owners: dict[int, Node]) -> Iterator[Edge]:
        tail = call.name.rpartition("::")[2].removeprefix("?.")
        scope = _owner(facts, call.scope)
        source = owners.get(scope)
        if source is None:
            return
        if tail == DISPATCHED and call.args:
            op = Node(NodeKind.OPERATOR, call.args[0][1])
            yield Edge(EdgeKind.CALLS, source, op, path, call.line)
            return
        if tail not in self._by_name and (library := started_by(call)):
            yield Edge(EdgeKind.CALLS, source, library, path, call.line)
            return
        if (path, call.name) in self._aliases:
            around = set(_scopes(facts, call.scope))
            named = {r.name: None for r in self._aliases[path, call.name] if r.scope in around}
            given = [node for name in named for node in self.functions(name, path, scope) if node != source]
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
        if not call.name.startswith("?.") and (made := self._constructors(call.name, path)):
            for place in made:
                if (target := self._node(place)) != source:
                    yield Edge(EdgeKind.CALLS, source, target, path, call.line, len(made) == 1)
            return
        if tail not in self._by_name and tail in self._alternatives:
            yield from self._offered(tail, source, path, call.line)
            return
        if tail not in self._by_name and (kind := dict(call.args).get(RECEIVER, "")) and not call.name.startswith("?."):
            yield from self._object_called(kind, source, path, call.line)
            return
        primitive = native_collective(tail) if tail not in self._by_name else None
        if tail not in self._by_name and primitive is None:
            return
        if primitive is not None:
            target = Node(NodeKind.COLLECTIVE, tail, detail=primitive)
            yield Edge(EdgeKind.COMMUNICATES, source, target, path, call.line)
            return
        is_member = call.name.startswith("?.")
        around = self._classes.owner(path, scope)
        kind = self._receiver(dict(call.args), around)
        qualifier = kind if is_member else call.name.rpartition("::")[0]
        if qualifier.partition("::")[0] in LIBRARY_NAMESPACES:
            return
        if qualifier == "this":
            qualifier = around
        inside = () if kind == GLOBAL else self._inside(path, scope)
        found = self._called(tail, qualifier, path, is_member, around, inside, call.given)
        if len(found) > 1:
            found = as_defined(found, path, facts, call)
        for place, is_sure, note in found:
            if (target := self._node(place)) != source:
                yield Edge(EdgeKind.CALLS, source, target, path, call.line, is_sure, note)

    def _receiver(self, told: dict[str, str], around: str) -> str:
        """What the variable of a method call is declared with: in its file, else by the class around or those above."""
        kind = told.get(RECEIVER, "")
        if kind and around:
            kind = self._classes.argument(around, kind)
        if VARIABLE in told:
            kind = kind or around
            for name in told[VARIABLE].split("."):
                kind = self._classes.kind_of(kind, name) if kind else ""
        return kind

    def _constructors(self, called: str, near: str) -> list[Place]:
        """What runs where an object of a class is made: `new Norm(n)`; several where its constructors differ.

        A function of that name in the namespace that is asked for is meant rather than a class of another.
        """
        qualifier, _, tail = without_arguments(called).rpartition("::")
        if qualifier.partition("::")[0] in LIBRARY_NAMESPACES:
            return []
        name = self._meant(tail, near)
        made = self._classes.own(name, name, near) if name in self._classes.names else []
        if made and qualifier and name == tail:
            spaces = self._spaces(qualifier, near)
            inside = self._namespaces.visible(made, name, spaces, near, None)
            return inside or ([] if self._nearest(tail, qualifier, near) else made)
        return made

    def _object_called(self, kind: str, source: Node, path: str, line: int) -> Iterator[Edge]:
        """`f(x)` where `f` is a variable of a class: its `operator()` runs."""
        if kind.partition("::")[0] in LIBRARY_NAMESPACES:
            return
        for place, is_sure, note in self._classes.run_by(self._class_of(kind, path), "operator()", path):
            if (target := self._node(place)) != source:
                yield Edge(EdgeKind.CALLS, source, target, path, line, is_sure, note)

    def _called(
        self,
        tail: str,
        qualifier: str,
        near: str,
        is_member: bool,
        around: str,
        inside: tuple[str, ...] | None,
        given: int,
    ) -> list[tuple[Place, bool, str]]:
        """What a call may run: by the class of its receiver, by its qualifier, else by its name alone."""
        named = self._class_of(qualifier, near)
        if named in self._classes.names:
            return list(self._classes.run_by(named, tail, near))
        if "<" in qualifier:  # a class that is not in the workspace
            return []
        found = self._nearest(tail, qualifier, near, is_member, around, inside)
        if not found and not qualifier and around:
            return list(self._classes.run_by(around, tail, near))
        if len(found) > 1:
            found = [place for place in found if fits(given, self._files[place[0]].defs[place[1]].takes)] or found
        if is_member and TENSOR_METHODS.match(tail):
            found = [place for place in found if place[0] == near]
        if is_member and around:  # of an object that is not known to be of the class around
            found = [place for place in found if self._classes.owner(*place) != around]
        if is_member and len(found) > 1:
            return []
        found = [place for place in found if not self._is_kernel(place)] or found  # a kernel is launched, not called
        return [(place, len(found) == 1 and not is_member, "") for place in found]

    def _spaces(self, qualifier: str, near: str) -> str:
        """A qualifier with what the file's other name of a namespace stands for: `namespace a = b::c`."""
        first, _, rest = qualifier.partition("::")
        meant = self._aliases.get((near, first), []) if first else []
        return "::".join(filter(None, (meant[-1].name, rest))) if meant else qualifier

    def _is_kernel(self, place: Place) -> bool:
        return self._files[place[0]].defs[place[1]].kind is DefKind.CUDA_KERNEL

    def _meant(self, name: str, near: str) -> str:
        """The class that a name of a file stands for: `using Small = Norm<64>`."""
        meant = self._aliases.get((near, name), []) if name and name not in self._classes.names else []
        return meant[-1].name.rpartition("::")[2] if meant else name

    def _class_of(self, kind: str, near: str) -> str:
        """The class of what is declared with a name: the class itself, or that of the objects that a function gives."""
        qualifier, _, tail = without_arguments(kind).rpartition("::")
        name = self._meant(tail, near)
        if name in self._classes.names or name not in self._by_name:
            return name
        owner = qualifier.rpartition("::")[2]
        giving = self._classes.own(owner, name, near) if owner in self._classes.names else []
        giving = giving or self._nearest(name, qualifier, near)
        given = {self._classes.given_by(place) for place in giving}
        return given.pop() if len(given) == 1 else name

    def _differentiable(self, called: str, near: str) -> list[Node]:
        """The `forward` of a struct that inherits its `apply`, as subclasses of `torch::autograd::Function` do."""
        struct = called.rpartition("::")[0].rpartition("::")[2]
        if struct not in self._classes.names or self._classes.own(struct, "apply", near):
            return []
        return [self._node(place) for place in self._classes.own(struct, "forward", near)]

    def _passed_edges(self, path: str, facts: FileFacts, owners: dict[int, Node]) -> Iterator[Edge]:
        """A kernel, function or macro that a function passes on is started, called or expanded there."""
        for reference in facts.references:
            source = owners.get(_owner(facts, reference.scope))
            if source is not None and (kernel := adapter(reference.name)):
                yield Edge(EdgeKind.CALLS, source, kernel, path, reference.line)
                continue
            if reference.variable or source is None:
                continue
            if reference.name.partition("::")[0] in LIBRARY_NAMESPACES:
                continue
            found = self.functions(reference.name, path, _owner(facts, reference.scope))
            if not found:
                yield from self._entered(reference.name, source, path, reference.line)
            if source in found:
                yield from self._offered(reference.name, source, path, reference.line)
            for node in found:
                if node != source and (node.kind is NodeKind.KERNEL or node.detail == "macro" or len(found) == 1):
                    yield Edge(EdgeKind.CALLS, source, node, path, reference.line, False, NAMED)

    def _offered(self, name: str, source: Node, path: str, line: int) -> Iterator[Edge]:
        """What files offer to be run under a name."""
        offers = self._alternatives.get(name, [])
        self._consulted.update(where for where, _ in offers)
        targets = dict.fromkeys(node for where, offer in offers for node in self.functions(offer.target, where))
        for node in targets:
            yield Edge(EdgeKind.CALLS, source, node, path, line, len(targets) == 1, CHOSEN)

    def _entered(self, table: str, source: Node, path: str, line: int) -> Iterator[Edge]:
        """What a table holds that objects of a class put there when the program starts."""
        for kind in dict.fromkeys(offer.target for _, offer in self._alternatives.get(table, [])):
            if kind in self._classes.names:
                yield from self._offered(kind, source, path, line)

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
        if kernels:
            return
        libraries = list(filter(None, map(launched, dict.fromkeys((launch.kernel, *self._held(path, facts, launch))))))
        for library in libraries:
            yield Edge(EdgeKind.LAUNCHES, node, library, path, launch.line, len(libraries) == 1)
        if not libraries:
            why = f"the kernel behind `{launch.kernel}` is chosen at run time or lies outside the workspace"
            missing = Node(NodeKind.MISSING, why)
            yield Edge(EdgeKind.LAUNCHES, node, missing, path, launch.line)

    def _launched(self, path: str, facts: FileFacts, launch: Launch) -> list[Node]:
        """The kernels that a launch may start: by name, else through the variable that holds the kernel."""
        scope = _owner(facts, launch.scope)
        direct = [n for n in self.functions(launch.kernel, path, scope) if n.kind is NodeKind.KERNEL]
        if direct:
            return direct
        held = self._held(path, facts, launch)
        found = [node for name in held for node in self.functions(name, path, scope)]
        for table in [name for name in (launch.kernel, *held) if not found]:
            elsewhere = self._tables.get(table, {})
            if len(elsewhere) == 1:  # a table of a header
                ((header, entries),) = elsewhere.items()
                self._consulted.add(header)
                found = [node for name in entries for node in self.functions(name, header)]
        given = [kernel for node in found if node.kind is NodeKind.FUNCTION for kernel in self._given_by(node)]
        return list(dict.fromkeys(node for node in (*found, *given) if node.kind is NodeKind.KERNEL))

    def _held(self, path: str, facts: FileFacts, launch: Launch) -> list[str]:
        """What the variable of a launch may hold: names it is given, and those in a table that it is an element of."""
        scopes = {*_scopes(facts, launch.scope), TOP}
        place = (path, launch.scope)
        if place not in self._expansions:
            self._expansions[place] = self._expanded(facts, scopes - {TOP})
        scopes |= self._expansions[place]
        held, todo = dict[str, None](), [launch.kernel]
        while todo:
            variable = todo.pop()
            for reference in facts.references:
                if reference.variable == variable and reference.scope in scopes and reference.name not in held:
                    held[reference.name] = None
                    todo.append(reference.name)
        return list(held)

    def _expanded(self, facts: FileFacts, scopes: set[int]) -> set[int]:
        """The macros of a file that functions of it expand: what these give to a variable stands there."""
        macros = {d.name: index for index, d in enumerate(facts.defs) if d.kind is DefKind.MACRO}
        found: set[int] = set()
        todo = scopes if macros else set[int]()
        while todo:
            named = {macros[call.name] for call in facts.calls if call.scope in todo and call.name in macros}
            todo = named - found
            found |= named
        return found

    def _given_by(self, chooser: Node) -> Iterator[Node]:
        """The kernels that a function names without launching them: `kernel = choose(n)` is given one of those."""
        facts = self._files[chooser.path]
        self._consulted.add(chooser.path)
        for reference in facts.references:
            owner = _owner(facts, reference.scope)
            if owner != TOP and facts.defs[owner].name_start == chooser.start:
                yield from self.functions(reference.name, chooser.path, owner)

    def _adapters(self, facts: FileFacts, scope: int) -> list[Node]:
        """The library's adapters that a type around this function, or of its file, stands for; its own are edges."""
        if any(_owner(facts, r.scope) == scope and adapter(r.name) for r in facts.references):
            return []
        outside = [r for r in facts.references if _owner(facts, r.scope) == TOP]
        around = set(_scopes(facts, scope))
        named = [r for r in outside if r.scope in around] or outside
        return list(dict.fromkeys(kernel for r in named if (kernel := adapter(r.name))))

    def _nearest(
        self,
        name: str,
        qualifier: str,
        near: str,
        is_member: bool = False,
        around: str = "",
        inside: tuple[str, ...] | None = None,
    ) -> list[Place]:
        """Candidates in the namespaces that are meant, of these in the same file, else the same folder, else anywhere.

        Members of a class count for `x.f()`, for `Struct::f` and inside that class (`around`) only.
        """
        asked = (name, qualifier, near, is_member, around, inside)
        known = self._answers.get(asked)
        if known is None:
            known = self._answers[asked] = self._sought(*asked)
        return known

    def _sought(
        self,
        name: str,
        qualifier: str,
        near: str,
        is_member: bool,
        around: str,
        inside: tuple[str, ...] | None,
    ) -> list[Place]:
        found: list[Place] = []
        last = self._meant(without_arguments(qualifier).rpartition("::")[2], near)
        for path, index in self._by_name.get(name, []):
            owner = self._classes.owner(path, index)
            if bool(owner) if is_member else owner in ("", last, around):
                found.append((path, index))
        members = [(p, i) for p, i in found if last and self._classes.owner(p, i) == last]
        found = members or found
        if not is_member:
            spaces = "" if found and found == members else self._spaces(qualifier, near)
            return nearest(self._namespaces.visible(found, name, spaces, near, inside), near)
        if closer := [(p, i) for p, i in found if p == near]:
            return closer[:MAX_CANDIDATES]
        folder = os.path.dirname(near) + os.sep  # an unknown receiver has the types of its neighbourhood
        beside = [(p, i) for p, i in found if p.startswith(folder) and os.sep not in p[len(folder) :]]
        beside = beside or [
            (p, i) for p, i in found if p.startswith(folder) or near.startswith(os.path.dirname(p) + os.sep)
        ]
        return beside[:MAX_CANDIDATES]


def function_node(path: str, facts: FileFacts, index: int) -> Node:
    """The node of a C++ definition."""
    definition = facts.defs[index]
    if definition.kind is DefKind.CUDA_KERNEL:
        return Node(NodeKind.KERNEL, definition.name, path, definition.name_start, definition.line, "CUDA")
    name = definition.name
    if definition.scope != TOP and definition.kind is not DefKind.LAMBDA:
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
