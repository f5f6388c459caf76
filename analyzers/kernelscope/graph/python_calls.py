"""What one Python function calls, launches and uses of operators: names resolved, receivers by how they are built.

Works from the facts of its file, lowering only the modules on the way. Values are not followed: a callable that comes
as a parameter or out of a table is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.registrations import operator
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    Call,
    ClassDef,
    For,
    FunctionDef,
    Name,
    dotted,
    walk,
)
from kernelscope.workspace import facts as f
from kernelscope.workspace.classes import Classes, is_class
from kernelscope.workspace.index import Index
from kernelscope.workspace.modules import Definition, External, Missing, Modules, Resolved
from kernelscope.workspace.namespace import Imported
from kernelscope.workspace.packages import ModuleRef

MAX_HOPS = 12
MAX_ELEMENTS = 8
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)")
_RUNS = ("forward", "__call__")


class PythonCalls:
    """Edges out of Python functions."""

    def __init__(self, modules: Modules, classes: Classes, index: Index, exports: Callable[[str], Node | None]) -> None:
        """`exports` knows the operators that C++ hands to Python, by the dotted name of an external module."""
        self._exports = exports
        self._modules = modules
        self._classes = classes
        self._index = index

    def node(self, definition: Definition) -> Node | None:
        """The node of a function or method; kernels are functions under a `jit` decorator."""
        function = definition.node
        if not isinstance(function, FunctionDef):
            return None
        line = self._line(definition.path, function.name_span.start)
        if is_kernel(function, self._modules, definition.path):
            return Node(
                NodeKind.KERNEL, definition.qualified, definition.path, function.name_span.start, line, "Triton"
            )
        return Node(NodeKind.FUNCTION, definition.qualified, definition.path, function.name_span.start, line, "Python")

    def named(self, path: str, name: str) -> Node | None:
        """The node of the function that a name of the file's top level means."""
        if name.startswith("self."):
            return None
        definition = self._modules.definition(path, name)
        if definition is None:
            return None
        if isinstance(definition.node, ClassDef):
            return self._run(definition)
        return self.node(definition)

    def edges(self, node: Node) -> Iterator[Edge]:
        """What the function does; calls that lead out of the workspace make no edge."""
        facts = self._index.facts(node.path)
        if facts is None:
            return
        own = _own_scopes(facts, node.start)
        if not own:
            return
        outermost = min(own)
        for call in facts.calls:
            if call.scope in own:
                for target, certain in self._targets(node.path, facts, outermost, call.scope, call.name):
                    if target != node:
                        yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, certain)
        for launch in facts.launches:
            if launch.scope in own:
                yield from self._launch(node, facts, outermost, launch)

    # -- launches -------------------------------------------------------------------------------------------

    def _launch(self, node: Node, facts: f.FileFacts, outermost: int, launch: f.Launch) -> Iterator[Edge]:
        targets = list(self._targets(node.path, facts, outermost, launch.scope, launch.kernel))
        kernels = [target for target, _ in targets if target.kind is NodeKind.KERNEL]
        if kernels:
            start = Node(NodeKind.LAUNCH, launch.kernel, node.path, launch.start, launch.line, launch.grid)
            yield Edge(EdgeKind.CONTAINS, node, start, node.path, launch.line)
            for kernel in kernels:
                yield Edge(EdgeKind.LAUNCHES, start, kernel, node.path, launch.line, len(kernels) == 1)
            return
        for target, certain in targets:  # `self.layers[i](x)`
            if target != node:
                yield Edge(EdgeKind.CALLS, node, target, node.path, launch.line, certain)

    # -- names ----------------------------------------------------------------------------------------------

    def _targets(
        self, path: str, facts: f.FileFacts, outermost: int, scope: int, name: str
    ) -> Iterator[tuple[Node, bool]]:
        """The nodes that a called name may mean, each with whether it is the only one."""
        if name.startswith("?."):
            return
        first, _, rest = name.partition(".")
        owner = self._class_around(path, facts, outermost)
        if name.startswith("super().") and owner is not None:
            yield from self._as_nodes([self._classes.super_attribute(owner, owner, name[8:])])
        elif first in ("self", "cls") and rest and owner is not None:
            yield from self._as_nodes(self._member(owner, rest))
        else:
            yield from self._as_nodes(self._plain(path, facts, outermost, scope, name))

    def _plain(self, path: str, facts: f.FileFacts, outermost: int, scope: int, name: str) -> list[Resolved]:
        first, _, rest = name.partition(".")
        around = set(_scopes(facts, scope))
        for imported in facts.imports:
            if imported.bound == first and imported.scope in around:
                target = Imported(imported.level, imported.module, imported.name)
                return [self._rest_of(self._modules.follow(path, target), rest)]
        if not rest:
            for index, definition in enumerate(facts.defs):
                if definition.name == name and definition.scope in around and definition.kind is f.DefKind.FUNCTION:
                    inner = self._definition_of(path, facts, index)
                    return [inner] if inner else []
            if elements := self._loop_elements(path, facts, outermost, name):
                return list(elements)
        found = self._modules.resolve_all(path, first)
        return [self._rest_of(result, rest) for result in found]

    def _rest_of(self, found: Resolved, rest: str) -> Resolved:
        """Attributes of what a name means, through modules, classes and aliases."""
        for _ in range(MAX_HOPS):
            match found:
                case External(dotted=name):
                    return External(f"{name}.{rest}" if rest else name)
                case ModuleRef() if rest:
                    first, _, rest = rest.partition(".")
                    found = self._modules.in_module(found, first)
                case Definition(node=Assign() as node):
                    alias = _alias(node)
                    if alias is None:
                        return found if not rest else Missing("attribute of a value")
                    found = self._modules.resolve(found.path, alias, before=node.span.start)
                case Definition() if rest and is_class(found):
                    first, _, rest = rest.partition(".")
                    attribute = self._classes.attribute(found, first)
                    if first == "apply" and isinstance(attribute, External):
                        attribute = self._classes.attribute(found, "forward")
                    found = attribute
                case _:
                    return found if not rest else Missing("attribute of a value")
        return found

    # -- receivers ------------------------------------------------------------------------------------------

    def _member(self, owner: Definition, rest: str) -> list[Resolved]:
        """`self.f`, `self.part`, `self.part.f`: methods, and parts by the class that builds them."""
        first, _, rest = rest.partition(".")
        attribute = self._classes.attribute(owner, first)
        if isinstance(attribute, Definition) and isinstance(attribute.node, FunctionDef) and not rest:
            return [attribute]
        parts = list(self._built(owner, first))
        if not rest:
            return [found for part in parts if (found := self._run_definition(part))]
        for name in rest.split(".")[:-1]:
            parts = [inner for part in parts for inner in self._built(part, name)][:MAX_ELEMENTS]
        last = rest.rpartition(".")[2]
        return [self._classes.attribute(part, last) for part in parts]

    def _built(self, owner: Definition, attribute: str) -> Iterator[Definition]:
        """The classes that are constructed in what `self.attribute` is set to, in `ModuleList`s too."""
        seen: set[ClassDef] = set()
        for stored in self._classes.stored(owner, attribute):
            value = stored.statement.value
            for node in walk(value) if value is not None else ():
                name = dotted(node.func) if isinstance(node, Call) else None
                found = self._modules.definition(stored.method.path, name) if name else None
                if found and isinstance(found.node, ClassDef) and found.node not in seen and len(seen) < MAX_ELEMENTS:
                    seen.add(found.node)
                    yield found

    def _loop_elements(self, path: str, facts: f.FileFacts, outermost: int, name: str) -> list[Definition]:
        """`for layer in self.layers: layer(x)`: what the elements of `self.layers` are built from."""
        owner = self._class_around(path, facts, outermost)
        function = self._definition_of(path, facts, outermost)
        if owner is None or function is None:
            return []
        found: list[Definition] = []
        for node in walk(function.node):
            if isinstance(node, For) and any(isinstance(t, Name) and t.id == name for t in walk(node.target)):
                for part in walk(node.iter):
                    if isinstance(part, Attribute) and isinstance(part.value, Name) and part.value.id == "self":
                        runs = [self._run_definition(built) for built in self._built(owner, part.attr)]
                        found.extend(run for run in runs if run)
        return found

    def _run(self, cls: Definition) -> Node | None:
        """Constructing a class runs its `__init__`."""
        init = self._classes.attribute(cls, "__init__")
        return self.node(init) if isinstance(init, Definition) else None

    def _run_definition(self, cls: Definition) -> Definition | None:
        """What calling an instance runs: `forward`, else `__call__`."""
        for name in _RUNS:
            found = self._classes.attribute(cls, name)
            if isinstance(found, Definition) and isinstance(found.node, FunctionDef):
                return found
        return None

    # -- nodes ----------------------------------------------------------------------------------------------

    def _as_nodes(self, found: list[Resolved]) -> Iterator[tuple[Node, bool]]:
        nodes: dict[Node, None] = {}
        for result in found:
            match result:
                case External(dotted=name) if match := _OPERATOR.match(name):
                    nodes[operator(match[1], match[2])] = None
                case External(dotted=name) if exported := self._exports(name):
                    nodes[exported] = None
                case Definition(node=FunctionDef()):
                    if node := self.node(result):
                        nodes[node] = None
                case Definition(node=ClassDef()):
                    if node := self._run(result):
                        nodes[node] = None
                case Definition(node=Assign() as assign):
                    if wrapped := self._wrapped_function(result, assign):
                        nodes[wrapped] = None
                case _:
                    pass
        for node in nodes:
            yield node, len(nodes) == 1

    def _wrapped_function(self, definition: Definition, assign: Assign) -> Node | None:
        """`f = compile(g)`, `k = autotune(...)(jit(g))`: the innermost function named in the wrapping calls."""
        value = assign.value
        for _ in range(MAX_HOPS):
            if not isinstance(value, Call) or not value.args:
                break
            value = value.args[0]
        name = dotted(value)
        if name is None or value is assign.value:
            return None
        found = self._modules.resolve(definition.path, name, before=assign.span.start)
        return self.node(found) if isinstance(found, Definition) else None

    def _class_around(self, path: str, facts: f.FileFacts, scope: int) -> Definition | None:
        for index in _scopes(facts, scope):
            if facts.defs[index].kind is f.DefKind.CLASS:
                return self._definition_of(path, facts, index)
        return None

    def _definition_of(self, path: str, facts: f.FileFacts, index: int) -> Definition | None:
        """The lowered definition of a fact, found by going down from the top level."""
        chain = [facts.defs[i] for i in _scopes(facts, index)][::-1]
        module = self._modules.module(path)
        body = module.body if module else []
        found: Definition | None = None
        for fact in chain:
            node = next(
                (
                    n
                    for n in walk(*body)
                    if isinstance(n, (FunctionDef, ClassDef)) and n.name_span.start == fact.name_start
                ),
                None,
            )
            if not isinstance(node, (FunctionDef, ClassDef)):
                return None
            owner = found if found and isinstance(found.node, ClassDef) else None
            found = Definition(path, node.name, node, owner)
            body = node.body
        return found

    def _line(self, path: str, offset: int) -> int:
        module = self._modules.module(path)
        return module.text.line_of(offset) if module else 0


def is_kernel(function: FunctionDef, modules: Modules, path: str) -> bool:
    """Whether a decorator makes the function a kernel of Triton or a dialect of it, not a traced JAX function."""
    for decorator in function.decorator_list:
        name = dotted(decorator.func if isinstance(decorator, Call) else decorator)
        if name and name.rpartition(".")[2] == "jit":
            found = modules.resolve(path, name)
            if isinstance(found, External):
                return not found.dotted.startswith(("jax.", "torch.", "numba."))
            return True
    return False


def _alias(node: Assign) -> str | None:
    """The other name in `ops = torch.ops.lib`."""
    return dotted(node.value)


def _scopes(facts: f.FileFacts, scope: int) -> Iterator[int]:
    while scope != f.TOP:
        yield scope
        scope = facts.defs[scope].scope


def _own_scopes(facts: f.FileFacts, name_start: int) -> set[int]:
    """A function's index and those of the functions defined in it."""
    own: set[int] = set()
    inner = (f.DefKind.FUNCTION, f.DefKind.METHOD, f.DefKind.CLASS)
    for index, definition in enumerate(facts.defs):
        if definition.name_start == name_start or (definition.scope in own and definition.kind in inner):
            own.add(index)
    return own
