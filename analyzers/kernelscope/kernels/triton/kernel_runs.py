"""Kernels and helpers interpreted in their own words: a kernel once, a helper once per way in which it is called.

Keeps results per file version. What launches say of a kernel is in `launches`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from kernelscope.dims import Dim
from kernelscope.kernels.triton.arithmetic import of_plain
from kernelscope.kernels.triton.bodies import nodes_of
from kernelscope.kernels.triton.call import Access, Product
from kernelscope.kernels.triton.configs import tuning
from kernelscope.kernels.triton.fixed_numbers import fixed_numbers
from kernelscope.kernels.triton.given_values import float_defaults, has_block, kernel_arguments, same_sizes, sayable
from kernelscope.kernels.triton.helper_callers import HelperCallers
from kernelscope.kernels.triton.host_descriptors import Ways, described
from kernelscope.kernels.triton.interpretation import (
    MAX_ROUNDS,
    Facts,
    Found,
    Frame,
    HelperCall,
    Interpretation,
    Otherwise,
    OutOfSteps,
    Place,
)
from kernelscope.kernels.triton.launches import Launch, launches
from kernelscope.kernels.triton.recall import Recall
from kernelscope.kernels.triton.recognition import is_kernel, kernels, may_hold_kernels
from kernelscope.kernels.triton.statements import run_function
from kernelscope.kernels.triton.switched_runs import follow_switches
from kernelscope.kernels.triton.switches import Answers
from kernelscope.kernels.triton.translation import own_words
from kernelscope.kernels.triton.values import JitFunction, Value
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.syntax.python.lower import Module
from kernelscope.workspace.reading import Version
from kernelscope.workspace.workspace import Workspace

MAX_CONTEXTS = 12
"""Ways of calling a helper that are looked at."""
MAX_CALLER_DEPTH = 6
KEPT_RUNS = 512


@dataclass(slots=True, eq=False)
class KernelRun:
    """What is known of one function: values by span (one per way of calling it), accesses, calls, contradictions."""

    path: str
    node: t.FunctionDef
    values: dict[Span, tuple[Value, ...]] = field(default_factory=dict[Span, tuple[Value, ...]])
    otherwise: dict[Span, Otherwise] = field(default_factory=dict[Span, Otherwise])
    """What a switch makes a block in one launch and a scalar in another."""
    accesses: tuple[Access, ...] = ()
    products: tuple[Product, ...] = ()
    rounds: dict[Span, Dim | None] = field(default_factory=dict[Span, "Dim | None"])
    """How often its loops run each time they are reached; None where it is not known."""
    calls: tuple[HelperCall, ...] = ()
    called: dict[Span, t.FunctionDef] = field(default_factory=dict[Span, t.FunctionDef])
    """The helpers behind its calls, whatever they are called there."""
    found: tuple[Found, ...] = ()
    operations: dict[str, int] = field(default_factory=dict[str, int])
    facts: Facts = field(default_factory=Facts)
    is_helper: bool = False
    uncalled: bool = False
    """Whether it is a helper that nobody is seen to call, by what it returns or does to its arguments."""
    incomplete: bool = False


class KernelRuns:
    """Runs of the kernels of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.modules = workspace.modules
        self.callers = HelperCallers(workspace, self.kernels)
        self._kept: dict[tuple[str, Span], tuple[Version | None, KernelRun]] = {}
        self._running: set[tuple[str, Span]] = set()
        self._outside: dict[tuple[str, str], Value] = {}
        """Names of modules, as the kernels that are being run see them."""
        self._recall = Recall()
        """What their expressions gave."""
        self._kernels: dict[str, tuple[Module, list[t.FunctionDef]]] = {}

    def kernels(self, path: str) -> list[t.FunctionDef]:
        """The kernels and helpers of a file."""
        module = self.modules.module(path)
        if module is None:
            return []
        kept = self._kernels.get(path)
        if kept is None or kept[0] is not module:
            kept = (module, kernels(self.modules, path, module))
            self._kernels = {p: one for p, one in self._kernels.items() if self.modules.holds(p, one[0])}
            self._kernels[path] = kept
        return kept[1]

    def at(self, path: str, offset: int) -> t.FunctionDef | None:
        """The innermost kernel around an offset."""
        module = self.modules.module(path)
        if module is None or not may_hold_kernels(module):
            return None
        for scope in module.scopes_around(offset) or module.scopes_around(offset - 1):
            if isinstance(scope.node, t.FunctionDef) and is_kernel(self.modules, path, scope.node):
                return scope.node
        return None

    def run(self, path: str, node: t.FunctionDef, depth: int = 0) -> KernelRun:
        """The interpretation of a kernel or helper. Never raises."""
        key = (path, node.span)
        version = self.workspace.files.version(path)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == version and kept[1].node is node:
            return kept[1]
        if key in self._running or depth > MAX_CALLER_DEPTH:
            return KernelRun(path, node)
        if not self._running:
            self._outside, self._recall = {}, Recall()
        self._running.add(key)
        try:
            contexts = self._contexts(path, node, depth)
            result = self._of_helper(path, node, contexts) if contexts else self._of_kernel(path, node)
        finally:
            self._running.discard(key)
        self._keep(key, version, result)
        return result

    def _keep(self, key: tuple[str, Span], version: Version | None, run: KernelRun) -> None:
        """Lets go of those of trees that went, which nobody would be given again: each holds all of its tree."""
        held = self.modules.holds_version
        self._kept = {other: kept for other, kept in self._kept.items() if held(other[0], kept[0])}
        self._kept[key] = (version, run)
        while len(self._kept) > KEPT_RUNS:
            self._kept.pop(next(iter(self._kept)))

    def launches(self, path: str, node: t.FunctionDef) -> tuple[Launch, ...]:
        """Where a kernel is launched."""
        return tuple(launches(self.workspace, path, node))

    # -- kernels -----------------------------------------------------------------------------------------

    def _of_kernel(self, path: str, node: t.FunctionDef) -> KernelRun:
        """A first look at accesses tells which arguments are pointers; what that tells of others may take one more."""
        facts = Facts(floats=float_defaults(node))
        first, _ = self._interpret(path, node, kernel_arguments(node, facts), facts, rounds=1)
        uncalled = not _is_program(node) and bool(first.found or _gives(node)) and not self.launches(path, node)
        known = facts.told()
        blocks = self._described(path, node, facts)

        def given(answers: Answers) -> dict[str, Value]:
            return kernel_arguments(node, facts, uncalled, blocks, answers)

        run, complete = self._interpret(path, node, given({}), facts)
        if facts.told() != known:
            run, complete = self._interpret(path, node, given({}), facts)
        run.switches |= {test: 2 for ways in blocks.values() for answers, _ in ways for test in answers}
        follow_switches(
            run, lambda way, alike: self._interpret(path, node, given(way), facts, answers=way, alike=alike)[0]
        )
        values = {span: (value,) for span, value in run.seen.items()}
        result = KernelRun(path, node, values, facts=facts, uncalled=uncalled)
        _fill(result, run, complete)
        return result

    def _described(self, path: str, node: t.FunctionDef, facts: Facts) -> Mapping[str, Ways]:
        """The blocks of descriptors that the host makes, where the kernel is given any."""
        return described(self.workspace, path, node) if facts.descriptors else {}

    def with_values(self, path: str, node: t.FunctionDef, values: Mapping[str, object]) -> tuple[Found, ...]:
        """What contradicts itself for certain when constexprs have these values; nothing where an assertion fails."""
        facts = self.run(path, node).facts
        flags = {name: bool(value) for name, value in values.items() if isinstance(value, bool | int)}
        arguments = kernel_arguments(node, facts, blocks=self._described(path, node, facts), answers=flags)
        arguments |= {name: value for name, given in values.items() if name in arguments and (value := of_plain(given))}
        run, complete = self._interpret(path, node, arguments, facts)
        return tuple(found for found in run.found if not found.conditional) if complete and not run.refused else ()

    def _interpret(
        self,
        path: str,
        node: t.FunctionDef,
        arguments: dict[str, Value],
        facts: Facts,
        undecided: bool = False,
        answers: Answers | None = None,
        rounds: int = MAX_ROUNDS,
        alike: AbstractSet[Place] = frozenset(),
    ) -> tuple[Interpretation, bool]:
        run = Interpretation(self.modules, facts, undecided, answers, rounds, self._outside, self._recall, alike)
        frame = Frame(path, node, 0)
        frame.names.update(arguments)
        for param in node.args:
            if param.name in arguments:
                run.record(frame, param.name_span, arguments[param.name])
        try:
            run_function(run, frame)
        except (OutOfSteps, RecursionError):
            return run, False
        return run, True

    def called(self, path: str, node: t.FunctionDef, calls: Iterable[HelperCall]) -> KernelRun:
        """The interpretation of a helper as some calls of one caller use it, whoever else calls it."""
        contexts: list[dict[str, Value]] = []
        for call in calls:
            if call.function.node is node:
                arguments = own_words(node, dict(call.arguments))
                if arguments not in contexts:
                    contexts.append(arguments)
        return self._of_helper(path, node, contexts[:MAX_CONTEXTS]) if contexts else KernelRun(path, node)

    # -- helpers -----------------------------------------------------------------------------------------

    def _of_helper(self, path: str, node: t.FunctionDef, contexts: list[dict[str, Value]]) -> KernelRun:
        result = KernelRun(path, node, is_helper=True)
        calls: dict[HelperCall, None] = {}
        found: list[set[Found]] = []
        for arguments in contexts:
            facts = Facts()
            run, complete = self._interpret(path, node, arguments, facts)

            def under(
                way: Answers, alike: AbstractSet[Place], given: dict[str, Value] = arguments, known: Facts = facts
            ) -> Interpretation:
                return self._interpret(path, node, given, known, answers=way, alike=alike)[0]

            follow_switches(run, under)
            result.facts.pointers |= facts.pointers
            for span, value in run.seen.items():
                known = result.values.get(span, ())
                if value not in known:
                    result.values[span] = (*known, value)
            _fill(result, run, complete)
            calls.update(run.calls)
            found.append(set(run.found))
        whole, _ = self._interpret(path, node, contexts[0], Facts(), undecided=True)
        for span, value in whole.seen.items():
            result.values.setdefault(span, (value,))
        result.calls = tuple(calls)
        first, *others = found  # what one caller does wrong is told in that caller
        result.found = tuple(sorted(first.intersection(*others), key=lambda one: one.span.start))
        return result

    def _contexts(self, path: str, node: t.FunctionDef, depth: int) -> list[dict[str, Value]]:
        """Arguments of the calls that other kernels make, each in the helper's own words."""
        found: list[dict[str, Value]] = []
        fixed: list[dict[str, Value]] = []
        callers = self.callers.near(path, node)
        runs = [(where, caller, self.run(where, caller, depth + 1)) for where, caller in callers]
        if all(run.uncalled for _, _, run in runs) and not _is_program(node):
            distant = self.callers.distant(path, node, {caller for _, caller in callers})
            runs += [(where, caller, self.run(where, caller, depth + 1)) for where, caller in distant]
        called = [entry for entry in runs if not entry[2].uncalled]
        for where, caller, run in called or runs:
            for call in run.calls:
                if call.function.node is not node and not _twins(call.function, path, node):
                    continue
                arguments = own_words(node, dict(call.arguments))
                if arguments in found:
                    continue
                found.append(arguments)
                if not run.is_helper and not sayable(node, arguments):
                    arguments = own_words(node, dict(call.arguments), self._fixed_numbers(where, caller))
                if arguments not in fixed:
                    fixed.append(arguments)
            if len(found) >= MAX_CONTEXTS and any(map(has_block, found)):
                break
        chosen = fixed if same_sizes(fixed) else found
        return sorted(chosen, key=has_block, reverse=True)[:MAX_CONTEXTS]

    def _fixed_numbers(self, path: str, node: t.FunctionDef) -> dict[str, int]:
        """Parameters of a kernel that are one and the same number wherever it is launched."""
        return fixed_numbers(node, self.launches(path, node), tuning(self.modules, path, node))


def _twins(function: JitFunction, path: str, node: t.FunctionDef) -> bool:
    """Whether two definitions of one name stand in branches of one module: callers mean either."""
    return function.path == path and function.node.name == node.name


def _fill(result: KernelRun, run: Interpretation, complete: bool) -> None:
    if not result.accesses:
        result.accesses = tuple(run.accesses[place] for place in sorted(run.accesses))
        result.products = tuple(run.products[place] for place in sorted(run.products))
        result.rounds = dict(run.rounds)
        result.calls = tuple(run.calls)
        result.found = tuple(run.found)
    result.otherwise |= run.otherwise
    result.called |= run.called
    for name, count in run.operations.items():
        result.operations[name] = max(count, result.operations.get(name, 0))
    result.incomplete = result.incomplete or not complete


def _is_program(node: t.FunctionDef) -> bool:
    """Whether the body asks which program it is, as launched kernels do."""
    return any(inner.attr in ("program_id", "num_programs") for inner in nodes_of(node, t.Attribute))


def _gives(node: t.FunctionDef) -> bool:
    """Whether a function returns something, as kernels that are launched cannot."""
    return any(
        inner.value is not None and not (isinstance(inner.value, t.Constant) and inner.value.value is None)
        for inner in nodes_of(node, t.Return)
    )
