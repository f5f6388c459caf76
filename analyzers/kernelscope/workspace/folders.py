"""The folders that hold indexed files, and those above them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property


class Folders:
    """Folders of the files that are known in one state of the index."""

    def __init__(self, state: tuple[int, int], paths: Iterable[str]) -> None:
        self.state = state
        self.files: dict[str, list[str]] = {}
        """The files right in each."""
        for path in paths:
            self.files.setdefault(os.path.dirname(path), []).append(path)
        self.above: set[str] = set()
        """These folders and all above them."""
        for folder in self.files:
            while folder not in self.above:
                self.above.add(folder)
                folder = os.path.dirname(folder)

    @cached_property
    def named(self) -> dict[str, list[str]]:
        """The files of each name."""
        found: dict[str, list[str]] = {}
        for path in sorted(path for paths in self.files.values() for path in paths):
            found.setdefault(os.path.basename(path), []).append(path)
        return found
