"""Callers in other files of what nothing in its own file calls: the models there that contain it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from kernelscope.interp.order import ENTRIES, FileOrder
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.nearby import Nearby
from kernelscope.workspace.workspace import Workspace

MAX_FILES = 4
"""Calling files that are looked at for one file."""
MAX_FILES_EACH = 2
MAX_SITES = 12
STEPS = 30_000
"""How far callers in other files are followed for one file."""


class Elsewhere:
    """The calling files of one file, each visited once. `steps` tells how many steps were taken so far."""

    def __init__(
        self,
        workspace: Workspace,
        path: str,
        built: Set[str],
        steps: Callable[[], int],
        nearby: Callable[[str], Nearby],
    ) -> None:
        self.workspace = workspace
        self.nearby = nearby
        self.steps = steps
        self.path = path
        self.built = built
        """The classes of which something in this file makes objects."""
        self.visited: set[str] = set()
        self.asked: set[t.Stmt] = set()
        self.taken = 0

    def may_tell(self, scope: Scope) -> bool:
        """Whether other files may call a function, or an object of its class, and were not asked yet."""
        definition = self._definition(scope)
        return definition is not None and definition.node not in self.asked and self.taken <= STEPS

    def callers(self, scope: Scope) -> Iterator[tuple[str, Scope]]:
        """Functions to run so that the calls of a function, or of an object of its class, are seen."""
        definition = self._definition(scope)
        if definition is None or not self.may_tell(scope):
            return
        self.asked.add(definition.node)
        sites = self.workspace.usages.calls_in(self.nearby(self.path).calling(definition.name), definition, MAX_SITES)
        others = [site.path for site in sites if site.path != self.path and site.function is not None]
        for other in list(dict.fromkeys(others))[:MAX_FILES_EACH]:
            if other in self.visited or len(self.visited) >= MAX_FILES:
                continue
            self.visited.add(other)
            module = self.workspace.modules.module(other)
            if module is None:
                continue
            order = FileOrder(module)
            for found in order.callers_first:
                if self.taken > STEPS:
                    return
                if found.owner is not None and found.node.name in ENTRIES and found.owner.name not in order.built:
                    before = self.steps()
                    yield other, found
                    self.taken += self.steps() - before

    def _definition(self, scope: Scope) -> Definition | None:
        """What is called elsewhere: a function, or a class of which nothing in this file makes objects."""
        if scope.owner is None:
            return Definition(self.path, scope.node.name, scope.node)
        if scope.owner.name in self.built or scope.node.name not in ENTRIES:
            return None
        return Definition(self.path, scope.owner.name, scope.owner)
