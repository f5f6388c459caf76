"""What one of several callables is called: their names, or how many there are; and what each of them has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from kernelscope.interp.values import Choice, Opaque, Sequential, Value
from kernelscope.ops import Module

MAX_LISTED = 3
WITH_SHAPE = re.compile(r"(\w+): \[")
"""A note on a weight or another side input: `cache: [P, D]`."""


def alternatives(choice: Choice) -> str:
    """`GELU or SiLU`, or how many there are."""
    names = _names(choice)
    return " or ".join(names) if len(names) <= MAX_LISTED else f"one of {len(names)}, by configuration"


def told_once(notes: Iterable[str]) -> list[str]:
    """Notes on one of several layers, in which what each of them has is told once: `table: one of 5 shapes`."""
    found: list[str] = []
    for name, group in groupby(notes, lambda note: named[1] if (named := WITH_SHAPE.match(note)) else ""):
        alike = list(dict.fromkeys(group))
        found += [f"{name}: one of {len(alike)} shapes"] if name and len(alike) > 1 else alike
    return found


def first_of(choice: Choice) -> str:
    """The one that is followed where they are of one table."""
    return _names(choice)[0]


def _names(choice: Choice) -> list[str]:
    names: list[str] = []
    for entry in choice.entries:
        names += _names(entry) if isinstance(entry, Choice) else [_called(entry)]
    return list(dict.fromkeys(names))


def _called(value: Value) -> str:
    match value:
        case Module():
            return value.name.rpartition(".")[2]
        case Opaque():
            return value.name
        case _:
            inner = getattr(value, "cls", None) or getattr(value, "definition", None)
            if isinstance(value, Sequential):
                return "Sequential"
            return str(getattr(inner, "name", None) or getattr(value, "name", "") or "another").rpartition(".")[2]
