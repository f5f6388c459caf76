"""Definition, references and call hierarchy across Python, C++ and CUDA, as one program.

Puts together what names mean (`meanings`, `cpp_definitions`), what the graph knows (`call_hierarchy`) and where that
stands (`places`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope.graph.cpp_definitions import CppDefinitions
from kernelscope.graph.cursor import Cursor, cursor_at
from kernelscope.graph.kinds import operator
from kernelscope.graph.meanings import Meanings, is_definition, tells_all
from kernelscope.graph.paths import kernels_near
from kernelscope.graph.places import Places, unique
from kernelscope.graph.receivers import is_abstract
from kernelscope.graph.references import References
from kernelscope.results import Call, LeftOut, Location
from kernelscope.syntax.python.tree import Alias, Assign, Attribute, ClassDef, FunctionDef, ImportFrom, Name, Param
from kernelscope.syntax.text import start_of_line
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import Definition, External, Resolved
from kernelscope.workspace.namespace import Imported
from kernelscope.workspace.packages import ModuleRef
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kernelscope.graph.operator_graph import OperatorGraph
    from kernelscope.graph.paths import Reached
    from kernelscope.graph.present_graph import PresentGraph

MAX_REMEMBERED = 5_000
MAX_METHODS = 4
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)")


class Navigation:
    """Answers for places in files. The graph is built when a question first needs it, and again when facts changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._places = Places(workspace)
        self._meanings = Meanings(workspace, self._places)
        self._cpp = CppDefinitions(workspace, self._places)
        self._references = References(workspace, self.definition)
        self._found: dict[tuple[object, ...], list[Location]] = {}
        self._found_state: object = None

    @cached_property
    def _present(self) -> PresentGraph:
        from kernelscope.graph.present_graph import PresentGraph

        return PresentGraph(self._workspace)

    def prepare(self, cache_dir: Path | None, cancelled: Callable[[], bool], waited_for: bool = False) -> None:
        """Have the links of a large workspace made by another process, unless they are kept; for the background."""
        self._present.prepare(cache_dir, cancelled, waited_for)

    def graph(self) -> OperatorGraph:
        """The operator graph of the present facts."""
        return self._present.graph()

    def ready_graph(self) -> OperatorGraph | None:
        """The graph, for those who do not wait for the links of the whole workspace."""
        is_ready = "_present" in vars(self) and self._present.is_ready
        return self.graph() if is_ready else None

    def kernels_near(self, place: Location) -> Reached | None:
        """What the function defined at a place soon leads to; None while the links are not up to date."""
        data, graph = self._workspace.files.read(str(place.path)), self.ready_graph()
        if isinstance(data, LeftOut) or graph is None:
            return None
        start = start_of_line(data, place.line) + place.column
        node = graph.at(str(place.path), start)
        return kernels_near(graph, node) if node is not None and node.start == start else None

    # -- definition -----------------------------------------------------------------------------------------

    def definition(self, path: str, offset: int, patient: bool = True) -> list[Location]:
        """Where the name under the cursor is defined; of an operator, the kernels it reaches, else its functions.

        Who is not `patient` does without what only the operator graph tells, while that is not ready.
        """
        if not path.endswith(PYTHON_SUFFIXES):
            word = self._cpp.word_at(path, offset)
            return self._cpp.definition(path, offset, word, self._graph_for(patient)) if word else []
        module = self._workspace.modules.module(path)
        cursor = cursor_at(module, offset) if module else None
        if cursor is None:
            return []
        if cursor.text is None or isinstance(cursor.node, (FunctionDef, ClassDef, Param, Alias)):
            return unique(self._locate(path, cursor, patient))
        state = (self._workspace.index.generation, self._workspace.index.stage, self._workspace.files.changes)
        if state != self._found_state or len(self._found) > MAX_REMEMBERED:
            self._found, self._found_state = {}, state
        around = (
            node.name_span.start for node in (cursor.owner, *cursor.functions) if node
        )  # no nodes: they hold trees
        name = (path, cursor.text, cursor.called, cursor.owner is None, *around)
        found = self._found.get(name)
        if found is None:
            found = unique(self._locate(path, cursor, patient))
            if patient or self.ready_graph() is not None:
                self._found[name] = found
        return found

    def means_operator(self, path: str, offset: int) -> bool:
        """Whether the name under the cursor is an operator's, of which only links between languages tell more."""
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        cursor = cursor_at(module, offset) if module else None
        meant = self._meanings.meant(path, cursor) if cursor is not None else ()
        return any(isinstance(found, External) and _OPERATOR.match(found.dotted) for found in meant)

    def means_definitions(self, path: str, cursor: Cursor) -> bool:
        """Whether a name means functions, classes and modules only, of which a value tells no more."""
        if cursor.text is None:
            return False
        meant = self._meanings.meanings(path, cursor)
        return bool(meant) and all(is_definition(found) for found in meant)

    def implementation(self, path: str, offset: int) -> list[Location]:
        """What runs where the name under the cursor is called: methods that override it, functions of an operator."""
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        cursor = cursor_at(module, offset) if module else None
        if cursor is None:
            return self.definition(path, offset)
        return unique(self._implementations(path, cursor)) or self.definition(path, offset)

    def _implementations(self, path: str, cursor: Cursor) -> Iterator[Location]:
        graph = self.graph()
        for found in self._meanings.meant(path, cursor):
            match found:
                case External(dotted=name) if match := _OPERATOR.match(name):
                    yield from map(self._places.node_place, graph.implementations(operator(match[1], match[2])))
                case Definition(node=FunctionDef() | ClassDef()):
                    if isinstance(found.node, FunctionDef) and not is_abstract(found.node):
                        yield from self._of(found, True)
                    for other in graph.stand_ins(found):
                        yield from self._of(other, True)
                case _:
                    pass

    def _locate(self, path: str, cursor: Cursor, patient: bool) -> Iterator[Location]:
        if isinstance(cursor.node, (FunctionDef, ClassDef, Param)):
            yield self._places.place(path, cursor.span)
            return
        if isinstance(cursor.node, ImportFrom):
            found = self._workspace.modules.follow(path, Imported(cursor.node.level, cursor.node.module, None))
            yield from self._of(found, patient)
            return
        if isinstance(cursor.node, Alias) and cursor.statement is not None:
            found = self._workspace.modules.imported(path, cursor.statement, cursor.node.bound)
            yield from self._of(found, patient)
            return
        meant = self._meanings.meant(path, cursor)
        if cursor.called and not any(map(tells_all, meant)) and (called := self._called(path, cursor, patient)):
            yield from called
            return
        is_variable = all(isinstance(found, Definition) and isinstance(found.node, Assign) for found in meant)
        if is_variable and (native := self._native(path, cursor, patient)):
            yield from native
            return
        for found in meant:
            yield from [found] if isinstance(found, Location) else self._of(found, patient)
        if not meant and cursor.text is None and isinstance(cursor.node, Attribute):
            yield from self._only_methods(cursor.node.attr)

    def _called(self, path: str, cursor: Cursor, patient: bool) -> list[Location]:
        """Where call paths say that a call leads, whose name by itself tells less."""
        match cursor.node:
            case Attribute(attr=name) | Name(id=name) if graph := self._graph_for(patient):
                called = graph.called_at(path, cursor.node.span.start, name)
                return [place for node in called for place in self._places.node_places(graph, node)]
            case _:
                return []

    def _native(self, path: str, cursor: Cursor, patient: bool) -> list[Location]:
        """The kernels that a member of a native module comes to, `lib.scale` where it is handed on; else what it is."""
        match cursor.node:
            case Attribute(value=Name(id=receiver), attr=name) if graph := self._graph_for(patient):
                function = cursor.functions[-1] if cursor.functions else None
                inside = Definition(path, function.name, function) if function is not None else None
                found = graph.members_of_native(path, inside, receiver, name)
                return [place for node in found for place in self._places.kernels_or_itself(graph, node)]
            case _:
                return []

    def _graph_for(self, patient: bool) -> OperatorGraph | None:
        return self.graph() if patient else self.ready_graph()

    def _only_methods(self, name: str) -> Iterator[Location]:
        """Of a receiver that is not known: the methods of this name, unless there are many."""
        for match in self._workspace.index.table.named(name, MAX_METHODS):
            if match.name.kind is not DefKind.METHOD:
                continue
            end = match.name.column + len(name.encode())
            yield Location(Path(match.path), match.name.line, match.name.column, match.name.line, end)

    def _of(self, found: Resolved, patient: bool) -> Iterator[Location]:
        match found:
            case Definition(node=(FunctionDef() | ClassDef()) as node):
                yield self._places.place(found.path, node.name_span)
            case Definition():
                yield self._places.place(found.path, found.node.span)
            case ModuleRef(path=str() as path):
                yield Location(Path(path), 1)
            case External(dotted=name) if match := _OPERATOR.match(name):
                if (graph := self._graph_for(patient)) is not None:
                    yield from self._places.operator_places(graph, operator(match[1], match[2]))
            case _:
                pass

    # -- references -----------------------------------------------------------------------------------------

    def references(self, path: str, offset: int) -> list[Location]:
        """Where the name under the cursor is used. In Python each place is resolved; in C++ the word counts."""
        word = self._cpp.word_at(path, offset)
        return self._references.of(word, path, offset) if word else []

    # -- call hierarchy -------------------------------------------------------------------------------------

    def incoming(self, path: str, offset: int) -> list[Call]:
        """Who calls, launches or binds the function or kernel under the cursor; places are in the caller."""
        from kernelscope.graph.call_hierarchy import incoming

        graph = self.graph()
        node = graph.at(path, offset)
        return incoming(graph, node, self._places) if node else []

    def outgoing(self, path: str, offset: int) -> list[Call]:
        """What the function under the cursor calls, launches or, through an operator, runs; places are in it."""
        from kernelscope.graph.call_hierarchy import outgoing

        graph = self.graph()
        node = graph.at(path, offset)
        return outgoing(graph, node, self._places) if node else []
