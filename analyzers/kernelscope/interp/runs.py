"""All functions of one file interpreted once, from the models that nothing else in the file contains.

Values are kept by span; a function that no model reaches is interpreted by itself, with seeded parameters.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from kernelscope.interp.calls import run_body
from kernelscope.interp.contexts import Seen, in_file, told
from kernelscope.interp.expressions import evaluate
from kernelscope.interp.interpreter import Finding, Interpreter, OutOfBudget
from kernelscope.interp.seeds import seed
from kernelscope.interp.trace import Trace
from kernelscope.interp.values import Class, Function, Instance, Maybe, Number, Opaque, Scope, Value, present
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.syntax.python.lower import Scope as SourceScope
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition
from kernelscope.workspace.workspace import Workspace

FUNCTION_SECONDS = 1.5
"""The longest that one function, with all that it calls, is interpreted."""
TRACE_SECONDS = 6.0
NO_CALLERS: Mapping[Span, Seen] = {}
FILE_SECONDS = 8.0
MAX_CALLING_FILES = 3
MAX_CALL_SITES = 12
SEARCH_SECONDS = 0.2
"""How far the callers of a file's classes are sought in other files."""


@dataclass(slots=True)
class FileRun:
    """What interpretation found in one file: values by span, contradictions, functions that were run."""

    path: str
    values: dict[Span, Seen] = field(default_factory=dict[Span, Seen])
    findings: list[Finding] = field(default_factory=list[Finding])
    incomplete: set[str] = field(default_factory=set[str])


def run_file(workspace: Workspace, path: str, cancelled: Callable[[], bool] = lambda: False) -> FileRun:
    """Interpret every function of a file. Never raises; what goes wrong loses the function it happens in."""
    result = FileRun(path)
    module = workspace.modules.module(path)
    if module is None:
        return result
    run = Interpreter(workspace, path)
    end = time.monotonic() + FILE_SECONDS
    for scope in _order(workspace, path, module):
        if cancelled():
            break
        node = scope.node
        if not isinstance(node, t.FunctionDef) or node in run.entered:
            continue
        if time.monotonic() > end:
            result.incomplete.add(scope.qualified_name)
            continue
        if not _attempt(run, path, scope):
            result.incomplete.add(scope.qualified_name)
    for other, scope in _outside(workspace, path, module, end):
        if cancelled() or time.monotonic() > end:
            break
        _attempt(run, other, scope)
    result.values = in_file(told(list(run.contexts.values())), path)
    result.findings = [finding for finding in run.findings if finding.path == path]
    return result


def _attempt(run: Interpreter, path: str, scope: SourceScope) -> bool:
    """Run one function; again without guesses from names if those led to a contradiction. False: out of budget."""
    total, entered, before = run.contexts, set(run.entered), len(run.findings)
    done, guessed = _fresh(run, path, scope, by_name=True)
    if guessed and len(run.findings) > before:
        first, first_entered, contradictions = run.contexts, run.entered, run.findings[before:]
        run.entered = set(entered)
        del run.findings[before:]
        done, _ = _fresh(run, path, scope, by_name=False)
        if len(run.findings) > before:  # not the guess was wrong
            run.contexts, run.entered = first, first_entered
            run.findings[before:] = contradictions
    for context in run.contexts.values():
        context.facts = run.known.facts
    run.contexts, run.quiet = total | run.contexts, 0
    return done


def _fresh(run: Interpreter, path: str, scope: SourceScope, by_name: bool) -> tuple[bool, bool]:
    """One run into empty `contexts`: whether it was finished, and whether a shape came from a name alone."""
    run.contexts = {}
    run.start(FUNCTION_SECONDS)
    try:
        return True, _run_one(run, path, scope, by_name)
    except (OutOfBudget, RecursionError):
        return False, by_name
    except ShapeError:
        return True, by_name


def _order(workspace: Workspace, path: str, module: Module) -> list[SourceScope]:
    """Functions, forwards of classes that no other class of the file builds first, then the other forwards."""
    built = _built_classes(module)
    functions = [s for s in module.functions() if len(s.path) <= 2]

    def rank(scope: SourceScope) -> tuple[int, int]:
        is_forward = scope.owner is not None and scope.node.name in ("forward", "__call__", "call")
        if is_forward and scope.owner is not None:
            return (0 if scope.owner.name not in built else 1, -scope.node.span.start)
        return (2 if scope.owner is not None else 3, scope.node.span.start)

    return sorted(functions, key=rank)


def _outside(workspace: Workspace, path: str, module: Module, end: float) -> Iterator[tuple[str, SourceScope]]:
    """Forwards in other files of models that build a class of this file which nothing here builds."""
    built = _built_classes(module)
    visited: set[str] = set()
    for scope in module.classes():
        if scope.node.name in built or len(scope.path) > 1 or len(visited) >= MAX_CALLING_FILES:
            continue
        if not any(s.owner is scope.node and s.node.name == "forward" for s in module.functions()):
            continue
        if time.monotonic() > end - FUNCTION_SECONDS:
            return
        cls = Definition(path, scope.node.name, scope.node)
        sites = workspace.usages.calls(cls, MAX_CALL_SITES, SEARCH_SECONDS).sites
        others = [site.path for site in sites if site.path != path and site.owner is not None]
        for other in list(dict.fromkeys(others))[:2]:
            calling = workspace.modules.module(other) if other not in visited else None
            visited.add(other)
            if calling is not None:
                inside = _built_classes(calling)
                for found in _order(workspace, other, calling):
                    if found.owner is not None and found.node.name == "forward" and found.owner.name not in inside:
                        yield other, found


def _built_classes(module: Module) -> set[str]:
    """Names of classes that some other class of the file mentions in its body."""
    names: set[str] = set()
    for scope in module.classes():
        for node in t.walk(*scope.node.body):
            if isinstance(node, t.Name) and node.id != scope.node.name:
                names.add(node.id)
    return names


def _run_one(
    run: Interpreter, path: str, scope: SourceScope, by_name: bool, callers: Mapping[Span, Seen] = NO_CALLERS
) -> bool:
    """Run one function with seeded parameters; whether a parameter's shape came from its name alone."""
    node = scope.node
    assert isinstance(node, t.FunctionDef)
    decorators = {(t.dotted(d) or "").rpartition(".")[2] for d in node.decorator_list}
    if "triton.jit" in {t.dotted(d) for d in node.decorator_list}:
        return False
    if scope.owner is None:
        function = Function(Definition(path, node.name, node))
    else:
        owner = Definition(path, scope.owner.name, scope.owner)
        definition = Definition(path, node.name, node, owner)
        if "staticmethod" in decorators:
            function = Function(definition)
        elif "classmethod" in decorators:
            function = Function(definition, Class(owner), True)
        else:
            function = Function(definition, seeded_instance(run, owner), True)
    frame = Scope(path, function)
    guessed = seed(run, function, frame, by_name)
    if run.trace is not None:
        for param in node.args:
            value = frame.names[param.name] = _from_callers(frame.names.get(param.name), param, callers)
            run.trace.sources("input", param.name, param.name_span, value, path)
    result = run_body(run, frame, node)
    if run.trace is not None:
        run.trace.root.result = result
    return guessed


def _from_callers(value: Value, param: t.Param, callers: Mapping[Span, Seen]) -> Value:
    """A parameter as the callers give it, where that is more than is known of it by itself."""
    seen, inner = callers.get(param.name_span), present(value)
    given: Value = present(seen.value) if seen is not None else None
    if not isinstance(inner, Tensor | Unknown | Opaque) or (isinstance(inner, Tensor) and inner.rank is not None):
        return value
    if not isinstance(given, tuple) and not (isinstance(given, Tensor) and given.rank is not None):
        return value
    return Maybe(given, value.name) if isinstance(value, Maybe) else given


def trace_function(workspace: Workspace, path: str, scope: SourceScope, callers: Mapping[Span, Seen]) -> Trace:
    """The steps of one function, its parameters seeded as its callers of the same file give them. Never raises."""
    run = Interpreter(workspace, trace=Trace())
    assert run.trace is not None
    for by_name in (True, False):
        run.findings.clear()
        run.trace = Trace()
        run.start(TRACE_SECONDS)
        try:
            _run_one(run, path, scope, by_name, callers)
        except (OutOfBudget, RecursionError):
            run.trace.complete = False
        except ShapeError:
            pass
        if not run.findings:
            break
    return run.trace


def seeded_instance(run: Interpreter, cls: Definition) -> Instance:
    """`self` of a method that is looked at by itself: `__init__` run on its own parameters' names."""
    instance = Instance(cls)

    def initialise() -> None:
        init = run.class_attribute(cls, "__init__")
        if not isinstance(init, Definition) or not isinstance(init.node, t.FunctionDef):
            return
        function = Function(init, instance, True)
        frame = Scope(init.path, function)
        run.quiet += 1
        steps, run.steps = run.steps, 0
        try:
            for param in init.node.args:
                frame.names[param.name] = _constructor_argument(run, init.path, param)
            frame.names[init.node.args[0].name] = instance
            run_body(run, frame, init.node)
        except ShapeError:
            pass
        finally:
            run.quiet -= 1
            run.steps = steps

    instance.initialise = initialise
    return instance


def _constructor_argument(run: Interpreter, path: str, param: t.Param) -> Value:
    """An argument of `__init__` in its own words: numbers are symbols, switches have their defaults."""
    if param.kind == "args":
        return ()
    if param.kind == "kwargs":
        return {}
    match param.default:
        case t.Constant(value=bool() | str() as value):
            return value
        case t.Constant(value=float()):
            return Number("a number of the caller")
        case None | t.Constant():
            return Opaque(param.name)
        case t.Name() | t.Attribute():
            return evaluate(run, Scope(path), param.default)
        case _:
            return Opaque(param.name)
