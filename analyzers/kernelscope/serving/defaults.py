"""What a parameter is by default, and what it may be, where its declaration names what other files declare."""

from __future__ import annotations

import re
from dataclasses import replace

from kernelscope.serving.claims import Claim
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.registries import Registry

MOST_CHOICES = 40
NAMES_A_FIELD = re.compile(r"[A-Z]\w*\.\w+")
"""A default that is that of a field: `Settings.size`."""
_NAMES_A_CONSTANT = re.compile(r"(?:\w+\.)?_*[A-Z][A-Z0-9_]+")
"""A default that is a constant of some module: `DEFAULT_SIZE`, `constants.DEFAULT_SIZE`."""


def with_value(p: Parameter, values: dict[str, set[str]]) -> Parameter:
    """`default=Settings.size`, `default=SIZE` with the only default that there is of it: `8 (Settings.size)`.

    So with what the class stores over it: `self.size = self.USUAL` becomes `8 (self.USUAL)`.
    """
    if any(o.value.startswith("self.") for o in p.overrides):
        p = replace(p, overrides=tuple(_named_value(o, p.owner, values) for o in p.overrides))
    if p.value is not None or not p.expression:
        return p
    name = p.expression.rpartition(".")[2]
    known: set[str] = set()
    if NAMES_A_FIELD.fullmatch(p.expression):
        known = values.get(p.expression) or values.get(name, set())
    if not known and _NAMES_A_CONSTANT.fullmatch(p.expression):
        known = values.get(f"{p.location.path}:{name}") or values.get(f":{name}", set())
    return replace(p, expression=f"{next(iter(known))} ({p.expression})") if len(known) == 1 else p


def _named_value(stored: Claim, owner: str, values: dict[str, set[str]]) -> Claim:
    """What is stored over a field, with the value of the constant of its class that it names."""
    name = stored.value.removeprefix("self.")
    known = values.get(f"{owner}.{name}", set()) if _NAMES_A_CONSTANT.fullmatch(name) else set[str]()
    return replace(stored, value=f"{next(iter(known))} ({stored.value})") if len(known) == 1 else stored


def with_choices(p: Parameter, enums: dict[str, Registry | None]) -> Parameter:
    """A parameter whose type is an enum of the program, with what that may be."""
    enum = enums.get(p.type_name.rpartition(".")[2]) if p.annotation and not p.choices else None
    if enum is None:
        return p
    values = tuple(entry.implementation.strip("\"'") for entry in enum.entries[:MOST_CHOICES])
    places = (enum.location, *(entry.location for entry in enum.entries[:2]))
    are_texts = all(entry.implementation[:1] in "\"'" for entry in enum.entries)
    return replace(p, choices=values if are_texts else tuple(e.key for e in enum.entries), listed_at=places)
