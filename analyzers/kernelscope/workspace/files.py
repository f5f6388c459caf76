"""The only reader of the user's files: open documents over the disk, bounded sizes, and why something was left out.

Does not parse, does not write, and never follows a symbolic link out of the workspace while walking.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kernelscope.results import LeftOut
from kernelscope.workspace.ignore import Rule, parse_rules, verdict

MAX_FILE_BYTES = 8 << 20
MAX_FILES = 100_000
MAX_IGNORE_BYTES = 1 << 18
MAX_LEFT_OUT = 10_000
MAX_FOLDER_DEPTH = 64

PYTHON_SUFFIXES = (".py", ".pyi")
CUDA_SUFFIXES = (".cu", ".cuh", ".h", ".hpp", ".hh", ".cpp", ".cc", ".cxx", ".inl", ".hip")
SOURCE_SUFFIXES = PYTHON_SUFFIXES + CUDA_SUFFIXES

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


@dataclass(frozen=True, slots=True)
class Version:
    """What a file's content is known by: equal versions mean equal bytes, as far as the system tells."""

    mtime_ns: int
    size: int
    edit: int = 0
    """Grows with every edit of an open document and with every change that the client announces."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A source file met while walking."""

    path: str
    size: int
    mtime_ns: int


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
        self._left_out: dict[str, str] = {}

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
        with self._lock:
            self._edits[path] = self._edits.get(path, 0) + 1
            self.changes += 1

    def open_paths(self) -> tuple[str, ...]:
        """The documents whose text comes from the editor."""
        return tuple(self._open)

    # -- reading -----------------------------------------------------------------------------------------

    def version(self, path: str) -> Version | None:
        """The version that `read` would return now; None when there is no such regular file."""
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
        if data is None:
            read = read_bounded(path, self.max_file_bytes)
        else:
            read = data if len(data) <= self.max_file_bytes else _too_large(path, len(data), self.max_file_bytes)
        if isinstance(read, LeftOut):
            self._leave_out(path, read.reason)
        else:
            self._left_out.pop(path, None)
        return read

    # -- walking -----------------------------------------------------------------------------------------

    def walk(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Entry]:
        """Every source file below the roots, in an order that does not depend on the disk.

        Honours `.gitignore`; skips installed packages and caches; enters no symbolic link to a folder.
        """
        count = 0
        walked: set[str] = set()
        for root in self.roots:
            for entry in self._walk_root(root, walked, cancelled):
                count += 1
                if count > MAX_FILES:
                    self._leave_out(root, f"more than {MAX_FILES:,} source files; the rest is not indexed")
                    return
                yield entry

    def left_out(self) -> tuple[LeftOut, ...]:
        """What was not analysed so far and why, sorted by path."""
        return tuple(LeftOut(Path(path), reason) for path, reason in sorted(self._left_out.items()))

    def is_indexed(self, path: str) -> bool:
        """Whether a path lies in a root and below no skipped folder (ignore files are not consulted)."""
        root = self.root_of(path)
        if root is None or not path.endswith(SOURCE_SUFFIXES):
            return False
        return not any(part in SKIPPED_FOLDERS for part in path[len(root) :].split(os.sep))

    def root_of(self, path: str) -> str | None:
        """The root that a path lies below; the innermost when roots are nested."""
        holding = [root for root in self.roots if path.startswith(root.rstrip(os.sep) + os.sep)]
        return max(holding, key=len, default=None)

    def _walk_root(self, root: str, walked: set[str], cancelled: Callable[[], bool]) -> Iterator[Entry]:
        stack: list[tuple[str, int, tuple[_Rules, ...]]] = [(root, 0, self._rules_above(root))]
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
            rules = inherited
            if any(child.name == ".gitignore" for child in children) and (own := self._rules_of(folder)):
                rules = (*inherited, own)
            below: list[tuple[str, int, tuple[_Rules, ...]]] = []
            for child in children:
                name = child.name
                try:
                    if child.is_dir(follow_symlinks=False):
                        reason = self._why_skip_folder(child.path, name, rules, depth)
                        if reason is None:
                            below.append((child.path, depth + 1, rules))
                        else:
                            self._leave_out(child.path, reason)
                    elif name.endswith(SOURCE_SUFFIXES) and (entry := self._source_file(child, rules)):
                        yield entry
                    elif child.is_symlink() and child.is_dir():
                        self._leave_out(child.path, "symbolic link to a folder")
                except OSError as error:
                    self._leave_out(child.path, f"cannot be read: {error.strerror or error}")
            stack.extend(reversed(below))

    def _why_skip_folder(self, path: str, name: str, rules: tuple[_Rules, ...], depth: int) -> str | None:
        if name in SKIPPED_FOLDERS:
            return SKIPPED_FOLDERS[name]
        if depth >= MAX_FOLDER_DEPTH:
            return f"more than {MAX_FOLDER_DEPTH} folders deep"
        if _ignored(rules, path, is_folder=True):
            return "ignored by .gitignore"
        if os.path.exists(os.path.join(path, "pyvenv.cfg")):
            return "a virtual environment"
        return None

    def _source_file(self, child: os.DirEntry[str], rules: tuple[_Rules, ...]) -> Entry | None:
        if _ignored(rules, child.path, is_folder=False):
            self._leave_out(child.path, "ignored by .gitignore")
            return None
        if child.is_symlink():
            real = os.path.realpath(child.path)
            inside = any(real.startswith(os.path.realpath(root).rstrip(os.sep) + os.sep) for root in self.roots)
            self._leave_out(child.path, "symbolic link to " + (real if inside else "a file outside the workspace"))
            return None
        found = child.stat()
        if not stat.S_ISREG(found.st_mode):
            self._leave_out(child.path, "not a regular file")
            return None
        if found.st_size > self.max_file_bytes:
            self._leave_out(child.path, _too_large(child.path, found.st_size, self.max_file_bytes).reason)
            return None
        return Entry(child.path, found.st_size, found.st_mtime_ns)

    def _rules_of(self, folder: str, name: str = ".gitignore") -> _Rules | None:
        data = read_bounded(os.path.join(folder, name), MAX_IGNORE_BYTES)
        rules = () if isinstance(data, LeftOut) else parse_rules(data.decode("utf-8", "replace"))
        return _Rules(folder, rules) if rules else None

    def _rules_above(self, root: str) -> tuple[_Rules, ...]:
        """Rules of the enclosing repository, unless they would ignore the very folder the user opened."""
        folders: list[str] = []
        folder = root
        while not os.path.exists(os.path.join(folder, ".git")):
            parent = os.path.dirname(folder)
            if parent == folder or len(folders) > MAX_FOLDER_DEPTH:
                return ()
            folder = parent
            folders.append(folder)
        found = [self._rules_of(folder, os.path.join(".git", "info", "exclude"))]
        found += [self._rules_of(above) for above in reversed(folders)]
        rules = tuple(rule for rule in found if rule)
        return () if folders and _ignored(rules, root, is_folder=True) else rules

    def _leave_out(self, path: str, reason: str) -> None:
        if path in self._left_out or len(self._left_out) < MAX_LEFT_OUT:
            self._left_out[path] = reason


@dataclass(frozen=True, slots=True)
class _Rules:
    """The ignore rules of one folder."""

    folder: str
    rules: tuple[Rule, ...]


def _ignored(rules: tuple[_Rules, ...], path: str, is_folder: bool) -> bool:
    """The innermost folder whose rules speak of the path decides."""
    for group in reversed(rules):
        relative = path[len(group.folder.rstrip(os.sep)) + 1 :]
        said = verdict(group.rules, relative.replace(os.sep, "/"), is_folder)
        if said is not None:
            return said
    return False


def read_bounded(path: str, limit: int) -> bytes | LeftOut:
    """Reads a regular file of at most `limit` bytes; never blocks on a pipe, never raises."""
    return read_stamped(path, limit)[1]


def read_stamped(path: str, limit: int) -> tuple[Version, bytes | LeftOut]:
    """The same with the file's size and time as they were before it was read, so that a later change is seen."""
    stamp = Version(-1, -1)
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        return stamp, LeftOut(Path(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        found = os.fstat(descriptor)
        stamp = Version(found.st_mtime_ns, found.st_size)
        if not stat.S_ISREG(found.st_mode):
            return stamp, LeftOut(Path(path), "not a regular file")
        if found.st_size > limit:
            return stamp, _too_large(path, found.st_size, limit)
        data = os.read(descriptor, found.st_size + 1)
        while len(data) != found.st_size and (chunk := os.read(descriptor, max(found.st_size - len(data), 0) + 1)):
            data += chunk
            if len(data) > limit:
                return stamp, _too_large(path, len(data), limit)
    except OSError as error:
        return stamp, LeftOut(Path(path), f"cannot be read: {error.strerror or error}")
    finally:
        os.close(descriptor)
    reason = _not_text(data)
    return stamp, LeftOut(Path(path), reason) if reason else data


def _not_text(data: bytes) -> str | None:
    """UTF-16 and binary content under a source name: every offset in it would mislead."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16 text; save it as UTF-8"
    head = data[:4096]
    return "binary content" if head.count(b"\0") > len(head) // 16 else None


def _too_large(path: str, size: int, limit: int) -> LeftOut:
    return LeftOut(Path(path), f"{size / (1 << 20):.1f} MiB, larger than the limit of {limit / (1 << 20):g} MiB")
