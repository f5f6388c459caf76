"""The readings of a workspace's files, each made once per version of the file, and the systems joined from them.

An edit costs the reading of one file and the join; readings stay on disk, so a run that was interrupted goes on. Who
only asks what a system is made of gets readings in part where there are no whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from kernelscope.faults import Fault, part
from kernelscope.results import IndexProgress, Location
from kernelscope.serving.beside import Asked, Beside, can_help, encoded
from kernelscope.serving.c_functions import CSource
from kernelscope.serving.claims import PythonSource
from kernelscope.serving.config_files import SUFFIXES, Folder, Named, settings_of
from kernelscope.serving.pieces import Pieces, Watch, watched
from kernelscope.serving.procedures import is_aside
from kernelscope.serving.reading import Reading, read_c, read_python
from kernelscope.serving.system import System, join
from kernelscope.syntax.text import SourceText
from kernelscope.workspace.files import PYTHON_SUFFIXES
from kernelscope.workspace.kept import Kept
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

MAKERS = (
    "kernelscope.serving", "kernelscope.graph", "kernelscope.syntax", "kernelscope.syntax.python",
    "kernelscope.workspace",
)  # fmt: skip
"""Whose code decides what a reading holds."""
_decoder = msgspec.msgpack.Decoder(Reading, dec_hook=lambda _, text: _path(text))

MOST_EDITED = 8
"""Files that are edited in turn, of which is known what was told of each function."""
STUB_SUFFIX = ".pyi"
"""Files that tell types only: what they declare is declared elsewhere."""


def _decoded(blob: bytes) -> Reading | None:
    """The reading that another run or process made."""
    try:
        return _decoder.decode(blob)
    except msgspec.MsgspecError:
        return None


@lru_cache(maxsize=64)
def _path(text: str) -> Path:
    return Path(text)


class _Made:
    """The readings of one sort that were made: in memory, and on disk."""

    def __init__(self, on_disk: Kept) -> None:
        self.kept: dict[str, tuple[Version | None, Reading | None]] = {}
        self.on_disk = on_disk

    def has(self, path: str, version: Version | None) -> bool:
        known = self.kept.get(path)
        return (known is not None and known[0] == version) or self.on_disk.get(path, version) is not None


class Readings:
    """Readings by path; not thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept_asked: dict[str, tuple[Version | None, Reading | None]] = {}
        self._whole = _Made(workspace.kept("readings", MAKERS))
        self._before: System | None = None
        self._edited: dict[str, Pieces] = {}
        self._configs: tuple[list[Named], dict[str, Version | None], list[Reading]] | None = None
        self._in_part = _Made(workspace.kept("readings in part", MAKERS))

    def system(
        self,
        paths: Iterable[str],
        progress: Callable[[IndexProgress], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
        whole: bool = True,
    ) -> System:
        """The facts of source files of the workspace; where all are tests or examples, those are what is asked.

        Not `whole` are those of what the system is made of and how that hangs together.
        """
        found: list[Reading] = []
        faults: list[Fault] = []
        ordered = sorted(paths)
        only_aside = all(map(self._is_aside, ordered))
        versions = {path: self._workspace.files.version(path) for path in ordered}
        beside = None if only_aside else self._helped(versions, whole)
        try:
            for done, path in enumerate(ordered):
                if cancelled():
                    break
                if progress is not None and done % 50 == 0:
                    progress(IndexProgress(done, len(ordered), "reading the system"))
                with part(path, faults):
                    reading = self._asked(path) if only_aside else self._reading(path, versions[path], beside, whole)
                    if reading is not None:
                        found.append(reading)
        finally:
            if beside is not None:
                beside.close()
        for made in (self._whole, self._in_part):
            made.on_disk.flush()
            made.on_disk.forget()
        found += self._of_configs([named for r in found if not r.aside for named in r.named_configs])
        system = self._before = join(found, self._before)
        system.faults += faults
        return system

    def _of_configs(self, named: list[Named]) -> list[Reading]:
        """The settings of files that are no source, each file of a configuration as a reading of its own."""
        files = self._workspace.files
        known = self._configs
        if known is not None and known[0] == named and all(files.version(p) == v for p, v in known[1].items()):
            return known[2]
        with files.noting() as seen:
            made = self._made_of_configs(named)
        self._configs = (named, dict(seen), made)
        return made

    def _made_of_configs(self, named: list[Named]) -> list[Reading]:
        files = self._workspace.files
        found: dict[Path, Reading] = {}
        told: set[tuple[Location, str]] = set()
        folder = Folder(self._text, lambda path: files.beside(path, SUFFIXES) if files.is_within(path) else [])
        for entry in named:
            for p in settings_of(entry, files.root_of(str(entry.location.path)) or "", folder):
                path = p.location.path
                if path not in found:
                    found[path] = Reading(path, self._is_aside(str(path)), 0)
                if (p.location, p.owner) not in told:
                    told.add((p.location, p.owner))
                    found[path].parameters.append(p)
        return [found[path] for path in sorted(found)]

    def _text(self, path: str) -> str | None:
        """The text of a file of the workspace."""
        files = self._workspace.files
        is_there = files.is_within(path) and files.version(path) is not None
        data = files.read(path) if is_there else None
        return data.decode(errors="replace") if isinstance(data, bytes) else None

    def of_the_product(self, paths: Iterable[str]) -> list[str]:
        """Those files that belong to no tests, benchmarks or examples; all of them where there are no others."""
        paths = list(paths)
        return [path for path in paths if not self._is_aside(path)] or paths

    def _answered(self, beside: Beside, path: str, version: Version, made: _Made) -> Reading | None:
        """What the other process read of a file, if it was this version."""
        answer = beside.take(path)
        if answer is None or answer[0] != replace(version, edit=0):
            return None
        reading = _decoded(answer[1])
        if reading is not None:
            made.on_disk.put(path, version, answer[1])
        return reading

    def _asked(self, path: str) -> Reading | None:
        """A file of tests or examples, read as the product's own; it is not left on disk."""
        version = self._workspace.files.version(path)
        known = self._kept_asked.get(path)
        if known is None or known[0] != version:
            known = self._kept_asked[path] = (version, self._read(path, aside=False))
        return known[1]

    def _is_aside(self, path: str) -> bool:
        root = self._workspace.files.root_of(path) or ""
        return is_aside(Path(path[len(root) :].lstrip("/\\")))

    def _helped(self, versions: dict[str, Version | None], whole: bool) -> Beside | None:
        """A second process for the files that were not read yet, if these are many."""
        files = self._workspace.files
        todo: list[Asked] = []
        size = 0
        for path, version in versions.items():
            if version is None or version.is_open or path.endswith(STUB_SUFFIX):
                continue
            if self._made(path, version, whole).has(path, version):
                continue
            todo.append(Asked(path, self._is_aside(path), files.max_file_bytes, whole))
            size += version.size
        try:
            return Beside(todo) if can_help(size) else None
        except OSError:
            return None

    def _made(self, path: str, version: Version | None, whole: bool) -> _Made:
        """Where the reading of a file is looked for: in part will do only where there is no whole one."""
        return self._whole if whole or self._whole.has(path, version) else self._in_part

    def _reading(self, path: str, version: Version | None, beside: Beside | None, whole: bool) -> Reading | None:
        made = self._made(path, version, whole)
        known = made.kept.get(path)
        if known is not None and known[0] == version:
            return known[1]
        blob = made.on_disk.get(path, version)
        reading = _decoded(blob) if blob else None
        if reading is None and beside is not None and version is not None:
            reading = self._answered(beside, path, version, made)
        if reading is None:
            reading = self._read(path, self._is_aside(path), whole)
            if blob := encoded(reading):  # what has faults is read again in the next run
                made.on_disk.put(path, version, blob)
        made.kept[path] = (version, reading)
        return reading

    def _read(self, path: str, aside: bool, whole: bool = True) -> Reading | None:
        files = self._workspace.files
        if path.endswith(STUB_SUFFIX):
            return None
        if path.endswith(PYTHON_SUFFIXES):
            module = self._workspace.modules.module(path)
            if module is None:
                return None
            source = PythonSource(Path(path), module, aside)
            if not whole or path not in files.open_paths():
                return read_python(source, whole)
            return self._read_in_pieces(path, source)
        data = files.read(path)
        return read_c(CSource(Path(path), SourceText(data), aside), whole) if isinstance(data, bytes) else None

    def _read_in_pieces(self, path: str, source: PythonSource) -> Reading:
        """A file that is being edited: what was told of functions that are as they were is not looked for again."""
        watch = Watch(source.module, self._edited.get(path))
        with watched(watch):
            reading = read_python(source)
        if watch.pieces is not None:
            self._edited.pop(path, None)
            self._edited[path] = watch.pieces
            if len(self._edited) > MOST_EDITED:
                del self._edited[next(iter(self._edited))]
        return reading
