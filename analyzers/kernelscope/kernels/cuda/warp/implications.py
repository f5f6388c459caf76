"""What the conditions on the way to an access say of sizes and lanes: behind `if (4 * N == 16)` the size `N` is 4.

A part of a condition may refuse it alone, whatever is not known of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kernelscope.dims import Dim, total
from kernelscope.dims.monomial import Atom, Opaque
from kernelscope.kernels.cuda.warp.sectors import AXES

_LANES = frozenset(AXES)


def implied(conditions: Iterable[Dim], is_same: Callable[[str], bool]) -> dict[str, int] | None:
    """The numbers that names must be where all conditions hold; None where they cannot all hold.

    `is_same` tells names that are the same for all lanes.
    """
    found: dict[str, int] = {}
    every = list(conditions)
    if any(condition.const == 0 for condition in every):
        return None
    waiting = [condition for condition in every if condition.const is None]
    grown = True
    while grown:
        grown = False
        for condition in waiting:
            known = condition.subs(found) if found else condition
            if known.const == 0:
                return None
            for equation in _equations(known):
                number = _solved(equation, is_same)
                if number is None:
                    continue
                name, value = number
                if value is None:
                    return None
                if name not in found:
                    found[name] = value
                    grown = True
    return found


def _equations(condition: Dim) -> Iterator[Dim]:
    """What has to be zero for a condition: the equalities that are its factors."""
    if len(condition.terms) != 1:
        return
    ((monomial, _),) = condition.terms
    for atom, _ in monomial:
        if isinstance(atom, Opaque) and atom.op == "==":
            yield atom.args[0] - atom.args[1]


def _solved(equation: Dim, is_same: Callable[[str], bool]) -> tuple[str, int | None] | None:
    """The name and the number that make `factor * name + rest` zero; no number where none does."""
    factor = rest = 0
    name = ""
    for monomial, number in equation.terms:
        if monomial == ():
            rest = number
        elif len(monomial) == 1 and isinstance(monomial[0][0], str) and monomial[0][1] == 1 and not name:
            name, factor = monomial[0][0], number
        else:
            return None
    if not name or not is_same(name):
        return None
    return name, -rest // factor if rest % factor == 0 else None


def pick_lanes(conditions: Iterable[Dim]) -> bool:
    """Whether bits of a number that nobody knows pick the lanes that pass: `i < (i ^ step)` lets every second one pass,
    or whole warps."""
    return any(map(_picks, (atom for condition in conditions for atom in condition.atoms())))


def _picks(atom: Atom) -> bool:
    if not isinstance(atom, Opaque):
        return False
    if atom.op in ("^", "&", "|"):
        by_lane = [not _LANES.isdisjoint(argument.names()) for argument in atom.args]
        return any(by_lane) and any(
            argument.const is None for argument, own in zip(atom.args, by_lane, strict=True) if not own
        )
    return any(_picks(inner) for argument in atom.args for inner in argument.atoms())


def refusals(condition: Dim) -> Iterator[tuple[Opaque, int]]:
    """Comparisons within a condition that refuse it whatever else holds, each with the truth by which it does so."""
    parts = [atom for atom in dict.fromkeys(condition.atoms()) if isinstance(atom, Opaque) and atom.op in ("<", "==")]
    if len(condition.terms) == 1 and len(condition.terms[0][0]) == 1:
        return  # it is its only part
    for part in parts:
        for truth in (0, 1):
            if not _where(condition, part, truth).terms:
                yield part, truth


def _where(condition: Dim, part: Opaque, truth: int) -> Dim:
    """A condition where a part of it is true or false."""
    rest = (
        (tuple(factor for factor in monomial if factor[0] != part), coefficient)
        for monomial, coefficient in condition.terms
        if truth or all(factor[0] != part for factor in monomial)
    )
    return total(Dim((term,)) for term in rest)
