"""Ways that exclude each other: `if a: return f(x)`, `if b: return g(x)`; `x = norm(x) if y is None else norm(x, y)`.

Conditions are compared by the places where they stand, not by what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from kernelscope.interp.origins import Origins
from kernelscope.interp.steps import Step, Test, tensors_in
from kernelscope.interp.values import Choice, Instance, Sequential, Value
from kernelscope.ops import Module
from kernelscope.results import Span

T = TypeVar("T")
CALLS = ("call", "layer", "choice")


def ways(origins: Origins, result: Value) -> int:
    """How many computations the result of a call may come from, of which one run takes one."""
    found: list[Step] = []
    for value in tensors_in(result):
        for step in origins.origins(value):
            if all(excludes(step, other) for other in found):
                found.append(step)
    return len(found)


def excludes(one: Step, other: Step) -> bool:
    """Whether a condition of one step is the opposite of a condition of the other."""
    return bool(_decided_by(one, other))


def together(tested: Mapping[T, Iterable[Test]]) -> list[T]:
    """Of things with their conditions those that one run may do: of ways that exclude each other the first."""
    held: dict[tuple[str, Span], bool] = {}
    found: list[T] = []
    for thing, tests in tested.items():
        if all(held.get((test.path, test.span), test.holds) == test.holds for test in tests):
            held |= {(test.path, test.span): test.holds for test in tests}
            found.append(thing)
    return found


def alternatives(steps: Iterable[Step]) -> dict[Step, list[Step]]:
    """For calls of a layer the later calls of the same layer, in the same block, that are made where they are not."""
    of_layer: dict[int, list[Step]] = {}
    for step in steps:
        if step.kind in CALLS and isinstance(step.target, Module | Instance | Sequential | Choice):
            of_layer.setdefault(id(step.target), []).append(step)
    found: dict[Step, list[Step]] = {}
    for calls in of_layer.values():
        for index, step in enumerate(calls):
            if same := [other for other in calls[index + 1 :] if _is_other_branch(step, other)]:
                found[step] = same[:1]
    return found


def _is_other_branch(one: Step, other: Step) -> bool:
    """Whether the two stand in the two branches of one test, and nothing else decides between them."""
    deciding = _decided_by(one, other)
    return len(deciding) == 1 and len(one.tests) == len(other.tests) and one.element == other.element


def _decided_by(one: Step, other: Step) -> list[object]:
    """The tests that hold for one step and do not for the other."""
    opposite = {(test.path, test.span, not test.holds) for test in one.tests}
    return [test for test in other.tests if (test.path, test.span, test.holds) in opposite]
