"""Structs and classes of C++: their members, the classes below them, and what a call of a method may run.

Classes are told apart by name and by the nearest file; template arguments are left away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from kernelscope.workspace.facts import TOP, DefKind, FileFacts

MAX_BELOW = 40
MAX_BASES = 12
MAX_CANDIDATES = 8
OVERRIDES = "a method of a class below the declared one; which runs is chosen at run time"
HOOKED = "called by a method of the class above"
_BASES = re.compile(r"\b(?:class|struct)\b[^:{]*(?<!:):(?!:)(.*)", re.DOTALL)
_TEMPLATE = re.compile(r"\s*template\s*<([^{};]*?)>\s*(?:class|struct)\b", re.DOTALL)
_ARGUMENTS = re.compile(r"<[^<>]*>")
_VIRTUAL = re.compile(r"\bvirtual\b")
_OVERRIDE = re.compile(r"\b(?:override|final)\b")
_RETURNED = re.compile(r"(?:\bstd::(?:shared|unique)_ptr\s*<\s*)?(?:\w+::)*(\w+)\s*(?:<[\w\s:,]*>)?\s*>?[\s*&]*\Z")
"""What stands before the name of a function that returns an object, a reference or a pointer, smart or not."""
_METHODS = (DefKind.CUDA_FUNCTION, DefKind.CUDA_KERNEL, DefKind.LAMBDA)

Place = tuple[str, int]
"""A definition: its file and its index there."""


class CppClasses:
    """The structs and classes of all C++ files."""

    def __init__(self, consulted: set[str]) -> None:
        """`consulted` takes the files whose calls are looked at."""
        self.names: set[str] = set()
        self._consulted = consulted
        self._files: dict[str, FileFacts] = {}
        self._bases: dict[str, dict[str, None]] = {}
        self._derived: dict[str, dict[str, None]] = {}
        self._members: dict[tuple[str, str], list[Place]] = {}
        self._owners: dict[Place, str] = {}
        self._variables: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """By class and name: the files that declare a variable of the class, and what with."""
        self._takes: dict[str, tuple[str, ...]] = {}
        """The parameters of class templates."""
        self._given: dict[tuple[str, str], tuple[str, ...]] = {}
        """The template arguments that a class gives the one above."""

    def add(self, path: str, facts: FileFacts) -> None:
        """Makes the classes of a file known."""
        self._files[path] = facts
        for definition in facts.defs:
            if definition.kind is DefKind.STRUCT:
                self.names.add(definition.name)
                if takes := _parameters(definition.detail):
                    self._takes[definition.name] = takes
                for base, given in _bases(definition.detail):
                    self._bases.setdefault(definition.name, {})[base] = None
                    self._derived.setdefault(base, {})[definition.name] = None
                    self._given[definition.name, base] = given
        for member in facts.members:
            self._variables.setdefault((facts.defs[member.owner].name, member.name), []).append((path, member.kind))

    def owner(self, path: str, index: int) -> str:
        """The class whose member a definition is, also outside of it: `Struct<T>::f`."""
        if index == TOP:
            return ""
        known = self._owners.get((path, index))
        if known is None:
            defs = self._files[path].defs
            known = without_arguments(defs[index].name.rpartition("::")[0]).rpartition("::")[2]
            if known not in self.names:
                scope = defs[index].scope
                known = defs[scope].name if scope != TOP and defs[scope].kind is DefKind.STRUCT else ""
            self._owners[path, index] = known
        return known

    def own(self, name: str, method: str, near: str) -> list[Place]:
        """The methods of this name that a class defines itself: where several classes have its name, the nearest."""
        if not self._members:
            for path, facts in self._files.items():
                for index, definition in enumerate(facts.defs):
                    if definition.kind in _METHODS and (owner := self.owner(path, index)):
                        tail = definition.name.rpartition("::")[2]
                        self._members.setdefault((owner, tail), []).append((path, index))
        return nearest(self._members.get((name, method), []), near)

    def kind_of(self, name: str, variable: str) -> str:
        """The class that a variable of a class is declared with, by the class itself or one above; empty where unknown.

        A parameter of a class template is what the class below gives it.
        """
        for owner in (name, *self._above(name)):
            declared = self._variables.get((owner, variable), [])
            kinds = {kind for _, kind in declared}
            if kinds:
                self._consulted.update(path for path, _ in declared)
                return self.argument(name, kinds.pop()) if len(kinds) == 1 else ""
        return ""

    def argument(self, name: str, parameter: str) -> str:
        """What a class gives for a parameter of a template above it; any other name as it is."""
        for base in self._above(name) if parameter not in self.names else ():
            place = next((i for i, taken in enumerate(self._takes.get(base, ())) if taken == parameter), None)
            given = self._given.get((name, base), ())
            if place is not None and place < len(given):
                return given[place]
        return parameter

    def run_by(self, name: str, method: str, near: str) -> Iterator[tuple[Place, bool, str]]:
        """What `method` of an object of the class may run, each with whether it is sure and why it is what runs."""
        if own := self.own(name, method, near):
            yield from ((place, len(own) == 1, "") for place in own)
            is_virtual = any(_VIRTUAL.search(self._detail(place)) for place in own)
            for place in self._overriding(name, method, near):
                if is_virtual or _OVERRIDE.search(self._detail(place)):
                    yield place, False, OVERRIDES
            return
        inherited, hooks = self.inherited(name, method, near)
        yield from ((place, len(hooks) == 1, HOOKED) for place in hooks)
        if not hooks:
            yield from ((place, len(inherited) == 1, "") for place in inherited)
        if inherited:
            return
        yield from ((place, False, OVERRIDES) for place in self._overriding(name, method, near))

    def inherited(self, name: str, method: str, near: str) -> tuple[list[Place], list[Place]]:
        """What the nearest class above defines under a name, and what that calls of the classes below it."""
        between = [name]
        for base in self._above(name):
            if inherited := self.own(base, method, near):
                return inherited, [hook for place in inherited for hook in self._hooks(place, between, near)]
            between.append(base)
        return [], []

    def given_by(self, place: Place) -> str:
        """The class of the object that a function returns, or of what the pointer points to; empty where it is none."""
        definition = self._files[place[0]].defs[place[1]]
        returned = _RETURNED.search(definition.detail.partition(f"{definition.name}(")[0])
        return returned[1] if returned and returned[1] in self.names else ""

    def _above(self, name: str) -> Iterator[str]:
        todo, seen = list(self._bases.get(name, ())), {name}
        while todo and len(seen) < MAX_BASES:
            base = todo.pop(0)
            if base not in seen:
                seen.add(base)
                yield base
                todo.extend(self._bases.get(base, ()))

    def _overriding(self, name: str, method: str, near: str) -> list[Place]:
        found: dict[Place, None] = {}
        todo, seen = list(self._derived.get(name, ())), {name}
        while todo and len(seen) < MAX_BELOW:
            below = todo.pop(0)
            if below not in seen:
                seen.add(below)
                found.update(dict.fromkeys(self.own(below, method, near)))
                todo.extend(self._derived.get(below, ()))
        return list(found)[:MAX_CANDIDATES]

    def _hooks(self, inherited: Place, between: list[str], near: str) -> Iterator[Place]:
        """What an inherited method calls that the classes between define: `Derived::f()`, `this->f()`, `f()`."""
        path, index = inherited
        self._consulted.add(path)
        called = dict.fromkeys(call.name for call in self._files[path].calls if call.scope == index)
        for name in called:
            qualifier, _, tail = without_arguments(name.removeprefix("?.")).rpartition("::")
            if qualifier not in self.names:
                for owner in between:
                    if own := self.own(owner, tail, near):
                        yield from own
                        break

    def _detail(self, place: Place) -> str:
        return self._files[place[0]].defs[place[1]].detail


def without_arguments(name: str) -> str:
    """A name without its template arguments: `Norm` of `Norm<T, Pair<int>>`."""
    while (shorter := _ARGUMENTS.sub("", name)) != name:
        name = shorter
    return name


def nearest(found: list[Place], near: str) -> list[Place]:
    """Of several definitions those in the same file, else the same folder, else the one above it, else those below.

    Else all of them; of too many those that share most of the path.
    """
    if len(found) <= 1:
        return found
    folder = os.path.dirname(near)
    above = os.path.dirname(folder)
    circles: tuple[Callable[[str], bool], ...] = (
        lambda path: path == near,
        lambda path: os.path.dirname(path) == folder,
        lambda path: os.path.dirname(path) == above,
        lambda path: path.startswith(folder + os.sep),
    )
    for is_inside in circles:
        if closer := [place for place in found if is_inside(place[0])]:
            return closer[:MAX_CANDIDATES]
    if len(found) > MAX_CANDIDATES:
        shared = [len(os.path.commonpath((near, path))) for path, _ in found]
        found = [place for place, length in zip(found, shared, strict=True) if length == max(shared)]
    return found[:MAX_CANDIDATES]


def _bases(header: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The classes above that the header of a class names, each with the template arguments that it is given."""
    if match := _BASES.search(header):
        for part in _between_commas(match[1]):
            words = re.findall(r"[\w:]+", without_arguments(part))
            name = words[-1].rpartition("::")[2] if words else ""
            if name.isidentifier() and name not in ("public", "private", "protected", "virtual"):
                given = _between_commas(part.partition("<")[2].rpartition(">")[0])
                yield name, tuple(without_arguments(argument).strip().rpartition("::")[2] for argument in given)


def _parameters(header: str) -> tuple[str, ...]:
    """The parameters of a class template: `M` and `N` of `template <typename M, int N = 4> class …`."""
    match = _TEMPLATE.match(header)
    return tuple(part.partition("=")[0].split()[-1] for part in _between_commas(match[1])) if match else ()


def _between_commas(text: str) -> list[str]:
    """The parts of a text between commas outside of angle brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "<") - (char == ">")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]
