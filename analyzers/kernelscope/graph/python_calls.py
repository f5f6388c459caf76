"""What one Python function calls, launches and uses of operators, as edges of the graph.

Works from the facts of its file, lowering only the modules on the way.
"""

from __future__ import annotations

import builtins
import os
import re
from collections.abc import Callable, Iterator

from kernelscope.graph.callees import MAX_ELEMENTS, Callees
from kernelscope.graph.file_roles import is_test
from kernelscope.graph.function_nodes import PALLAS, FunctionNodes, innermost_name, own_scopes, scopes
from kernelscope.graph.kernel_languages import KERNEL_LIBRARIES
from kernelscope.graph.kinds import Edge, EdgeKind, Node, NodeKind
from kernelscope.graph.named_calls import NamedCalls
from kernelscope.graph.native_modules import NativeFunctions, NativeModules
from kernelscope.graph.native_objects import NativeObjects
from kernelscope.graph.receivers import Receivers, calls_in
from kernelscope.graph.tensor_methods import TENSOR_METHODS
from kernelscope.syntax.python.declarations import is_declared_only
from kernelscope.syntax.python.tree import AnnAssign, Attribute, Call, ClassDef, FunctionDef, Name, dotted
from kernelscope.workspace import facts as f
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.index import Index
from kernelscope.workspace.instances import Scope, Type
from kernelscope.workspace.modules import Definition, Modules
from kernelscope.workspace.python_facts import literal
from kernelscope.workspace.symbols import Match

MAX_METHODS = 60
BY_NAME = "by the method's name: the receiver is not known"
BY_TEXT = "the call names the method by a text"
OVERRIDES = "a method of a class below the declared one; which runs is chosen at run time"
TRACED = "traced here; runs when the compiled object is called"
BY_DECORATOR = "a kernel of the class, which the method's decorator may launch"
_GIVEN_TEXT = re.compile(rb"\s*\((?:\s|#[^\n]*\n)*[\"']")
_IMPORTING = (b"import_module", b"__import__")
_FFI_CALLS = frozenset({"ffi_call", "get_global_func"})
_BUILTINS = frozenset(dir(builtins))
_SELF = ("self.", "cls.", "super().")


class PythonCalls:
    """Edges out of Python functions."""

    def __init__(
        self,
        modules: Modules,
        classes: Classes,
        index: Index,
        exports: Callable[[str], Node | None],
        receivers: Receivers,
        native: NativeFunctions = lambda _: [],
    ) -> None:
        """`exports` knows the operators that C++ hands to Python, by the dotted name of an external module;
        `native` knows C++ functions by name."""
        self._receivers = receivers
        self._exports = exports
        self.functions = FunctionNodes(modules, classes, index)
        self._callees = Callees(modules, classes, self.functions, receivers.kept, exports)
        self._named = NamedCalls(modules, receivers)
        self.native = NativeModules(modules, classes, native, self.functions.node)
        self._objects = NativeObjects(modules, classes, index, self._callees, exports)
        self._modules = modules
        self._classes = classes
        self._index = index
        self._methods_of: dict[tuple[str, int, bool, str], tuple[tuple[Node | None, bool], ...]] = {}
        self._called: tuple[FunctionDef | None, dict[tuple[int, str], Call]] = (None, {})
        """The function that was looked at last, with its calls."""

    def edges(self, node: Node, only: tuple[int | None, str] | None = None) -> Iterator[Edge]:
        """What the function does; calls that lead out of the workspace make no edge.

        `only` asks for one call, by where it begins and the last name of what it calls; without a place for all calls
        and launches of that name.
        """
        facts = self._index.facts(node.path)
        if facts is None:
            return
        own = own_scopes(facts, node.start)
        if not own:
            return
        outermost = min(own)
        function = self.functions.definition_of(node.path, facts, outermost)
        starts_kernels = False
        for call in facts.calls:
            tail = call.name.rpartition(".")[2]
            if call.scope in own and (only is None or only in ((call.start, tail), (None, tail))):
                targets: list[Node] = []
                for target, certain in self._callees.nodes(node.path, facts, outermost, call.scope, call.name):
                    targets.append(target)
                    starts_kernels |= target.kind is NodeKind.KERNEL
                    kind = EdgeKind.COMMUNICATES if target.kind is NodeKind.COLLECTIVE else EdgeKind.CALLS
                    if target != node:
                        yield Edge(kind, node, target, node.path, call.line, certain)
                if function is not None:
                    yield from self._standing_in(node, function, call)
                if not targets and function is not None:
                    for edge in self._foreign(node, facts, outermost, function, call):
                        targets.append(edge.target)
                        yield edge
                if function is not None and only is None:
                    yield from self._by_text(node, function, call, targets)
        if only is not None and only[0] is not None:
            return
        launches = [launch for launch in facts.launches if launch.scope in own]
        for launch in launches:
            if only is None or launch.kernel.rpartition(".")[2] == only[1]:
                yield from self._launch(node, facts, outermost, launch)
        if function is not None and only is None:
            yield from self._configs(node, function)
            yield from self.native.handed(node, function)
            if not launches and not starts_kernels:
                yield from self._by_decorator(node, function)

    def unfollowed(self, node: Node) -> Iterator[tuple[f.Call, str]]:
        """Calls that make no edge; the full name of those that leave the workspace, "" where nothing is known."""
        facts = self._index.facts(node.path)
        if facts is None:
            return
        own = own_scopes(facts, node.start)
        function = self.functions.definition_of(node.path, facts, min(own)) if own else None
        for call in facts.calls:
            if call.scope in own:
                place = (node.path, facts, min(own), call.scope, call.name)
                if next(self._callees.nodes(*place), None) is not None:
                    continue
                if function is None or next(self._by_receiver(node, facts, function, call), None) is None:
                    yield call, self._callees.external(*place)

    def _configs(self, node: Node, function: Definition) -> Iterator[Edge]:
        """The settings that a function is given by annotation."""
        if not isinstance(function.node, FunctionDef):
            return
        for parameter in function.node.args:
            name = dotted(parameter.annotation) if parameter.annotation is not None else None
            found = self._modules.definition(node.path, name) if name else None
            if found and isinstance(found.node, ClassDef) and _is_config(found.node):
                start = found.node.name_span.start
                line = self.functions.line(found.path, start)
                config = Node(NodeKind.CONFIG, found.qualified, found.path, start, line)
                yield Edge(
                    EdgeKind.READS, node, config, node.path, self.functions.line(node.path, parameter.span.start)
                )

    # -- native code ----------------------------------------------------------------------------------------

    def _foreign(
        self, node: Node, facts: f.FileFacts, outermost: int, function: Definition, call: f.Call
    ) -> Iterator[Edge]:
        """Calls that run code of other languages without an operator: Pallas, FFI targets, loaded modules."""
        tail = call.name.rpartition(".")[2]
        first = next((text for key, text in call.args if not key), "")
        if tail == PALLAS:
            grid = next((text for key, text in call.args if key == "grid"), "")
            launch = f.Launch(innermost_name(first), grid, call.start, call.line, call.scope)
            yield from self._launch(node, facts, outermost, launch)
        elif tail in _FFI_CALLS and (target := literal(first)):
            yield from self.native.named(node, target, call.line)
        else:
            found = self._compiled(node, facts, outermost, function, call)
            found = found or list(self._by_receiver(node, facts, function, call))
            found = found or self._imported_by_name(node, function, call)
            found = found or self._of_native_object(node, function, call)
            if not found and (not call.name.startswith(_SELF) or call.name.count(".") == 2):
                found = list(self.native.edges(node, function, call.name, call.line))
            yield from found or self._by_name(node, facts, outermost, call)

    def _standing_in(self, node: Node, function: Definition, call: f.Call) -> Iterator[Edge]:
        """`self.attend(x)` in a class that leaves `attend` to those below: the methods of theirs."""
        first, _, method = call.name.partition(".")
        owner = function.owner
        if first not in ("self", "cls") or "." in method or owner is None:
            return
        found = self._classes.attribute(owner, method)
        if isinstance(found, Definition) and isinstance(found.node, FunctionDef) and is_declared_only(found.node):
            for other in self._receivers.overriding(owner, method):
                if (target := self.functions.node(other)) is not None and target != node:
                    yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, False, OVERRIDES)

    # -- receivers by what is declared of them ----------------------------------------------------------------

    def _by_receiver(self, node: Node, facts: f.FileFacts, function: Definition, call: f.Call) -> Iterator[Edge]:
        """`x.method()` and `x()` where the class of `x` is declared, or told by what builds it."""
        written = self._written(function, call)
        if written is None:
            return
        scope = self._scope(node.path, facts, function, call.scope)
        match written.func:
            case Attribute(value=receiver, attr=method):
                types = self._receivers.types(scope, receiver)
                methods = [entry for kind in types for entry in self._methods(kind, method)]
            case Name() as receiver if receiver.id not in _BUILTINS:
                methods = [(self.functions.node(found), True) for found in self._receivers.runs(scope, receiver)]
            case _:
                methods = []
        for target, is_own in methods:
            if target is not None and target != node:
                note = "" if is_own else OVERRIDES
                yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, len(methods) == 1 and is_own, note)

    def _methods(self, kind: Type, method: str) -> tuple[tuple[Node | None, bool], ...]:
        """What may run of a class under a name, kept as nodes: a definition would hold the tree of its file."""
        if kind.cls is None:
            return ()
        key = (kind.cls.path, kind.cls.node.span.start, kind.is_exact, method)
        if key not in self._methods_of:
            found = self._receivers.methods(kind, method)
            self._methods_of[key] = tuple((self.functions.node(definition), is_own) for definition, is_own in found)
        return self._methods_of[key]

    def _compiled(
        self, node: Node, facts: f.FileFacts, outermost: int, function: Definition, call: f.Call
    ) -> list[Edge]:
        """`cute.compile(kernel, ...)` of a kernel library: what is traced runs when the result is called."""
        if call.name.rpartition(".")[2] != "compile" or (written := self._written(function, call)) is None:
            return []
        dotted_name = self._callees.external(node.path, facts, outermost, call.scope, call.name)
        if dotted_name.partition(".")[0] not in KERNEL_LIBRARIES or not written.args:
            return []
        traced = written.args[0]
        found = list(self._receivers.runs(self._scope(node.path, facts, function, call.scope), traced))
        targets = [target for definition in found if (target := self.functions.node(definition))]
        if not targets and (name := dotted(traced)):
            targets = [n for n, _ in self._callees.nodes(node.path, facts, outermost, call.scope, name)]
        return [
            Edge(EdgeKind.CALLS, node, target, node.path, call.line, len(targets) == 1, TRACED) for target in targets
        ]

    def _imported_by_name(self, node: Node, function: Definition, call: f.Call) -> list[Edge]:
        """`ext.f(x)` where the function binds `ext = importlib.import_module("ext")`, or another does for all."""
        receiver, _, name = call.name.rpartition(".")
        if not receiver.isidentifier() or not isinstance(function.node, FunctionDef):
            return []
        source = self._modules.module(node.path)
        if source is None or not any(how in source.text.data for how in _IMPORTING):
            return []
        module = self._receivers.module_named(function.node, receiver)
        if not module and b"global " in source.text.data:
            others = [scope.node for scope in source.functions() if isinstance(scope.node, FunctionDef)]
            module = self._receivers.module_named(function.node, receiver, others)
        exported = self._exports(f"{module}.{name}") if module else None
        return [Edge(EdgeKind.CALLS, node, exported, node.path, call.line)] if exported else []

    def _of_native_object(self, node: Node, function: Definition, call: f.Call) -> list[Edge]:
        """`x.method()` of an object that C++ made."""
        written = self._written(function, call)
        if written is None or not isinstance(written.func, Attribute):
            return []
        found = self._objects.method(function, written.func.value, written.func.attr)
        return [Edge(EdgeKind.CALLS, node, target, node.path, call.line, len(found) == 1) for target in found]

    def _written(self, function: Definition, call: f.Call) -> Call | None:
        """The call as it stands in the function."""
        if not isinstance(function.node, FunctionDef):
            return None
        if self._called[0] is not function.node:
            self._called = (function.node, calls_in(function.node))
        return self._called[1].get((call.start, call.name.rpartition(".")[2]))

    def _scope(self, path: str, facts: f.FileFacts, function: Definition, scope: int) -> Scope:
        inner = (self.functions.definition_of(path, facts, index) for index in scopes(facts, scope))
        around = [found.node for found in inner if found is not None and isinstance(found.node, FunctionDef)]
        return Scope(path, tuple(around[::-1]), function.owner)

    # -- receivers that are not known --------------------------------------------------------------------------

    def _by_name(self, node: Node, facts: f.FileFacts, outermost: int, call: f.Call) -> Iterator[Edge]:
        """`x.method()` of a receiver that is not known: the few methods that have this name, the nearest of many."""
        receiver, _, method = call.name.rpartition(".")
        if not receiver or TENSOR_METHODS.match(method) or method.startswith("__"):
            return
        if self._callees.external(node.path, facts, outermost, call.scope, call.name):
            return
        for match in _nearest(self._index.table.named(method, MAX_METHODS), node.path, method):
            target = self._method(match, method)
            if target is not None and target != node:
                yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, False, BY_NAME)

    def _by_text(self, node: Node, function: Definition, call: f.Call, targets: list[Node]) -> Iterator[Edge]:
        """What a call runs that names a method by a text: the methods of that name, where these are few."""
        module = self._modules.module(node.path)
        end = call.start + len(call.name.encode())
        if module is None or not _GIVEN_TEXT.match(module.text.data, end):
            return
        written = self._written(function, call)
        name = self._named.name_in(written, self._definitions(targets)) if written is not None else None
        if name is None or "_" not in name.strip("_"):
            return
        matches = [m for m in self._index.table.named(name, MAX_METHODS) if not is_test(m.path) or is_test(node.path)]
        found = [target for match in matches if (target := self._method(match, name)) is not None]
        own = self._receivers.overriding(function.owner, name) if function.owner is not None else ()
        family = {node.name.rpartition(".")[0], *(o.owner.name for o in own if o.owner is not None)}
        found = [target for target in found if target.name.rpartition(".")[0] not in family]
        for target in found if len(found) <= MAX_ELEMENTS else ():
            yield Edge(EdgeKind.CALLS, node, target, node.path, call.line, False, BY_TEXT)

    def _definitions(self, nodes: list[Node]) -> Iterator[Definition]:
        for target in nodes:
            facts = self._index.facts(target.path) if target.kind is NodeKind.FUNCTION else None
            own = own_scopes(facts, target.start) if facts is not None else ()
            if facts is not None and own and (found := self.functions.definition_of(target.path, facts, min(own))):
                yield found

    def _method(self, match: Match, name: str) -> Node | None:
        """The method that a match is of, inside a class."""
        facts = self._index.facts(match.path)
        for definition in facts.defs if facts is not None else ():
            if facts is None or definition.scope == f.TOP:
                continue
            if definition.name == name and definition.line == match.name.line:
                full = f"{facts.defs[definition.scope].name}.{name}"
                return Node(NodeKind.FUNCTION, full, match.path, definition.name_start, definition.line, "Python")
        return None

    def _by_decorator(self, node: Node, function: Definition) -> Iterator[Edge]:
        """A decorated `__call__` that launches nothing itself, in a class that holds a kernel."""
        if function.owner is None or not isinstance(function.node, FunctionDef) or function.name != "__call__":
            return
        if function.node.decorator_list:
            for kernel in self.functions.held_kernels(function.owner):
                yield Edge(EdgeKind.CALLS, node, kernel, node.path, node.line, False, BY_DECORATOR)

    # -- launches -------------------------------------------------------------------------------------------

    def _launch(self, node: Node, facts: f.FileFacts, outermost: int, launch: f.Launch) -> Iterator[Edge]:
        targets = list(self._callees.nodes(node.path, facts, outermost, launch.scope, launch.kernel))
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


def _nearest(matches: list[Match], path: str, name: str) -> list[Match]:
    """All methods where they are few; of many, those in the same file, else in the same folder when these are few.

    What stands in tests is called by tests only. A name of one word, such as `reduce`, is anybody's far away; a
    private one is the business of its file.
    """
    methods = [match for match in matches if match.name.kind is f.DefKind.METHOD]
    if not is_test(path):
        methods = [match for match in methods if not is_test(match.path)]
    folder = os.path.dirname(path)
    own = [match for match in methods if match.path == path]
    if own and name.startswith("_"):
        methods = own
    for near in (
        methods if "_" in name.strip("_") else [],
        own,
        [match for match in methods if os.path.dirname(match.path) == folder],
    ):
        if 0 < len(near) <= MAX_ELEMENTS:
            return near
    return []


def _is_config(cls: ClassDef) -> bool:
    """A class of annotated fields: at least two, and more of them than methods."""
    fields = sum(isinstance(node, AnnAssign) for node in cls.body)
    methods = sum(isinstance(node, FunctionDef) for node in cls.body)
    return fields >= 2 and fields > methods
