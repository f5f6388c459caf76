"""Libraries that C++ functions are handed to register operators in: `void register_all(torch::Library& m)`.

Follows the calls from the blocks that have a library down to the functions; macros that make up names are not expanded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kernelscope.graph.cpp_links import CppLinks, function_node
from kernelscope.graph.kinds import Node
from kernelscope.workspace.facts import DISPATCH, LIBRARY, TOP, FileFacts, Registration
from kernelscope.workspace.files import PYTHON_SUFFIXES

MAX_HANDING = 4
_PARAMETER = "="
"""How a library begins that stands for the parameter of a function."""


class HandedLibraries:
    """Who hands which library to which function."""

    def __init__(self, cpp: CppLinks, files: Iterable[tuple[str, FileFacts]]) -> None:
        self._by: dict[Node, list[tuple[str, str, Node | None]]] = {}
        """By function: library and dispatch key, or the function whose parameter is handed on."""
        for path, facts in files:
            if path.endswith(PYTHON_SUFFIXES):
                continue
            for call in facts.calls:
                kept = dict(call.args)
                if LIBRARY in kept:
                    caller = function_node(path, facts, call.scope) if call.scope != TOP else None
                    for function in cpp.functions(call.name, path):
                        self._by.setdefault(function, []).append((kept[LIBRARY], kept[DISPATCH], caller))

    def meant(self, path: str, facts: FileFacts, found: Registration) -> Iterator[Registration]:
        """The registration in each library that its function is handed; itself where it names one."""
        if path.endswith(PYTHON_SUFFIXES) or not found.library.startswith(_PARAMETER) or found.scope == TOP:
            yield found
            return
        handed = dict.fromkeys(self._handed(function_node(path, facts, found.scope), MAX_HANDING))
        for library, key in handed:
            yield msgspec.structs.replace(found, library=library + _submodule(found.library), key=found.key or key)
        if not handed:
            yield found

    def _handed(self, function: Node, hops: int) -> Iterator[tuple[str, str]]:
        for library, key, caller in self._by.get(function, ()):
            if not library.startswith(_PARAMETER):
                yield library, key
            elif caller is not None and hops:
                for outer, outer_key in self._handed(caller, hops - 1):
                    yield outer + _submodule(library), outer_key


def _submodule(library: str) -> str:
    """What stands behind the parameter in the name of a library: `.part` of `=m.part`."""
    return "".join(library.partition(".")[1:])
