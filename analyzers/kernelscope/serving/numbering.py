"""Kinds of work and their numbers: classes that answer with a number, constants of C++ with one prefix, compared.

A megakernel's host code and device code must number their instructions alike; what agrees and what does not is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.registries import Registry
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

MIN_KINDS = 3
MAX_SHOWN = 12
KINDS = {"op", "opcode", "task", "instr", "instruction", "kind"}
"""Words that constants which number kinds of work begin with."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """Kinds by their numbers: `how` says where the numbers come from, a method's name or a prefix."""

    how: str
    kinds: tuple[tuple[int, str, Location], ...]
    is_enum: bool = False

    @property
    def constants(self) -> str:
        return f"the enum {self.how}" if self.is_enum else f"constants {self.how}_…"

    @property
    def text(self) -> str:
        return ", ".join(f"{number} = {kind}" for number, kind, _ in self.kinds)

    @property
    def evidence(self) -> tuple[Location, ...]:
        return tuple(place for _, _, place in self.kinds[:MAX_SHOWN])


def numberings(source: PythonSource) -> Iterator[Numbering]:
    """Classes of a file that answer one question with a different number each."""
    rows: dict[str, list[tuple[int, str, Location]]] = {}
    for scope in source.module.classes():
        assert isinstance(scope.node, t.ClassDef)
        for method in scope.node.methods():
            match method.body[-1:]:
                case [t.Return(value=t.Constant(value=int() as number))] if len(method.body) <= 2:
                    if not isinstance(number, bool):
                        rows.setdefault(method.name, []).append((number, scope.node.name, source.at(method)))
                case _:
                    pass
    yield from _distinct(rows)


def c_numberings(parameters: Iterable[Parameter], enums: Iterable[Registry] = ()) -> Iterator[Numbering]:
    """Enums of kinds, and constants that share the beginning of their names and have different small numbers."""
    rows: dict[str, list[tuple[int, str, Location]]] = {}
    for enum in enums:
        if KINDS & set(words(enum.name)):
            numbers = [(int(e.implementation), e.key, e.location) for e in enum.entries if e.implementation.isdigit()]
            yield from (replace(n, is_enum=True) for n in _distinct({enum.name: numbers}))
    for p in parameters:
        prefix, _, kind = p.name.partition("_")
        if isinstance(p.value, int) and kind and 0 <= p.value < 256:
            rows.setdefault(prefix, []).append((p.value, kind, p.location))
    yield from (n for n in _distinct(rows) if KINDS & set(words(n.how)) and n.kinds[-1][0] <= 2 * len(n.kinds))


def _distinct(rows: dict[str, list[tuple[int, str, Location]]]) -> Iterator[Numbering]:
    for how, entries in rows.items():
        if len(entries) >= MIN_KINDS and len({number for number, _, _ in entries}) == len(entries):
            yield Numbering(how, tuple(sorted(entries, key=lambda entry: entry[0])))


def numbering_claims(python: list[Numbering], native: list[Numbering]) -> Iterator[Claim]:
    """Each numbering, and for those of both languages with kinds in common whether they agree."""
    for one in python:
        yield Claim(f"{one.how} numbering", f"kinds of work by {one.how}(): {one.text}", one.evidence)
    for other in native:
        yield Claim(f"{other.how} numbering", f"kinds of work by {other.constants}: {other.text}", other.evidence)
    for other in native:
        closest = max(python, key=lambda one: len(_common(one, other)), default=None)
        if closest is not None and len(_common(closest, other)) > 1:
            yield _compared(closest, other)


def _common(one: Numbering, other: Numbering) -> set[tuple[str, ...]]:
    return {words(kind) for _, kind, _ in one.kinds} & {words(kind) for _, kind, _ in other.kinds}


def _compared(one: Numbering, other: Numbering) -> Claim:
    """What agrees between host and device, what differs, and which kinds of one number have other names."""
    by_name = {words(kind): (number, place) for number, kind, place in other.kinds}
    by_number = {number: kind for number, kind, _ in other.kinds}
    agreeing: list[str] = []
    wrong: list[str] = []
    renamed: list[str] = []
    places: list[Location] = []
    for number, kind, place in one.kinds:
        twin = by_name.get(words(kind))
        if twin is None:
            if number in by_number:
                renamed.append(f"{number} is {kind} in Python and {by_number[number]} in CUDA")
            continue
        if twin[0] == number:
            agreeing.append(f"{kind} = {number}")
        else:
            wrong.append(f"{kind} is {number} in Python and {twin[0]} in CUDA")
        places += [place, twin[1]]
    where = f"in Python ({one.how}()) and CUDA ({other.constants})"
    value = f"kinds of work have the same numbers {where}: {', '.join(agreeing) or 'none'}"
    value += f"; they differ for {'; '.join(wrong)}" if wrong else ""
    value += f"; named otherwise: {'; '.join(renamed)}" if renamed else ""
    return Claim(f"{one.how} numbering of Python and CUDA", value, tuple(places[:MAX_SHOWN]))
