"""Loops: rounds one by one, or any number of them run to a fixpoint of their shapes."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable

from kernelscope.dims import Dim
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.joins import Join
from kernelscope.interp.values import Alike, Scope, Value, as_size


def any_number_of_rounds(run: Interpreter, scope: Scope, go: Callable[[], bool], count: Value = None) -> None:
    """A loop that may run any number of times: one round finds what changes, the next sees it as any round does.

    What the first round says of sizes holds at the start only, so it is not kept. A list that is one longer behind a
    round has as many more elements as there are rounds, if there are `count` and none is cut short.
    """
    known, outside = run.known, run.outside
    join = Join(run.symbols, scope, facts=(known.facts, known.facts))
    for number in range(2):
        before, mark, findings = dict(scope.names), run.changes.mark(), len(run.findings)
        lengths = {name: len(value) for name, value in before.items() if isinstance(value, list)}
        run.quiet += number == 0
        if run.trace is not None and number == 0 and run.quiet == 1:  # a picture shows what is far down, too
            run.outside = run.calls
        try:
            one_round(run, scope, go, join)
        finally:
            if number == 0:
                run.quiet, run.outside = run.quiet - 1, outside
                run.known = known
                del run.findings[findings:]
        for name, value in list(scope.names.items()):
            if isinstance(value, list) and name in lengths and len(value) != lengths[name]:
                grown = as_size(count) if len(value) == lengths[name] + 1 else None
                total = grown + lengths[name] if isinstance(grown, Dim) else None
                scope.names[name] = Alike(join.any_of(name, value), total)
            elif name in before and before[name] is not value:
                scope.names[name] = join.values(name, before[name], value)
        contents = run.changes.since(mark)
        run.changes.join(run.changes.undo(mark), {}, contents, join)


def one_round(run: Interpreter, scope: Scope, go: Callable[[], bool], join: Join) -> None:
    """One round of a loop, with the ways that leave it early."""
    scope.loops.append([])
    ended = go()
    early = scope.loops.pop()
    if ended and early:
        scope.names = early.pop()
    for names in early:
        scope.names = join.names(scope.names, names)
