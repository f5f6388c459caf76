"""The names of all files as one text with columns beside it: what a symbol search reads, and what the cache keeps.

A start takes it over as it lies there, and makes names of a file only where they are asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping

from kernelscope.workspace.facts import EMPTY_NAMES, FileNames

_PLACE_BYTES = 8
"""Line and column of a name."""
_NUMBERS = "Q"
"""Of eight bytes: together names may be more than four gigabytes can count."""


class PackedNames:
    """Names by path, in the order of the paths. Never changes once made."""

    def __init__(self, paths: list[str], parts: _Parts) -> None:
        self.paths = paths
        self.text = parts.text
        """A line feed, and behind each name another: so each name stands between two."""
        self._parts = parts

    def __len__(self) -> int:
        return len(self._parts.kinds)

    def holds(self, path: str, names: FileNames | None = None) -> bool:
        """Whether there are names of a file, or these very names."""
        place = bisect_left(self.paths, path)
        is_held = place < len(self.paths) and self.paths[place] == path
        return is_held and (names is None or self.names(place) == names)

    def begin(self, place: int) -> int:
        """Where the names of a file begin in the text."""
        return 1 + self._parts.begins[place]

    def names(self, place: int) -> FileNames:
        """The names of one file."""
        return self._parts.of(place)

    def file_at(self, position: int) -> int:
        """The file whose names stand at a position of the text."""
        return max(bisect_right(self._parts.begins, position - 1, 0, len(self.paths)) - 1, 0)

    def changed(self, changes: Mapping[str, FileNames | None]) -> PackedNames:
        """The same with other names of some files; None takes a file out."""
        made = _Making()
        paths: list[str] = []
        copied = 0
        for path in sorted(changes):
            place = bisect_left(self.paths, path, copied)
            paths += self.paths[copied:place]
            made.copy(self._parts, copied, place)
            copied = place + (place < len(self.paths) and self.paths[place] == path)
            if (names := changes[path]) is not None:
                paths.append(path)
                made.add(names)
        paths += self.paths[copied:]
        made.copy(self._parts, copied, len(self.paths))
        return PackedNames(paths, made.all())

    def pack(self) -> list[bytes]:
        """As it is kept, but for the paths."""
        parts = self._parts
        numbers = (column.tobytes() for column in (parts.begins, parts.firsts, parts.containing))
        return [parts.text, parts.kinds, parts.places, parts.containers, *numbers]


class _Parts:
    """Columns of all files, and where those of each file begin: in the text, among the names and in the containers."""

    __slots__ = ("begins", "containers", "containing", "firsts", "kinds", "places", "text")

    def __init__(
        self,
        text: bytes,
        kinds: bytes,
        places: bytes,
        containers: bytes,
        begins: array[int],
        firsts: array[int],
        containing: array[int],
    ) -> None:
        self.text, self.kinds, self.places, self.containers = text, kinds, places, containers
        self.begins, self.firsts, self.containing = begins, firsts, containing

    def of(self, place: int) -> FileNames:
        first, end = self.firsts[place], self.firsts[place + 1]
        if first == end:
            return EMPTY_NAMES
        return FileNames(
            self.text[1 + self.begins[place] : 1 + self.begins[place + 1]],
            self.kinds[first:end],
            self.places[_PLACE_BYTES * first : _PLACE_BYTES * end],
            self.containers[self.containing[place] : self.containing[place + 1]],
        )


class _Making:
    """Columns that are put together of those of files."""

    def __init__(self) -> None:
        self._names, self._kinds = [b"\n"], list[bytes]()
        self._places, self._containers = list[bytes](), list[bytes]()
        self._begins, self._firsts, self._containing = array(_NUMBERS, [0]), array(_NUMBERS, [0]), array(_NUMBERS, [0])

    def add(self, names: FileNames) -> None:
        self._names.append(names.names)
        self._kinds.append(names.kinds)
        self._places.append(names.places)
        self._containers.append(names.containers)
        self._begins.append(self._begins[-1] + len(names.names))
        self._firsts.append(self._firsts[-1] + len(names.kinds))
        self._containing.append(self._containing[-1] + len(names.containers))

    def copy(self, parts: _Parts, first: int, end: int) -> None:
        """What stands of some files one after the other, as it stands there."""
        if first == end:
            return
        from_name, to_name = parts.firsts[first], parts.firsts[end]
        self._names.append(parts.text[1 + parts.begins[first] : 1 + parts.begins[end]])
        self._kinds.append(parts.kinds[from_name:to_name])
        self._places.append(parts.places[_PLACE_BYTES * from_name : _PLACE_BYTES * to_name])
        self._containers.append(parts.containers[parts.containing[first] : parts.containing[end]])
        for own, others in (
            (self._begins, parts.begins),
            (self._firsts, parts.firsts),
            (self._containing, parts.containing),
        ):
            moved = own[-1] - others[first]
            taken = others[first + 1 : end + 1]
            own.extend(taken if moved == 0 else array(_NUMBERS, [number + moved for number in taken]))

    def all(self) -> _Parts:
        columns = (self._names, self._kinds, self._places, self._containers)
        text, kinds, places, containers = map(b"".join, columns)
        return _Parts(text, kinds, places, containers, self._begins, self._firsts, self._containing)


def unpack(paths: list[str], given: Iterable[bytes]) -> PackedNames:
    """What was packed, of these files. Raises `ValueError` where that is not whole."""
    text, kinds, places, containers, begins, firsts, containing = given
    numbers: list[array[int]] = []
    for column, length in ((begins, len(text) - 1), (firsts, len(kinds)), (containing, len(containers))):
        taken = array(_NUMBERS)
        taken.frombytes(column)
        if len(taken) != len(paths) + 1 or taken[-1] != length:
            raise ValueError("columns of different lengths")
        numbers.append(taken)
    return PackedNames(paths, _Parts(text, kinds, places, containers, *numbers))


NOTHING = PackedNames([], _Making().all())
