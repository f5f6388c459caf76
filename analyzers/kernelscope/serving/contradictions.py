"""Where a system contradicts itself: defaults that are never used, that break a constraint, or that texts deny.

Certain cases only: both sides are literals of the source, and nothing between them is conditional.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kernelscope.results import Location
from kernelscope.serving.claims import Claim
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.parameter import CONFIGURED, Parameter
from kernelscope.serving.sections import words

_TOLD = re.compile(
    r"\b(?:default(?:s to|ed to|:| is|=)|\(default)\s*[:=]?\s*[`'\"]?"
    r"(-?(?:\d{1,3}(?:[,_]\d{3})+|\d+(?:\.\d+)?(?:e-?\d+)?))(?![\w.%*/^]|,\d|, \w)"
    r"(?! ?(?:[kmgt](?:i?b)?|thousand|million|billion|percent|ms|us|min(?:utes)?|hours)\b)",
    re.I,
)
"""A number that a text calls the default; one of which the sentence goes on to speak may be another's, or of a unit."""
_SIMPLE = re.compile(r"^(?:self\.|args\.|config\.)?(\w+) (%|<=|<|>=|>|==) (\d+)(?: == 0)?$")

_MAKING = ("", "__init__", "__new__", "__post_init__", "__attrs_post_init__", "model_post_init")
"""What runs when an object is made: the class's own declarations, and these methods."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What contradicts what, for `diagnostics`; `code` as in the documentation of diagnostics."""

    code: str
    message: str
    evidence: tuple[Location, ...]


def contradictions(parameters: Iterable[Parameter], constraints: Iterable[Constraint]) -> Iterator[Contradiction]:
    """The contradictions of a system, in the order of its parameters."""
    declared = list(parameters)
    yield from _told_otherwise(declared)
    yield from _never_used(declared)
    yield from _broken(declared, constraints)
    yield from _declared_twice(declared)


def _told_otherwise(declared: list[Parameter]) -> Iterator[Contradiction]:
    """A number in the help text that is not the default."""
    for p in declared:
        match = _TOLD.search(p.doc)
        if match is None or not _is_number(p.value):
            continue
        told = float(match[1].replace(",", ""))
        if told != p.value:
            message = f"{_name(p)} has the default {p.expression}, but its description says {match[1]}: {p.doc[:120]}"
            yield Contradiction("default-contradicts-text", message, (p.location,))


def _never_used(declared: list[Parameter]) -> Iterator[Contradiction]:
    """A default that the class always replaces without looking at it."""
    for p in declared:
        for o in p.overrides:
            is_own = (
                f"{p.owner}.__post_init__" in o.detail
            )  # what holds it may set it, too; by itself it has its default
            if not _is_number(p.value) or o.condition or not is_own or _reads(o, p.name):
                continue
            message = f"the default {p.expression} of {_name(p)} is never used: it is always {o.value} ({o.detail})"
            yield Contradiction("default-never-used", message, (p.location, *o.evidence))


def _reads(override: Claim, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", override.value) is not None or "(" in override.value


def _broken(declared: list[Parameter], constraints: Iterable[Constraint]) -> Iterator[Contradiction]:
    """A default that the class refuses when an object is made; what a method demands, it demands where it is called."""
    fields = {
        (p.owner, p.name): p for p in declared if p.kind == "field" and isinstance(p.value, int) and not p.overrides
    }
    for c in constraints:
        match = _SIMPLE.match(c.condition)
        owner, _, method = c.where.partition(".")
        if match is None or method not in _MAKING or not c.always:
            continue
        p = fields.get((owner, match[1]))
        if p is None or isinstance(p.value, bool) or not isinstance(p.value, int):
            continue
        if not _holds(p.value, match[2], int(match[3]), c.condition.endswith("== 0")):
            message = f"the default {p.expression} of {_name(p)} breaks its own constraint {c.condition}"
            yield Contradiction("default-breaks-constraint", message, (p.location, c.location))


def _holds(value: int, operator: str, bound: int, divisible: bool) -> bool:
    match operator:
        case "%":
            return not divisible or bound == 0 or value % bound == 0
        case "<":
            return value < bound
        case "<=":
            return value <= bound
        case ">":
            return value > bound
        case ">=":
            return value >= bound
        case _:
            return value == bound


def _declared_twice(declared: list[Parameter]) -> Iterator[Contradiction]:
    """A command-line option and a field of one configuration with one name and different defaults."""
    fields: dict[tuple[str, ...], list[Parameter]] = {}
    for p in declared:
        if p.kind == "field" and _is_number(p.value) and CONFIGURED & set(words(p.owner)):
            fields.setdefault(words(p.name), []).append(p)
    for p in declared:
        found = fields.get(words(p.name.lstrip("-")), []) if p.kind == "option" and _is_number(p.value) else []
        if len(found) == 1 and found[0].value != p.value:
            message = (
                f"{p.name} has the default {p.expression} on the command line, {_name(found[0])} {found[0].expression}"
            )
            yield Contradiction("defaults-differ", message, (p.location, found[0].location))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _name(p: Parameter) -> str:
    return f"{p.owner}.{p.name}" if p.owner else p.name
