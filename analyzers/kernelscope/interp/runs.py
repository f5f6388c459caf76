"""Every function of one file interpreted for its own sake, once: on what its callers have in common.

Callers come first, so that what they give is known; a function that nobody is seen to call has seeded parameters.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from kernelscope.interp.attempts import attempt
from kernelscope.interp.elsewhere import Elsewhere
from kernelscope.interp.findings import Finding, Seen
from kernelscope.interp.handed_parts import lacks_parts
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.limits import FUNCTION_STEPS, OutOfBudget
from kernelscope.interp.order import FileOrder, Waiting
from kernelscope.interp.receivers import alone
from kernelscope.interp.seeds import seed
from kernelscope.interp.values import Opaque, Scope, Value
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Tensor
from kernelscope.workspace.modules import Definition, SeenFiles
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

FILE_STEPS = 320_000
LATE_STEPS = 4_000
"""How far each function is followed after that, on what is known of its callers so far."""
MOST_STEPS = 400_000
ASKED_STEPS = 320_000
"""How far what was passed over is followed for those who ask, all in all; then each by the late steps."""
BUILDERS_STEPS = 60_000
"""Functions that only build models are looked at after those that compute, and only if those took no more."""


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
    passed_over: set[Span] = field(default_factory=set[Span])
    """Those that are looked at, or to their ends, only for who asks: the file took too many steps without them."""

    def waits_for(self, span: Span) -> bool:
        """Whether a function that is not looked at yet has a part in `span`."""
        return any(_meet(function, span) for function in chain(self.waiting, self.passed_over))


class FileWork:
    """The interpretation of one file, which can be left after any function and goes on as if it had not been."""

    def __init__(self, workspace: Workspace, path: str) -> None:
        self._modules = workspace.modules
        self._seen = SeenFiles()
        self.run = FileRun(path, self._seen.versions)
        self._functions = _functions(workspace, path, self.run)
        self.is_done = False
        """Whether nothing more is done unless somebody asks for what was passed over."""
        with self._modules.steady(self._seen):
            self.is_done = next(self._functions, True) is True  # as far as to know which functions there are

    def held(self) -> dict[str, int]:
        """The files whose trees it holds until it is done, with their bytes."""
        return {path: kept.size for path, kept in list(self._seen.kept.items()) if kept is not None}

    def go_on(self, wanted: Span | None = None) -> None:
        """Interpret one more function, for what is `wanted` if there is such. Never raises; what goes wrong loses the
        function it happens in."""
        with self._modules.steady(self._seen):
            try:
                self.is_done = self._functions.send(wanted)
            except StopIteration:
                self.is_done = True
                self._seen.kept.clear()  # the trees of a hundred files; what was found of them stays


def run_file(workspace: Workspace, path: str) -> FileRun:
    """Interpret every function of a file."""
    work = FileWork(workspace, path)
    while not work.is_done:
        work.go_on()
    return work.run


def _functions(workspace: Workspace, path: str, result: FileRun) -> Generator[bool, Span | None]:
    """Stops before the first function and behind each, to be told for what the next one is wanted; with whether only
    those are left that the file has no steps for."""
    module = workspace.modules.module(path)
    if module is None:
        return
    run = Interpreter(workspace)
    run.contexts.path = path
    file = FileOrder(module)
    elsewhere = Elsewhere(run, path, file)
    waiting = Waiting(file, run.contexts.edges)
    result.waiting |= {scope.node.span for scope in file.functions}

    def look_at(scope: SourceScope, steps: int) -> bool:
        before = run.steps
        assert isinstance(scope.node, t.FunctionDef)
        told = run.contexts.of(scope.node)
        if not told and elsewhere.may_tell(scope) and (seeded := _seeded(run, path, scope)) is not SeededAs.WELL:
            elsewhere.tell(scope, seeded is SeededAs.NOTHING)
        elif len(told) == 1 and not told[0].outside and elsewhere.tells_as_well(scope):
            run.contexts.shared.add(scope.node)
        is_whole = attempt(run, path, scope, steps=steps)
        result.values.update(run.seen)
        result.steps[scope.qualified_name] = run.steps - before
        result.findings = [finding for finding in run.findings if finding.path == path]
        (result.incomplete.discard if is_whole else result.incomplete.add)(scope.qualified_name)
        return is_whole

    def taken() -> int:
        return run.steps - run.tried - run.doubting - elsewhere.taken

    passed_over: list[SourceScope] = []

    def pass_over(scope: SourceScope) -> None:
        passed_over.append(scope)
        result.passed_over.add(scope.node.span)
        result.incomplete.add(scope.qualified_name)

    wanted = yield False
    while (scope := waiting.next(wanted)) is not None:
        if scope.node in waiting.builders and run.steps > BUILDERS_STEPS:
            break
        is_new, is_early = not _was_followed(scope, result), taken() <= FILE_STEPS
        is_looked_at = is_new and taken() <= MOST_STEPS
        is_whole = is_looked_at and look_at(scope, FUNCTION_STEPS if is_early else LATE_STEPS)
        if is_new and not (is_whole or is_early):
            pass_over(scope)
        result.waiting.discard(scope.node.span)
        if is_looked_at:
            wanted = yield False
    result.waiting.clear()
    start = taken()
    while passed_over:
        wanted = yield True
        scope = next((s for s in passed_over if wanted is None or _meet(s.node.span, wanted)), passed_over[0])
        passed_over.remove(scope)
        look_at(scope, FUNCTION_STEPS if taken() - start <= ASKED_STEPS else LATE_STEPS)
        result.passed_over.discard(scope.node.span)


def _meet(one: Span, other: Span) -> bool:
    return one.start <= other.end and other.start <= one.end


def _is_anything(param: t.Param, value: Value) -> bool:
    """Whether an argument may be anything, also a tensor: nothing is said of it, and it is only given on."""
    is_plain = param.kind not in ("args", "kwargs") and param.annotation is None and param.default is None
    return is_plain and isinstance(value, Opaque) and not value.is_typed


def _was_followed(scope: SourceScope, result: FileRun) -> bool:
    """Whether a function inside another one ran when that did, with the variables around it."""
    assert isinstance(scope.node, t.FunctionDef)
    return len(scope.path) > 1 and scope.owner is None and scope.node.name_span in result.values


class SeededAs(Enum):
    """How much a function by itself tells of what it is given."""

    WELL = 0
    POORLY = 1
    """Not of how many dims a tensor is, or what layers are called."""
    NOTHING = 2
    """Not even a size of such a tensor, or what layers are called."""


def _seeded(run: Interpreter, path: str, scope: SourceScope) -> SeededAs:
    """How much a function by itself tells of what it is given."""
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
        return SeededAs.POORLY
    values = [frame.names[param.name] for param in node.args if param.name in frame.names]
    open_ = [v.shape for v in values if isinstance(v, Tensor) and v.rank is None]
    if any(not shape.head and not shape.tail for shape in open_) or lacks_parts(run, function.receiver):
        return SeededAs.NOTHING
    has_no_tensor = not any(isinstance(v, Tensor) for v in values) and any(map(_is_anything, node.args, values))
    return SeededAs.POORLY if open_ or has_no_tensor else SeededAs.WELL
