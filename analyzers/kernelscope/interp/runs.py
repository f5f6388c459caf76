"""Every function of one file interpreted for its own sake, once: on what its callers have in common.

Callers come first, so that what they give is known; a function that nobody is seen to call has seeded parameters.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from kernelscope.dims import Dim, Facts
from kernelscope.faults import part
from kernelscope.interp.attributes import prepare
from kernelscope.interp.brevity import brief
from kernelscope.interp.calls import run_body
from kernelscope.interp.configuration import Configuration
from kernelscope.interp.contexts import Context
from kernelscope.interp.elsewhere import Elsewhere
from kernelscope.interp.generality import Generality
from kernelscope.interp.interpreter import FUNCTION_STEPS, Finding, Interpreter, Known, OutOfBudget, Seen
from kernelscope.interp.order import FileOrder, as_called
from kernelscope.interp.parameters import parameters
from kernelscope.interp.ranks import settle_ranks
from kernelscope.interp.receivers import alone, common_instance, learn_words
from kernelscope.interp.rounds import Rounds
from kernelscope.interp.seeds import BATCH, EVERYTHING, KNOWN_INPUTS, Beliefs, Seeded, seed
from kernelscope.interp.substitutes import settle_substitutes
from kernelscope.interp.symbols import over_sizes
from kernelscope.interp.trace import Trace
from kernelscope.interp.untaken import follow_untaken
from kernelscope.interp.vagueness import best_known
from kernelscope.interp.values import NOT_TOLD, Function, Instance, Maybe, Opaque, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.workspace.modules import Definition, SeenFiles
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

FILE_STEPS = 320_000
CALLERS_STEPS = 20_000
"""How far one function of another file is followed for the calls that it makes."""
BUILDERS_STEPS = 60_000
"""Functions that only build models are looked at after those that compute, and only if those took no more."""
TRACE_STEPS = 240_000
MAX_DOUBTED = 5
"""Parameters whose documentation is tried to be wrong."""
DOUBTS_STEPS = 30_000
"""How far that is tried in one file."""


@dataclass(slots=True)
class FileRun:
    """What interpretation found in one file: values by span, contradictions, functions that were run."""

    path: str
    versions: Mapping[str, Version | None] = field(default_factory=dict[str, "Version | None"])
    """The files that were looked at, as they were."""
    values: dict[Span, Seen] = field(default_factory=dict[Span, Seen])
    findings: list[Finding] = field(default_factory=list[Finding])
    incomplete: set[str] = field(default_factory=set[str])
    steps: dict[str, int] = field(default_factory=dict[str, int])
    """What each function took, with the callers in other files that were followed for it."""
    waiting: set[Span] = field(default_factory=set[Span])
    """The functions that were not looked at yet. What is known of the others stays."""

    def waits_for(self, span: Span) -> bool:
        """Whether a function that is not looked at yet has a part in `span`."""
        return any(function.start <= span.end and span.start <= function.end for function in self.waiting)


class FileWork:
    """The interpretation of one file, which can be left after any function and goes on as if it had not been."""

    def __init__(self, workspace: Workspace, path: str) -> None:
        self._modules = workspace.modules
        self._seen = SeenFiles()
        self.run = FileRun(path, self._seen.versions)
        self._functions = _functions(workspace, path, self.run)
        self.is_done = False
        self.go_on()  # as far as to know which functions there are

    def go_on(self) -> None:
        """Interpret one more function. Never raises; what goes wrong loses the function it happens in."""
        with self._modules.steady(self._seen):
            self.is_done = next(self._functions, True) is True


def run_file(workspace: Workspace, path: str) -> FileRun:
    """Interpret every function of a file."""
    work = FileWork(workspace, path)
    while not work.is_done:
        work.go_on()
    return work.run


def _functions(workspace: Workspace, path: str, result: FileRun) -> Iterator[None]:
    """Stops before the first function and behind each."""
    module = workspace.modules.module(path)
    if module is None:
        return
    run = Interpreter(workspace)
    run.contexts.path = path
    file = FileOrder(module)
    elsewhere = Elsewhere(workspace, path, file.built, lambda: run.steps, run.nearby)
    order = file.callers_first()
    builders = [scope for scope in order if not file.computes(scope)]
    result.waiting |= {scope.node.span for scope in order}
    yield
    for scope in as_called([*(s for s in order if s not in builders), *builders], run.contexts.edges):
        if scope in builders and run.steps > BUILDERS_STEPS:
            break
        assert isinstance(scope.node, t.FunctionDef)
        before = run.steps
        if _was_followed(scope, result):
            result.waiting.discard(scope.node.span)
            continue
        if not run.contexts.of(scope.node) and elsewhere.may_tell(scope) and _is_seeded_poorly(run, path, scope):
            run.contexts.outside = True
            for other, calling in elsewhere.callers(scope):
                _attempt(run, other, calling, Beliefs(by_name=False))
            run.contexts.outside = False
            run.findings = [finding for finding in run.findings if finding.path == path]
        if run.steps - run.tried - run.doubting > FILE_STEPS or not _attempt(run, path, scope):
            result.incomplete.add(scope.qualified_name)
        result.values.update(run.seen)
        result.steps[scope.qualified_name] = run.steps - before
        result.findings = [finding for finding in run.findings if finding.path == path]
        result.waiting.discard(scope.node.span)
        yield
    result.waiting.clear()


def _was_followed(scope: SourceScope, result: FileRun) -> bool:
    """Whether a function inside another one ran when that did, with the variables around it."""
    assert isinstance(scope.node, t.FunctionDef)
    return len(scope.path) > 1 and scope.owner is None and scope.node.name_span in result.values


def _is_seeded_poorly(run: Interpreter, path: str, scope: SourceScope) -> bool:
    """Whether a function by itself does not tell the rank of a tensor that it is given."""
    run.start()
    run.seen, run.quiet, run.contexts.root = {}, 0, None
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    try:
        function = alone(run, Definition(path, node.name, node, owner))
        frame = Scope(path, function)
        seed(run, function, frame)
    except (OutOfBudget, RecursionError, ArithmeticError, ShapeError):
        return True
    return any(isinstance(v, Tensor) and v.rank is None for v in frame.names.values())


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One run of a function with what was believed of its parameters."""

    beliefs: Beliefs
    done: bool
    seeded: Seeded
    seen: dict[Span, Seen]
    findings: list[Finding]
    calls: dict[t.FunctionDef, list[Context]]
    """The calls of functions of the file that it makes."""
    doubts: int
    steps: int


def _attempt(run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs = EVERYTHING) -> bool:
    """Run one function; again with less belief in names and documentation if those led to a contradiction.

    False: out of budget.
    """
    before, noted = len(run.findings), run.contexts.counts()

    def outcome(beliefs: Beliefs) -> _Outcome:
        del run.findings[before:]
        run.contexts.forget(noted)
        start = run.steps
        done, seeded = _fresh(run, path, scope, beliefs)
        findings, calls = run.findings[before:], run.contexts.since(noted)
        return _Outcome(beliefs, done, seeded, run.seen, findings, calls, run.doubts, run.steps - start)

    best = outcome(beliefs)
    if (best.findings or best.seeded.is_odd) and best.seeded.guessed:
        for less in (Beliefs(packed=True), Beliefs(by_name=False)):
            other = outcome(less)
            if not other.findings and not other.seeded.is_odd:
                best = other
                break
    if (best.findings or best.doubts) and best.seeded.told and best.done:
        without = _wrongly_told(run, best, outcome)
        if len(without) == 1:
            best = next(iter(without.values()))
        elif without:
            best = outcome(replace(best.beliefs, doubted=without.keys()))
        elif best.findings:  # nobody knows what is wrong
            less = outcome(replace(best.beliefs, doubted=best.seeded.told.keys()))
            best = best if less.findings else less
        run.contexts.forget(noted)
        run.contexts.add(best.calls)
    run.seen = best.seen
    run.findings[before:] = best.findings
    return best.done


def _wrongly_told(run: Interpreter, found: _Outcome, outcome: Callable[[Beliefs], _Outcome]) -> dict[str, _Outcome]:
    """Parameters without whose documentation the function runs, each with how it does. The one that is least like the
    others gives way first, then what documents many functions alike, and there the last parameter; of what else
    documents this one, nobody knows which is right."""
    told, oddest = found.seeded.told, found.seeded.oddest
    likely = [name for name in told if name == oddest] + [name for name in reversed([*told]) if not told[name]]
    wrong: dict[str, _Outcome] = {}
    for number, name in enumerate(dict.fromkeys((*likely, *told))):
        if number == MAX_DOUBTED or (number and run.doubting + found.steps > DOUBTS_STEPS):
            break
        less = outcome(replace(found.beliefs, doubted={name}))
        run.doubting += less.steps
        if less.done and not less.findings and not less.doubts:
            if name in likely:
                return {name: less}
            wrong[name] = less
    return wrong


def _fresh(run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs) -> tuple[bool, Seeded]:
    """One run into an empty `seen`: whether it was finished, and what its parameters were taken from."""
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    run.seen = {}
    run.start(CALLERS_STEPS if run.contexts.outside else FUNCTION_STEPS)
    run.contexts.root = node
    run.root_frame = 0
    run.contexts.within = 0
    run.quiet = 0
    try:
        with part(f"shapes of {scope.qualified_name} in {path}", []):
            try:
                return True, _run_one(run, path, scope, beliefs)
            except (OutOfBudget, RecursionError, ArithmeticError):
                return False, Seeded()
            except ShapeError:
                return True, Seeded()
        return False, Seeded()
    finally:
        if not run.contexts.outside:  # there only the calls are of interest
            _settle(run)
        run.changes.undo(0)


def _settle(run: Interpreter) -> None:
    """Sizes that turned out to be equal on every way through the function are written as one, by their plain names."""
    facts = best_known(run.known.facts)
    run.symbols.frame = run.root_frame

    told_before: dict[Dim, Dim] = {}

    def told(size: Dim) -> Dim:
        if size not in told_before:
            told_before[size] = facts.folded(facts.rewrite(size))
        return told_before[size]

    for span, unlikely in run.unlikely.items():
        run.seen.setdefault(span, unlikely)
    module = run.workspace.modules.module(run.contexts.path)
    rounds = Rounds(run.symbols, Scope(run.contexts.path, frame=run.root_frame))
    for span in sorted(run.seen, key=lambda span: span.start):
        seen = run.seen[span]
        seen.value = over_sizes(seen.value, told)
        seen.before = [(moment, over_sizes(value, told)) for moment, value in seen.before]
        name = "" if module is None else module.text.slice(span)
        seen.value = run.symbols.shown(rounds.settle(name if name.isidentifier() else "size", seen))
    brief(run)


def _run_one(run: Interpreter, path: str, scope: SourceScope, beliefs: Beliefs) -> Seeded:
    """Run one function on what its callers give; what its parameters were taken from besides."""
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    if "triton.jit" in {t.dotted(d) for d in node.decorator_list}:
        return Seeded()
    contexts = run.contexts.of(node)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    run.contexts.caller = owner
    if contexts:
        frame, facts = _common(run, Definition(path, node.name, node, owner), contexts)
        outside = all(context.outside for context in contexts)
        guessed = _offer(run, frame, node) if outside else frozenset[str]()
        run.known = Known(facts=facts)
        settle_substitutes(run, frame, node)
        settle_ranks(run, frame, node, guessed)
        run_body(run, frame, node)
        follow_untaken(run, frame)
        for param in node.args:
            if param.name_span in run.seen:
                run.seen[param.name_span].contexts = len(contexts)
        return Seeded()
    function = alone(run, Definition(path, node.name, node, owner))
    frame = Scope(path, function)
    seeded = seed(run, function, frame, beliefs)
    settle_substitutes(run, frame, node)
    settle_ranks(run, frame, node, seeded.guessed)
    promised = _promised(frame, seeded)
    run_body(run, frame, node)
    is_odd = run.refuses or _is_odd(run, promised)
    follow_untaken(run, frame)
    return replace(seeded, is_odd=is_odd)


def _promised(frame: Scope, seeded: Seeded) -> list[Dim]:
    """The numbers and lengths of sequences that names promise: no code makes one of them the other."""
    found: dict[Dim, None] = {}
    for name in sorted(seeded.guessed):
        value = present(frame.names[name])
        if KNOWN_INPUTS[name][:2] == BATCH and isinstance(value, Tensor) and value.rank == len(KNOWN_INPUTS[name]):
            found |= {size: None for size in value.shape.head[:2] if isinstance(size, Dim) and size.name is not None}
    return list(found)


def _is_odd(run: Interpreter, promised: list[Dim]) -> bool:
    """Whether the code takes sizes of a batch to be equal that are not."""
    facts, names = run.known.facts, {name for size in promised for name in size.names()}
    if len({facts.rewrite(size) for size in promised}) < len(promised):
        return True
    return any(
        {*one.names(), *other.names()} <= names and facts.rewrite(one) != facts.rewrite(other) for one, other in run.met
    )


def _common(run: Interpreter, definition: Definition, contexts: list[Context]) -> tuple[Scope, Facts]:
    """The parameters of a function as all its callers give them."""
    node = definition.node
    assert isinstance(node, t.FunctionDef)
    uses = run.uses(node)
    callers = {None if c.caller is None else c.caller.node for c in contexts}
    own = definition.owner.node if definition.owner is not None else None

    def make(common: Generality, instances: list[Instance], name: str) -> Instance:
        return common_instance(run, common, instances, name)

    hinted = {n for names in uses.unpacked.values() for n in names if uses.bindings.get(n) == 1}
    ones = [c.ones for c in contexts]
    examples = all(context.outside for context in contexts)
    taken = set(uses.bindings) - hinted
    common = Generality(len(contexts), taken, callers != {own}, make, hinted, ones, examples=examples)
    names: dict[str, Value] = {}
    receiver = contexts[0].receiver
    parameters = [p.name for p in node.args]
    if isinstance(receiver, Instance) and parameters:
        own_name = parameters.pop(0)
        receivers = [c.receiver for c in contexts]
        same = all(isinstance(r, Instance) and r.cls.node is receiver.cls.node for r in receivers)
        receiver = common.instance(own_name, receivers, receivers, 0) if same else receiver
        names[own_name] = receiver
        if isinstance(receiver, Instance):
            prepare(run, receiver)
            learn_words(common, receiver)
    for name in sorted(parameters, key=lambda p: not all(_is_size(c.names.get(p)) for c in contexts)):
        given = [c.names[name] for c in contexts if name in c.names]
        if len(given) == len(contexts):
            hints = [h if h in hinted else "_" for h in uses.unpacked.get(name, [])]
            names[name] = value = common.value(name, given, hints)
            if isinstance(present(value), Unknown) and name in uses.tensors:
                lost = Tensor(Shape.unknown(NOT_TOLD))
                names[name] = Maybe(lost, value.name) if isinstance(value, Maybe) else lost
    run.symbols.ones |= common.ones
    facts = contexts[0].facts
    for context in contexts[1:]:
        facts = facts.common(context.facts)
    said = {name for fact in facts.divisible for size in fact for name in size.names() if common.keeps(name)}
    divisible = tuple(f for f in facts.divisible if all(said.issuperset(size.names()) for size in f))
    facts = Facts(divisible=divisible)  # sizes that are equal are told as one already, in the words of the callers
    return Scope(definition.path, Function(definition, receiver, isinstance(receiver, Instance)), names), facts


def _is_size(value: Value) -> bool:
    """Whether an argument is a size or some: what tensors' sizes are computed of may be told by it."""
    if type(value) is tuple:
        return all(_is_size(part) for part in value)
    return isinstance(present(value), Dim | Opaque)


def _offer(run: Interpreter, frame: Scope, node: t.FunctionDef) -> Set[str]:
    """The few callers in other files are examples: what they leave out may be given by others, and what they do not
    tell, or the function's own documentation tells, is what it would be without them.

    Gives the parameters whose shape is guessed by their names.
    """
    if frame.function is None:
        return frozenset()
    alone_frame = Scope(frame.path, frame.function)
    seeded = seed(run, frame.function, alone_frame)
    guessed: set[str] = set()
    for param in node.args:
        name = param.name
        if name not in frame.names or name not in alone_frame.names:
            continue
        given, own = frame.names[name], alone_frame.names[name]
        if seeded.told.get(name) or (_is_untold(given) and not _is_untold(own)):
            frame.names[name] = own
            guessed |= {name} & seeded.guessed
        elif given is None and isinstance(param.default, t.Constant) and name not in seeded.guessed:
            frame.names[name] = own if isinstance(own, Maybe | Unknown) or own is None else Maybe(own, name)
    return guessed


def _is_untold(value: Value) -> bool:
    """Whether it is not even known of how many dims an argument is."""
    value = present(value)
    return isinstance(value, Unknown) or (isinstance(value, Tensor) and value.rank is None)


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
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    owner = Definition(path, scope.owner.name, scope.owner) if scope.owner is not None else None
    for beliefs in (EVERYTHING, Beliefs(packed=True), Beliefs(by_name=False)):
        run.findings.clear()
        run.trace = trace = Trace()
        run.start(TRACE_STEPS)
        is_odd = False
        try:
            if configuration is not None:
                configuration.meet(run, path)
            function = alone(run, Definition(path, node.name, node, owner))
            frame = Scope(path, function)
            seeded = seed(run, function, frame, beliefs)
            for param in node.args:
                value = _from_callers(frame.names.get(param.name), param, callers)
                value = frame.names[param.name] = value if configuration is None else configuration.renewed(run, value)
                trace.sources("input", param.name, param.name_span, value, path)
            promised = _promised(frame, seeded)
            trace.root.result = result = run_body(run, frame, node)
            is_odd = run.refuses or _is_odd(run, promised)
            if isinstance(result, Instance):
                prepare(run, result)
            if isinstance(function.receiver, Instance):
                trace.parameters = parameters(run, function.receiver)
        except (OutOfBudget, RecursionError, ArithmeticError):
            trace.complete = False
        except ShapeError:
            pass
        if not run.findings and not is_odd:
            break
    assert run.trace is not None
    return run.trace


def _from_callers(value: Value, param: t.Param, callers: Mapping[Span, Seen]) -> Value:
    """A parameter as the callers give it, in the function's own words; as it is by itself if they do not tell."""
    seen = callers.get(param.name_span)
    if seen is None or isinstance(seen.value, Unknown | Opaque) or seen.value is None:
        return value
    if isinstance(seen.value, Tensor) and seen.value.rank is None and not seen.value.shape.least_rank:
        return value
    return Maybe(seen.value, value.name) if isinstance(value, Maybe) else seen.value
