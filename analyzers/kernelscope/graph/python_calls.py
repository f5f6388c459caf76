"""What one Python function calls, launches and uses of operators: names resolved, receivers by how they are built.

Works from the facts of its file, lowering only the modules on the way. Values are not followed: a callable that comes
as a parameter or out of a table is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kernelscope.graph.collectives import collective
from kernelscope.graph.kernel_languages import kernel_language
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.native_modules import NativeFunctions, NativeModules
from kernelscope.graph.registrations import operator
from kernelscope.syntax.python.tree import (
    AnnAssign,
    Assign,
    Attribute,
    Call,
    ClassDef,
    For,
    FunctionDef,
    Name,
    Stmt,
    dotted,
    walk,
)
from kernelscope.workspace import facts as f
from kernelscope.workspace.classes import Classes, is_class, nested
from kernelscope.workspace.index import Index
from kernelscope.workspace.modules import Definition, External, Missing, Modules, Resolved
from kernelscope.workspace.namespace import Imported
from kernelscope.workspace.packages import ModuleRef
from kernelscope.workspace.python_facts import literal

MAX_HOPS = 12
MAX_ELEMENTS = 8
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)")
_RUNS = ("forward", "__call__")
BY_NAME = "by the method's name: the receiver is not known"
PALLAS = "pallas_call"
_FFI_CALLS = frozenset({"ffi_call", "get_global_func"})
_WRAPPED = re.compile(r"\s*[\w.]*partial\(\s*([A-Za-z_][\w.]*)")
TENSOR_METHODS = re.compile(
    r"(?:view|reshape|contiguous|to|copy_|add|append|extend|update|get|pop|items|keys|values|split|join"
    r"|format|float|size|numel|dim|stride|fill_|zero_|clone|detach|item|tolist|cpu|cuda|half|sum|mean|max"
    r"|min|exp|log|sqrt|softmax|transpose|permute|squeeze|unsqueeze|expand|flatten|chunk|type|data_ptr"
    r"|is_contiguous|startswith|endswith|new_empty|new_zeros|element_size|set|clear|info|debug|warning"
    r"|error|close|copy|index|read|write|run|start)\Z"
)
"""Methods of tensors and of Python's own types: an unknown receiver is most likely one of those."""


class PythonCalls:
    """Edges out of Python functions."""

    def __init__(
        self,
        modules: Modules,
        classes: Classes,
        index: Index,
        exports: Callable[[str], Node | None],
        functions: NativeFunctions = lambda _: [],
    ) -> None:
        """`exports` knows the operators that C++ hands to Python, by the dotted name of an external module;
        `functions` knows C++ functions by name."""
        self._exports = exports
        self._native = NativeModules(modules, functions)
        self._modules = modules
        self._classes = classes
        self._index = index

    def node(self, definition: Definition) -> Node | None:
        """The node of a function or method; kernels are functions under a `jit` decorator."""
        function = definition.node
        if not isinstance(function, FunctionDef):
            return None
        line = self._line(definition.path, function.name_span.start)
        language = kernel_language(function, self._modules, definition.path)
        if language is None and function.name in self._pallas_kernels(definition.path):
            language = "Pallas"
        if language is not None:
            return Node(
                NodeKind.KERNEL, definition.qualified, definition.path, function.name_span.start, line, language
            )
        return Node(NodeKind.FUNCTION, definition.qualified, definition.path, function.name_span.start, line, "Python")

    def _pallas_kernels(self, path: str) -> set[str]:
        """Functions that a file hands to `pallas_call`."""
        facts = self._index.facts(path)
        calls = facts.calls if facts else ()
        return {
            _innermost_name(next((text for key, text in call.args if not key), ""))
            for call in calls
            if call.args and call.name.rpartition(".")[2] == PALLAS
        }

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
        own = own_scopes(facts, node.start)
        if not own:
            return
        outermost = min(own)
        function = self._definition_of(node.path, facts, outermost)
        for call in facts.calls:
            if call.scope in own:
                known = False
                for target, certain in self._targets(node.path, facts, outermost, call.scope, call.name):
                    known = True
                    kind = EdgeKind.COMMUNICATES if target.kind is NodeKind.COLLECTIVE else EdgeKind.CALLS
                    if target != node:
                        yield Edge(kind, node, target, node.path, call.line, certain)
                if not known and function is not None:
                    yield from self._foreign(node, facts, outermost, function, call)
        for launch in facts.launches:
            if launch.scope in own:
                yield from self._launch(node, facts, outermost, launch)
        if function is not None:
            yield from self._configs(node, function)

    def unfollowed(self, node: Node) -> Iterator[tuple[f.Call, str]]:
        """Calls that make no edge; the full name of those that leave the workspace, "" where nothing is known."""
        facts = self._index.facts(node.path)
        if facts is None:
            return
        own = own_scopes(facts, node.start)
        for call in facts.calls:
            if call.scope not in own or any(
                True for _ in self._targets(node.path, facts, min(own), call.scope, call.name)
            ):
                continue
            found: list[Resolved] = []
            if not call.name.startswith(("?.", "self.", "cls.", "super().")):
                found = self._plain(node.path, facts, min(own), call.scope, call.name)
            yield call, next((result.dotted for result in found if isinstance(result, External)), "")

    def _configs(self, node: Node, function: Definition) -> Iterator[Edge]:
        """The settings that a function is given by annotation."""
        if not isinstance(function.node, FunctionDef):
            return
        for parameter in function.node.args:
            name = dotted(parameter.annotation) if parameter.annotation is not None else None
            found = self._modules.definition(node.path, name) if name else None
            if found and isinstance(found.node, ClassDef) and _is_config(found.node):
                line = self._line(found.path, found.node.name_span.start)
                config = Node(NodeKind.CONFIG, found.qualified, found.path, found.node.name_span.start, line)
                yield Edge(EdgeKind.READS, node, config, node.path, self._line(node.path, parameter.span.start))

    # -- native code ----------------------------------------------------------------------------------------

    def _foreign(
        self, node: Node, facts: f.FileFacts, outermost: int, function: Definition, call: f.Call
    ) -> Iterator[Edge]:
        """Calls that run code of other languages without an operator: Pallas, FFI targets, loaded modules."""
        tail = call.name.rpartition(".")[2]
        first = next((text for key, text in call.args if not key), "")
        if tail == PALLAS:
            grid = next((text for key, text in call.args if key == "grid"), "")
            launch = f.Launch(_innermost_name(first), grid, call.start, call.line, call.scope)
            yield from self._launch(node, facts, outermost, launch)
        elif tail in _FFI_CALLS and (target := literal(first)):
            yield from self._native.named(node, target, call.line)
        else:
            native: list[Edge] = []
            if not call.name.startswith(("?.", "self.", "cls.", "super().")):
                native = list(self._native.edges(node, function, call.name, call.line))
            yield from native or self._by_name(node, facts, outermost, call)

    def _by_name(self, node: Node, facts: f.FileFacts, outermost: int, call: f.Call) -> Iterator[Edge]:
        """`x.method()` of a receiver that is not known: the few methods of the workspace that have this name."""
        receiver, _, method = call.name.rpartition(".")
        if not receiver or TENSOR_METHODS.match(method) or method.startswith("__"):
            return
        if not call.name.startswith("?.") and any(
            isinstance(found, External) for found in self._plain(node.path, facts, outermost, call.scope, call.name)
        ):
            return
        for match in self._index.table.named(method, MAX_ELEMENTS):
            if match.name.kind is not f.DefKind.METHOD or (found := self._index.facts(match.path)) is None:
                continue
            for definition in found.defs:
                if definition.name == method and definition.line == match.name.line and definition.scope != f.TOP:
                    name = f"{found.defs[definition.scope].name}.{method}"
                    target = Node(NodeKind.FUNCTION, name, match.path, definition.name_start, definition.line, "Python")
                    if target != node:
                        yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, False, BY_NAME)

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
                case External(dotted=name) if collective(name):
                    nodes[Node(NodeKind.COLLECTIVE, name, detail=collective(name) or "")] = None
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
        """`f = compile(g)`, `k = autotune(...)(jit(g))`: the innermost function named in the wrapping calls.

        Of an instance, `f = Norm(4)`: what calling it runs.
        """
        value = assign.value
        made_by = dotted(value.func) if isinstance(value, Call) else None
        cls = self._modules.definition(definition.path, made_by) if made_by else None
        if cls is not None and isinstance(cls.node, ClassDef):
            run = self._run_definition(cls)
            return self.node(run) if run else None
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
            node = next((n for n in _definitions_in(body) if n.name_span.start == fact.name_start), None)
            if node is None:
                return None
            owner = found if found and isinstance(found.node, ClassDef) else None
            found = Definition(path, node.name, node, owner)
            body = node.body
        return found

    def _line(self, path: str, offset: int) -> int:
        module = self._modules.module(path)
        return module.text.line_of(offset) if module else 0


def _is_config(cls: ClassDef) -> bool:
    """A class of annotated fields: at least two, and more of them than methods."""
    fields = sum(isinstance(node, AnnAssign) for node in cls.body)
    methods = sum(isinstance(node, FunctionDef) for node in cls.body)
    return fields >= 2 and fields > methods


def _innermost_name(text: str) -> str:
    """The function in `kernel`, `partial(kernel, n=2)` or `functools.partial(kernel, n=2)`."""
    found = _WRAPPED.match(text)
    return found[1] if found else text.strip()


def _definitions_in(body: list[Stmt]) -> Iterator[FunctionDef | ClassDef]:
    """Functions and classes of a body, those in its branches and loops too, without lowering their own bodies."""
    todo = body[::-1]
    while todo:
        statement = todo.pop()
        if isinstance(statement, (FunctionDef, ClassDef)):
            yield statement
        else:
            todo += nested(statement)[::-1]


def _alias(node: Assign) -> str | None:
    """The other name in `ops = torch.ops.lib`."""
    return dotted(node.value)


def _scopes(facts: f.FileFacts, scope: int) -> Iterator[int]:
    while scope != f.TOP:
        yield scope
        scope = facts.defs[scope].scope


def own_scopes(facts: f.FileFacts, name_start: int) -> set[int]:
    """A function's index and those of what is defined in it; macros stand anywhere."""
    own: set[int] = set()
    for index, definition in enumerate(facts.defs):
        is_within = definition.scope in own and definition.kind is not f.DefKind.MACRO
        if definition.name_start == name_start or is_within:
            own.add(index)
    return own
