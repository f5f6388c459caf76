"""Hovers that were kept when a session ended, told in the next one before anything of the analysis is loaded.

One file of the cache for the folders of a session, with the documents that were looked at last. What it says of a
document counts while this says what the disk says, and the files and folders that its answers rest on, our settings and
our code are what they were; and until anything is edited or announced, or the index finds that files differ.
"""

from __future__ import annotations

import json
import os
import stat
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import kernelscope

from kernelscope_server.documents import OpenDocument
from kernelscope_server.wire import Json, is_list, is_table

CHECK_SECONDS = 1.0
"""So often the disk is asked whether what the answers rest on is as it was."""
MOST_DOCUMENTS = 16
MOST_BYTES = 64 << 20
UNUSED_SECONDS = 30 * 86_400
HEADS = (".git/HEAD", ".git/logs/HEAD")
"""Change with the branch, and with whatever is pulled."""
COMPILED, INSTALLED = "__pycache__", "site-packages"

Stamp = list[int] | None
"""Time and size of a file, time of a folder; None where there is none."""


class KeptFile(NamedTuple):
    """Answers in one document, and what they rest on: texts of open documents are in `texts`, by path."""

    path: Path
    texts: Mapping[str, bytes]
    versions: Mapping[str, tuple[int, int] | None]
    """Times and sizes of the files that are not open."""
    answers: Mapping[int, str]


class _Told:
    """What the last session told of one document."""

    def __init__(self, body: bytes, settings: object) -> None:
        first, *self._words = body.split(b"\n")
        found = _table(first)
        stamps, answers = found.get("stamps"), found.get("answers")
        self.stamps: Json = stamps if is_table(stamps) else {}
        self.numbers: Json = answers if is_table(answers) else {}
        """Places among the words, by where names start."""
        self.settings = settings
        self._holds = True
        self._checked: float | None = None

    def words(self, start: str) -> bytes | None:
        place = self.numbers.get(start)
        return self._words[place] if isinstance(place, int) and 0 <= place < len(self._words) else None

    def holds(self) -> bool:
        now = time.monotonic()
        if self._checked is None or now - self._checked >= CHECK_SECONDS:
            self._checked = now
            self._holds = all(stamp_of(path) == stamp for path, stamp in self.stamps.items())
        return self._holds


class LastHovers:
    """What `folder` keeps of hovers below `roots`. Reads nothing before the first question."""

    def __init__(self, folder: Path, roots: Sequence[Path]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        key = "\n".join(sorted(self._roots)).encode("utf-8", "surrogatepass")
        self._path = folder / f"hovers-{zlib.crc32(key):08x}"
        self._counts = True
        self._told: dict[str, _Told] = {}
        self._content: tuple[Json, bytes] | None = None
        self._code: str | None = None

    def drop(self) -> None:
        """Something changed: from now on nothing is told. What is kept may count again in the next session."""
        self._counts = False
        self._told.clear()
        self._content = None

    def opened(self, document: OpenDocument) -> None:
        """A document that says something else than the disk may change what is told of others."""
        self._basis(None)  # our code may change while we work
        if self._counts and document.uri.startswith("file:") and not is_on_disk(str(document.path), document.text.data):
            self.drop()

    def get(self, document: OpenDocument, start: int, settings: object) -> str | None:
        """The words of the answer on the name that starts there, as JSON; None where none is kept that holds."""
        if not self._counts:
            return None
        path = str(document.path)
        told = self._told.get(path)
        if told is None or told.settings != settings:
            told = self._told[path] = self._read(path, settings)
        words = told.words(str(start))
        return words.decode("utf-8", "replace") if words and told.holds() else None

    def keep(self, files: Iterable[KeptFile], settings: object) -> None:
        """Writes what holds of these, and what was there of others."""
        basis = self._basis(settings)
        head, content = _load(self._path)
        known = dict(_bodies(head, content)) if head.get("basis") == basis else {}
        bodies: dict[str, bytes] = {}
        for file in files:
            if (body := self._packed(file, known.get(str(file.path)))) is not None:
                bodies[str(file.path)] = body
        if not bodies:
            return
        for path, body in known.items():
            if len(bodies) < MOST_DOCUMENTS:
                bodies.setdefault(path, body)
        places: list[object] = []
        begin = 0
        for path, body in bodies.items():
            places.append([path, begin, begin + len(body)])
            begin += len(body)
        first = json.dumps({"basis": basis, "documents": places}).encode()
        if begin < MOST_BYTES:
            _replace(self._path, first + b"\n" + b"".join(bodies.values()))

    def _packed(self, file: KeptFile, known: bytes | None) -> bytes | None:
        stamps: Json = {}
        for path in (*file.versions, *file.texts):
            stamp = stamps[path] = stamp_of(path)
            if path in file.texts:
                if not is_on_disk(path, file.texts[path]):
                    return None
            elif (tuple(stamp) if stamp else None) != file.versions[path]:
                return None
        folders = {os.path.dirname(path) for path in stamps}
        heads = (os.path.join(root, head) for root in self._roots for head in HEADS)
        stamps |= {path: stamp_of(path) for path in (*sorted(folders), *heads)}
        answers = {str(start): words.encode("utf-8", "replace") for start, words in file.answers.items()}
        before = _Told(known, None) if known is not None else None
        if before is not None and before.holds():
            stamps = before.stamps | stamps
            answers = {start: words for start in before.numbers if (words := before.words(start))} | answers
        places = {words: place for place, words in enumerate(dict.fromkeys(answers.values()))}
        numbers = {start: places[words] for start, words in answers.items()}
        first = json.dumps({"stamps": stamps, "answers": numbers})
        return b"\n".join([first.encode(), *places])

    def _read(self, path: str, settings: object) -> _Told:
        if self._content is None:
            self._content = _load(self._path)
        head, content = self._content
        body = next((body for other, body in _bodies(head, content) if other == path), None)
        return _Told(body if body is not None and head.get("basis") == self._basis(settings) else b"", settings)

    def _basis(self, settings: object) -> object:
        if self._code is None:
            self._code = code()
        return [sorted(self._roots), self._code, settings]


def stamp_of(path: str) -> Stamp:
    """What tells that a file or a folder changed."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_mtime_ns, found.st_size if stat.S_ISREG(found.st_mode) else -1]


def is_on_disk(path: str, data: bytes) -> bool:
    """Whether a file holds just these bytes."""
    try:
        if os.stat(path).st_size != len(data) or not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(data) + 1) == data
    except (OSError, ValueError):
        return False


def code() -> str:
    """Stands for our code: its version, and where it is being worked on the times of its folders.

    Those of compiled modules, too: an editor may write a module in place, but it is compiled anew then.
    """
    homes = [os.path.dirname(os.path.abspath(file)) for file in (kernelscope.__file__, __file__)]
    found = [kernelscope.__version__]
    while homes:
        home = homes.pop()
        found.append(f"{home} {stamp_of(home)} {stamp_of(os.path.join(home, COMPILED))}")
        if INSTALLED not in home:
            with os.scandir(home) as entries:
                homes += [entry.path for entry in entries if "." not in entry.name and entry.name != COMPILED]
    return "\n".join(sorted(found))


# -- the file --------------------------------------------------------------------------------------------


def _load(path: Path) -> tuple[Json, bytes]:
    """The first line as an object, and what follows; nothing of a file that is not ours."""
    try:
        with open(path, "rb") as file:
            first, _, rest = file.read(MOST_BYTES).partition(b"\n")
    except OSError:
        return {}, b""
    return _table(first), rest


def _bodies(head: Json, content: bytes) -> Iterable[tuple[str, bytes]]:
    places = head.get("documents")
    for place in places if is_list(places) else ():
        match place:
            case [str() as path, int() as begin, int() as end] if 0 <= begin <= end <= len(content):
                yield path, content[begin:end]
            case _:
                pass


def _table(line: bytes) -> Json:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if is_table(found) else {}


def _replace(path: Path, content: bytes) -> None:
    """Others that read the file see all of it or what it was; where it cannot be written, nothing is kept."""
    made = f"{path}-{os.urandom(8).hex()}"
    try:
        os.makedirs(path.parent, exist_ok=True)
        with open(made, "wb") as file:
            file.write(content)
        os.replace(made, path)
    except OSError:
        try:
            os.remove(made)
        except OSError:
            return
    _remove_unused(path.parent)


def _remove_unused(folder: Path) -> None:
    """What folders left that nobody has opened for long."""
    try:
        with os.scandir(folder) as entries:
            old = [e.path for e in entries if e.name.startswith("hovers-") and _is_unused(e.stat().st_mtime)]
        for path in old:
            os.remove(path)
    except OSError:
        return


def _is_unused(modified: float) -> bool:
    return time.time() - modified > UNUSED_SECONDS
