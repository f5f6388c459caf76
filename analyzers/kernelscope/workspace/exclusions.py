"""What version control leaves out below a folder: by the ignore rules in force, less what git tracks all the same.

Outside of a repository nothing is left out: rules say what git would add, and what is there was given.
"""

from __future__ import annotations

import os
from collections.abc import Set
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from kernelscope.results import LeftOut
from kernelscope.workspace.git_index import names_in
from kernelscope.workspace.ignore import Rules, parse_rules
from kernelscope.workspace.reading import read_bounded

MAX_IGNORE_BYTES = 1 << 18
MAX_INDEX_BYTES = 64 << 20
MAX_FOLDERS_ABOVE = 64


class FolderRules(Struct, frozen=True):
    """The ignore rules of one folder."""

    folder: str
    rules: Rules


class Tracked:
    """The files that the index of one repository names, read when they are first asked for."""

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def holds(self, path: str) -> bool:
        """Whether a file is tracked, or any file below a folder."""
        return path[len(self._repository.rstrip(os.sep)) + 1 :].replace(os.sep, "/") in self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        data = _bytes_of(os.path.join(_git_folder(self._repository), "index"), MAX_INDEX_BYTES)
        names = set(names_in(data))
        for name in list(names):
            folder = name.rpartition("/")[0]
            while folder and folder not in names:
                names.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(names)


class Exclusions(Struct, frozen=True):
    """What is left out in one folder; the innermost folder whose rules speak of a path decides."""

    rules: tuple[FolderRules, ...] = ()
    tracked: Tracked | None = None
    tracked_only: bool = False
    """Whether the rules leave out the folder itself, which is entered for the tracked files below it."""

    @classmethod
    def above(cls, root: str) -> Exclusions:
        """Those of the enclosing repository, unless its rules would ignore the very folder the user opened."""
        folders: list[str] = []
        folder = root
        while not os.path.exists(os.path.join(folder, ".git")):
            parent = os.path.dirname(folder)
            if parent == folder or len(folders) > MAX_FOLDERS_ABOVE:
                return cls()
            folder = parent
            folders.append(folder)
        found = [_rules_of(folder, os.path.join(".git", "info", "exclude"))]
        found += [_rules_of(above) for above in reversed(folders)]
        here = cls(tuple(rules for rules in found if rules.rules.each), Tracked(folder))
        return cls(tracked=here.tracked) if folders and here._ignores(root, is_folder=True) else here

    def inside(self, folder: str, names: Set[str]) -> Exclusions:
        """Those among the entries of a folder, by what the folder itself says."""
        found = self
        if ".git" in names and not self.tracked_only:
            found = replace(found, tracked=Tracked(folder))
        if found.tracked is None:
            return found  # what is tracked though a rule matches it cannot be told from the rest
        if ".gitignore" in names and (own := _rules_of(folder)).rules.each:
            found = replace(found, rules=(*found.rules, own))
        return found

    def entering(self, folder: str) -> Exclusions | None:
        """Those of a folder right below, or None where it is left out with all that it holds."""
        if not (self.tracked_only or self._ignores(folder, is_folder=True)):
            return self
        return replace(self, tracked_only=True) if self._is_tracked(folder) else None

    def leaves_out(self, file: str) -> bool:
        """Whether a file of the folder is left out."""
        return (self.tracked_only or self._ignores(file, is_folder=False)) and not self._is_tracked(file)

    def _is_tracked(self, path: str) -> bool:
        return self.tracked is not None and self.tracked.holds(path)

    def _ignores(self, path: str, is_folder: bool) -> bool:
        for group in reversed(self.rules):
            relative = path[len(group.folder.rstrip(os.sep)) + 1 :]
            said = group.rules.verdict(relative.replace(os.sep, "/"), is_folder)
            if said is not None:
                return said
        return False


def _bytes_of(path: str, limit: int) -> bytes:
    """The bytes of a file that may not be there; none where it is not."""
    data = read_bounded(path, limit, is_text=False)
    return b"" if isinstance(data, LeftOut) else data


def _rules_of(folder: str, name: str = ".gitignore") -> FolderRules:
    return FolderRules(
        folder, parse_rules(_bytes_of(os.path.join(folder, name), MAX_IGNORE_BYTES).decode("utf-8", "replace"))
    )


def _git_folder(repository: str) -> str:
    """`.git`, or where a file of that name says that the repository's data are: of a linked working tree."""
    place = os.path.join(repository, ".git")
    said = _bytes_of(place, 4_096).decode("utf-8", "replace")
    return os.path.join(repository, said.removeprefix("gitdir:").strip()) if said.startswith("gitdir:") else place
