"""One function followed with its steps recorded, for pictures and explanations."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping

from kernelscope.interp.attributes import prepare
from kernelscope.interp.calls import run_body
from kernelscope.interp.configuration import Configuration
from kernelscope.interp.findings import Seen
from kernelscope.interp.function_runs import is_odd_run, promised_lengths
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.lost_batches import loses_batch
from kernelscope.interp.parameters import parameters
from kernelscope.interp.receivers import alone, made_anew
from kernelscope.interp.seeds import EVERYTHING, Beliefs, Seeded, seed
from kernelscope.interp.trace import Trace
from kernelscope.interp.vagueness import best_known
from kernelscope.interp.values import Instance, Maybe, Opaque, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

TRACE_STEPS = 240_000
SHARED_STEPS = 120_000
"""Where these are too few, it is followed again with so many, of which no call may take more than its share."""


def trace_function(
    workspace: Workspace,
    path: str,
    scope: SourceScope,
    callers: Mapping[Span, Seen],
    configuration: Configuration | None = None,
) -> Trace:
    """The steps of one function on what the callers of its file give it, which `callers` tells. Never raises."""
    with workspace.modules.steady():
        return _trace(workspace, path, scope, callers, configuration)


def _trace(
    workspace: Workspace,
    path: str,
    scope: SourceScope,
    callers: Mapping[Span, Seen],
    configuration: Configuration | None,
) -> Trace:
    run = Interpreter(workspace, trace=Trace(), configuration=configuration)
    in_shares = False
    for beliefs in (EVERYTHING, Beliefs(other_layout=True), Beliefs(by_name=False)):
        trace, is_odd = Trace(), True
        if not in_shares:
            is_odd = _follow(run, trace, path, scope, callers, beliefs, TRACE_STEPS)
            in_shares = not trace.complete
        if in_shares:
            trace = Trace()
            trace.shares = True
            is_odd = _follow(run, trace, path, scope, callers, beliefs, SHARED_STEPS)
        if not trace.complete or (not run.findings and not is_odd):
            break  # what takes too long does so whatever is believed
    assert run.trace is not None
    return run.trace


def _follow(
    run: Interpreter,
    trace: Trace,
    path: str,
    scope: SourceScope,
    callers: Mapping[Span, Seen],
    beliefs: Beliefs,
    steps: int,
) -> bool:
    """Fill a trace; whether what came out is odd, so that other beliefs should be tried."""
    node, configuration = scope.node, run.configuration
    assert isinstance(node, t.FunctionDef)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    run.findings.clear()
    run.trace = trace
    run.start(steps)
    try:
        if configuration is not None:
            configuration.meet(run, path)
        function = alone(run, Definition(path, node.name, node, owner))
        frame = Scope(path, function)
        seeded = seed(run, function, frame, beliefs)
        if beliefs is EVERYTHING and _is_laid_out_otherwise(node, frame, seeded, callers):
            frame = Scope(path, function)
            seeded = seed(run, function, frame, Beliefs(other_layout=True))
        run.guessed_sizes = seeded.guessed_sizes
        for param in node.args:
            own, seen = frame.names.get(param.name), callers.get(param.name_span)
            value = _from_callers(own, param, seen, beliefs is EVERYTHING)
            is_own = value is own and param.name in seeded.guessed
            if is_own or (value is not own and seen is not None and seen.by_name):
                trace.guessed.append(param.name)
            if configuration is not None:
                value = configuration.renewed(run, value)
            elif isinstance(value, Instance) and value is not frame.names.get(param.name):
                value = made_anew(run, value)
            frame.names[param.name] = value
            trace.sources("input", param.name, param.name_span, value, path)
        promised = promised_lengths(frame, seeded)
        trace.root.result = result = run_body(run, frame, node)
        trace.known = best_known(run.symbols.with_words(run.known.facts, run.root_frame))
        is_odd = run.refuses or is_odd_run(run, promised) or loses_batch(trace, promised)
        if isinstance(result, Instance):
            prepare(run, result)
        if isinstance(function.receiver, Instance):
            trace.parameters = parameters(run, function.receiver)
        return is_odd
    except (OutOfBudget, RecursionError, ArithmeticError):
        trace.complete = False
    except ShapeError:
        pass
    return False


def _is_laid_out_otherwise(node: t.FunctionDef, frame: Scope, seeded: Seeded, callers: Mapping[Span, Seen]) -> bool:
    """Whether an input has another number of dims in the file than its name promises: there the code decided."""
    for param in node.args:
        own, seen = present(frame.names.get(param.name)), callers.get(param.name_span)
        told = present(seen.value) if seen is not None and param.name in seeded.guessed else None
        if isinstance(own, Tensor) and isinstance(told, Tensor) and told.rank not in (None, own.rank):
            return True
    return False


def _from_callers(value: Value, param: t.Param, seen: Seen | None, are_believed: bool) -> Value:
    """A parameter as the callers give it, in the function's own words; as it is by itself if they do not tell, or if
    it is odd what they tell: they went by names, too."""
    if seen is None or isinstance(seen.value, Unknown | Opaque) or seen.value is None:
        return value
    if not are_believed and isinstance(seen.value, Tensor):
        return value
    if isinstance(seen.value, Tensor) and seen.value.rank is None and not seen.value.shape.least_rank:
        return value
    return Maybe(seen.value, value.name) if isinstance(value, Maybe) else seen.value
