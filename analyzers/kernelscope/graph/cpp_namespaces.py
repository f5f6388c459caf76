"""Namespaces of C++: in which of them a definition stands, and which of several a name means from where it is used.

Using declarations count wherever they stand, directives in their file: what is included is not followed.
"""

from __future__ import annotations

from collections.abc import Container

from kernelscope.graph.cpp_classes import Place, without_arguments
from kernelscope.workspace.facts import DefKind, FileFacts

HEADERS = (".h", ".cuh", ".hpp", ".hh", ".hxx", ".inl", ".inc")


class CppNamespaces:
    """In which namespaces the definitions of C++ files stand."""

    def __init__(self, classes: Container[str]) -> None:
        """`classes` are the names of all classes, which are no namespaces."""
        self._classes = classes
        self._files: dict[str, FileFacts] = {}
        self._around: dict[Place, tuple[str, ...]] = {}
        self._used: dict[str, list[tuple[str, ...]]] = {}
        """By name, the namespaces that a using declaration of any file names for it."""

    def add(self, path: str, facts: FileFacts) -> None:
        """Makes the namespaces of a file known."""
        self._files[path] = facts
        for name in facts.usings:
            *spaces, last = name.split("::")
            self._used.setdefault(last, []).append(tuple(spaces))

    def around(self, place: Place) -> tuple[str, ...]:
        """The namespaces around a definition, outermost first; those without a name are the empty string.

        Those count too that it is defined into from outside: `void space::f() {}`.
        """
        known = self._around.get(place)
        if known is None:
            facts = self._files[place[0]]
            definition = facts.defs[place[1]]
            spaces = facts.namespaces if definition.kind is not DefKind.MACRO else ()
            inside = [space.name for space in spaces if space.start < definition.start < space.end]
            own = without_arguments(definition.name).split("::")[:-1]
            while own and own[-1] in self._classes:
                own.pop()
            known = self._around[place] = (*(part for name in inside for part in name.split("::")), *own)
        return known

    def visible(
        self, found: list[Place], name: str, qualifier: str, near: str, inside: tuple[str, ...] | None
    ) -> list[Place]:
        """Of several definitions those that a name means from a file, or from the namespaces `inside` of its caller.

        `inside` is None where the caller has none of its own, as a macro.
        """
        found = [place for place in found if place[0] == near or not self._is_of_its_file(place)]
        if wanted := tuple(part for part in without_arguments(qualifier).split("::") if part):
            return [place for place in found if _ends_with(self.around(place), wanted)]
        if len(found) <= 1:
            return found
        if inside is None:
            return found
        used = [*self._used.get(name, ()), *self._directives(near)]
        by_using = [place for place in found if any(_ends_with(self.around(place), spaces) for spaces in used)]
        named = {place: _named(self.around(place)) for place in found}
        seen = [place for place in found if named[place] == _named(inside)[: len(named[place])]]
        deepest = max((len(named[place]) for place in seen), default=0)
        seen = [place for place in seen if len(named[place]) == deepest]
        return list(dict.fromkeys((*seen, *by_using))) or found

    def _is_of_its_file(self, place: Place) -> bool:
        """Whether nothing but the file that has a definition can mean it: no header, and a namespace without a name."""
        return "" in self.around(place) and not place[0].endswith(HEADERS)

    def _directives(self, path: str) -> list[tuple[str, ...]]:
        return [tuple(name.split("::")[:-1]) for name in self._files[path].usings if name.endswith("::*")]


def _ends_with(spaces: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return _named(spaces)[-len(wanted) :] == wanted


def _named(spaces: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(space for space in spaces if space)
