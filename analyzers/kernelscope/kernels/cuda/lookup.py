"""Which declarations a name means where it is written: what is known in its block first, then what its namespaces show.

Where several namespaces may be meant, none is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.declarations import Alias, Declaration, Declarations, Struct
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.spaces import joined, meant, plain_path

Entry = TypeVar("Entry", bound=Struct | Alias | Declaration)
Named = tuple[Unit, Entry]


def visible(
    unit: Unit,
    units: Iterable[Unit],
    entries: Callable[[Declarations], Sequence[Entry]],
    name: str,
    offset: int,
) -> list[Named[Entry]]:
    """The declarations of one place that a name, perhaps a qualified one, means at an offset of a file.

    `units` are the files that may hold it, nearest first; `entries` what each of them has under its last part.
    """
    qualifier, _, last = name.rpartition("::")
    found: list[Named[Entry]] = []
    for other in units:
        for entry in entries(other.declarations):
            if entry.space is not None or (other is unit and not qualifier and _is_known(entry, offset)):
                found.append((other, entry))
    local = [(other, entry) for other, entry in found if entry.space is None]
    if local:
        innermost = max(entry.scope[0] for _, entry in local)
        return [(other, entry) for other, entry in local if entry.scope[0] == innermost]
    if not found or (not qualifier and len({entry.space for _, entry in found}) == 1):
        return found
    qualifier = qualifier if qualifier or not name.startswith("::") else "::"
    around = unit.declarations.space_at(offset)
    return meant(found, lambda item: item[1].paths, last, qualifier, around, lambda: unit.brought(offset))


def _is_known(entry: Struct | Alias | Declaration, offset: int) -> bool:
    begin, end = entry.scope
    return begin <= offset < end


def functions_meant(
    unit: Unit, found: Sequence[tuple[Unit, Function]], name: str, offset: int
) -> list[tuple[Unit, Function]]:
    """Those functions, of one namespace or class, that code at an offset of a file means by their name."""
    qualifier, _, last = name.rpartition("::")
    if len(found) < 2 and not qualifier:
        return list(found)
    around = unit.declarations.space_at(offset)
    return meant(found, lambda item: (_path(item[1]),), last, qualifier, around, lambda: unit.brought(offset))


def _path(function: Function) -> str:
    return joined(function.space, plain_path(function.owner))
