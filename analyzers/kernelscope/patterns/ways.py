"""Ways that exclude each other: `if a: return f(x)`, `if b: return g(x)`; `x = norm(x) if y is None else norm(x, y)`.

Conditions are compared by the places where they stand, not by what they say.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from kernelscope.interp.origins import Origins
from kernelscope.interp.steps import Step, tensors_in
from kernelscope.interp.values import Choice, Function, Instance, Sequential, Test, Value
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
    """For steps the later ones, in the same block, that do the same where they are not taken: calls of one layer, and
    calls of one operator or function, which do the same if they are given the same."""
    of_callee: dict[Hashable, list[Step]] = {}
    for step in steps:
        if (callee := _callee(step)) is not None:
            of_callee.setdefault(callee, []).append(step)
    found: dict[Step, list[Step]] = {}
    for calls in of_callee.values():
        for index, step in enumerate(calls):
            if same := [other for other in calls[index + 1 :] if _is_other_branch(step, other)]:
                found[step] = same[: 1 if is_of_layer(step) else None]
    return found


def is_of_layer(step: Step) -> bool:
    """Whether a step is a call of a layer, or of a method of an object: with other arguments it is the same box."""
    match step.target:
        case Module() | Instance() | Sequential() | Choice():
            return step.kind in CALLS
        case Function(is_bound=True):
            return step.kind == "call"
        case _:
            return False


def _callee(step: Step) -> Hashable:
    """What tells apart whatever steps call; None where nothing is called."""
    match step.target:
        case Function() as target if step.kind == "call":
            return target.definition.node, id(target.receiver) if target.is_bound else 0
        case Module() | Instance() | Sequential() | Choice() if step.kind in CALLS:
            return id(step.target)
        case _:
            return (step.operator or step).name if step.kind == "op" else None


def _is_other_branch(one: Step, other: Step) -> bool:
    """Whether the two stand in the two branches of one test, and nothing else decides between them."""
    deciding = _decided_by(one, other)
    return len(deciding) == 1 and len(one.tests) == len(other.tests) and one.element == other.element


def _decided_by(one: Step, other: Step) -> list[object]:
    """The tests that hold for one step and do not for the other."""
    opposite = {(test.path, test.span, not test.holds) for test in one.tests}
    return [test for test in other.tests if (test.path, test.span, test.holds) in opposite]
