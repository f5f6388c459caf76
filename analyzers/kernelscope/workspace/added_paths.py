"""Folders that scripts add to Python's path: `sys.path.append("core")`, `sys.path.insert(0, dirname(__file__))`.

Looks at the scripts around a file only, and at the texts and turns upwards in what they add, not at what computes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from kernelscope.results import LeftOut
from kernelscope.workspace.files import Files

MAX_SCRIPTS = 60
"""Files that are looked at in one folder."""
ADDED = re.compile(rb"^[ \t]*sys\.path\.(?:append|insert)\(([^\n]*)", re.MULTILINE)
TEXT = re.compile(rb"""["']([^"'\n]*)["']""")
OWN = b"__file__"
UPWARDS = re.compile(rb"dirname\(|\.parent\b")


class AddedPaths:
    """Which folders scripts put on the path, found folder by folder and remembered until told to forget."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._by_scripts_in: dict[str, frozenset[str]] = {}

    def forget(self) -> None:
        """Files came or went."""
        self._by_scripts_in.clear()

    def holds(self, folder: str, root: str) -> bool:
        """Whether a script in a folder, or above it up to `root`, puts the folder on the path."""
        above = folder
        while True:
            if folder in self._added_in(above):
                return True
            if len(above) <= len(root):
                return False
            above = os.path.dirname(above)

    def _added_in(self, folder: str) -> frozenset[str]:
        known = self._by_scripts_in.get(folder)
        if known is None:
            self._by_scripts_in[folder] = known = frozenset(self._listed(folder))
        return known

    def _listed(self, folder: str) -> Iterator[str]:
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(".py"))
        except (OSError, ValueError):
            return
        for name in names[:MAX_SCRIPTS]:
            data = self._files.read(os.path.join(folder, name))
            if not isinstance(data, LeftOut) and b"sys.path" in data:
                for added in ADDED.findall(data):
                    yield _meant(folder, name, added)


def _meant(folder: str, name: str, added: bytes) -> str:
    """The folder that is added: what its texts name, from the script's own folder or from where it turns to."""
    start = os.path.join(folder, name) if OWN in added else folder
    for _ in UPWARDS.findall(added) if OWN in added else ():
        start = os.path.dirname(start)
    parts = [text.decode("utf-8", "replace") for text in TEXT.findall(added)]
    return os.path.normpath(os.path.join(start, *parts))
