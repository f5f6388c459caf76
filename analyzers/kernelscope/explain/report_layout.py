"""How a report is laid out: lists of rows under keys, each made on its own so that a fault costs one list only.

Also the lists that most sections have: claims of a section and the steps of its functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias, cast

from kernelscope.explain.report_places import Json, Places
from kernelscope.faults import part
from kernelscope.serving.procedures import Procedure
from kernelscope.serving.system import System

MOST_CLAIMS = 60
MOST_STEPS = 30
FEW_FILES = 300
MOST_ENTRIES = 4_900
"""How many things a report says at most: who reads it by a program takes a little more."""
LONG_LIST = 120
"""A list up to this long is not cut to make place for others."""
BARELY = 1
"""The weight of a function whose name says nothing of its section."""
SEVERAL = "more of "
"""How rows of several functions begin."""
FURTHER = ("serving.", "distributed")
"""Sections that tell further functions, several in a row."""
MOST_TOGETHER = 5
LONGEST_ROW = 1_500
"""How many functions of a class, and characters of their steps, stand in one row after those that have their own."""
CLEAR = 30
"""From how many steps on a function does much; more make it no more important."""
MORE = 3
"""How many times as many functions are told of a system that has so few files."""

Rows = Callable[[System, Places], list[Json]]
"""Makes one list of a report."""
Layout: TypeAlias = "dict[str, Rows | Layout]"


def laid_out(layout: Layout, system: System, places: Places, above: str = "") -> Json:
    """The lists of a layout; one whose maker fails is empty, and the system's faults say so."""
    found: Json = {}
    for key, rows in layout.items():
        name = f"{above}{key}"
        if not callable(rows):
            found[key] = laid_out(rows, system, places, f"{name}.")
            continue
        found[key] = []
        with part(f"section {name} of the report", system.faults):
            found[key] = rows(system, places)
    return found


def claims_about(section: str, most: int = MOST_CLAIMS) -> Rows:
    """The claims of a section."""
    return lambda system, places: places.claims(system.about(section), most)


def steps_of(section: str, most: int = MOST_STEPS) -> Rows:
    """The functions that belong to a section, those that fit best first, then those that belong to it, too."""

    def rows(system: System, places: Places) -> list[Json]:
        ranked = _in_order(system, section)
        more = MORE if len(system.readings) <= FEW_FILES else 1
        own = [p for p in ranked if p.section == section and p.weight > BARELY]
        others = [p for p in ranked if p.section != section or p.weight <= BARELY]
        alone = [*own[: more * most], *others][: more * (most + most // 5)]
        rows_left = more * most if section.startswith(FURTHER) else 0
        if not rows_left:
            return [*map(places.procedure, alone)]
        known = set(map(id, alone))
        left = [p for p in (*own, *others) if id(p) not in known]
        near = system.nearness.functions
        left.sort(key=lambda p: p.of_function not in near.get(p.evidence[0].path, ()))
        more_rows = together(left[: MOST_TOGETHER * rows_left])[:rows_left]
        return [*map(places.procedure, alone), *map(places.together, more_rows)]

    return rows


def cut_to_size(found: Json) -> None:
    """Takes away rows of several functions, the last ones of the longest list first, until a reader can take it all.

    Where that is not enough, the last rows of the longest lists: each begins with what is most important.
    """
    rows = list(_lists_of_rows(found, _is_of_several))
    spare = _entries(found) - MOST_ENTRIES
    while spare > 0 and rows:
        longest = max(rows, key=lambda held: sum(map(_is_of_several, held)))
        if not _is_of_several(longest[-1]):
            break
        longest.pop()
        spare -= 1
    if spare > 0:
        rows = [held for held in _lists_of_rows(found, _is_row) if len(held) > LONG_LIST]
    while spare > 0 and rows:
        longest = max(rows, key=len)
        if len(longest) <= LONG_LIST:
            break
        spare -= _entries(longest.pop())


def _is_of_several(row: object) -> bool:
    return isinstance(row, dict) and str(cast(Json, row).get("name", "")).startswith(SEVERAL)


def _is_row(row: object) -> bool:
    return isinstance(row, dict)


def _lists_of_rows(node: object, ends_with: Callable[[object], bool]) -> Iterator[list[Json]]:
    """The lists that end with a row of a kind."""
    if isinstance(node, dict):
        for key, value in cast(Json, node).items():
            if key != "faq":
                yield from _lists_of_rows(value, ends_with)
    elif isinstance(node, list):
        rows = cast("list[Json]", node)
        if rows and ends_with(rows[-1]):
            yield rows


def _entries(node: object) -> int:
    """How many things a report says, without their evidence."""
    if isinstance(node, dict):
        return 1 + sum(_entries(value) for key, value in cast(Json, node).items() if key != "evidence")
    if isinstance(node, list):
        return sum(_entries(value) for value in cast("list[object]", node)) + sum(
            isinstance(value, str) for value in cast("list[object]", node)
        )
    return 0


def together(procedures: list[Procedure]) -> list[list[Procedure]]:
    """Further functions of a class or file, as many in one row as can be read at once; those that come first lead."""
    groups: dict[tuple[Path, str], list[list[Procedure]]] = {}
    order: list[list[Procedure]] = []
    for p in procedures:
        rows = groups.setdefault((p.evidence[0].path, owner_of(p)), [])
        if not rows or len(rows[-1]) >= MOST_TOGETHER or sum(len(q.steps) for q in (*rows[-1], p)) > LONGEST_ROW:
            rows.append([])
            order.append(rows[-1])
        rows[-1].append(p)
    return order


def owner_of(p: Procedure) -> str:
    """The class of a function, or the function around it; of others nothing."""
    return p.of_function.rpartition(".")[0]


def _told_in(system: System, section: str) -> Iterator[Path]:
    """The files that something is told of in a section, each as often as it is."""
    for name in system.claims:
        if name == section or name.startswith(f"{section}."):
            yield from (claim.evidence[0].path for claim in system.about(name) if claim.evidence)
    if section == "serving.topology":
        yield from (s.location.path for s in system.running)
        yield from (link.channel.location.path for link in system.links)
        yield from (route.location.path for route in system.routes)
    elif section == "serving.lifecycle":
        yield from (x.location.path for x in (*system.transitions, *system.moves))


def _in_order(system: System, section: str) -> list[Procedure]:
    """What fits the section, does much, is used by many files and lies where most is claimed for it comes first.

    Of two such what the main loop comes to in fewer calls.
    """
    told = Counter(_told_in(system, section))
    found = system.procedures_of(section)
    order: list[tuple[int, int, int]] = []
    path, central, functions = Path(), 0, dict[str, int]()
    for place, p in enumerate(found):  # those of a file stand together
        of = p.evidence[0].path
        if of is not path:
            path, central = of, (2 + system.weight(of)) * (1 + told[of].bit_length())
            functions = system.nearness.functions.get(of, {})
        size = p.size
        near = functions.get(p.of_function, 0) if functions else 0
        order.append((-(p.weight or 1) * (size if size < CLEAR else CLEAR) * central * (2 + near), -size, place))
    return [found[place] for _, _, place in sorted(order)]
