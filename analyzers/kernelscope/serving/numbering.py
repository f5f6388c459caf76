"""Kinds of work and their numbers: classes that answer with a number, constants of C++ with one prefix, compared.

A megakernel's host code and device code must number their instructions alike; what agrees and what does not is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import Claim, PythonSource
from kernelscope.serving.parameters import Parameter
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

MIN_KINDS = 3
MAX_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Numbering:
    """Kinds by their numbers: `how` says where the numbers come from, a method's name or a prefix."""

    how: str
    kinds: tuple[tuple[int, str, Location], ...]

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


def c_numberings(parameters: Iterable[Parameter]) -> Iterator[Numbering]:
    """Constants of a C++ file that share the beginning of their names and have different small numbers."""
    rows: dict[str, list[tuple[int, str, Location]]] = {}
    for p in parameters:
        prefix, _, kind = p.name.partition("_")
        if isinstance(p.value, int) and kind and 0 <= p.value < 256:
            rows.setdefault(prefix, []).append((p.value, kind, p.location))
    yield from (
        n for n in _distinct(rows) if {"op", "opcode", "task", "instr", "instruction", "kind"} & set(words(n.how))
    )


def _distinct(rows: dict[str, list[tuple[int, str, Location]]]) -> Iterator[Numbering]:
    for how, entries in rows.items():
        if len(entries) >= MIN_KINDS and len({number for number, _, _ in entries}) == len(entries):
            yield Numbering(how, tuple(sorted(entries, key=lambda entry: entry[0])))


def numbering_claims(python: list[Numbering], native: list[Numbering]) -> Iterator[Claim]:
    """Each numbering, and for those of both languages with kinds in common whether they agree."""
    for one in python:
        yield Claim(f"{one.how} numbering", f"kinds of work by {one.how}(): {one.text}", one.evidence)
    for other in native:
        yield Claim(f"{other.how} numbering", f"kinds of work by constants {other.how}_…: {other.text}", other.evidence)
    for one in python:
        for other in native:
            yield from _compared(one, other)


def _compared(one: Numbering, other: Numbering) -> Iterator[Claim]:
    numbers = {words(kind): (number, kind, place) for number, kind, place in other.kinds}
    by_number = {number: (kind, place) for number, kind, place in other.kinds}
    agreeing: list[str] = []
    wrong: list[str] = []
    renamed: list[str] = []
    places: list[Location] = []
    for number, kind, place in one.kinds:
        twin = numbers.get(words(kind))
        if twin is None:
            if number in by_number:
                renamed.append(f"{number} is {kind} in Python and {by_number[number][0]} in CUDA")
            continue
        (agreeing if twin[0] == number else wrong).append(
            f"{kind} = {number}" if twin[0] == number else f"{kind} is {number} in Python and {twin[0]} in CUDA"
        )
        places += [place, twin[2]]
    if len(agreeing) + len(wrong) < 2:
        return
    value = (
        f"numbers of kinds of work agree between Python ({one.how}()) and CUDA ({other.how}_…): {', '.join(agreeing)}"
    )
    if wrong:
        value += f"; they DIFFER for {'; '.join(wrong)}"
    if renamed:
        value += f"; named otherwise: {'; '.join(renamed)}"
    yield Claim(f"{one.how} numbering of Python and CUDA", value, tuple(places[:MAX_SHOWN]))
