"""How near functions lie to the main loops of a system: in how many calls a loop comes to them.

A main loop goes round until somebody stops it and runs what schedules or batches work. Calls are followed by name, in
the class, then the file, then to wherever few functions are called so; it orders what is told and claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kernelscope.serving.calling import OWN, Caller
from kernelscope.serving.sections import hits

FARTHEST = 6
"""Calls from a loop beyond which nothing is near it."""
FEW, SEVERAL = 3, 16
"""How many functions may share a name that is followed without knowing whose it is: of classes that schedule in
different ways all do.
"""
SECTIONS = ("serving.scheduling", "serving.batching")
BEGUN = "__init__"
NONE: dict[str, int] = {}


@dataclass(slots=True)
class Nearness:
    """By file and name, how near functions are: the more, the nearer; and what is read on the way to them."""

    functions: dict[Path, dict[str, int]] = field(default_factory=dict[Path, dict[str, int]])
    names: dict[str, int] = field(default_factory=dict[str, int])
    """Attributes that functions near a loop read, with how near the nearest of them is."""

    def of(self, path: Path, name: str) -> int:
        """How near a function is; 0 where no loop comes to it."""
        return self.functions.get(path, NONE).get(name, 0)

    def of_file(self, path: Path) -> int:
        """How near the nearest function of a file is."""
        return max(self.functions.get(path, NONE).values(), default=0)

    def of_name(self, name: str) -> int:
        """How near the nearest function is that reads an attribute of this name."""
        return self.names.get(name.lstrip("-").replace("-", "_"), 0)


def nearness(files: Iterable[tuple[Path, list[Caller]]]) -> Nearness:
    """How near the functions of these files are to the main loops among them."""
    graph = _Graph(files)
    found = Nearness()
    reached: list[tuple[Path, Caller]] = graph.main_loops()
    for near in range(FARTHEST + 1, 0, -1):
        following: list[tuple[Path, Caller]] = []
        for path, caller in reached:
            of_file = found.functions.setdefault(path, {})
            if caller.name in of_file:
                continue
            of_file[caller.name] = near
            for name in caller.reads:
                found.names.setdefault(name, near)
            following += graph.called(path, caller)
        reached = following
    return found


class _Graph:
    """The functions of a system by their names."""

    def __init__(self, files: Iterable[tuple[Path, list[Caller]]]) -> None:
        self._all: list[tuple[Path, Caller]] = [(path, caller) for path, told in files for caller in told]
        self._by_name: dict[str, list[tuple[Path, Caller]]] = {}
        for path, caller in self._all:
            owner, _, last = caller.name.rpartition(".")
            if last == BEGUN:
                last = owner.rpartition(".")[2]
            self._by_name.setdefault(last, []).append((path, caller))

    def main_loops(self) -> list[tuple[Path, Caller]]:
        """The functions that go round for ever and run what schedules or batches; all that do so where none does."""
        endless = [entry for entry in self._all if entry[1].is_endless]
        return [entry for entry in endless if self._schedules(*entry)] or endless

    def _schedules(self, path: Path, caller: Caller) -> bool:
        return any(hits(section, each.name) for section in SECTIONS for _, each in self.called(path, caller))

    def _anywhere(self, name: str) -> list[tuple[Path, Caller]]:
        """The functions that are called so, if they are few."""
        named = self._by_name.get(name, [])
        most = SEVERAL if len(named) > FEW and any(hits(section, name) for section in SECTIONS) else FEW
        return named if len(named) <= most else []

    def called(self, path: Path, caller: Caller) -> Iterator[tuple[Path, Caller]]:
        """The functions that a function may call."""
        owner = caller.name.rpartition(".")[0]
        for name in caller.calls:
            last = name.removeprefix(OWN)
            here = [entry for entry in self._by_name.get(last, []) if entry[0] == path]
            if last != name:
                here = [entry for entry in here if entry[1].name == f"{owner}.{last}"]
            yield from here if 0 < len(here) <= FEW else self._anywhere(last)
