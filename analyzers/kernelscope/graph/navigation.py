"""Definition, references and call hierarchy across Python, C++ and CUDA, as one program.

Names of Python resolve through the workspace's modules, operators and everything of C++ through the operator graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from kernelscope.graph.cursor import Cursor, cursor_at
from kernelscope.graph.kinds import LEAVES, Edge, Node, NodeKind
from kernelscope.graph.links import Links, links_state
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import Reached, kernels_from, kernels_near
from kernelscope.graph.receivers import is_abstract
from kernelscope.graph.registrations import operator
from kernelscope.results import Call, FoundSymbol, LeftOut, Location, Span, SymbolKind
from kernelscope.syntax.python.tree import (
    Alias,
    Assign,
    Attribute,
    ClassDef,
    FunctionDef,
    Import,
    ImportFrom,
    Name,
    Param,
    Stmt,
    walk,
)
from kernelscope.syntax.text import SourceText
from kernelscope.turns import Guard
from kernelscope.workspace.classes import nested
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import CUDA_SUFFIXES, PYTHON_SUFFIXES
from kernelscope.workspace.instances import Scope
from kernelscope.workspace.modules import Definition, External, Missing, Resolved
from kernelscope.workspace.namespace import Imported
from kernelscope.workspace.packages import ModuleRef
from kernelscope.workspace.workspace import Workspace

MAX_LOCATIONS = 500
MAX_REMEMBERED = 5_000
MAX_KERNELS = 8
MAX_METHODS = 4
MAX_MENTIONS = 6_000
"""Of a word, that are resolved to find what is used where: about 3 s."""
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_GIVEN = rb"(?m)^(?![ \t}]|return\b|extern\b)[\w:<>,*& \t]{1,99}\(?[ \t*&](%b)\b[^;(){}]{0,99}(?:\)\([^;{}]{0,99})?[={]"
_CPP_KINDS = (DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION, DefKind.STRUCT, DefKind.MACRO)


class Navigation:
    """Answers for places in files. The graph is built when a question first needs it, and again when facts changed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._links: Links | None = None
        self._links_state: object = None
        self._graph: OperatorGraph | None = None
        self._graph_state: object = None
        self._building = Guard()
        self._found: dict[tuple[object, ...], list[Location]] = {}
        self._found_state: object = None

    def graph(self) -> OperatorGraph:
        """The operator graph of the present facts."""
        files = self._workspace.files
        opened = tuple((path, files.version(path)) for path in files.open_paths())
        state = (self._workspace.index.generation, self._workspace.index.stage, opened)
        with self._building:
            if self._graph is None or self._graph_state != state:
                linked = links_state(self._workspace)
                if self._links is None or self._links_state != linked:
                    self._links, self._links_state = Links(self._workspace), linked
                self._graph, self._graph_state = OperatorGraph(self._workspace, self._links), state
            return self._graph

    def ready_graph(self) -> OperatorGraph | None:
        """The graph, for those who do not wait for the links of the whole workspace."""
        is_ready = self._links is not None and self._links_state == links_state(self._workspace)
        return self.graph() if is_ready else None

    def kernels_near(self, place: Location) -> Reached | None:
        """What the function defined at a place soon leads to; None while the links are not up to date."""
        data, graph = self._workspace.files.read(str(place.path)), self.ready_graph()
        if isinstance(data, LeftOut) or graph is None:
            return None
        start = SourceText(data).line_start(place.line) + place.column
        node = graph.at(str(place.path), start)
        return kernels_near(graph, node) if node is not None and node.start == start else None

    # -- definition -----------------------------------------------------------------------------------------

    def definition(self, path: str, offset: int, patient: bool = True) -> list[Location]:
        """Where the name under the cursor is defined; of an operator, the kernels it reaches, else its functions.

        Who is not `patient` does without what only the operator graph tells, while that is not ready.
        """
        if not path.endswith(PYTHON_SUFFIXES):
            return self._cpp_definition(path, offset, patient)
        module = self._workspace.modules.module(path)
        cursor = cursor_at(module, offset) if module else None
        if cursor is None:
            return []
        if cursor.text is None or isinstance(cursor.node, (FunctionDef, ClassDef, Param, Alias)):
            return self._unique(self._locate(path, cursor, patient))
        state = (self._workspace.index.generation, self._workspace.index.stage, self._workspace.files.changes)
        if state != self._found_state or len(self._found) > MAX_REMEMBERED:
            self._found, self._found_state = {}, state
        name = (path, cursor.text, cursor.called, cursor.owner, *cursor.functions)
        found = self._found.get(name)
        if found is None:
            found = self._unique(self._locate(path, cursor, patient))
            if patient or self.ready_graph() is not None:
                self._found[name] = found
        return found

    def means_definitions(self, path: str, cursor: Cursor) -> bool:
        """Whether a name means functions, classes and modules only, of which a value tells no more."""
        if cursor.text is None:
            return False
        meant = self.meanings(path, cursor)
        return bool(meant) and all(_is_definition(found) for found in meant)

    def implementation(self, path: str, offset: int) -> list[Location]:
        """What runs where the name under the cursor is called: methods that override it, functions of an operator."""
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        cursor = cursor_at(module, offset) if module else None
        if cursor is None:
            return self.definition(path, offset)
        return self._unique(self._implementations(path, cursor)) or self.definition(path, offset)

    def _implementations(self, path: str, cursor: Cursor) -> Iterator[Location]:
        graph = self.graph()
        for found in self._meant(path, cursor):
            match found:
                case External(dotted=name) if match := _OPERATOR.match(name):
                    yield from map(self._node_place, graph.implementations(operator(match[1], match[2])))
                case Definition(node=FunctionDef() | ClassDef()):
                    if isinstance(found.node, FunctionDef) and not is_abstract(found.node):
                        yield from self._of(found, True)
                    for other in graph.stand_ins(found):
                        yield from self._of(other, True)
                case _:
                    pass

    def _meant(self, path: str, cursor: Cursor) -> list[Resolved | Location]:
        """What the cursor means, a definition of itself."""
        owner = Definition(path, cursor.owner.name, cursor.owner) if cursor.owner is not None else None
        if isinstance(cursor.node, FunctionDef | ClassDef):
            is_method = owner is not None and not cursor.functions
            return [Definition(path, cursor.node.name, cursor.node, owner if is_method else None)]
        if cursor.text is not None:
            return self.meanings(path, cursor)
        return self._by_type(path, cursor, cursor.node) if isinstance(cursor.node, Attribute) else []

    def _locate(self, path: str, cursor: Cursor, patient: bool) -> Iterator[Location]:
        if isinstance(cursor.node, (FunctionDef, ClassDef, Param)):
            yield self._place(path, cursor.span)
            return
        if isinstance(cursor.node, ImportFrom):
            found = self._workspace.modules.follow(path, Imported(cursor.node.level, cursor.node.module, None))
            yield from self._of(found, patient)
            return
        if isinstance(cursor.node, Alias) and cursor.statement is not None:
            found = self._workspace.modules.imported(path, cursor.statement, cursor.node.bound)
            yield from self._of(found, patient)
            return
        meant = self._meant(path, cursor)
        if cursor.called and not any(map(_tells_all, meant)) and (called := self._called(path, cursor, patient)):
            yield from called
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
                return [place for node in called for place in self._node_places(graph, node)]
            case _:
                return []

    def _graph_for(self, patient: bool) -> OperatorGraph | None:
        return self.graph() if patient else self.ready_graph()

    def _node_places(self, graph: OperatorGraph, node: Node) -> Iterator[Location]:
        """Where to land for what is called: the kernels of an operator or export, else what it is bound to."""
        if node.kind in (NodeKind.OPERATOR, NodeKind.BINDING):
            yield from self._operator_places(graph, node)
        elif node.kind in (NodeKind.FUNCTION, NodeKind.KERNEL):
            yield self._node_place(node)

    def _only_methods(self, name: str) -> Iterator[Location]:
        """Of a receiver that is not known: the methods of this name, unless there are many."""
        for match in self._workspace.index.table.named(name, MAX_METHODS):
            if match.name.kind is not DefKind.METHOD:
                continue
            end = match.name.column + len(name.encode())
            yield Location(Path(match.path), match.name.line, match.name.column, match.name.line, end)

    def meanings(self, path: str, cursor: Cursor) -> list[Resolved | Location]:
        """What a dotted name means at the cursor: a local binding, an attribute of `self`, or a global name."""
        assert cursor.text is not None
        first, _, rest = cursor.text.partition(".")
        modules, classes = self._workspace.modules, self._workspace.classes
        if cursor.owner is not None and first == "super()":
            owner = Definition(path, cursor.owner.name, cursor.owner)
            return [classes.super_attribute(owner, owner, rest)]
        if cursor.owner is not None and rest and cursor.functions and _receiver(cursor.functions[0]) == first:
            owner = Definition(path, cursor.owner.name, cursor.owner)
            name, _, rest = rest.partition(".")
            attribute = classes.attribute(owner, name)
            if isinstance(attribute, Definition) and not rest:
                return [attribute]
            stored = classes.stored(owner, name)
            if not rest:
                return [self._place(s.method.path, s.statement.span) for s in stored] or [attribute]
            if isinstance(cursor.node, Attribute) and (typed := self._by_type(path, cursor, cursor.node)):
                return typed
            parts = [
                found
                for s in stored
                for node in walk(s.statement)
                if isinstance(node, Name) and (found := modules.definition(s.method.path, node.id))
                if isinstance(found.node, ClassDef)
            ]
            return [classes.attribute(part, rest) for part in parts[:MAX_KERNELS]]
        for function in reversed(cursor.functions):
            if local := _local(function, first):
                if isinstance(local, (Import, ImportFrom)):
                    found = modules.imported(path, local, first)
                    return [self._below(found, rest)]
                if not rest:
                    return [self._place(path, local)]
                return self._by_type(path, cursor, cursor.node) if isinstance(cursor.node, Attribute) else []
        meant: list[Resolved | Location] = [self._below(result, rest) for result in modules.resolve_all(path, first)]
        if rest and isinstance(cursor.node, Attribute) and all(isinstance(m, (Missing, Definition)) for m in meant):
            return self._by_type(path, cursor, cursor.node) or meant
        return meant

    def _by_type(self, path: str, cursor: Cursor, attribute: Attribute) -> list[Resolved | Location]:
        """An attribute of a value whose class is declared or told by what builds it."""
        classes = self._workspace.classes
        owner = Definition(path, cursor.owner.name, cursor.owner) if cursor.owner is not None else None
        found: list[Resolved | Location] = []
        for kind in self._workspace.instances.types(Scope(path, cursor.functions, owner), attribute.value):
            if kind.cls is None:
                continue
            own = classes.attribute(kind.cls, attribute.attr)
            stored = () if isinstance(own, Definition) else classes.stored(kind.cls, attribute.attr)
            found += [self._place(s.method.path, s.statement.span) for s in stored] or [own]
        return found

    def _below(self, found: Resolved, rest: str) -> Resolved:
        """Attributes of a resolved name, through modules, classes and plain aliases."""
        modules, classes = self._workspace.modules, self._workspace.classes
        while rest:
            first, _, following = rest.partition(".")
            match found:
                case External(dotted=name):
                    return External(f"{name}.{rest}")
                case ModuleRef():
                    found = modules.in_module(found, first)
                case Definition(node=ClassDef()):
                    found = classes.attribute(found, first)
                case Definition(node=Assign()):
                    alias = modules.alias_target(found)
                    if alias is None:
                        return found
                    found = alias
                    continue
                case _:
                    return found
            rest = following
        return found

    def _of(self, found: Resolved, patient: bool) -> Iterator[Location]:
        match found:
            case Definition(node=(FunctionDef() | ClassDef()) as node):
                yield self._place(found.path, node.name_span)
            case Definition():
                yield self._place(found.path, found.node.span)
            case ModuleRef(path=str() as path):
                yield Location(Path(path), 1)
            case External(dotted=name) if match := _OPERATOR.match(name):
                graph = self._graph_for(patient)
                yield from self._operator_places(graph, operator(match[1], match[2])) if graph is not None else ()
            case _:
                pass

    def _operator_places(self, graph: OperatorGraph, op: Node) -> Iterator[Location]:
        """The kernels that an operator reaches, else its implementations, else its registrations."""
        reached = kernels_from(graph, op)
        for kinds in (NodeKind.KERNEL, NodeKind.FUNCTION, NodeKind.BINDING):
            found = [node for node in reached.via if node.kind is kinds and node.detail != "device"]
            if found:
                yield from (self._node_place(node) for node in found[:MAX_KERNELS])
                return

    def _cpp_definition(self, path: str, offset: int, patient: bool) -> list[Location]:
        """Definitions of the word under the cursor: what is called here, those in this file, else the nearest ones."""
        word = self._word_at(path, offset)
        if not word:
            return []
        if called := self._cpp_called(path, offset, word, patient):
            return called
        facts = self._workspace.index.facts(path)
        own = [d for d in facts.defs if d.name == word] if facts else []
        if own:
            return [self._place(path, Span(d.name_start, d.name_start + len(word.encode()))) for d in own]
        matches = [m for m in self._workspace.index.table.named(word, MAX_LOCATIONS) if m.name.kind in _CPP_KINDS]
        folder = str(Path(path).parent)
        near = [m for m in matches if str(Path(m.path).parent) == folder] or matches
        return [
            Location(Path(m.path), m.name.line, m.name.column, m.name.line, m.name.column + len(word.encode()))
            for m in near[:MAX_LOCATIONS]
        ] or self._cpp_variable(path, word)

    def _cpp_called(self, path: str, offset: int, word: str, patient: bool) -> list[Location]:
        """Where call paths say that what is called or launched under this name leads."""
        graph = self._graph_for(patient)
        node = graph.at(path, offset) if graph is not None else None
        data = self._workspace.files.read(path)
        if graph is None or node is None or isinstance(data, LeftOut) or node.start <= offset <= node.start + len(word):
            return []
        line = SourceText(data).line_of(offset)
        targets = [edge.target for edge in graph.out_edges(node) if edge.line == line]
        targets += [edge.target for to in targets if to.kind is NodeKind.LAUNCH for edge in graph.out_edges(to)]
        named = [target for target in targets if target.name.rpartition("::")[2] == word]
        return self._unique(place for target in named for place in self._node_places(graph, target))

    def _cpp_variable(self, path: str, word: str) -> list[Location]:
        """Where a variable of the top level, such as a table of kernels, is given its value, also in files beside."""
        given = re.compile(_GIVEN % word.encode())
        beside = self._workspace.files.beside(str(Path(path).parent), CUDA_SUFFIXES)
        for file in dict.fromkeys((path, *beside)):
            data = self._workspace.files.read(file)
            if not isinstance(data, LeftOut) and word.encode() in data and (found := given.search(data)):
                return [self._place(file, Span(*found.span(1)))]
        return []

    def _word_at(self, path: str, offset: int) -> str:
        data = self._workspace.files.read(path)
        if isinstance(data, LeftOut) or not 0 <= offset <= len(data):
            return ""
        start = max(data.rfind(b"\n", 0, offset) + 1, offset - 500)
        for match in _WORD.finditer(data, start, min(len(data), offset + 500)):
            if match.start() <= offset <= match.end():
                return match[0].decode()
            if match.start() > offset:
                break
        return ""

    # -- references -----------------------------------------------------------------------------------------

    def references(self, path: str, offset: int) -> list[Location]:
        """Where the name under the cursor is used. In Python each place is resolved; in C++ the word counts."""
        word = self._word_at(path, offset)
        if not word:
            return []
        wanted = set(self.definition(path, offset))
        found: list[Location] = []
        mentions = 0
        for file, data in self._mentioning(word, path):
            if mentions >= MAX_MENTIONS or len(found) >= MAX_LOCATIONS:
                break
            mentions += data.count(word.encode())
            found.extend(self._references_in(file, data, word, wanted, path))
        return self._unique(found)[:MAX_LOCATIONS]

    def _mentioning(self, word: str, path: str) -> Iterator[tuple[str, bytes]]:
        """Files that hold the word, with their text, the asking one first."""
        needle = word.encode()
        others = [other for other in self._workspace.index.paths() if other != path]
        for other in (path, *others):
            data = self._workspace.files.read(other)
            if not isinstance(data, LeftOut) and needle in data:
                yield other, data

    def _references_in(
        self, file: str, data: bytes, word: str, wanted: set[Location], asked: str
    ) -> Iterator[Location]:
        text = SourceText(data)
        for match in re.finditer(rb"\b%b\b" % re.escape(word.encode()), data):
            place = text.location(Path(file), Span(match.start(), match.end()))
            if file.endswith(PYTHON_SUFFIXES):
                if place in wanted or wanted & set(self.definition(file, match.start())):
                    yield place
            elif not asked.endswith(PYTHON_SUFFIXES):
                yield place

    # -- call hierarchy -------------------------------------------------------------------------------------

    def incoming(self, path: str, offset: int) -> list[Call]:
        """Who calls, launches or binds the function or kernel under the cursor; places are in the caller."""
        graph = self.graph()
        node = graph.at(path, offset)
        return self._calls(node, graph.in_edges, inward=True) if node else []

    def outgoing(self, path: str, offset: int) -> list[Call]:
        """What the function under the cursor calls, launches or, through an operator, runs; places are in it."""
        graph = self.graph()
        node = graph.at(path, offset)
        return self._calls(node, graph.out_edges, inward=False) if node else []

    def _calls(self, node: Node, edges: Callable[[Node], list[Edge]], inward: bool) -> list[Call]:
        """Neighbours that are functions or kernels; launches, operators and bindings between are passed through."""
        sites: dict[Node, list[Location]] = {}
        seen: set[Node] = {node}
        todo: list[tuple[Node, Location | None]] = [(node, None)]
        while todo and len(seen) < MAX_LOCATIONS:
            current, first_site = todo.pop()
            for edge in edges(current):
                following = edge.source if inward else edge.target
                site = edge.location if inward else first_site or edge.location
                if following.kind in (NodeKind.FUNCTION, NodeKind.KERNEL):
                    if site is not None:
                        sites.setdefault(following, []).append(site)
                elif following not in seen and following.kind not in LEAVES:
                    seen.add(following)
                    todo.append((following, site))
        return [Call(self.symbol(found), tuple(dict.fromkeys(places))) for found, places in sites.items()]

    def symbol(self, node: Node) -> FoundSymbol:
        """A node as a symbol with the place of its name."""
        kind = SymbolKind.KERNEL if node.kind is NodeKind.KERNEL else SymbolKind.FUNCTION
        container, _, name = node.name.rpartition(".")
        if container:
            kind = SymbolKind.METHOD
        return FoundSymbol(name, kind, self._node_place(node), container)

    # -- places ---------------------------------------------------------------------------------------------

    def _node_place(self, node: Node) -> Location:
        tail = re.split(r"\.|::", node.name)[-1]
        if node.kind is NodeKind.BINDING or node.start < 0:
            return Location(Path(node.path), node.line)
        return self._place(node.path, Span(node.start, node.start + len(tail.encode())))

    def _place(self, path: str, span: Span) -> Location:
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        if module is not None:
            return module.text.location(Path(path), span)
        data = self._workspace.files.read(path)
        return SourceText(b"" if isinstance(data, LeftOut) else data).location(Path(path), span)

    def _unique(self, places: Iterator[Location] | list[Location]) -> list[Location]:
        return list(dict.fromkeys(places))


def _tells_all(found: Resolved | Location) -> bool:
    """Whether a called name is a variable, function or class of the source, of which the graph would tell no more."""
    return isinstance(found, Location) or (
        isinstance(found, Definition) and isinstance(found.node, (FunctionDef, ClassDef))
    )


def _is_definition(found: Resolved | Location) -> bool:
    match found:
        case Definition(node=FunctionDef() as node):
            return not node.decorator_list  # a property has a value
        case Definition(node=ClassDef()) | ModuleRef() | External():
            return True
        case _:
            return False


def _receiver(function: FunctionDef) -> str | None:
    return function.args[0].name if function.args else None


def _local(function: FunctionDef, name: str) -> Span | Import | ImportFrom | None:
    """The first statement of a function that binds the name: a parameter, an assignment, a loop, a definition."""
    for param in function.args:
        if param.name == name:
            return param.name_span
    found: Span | Import | ImportFrom | None = None
    for statement in _own(function.body):
        if isinstance(statement, (Import, ImportFrom)):
            if any(alias.bound == name for alias in statement.names):
                return statement
        elif isinstance(statement, (FunctionDef, ClassDef)):
            if statement.name == name:
                return statement.name_span
        else:
            for target in _targets(statement):
                if target.id == name:
                    return target.span
    return found


def _own(body: list[Stmt]) -> Iterator[Stmt]:
    """All statements of a function, without entering nested definitions."""
    todo = list(reversed(body))
    while todo:
        statement = todo.pop()
        yield statement
        if not isinstance(statement, (FunctionDef, ClassDef)):
            todo.extend(reversed(nested(statement)))


def _targets(statement: Stmt) -> Iterator[Name]:
    """Names that a statement binds."""
    targets = [*getattr(statement, "targets", []), getattr(statement, "target", None)]
    targets += [item.optional_vars for item in getattr(statement, "items", [])]
    for target in targets:
        if target is not None:
            yield from (node for node in walk(target) if isinstance(node, Name))
