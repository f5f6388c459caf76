"""Where modules live: source roots by package structure, dotted names to files and back.

Looks at names of files, and where scripts add folders to the path; nothing is parsed here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from msgspec import Struct

from kernelscope.workspace.added_paths import AddedPaths
from kernelscope.workspace.files import SKIPPED_FOLDERS, Files

MAX_ROOT_DEPTH = 3
MAX_LISTED_FOLDERS = 2_000
MAX_PACKAGE_DEPTH = 40

LIBRARIES = str(Path(__file__).parents[1] / "libraries")
"""Where layers of libraries are described as source that is interpreted like the workspace's."""

FRAMEWORKS: dict[str, str] = {
    "torch": "nn",
    "jax": "numpy",
    "triton": "language",
    "numpy": "linalg",
    "flax": "linen",
    "einops": "layers",
    "torchvision": "ops",
}
"""A package of this name in the workspace is the framework's own only if it holds this member."""


class ModuleRef(Struct, frozen=True):
    """A module of the workspace. `path` is its file; a package without `__init__.py` has only a folder."""

    name: str
    path: str | None
    folder: str | None = None

    @property
    def is_package(self) -> bool:
        return self.folder is not None


class Packages:
    """Finds modules by looking at folders, remembering what it saw until told to forget."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._found: dict[tuple[str, str], ModuleRef | None] = {}
        self._listing: dict[str, frozenset[str]] = {}
        self._roots: tuple[str, ...] | None = None
        self._added = AddedPaths(files)

    def forget(self) -> None:
        """Files came or went."""
        self._found.clear()
        self._listing.clear()
        self._added.forget()
        self._roots = None

    def top(self, path: str) -> str:
        """The folder that holds the topmost package of a file: its source root."""
        folder = os.path.dirname(path)
        for _ in range(MAX_PACKAGE_DEPTH):
            if "__init__.py" not in self._names(folder):
                break
            folder = os.path.dirname(folder)
        return folder

    def name_of(self, path: str) -> str:
        """The dotted name of a file as its own package would import it."""
        inside = os.path.relpath(path, self.top(path))
        parts = inside.rsplit(".", 1)[0].split(os.sep)
        return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)

    def find(self, dotted: str, importer: str) -> ModuleRef | None:
        """The module that `import dotted` reaches from the file `importer`, if it lies in the workspace."""
        folder = os.path.dirname(importer)
        key = (folder, dotted)
        if key not in self._found:
            found = self._on_added_path(dotted, importer) or self._search(dotted, importer)
            self._found[key] = found or self.described(dotted)
        return self._found[key]

    def is_described(self, module: ModuleRef) -> bool:
        """Whether a module only says what some of a library's layers are like."""
        return (module.path or "").startswith(LIBRARIES + os.sep)

    def described(self, dotted: str) -> ModuleRef | None:
        """A module of a library that the workspace does not hold, if we describe it."""
        if dotted.partition(".")[0] not in self._names(LIBRARIES):
            return None
        found = self.below(LIBRARIES, dotted)
        return found if found and found.path else None

    def relative(self, level: int, dotted: str, importer: str) -> ModuleRef | None:
        """The module that `from ..dotted import` with `level` dots reaches."""
        folder = os.path.dirname(importer)
        for _ in range(level - 1):
            folder = os.path.dirname(folder)
        return self.below(folder, dotted, os.path.basename(folder))

    def below(self, folder: str, dotted: str, package: str = "") -> ModuleRef | None:
        """The module `dotted` counted from a folder; the folder's own package when `dotted` is empty."""
        parts = [part for part in dotted.split(".") if part]
        name = ".".join([package, *parts] if package else parts)
        for part in parts[:-1]:
            folder = os.path.join(folder, part)
        if not parts:
            return self._package(folder, name)
        names = self._names(folder)
        last = parts[-1]
        found = self._package(os.path.join(folder, last), name) if last in names else None
        if found and (found.path or f"{last}.py" not in names):
            return found
        for suffix in (".py", ".pyi"):
            if last + suffix in names or os.path.join(folder, last + suffix) in self._files.open_paths():
                return ModuleRef(name, os.path.join(folder, last + suffix))
        return None

    def _package(self, folder: str, name: str) -> ModuleRef | None:
        names = self._names(folder)
        for init in ("__init__.py", "__init__.pyi"):
            if init in names:
                return ModuleRef(name, os.path.join(folder, init), folder)
        return ModuleRef(name, None, folder) if names else None

    def _search(self, dotted: str, importer: str) -> ModuleRef | None:
        first = dotted.partition(".")[0]
        if first in sys.stdlib_module_names and first != "test":
            return None
        namespace: ModuleRef | None = None
        for root in self._search_roots(importer):
            if first not in self._names(root) and f"{first}.py" not in self._names(root):
                continue
            if first in FRAMEWORKS and FRAMEWORKS[first] not in self._names(os.path.join(root, first)):
                continue
            found = self.below(root, dotted)
            if found and found.path:
                return found
            namespace = namespace or found
        return namespace if "." in dotted or self._files.roots else None

    def _on_added_path(self, dotted: str, importer: str) -> ModuleRef | None:
        """A module beside the importer that a package does not reach so, where a script puts the folder on the path."""
        folder, first = os.path.dirname(importer), dotted.partition(".")[0]
        names, root = self._names(folder), self._files.root_of(importer)
        if root is None or "__init__.py" not in names or (first not in names and f"{first}.py" not in names):
            return None
        if first in sys.stdlib_module_names or first in FRAMEWORKS or not self._added.holds(folder, root):
            return None
        found = self.below(folder, dotted)
        return found if found and found.path else None

    def _search_roots(self, importer: str) -> list[str]:
        """Nearest first: the package's own root, the folders above, other source roots."""
        roots = [self.top(importer)]
        workspace = self._files.root_of(importer)
        if workspace is not None:
            above = roots[0]
            while len(above) > len(workspace):
                above = os.path.dirname(above)
                roots.append(above)
        roots.extend(self.source_roots())
        return list(dict.fromkeys(roots))

    def source_roots(self) -> tuple[str, ...]:
        """Folders near the workspace's roots that hold a package: `.`, `src`, `python` and the like."""
        if self._roots is None:
            self._roots = tuple(self._list_source_roots())
        return self._roots

    def _list_source_roots(self) -> list[str]:
        found: list[str] = []
        level = list(self._files.roots)
        listed = 0
        for _ in range(MAX_ROOT_DEPTH):
            below: list[str] = []
            for folder in level:
                listed += 1
                if listed > MAX_LISTED_FOLDERS:
                    return found
                folders = [
                    os.path.join(folder, name)
                    for name in sorted(self._names(folder))
                    if name not in SKIPPED_FOLDERS and not name.startswith(".") and "." not in name
                ]
                packages = [path for path in folders if "__init__.py" in self._names(path)]
                if packages:
                    found.append(folder)
                below.extend(path for path in folders if path not in packages and self._names(path))
            level = below
        return found

    def _names(self, folder: str) -> frozenset[str]:
        names = self._listing.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(folder))
            except (OSError, ValueError):
                names = frozenset[str]()
            self._listing[folder] = names
        return names
