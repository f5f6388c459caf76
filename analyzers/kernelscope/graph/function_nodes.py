"""Python functions as nodes: plain ones, and kernels by the language that a decorator or a use of theirs tells.

Finds the definition behind the facts of a file; knows nothing of calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kernelscope.graph.kernel_languages import kernel_language
from kernelscope.graph.kinds import Node, NodeKind
from kernelscope.syntax.of_nodes import kept_of_nodes
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.python.tree import ClassDef, FunctionDef, Name, Return, Stmt
from kernelscope.workspace import facts as f
from kernelscope.workspace.classes import Classes, nested
from kernelscope.workspace.index import Index
from kernelscope.workspace.modules import Definition, Modules

PALLAS = "pallas_call"
KEPT = 32
"""Bodies whose definitions are known: one function is asked about again and again."""
RUNS = ("forward", "__call__")
"""What calling an instance runs, the first that its class has."""
_WRAPPED = re.compile(r"\s*[\w.]*partial\(\s*([A-Za-z_][\w.]*)")


class FunctionNodes:
    """Nodes of functions, methods and of what classes run."""

    def __init__(self, modules: Modules, classes: Classes, index: Index) -> None:
        self._modules = modules
        self._classes = classes
        self._index = index

    def node(self, definition: Definition) -> Node | None:
        """The node of a function or method; kernels are functions under a `jit` decorator."""
        function = definition.node
        if not isinstance(function, FunctionDef):
            return None
        language = kernel_language(function, self._modules, definition.path)
        if language is None and function.name in self._pallas_kernels(definition.path):
            language = "Pallas"
        kind = NodeKind.FUNCTION if language is None else NodeKind.KERNEL
        start = function.name_span.start
        line = self.line(definition.path, start)
        return Node(kind, definition.qualified, definition.path, start, line, language or "Python")

    def named(self, path: str, name: str) -> Node | None:
        """The node of the function that a name of the file's top level means."""
        if name.startswith("self."):
            return None
        definition = self._modules.definition(path, name)
        if definition is None:
            return None
        return self.constructor(definition) if isinstance(definition.node, ClassDef) else self.node(definition)

    def constructor(self, cls: Definition) -> Node | None:
        """Constructing a class runs its `__init__`."""
        init = self._classes.attribute(cls, "__init__")
        return self.node(init) if isinstance(init, Definition) else None

    def run_by(self, cls: Definition) -> Definition | None:
        """What calling an instance runs: `forward`, else `__call__`."""
        for name in RUNS:
            found = self._classes.attribute(cls, name)
            if isinstance(found, Definition) and isinstance(found.node, FunctionDef):
                return found
        return None

    def held_kernels(self, cls: Definition) -> Iterator[Node]:
        """Kernels that stand in a class as its methods, or that a method does nothing but return."""
        for statement in cls.node.body if isinstance(cls.node, ClassDef) else ():
            if not isinstance(statement, FunctionDef):
                continue
            node = self.node(Definition(cls.path, statement.name, statement, cls))
            if node is not None and node.kind is NodeKind.KERNEL:
                yield node
            match statement.body:
                case [*_, Return(value=Name(id=name))]:
                    found = self.named(cls.path, name)
                    if found is not None and found.kind is NodeKind.KERNEL:
                        yield found
                case _:
                    pass

    # -- from facts to definitions -----------------------------------------------------------------------------

    def class_around(self, path: str, facts: f.FileFacts, scope: int) -> Definition | None:
        """The innermost class around a scope."""
        for index in scopes(facts, scope):
            if facts.defs[index].kind is f.DefKind.CLASS:
                return self.definition_of(path, facts, index)
        return None

    def definition_of(self, path: str, facts: f.FileFacts, index: int) -> Definition | None:
        """The lowered definition of a fact, found by going down from the top level."""
        chain = [facts.defs[i] for i in scopes(facts, index)][::-1]
        module = self._modules.module(path)
        around: Module | FunctionDef | ClassDef | None = module
        found: Definition | None = None
        for fact in chain:
            node = _definitions_in(around).get(fact.name_start) if around is not None else None
            if node is None:
                return None
            owner = found if found and isinstance(found.node, ClassDef) else None
            found = Definition(path, node.name, node, owner)
            around = node
        return found

    def line(self, path: str, offset: int) -> int:
        """The line of an offset in a file; 0 when it cannot be read."""
        module = self._modules.module(path)
        return module.text.line_of(offset) if module else 0

    def _pallas_kernels(self, path: str) -> set[str]:
        """Functions that a file hands to `pallas_call`."""
        module = self._modules.module(path)
        if module is None or PALLAS.encode() not in module.text.data:
            return set()
        facts = self._index.facts(path)
        calls = facts.calls if facts else ()
        return {
            innermost_name(next((text for key, text in call.args if not key), ""))
            for call in calls
            if call.args and call.name.rpartition(".")[2] == PALLAS
        }


def innermost_name(text: str) -> str:
    """The function in `kernel`, `partial(kernel, n=2)` or `functools.partial(kernel, n=2)`."""
    found = _WRAPPED.match(text)
    return found[1] if found else text.strip()


def scopes(facts: f.FileFacts, scope: int) -> Iterator[int]:
    """A scope and those around it, innermost first."""
    while scope != f.TOP:
        yield scope
        scope = facts.defs[scope].scope


def named_around(facts: f.FileFacts, scope: int, name: str) -> Iterator[int]:
    """The functions and classes of a name that stand in the functions around a scope."""
    around = {index for index in scopes(facts, scope) if facts.defs[index].kind is not f.DefKind.CLASS}
    for index, definition in enumerate(facts.defs):
        is_named = definition.name == name and definition.kind in (f.DefKind.FUNCTION, f.DefKind.CLASS)
        if is_named and definition.scope in around:
            yield index


def own_scopes(facts: f.FileFacts, name_start: int) -> set[int]:
    """A function's index and those of what is defined in it; macros stand anywhere."""
    own: set[int] = set()
    for index, definition in enumerate(facts.defs):
        is_within = definition.scope in own and definition.kind is not f.DefKind.MACRO
        if definition.name_start == name_start or is_within:
            own.add(index)
    return own


@kept_of_nodes(KEPT)
def _definitions_in(around: Module | FunctionDef | ClassDef) -> dict[int, FunctionDef | ClassDef]:
    """Functions and classes of a body by where their names begin, without lowering their own bodies.

    Those in its branches and loops are among them.
    """
    found: dict[int, FunctionDef | ClassDef] = {}
    todo: list[Stmt] = around.body[::-1]
    while todo:
        statement = todo.pop()
        if isinstance(statement, (FunctionDef, ClassDef)):
            found.setdefault(statement.name_span.start, statement)
        else:
            todo += nested(statement)[::-1]
    return found
