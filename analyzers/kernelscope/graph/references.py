"""Where a name is used: its mentions in all files are resolved, but for those whose text shows that they mean another.

In C++ the word counts. Of a common name the nearest files are looked at, as many as an answer may take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

from kernelscope.graph.cpp_definitions import MAX_LOCATIONS
from kernelscope.graph.cursor import cursor_at
from kernelscope.graph.places import unique
from kernelscope.results import LeftOut, Location, Span
from kernelscope.syntax.python.tree import Attribute
from kernelscope.syntax.text import SourceText
from kernelscope.turns import give_way
from kernelscope.workspace.facts import FileFacts
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.usages import by_nearness
from kernelscope.workspace.workspace import Workspace

MAX_RESOLVED_BYTES = 6_000_000
"""Source text whose mentions are resolved for one question, about 2 s."""
_IMPORTS = re.compile(rb"\s*(?:from|import)\b")
_IMPORTED = re.compile(rb"\bimport\b[ \t]*(?:\((?:[^)#]|#[^\n]*)*|(?:[^\n\\]|\\\r?\n)*)")
_WORD = re.compile(rb"[\w\x80-\xff]+")
_WHOLE = rb"(?<![\w\x80-\xff])%b(?![\w\x80-\xff])"
_RECEIVER = re.compile(rb"([A-Za-z_]\w*)(?:\s*\.\s*\w+)*\s*\.\s*\Z")
Definitions = Callable[[str, int], list[Location]]
"""Where the name at an offset of a file is defined."""


class References:
    """Mentions of names in the files of a workspace."""

    def __init__(self, workspace: Workspace, definitions: Definitions) -> None:
        self._workspace = workspace
        self._definitions = definitions

    def of(self, word: str, path: str, offset: int) -> list[Location]:
        """Where what the word at an offset of a file means is used."""
        wanted = set(self._definitions(path, offset))
        if not wanted and path.endswith(PYTHON_SUFFIXES):
            return []
        is_local = all(self._is_local(place, path, word) for place in wanted) if wanted else False
        found: list[Location] = []
        left = MAX_RESOLVED_BYTES
        for file, data in self._mentioning(word.encode(), path, is_local):
            if not wanted and file.endswith(PYTHON_SUFFIXES):
                continue
            if left <= 0 or len(found) >= MAX_LOCATIONS:
                break
            give_way()
            text = SourceText(data)
            mentions = [match.start() for match in re.finditer(_WHOLE % re.escape(word.encode()), data)]
            if file.endswith(PYTHON_SUFFIXES):
                mentions = self._possible(file, text, word.encode(), mentions, wanted)
                left -= len(data) if mentions else 0
            elif path.endswith(PYTHON_SUFFIXES):
                continue
            for start in mentions:
                place = text.location(Path(file), Span(start, start + len(word.encode())))
                is_word = not file.endswith(PYTHON_SUFFIXES)
                if is_word or place in wanted or wanted & set(self._definitions(file, start)):
                    found.append(place)
        return unique(found)[:MAX_LOCATIONS]

    def _mentioning(self, word: bytes, path: str, is_local: bool) -> Iterator[tuple[str, bytes]]:
        """Files that hold the word, with their text, the asking one first; only that one for a local name."""
        others = [] if is_local else by_nearness(self._workspace.index.paths(), path)
        for file in dict.fromkeys((path, *others)):
            data = self._workspace.files.read(file)
            if not isinstance(data, LeftOut) and word in data:
                yield file, data

    def _is_local(self, place: Location, path: str, word: str) -> bool:
        """Whether a place binds a name inside of a function, whom nobody can mean outside of it."""
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        if module is None or str(place.path) != path:
            return False
        start = module.text.line_start(place.line) + place.column
        cursor = cursor_at(module, start)
        is_name = module.text.data[start : start + len(word.encode()) + 1].rstrip(b" \t\r\n:=,()[]{}") == word.encode()
        return is_name and cursor is not None and bool(cursor.functions) and not isinstance(cursor.node, Attribute)

    def _possible(
        self, file: str, text: SourceText, word: bytes, mentions: list[int], wanted: set[Location]
    ) -> list[int]:
        """Those mentions of a file that may mean a definition elsewhere.

        A plain name means what the file imports under it. An attribute of a plain name means something of the top of a
        module only where that name is imported.
        """
        if any(str(place.path) == file for place in wanted):
            return mentions
        imports = _Imports(text.data, partial(self._workspace.index.facts, file))
        is_of_top = all(self._is_of_top(place) for place in wanted)
        possible: list[int] = []
        for start in mentions:
            line = text.data[text.line_start(text.line_of(start)) : start]
            receiver = _RECEIVER.search(line)
            if _IMPORTS.match(line):
                possible.append(start)
            elif line.rstrip().endswith(b"."):
                if not is_of_top or (receiver and imports.bind(receiver[1])):
                    possible.append(start)
            elif imports.bind(word) or imports.bind_all():
                possible.append(start)
        return possible

    def _is_of_top(self, place: Location) -> bool:
        """Whether a definition is a module, or stands at the top level of one."""
        path = str(place.path)
        module = self._workspace.modules.module(path) if path.endswith(PYTHON_SUFFIXES) else None
        cursor = cursor_at(module, module.text.line_start(place.line) + place.column) if module else None
        return cursor is None or (cursor.owner is None and not cursor.functions)


class _Imports:
    """The names that a file imports anywhere. Its facts are asked for only where its text does not say no already."""

    def __init__(self, data: bytes, facts: Callable[[], FileFacts | None]) -> None:
        said = [match[0] for match in _IMPORTED.finditer(data)]
        self._words = {word for text in said for word in _WORD.findall(text)}
        self._says_all = any(b"*" in text for text in said)
        self._facts = facts

    def bind(self, name: bytes) -> bool:
        """Whether the file imports something under a name, or may, where nothing else is known of it."""
        return name in self._words and (self._bound is None or name in self._bound)

    def bind_all(self) -> bool:
        """Whether the file imports all of some module."""
        return self._says_all and (self._bound is None or b"*" in self._bound)

    @cached_property
    def _bound(self) -> set[bytes] | None:
        facts = self._facts()
        if facts is None:
            return None
        return {("*" if found.name == "*" else found.bound).encode() for found in facts.imports}
