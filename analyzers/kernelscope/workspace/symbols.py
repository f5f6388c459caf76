"""The symbol search: fuzzy and ranked, over one flat table of the names of all files.

Knows names, kinds and places only; open documents replace their file's part of the table.
"""

from __future__ import annotations

import heapq
import re
import threading

from msgspec import Struct

from kernelscope.workspace.facts import DefKind, FileNames, Name, rows
from kernelscope.workspace.packed_names import NOTHING, PackedNames

MAX_EXAMINED = 20_000
MAX_QUERY = 100
MAX_ROWS = 500
MAX_NAMED = 4_000
ENOUGH = 20
"""With so many names that contain the query, or one that is it, letters in order are not looked for."""

_WEIGHT: dict[DefKind, int] = {
    DefKind.CUDA_KERNEL: 0,
    DefKind.CLASS: 0,
    DefKind.FUNCTION: 1,
    DefKind.STRUCT: 1,
    DefKind.CUDA_FUNCTION: 1,
    DefKind.METHOD: 2,
    DefKind.VARIABLE: 3,
    DefKind.MACRO: 3,
    DefKind.FIELD: 4,
    DefKind.MODULE: 4,
}


class Match(Struct, frozen=True):
    """A found name with the file it stands in."""

    path: str
    name: Name


class SymbolTable:
    """All names of the workspace. Adding is cheap; what was added is put into the text when it is next searched."""

    def __init__(self) -> None:
        self._base = NOTHING
        self._changed: dict[str, FileNames | None] = {}
        """What is not in the text yet; None of a file that goes."""
        self._changes = 0
        self._lock = threading.Lock()
        self._flat = _Flat(NOTHING, 0)

    def __len__(self) -> int:
        return len(self._joined().packed)

    def take(self, names: PackedNames) -> None:
        """Begin with these; what was put before stays."""
        with self._lock:
            put = {path: self._base.names(place) for place, path in enumerate(self._base.paths)} | self._changed
            self._changed = {
                path: given for path, given in put.items() if given is None or not names.holds(path, given)
            }
            self._base = names
            self._changes += 1

    def put(self, path: str, names: FileNames, is_one_of_many: bool = False) -> None:
        """One of many is searched once they are `settled`, or something else changed: joining them takes a while."""
        with self._lock:
            if path not in self._changed and self._base.holds(path, names):
                return
            self._changed[path] = names
            self._changes += not is_one_of_many

    def settle(self) -> None:
        """What was put so far is searched from now on."""
        with self._lock:
            self._changes += bool(self._changed)

    def drop(self, path: str) -> None:
        with self._lock:
            if path in self._changed or self._base.holds(path):
                self._changed[path] = None
                self._changes += 1

    def defining(self, name: str) -> list[str]:
        """Files that define this very name."""
        return list(dict.fromkeys(match.path for match in self.named(name)))

    def named(self, name: str, at_most: int = MAX_EXAMINED) -> list[Match]:
        """Every definition of this very name; none when there are more than `at_most`."""
        flat = self._joined()
        positions = flat.named(name)
        return [flat.at(position + 1) for position in positions] if len(positions) <= at_most else []

    def count(self, name: str) -> int:
        """How many definitions have this very name."""
        return len(self._joined().named(name))

    def search(self, query: str, limit: int) -> list[Match]:
        """Names that contain the query or its letters in order, best first; a dot separates the container.

        Rank: the very name, its beginning, the beginning of a word in it, anywhere, letters in order; then kind,
        length, name, path and line, so that the order depends on nothing else.
        """
        flat = self._joined()
        if len(flat.names) > MAX_ROWS:
            flat.names.clear()
        container, _, wanted = _one_line(query)[:MAX_QUERY].rpartition(".")
        needle = wanted.encode("utf-8", "replace").lower()
        positions = flat.find(needle, flat.lower) if needle else flat.first(4 * limit)
        if len(positions) < ENOUGH and len(needle) >= 3 and b"\n" + needle + b"\n" not in flat.lower:
            positions = [*positions, *flat.subsequences(needle)]
        if container:
            found = [match for match in map(flat.at, positions) if container.lower() in match.name.container.lower()]
        else:
            count = 2 * limit if needle else len(positions)
            near_best = heapq.nsmallest(count, positions, key=lambda position: flat.rough_rank(position, wanted))
            found = [flat.at(position) for position in near_best]
        unique = {(match.path, match.name): match for match in found}
        return sorted(unique.values(), key=lambda match: _rank(match, wanted))[:limit]

    def _joined(self) -> _Flat:
        """The table as it is now. Two threads may join it at once: whoever began later knows more."""
        flat = self._flat
        if flat.changes != self._changes:
            with self._lock:
                base, changed, changes = self._base, dict(self._changed), self._changes
            flat = _Flat(base.changed(changed) if changed else base, changes)
            with self._lock:
                if self._flat.changes < changes:
                    self._flat = flat
                if self._base is base:
                    self._base = flat.packed
                    newer = {p: n for p, n in self._changed.items() if p not in changed or changed[p] is not n}
                    self._changed = newer
        return flat


class _Flat:
    """The names of all files as one text, in the order of the paths. Never changes once made."""

    def __init__(self, packed: PackedNames, changes: int) -> None:
        self.changes = changes
        """How often names had been put or dropped."""
        self.packed = packed
        self.names: dict[int, tuple[Name, ...]] = {}
        """Names in rows, of the files that matched so far."""
        self._named: dict[str, list[int]] = {}
        self.text = packed.text
        self.lower = self.text.lower()

    def named(self, name: str) -> list[int]:
        """Where the very name occurs; kept, as callers of one method ask for it again and again."""
        found = self._named.get(name)
        if found is None:
            if len(self._named) >= MAX_NAMED:
                self._named.clear()
            found = self._named[name] = self.find(f"\n{name}\n".encode(), self.text)
        return found

    def find(self, needle: bytes, text: bytes) -> list[int]:
        """Where the needle occurs, at most once in a name."""
        found: list[int] = []
        position = text.find(needle)
        while position >= 0 and len(found) < MAX_EXAMINED:
            found.append(position)
            line_end = text.find(b"\n", position + 1)
            position = text.find(needle, max(line_end, position + 1)) if line_end >= 0 else -1
        return found

    def subsequences(self, needle: bytes) -> list[int]:
        """Where names hold the letters of the needle in order."""
        letters = [re.escape(needle[i : i + 1]) for i in range(len(needle))]
        pattern = re.compile(b"\n" + b"".join(b"[^\n%b]*%b" % (letter, letter) for letter in letters))
        return [found.start() + 1 for found, _ in zip(pattern.finditer(self.lower), range(MAX_EXAMINED), strict=False)]

    def first(self, count: int) -> list[int]:
        """Where the first names of the table begin."""
        starts = [match.end() for match, _ in zip(re.finditer(b"\n", self.text), range(count), strict=False)]
        return [start for start in starts if start < len(self.text)]

    def rough_rank(self, position: int, wanted: str) -> tuple[int, int, bytes, int]:
        """The rank as far as the name itself tells."""
        start = self.text.rfind(b"\n", 0, position) + 1
        name = self.text[start : self.text.find(b"\n", start)]
        return (_quality(name.decode("utf-8", "replace"), wanted), len(name), name, position)

    def at(self, position: int) -> Match:
        """The definition whose name holds this position."""
        file = self.packed.file_at(position)
        index = self.text.count(b"\n", self.packed.begin(file), position)
        names = self.names.get(file)
        if names is None:
            names = self.names[file] = rows(self.packed.names(file))
        return Match(self.packed.paths[file], names[index])


def _one_line(query: str) -> str:
    """What was asked for, without the spaces and line ends around it; the table has a name a line."""
    return next(iter(query.strip().splitlines()), "")


def _rank(match: Match, wanted: str) -> tuple[int, int, int, str, str, int]:
    name = match.name.name
    return (_quality(name, wanted), _WEIGHT[match.name.kind], len(name), name, match.path, match.name.line)


def _quality(name: str, wanted: str) -> int:
    place = name.lower().find(wanted.lower())
    if place < 0:
        return 5 if name[:1].lower() == wanted[:1].lower() else 6
    if len(name) == len(wanted):
        return 0 if name == wanted else 1
    if place == 0:
        return 2
    return 3 if name[place - 1 : place] == "_" or name[place : place + 1].isupper() else 4
