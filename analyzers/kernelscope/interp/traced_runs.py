"""One function followed with its steps recorded, for pictures and explanations."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kernelscope.interp.calls import run_body
from kernelscope.interp.configuration import Configuration
from kernelscope.interp.findings import Seen
from kernelscope.interp.function_runs import is_odd_run, promised_lengths
from kernelscope.interp.gradients import give_context, kept_for
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import OutOfBudget
from kernelscope.interp.lost_batches import loses_batch
from kernelscope.interp.parameters import parameters
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.receivers import alone, made_anew, seeded_instance
from kernelscope.interp.seeds import EVERYTHING, Beliefs, Seeded, seed
from kernelscope.interp.symbols import sizes_in
from kernelscope.interp.trace import Trace
from kernelscope.interp.vagueness import best_known
from kernelscope.interp.values import Function, Instance, Maybe, Opaque, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Shape, Tensor, Unknown
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
    receiver: Definition | None = None,
) -> Trace:
    """The steps of one function on what the callers of its file give it, which `callers` tells. Never raises.

    `receiver` is the class of the object that a method is called on, where that is not the one it stands in.
    """
    with workspace.modules.steady():
        return _trace(workspace, path, scope, callers, configuration, receiver)


def _trace(
    workspace: Workspace,
    path: str,
    scope: SourceScope,
    callers: Mapping[Span, Seen],
    configuration: Configuration | None,
    receiver: Definition | None,
) -> Trace:
    run = Interpreter(workspace, trace=Trace(), configuration=configuration)
    in_shares = False
    first: tuple[Trace, set[tuple[str, Span]], bool] | None = None
    guessed: list[str] = []
    for beliefs in _beliefs(guessed):
        trace, is_odd = Trace(), True
        if not in_shares:
            is_odd = _follow(run, trace, path, scope, callers, beliefs, TRACE_STEPS, receiver)
            in_shares = not trace.complete
        if in_shares:
            trace = Trace()
            trace.shares = True
            is_odd = _follow(run, trace, path, scope, callers, beliefs, SHARED_STEPS, receiver)
        if not trace.complete or (not run.findings and not is_odd):
            return trace  # what takes too long does so whatever is believed
        odd = {(found.path, found.span) for found in run.findings}
        if first is None:
            first = trace, odd, is_odd
            guessed += trace.guessed
        elif not beliefs.by_name and first[1] <= odd and first[2] <= is_odd:
            return first[0]  # what is odd whatever is believed does not speak against what is
    assert run.trace is not None
    return run.trace


def _beliefs(guessed: Sequence[str]) -> Iterator[Beliefs]:
    """What is believed, one after the other until nothing is odd; the first tells what was `guessed` by names."""
    yield EVERYTHING
    yield Beliefs(other_layout=True)
    if len(guessed) > 1:
        yield from (Beliefs(doubted=frozenset({name})) for name in guessed)
    yield Beliefs(by_name=False)


def _follow(
    run: Interpreter,
    trace: Trace,
    path: str,
    scope: SourceScope,
    callers: Mapping[Span, Seen],
    beliefs: Beliefs,
    steps: int,
    receiver: Definition | None,
) -> bool:
    """Fill a trace; whether what came out is odd, so that other beliefs should be tried."""
    node, configuration = scope.node, run.configuration
    assert isinstance(node, t.FunctionDef)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    run.findings.clear()
    run.trace = trace
    run.start(steps)
    callers = {p.name_span: callers[p.name_span].in_whole_names() for p in node.args if p.name_span in callers}
    of_callers = sizes_in(seen.value for seen in callers.values())
    try:
        if configuration is not None:
            configuration.meet(run, path)
        function = alone(run, Definition(path, node.name, node, owner))
        if receiver is not None:
            function = Function(function.definition, seeded_instance(run, receiver), True)
        frame = Scope(path, function)
        seeded = seed(run, function, frame, beliefs)
        if beliefs is EVERYTHING and _is_laid_out_otherwise(node, frame, seeded, callers):
            frame = Scope(path, function)
            seeded = seed(run, function, frame, Beliefs(other_layout=True))
        run.guessed_sizes = seeded.guessed_sizes
        run.symbols.spoken |= of_callers  # objects are made anew here: what they hold is not what callers call alike
        context = give_context(run, frame, node)
        for param in node.args[context is not None :]:
            own, seen = frame.names.get(param.name), callers.get(param.name_span)
            value = _from_callers(own, param.name in seeded.guessed, seen, beliefs)
            is_guess = value is own and param.name in seeded.guessed
            if is_guess or (value is not own and seen is not None and seen.by_name):
                trace.guessed.append(param.name)
            if configuration is not None:
                value = configuration.renewed(run, value)
            elif isinstance(value, Instance) and value is not frame.names.get(param.name):
                value = made_anew(run, value)
            frame.names[param.name] = value
            is_own = param is node.args[0] and isinstance(function.receiver, Instance)
            if not is_own:  # what an object holds of its own are weights
                for name, tensor in kept_for(run.uses(node), value):
                    trace.sources("input", name, param.name_span, tensor, path)
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


def _from_callers(value: Value, is_guess: bool, seen: Seen | None, beliefs: Beliefs) -> Value:
    """A parameter as the callers give it, in the function's own words; as it is by itself if they do not tell, or if
    it is odd what they tell: they went by names, too."""
    if seen is None or isinstance(seen.value, Unknown | Opaque) or seen.value is None:
        return value
    if (beliefs.other_layout or not beliefs.by_name) and isinstance(seen.value, Tensor):
        return value
    given = present(seen.value)
    if isinstance(given, Tensor) and given.rank is None:
        own = present(value)
        if not given.shape.least_rank or (is_guess and isinstance(own, Tensor) and _agree(own.shape, given.shape)):
            return value
    return Maybe(seen.value, value.name) if isinstance(value, Maybe) else seen.value


def _agree(own: Shape, given: Shape) -> bool:
    """Whether a shape of known rank ends in the sizes that callers know."""
    sizes = given.tail or ()
    return own.dims is not None and not given.head and own.dims[len(own.dims) - len(sizes) :] == sizes
