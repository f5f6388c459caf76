"""The links of the present facts: made when first asked for, and again when what they rest on has changed.

An edit that only moves what the file declares moves the links along. One that leaves what the file declares links that
file anew, and those that looked at more of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kernelscope.graph.cpp_links import CppEdges
from kernelscope.graph.kept_links import kept_links
from kernelscope.graph.links import Links, has_cuda, link
from kernelscope.graph.shifts import Shift, declared_shift, knows_places, shift_between, shifted
from kernelscope.workspace.facts import FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace


class _Opened(NamedTuple):
    """An open document that takes part, as it is linked."""

    version: Version | None
    facts: FileFacts


class PresentLinks:
    """Links that are up to date whenever they are asked for."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._links: Links | None = None
        self._indexed: object = None
        """What was indexed when they were made."""
        self._opened: dict[str, _Opened] = {}

    @property
    def is_ready(self) -> bool:
        """Whether they are up to date already."""
        opened = self._taking_part()
        return self._links is not None and self._indexed == self._state() and not self._changed(opened)

    def links(self) -> Links:
        opened, indexed = self._taking_part(), self._state()
        links = self._links
        if links is None or self._indexed != indexed:
            links = self._of_disk(opened)
        if links is None:
            links = link(self._workspace)
        elif changed := self._changed(opened):
            links = self._moved(links, changed, opened) or self._relinked(links, changed, opened)
        self._links, self._opened, self._indexed = links, opened, indexed
        return links

    def _of_disk(self, opened: dict[str, _Opened]) -> Links | None:
        """The links that are kept, from which those of open documents can be made."""
        if any(self._workspace.index.indexed_facts(path) is None for path in opened):
            return None
        links = kept_links(self._workspace)
        if links is not None:
            self._opened = {}
        return links

    def _state(self) -> object:
        return (self._workspace.index.operator_generation, self._workspace.index.stage)

    def _taking_part(self) -> dict[str, _Opened]:
        """The open documents of which links may be told."""
        found: dict[str, _Opened] = {}
        for path in self._workspace.files.open_paths():
            facts = self._workspace.index.facts(path)
            if facts and (facts.registrations or _is_cpp(path, facts)):
                found[path] = _Opened(self._workspace.files.version(path), facts)
        return found

    def _changed(self, opened: dict[str, _Opened]) -> list[str]:
        """Documents that were opened, edited or closed since."""

        def version(documents: dict[str, _Opened], path: str) -> Version | None:
            return documents[path].version if path in documents else None

        paths = sorted({*self._opened, *opened})
        return [path for path in paths if version(self._opened, path) != version(opened, path)]

    def _moved(self, links: Links, changed: list[str], opened: dict[str, _Opened]) -> Links | None:
        """The links with what the changed documents declare moved along; None when more than places differ."""
        shifts: dict[str, Shift] = {}
        for path in changed:
            before, after = self._facts(self._opened, path), self._facts(opened, path)
            shift = shift_between(before, after) if before and after else None
            if shift is None:
                return None
            if not shift.is_nothing:
                shifts[path] = shift
        if not shifts:
            return links
        if not knows_places(links.edges, shifts):
            return None
        cpp = {path: _shifted(edges, shifts) for path, edges in links.cpp.items()}
        return Links(cpp, shifted(links.others, shifts))

    def _relinked(self, links: Links, changed: list[str], opened: dict[str, _Opened]) -> Links:
        """Links anew what the changed documents show; all, where one of them now declares something else."""
        shifts: dict[str, Shift] = {}
        for path in changed:
            before, after = self._facts(self._opened, path), self._facts(opened, path)
            if _is_cpp(path, before) or _is_cpp(path, after):
                shift = declared_shift(before, after) if before and after else None
                if shift is None:
                    return link(self._workspace)
                shifts[path] = shift
        kept = {
            path: edges
            for path, edges in links.cpp.items()
            if path not in shifts and edges.consulted.isdisjoint(shifts)
        }
        if not all(knows_places(edges.edges, shifts) for edges in kept.values()):
            return link(self._workspace)
        return link(self._workspace, {path: _shifted(edges, shifts) for path, edges in kept.items()})

    def _facts(self, documents: dict[str, _Opened], path: str) -> FileFacts | None:
        """What was linked of a file: of an open document, else of the disk."""
        return documents[path].facts if path in documents else self._workspace.index.indexed_facts(path)


def _is_cpp(path: str, facts: FileFacts | None) -> bool:
    """Whether a file takes part in what C++ calls."""
    return facts is not None and (not path.endswith(PYTHON_SUFFIXES) or has_cuda(facts))


def _shifted(edges: CppEdges, shifts: Mapping[str, Shift]) -> CppEdges:
    return CppEdges(tuple(shifted(edges.edges, shifts)), edges.consulted)
