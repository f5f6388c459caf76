"""Callers in other files of what nothing in its own file calls: the models there that contain it, or examples shown.

What one function is told depends on nothing that was asked before: each has files and steps of its own, and what a
function of another file calls is found once, whoever asks for it first.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from kernelscope.dims import dim
from kernelscope.interp.attempts import attempt
from kernelscope.interp.contexts import Context, Contexts
from kernelscope.interp.examples import example_in
from kernelscope.interp.handed_parts import is_handed_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.order import ENTRIES, FileOrder
from kernelscope.interp.seeds import Beliefs
from kernelscope.interp.values import Instance
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope
from kernelscope.workspace.modules import Definition

MAX_FILES = 2
"""Calling files that are looked at for one function."""
MAX_SITES = 12
MAX_LEVELS = 3
"""How far those are away who know what they give: who calls, who calls those, and so on, each in a file of its own."""
FAR = 4
"""How much further the second caller is looked at: what is alike in one call only need not be so in others."""
STEPS, FEWEST_STEPS = 60_000, 4_000
"""How far callers in other files are followed for one function: the functions of a file that others may call share
the first, each has the second at least, and what was begun is followed to its end."""


@dataclass(frozen=True, slots=True)
class _Followed:
    """One function of another file: the calls of functions of this one that it makes, and the steps that it took."""

    contexts: Contexts
    steps: int


class Elsewhere:
    """What other files give to the functions of one."""

    def __init__(self, run: Interpreter, path: str, file: FileOrder) -> None:
        self.run = run
        self.path = path
        self.built = file.built
        """The classes of which something in this file makes objects."""
        asking = sum(self.may_tell(scope) for scope in file.functions if file.computes(scope))
        self._most = max(FEWEST_STEPS, STEPS // max(2, asking))
        self.taken = 0
        """Steps in other files so far, for which the functions of this one do not pay."""
        self._calls: dict[t.Stmt, dict[str, set[t.Stmt]]] = {}
        self._files: dict[str, FileOrder | None] = {}
        self._followed: dict[tuple[t.Stmt, bool], _Followed] = {}
        self._calls_built = False

    def may_tell(self, scope: Scope) -> bool:
        """Whether other files may call a function, or an object of its class."""
        return self._definition(scope) is not None

    def tell(self, scope: Scope, is_blank: bool = False) -> None:
        """Note the calls of a function, or of an object of its class, that other files make; where none tells anything,
        those that documentation shows. If nothing is known of it, models that functions there build are called."""
        definition = self._definition(scope)
        assert definition is not None and isinstance(scope.node, t.FunctionDef)
        self._calls_built = is_blank
        self._tell(scope, definition)
        self._calls_built = False
        module = self.run.workspace.modules.module(self.path)
        if module is None or any(call.tells_ranks for call in self.run.contexts.of(scope.node)):
            return
        several = self.run.uses(scope.node).asked
        for node in dict.fromkeys((scope.owner or scope.node, scope.node)):
            if (example := example_in(module, node)) is not None:
                shown = self._follow(self.path, example, node).contexts
                self.run.contexts.take(scope.node, shown.without(several))

    def tells_as_well(self, scope: Scope) -> bool:
        """Whether other files call a function, or an object of its class, that this one calls too; their calls are
        noted."""
        if scope.owner is not None and scope.node.name not in (*ENTRIES, "__init__"):
            return False
        definition = _called(self.path, scope)
        if not self._calling(definition):
            return False
        self._tell(scope, definition)
        return True

    def _tell(self, scope: Scope, definition: Definition) -> None:
        """Note the calls in the files that make them; where these do not know what they give either, those that come of
        what calls theirs."""
        assert isinstance(scope.node, t.FunctionDef)
        contexts, node = self.run.contexts, scope.node
        own, nearest = list(contexts.calls.get(node, [])), list[Context]()
        level, seen, steps = [definition], {definition.node}, 0
        for distance in range(MAX_LEVELS):
            contexts.calls[node] = list(own)
            above: list[Definition] = []
            callers = (caller for called in level for caller in self._callers(called))
            for count, caller in enumerate(callers):
                if steps > self._most * (1 if count > 1 else FAR):
                    break
                path, model = caller
                followed = self._follow(path, model)
                steps += followed.steps
                found = followed.contexts.without_optional(node) if distance else followed.contexts
                contexts.take(node, found)
                contexts.calls[node] = [c for c in contexts.calls[node] if not self._is_special(c)]
                if model.owner is not None and model.owner not in seen:
                    seen.add(model.owner)
                    above.append(_called(path, model))
            nearest = nearest if distance else contexts.calls[node]
            if any(call.tells_ranks for call in contexts.of(node)):
                return
            level = above
        contexts.calls[node] = nearest  # who is further away knows no more

    def _is_special(self, call: Context) -> bool:
        """Whether the object was made with 1 where everybody has to give a number, such as one head: sizes coincide
        there that elsewhere do not."""
        receiver = call.receiver
        if not isinstance(receiver, Instance) or receiver.made_with is None:
            return False
        init = self.run.classes.attribute(receiver.cls, "__init__")
        if not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
            return False
        args, kwargs = receiver.made_with
        given = {**dict(zip((p.name for p in init.node.args[1:]), args, strict=False)), **kwargs}
        return any(p.default is None and given.get(p.name) == dim(1) for p in init.node.args[1:])

    def _callers(self, definition: Definition) -> list[tuple[str, Scope]]:
        return [
            (path, caller)
            for path, sites in self._calling(definition).items()
            for caller in self._callers_in(path, sites)
        ]

    def _calling(self, definition: Definition) -> dict[str, set[t.Stmt]]:
        """The nearest other files that call it, and the functions there in which they do."""
        if definition.node not in self._calls:
            files = self.run.nearby(self.path)
            is_handed = isinstance(definition.node, t.ClassDef) and is_handed_parts(self.run, definition)
            near = files.calling_anywhere(definition.name) if is_handed else files.calling(definition.name)
            found: dict[str, set[t.Stmt]] = {}
            for site in self.run.workspace.usages.calls_in(near, definition, MAX_SITES):
                if site.path != self.path and site.function is not None:
                    found.setdefault(site.path, set()).add(site.function)
            if not found and isinstance(definition.node, t.ClassDef):
                handed = self.run.workspace.usages.handed_on(self.run.nearby(self.path), definition)
                found = {path: {*functions} for path, functions in handed.items()}
            self._calls[definition.node] = dict(list(found.items())[:MAX_FILES])
        return self._calls[definition.node]

    def _callers_in(self, path: str, sites: Set[t.Stmt]) -> list[Scope]:
        """The methods by which the models of a file are called that no other class there contains; and functions of
        scripts in which something is called: those that no method calls, which the models would lead to."""
        if path not in self._files:
            module = self.run.workspace.modules.module(path)
            self._files[path] = None if module is None else FileOrder(module)
        file = self._files[path]
        if file is None:
            return []
        plain = (scope for scope in file.functions if scope.owner is None and scope.node in sites)
        methods = {scope.node for scope in file.functions if scope.owner is not None}
        return _models(file) + [scope for scope in plain if file.callers[scope.node].isdisjoint(methods)]

    def _follow(self, path: str, model: Scope, known_as: t.Stmt | None = None) -> _Followed:
        key = (known_as or model.node, self._calls_built)
        if (known := self._followed.get(key)) is not None:
            return known
        run, findings = self.run, list(self.run.findings)
        before, tried, doubting, contexts = run.steps, run.tried, run.doubting, run.contexts
        run.tried = run.doubting = 0
        run.contexts = Contexts(self.path, outside=True, calls_built=self._calls_built)
        attempt(run, path, model, Beliefs(by_name=False))
        self._followed[key] = found = _Followed(run.contexts, run.steps - before)
        run.tried, run.doubting, run.contexts = tried, doubting, contexts
        run.findings = findings
        self.taken += found.steps
        return found

    def _definition(self, scope: Scope) -> Definition | None:
        """What is called elsewhere: a function, or a class of which nothing in this file makes objects."""
        is_built = scope.owner is not None and (scope.owner.name in self.built or scope.node.name not in ENTRIES)
        return None if is_built else _called(self.path, scope)


def _called(path: str, scope: Scope) -> Definition:
    """What those call who call a function, or make an object of its class."""
    called = scope.owner or scope.node
    return Definition(path, called.name, called)


def _models(file: FileOrder) -> list[Scope]:
    return [
        scope
        for scope in file.callers_first
        if scope.owner is not None and scope.node.name in ENTRIES and scope.owner.name not in file.built
    ]
