"""The folders that hold indexed files, and those above them."""

from __future__ import annotations

import os
from collections.abc import Iterable


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
