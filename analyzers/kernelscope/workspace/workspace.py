"""One object for everything that is known of the user's folders: files, index, modules, classes, uses.

Only holds the parts together and tells each of them what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from kernelscope.queries import Queries, Question
from kernelscope.results import FoundSymbol, LeftOut, Location, Symbol
from kernelscope.workspace.classes import Classes
from kernelscope.workspace.files import Files
from kernelscope.workspace.index import Index
from kernelscope.workspace.instances import Instances
from kernelscope.workspace.kept import Kept
from kernelscope.workspace.modules import Modules
from kernelscope.workspace.outline import SYMBOL_KINDS, outline
from kernelscope.workspace.pool import facts_beside
from kernelscope.workspace.progress import Progress
from kernelscope.workspace.usages import Usages


class Workspace:
    """The folders that the user opened."""

    def __init__(self, files: Files, cache_dir: Path | None = None) -> None:
        self.files = files
        self.index = Index(files, cache_dir)
        self.modules = Modules(files)
        self.classes = Classes(self.modules)
        self.instances = Instances(self.modules, self.classes)
        self.usages = Usages(self.modules, self.index.callers, self.index.definers, self.index.extenders)
        self.queries = Queries()
        """Memoised questions about files; the input `version` of a path says which content they are about."""
        self._outline = Question("outline", self._make_outline)

    def files_changed(self, paths: Sequence[str]) -> None:
        """The client says that these were created, changed or deleted."""
        self.modules.files_changed()
        self.usages.files_changed()
        self.index.update(paths)

    def build_index(self, progress: Progress | None, cancelled: Callable[[], bool], waited_for: bool = False) -> bool:
        """Brings the index up to date with the disk; for a thread in the background unless it is waited for.

        Whether anything differed.
        """
        before = self.index.generation
        self.index.run(progress, cancelled, waited_for)
        return self.index.generation != before

    def kept(self, family: str, makers: Sequence[str]) -> Kept:
        """Where a later stage keeps what it makes of single files."""
        return Kept(self.index.store, family, makers)

    def outline(self, path: str) -> tuple[Symbol, ...]:
        """The definitions of a file as a tree, made once for each version of it."""
        self.queries.set("version", path, self.files.version(path))
        return self.queries.ask(self._outline, path)

    def _make_outline(self, queries: Queries, path: Hashable) -> tuple[Symbol, ...]:
        assert isinstance(path, str)
        queries.read("version", path)
        facts = self.index.facts(path)
        return outline(path, facts) if facts else ()

    def outline_of(self, path: str, data: bytes) -> tuple[Symbol, ...]:
        """The same for a large text that another process parses, so that no other thread waits."""
        facts = facts_beside(path, data) if len(data) <= self.files.max_file_bytes else None
        return outline(path, facts) if facts else ()

    def left_out(self) -> tuple[LeftOut, ...]:
        """What is not analysed, and why."""
        return tuple(sorted({*self.files.left_out(), *self.index.failures()}, key=lambda out: (out.path, out.reason)))

    def find_symbols(self, query: str, limit: int) -> list[FoundSymbol]:
        """Definitions whose name fits the query, best first."""
        found: list[FoundSymbol] = []
        for match in self.index.search(query, limit):
            name = match.name
            end = name.column + len(name.name.encode())
            place = Location(Path(match.path), name.line, name.column, name.line, end)
            found.append(FoundSymbol(name.name, SYMBOL_KINDS[name.kind], place, name.container))
        return found
