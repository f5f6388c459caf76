"""The configuration section of a report: parameters with their effective values, and constraints.

Settings come before what is merely fixed, of them those that functions near the main loop read, and tests and examples
last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kernelscope.explain.faq_answers import said_of
from kernelscope.explain.report_layout import FEW_FILES, SEVERAL, Layout, claims_about
from kernelscope.explain.report_places import Json, Places
from kernelscope.explain.section_settings import importance, is_offered
from kernelscope.serving.constraints import Constraint
from kernelscope.serving.parameter import Parameter
from kernelscope.serving.system import System

MOST_PARAMETERS = 640
MOST_CONSTRAINTS, MOST_FURTHER = 300, 600
"""How many constraints have rows of their own, and how many after those stand several in a row."""
NEAR = 12
"""Lines within which conditions of one message are those of one statement."""
MOST_ALONE, MOST_TOGETHER = 240, 8
"""How many settings of a large system have rows of their own, and how many of those after them stand in one."""
LARGE = 3
"""How many times as many are told of a large system, several in a row."""
MOST_DEMANDS = 3
DEMANDED = ("constant", "environment", "field")
"""Kinds of parameters whose name stands for one thing in a file, so that what is demanded of it is demanded of them."""


_SETTING = re.compile(r"\b(?:self|(?:\w*_)?(?:config|cfg|args|arguments|options|settings))\.(\w+)")
"""What is asked of a configuration: `args.width`, and `self.width` where it checks itself."""
Shown = list[tuple[Parameter, list[Constraint]]]


def _parameters(system: System, places: Places) -> list[Json]:
    shown = system.following("parameters to show", lambda: _shown(system), system.nearness)
    alone = len(shown) if len(system.readings) <= FEW_FILES else MOST_ALONE
    rows = [_parameter(p, places, demands) for p, demands in shown[:alone]]
    return [*rows, *(_together(group, places) for group in _by_owner([p for p, _ in shown[alone:]]))]


def _by_owner(rows: list[Parameter]) -> list[list[Parameter]]:
    """Further settings, several of one class or file in a row, those that come first leading."""
    groups: dict[tuple[str, Path], list[list[Parameter]]] = {}
    order: list[list[Parameter]] = []
    for p in rows:
        if p.is_bare:
            continue
        of_one = groups.setdefault((p.owner, p.location.path), [])
        if not of_one or len(of_one[-1]) >= MOST_TOGETHER:
            of_one.append([])
            order.append(of_one[-1])
        of_one[-1].append(p)
    return order


def _together(group: list[Parameter], places: Places) -> Json:
    """Several settings with their defaults and choices."""
    if len(group) == 1:
        return _parameter(group[0], places, [])
    first = group[0]
    owner = first.owner or first.location.path.name
    return {
        "name": f"{SEVERAL}{owner}", "owner": first.owner or "module", "value": "; ".join(map(_said, group)),
        "kind": first.kind, "evidence": places.evidence(*(p.location for p in group)),
    }  # fmt: skip


def _shown(system: System) -> Shown:
    """The parameters that are told, each with what is demanded of it where it stands."""

    near = system.nearness

    def rank(p: Parameter) -> tuple[int, bool, int, int]:
        return (importance(p), not is_offered(p), -near.of_name(p.name), -system.weight(p.location.path))

    rows = _variables_once(sorted(system.declared, key=rank))
    if len(rows) < MOST_PARAMETERS:
        rows += sorted((p for p in system.parameters if system.is_aside(p.location.path)), key=rank)
    demanded: dict[tuple[Path, str], list[Constraint]] = {}
    shown = rows[: MOST_PARAMETERS * (2 if len(system.readings) <= FEW_FILES else LARGE)]
    names = {p.name for p in shown if p.kind in DEMANDED}
    for c in system.demands:
        for subject in names.intersection(c.subjects):
            demanded.setdefault((c.location.path, subject), []).append(c)
    return [(p, demanded.get((p.location.path, p.name), []) if p.kind in DEMANDED else []) for p in shown]


def _said(p: Parameter) -> str:
    """A setting in words; a default that is worked out also as it is written."""
    is_written = p.value in (None, "") or isinstance(p.value, str) or str(p.value) == p.expression
    return said_of(p) if is_written or not p.expression else f"{said_of(p)} (written {p.expression})"


def _variables_once(rows: list[Parameter]) -> list[Parameter]:
    """The same, but a variable of the environment that several places read with one default stands once."""
    found: dict[object, Parameter] = {}
    for p in rows:
        key = (p.name, p.expression) if p.kind == "environment" else id(p)
        known = found.get(key)
        found[key] = p if known is None else replace(known, listed_at=(*known.listed_at, p.location))
    return list(found.values())


def _parameter(parameter: Parameter, places: Places, demands: list[Constraint]) -> Json:
    shown: Json = {"name": parameter.name, "owner": parameter.owner or "module", "value": parameter.value}
    if parameter.expression:
        shown["expression"] = parameter.expression
    if parameter.choices:
        shown["choices"] = list(parameter.choices)
    if parameter.doc:
        shown["purpose"] = parameter.doc
    if parameter.overrides:
        shown["effective"] = "; ".join(
            f"{o.value} when {o.condition}" if o.condition else o.value for o in parameter.overrides
        )
    if demands:
        shown["demanded"] = "; ".join(c.condition for c in demands[:MOST_DEMANDS])
    lines = [parameter.location, *(e for o in parameter.overrides for e in o.evidence)]
    lines += [*(c.location for c in demands[:MOST_DEMANDS]), *parameter.listed_at]
    return {**shown, "kind": parameter.kind, "evidence": places.evidence(*lines)}


def _constraints(system: System, places: Places) -> list[Json]:
    shown = system.following("constraints to show", lambda: alike_constraints(system))
    rest = system.following("further constraints", lambda: _by_function(alike_constraints(system, MOST_CONSTRAINTS)))
    return [
        *(_constraint(group, places) for group in shown[:MOST_CONSTRAINTS]),
        *(_demanded_together(group, places) for group in rest),
    ]


def alike_constraints(system: System, after: int = 0) -> list[list[Constraint]]:
    """The constraints that are told, those of the same words together."""

    offered = {p.name for p in system.settings if p.kind == "field" and (is_offered(p) or p.is_of_configuration)}

    def rank(c: Constraint) -> tuple[bool, bool, int]:
        is_of_settings = not offered.isdisjoint(_SETTING.findall(c.condition))
        return (not is_of_settings, c.kind in ("other", "shape"), -system.weight(c.location.path))

    alike: dict[tuple[str, str, str], list[Constraint]] = {}
    for c in sorted(_joined(system.demands), key=rank):
        alike.setdefault((c.condition, c.enforced_by, c.when), []).append(c)
    if len(alike) < MOST_CONSTRAINTS:
        for c in sorted((c for c in system.constraints if system.is_aside(c.location.path)), key=rank):
            alike.setdefault((c.condition, c.enforced_by, c.when), []).append(c)
    return list(alike.values())[after:]


def _joined(demands: list[Constraint]) -> Iterator[Constraint]:
    """Constraints, but what one statement demands with one message is one of them."""
    last: Constraint | None = None
    for c in demands:
        if last is not None and c.message and _stands_with(last, c):
            names = tuple(dict.fromkeys([*last.subjects, *c.subjects]))
            kind = last.kind if last.kind == c.kind else "other"
            last = replace(last, condition=f"{_enclosed(last)} and {_enclosed(c)}", subjects=names, kind=kind)
            continue
        if last is not None:
            yield last
        last = c
    if last is not None:
        yield last


def _stands_with(a: Constraint, b: Constraint) -> bool:
    """Whether two are demanded in one place by the same means, with the same words."""
    return (a.location.path, a.where, a.enforced_by, a.message, a.when) == (
        b.location.path, b.where, b.enforced_by, b.message, b.when,
    ) and 0 <= b.location.line - a.location.line <= NEAR  # fmt: skip


def _enclosed(c: Constraint) -> str:
    return f"({c.condition})" if " or " in c.condition else c.condition


def _by_function(rest: list[list[Constraint]]) -> list[list[Constraint]]:
    """Further constraints, several of one function in a row, those that come first leading."""
    groups: dict[tuple[Path, str], list[list[Constraint]]] = {}
    order: list[list[Constraint]] = []
    for c in (group[0] for group in rest[:MOST_FURTHER]):
        of_one = groups.setdefault((c.location.path, c.where), [])
        if not of_one or len(of_one[-1]) >= MOST_TOGETHER:
            of_one.append([])
            order.append(of_one[-1])
        of_one[-1].append(c)
    return order


def _demanded_together(group: list[Constraint], places: Places) -> Json:
    """What one function demands, several conditions in a row."""
    if len(group) == 1:
        return _constraint(group, places)
    said = "; ".join(c.condition + (f" (if {c.when})" if c.when else "") for c in group)
    means = ", ".join(dict.fromkeys(c.enforced_by for c in group))
    return {
        "condition": said, "kind": "other", "enforced_by": means,
        "evidence": places.evidence(*(c.location for c in group), symbol=group[0].where),
    }  # fmt: skip


def _constraint(group: list[Constraint], places: Places) -> Json:
    """What several places demand in the same words, once."""
    c = group[0]
    return {
        "condition": c.condition,
        "kind": c.kind,
        "enforced_by": c.enforced_by,
        **({"when": c.when} if c.when else {}),
        **({"message": c.message} if c.message else {}),
        "evidence": places.evidence(*(other.location for other in group), symbol=c.where),
    }


CONFIG: Layout = {"parameters": _parameters, "tables": claims_about("config"), "constraints": _constraints}
