"""The only reader of the user's files: open documents over the disk, bounded sizes, and why something was left out.

Does not parse, does not write, and never follows a symbolic link out of the workspace while walking.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from kernelscope.results import LeftOut
from kernelscope.workspace.exclusions import Exclusions
from kernelscope.workspace.reading import MAX_FILE_BYTES, Version, read_bounded, too_large

MAX_FILES = 100_000
MAX_LEFT_OUT = 10_000
MAX_FOLDER_DEPTH = 64
IGNORED = "ignored by .gitignore"
NOT_UTF8 = "a name that is not UTF-8; rename it"
"""Neither a URI of the editor nor a row of the cache can hold it."""

PYTHON_SUFFIXES = (".py", ".pyi")
CUDA_SUFFIXES = (".cu", ".cuh", ".h", ".hpp", ".hh", ".cpp", ".cc", ".cxx", ".c", ".inl", ".hip")
SOURCE_SUFFIXES = PYTHON_SUFFIXES + CUDA_SUFFIXES
OTHER_LANGUAGES = {".rs": "Rust", ".go": "Go", ".java": "Java", ".scala": "Scala", ".swift": "Swift", ".metal": "Metal",
                   ".mm": "Objective-C", ".kt": "Kotlin", ".zig": "Zig", ".mojo": "Mojo"}  # fmt: skip
"""Languages that parts of LLM systems are written in and nothing here reads."""
WATCHED_SUFFIXES = (*SOURCE_SUFFIXES, ".json", ".yaml", ".yml")
"""Configurations of models and of programs are read beside the source."""

SKIPPED_FOLDERS: dict[str, str] = {
    ".git": "version control",
    ".hg": "version control",
    ".svn": "version control",
    "__pycache__": "compiled Python",
    "node_modules": "installed packages",
    "site-packages": "installed packages",
    ".tox": "test environments",
    ".nox": "test environments",
    ".mypy_cache": "cache of a tool",
    ".ruff_cache": "cache of a tool",
    ".pytest_cache": "cache of a tool",
    ".eggs": "installed packages",
}


class Entry(Struct, frozen=True):
    """A source file met while walking."""

    path: str
    size: int
    mtime_ns: int


class _Noted(threading.local):
    """What this thread was told of files, where somebody wants to know."""

    versions: dict[str, Version | None] | None = None


class Files:
    """Reads files below and outside the roots; the text of an open document hides the one on disk.

    Paths are absolute strings. Safe to use from several threads.
    """

    def __init__(self, roots: tuple[str, ...] | list[str] = (), max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self.roots: tuple[str, ...] = tuple(dict.fromkeys(os.path.abspath(root) for root in roots))
        self.max_file_bytes = max_file_bytes
        self._lock = threading.Lock()
        self._open: dict[str, bytes] = {}
        self._edits: dict[str, int] = {}
        self.changes = 0
        """Counts edits of open documents and announced changes: equal numbers mean that neither happened."""
        self._noted = _Noted()
        self._left_out: dict[str, str] = {}
        self._others: dict[str, str] = {}

    # -- open documents and announced changes ------------------------------------------------------------

    def set_text(self, path: str, data: bytes | None) -> None:
        """Content of an open document, or None when it was closed and the disk counts again."""
        with self._lock:
            if data is None:
                self._open.pop(path, None)
            else:
                self._open[path] = data
            self._edits[path] = self._edits.get(path, 0) + 1
            self.changes += 1

    def announce(self, path: str) -> None:
        """The client says that this file changed: even an equal size and time no longer mean equal bytes."""
        if not path.endswith(WATCHED_SUFFIXES):
            return
        with self._lock:
            self._edits[path] = self._edits.get(path, 0) + 1
            self.changes += 1

    def open_paths(self) -> tuple[str, ...]:
        """The documents whose text comes from the editor."""
        return tuple(self._open)

    # -- reading -----------------------------------------------------------------------------------------

    @contextmanager
    def noting(self) -> Generator[dict[str, Version | None]]:
        """Inside, the versions of the files that this thread asks for or reads are noted.

        What it makes of them is right for as long as these stay.
        """
        outer, own = self._noted.versions, dict[str, Version | None]()
        self._noted.versions = own
        try:
            yield own
        finally:
            self._noted.versions = outer

    def version(self, path: str) -> Version | None:
        """The version that `read` would return now; None when there is no such regular file."""
        found = self._version(path)
        if (noted := self._noted.versions) is not None:
            noted[path] = found
        return found

    def _version(self, path: str) -> Version | None:
        edit = self._edits.get(path, 0)
        data = self._open.get(path)
        if data is not None:
            return Version(-1, len(data), edit)
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        return Version(found.st_mtime_ns, found.st_size, edit) if stat.S_ISREG(found.st_mode) else None

    def exists(self, path: str) -> bool:
        """Whether there is such a document or regular file."""
        return path in self._open or os.path.isfile(path)

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        return os.path.isdir(path)

    def beside(self, folder: str, suffixes: tuple[str, ...]) -> list[str]:
        """The files right in a folder that end so, by name; for what has to be known before the folder is indexed."""
        try:
            with os.scandir(folder) as entries:
                return sorted(entry.path for entry in entries if entry.name.endswith(suffixes) and entry.is_file())
        except OSError:
            return []

    def read(self, path: str) -> bytes | LeftOut:
        """The bytes as they are (any encoding, any line ends), or why they are not to be had."""
        data = self._open.get(path)
        if self._noted.versions is not None:
            self.version(path)
        if data is None:
            read = read_bounded(path, self.max_file_bytes)
        else:
            read = data if len(data) <= self.max_file_bytes else too_large(path, len(data), self.max_file_bytes)
        if isinstance(read, LeftOut):
            self._leave_out(path, read.reason)
        else:
            self._left_out.pop(path, None)
        return read

    def read_binary(self, path: str) -> bytes | LeftOut:
        """The bytes of a file that is no text, such as what a compiler made."""
        if self._noted.versions is not None:
            self.version(path)
        return read_bounded(path, self.max_file_bytes, is_text=False)

    # -- walking -----------------------------------------------------------------------------------------

    def walk(self, cancelled: Callable[[], bool] = lambda: False, within: Sequence[str] = ()) -> Iterator[Entry]:
        """Every source file below the roots, in an order that does not depend on the disk.

        Honours `.gitignore` in repositories, but for files that git tracks; skips installed packages and caches;
        enters no symbolic link to a folder. With `within`, only what lies at or below those paths.
        """
        count = 0
        walked: set[str] = set()
        self._others.clear()
        for root in self.roots:
            for entry in self._walk_root(root, walked, cancelled, within):
                count += 1
                if count > MAX_FILES:
                    self._leave_out(root, f"more than {MAX_FILES:,} source files; the rest is not indexed")
                    return
                yield entry

    def other_languages(self, folder: str) -> dict[str, int]:
        """How many files of languages that are not read the last walk met below a folder, most first."""
        inside = folder.rstrip(os.sep) + os.sep
        found = Counter(language for path, language in self._others.items() if path.startswith(inside))
        return dict(found.most_common())

    def left_out(self) -> tuple[LeftOut, ...]:
        """What was not analysed so far and why, sorted by path."""
        return tuple(LeftOut(Path(path), reason) for path, reason in sorted(self._left_out.items()))

    def is_indexed(self, path: str) -> bool:
        """Whether a path lies in a root and below no skipped folder (ignore files are not consulted)."""
        return (
            path.endswith(SOURCE_SUFFIXES)
            and is_utf8(path)
            and self.root_of(path) is not None
            and not self.is_skipped(path)
        )

    def is_skipped(self, path: str) -> bool:
        """Whether a path in a root is, or lies in, a folder that is never entered."""
        root = self.root_of(path) or ""
        return any(part in SKIPPED_FOLDERS for part in path[len(root) :].split(os.sep))

    def root_of(self, path: str) -> str | None:
        """The root that a path lies below; the innermost when roots are nested."""
        holding = [root for root in self.roots if path.startswith(root.rstrip(os.sep) + os.sep)]
        return max(holding, key=len, default=None)

    def is_within(self, path: str) -> bool:
        """Whether what a path leads to, through links, lies in a root: for paths that source names."""
        real = os.path.join(os.path.realpath(path), "")
        return any(real.startswith(os.path.join(os.path.realpath(root), "")) for root in self.roots)

    def _walk_root(
        self, root: str, walked: set[str], cancelled: Callable[[], bool], within: Sequence[str]
    ) -> Iterator[Entry]:
        stack: list[tuple[str, int, Exclusions]] = [(root, 0, Exclusions.above(root))]
        while stack:
            if cancelled():
                return
            folder, depth, inherited = stack.pop()
            if folder in walked:
                continue
            walked.add(folder)
            try:
                with os.scandir(folder) as scan:
                    children = sorted(scan, key=lambda child: child.name)
            except OSError as error:
                self._leave_out(folder, f"folder cannot be read: {error.strerror or error}")
                continue
            exclusions = inherited.inside(folder, {child.name for child in children})
            below: list[tuple[str, int, Exclusions]] = []
            for child in children:
                name = child.name
                if within and not any(_meet(child.path, part) for part in within):
                    continue
                if not is_utf8(name):
                    self._leave_out(child.path, NOT_UTF8)
                    continue
                try:
                    if child.is_dir(follow_symlinks=False):
                        entered = exclusions.entering(child.path)
                        reason = _why_skip_folder(child.path, name, depth) or (IGNORED if entered is None else None)
                        if reason is None and entered is not None:
                            below.append((child.path, depth + 1, entered))
                        else:
                            self._leave_out(child.path, reason or IGNORED)
                    elif name.endswith(SOURCE_SUFFIXES) and (entry := self._source_file(child, exclusions)):
                        yield entry
                    elif (language := OTHER_LANGUAGES.get(os.path.splitext(name)[1])) and len(
                        self._others
                    ) < MAX_LEFT_OUT:
                        self._others[child.path] = language
                    elif child.is_symlink() and child.is_dir():
                        self._leave_out(child.path, "symbolic link to a folder")
                except OSError as error:
                    self._leave_out(child.path, f"cannot be read: {error.strerror or error}")
            stack.extend(reversed(below))

    def _source_file(self, child: os.DirEntry[str], exclusions: Exclusions) -> Entry | None:
        if exclusions.leaves_out(child.path):
            self._leave_out(child.path, IGNORED)
            return None
        if child.is_symlink():
            told = os.path.realpath(child.path) if self.is_within(child.path) else "a file outside the workspace"
            self._leave_out(child.path, f"symbolic link to {told}")
            return None
        found = child.stat()
        if not stat.S_ISREG(found.st_mode):
            self._leave_out(child.path, "not a regular file")
            return None
        if found.st_size > self.max_file_bytes:
            self._leave_out(child.path, too_large(child.path, found.st_size, self.max_file_bytes).reason)
            return None
        return Entry(child.path, found.st_size, found.st_mtime_ns)

    def _leave_out(self, path: str, reason: str) -> None:
        if path in self._left_out or len(self._left_out) < MAX_LEFT_OUT:
            self._left_out[path] = reason


def is_utf8(name: str) -> bool:
    """Whether the system gave the name of a file as text, not with bytes that are none."""
    return name.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in name)


def _meet(path: str, part: str) -> bool:
    """Whether one of two paths is the other or lies below it."""
    return path == part or path.startswith(part + os.sep) or part.startswith(path + os.sep)


def _why_skip_folder(path: str, name: str, depth: int) -> str | None:
    if name in SKIPPED_FOLDERS:
        return SKIPPED_FOLDERS[name]
    if depth >= MAX_FOLDER_DEPTH:
        return f"more than {MAX_FOLDER_DEPTH} folders deep"
    if os.path.exists(os.path.join(path, "pyvenv.cfg")):
        return "a virtual environment"
    return None
