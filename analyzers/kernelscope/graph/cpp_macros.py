"""Which of a file's macros of one name a use stands for: `#define ONE … #undef ONE #define ONE …`.

A name that is defined again was given up before, as preprocessors demand, or the definitions are branches of one `#if`.
Facts do not tell which; but where it was used in between, the next is no branch beside the one before.
"""

from __future__ import annotations

from kernelscope.graph.cpp_classes import Place
from kernelscope.workspace.facts import TOP, Call, DefKind, FileFacts

Runs = tuple[Place, bool, str]
"""What a call may run, whether that is sure, and why."""


def as_defined(found: list[Runs], path: str, facts: FileFacts, call: Call) -> list[Runs]:
    """Without the macros of the file that are defined after a use, or no longer when it comes."""
    macros = {place[1] for place, _, _ in found if place[0] == path and _is_macro(facts, place[1])}
    if len(macros) < 2 or (call.scope != TOP and _is_macro(facts, call.scope)):  # in a macro: where that is used
        return found
    others = macros - (_meant(facts, macros, call) or macros)
    left = [place for place, _, _ in found if place[0] != path or place[1] not in others]
    return [(place, len(left) == 1, note) for place, _, note in found if place in left] if others else found


def _meant(facts: FileFacts, macros: set[int], call: Call) -> set[int]:
    before = sorted((facts.defs[index].start, index) for index in macros if facts.defs[index].start < call.start)
    uses = [other.start for other in facts.calls if other.name == call.name]
    meant: set[int] = set()
    later = call.start
    for start, index in reversed(before):
        if meant and any(facts.defs[index].end <= use < later for use in uses):
            break
        meant.add(index)
        later = start
    return meant


def _is_macro(facts: FileFacts, index: int) -> bool:
    return facts.defs[index].kind is DefKind.MACRO
