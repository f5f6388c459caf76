"""Hovers that were answered, kept while all that they rest on stays: asked again they wait for no thread and no turn.

Kept are the words of an answer; where it stands is worked out anew. Of a file of which more will be known nothing is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kernelscope.syntax.text import identifier_around

from kernelscope_server.documents import OpenDocument
from kernelscope_server.last_hovers import KeptFile

if TYPE_CHECKING:
    from kernelscope.analysis import Analysis
    from kernelscope.results import Hover

CHECK_SECONDS = 1.0
"""So often the disk is asked whether files changed that nobody announced."""
MOST_FILES = 16
MOST_ANSWERS = 20_000
"""Of one file: each is a number, and words that it may share with others."""
MOST_LETTERS = 1_000_000
"""Of the words of one file: links that lead to where the name stands make each of them different."""
NOTHING = "null"


class Version(Protocol):
    """What the content of a file is known by."""

    @property
    def mtime_ns(self) -> int: ...
    @property
    def size(self) -> int: ...


class Name(NamedTuple):
    """Where an identifier begins and ends in the analysed text."""

    start: int
    end: int


class _OfFile:
    """Answers in one file, in one state of everything."""

    def __init__(self, state: object, versions: dict[str, Version | None]) -> None:
        self.state = state
        self.versions = versions
        """Of all files that the answers were read from."""
        self.checked = time.monotonic()
        self.answers: dict[int, str] = {}
        """JSON of the words by where the name begins that they are about."""
        self._words: dict[str, str] = {}
        self._letters = 0

    def put(self, start: int, words: str) -> None:
        known = self._words.get(words)
        self._letters += len(words) if known is None else 0
        if len(self.answers) < MOST_ANSWERS and self._letters < MOST_LETTERS:
            self.answers[start] = self._words[words] = known or words


class KeptHovers:
    """By file. For threads of which one works at a time, and for one that asks while none of them does."""

    def __init__(self, words: Callable[[Hover], str]) -> None:
        self._words = words
        self._files: dict[Path, _OfFile] = {}
        self.count = 0
        """Of answers that were kept so far."""

    def get(self, analysis: Analysis, document: OpenDocument, offset: int, encoding: str) -> str | None:
        """The answer as JSON; None where it is not kept."""
        known = self._files.get(document.path)
        if known is None or (name := name_at(document, offset)) is None or not _holds(analysis, known):
            return None
        words = known.answers.get(name.start)
        return answer(document, name, words, encoding) if words is not None else None

    def ask(self, analysis: Analysis, document: OpenDocument, offset: int) -> Hover | None:
        """What the analysis says; kept if it will say the same again."""
        basis = analysis.basis_of_hovers()
        with analysis.files.noting() as read:
            found = analysis.hover(document.path, offset)
            for path in {link.location.path for link in found.links if link.location} if found is not None else ():
                analysis.files.version(str(path))  # it names a line there
        state, name = analysis.state_of_hovers(document.path), name_at(document, offset)
        if basis != analysis.basis_of_hovers():
            return found  # something was edited meanwhile
        if state is None or name is None or (found is not None and (found.span.start, found.span.end) != name):
            return found
        known = self._files.pop(document.path, None)
        if known is None or known.state != state or not _agree(known.versions, read):
            known = _OfFile(state, dict(analysis.read_for_hovers(document.path)))
        if (versions := {**known.versions, **read}) != known.versions:
            known.versions = versions  # another thread may be going through those that were there
        known.put(name.start, json.dumps(self._words(found), ensure_ascii=False) if found is not None else NOTHING)
        self._files[document.path] = known
        self.count += 1
        if len(self._files) > MOST_FILES:
            self._files.pop(next(iter(self._files)))
        return found

    def knows(self, analysis: Analysis, document: OpenDocument, offset: int) -> bool:
        """Whether the answer is kept."""
        known, name = self._files.get(document.path), name_at(document, offset)
        return known is not None and name is not None and name.start in known.answers and _holds(analysis, known)

    def kept(self, analysis: Analysis, texts: Mapping[str, bytes]) -> list[KeptFile]:
        """What holds now, with what it rests on; of the open documents in `texts`."""
        return [
            KeptFile(
                path,
                {read: texts[read] for read in known.versions if read in texts} | {str(path): texts[str(path)]},
                {read: _stamp(version) for read, version in known.versions.items() if read not in texts},
                dict(known.answers),
            )
            for path, known in self._files.items()
            if str(path) in texts and _holds(analysis, known)
        ]


def answer(document: OpenDocument, name: Name, words: str, encoding: str) -> str:
    """The answer to a hover on a name, of the words in JSON."""
    if words == NOTHING:
        return words
    place = json.dumps(document.range(name.start, name.end, encoding), separators=(",", ":"))
    return f'{{"contents":{{"kind":"markdown","value":{words}}},"range":{place}}}'


def _stamp(version: Version | None) -> tuple[int, int] | None:
    return (version.mtime_ns, version.size) if version is not None else None


def _agree(known: Mapping[str, Version | None], read: Mapping[str, Version | None]) -> bool:
    """Whether none of the files changed on the disk since others were answered."""
    return all(known.get(path, version) == version for path, version in read.items())


def _holds(analysis: Analysis, known: _OfFile) -> bool:
    if known.state != analysis.basis_of_hovers():
        return False
    if time.monotonic() - known.checked >= CHECK_SECONDS:
        if any(analysis.files.version(read) != version for read, version in known.versions.items()):
            return False
        known.checked = time.monotonic()
    return True


def name_at(document: OpenDocument, offset: int) -> Name | None:
    """The identifier that an offset of the analysed text lies in; right behind one the answer may be another."""
    found = identifier_around(document.text.data, offset - document.first)
    if found is None or offset - document.first == found[1]:
        return None
    return Name(found[0] + document.first, found[1] + document.first)
