"""Which of several names that mean the same size tells most."""

from __future__ import annotations

from dataclasses import replace

from kernelscope.dims import Dim, Facts, dim
from kernelscope.dims.facts import multiple_of_name
from kernelscope.dims.spelling import call_of, is_of_dim


def best_known(facts: Facts) -> Facts:
    """Facts in which, of the names that are equal, the most telling one stays."""
    groups: dict[str, list[str]] = {}
    for name, value in facts.equal.items():
        if value.name is not None:
            groups.setdefault(value.name, [value.name]).append(name)
    changes = {kept: best for kept, names in groups.items() if (best := min(names, key=_vagueness_of)) != kept}
    if not changes:
        return facts
    better = {kept: dim(best) for kept, best in changes.items()}
    equal = {name: value.subs(better) for name, value in facts.equal.items() if name not in changes.values()}
    return replace(facts, equal={**equal, **better})


def best_known_first(one: Dim, other: Dim) -> tuple[Dim, Dim]:
    """Two equal sizes, the one with the more telling names first: the other is written like it."""
    first, second = _vagueness(one), _vagueness(other)
    if first == second:
        return (other, one) if multiple_of_name(other) is not None else (one, other)
    return (one, other) if first < second else (other, one)


def _vagueness(size: Dim) -> tuple[int, int]:
    """Settings are named best, then variables, then sizes that could not be followed, then those without a name.

    What is known in the calls outside is better known than what belongs to a call inside them.
    """
    each = [_vagueness_of(name) for name in size.names()]
    return max((kind for kind, _ in each), default=0), max((call for _, call in each), default=0)


def _vagueness_of(name: str) -> tuple[int, int]:
    call = call_of(name)
    return 3 * is_of_dim(name) + 4 * bool(call) + ("." not in name), call
