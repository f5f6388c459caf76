"""Where words of C++ and CUDA are defined: what call paths say, else the file's own definitions, else the nearest ones.

Without types a word is all there is; what is launched or called at the place is asked of the graph first.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from kernelscope.graph.kinds import NodeKind
from kernelscope.graph.places import Places, unique
from kernelscope.results import LeftOut, Location, Span
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.facts import DefKind
from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kernelscope.graph.operator_graph import OperatorGraph

MAX_LOCATIONS = 500
_WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*+")
_GIVEN = rb"(?m)^(?![ \t}]|return\b|extern\b)[\w:<>,*& \t]{1,99}\(?[ \t*&](%b)\b[^;(){}]{0,99}(?:\)\([^;{}]{0,99})?[={]"
_CPP_KINDS = (DefKind.CUDA_KERNEL, DefKind.CUDA_FUNCTION, DefKind.STRUCT, DefKind.MACRO)


class CppDefinitions:
    """Definitions of words in the C++ files of a workspace."""

    def __init__(self, workspace: Workspace, places: Places) -> None:
        self._workspace = workspace
        self._places = places

    def definition(self, path: str, offset: int, word: str, graph: OperatorGraph | None) -> list[Location]:
        """Definitions of the word under the cursor: what is called here, those in this file, else the nearest ones."""
        if called := self._called(path, offset, word, graph):
            return called
        facts = self._workspace.index.facts(path)
        own = [d for d in facts.defs if d.name.rpartition("::")[2] == word] if facts else []
        if own:
            return [self._places.place(path, Span(d.name_start, d.name_start + len(word.encode()))) for d in own]
        matches = [m for m in self._workspace.index.table.named(word, MAX_LOCATIONS) if m.name.kind in _CPP_KINDS]
        folder = str(Path(path).parent)
        near = [m for m in matches if str(Path(m.path).parent) == folder] or matches
        return [
            Location(Path(m.path), m.name.line, m.name.column, m.name.line, m.name.column + len(word.encode()))
            for m in near[:MAX_LOCATIONS]
        ] or self._variable(path, word)

    def _called(self, path: str, offset: int, word: str, graph: OperatorGraph | None) -> list[Location]:
        """Where call paths say that what is called or launched under this name leads."""
        node = graph.at(path, offset) if graph is not None else None
        data = self._workspace.files.read(path)
        if graph is None or node is None or isinstance(data, LeftOut) or node.start <= offset <= node.start + len(word):
            return []
        line = SourceText(data).line_of(offset)
        targets = [edge.target for edge in graph.out_edges(node) if edge.line == line]
        targets += [edge.target for to in targets if to.kind is NodeKind.LAUNCH for edge in graph.out_edges(to)]
        named = [target for target in targets if target.name.rpartition("::")[2] == word]
        return unique(place for target in named for place in self._places.node_places(graph, target))

    def _variable(self, path: str, word: str) -> list[Location]:
        """Where a variable of the top level, such as a table of kernels, is given its value, also in files beside."""
        given = re.compile(_GIVEN % word.encode())
        beside = self._workspace.files.beside(str(Path(path).parent), CUDA_SUFFIXES)
        for file in dict.fromkeys((path, *beside)):
            data = self._workspace.files.read(file)
            if not isinstance(data, LeftOut) and word.encode() in data and (found := given.search(data)):
                return [self._places.place(file, Span(*found.span(1)))]
        return []

    def word_at(self, path: str, offset: int) -> str:
        """The word at an offset of a file of any language."""
        data = self._workspace.files.read(path)
        if isinstance(data, LeftOut) or not 0 <= offset <= len(data):
            return ""
        start = max(data.rfind(b"\n", 0, offset) + 1, offset - 500)
        for match in _WORD.finditer(data, start, min(len(data), offset + 500)):
            if match.start() <= offset <= match.end():
                return match[0].decode("utf-8", "replace")
            if match.start() > offset:
                break
        return ""
