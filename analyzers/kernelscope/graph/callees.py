"""What a called name may mean inside one Python function: names by scope, receivers by how they are built.

Values are not followed: a callable that comes as a parameter or out of a table is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kernelscope.graph.collectives import collective
from kernelscope.graph.function_nodes import FunctionNodes, named_around, scopes
from kernelscope.graph.kept_functions import KeptFunctions
from kernelscope.graph.kinds import Node, NodeKind, operator
from kernelscope.syntax.python.tree import (
    Assign,
    Attribute,
    Call,
    ClassDef,
    For,
    FunctionDef,
    Name,
    aliased,
    dotted,
    inside,
    walk,
)
from kernelscope.workspace import facts as f
from kernelscope.workspace.classes import Classes, is_class
from kernelscope.workspace.modules import Definition, External, Missing, Modules, Resolved
from kernelscope.workspace.namespace import Imported
from kernelscope.workspace.packages import ModuleRef

MAX_HOPS = 12
MAX_ELEMENTS = 8
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)")
_NO_NAME = ("?.", "self.", "cls.", "super().")


class Callees:
    """Names of calls, resolved where they stand."""

    def __init__(
        self,
        modules: Modules,
        classes: Classes,
        functions: FunctionNodes,
        kept: KeptFunctions,
        exports: Callable[[str], Node | None],
    ) -> None:
        """`exports` knows the operators that C++ hands to Python, by the dotted name of an external module."""
        self._modules = modules
        self._classes = classes
        self._functions = functions
        self._kept = kept
        self._exports = exports

    def nodes(
        self, path: str, facts: f.FileFacts, outermost: int, scope: int, name: str
    ) -> Iterator[tuple[Node, bool]]:
        """The nodes that a called name may mean, each with whether it is the only one."""
        if name.startswith("?."):
            return
        first, _, rest = name.partition(".")
        owner = self._functions.class_around(path, facts, outermost)
        if name.startswith("super().") and owner is not None:
            yield from self._as_nodes([self._classes.super_attribute(owner, owner, name[8:])])
        elif first in ("self", "cls") and rest and owner is not None:
            yield from self._as_nodes(self._member(owner, rest))
        else:
            yield from self._as_nodes(self._plain(path, facts, outermost, scope, name))

    def external(self, path: str, facts: f.FileFacts, outermost: int, scope: int, name: str) -> str:
        """The full name of something outside of the workspace; "" for what is inside or not known."""
        if name.startswith(_NO_NAME):
            return ""
        found = self._plain(path, facts, outermost, scope, name)
        return next((result.dotted for result in found if isinstance(result, External)), "")

    # -- names ----------------------------------------------------------------------------------------------

    def _plain(self, path: str, facts: f.FileFacts, outermost: int, scope: int, name: str) -> list[Resolved]:
        first, _, rest = name.partition(".")
        around = set(scopes(facts, scope))
        for imported in facts.imports:
            if imported.bound == first and imported.scope in around:
                target = Imported(imported.level, imported.module, imported.name)
                found = self._rest_of(self._modules.follow(path, target), rest)
                return [found if not isinstance(found, Missing) else self._compiled(path, target, rest) or found]
        if not rest:
            if (index := next(named_around(facts, scope, name), None)) is not None:
                inner = self._functions.definition_of(path, facts, index)
                return [inner] if inner else []
            if elements := self._loop_elements(path, facts, outermost, name):
                return list(elements)
        found = [self._rest_of(result, rest) for result in self._modules.resolve_all(path, first)]
        if all(isinstance(result, Missing) for result in found):
            imports = (i for i in facts.imports if i.bound == first and i.scope == f.TOP)
            targets = (Imported(i.level, i.module, i.name) for i in imports)
            found += [outside for target in targets if (outside := self._compiled(path, target, rest))]
        return found

    def _compiled(self, path: str, target: Imported, rest: str) -> External | None:
        """A function of a compiled module of the package, which has no file here: `from . import _C`, `_C.f(x)`."""
        if target.name is None or target.level < 0:
            return None
        around = self._modules.packages.name_of(path).split(".")
        package = around[: len(around) - target.level + path.endswith("__init__.py")] if target.level else []
        name = ".".join(part for part in (*package, target.module, target.name, rest) if part)
        return External(name) if self._exports(name) else None

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
                    alias = aliased(node.value)
                    if alias is None:
                        return found if not rest else Missing("attribute of a value")
                    first, _, more = alias.partition(".")
                    rest = ".".join(part for part in (more, rest) if part)
                    found = self._modules.resolve(found.path, first, before=node.span.start)
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
        """`self.f`, `self.part`, `self.part.f`: methods, functions kept as attributes, parts by what builds them."""
        first, _, rest = rest.partition(".")
        attribute = self._classes.attribute(owner, first)
        if isinstance(attribute, Definition) and isinstance(attribute.node, FunctionDef) and not rest:
            return [attribute, *self._kept.of(owner, first, attribute)]
        parts = list(self._built(owner, first))
        if not rest:
            runs = [found for part in parts if (found := self._functions.run_by(part))]
            return [*runs, *self._kept.of(owner, first, attribute)]
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
        owner = self._functions.class_around(path, facts, outermost)
        function = self._functions.definition_of(path, facts, outermost)
        if owner is None or function is None:
            return []
        found: list[Definition] = []
        for node in inside(function.node) if isinstance(function.node, FunctionDef) else ():
            if isinstance(node, For) and any(isinstance(t, Name) and t.id == name for t in walk(node.target)):
                for part in walk(node.iter):
                    if isinstance(part, Attribute) and isinstance(part.value, Name) and part.value.id == "self":
                        runs = [self._functions.run_by(built) for built in self._built(owner, part.attr)]
                        found.extend(run for run in runs if run)
        return found

    # -- nodes ----------------------------------------------------------------------------------------------

    def _as_nodes(self, found: list[Resolved]) -> Iterator[tuple[Node, bool]]:
        nodes: dict[Node, None] = {}
        for result in found:
            match result:
                case External(dotted=name) if match := _OPERATOR.match(name):
                    nodes[operator(match[1], match[2])] = None
                case External(dotted=name) if exported := self._exports(name):
                    nodes[exported] = None
                case External(dotted=name) if collective(name):
                    nodes[Node(NodeKind.COLLECTIVE, name, detail=collective(name) or "")] = None
                case Definition(node=FunctionDef()):
                    if node := self._functions.node(result):
                        nodes[node] = None
                case Definition(node=ClassDef()):
                    if node := self._functions.constructor(result):
                        nodes[node] = None
                case Definition(node=Assign() as assign):
                    if wrapped := self._wrapped_function(result, assign):
                        nodes[wrapped] = None
                case _:
                    pass
        for node in nodes:
            yield node, len(nodes) == 1

    def _wrapped_function(self, definition: Definition, assign: Assign) -> Node | None:
        """`f = compile(g)`: the innermost function. Of an instance, `f = Norm(4)`: what calling it runs."""
        value = assign.value
        made_by = dotted(value.func) if isinstance(value, Call) else None
        cls = self._modules.definition(definition.path, made_by) if made_by else None
        if cls is not None and isinstance(cls.node, ClassDef):
            run = self._functions.run_by(cls)
            return self._functions.node(run) if run else None
        found = self._kept.innermost(definition.path, value, assign.span.start) if isinstance(value, Call) else None
        return self._functions.node(found) if found else None
