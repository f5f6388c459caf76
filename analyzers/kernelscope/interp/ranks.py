"""How many dims a tensor has that nobody is seen to give: the rank with which the function can run.

The body is tried with several ranks; those that lead to a contradiction are out. What is tried leaves no trace.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Set

from kernelscope.dims import dim
from kernelscope.interp.flow import Returns, execute
from kernelscope.interp.interpreter import Interpreter, OutOfBudget
from kernelscope.interp.seeds import KNOWN_INPUTS
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.trials import Trial
from kernelscope.interp.values import DIFFERENT_RANKS, NOT_TOLD, Maybe, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.ops.arguments import WITHOUT_BATCH
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Size, Tensor

LIKELY = (3, 2, 4, 1, 5, 6)
"""Ranks in the order in which they are tried."""
MOST = max(LIKELY)
"""A function that runs with so many dims runs with any number."""
MOST_SURPRISES = 10_000
FIRST_STEPS = 1_500
"""So far every rank is followed at first: nearly all that cannot be fail sooner, and one left alone need not go on."""
TRIAL_STEPS = 12_000
ALL_STEPS = 60_000
"""How far ranks are tried in one file."""
SHORT_STEPS = 600
LAST_STEPS = 110_000
"""Behind that only what names promise is tried, and shortly; here that ends, too."""
MAX_PARAMETERS = 5
BATCHED = 3
"""From so many dims on the first is one of a batch."""
GUESSED = 3
"""Names that promise a sequence of vectors are also given to images; other names promise what they say."""


def settle_ranks(
    run: Interpreter,
    scope: Scope,
    node: t.FunctionDef,
    guessed: Set[str] = frozenset(),
    doubted: Set[str] = frozenset(),
) -> None:
    """Give the parameters of unknown rank the one that the body needs, as far as it needs one.

    A shape that was `guessed` is forgotten if the body cannot run with it; `doubted` are those of which not even the
    name is believed.
    """
    for name in sorted(guessed):
        value = scope.names[name]
        is_tried = run.tried < LAST_STEPS and present(value).rank == GUESSED
        steps = TRIAL_STEPS if run.tried < ALL_STEPS else SHORT_STEPS
        if is_tried and _runs(run, scope, node, name, value, steps=steps) is False:
            unknown = Tensor(Shape.unknown(NOT_TOLD), present(value).dtype)
            scope.names[name] = Maybe(unknown, value.name) if isinstance(value, Maybe) else unknown
    names = [p.name for p in node.args if _is_open(scope.names.get(p.name))]
    tried: list[str] = []
    for name in names[:MAX_PARAMETERS]:
        if run.tried > ALL_STEPS:
            break
        taken = sizes_in(scope.names.values())
        called = name
        while any(f"{called}_size{i}" in taken for i in range(MOST)):
            called += "_"
        tried.append(f"{called}_size")
        found = _rank(run, scope, node, name, called, tuple(tried))
        if found is None and run.tried < ALL_STEPS and name not in doubted:
            found = _usual(run, scope, node, name, called)
        if found is not None:
            scope.names[name] = _with_rank(scope.names[name], called, found)
            if BATCHED <= found < max(_known_ranks(scope), default=0):
                run.symbols.ones.add(f"{called}_size0")  # a table that is broadcast may be there once for all
    run.symbols.spoken = sizes_in(scope.names.values())


def _known_ranks(scope: Scope) -> list[int]:
    """How many dims the parameters have of which that is known."""
    tensors = [value for value in map(present, scope.names.values()) if isinstance(value, Tensor)]
    return [tensor.rank for tensor in tensors if tensor.rank is not None]


def _is_open(value: Value) -> bool:
    value = present(value)
    return isinstance(value, Tensor) and value.rank is None


def _rank(
    run: Interpreter, scope: Scope, node: t.FunctionDef, name: str, called: str, tried: tuple[str, ...]
) -> int | None:
    """The rank with which the body meets no contradiction and the fewest surprises, if it is the only one."""
    least = max(1, present(scope.names[name]).shape.least_rank)
    given = sizes_in(scope.names.values())
    left = [rank for rank in LIKELY if rank >= least]
    surprises: dict[int, int] = {}
    """Of the ranks that were followed far enough."""
    for steps in (FIRST_STEPS, TRIAL_STEPS):
        ranks, left = left, []
        for rank in ranks:
            trial = Trial(tried, given, min(surprises.values(), default=MOST_SURPRISES))
            runs = _runs(run, scope, node, name, _with_rank(scope.names[name], called, rank), trial, steps)
            if runs is None and steps < TRIAL_STEPS:
                left.append(rank)
            elif runs is not False:
                surprises[rank] = trial.surprises
                if not trial.surprises and list(surprises.values()).count(0) > 1:
                    return None
        if not surprises and len(left) == 1:
            surprises[left.pop()] = 0
    fewest = min(surprises.values(), default=0)
    best = [rank for rank, count in surprises.items() if count == fewest]
    return best[0] if len(best) == 1 and best != [MOST] else None


def _usual(run: Interpreter, scope: Scope, node: t.FunctionDef, name: str, called: str) -> int | None:
    """The rank that the field's own name for an input promises, if callers say nothing else and the body can run."""
    value = scope.names[name]
    usual = len(KNOWN_INPUTS.get(name, ()))
    shape = present(value).shape
    if usual < max(1, shape.least_rank) or shape.reason == DIFFERENT_RANKS:
        return None
    return None if _runs(run, scope, node, name, _with_rank(value, called, usual)) is False else usual


def _runs(
    run: Interpreter,
    scope: Scope,
    node: t.FunctionDef,
    name: str,
    value: Value,
    trial: Trial | None = None,
    steps: int = TRIAL_STEPS,
) -> bool | None:
    """Whether a call with this rank meets no contradiction; None if that takes more steps."""
    frame = Scope(scope.path, scope.function, dict(scope.names), scope.outer)
    frame.names[name] = value
    start = run.steps
    known, outer, mark, before = run.known, run.symbols.frame, run.changes.mark(), len(run.findings)
    batched = WITHOUT_BATCH.set(False)
    run.quiet += 1
    run.contexts.within += 1
    run.strict += 1
    run.frames += 1
    frame.frame = run.symbols.frame = run.frames
    run.calls, calls = 1, run.calls
    run.symbols.trial = trial
    try:
        returns = Returns(run, frame)
        with run.budget(steps):
            return not (execute(run, frame, node.body, returns) and not returns.any)
    except ShapeError:
        return False
    except OutOfBudget:
        return None
    except (RecursionError, ArithmeticError):
        return True
    finally:
        WITHOUT_BATCH.reset(batched)
        run.changes.undo(mark)
        run.strict -= 1
        run.contexts.within -= 1
        run.quiet -= 1
        run.symbols.trial = None
        run.known, run.symbols.frame, run.calls, run.nested = known, outer, calls, 0
        run.tried += run.steps - start
        del run.findings[before:]


def _with_rank(value: Value, called: str, rank: int) -> Value:
    """A tensor of this rank, its sizes called after the parameter where they are not known."""
    if isinstance(value, Maybe):
        return Maybe(_with_rank(value.value, called, rank), value.name)
    head, tail = value.shape.head, value.shape.tail or ()
    missing = range(len(head), rank - len(tail))
    sizes: tuple[Size, ...] = (*head, *(dim(f"{called}_size{i}") for i in missing), *tail)
    return Tensor(Shape(sizes), value.dtype, value.place)
