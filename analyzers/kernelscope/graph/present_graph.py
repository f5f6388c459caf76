"""The operator graph of the present facts: made when first asked for, and again when what it rests on has changed.

Loaded when a question needs links: what makes them takes longer to load than a hover of a definition to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kernelscope.graph.kept_links import make_beside
from kernelscope.graph.operator_graph import OperatorGraph
from kernelscope.graph.present_links import PresentLinks
from kernelscope.turns import Guard
from kernelscope.workspace.workspace import Workspace


class PresentGraph:
    """The graph, up to date whenever it is asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._links = PresentLinks(workspace)
        self._graph: OperatorGraph | None = None
        self._state: object = None
        self._building = Guard()

    @property
    def is_ready(self) -> bool:
        """Whether the links that it is made of are up to date already."""
        return self._links.is_ready

    def prepare(self, cache_dir: Path | None, cancelled: Callable[[], bool], waited_for: bool = False) -> None:
        """Have the links of a large workspace made by another process, unless they are kept; for the background."""
        make_beside(self._workspace, cache_dir, cancelled, waited_for)

    def graph(self) -> OperatorGraph:
        """The graph as it is now."""
        files = self._workspace.files
        opened = tuple((path, files.version(path)) for path in files.open_paths())
        state = (self._workspace.index.generation, self._workspace.index.stage, opened)
        with self._building:
            if self._graph is None or self._state != state:
                self._graph, self._state = OperatorGraph(self._workspace, self._links.links()), state
            return self._graph
