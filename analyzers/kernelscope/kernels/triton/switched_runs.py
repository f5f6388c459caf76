"""A kernel followed once for each way through its switches, and what is seen on the ways told together.

What the switches are is found by an interpretation that follows both sides of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from kernelscope.kernels.triton.interpretation import Interpretation, Otherwise, Place
from kernelscope.kernels.triton.switches import MAX_SWITCHES, Answers, told, ways
from kernelscope.kernels.triton.values import BlockPointer, Descriptor, Tensor, Value

NONE: frozenset[Place] = frozenset()
Under = Callable[[Answers, AbstractSet[Place]], Interpretation]
"""Follows one way; on it products are refused that fit on others only."""


def follow_switches(run: Interpretation, under: Under) -> None:
    """Follows each way through the switches that `run` met; what it saw is replaced by what holds on the ways."""
    names = _foremost(run.switches)
    if not names:
        return
    runs = [(way, under(way, NONE)) for way in ways(names)]
    met = {name: apart for _, inner in runs for name, apart in inner.switches.items()} | dict.fromkeys(names, 2)
    if len(met) > len(names) < MAX_SWITCHES:  # what one switch leaves open hides the next from who follows both sides
        names = _foremost(met)
        runs = [(way, under(way, NONE)) for way in ways(names)]
    fit = frozenset(place for _, inner in runs for place, one in inner.products.items() if not one.unlike)
    runs = [(way, _refusing(way, fit, under) if fit & _unlike(inner) else inner) for way, inner in runs]
    runs = [(way, inner) for way, inner in runs if not inner.refused] or runs
    for span in list(run.seen):
        seen = [(way, inner.seen[span]) for way, inner in runs if span in inner.seen]
        if seen:
            run.seen[span], other = _in_its_form(seen, names)
            run.otherwise |= {span: other} if other is not None else {}
    for place, access in list(run.accesses.items()):
        made = [(way, inner.accesses[place]) for way, inner in runs if place in inner.accesses]
        if made:
            pointer, _ = _in_its_form([(way, one.pointer) for way, one in made], names)
            block = told([(way, one.block) for way, one in made], names)
            run.accesses[place] = replace(access, pointer=pointer, block=block)
    for place in dict.fromkeys(place for _, inner in runs for place in inner.products):
        done = [(way, inner.products[place]) for way, inner in runs if place in inner.products]
        sizes = told([(way, Tensor(one.sizes)) for way, one in done], names)
        if isinstance(sizes, Tensor) and sizes.shape is not None:
            rows, columns, inner_size = sizes.shape
            run.products[place] = replace(done[0][1], sizes=(rows, columns, inner_size))
    run.calls = {call: None for _, inner in runs for call in inner.calls}
    for _, inner in runs:
        run.called |= inner.called


def _refusing(way: Answers, fit: AbstractSet[Place], under: Under) -> Interpretation:
    """A way on which products that do not fit are refused; what that answers holds from its beginning."""
    run = under(way, fit)
    return under(run.answers, fit) if len(run.answers) > len(way) else run


def _unlike(run: Interpretation) -> set[Place]:
    return {place for place, one in run.products.items() if one.unlike}


def _foremost(switches: Mapping[str, int]) -> tuple[str, ...]:
    """The switches that are followed: those that part shapes most first."""
    return tuple(sorted(switches, key=lambda name: -switches[name])[:MAX_SWITCHES])


def _in_its_form(seen: Sequence[tuple[Answers, Value]], names: Sequence[str]) -> tuple[Value, Otherwise | None]:
    """What a place holds on all ways; where a switch makes it a block or a scalar, or pointers or a pointer to a block,
    the one, and the other with its condition."""
    for test in names:
        held, failed = ([(way, value) for way, value in seen if way[test] is side] for side in (True, False))
        one, other = ({_form(value) for _, value in side} for side in (held, failed))
        if len(one) != 1 or len(other) != 1 or one == other or "" in one | other:
            continue
        if one == {"scalar"}:
            return told(failed, names), Otherwise(f"if {test}", told(held, names))
        return told(held, names), Otherwise(f"unless {test}", told(failed, names))
    return told(seen, names), None


def _form(value: Value) -> str:
    match value:
        case Tensor(shape=tuple() as shape):
            return "block" if shape else "scalar"
        case BlockPointer() | Descriptor():
            return type(value).__name__
        case _:
            return ""
