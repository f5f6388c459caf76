"""Models that a registry chooses when a system starts, joined to what holds and calls them.

`self.model = make(config)` ends, over calls, where a table of classes with a `forward` lies: `self.model(x)` calls
one of these.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import cached_property

from kernelscope.explain.system_parts import MODEL, Call, Component
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.results import Location
from kernelscope.serving.guards import own
from kernelscope.serving.registries import Registry
from kernelscope.serving.system import System
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import Definition, Imported
from kernelscope.workspace.workspace import Workspace

KINDS = ("table", "decorator")
LOOKED_AT = 6
"""Entries of a registry that tell what it holds."""
DEEPEST = 7
MOST_VISITED = 300
_WORDS = re.compile(r"[A-Za-z_]\w*")


class RegisteredModels:
    """The registries of a system whose classes have a `forward`, by their files."""

    def __init__(self, workspace: Workspace, graph: OperatorGraph, system: System) -> None:
        self._workspace = workspace
        self._graph = graph
        self._system = system

    def held_by(self, component: Component) -> Iterator[Call]:
        """The call of a model that a class holds in an attribute and got from a registry."""
        path = str(component.location.path)
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) and self._models else None
        methods = [
            s for s in (module.functions() if module else ()) if s.qualified_name.startswith(f"{component.name}.")
        ]
        called = dict[str, tuple[int, t.Call]]()
        for scope in methods:
            for node in own(scope.node):
                if isinstance(node, t.Call) and (name := _run(node)):
                    called.setdefault(name, (module.text.line_of(node.span.start) if module else 0, node))
        for scope in methods:
            for made, name in _stored(scope):
                if name not in called or module is None:
                    continue
                model = self._made_by(path, scope, {module.text.line_of(call.span.start) for call in made})
                if model is not None:
                    yield Call(component, model, "forward", Location(component.location.path, called[name][0]), False)
                    return

    def _made_by(self, path: str, scope: Scope, lines: set[int]) -> Component | None:
        """The models of the registry whose file the calls in some lines of a function lead to."""
        start = self._graph.named(path, scope.qualified_name)
        queue = (
            deque((e, 0) for e in self._graph.out_edges(start) if _line(e) in lines)
            if start is not None
            else deque[tuple[Edge, int]]()
        )
        seen = set[Node]()
        while queue and len(seen) < MOST_VISITED:
            edge, depth = queue.popleft()
            target = edge.target
            if edge.kind is not EdgeKind.CALLS or target.kind is not NodeKind.FUNCTION or target in seen:
                continue
            seen.add(target)
            if (model := self._models.get(target.path)) is not None:
                return model
            if depth < DEEPEST:
                queue += ((e, depth + 1) for e in self._graph.out_edges(target))
        return None

    @cached_property
    def _models(self) -> dict[str, Component]:
        found: dict[str, Component] = {}
        for registry in self._system.registries:
            path = registry.location.path
            if registry.kind not in KINDS or self._system.is_aside(path) or str(path) in found:
                continue
            if (forward := self._forward(registry)) is not None:
                name = f"{forward.name.partition('.')[0]}, one of {len(registry.entries)}"
                found[str(path)] = Component(name, MODEL, registry.location, (forward,))
        return found

    def _forward(self, registry: Registry) -> Node | None:
        """The `forward` of the first class of a registry most of whose classes have one."""
        looked = registry.entries[:LOOKED_AT]
        path = str(registry.location.path)
        found = [node for e in looked if (node := self._forward_of(path, e.implementation)) is not None]
        return found[0] if found and 2 * len(found) > len(looked) and len(registry.entries) > 1 else None

    def _forward_of(self, path: str, said: str) -> Node | None:
        """`("llama", "LlamaModel")`, `models.llama.LlamaModel` and `LlamaModel` name a class, its module before it."""
        words = _WORDS.findall(said)
        *before, name = words or [""]
        modules, module = self._workspace.modules, ".".join(word.strip(".") for word in before)
        tries = [modules.follow(path, Imported(level, module, name)) for level in (0, 1)] if module else []
        cls = next((c for c in (modules.resolve(path, said), *tries) if isinstance(c, Definition)), None)
        return self._graph.named(cls.path, f"{cls.name}.forward") if cls is not None else None


def _line(edge: Edge) -> int:
    return edge.location.line if edge.location is not None else -1


def _run(call: t.Call) -> str:
    """The attribute that `self.model(x)` or `self.model.forward(x)` runs."""
    match call.func:
        case t.Attribute(value=t.Attribute(value=t.Name(id="self"), attr=name), attr="forward"):
            return name
        case t.Attribute(value=t.Name(id="self"), attr=name):
            return name
        case _:
            return ""


def _stored(scope: Scope) -> Iterator[tuple[list[t.Call], str]]:
    """The attributes that a method stores the results of calls in."""
    for node in own(scope.node):
        if isinstance(node, t.Assign):
            made = [n for n in t.walk(node.value) if isinstance(n, t.Call)]
            for target in node.targets:
                if (
                    made
                    and isinstance(target, t.Attribute)
                    and isinstance(target.value, t.Name)
                    and target.value.id == "self"
                ):
                    yield made, target.attr
