"""Which workspace file an `#include` names: beside the file, below a folder above it, or the nearest one of its name.

Build files, which would say where headers are looked for, are not read.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import takewhile

from kernelscope.workspace.files import CUDA_SUFFIXES
from kernelscope.workspace.workspace import Workspace

_INCLUDE = re.compile(rb"(?m)^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"\n]+)[>\"]")
_INCLUDE_FOLDERS = ("", "include", "src", "csrc", "inc", "Common")


@dataclass(frozen=True, slots=True)
class Include:
    """An include as it is written."""

    name: str
    quoted: bool

    @property
    def is_of_a_project(self) -> bool:
        """Whether it is none of the system's headers, such as `<math.h>`."""
        return self.quoted or "/" in self.name


def written_includes(data: bytes) -> tuple[Include, ...]:
    """The includes of a file, those behind `#if` too."""
    return tuple(Include(m[2].decode("utf-8", "replace"), m[1] == b'"') for m in _INCLUDE.finditer(data))


class Includes:
    """Where includes lead in one workspace; found once for as long as its files stay the same."""

    def __init__(self, workspace: Workspace) -> None:
        self.files = workspace.files
        self.index = workspace.index
        self._found: dict[tuple[str, Include], str | None] = {}
        self._found_at = (0, 0)

    def file(self, path: str, include: Include) -> str | None:
        """The file that an include of another one names; None for one outside of the workspace."""
        if not include.name.endswith(CUDA_SUFFIXES):
            return None
        state = (self.files.changes, self.index.generation)
        if state != self._found_at:
            self._found, self._found_at = {}, state
        key = (os.path.dirname(path), include)
        if key not in self._found:
            self._found[key] = self._around(*key) or (self._nearest(*key) if include.is_of_a_project else None)
        return self._found[key]

    def _around(self, folder: str, include: Include) -> str | None:
        """Beside a file, or in one of the usual folders below those above it."""
        name = include.name
        beside = os.path.normpath(os.path.join(folder, name))
        if self.files.exists(beside):
            return beside
        root = self.files.root_of(os.path.join(folder, name)) or folder
        while True:
            for inner in _INCLUDE_FOLDERS:
                candidate = os.path.normpath(os.path.join(folder, inner, name))
                if self.files.exists(candidate):
                    return candidate
            if folder == root or os.path.dirname(folder) == folder or not folder.startswith(root):
                return None
            folder = os.path.dirname(folder)

    def _nearest(self, folder: str, include: Include) -> str | None:
        """The indexed file of that name with most folders in common with the file; None where several have."""
        tail = "/" + os.path.normpath(include.name).lstrip("./")
        paths = [path for path in self.index.paths_named(os.path.basename(tail)) if path.endswith(tail)]
        common = [_common_folders(folder, path) for path in paths]
        nearest = [path for path, length in zip(paths, common, strict=True) if length == max(common)]
        return nearest[0] if len(nearest) == 1 else None


def _common_folders(folder: str, path: str) -> int:
    pairs = zip(folder.split(os.sep), path.split(os.sep), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
