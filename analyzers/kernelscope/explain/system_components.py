"""What a serving system is made of, and which of it calls which: servers, processes, schedulers, caches, models.

Classes are those that the recognisers of serving tell something of; calls are those of the operator graph, through
functions that belong to none of them. What a call leads to at run time only is missing.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

from kernelscope.explain.channel_ends import Ends
from kernelscope.explain.registered_models import RegisteredModels
from kernelscope.explain.system_parts import (
    CACHE,
    DRIVER,
    EXECUTION,
    MODEL,
    PROCESS,
    SCHEDULING,
    SERVER,
    Call,
    Component,
    Parts,
)
from kernelscope.graph.kinds import EdgeKind, Node, NodeKind
from kernelscope.graph.module_tree import ModuleTrees
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.paths import MAX_ASKED_NODES, Reached, kernels_from
from kernelscope.results import Location
from kernelscope.serving.channels import TWO_WAY, owner_of
from kernelscope.serving.guards import own
from kernelscope.serving.processes import Started
from kernelscope.serving.system import System
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

ROLES = (("scheduling", SCHEDULING), ("batching", SCHEDULING), ("kv_cache", CACHE), ("prefix_cache", CACHE))
"""The sections of claims whose classes are components, with the part of the system that they belong to."""
MOST_CLASSES = 10
MOST_SERVERS = 3
MOST_RUNNERS = 4
LEAST_TOLD = 2
"""What is told of the execution in a class that runs models, at least."""
MOST_NOTES = 3
LONGEST_NOTE = 44
ASIDE = re.compile(r" \([^()]*\)")
MOST_DRIVERS = 3
MOST_AT_ENDS = 4
LEAST_ASKED = 3
"""Methods of a scheduler that is chosen at run time which its driver calls at least."""
MOST_SOUGHT = 60
"""Methods that are looked into for whether they call a scheduler."""
MOST_BETWEEN = 5
"""Calls between two components go through at most so many functions of neither."""
MOST_VISITED = 400
MOST_MODELS = 3
"""Where a call may lead to more models than this, they are one component."""


def parts_of(workspace: Workspace, graph: OperatorGraph, system: System) -> Parts:
    """The parts of a system."""
    return _Search(workspace, graph, system).parts()


class _Search:
    def __init__(self, workspace: Workspace, graph: OperatorGraph, system: System) -> None:
        self._workspace = workspace
        self._graph = graph
        self._system = system
        self._of_class: dict[tuple[str, str], Component] = {}
        self._of_function: dict[Node, Component] = {}
        self._passed: dict[Node, Component] = {}
        """Functions of no component, with the first one whose calls go through them."""
        self._served: dict[Path, Component] = {}
        """The files that declare routes, with the server that answers these."""
        self._lineages: dict[tuple[str, str], tuple[str, ...]] = {}

    def parts(self) -> Parts:
        classes = list(self._classes())
        found = [*self._servers(), *self._processes(), *self._drivers(classes), *classes, *self._runners()]
        calls: list[Call] = []
        models: dict[Component, None] = {}
        registered = RegisteredModels(self._workspace, self._graph, self._system)
        for component in found:
            calls += self._calls(component, models)
            held = list(registered.held_by(component)) if component.role not in (SERVER, PROCESS) else []
            models.update(dict.fromkeys(call.target for call in held))
            calls += held
        for component in self._at_ends(found):
            found.append(component)
            for source in (*(c for c in found if c.role == SERVER), component):
                calls += self._calls(source, models)
        models = self._outermost(models)
        calls = [call for call in calls if call.target.role != MODEL or call.target in models]
        runs = {call.source: replace(call.source, role=MODEL) for call in calls if _runs_a_model(call)}
        runs |= {call.target: replace(call.target, role=SCHEDULING) for call in calls if _schedules_by(call)}
        found = [runs.get(component, component) for component in found]
        calls = [replace(c, source=runs.get(c.source, c.source), target=runs.get(c.target, c.target)) for c in calls]
        self._of_class = {key: runs.get(component, component) for key, component in self._of_class.items()}
        reached: dict[Component, Reached] = {}
        for model in models:
            reached[model] = kernels_from(self._graph, model.functions[0], MAX_ASKED_NODES)
            calls += self._used_by(model, reached[model])
        calls += list(self._sent([*found, *models], calls))
        calls = list({(call.source, call.target, call.by): call for call in reversed(calls)}.values())[::-1]
        calls = _without_lone_runners(calls)
        joined = {end for call in calls for end in (call.source, call.target)}
        stands = {*joined, *(c for c in found if c.role == SERVER)}
        return Parts(tuple(c for c in (*found, *models) if c in stands), tuple(calls), reached)

    # -- components --------------------------------------------------------------------------------------

    def _servers(self) -> Iterator[Component]:
        """What answers the routes of each file; where these are many, all of them are one server."""
        routes = [route for route in self._system.routes if not self._system.is_aside(route.location.path)]
        paths = list(dict.fromkeys(route.location.path for route in routes))
        for several in [paths] if len(paths) > MOST_SERVERS else [[path] for path in paths]:
            here = [route for route in routes if route.location.path in several]
            handlers = (self._graph.named(str(route.location.path), route.handler) for route in here)
            functions = tuple(dict.fromkeys(node for node in handlers if node is not None))
            notes = _few(f"{route.method} {route.path}" for route in here)
            name = "API server" if len(several) == 1 else "API servers"
            where = f"{several[0].parent.name}/{several[0].name}" if len(several) == 1 else f"{len(several)} files"
            server = Component(name, SERVER, here[0].location, functions, (where, *notes))
            self._served |= dict.fromkeys(several, server)
            yield self._with_functions(server)

    def _processes(self) -> Iterator[Component]:
        """Functions that run in processes and threads of their own."""
        seen = set[Node]()
        for started in self._system.running:
            words = started.target.replace("(", " ").split()
            node = self._function(started, words[0]) if words else None
            if node is not None and node not in seen and "." not in node.name:
                seen.add(node)
                place = node.location or started.location
                yield self._with_functions(Component(node.name, PROCESS, place, (node,), (started.kind,)))

    def _function(self, started: Started, name: str) -> Node | None:
        """The function that a name stands for where something is started: of its file, or imported on the spot."""
        path, modules = str(started.location.path), self._workspace.modules
        module = modules.module(path)
        starts = [s.node for s in (module.functions() if module else ()) if s.qualified_name == started.where]
        imports = [n for node in starts for n in own(node) if isinstance(n, t.ImportFrom)]
        here = [modules.imported(path, n, name) for n in imports if any(a.bound == name for a in n.names)]
        match here[0] if here else modules.resolve(path, name):
            case Definition(path=where, name=called):
                return self._graph.named(where, called)
            case _:
                return None

    def _with_functions(self, component: Component) -> Component:
        self._of_function.update(dict.fromkeys(component.functions, component))
        return component

    def _classes(self) -> Iterator[Component]:
        """The classes that most is told of, each in the part of the system that most of it is about."""
        told: dict[tuple[str, str], Counter[str]] = {}
        notes: dict[tuple[str, str], dict[str, None]] = {}
        places: dict[tuple[str, str], Location] = {}
        for section, role in ROLES:
            for claim in self._system.about(f"serving.{section}"):
                owner, _, topic = claim.name.partition(" ")
                key = (str(claim.evidence[0].path), owner.partition(".")[0])
                place = places.get(key) or self._class_at(*key)
                if place is None:
                    continue
                places[key] = place
                told.setdefault(key, Counter())[role] += 1
                notes.setdefault(key, {}).setdefault(_told_shortly(topic, claim.value))
        ranked = sorted(told, key=lambda key: (-told[key].total(), *key))[:MOST_CLASSES]
        for key in sorted(ranked, key=lambda key: (places[key].path, places[key].line)):
            role = max((SCHEDULING, CACHE), key=lambda role: told[key][role])
            yield self._known(
                key, Component(key[1], role, places[key], tuple(self._methods(*key)), _few(filter(None, notes[key])))
            )

    def _runners(self) -> Iterator[Component]:
        """The classes that most is told of how models are executed: where graphs are captured and replayed."""
        told: dict[tuple[str, str], dict[str, None]] = {}
        counted: Counter[tuple[str, str]] = Counter()
        for claim in self._system.about("topology.execution"):
            owner, _, topic = claim.name.partition(" ")
            key = (str(claim.evidence[0].path), owner.partition(".")[0])
            if key not in self._of_class and "." in owner:
                counted[key] += 1
                told.setdefault(key, {}).setdefault(topic)
        ranked = sorted((key for key in counted if counted[key] >= LEAST_TOLD), key=lambda key: (-counted[key], *key))
        for key in ranked[:MOST_RUNNERS]:
            if (place := self._class_at(*key)) is not None:
                topics = [t for t in told[key] if not any(t.startswith(f"{other} ") for other in told[key])]
                yield self._known(key, Component(key[1], EXECUTION, place, tuple(self._methods(*key)), _few(topics)))

    def _drivers(self, classes: list[Component]) -> Iterator[Component]:
        """Classes that nothing is told of and that call those that schedule: engines that own a scheduler."""
        calling: dict[tuple[str, str], set[Node]] = {}
        perhaps: dict[tuple[str, str], set[Node]] = {}
        schedulers = [component for component in classes if component.role == SCHEDULING]
        asked = {node.name.rpartition(".")[2] for component in schedulers for node in component.functions}
        calls = [f".{name}(".encode() for name in sorted(asked) if not name.startswith("_")]
        sought = 0
        for path, data in self._mentioning(
            [name for c in schedulers for name in self._lineage(str(c.location.path), c.name)]
        ):
            facts = self._graph.facts(path)
            for index, definition in enumerate(facts.defs if facts is not None else ()):
                text = data[definition.start : definition.end]
                if facts is None or definition.kind is not DefKind.METHOD or not any(call in text for call in calls):
                    continue
                method = self._graph.function(path, facts, index)
                key = (path, method.name.partition(".")[0])
                if key in self._of_class or sought == MOST_SOUGHT:
                    continue
                sought += 1
                edges = [e for e in self._graph.out_edges(method) if not _is_making(e.target)]
                for edge in (e for e in edges if self._owner(e.target) in schedulers):
                    (calling if edge.certain else perhaps).setdefault(key, set()).add(edge.target)
        if not calling:  # the scheduler is chosen at run time: who may call several of its methods has one
            calling = {key: called for key, called in perhaps.items() if len(called) >= LEAST_ASKED}
        for key in sorted(calling, key=lambda key: (-len(calling[key]), *key))[:MOST_DRIVERS]:
            if (place := self._class_at(*key)) is not None:
                yield self._known(key, Component(key[1], DRIVER, place, tuple(self._methods(*key))))

    def _lineage(self, path: str, name: str) -> tuple[str, ...]:
        """The names of a class and of those that it derives from: an engine may know its scheduler by one of these."""
        known = self._lineages.get((path, name))
        if known is None:
            known = self._lineages[path, name] = self._lineage_of(path, name)
        return known

    def _lineage_of(self, path: str, name: str) -> tuple[str, ...]:
        cls = self._workspace.modules.resolve(path, name)
        bases = (
            self._workspace.classes.mro(cls) if isinstance(cls, Definition) and isinstance(cls.node, t.ClassDef) else ()
        )
        return (name, *(base.name for base in bases if isinstance(base, Definition) and base.name != name))

    def _mentioning(self, names: list[str]) -> Iterator[tuple[str, bytes]]:
        """The Python files outside tests that hold one of some names, central ones first."""
        words = [name.encode() for name in names]
        paths = [r.path for r in self._system.readings if not r.aside and r.path.suffix in PYTHON_SUFFIXES]
        for path in sorted(paths, key=lambda path: -self._system.weight(path)):
            data = self._workspace.files.read(str(path))
            if isinstance(data, bytes) and any(word in data for word in words):
                yield str(path), data

    def _outermost(self, models: dict[Component, None]) -> dict[Component, None]:
        """The models that are no part of another one of them."""
        trees = ModuleTrees(self._workspace.modules, self._workspace.classes, self._workspace.instances)
        found = {model: model_class(self._workspace, model.functions[0]) for model in models}
        inside: set[t.ClassDef] = set()
        todo = [part for cls in found.values() if cls is not None for part in trees.tree(cls).children]
        while todo:
            part = todo.pop()
            todo += part.children
            if part.definition is not None and isinstance(part.definition.node, t.ClassDef):
                inside.add(part.definition.node)
        return {model: None for model, cls in found.items() if cls is not None and cls.node not in inside}

    def _known(self, key: tuple[str, str], component: Component) -> Component:
        self._of_class[key] = component
        return component

    def _class_at(self, path: str, name: str) -> Location | None:
        facts = self._graph.facts(path) if path.endswith(PYTHON_SUFFIXES) else None
        found = (d for d in facts.defs if d.kind is DefKind.CLASS and d.name == name) if facts is not None else ()
        return next((Location(Path(path), d.line) for d in found), None)

    def _methods(self, path: str, name: str) -> Iterator[Node]:
        facts = self._graph.facts(path)
        for index, definition in enumerate(facts.defs if facts is not None else ()):
            if facts is not None and definition.kind in (DefKind.FUNCTION, DefKind.METHOD):
                node = self._graph.function(path, facts, index)
                if node.name.startswith(f"{name}."):
                    yield node

    def _at_ends(self, found: list[Component]) -> list[Component]:
        """Classes of which nothing is told and no call is seen, and that talk to a part over a socket."""
        ends = Ends(found, self._passed, self._served, self._lineage)
        apart: dict[tuple[str, str], None] = {}
        for link in (link for link in self._system.links if link.pattern):
            paths = (link.channel.location.path, link.evidence[min(1, len(link.evidence) - 1)].path)
            sides = [
                [(end, path) for end in side] for side, path in zip((link.senders, link.receivers), paths, strict=True)
            ]
            known = [{ends.component(*end) for end in side} - {None} for side in sides]
            for side, own_known, other in ((sides[0], known[0], known[1]), (sides[1], known[1], known[0])):
                apart.update({(str(path), owner_of(end)): None for end, path in side if other and not own_known})
        placed = [(key, place) for key in apart if (place := self._class_at(*key)) is not None]
        return [self._with_derived(key, place) for key, place in placed[:MOST_AT_ENDS]]

    def _with_derived(self, key: tuple[str, str], place: Location) -> Component:
        """A class with those of its file that derive from it: what is called is one of these."""
        path, name = key
        facts = self._graph.facts(path)
        classes = [d.name for d in facts.defs if d.kind is DefKind.CLASS] if facts is not None else []
        names = [other for other in classes if name in self._lineage(path, other)]
        methods = [method for other in names for method in self._methods(path, other)]
        component = Component(name, DRIVER, place, tuple(methods))
        self._of_class.update({(path, other): component for other in names if (path, other) not in self._of_class})
        return component

    # -- calls -------------------------------------------------------------------------------------------

    def _owner(self, node: Node) -> Component | None:
        owner = self._of_class.get((node.path, node.name.partition(".")[0])) if "." in node.name else None
        return owner or self._of_function.get(node)

    def _calls(self, source: Component, models: dict[Component, None]) -> Iterator[Call]:
        """The calls that leave a component, and the models among what they lead to."""
        queue = deque((node, 0) for node in source.functions)
        seen = set(source.functions)
        found: dict[Component, Call] = {}
        while queue and len(seen) < MOST_VISITED:
            node, depth = queue.popleft()
            for edge in self._graph.out_edges(node):
                target = edge.target
                if edge.kind is not EdgeKind.CALLS or target.kind is not NodeKind.FUNCTION or target in seen:
                    continue
                seen.add(target)
                owner = self._owner(target)
                place = edge.location or source.location
                by = target.name.rpartition(".")[2]
                if owner is not None:
                    if owner != source and not _is_making(target):
                        yield Call(source, owner, by, place, edge.certain)
                elif (model := self._model(target)) is not None:
                    found.setdefault(model, Call(source, model, by, place, edge.certain))
                elif depth < MOST_BETWEEN:
                    self._passed.setdefault(target, source)
                    queue.append((target, depth + 1))
        if len(found) > MOST_MODELS:
            first = next(iter(found.values()))
            several = replace(first.target, name=f"{first.target.name}, one of {len(found)}")
            found = {several: replace(first, target=several, is_certain=False)}
        models.update(dict.fromkeys(found))
        yield from found.values()

    def _model(self, node: Node) -> Component | None:
        """The module whose forward a function is."""
        name, _, method = node.name.rpartition(".")
        if not name or method not in ("forward", "__call__", "call"):
            return None
        cls = model_class(self._workspace, node)
        if cls is None or not self._workspace.classes.is_module(cls):
            return None
        return Component(name, MODEL, node.location or Location(Path(node.path), 0), (node,))

    def _used_by(self, model: Component, reached: Reached) -> Iterator[Call]:
        """The components that a model reaches."""
        for node, edge in reached.via.items():
            owner = self._owner(node) if node.kind is NodeKind.FUNCTION else None
            if owner is not None and edge.location is not None and owner is not self._owner(edge.source):
                yield Call(model, owner, node.name.rpartition(".")[2], edge.location, edge.certain)

    def _sent(self, components: list[Component], calls: list[Call]) -> Iterator[Call]:
        """What goes over channels between components; a side that only a name tells is no line."""
        ends = Ends(components, self._passed, self._served, self._lineage)
        places = {component: number for number, component in enumerate(_as_met(components, calls))}
        for link in (link for link in self._system.links if not link.is_by_name):
            label = " ".join(filter(None, (link.channel.transport, link.pattern.replace(" ", ""))))
            place = link.channel.location
            other = link.evidence[1].path if link.pattern and len(link.evidence) > 1 else place.path
            senders = {ends.component(end, place.path): None for end in link.senders}
            receivers = {ends.component(end, other): None for end in link.receivers}
            for source, target in product(senders, receivers):
                if source is None or target is None or source == target:
                    continue
                if link.channel.pattern in TWO_WAY:  # from the one that a request meets first
                    source, target = sorted((source, target), key=lambda end: places[end])
                    label = label.replace("→", "↔")
                yield Call(source, target, label, place)


def model_class(workspace: Workspace, forward: Node) -> Definition | None:
    """The class whose method a function of Python is."""
    module, name = workspace.modules.module(forward.path), forward.name.rpartition(".")[0]
    scopes = (scope for scope in (module.classes() if module is not None else ()) if scope.qualified_name == name)
    return next((Definition(forward.path, scope.node.name, scope.node) for scope in scopes), None)


def _as_met(components: list[Component], calls: list[Call]) -> list[Component]:
    """Components in the order in which calls lead a request from the servers to them; then those that none leads to."""
    met = dict.fromkeys(component for component in components if component.role == SERVER)
    queue = deque(met)
    while queue:
        source = queue.popleft()
        for target in (call.target for call in calls if call.source == source):
            if target not in met:
                met[target] = None
                queue.append(target)
    return [*met, *(component for component in components if component not in met)]


def _without_lone_runners(calls: list[Call]) -> list[Call]:
    """Calls without those of classes that run models and that nothing else leads to."""
    led_to: set[Component] = set()
    while True:
        found = {c.target for c in calls if c.source.role != EXECUTION or c.source in led_to} - led_to
        if not found:
            break
        led_to |= found
    return [c for c in calls if all(end.role != EXECUTION or end in led_to for end in (c.source, c.target))]


def _is_making(node: Node) -> bool:
    return node.name.endswith(".__init__")


def _runs_a_model(call: Call) -> bool:
    """Whether a class that caches are told of runs a model besides: it is where the model is executed."""
    return call.target.role == MODEL and call.source.role == CACHE


def _schedules_by(call: Call) -> bool:
    """Whether what drives a scheduler is driven by one itself: a part of it that nothing else is told of."""
    return call.target.role == DRIVER and call.source.role == SCHEDULING


def _told_shortly(topic: str, value: str) -> str:
    """`policy: FCFS`; the topic alone where what is told of it takes more words."""
    told = re.split("[:;]", ASIDE.sub("", value))[0].strip()
    if told in topic or not topic:
        return topic
    text = told if topic in told else f"{topic}: {told}"
    return text if len(text) <= LONGEST_NOTE else topic


def _few(texts: Iterable[str]) -> tuple[str, ...]:
    """The first of some notes that are short enough."""
    return tuple(dict.fromkeys(text for text in texts if len(text) <= LONGEST_NOTE))[:MOST_NOTES]
