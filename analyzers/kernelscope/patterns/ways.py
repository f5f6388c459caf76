"""Ways of a call that exclude each other: `if a: return f(x)`, `if b: return g(x)`, and so on.

Conditions are compared by the places where they stand, not by what they say.
"""

from __future__ import annotations

from kernelscope.interp.steps import Step, tensors_in
from kernelscope.patterns.flow import Flow, Node


def ways(flow: Flow, call: Node) -> int:
    """How many computations the result of a call may come from, of which one run takes one."""
    found: list[Step] = []
    for value in tensors_in(call.step.result):
        for step in flow.trace.origins(value):
            if all(excludes(step, other) for other in found):
                found.append(step)
    return len(found)


def excludes(one: Step, other: Step) -> bool:
    """Whether a condition of one step is the opposite of a condition of the other."""
    opposite = {(test.path, test.span, not test.holds) for test in one.tests}
    return any((test.path, test.span, test.holds) in opposite for test in other.tests)
