"""Who calls a helper: kernels and other helpers of its own file, or of the workspace.

Knows no values; what the calls pass is told by the runs of the callers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kernelscope.kernels.triton.recognition import is_kernel
from kernelscope.syntax.python import tree as t
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

MAX_CALLERS = 12
"""Callers in other files that are looked at."""
KEPT_NAMES = 512


class HelperCallers:
    """Callers of helpers. `kernels`: the kernels and helpers of a file."""

    def __init__(self, workspace: Workspace, kernels: Callable[[str], list[t.FunctionDef]]) -> None:
        self.workspace = workspace
        self.kernels = kernels
        self._names: dict[t.FunctionDef, frozenset[str]] = {}

    def near(self, path: str, node: t.FunctionDef) -> list[tuple[str, t.FunctionDef]]:
        """Kernels and helpers of its own file that call a function."""
        here = self._naming(path, node.name)
        return [(path, k) for k in here if k.name != node.name and node.name in self._called(k)]

    def distant(self, path: str, node: t.FunctionDef, known: set[t.FunctionDef]) -> list[tuple[str, t.FunctionDef]]:
        """Kernels and helpers of the workspace that call a function, besides those that are known."""
        found: list[tuple[str, t.FunctionDef]] = []
        meant = self.workspace.modules.definition(path, node.name)  # of definitions in branches callers see the first
        if meant is None or meant.path != path or not isinstance(meant.node, t.FunctionDef):
            meant = Definition(path, node.name, node)
        for site in self.workspace.usages.calls(meant).sites:
            caller = site.function
            if caller is None or caller is node or caller in known:
                continue
            if is_kernel(self.workspace.modules, site.path, caller):
                known.add(caller)
                found.append((site.path, caller))
        return found[:MAX_CALLERS]

    def _naming(self, path: str, name: str) -> Iterator[t.FunctionDef]:
        """The kernels of a file in whose text a name stands: the others need no look into their bodies."""
        module = self.workspace.modules.module(path)
        for kernel in self.kernels(path):
            if module is not None and module.text.data.find(name.encode(), kernel.span.start, kernel.span.end) >= 0:
                yield kernel

    def _called(self, node: t.FunctionDef) -> frozenset[str]:
        if node not in self._names:
            self._names[node] = _mentions(node)
            if len(self._names) > KEPT_NAMES:
                self._names.pop(next(iter(self._names)))
        return self._names[node]


def _mentions(node: t.FunctionDef) -> frozenset[str]:
    """Names that a function calls or passes on, such as a helper given to a reduction."""
    return frozenset(inner.id for inner in t.walk(*node.body) if isinstance(inner, t.Name))
