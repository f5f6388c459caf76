"""Which part of a system an end of a channel is of: who opens it, whose calls go there, or whose file it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

from kernelscope.explain.system_parts import Component
from kernelscope.graph.kinds import Node
from kernelscope.serving.channels import owner_of


class Ends:
    """Looks up ends by their words: `Worker.run`, `serve (if self.is_first)`."""

    def __init__(
        self,
        components: Iterable[Component],
        passed: dict[Node, Component],
        served: dict[Path, Component],
        lineage: Callable[[str, str], Iterable[str]],
    ) -> None:
        self._served = served
        self._named: dict[str, dict[Component, None]] = {}
        self._passed: dict[str, dict[Component, None]] = {}
        self._derived: dict[str, dict[Component, None]] = {}
        """Components by the classes that theirs, and those of the functions that they call, derive from."""
        for component in components:
            for name in (component.name, *(f.name for f in component.functions)):
                self._named.setdefault(name, {}).setdefault(component)
        for function, component in passed.items():
            self._passed.setdefault(function.name, {}).setdefault(component)
        methods = [(f, component) for component in components for f in component.functions]
        owners = {(f.path, f.name.partition(".")[0]): c for f, c in (*passed.items(), *methods) if "." in f.name}
        for (path, cls), component in owners.items():
            for name in lineage(path, cls):
                self._derived.setdefault(name, {}).setdefault(component)

    def component(self, end: str, path: Path) -> Component | None:
        """The component of an end that is opened in the file: of several of one name the one in this file."""
        called, owner = end.partition(" ")[0], owner_of(end)
        passed = self._passed
        if called.endswith(".__init__"):  # who calls what it made has it as much as who makes one
            passed = {called: self._passed.get(called, {}) | self._derived.get(owner, {})}
        for name, known in (*product((called, owner), (self._named, passed)), (owner, self._derived)):
            found = list(known.get(name, ()))
            here = [component for component in found if component.location.path == path]
            if found:
                return here[0] if len(here) == 1 else found[0] if len(found) == 1 else None
        return self._served.get(path)
