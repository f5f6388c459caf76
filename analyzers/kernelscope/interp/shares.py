"""A call that takes more than its share of the steps stays shut, so that what follows it is reached.

Half of what is left, in traces of functions that take too many otherwise; so many for what only loads an object, and
for what took all that an earlier function had.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable

from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import HEAVY_STEPS, OutOfBudget
from kernelscope.interp.trace import Trace
from kernelscope.interp.values import Value
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Unknown

LOST = Unknown("it takes too many steps to be followed")


def within_share(run: Interpreter, trace: Trace, follow: Callable[[], Value]) -> Value:
    """What a call gives, or that it is not known where the call takes more than half of the steps that are left."""
    return _within(run, (run.most - run.steps) // 2, follow, trace.shut)


def within_steps(run: Interpreter, steps: int, follow: Callable[[], Value]) -> Value:
    """What a call gives, or that it is not known where the call takes more than so many steps."""
    return _within(run, min(steps, run.most - run.steps), follow, lambda: None)


def within_bounds(run: Interpreter, node: t.FunctionDef, follow: Callable[[], Value]) -> Value:
    """What a call gives; once it has taken all that a function had, it takes less of others: each of six heads on one
    model would come to nothing but the model, and the file to its end before its layers."""
    if run.trace is not None:
        return follow()
    if node in run.heavy:
        return within_steps(run, HEAVY_STEPS, follow)
    start = run.steps
    try:
        return follow()
    except OutOfBudget:
        if run.steps - start > HEAVY_STEPS:
            run.heavy.add(node)
        raise


def _within(run: Interpreter, steps: int, follow: Callable[[], Value], shut: Callable[[], None]) -> Value:
    most, mark = run.most, run.changes.mark()
    run.most = share = run.steps + steps
    state = run.known, run.calls, run.nested, run.quiet, run.forks, run.outside, run.symbols.frame
    try:
        return follow()
    except OutOfBudget:
        if run.steps <= run.most:
            raise  # it was the time, of which there is none left
        run.known, run.calls, run.nested, run.quiet, run.forks, run.outside, run.symbols.frame = state
        run.changes.undo(mark)
        shut()
        return LOST
    finally:
        run.most += most - share
