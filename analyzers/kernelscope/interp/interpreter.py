"""One interpretation: budgets, facts, what was seen where, and names of the workspace as values.

Holds state and resolves names; expressions, statements and calls are evaluated by their own modules.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Generator, Hashable, Mapping, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kernelscope.dims import Dim, Facts
from kernelscope.interp.agreement import joined
from kernelscope.interp.changes import Changes
from kernelscope.interp.class_facts import ClassFacts
from kernelscope.interp.contexts import Contexts
from kernelscope.interp.findings import NOTHING_KNOWN, Finding, Known, Seen
from kernelscope.interp.limits import FUNCTION_STEPS, GUARD_SECONDS, MAX_ANEW, MAX_FORKS, STEPS_IN_A_TURN, OutOfBudget
from kernelscope.interp.outside_names import external
from kernelscope.interp.symbols import Symbols
from kernelscope.interp.trace import Trace
from kernelscope.interp.uses import Uses
from kernelscope.interp.vagueness import best_known_first
from kernelscope.interp.values import (
    Builtin,
    Class,
    Function,
    Instance,
    Scope,
    Test,
    Value,
    present,
)
from kernelscope.ops import ShapeError
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Shape, Tensor, Unknown
from kernelscope.turns import give_way
from kernelscope.workspace.modules import Definition, Missing, ModuleRef, Resolved
from kernelscope.workspace.modules import External as OutsideName
from kernelscope.workspace.nearby import Nearby
from kernelscope.workspace.workspace import Workspace

if TYPE_CHECKING:
    from kernelscope.interp.configuration import Configuration
    from kernelscope.interp.other_layers import OtherCall
    from kernelscope.interp.registries import Registry
    from kernelscope.interp.substitutes import Substitute
    from kernelscope.interp.summaries import Summary
    from kernelscope.interp.untaken import Untaken


@dataclass(slots=True)
class Interpreter:
    """Evaluates functions of one workspace; `seen` collects values of the function that is looked at, by span."""

    workspace: Workspace
    seen: dict[Span, Seen] = field(default_factory=dict[Span, Seen])
    contexts: Contexts = field(default_factory=Contexts)
    findings: list[Finding] = field(default_factory=list[Finding])
    globals: dict[tuple[str, str], Value] = field(default_factory=dict[tuple[str, str], Value])
    steps: int = 0
    """Taken so far in the whole file."""
    most: int = FUNCTION_STEPS
    """Where the steps of what is being followed end."""
    calls: int = 0
    nested: int = 0
    quiet: int = 0
    certain: bool = False
    """Whether only what the code itself says is believed: switches are not known, names that meet need not be equal."""
    unlikely: dict[Span, Seen] = field(default_factory=dict[Span, Seen])
    """Values in branches that are not taken, kept apart from `seen`."""
    aside: bool = False
    """Whether a branch is followed that is not taken."""
    untaken: list[Untaken] = field(default_factory=list["Untaken"])
    """Branches of the function that is looked at that were not taken so far."""
    other_calls: list[OtherCall] = field(default_factory=list["OtherCall"])
    """Calls of the function that is looked at that other layers may get as well."""
    spent_aside: int = 0
    """Steps spent on them in the whole file."""
    strict: int = 0
    """Whether a contradiction ends the function: it is being tried."""
    contradicted: int = 0
    """How often the code contradicted itself, also where another way was taken then."""
    doubts: int = 0
    """How often a size of a parameter would have to be 1, or a tensor have another rank, for the code to run."""
    doubtful_rounds: int = 0
    """How many loops contradicted themselves in their first rounds, of which nothing else is kept."""
    guessed_sizes: Set[str] = frozenset()
    """Names of sizes that nothing but the names of inputs tells to the function that is looked at."""
    met: list[tuple[Dim, Dim]] = field(default_factory=list[tuple[Dim, Dim]])
    """Sizes that broadcasting took to be equal."""
    doubting: int = 0
    """Steps spent on finding out whose documentation is wrong."""
    tried: int = 0
    """Steps spent on finding ranks by trial."""
    helpers: int = 0
    """How many other functions than constructors run while an object is built."""
    running: list[Scope] = field(default_factory=list[Scope])
    """The functions that are running, the one that is looked at first."""
    heavy: set[t.FunctionDef] = field(default_factory=set[t.FunctionDef])
    """Functions of which one call took more steps than are left to the others."""
    frames: int = 0
    root_frame: int = 0
    """The number of the call that is looked at."""
    refuses: bool = False
    """Whether the function that ended last raised on every way: it is not given such values."""
    forks: int = 0
    moment: int = 0
    """The round of a loop, or the way through the code, that is being followed."""
    moments: int = 0
    """How many of them there were."""
    known: Known = field(default_factory=lambda: NOTHING_KNOWN)
    outcomes: tuple[Value, list[Value]] | None = None
    """The result of the last call of a function and what it stands for, if that has little in common."""
    changes: Changes = field(default_factory=Changes)
    symbols: Symbols = field(default_factory=Symbols)
    deadline: float = float("inf")
    trace: Trace | None = None
    """Where the steps are recorded, if they are."""
    configuration: Configuration | None = None
    """Sizes that the user gives, if there are any."""
    constants: dict[t.FunctionDef, Value] = field(default_factory=dict[t.FunctionDef, Value])
    """Results of functions without arguments."""
    packed: dict[t.Stmt, bool] = field(default_factory=dict[t.Stmt, bool])
    """Classes, and whether the tokens that their objects are given lie in a row."""
    makers: dict[str, dict[str, list[Definition]]] = field(default_factory=dict[str, "dict[str, list[Definition]]"])
    """By file, the classes that call what has a name."""
    administration: dict[t.FunctionDef, bool] = field(default_factory=dict[t.FunctionDef, bool])
    """Methods of base classes, and whether they change no shape."""
    substitutes: dict[t.FunctionDef, list[Substitute]] = field(default_factory=dict[t.FunctionDef, "list[Substitute]"])
    """For each function, arguments that are given in place of others."""
    registered: dict[str, dict[str, list[tuple[bool, Function]]]] = field(
        default_factory=dict[str, "dict[str, list[tuple[bool, Function]]]"]
    )
    """For each file, the functions that it registers as operators."""
    class_tables: dict[t.Stmt, dict[Any, Value]] = field(default_factory=dict[t.Stmt, "dict[Any, Value]"])
    """What decorators of a class put into its tables, by where those are defined."""
    registries: dict[int, tuple[Instance, Registry | None]] = field(
        default_factory=dict[int, "tuple[Instance, Registry | None]"]
    )
    """By the identity of objects, which are held here so that it stays theirs, the tables that files fill; None for
    those that are none."""
    receivers: dict[t.Stmt, Instance] = field(default_factory=dict[t.Stmt, "Instance"])
    """For each class the object that nobody is seen to make."""
    set_up: dict[Hashable, tuple[Instance, dict[str, Instance | Tensor]]] = field(
        default_factory=dict[Hashable, "tuple[Instance, dict[str, Instance | Tensor]]"]
    )
    """What functions store in objects that others made, by function and object, which is held here so that it stays
    the same."""
    layers: dict[Hashable, Instance] = field(default_factory=dict[Hashable, "Instance"])
    """Layers by class and what they are made with: two that are made alike are alike."""
    promised: dict[t.Stmt, dict[str, Value]] = field(default_factory=dict[t.Stmt, "dict[str, Value]"])
    """For each class the attributes that it declares to be tensors."""
    summaries: dict[Hashable, list[Summary]] = field(default_factory=dict[Hashable, "list[Summary]"])
    """What calls of functions gave."""
    once: int = 0
    """Steps spent on what is done once, whoever asks for it first: objects that are made, functions of nothing."""
    asked: set[str] = field(default_factory=set[str])
    """The conditions that were asked for since a call began."""
    second_names: dict[tuple[str, str], Mapping[str, str]] = field(
        default_factory=dict[tuple[str, str], "Mapping[str, str]"]
    )
    """For each variable of a file the second names of what it holds, and what they stand for."""
    cheap: dict[t.FunctionDef, int] = field(default_factory=dict[t.FunctionDef, int])
    """The most steps that a call of a function took."""
    sought: set[str] = field(default_factory=set[str])
    """Sizes of which it was asked since a call began whether others have them as well."""
    outside: int = 0
    """How many calls run around the object that is being made: in a picture its constructor sees as far wherever it is
    asked for."""
    deepest: int = 0
    """How deep calls went since a call began."""
    deepest_quiet: int = 0
    """The same where nothing is noted: there the limit is lower."""
    most_forks: int = 0
    """How many branches were followed apart at a time since a call began."""
    refused: int = 0
    """How many calls were too deep to be followed, and branches too many to be followed apart."""
    documentation: dict[str, dict[str, Shape]] = field(default_factory=dict[str, "dict[str, Shape]"])
    """For each module with decorators, the shapes that it documents."""
    classes: ClassFacts = field(init=False)
    _nearby: dict[str, Nearby] = field(default_factory=dict[str, Nearby])
    _uses: dict[t.FunctionDef, Uses] = field(default_factory=dict[t.FunctionDef, Uses])
    _tensors: dict[str, str] = field(default_factory=dict[str, str])
    _generators: dict[t.FunctionDef, bool] = field(default_factory=dict[t.FunctionDef, bool])

    def __post_init__(self) -> None:
        self.classes = ClassFacts(self.workspace)

    def start(self, steps: int = FUNCTION_STEPS) -> None:
        """Begin one function, with a budget of its own."""
        self.calls = self.outside = self.nested = self.quiet = self.helpers = self.forks = self.moment = (
            self.moments
        ) = 0
        self.most = self.steps + steps
        self.running.clear()
        self.untaken.clear()
        self.other_calls.clear()
        self.unlikely = {}
        self.aside = False
        self.met.clear()
        self.known = NOTHING_KNOWN
        self.doubts = self.doubtful_rounds = 0
        self.changes = Changes(lasting=self.changes.lasting)
        self.symbols.begin()
        self.deadline = time.thread_time() + GUARD_SECONDS
        self.symbols.trace = self.trace
        if self.trace is not None:
            self.trace.changes = self.changes

    @property
    def depth(self) -> int:
        """How many calls run, inside the object that is being made."""
        return self.calls - self.outside

    def step(self) -> None:
        self.steps += 1
        if self.steps > self.most or (self.steps % 128 == 0 and time.thread_time() > self.deadline):
            raise OutOfBudget
        if self.steps % STEPS_IN_A_TURN == 0:
            give_way()

    @contextmanager
    def done_once(self) -> Generator[None]:
        """What happens inside happens to whoever asks first."""
        steps, once = self.steps, self.once
        try:
            yield
        finally:
            self.once = once + self.steps - steps

    def may_fork(self) -> bool:
        """Whether one more branch is followed apart; asked where it would be."""
        if self.forks >= MAX_FORKS:
            self.refused += 1
            return False
        self.most_forks = max(self.most_forks, self.forks + 1)
        return True

    @contextmanager
    def another_time(self) -> Generator[None]:
        """Inside, places of the function are passed that may be passed at other times as well, with other values."""
        before = self.moment
        self.moments += 1
        self.moment = self.moments
        try:
            yield
        finally:
            self.moment = before

    def forget_since(self, moment: int) -> None:
        """Forget what places held at this time and later: it has turned out that nothing comes there so."""
        for places in (self.seen, self.unlikely):
            for span, seen in list(places.items()):
                seen.before = [(at, value) for at, value in seen.before if at < moment]
                if seen.moment < moment:
                    continue
                if seen.before:
                    seen.moment, seen.value = seen.before.pop()
                else:
                    del places[span]

    @contextmanager
    def budget(self, steps: int) -> Generator[None]:
        """Inside, so many steps may be taken, for which the function that is followed does not pay."""
        before, most = self.steps, self.most
        self.most = before + steps
        try:
            yield
        finally:
            self.most = most + self.steps - before

    def element(self, index: int, count: int) -> AbstractContextManager[None]:
        """What is done inside is done for one of `count` elements of a sequence."""
        return nullcontext() if self.trace is None else self.trace.element(index, count)

    def tensors(self) -> str:
        """The class whose methods tensors have in the file that is running: JAX's where it is imported alone."""
        if not self.running:
            return "torch.Tensor"
        path = self.running[-1].path
        known = self._tensors.get(path)
        if known is None:
            self._tensors[path] = known = "jax.Array" if self.workspace.modules.is_of_jax(path) else "torch.Tensor"
        return known

    def uses(self, node: t.FunctionDef) -> Uses:
        """What a function does with its names, kept for this interpretation."""
        known = self._uses.get(node)
        if known is None:
            self._uses[node] = known = Uses(node)
        return known

    def nearby(self, path: str) -> Nearby:
        """The files around one, read once in this interpretation."""
        known = self._nearby.get(path)
        if known is None:
            self._nearby[path] = known = self.workspace.usages.nearby(path)
        return known

    def is_generator(self, node: t.FunctionDef) -> bool:
        known = self._generators.get(node)
        if known is None:
            self._generators[node] = known = any(isinstance(n, t.Yield) for n in t.walk(*node.body))
        return known

    def record(self, path: str, span: Span, value: Value) -> None:
        """Remember the value bound or computed at a place of the function that is looked at; ways are joined."""
        root = self.contexts.root
        if self.quiet or root is None or path != self.contexts.path:
            return
        if not root.span.start <= span.start <= root.span.end:
            return
        value = present(value)
        seen = self.unlikely if self.aside else self.seen
        known = seen.get(span)
        if known is None:
            seen[span] = Seen(value, untaken=self.aside, moment=self.moment)
        elif known.moment == self.moment:
            known.value = present(joined(known.value, value))
        else:
            known.before.append((known.moment, known.value))
            known.value, known.moment = value, self.moment

    def operate(self, compute: Callable[[Facts], Value]) -> Value:
        """Apply an operator knowing what is known here; sizes that it needs to agree do so from here on."""
        needed: list[tuple[Dim, Dim]] = []
        alike: list[tuple[Dim, Dim]] = []
        result = compute(self.known.facts.asking(needed, alike, self.symbols.ones, not self.certain))
        if self.symbols.trial is not None:
            for one, other in (*needed, *alike):
                self.symbols.trial.agree(one, other)
        for wanted, found in needed:
            before = self.known.facts.equal
            self.learn(self.known.facts.with_same(*best_known_first(wanted, found)))
            self.doubts += any(d == 1 for name, d in self.known.facts.equal.items() if name not in before)
        for one, other in () if self.certain else alike:
            self.learn(self.known.facts.with_alike(*best_known_first(one, other)))
            self.met.append((one, other))
        return result

    def outcomes_of(self, value: Value) -> list[Value] | None:
        """What a call may give, if its result is the value and stands for results of different kinds."""
        if self.outcomes is None or self.outcomes[0] is not value:
            return None
        return self.outcomes[1]

    def learn(self, facts: Facts) -> None:
        self.known = Known(self.known.conditions, facts)

    def operated(self, name: str, args: list[Value], kwargs: dict[str, Value], span: Any, result: Value) -> Value:
        """The result of an operator, with its step recorded where that is asked for."""
        if self.trace is None or self.quiet:
            return result
        return self.trace.operator(name, args, kwargs, span, result)

    def where(self, test: Span, holds: bool) -> AbstractContextManager[None]:
        """Steps inside are taken only where a test holds, or does not."""
        return nullcontext() if self.trace is None else self.trace.where(test, holds)

    def only_where(self, test: Test) -> AbstractContextManager[None]:
        """The same for a test that is made elsewhere."""
        return nullcontext() if self.trace is None else self.trace.only_where(test)

    def loop(self, kind: str, span: Span, count: Value = None) -> AbstractContextManager[None]:
        """Steps inside are those of a loop, or of a round of it."""
        return nullcontext() if self.trace is None or self.quiet else self.trace.loop(kind, span, count)

    def contradiction(self, path: str, span: Span, error: ShapeError) -> Unknown:
        if self.symbols.building:
            return Unknown(error.message, span)  # an object is made but once: it says nothing of what is given later
        self.contradicted += 1
        if self.strict:
            raise error.bare()  # an error that is raised where it is held would hold itself
        if self.certain and self.forks:
            return Unknown(error.message, span)  # ways that are followed apart may not exist
        self.findings.append(Finding(path, span, error.bare()))
        return Unknown(error.message, span)

    # -- names -------------------------------------------------------------------------------------------

    def lookup(self, scope: Scope, name: str, span: Span | None) -> Value:
        """What a name means in a running function."""
        current: Scope | None = scope
        while current is not None:
            if name in current.names:
                return current.names[name]
            current = current.outer
        node = scope.function.definition.node if scope.function is not None else None
        if isinstance(node, t.FunctionDef) and node.decorator_list and scope.function is not None:
            from kernelscope.interp.scripted import meant_when_compiled

            if (found := meant_when_compiled(self.workspace.modules, scope.function, name)) is not None:
                return self.defined(found)
        return self.module_name(scope.path, name, span)

    def module_name(self, path: str, name: str, span: Span | None = None) -> Value:
        """What a (dotted) name means at the top level of a file."""
        key = (path, name)
        if key in self.globals:
            return self.globals[key]
        give_way()  # a file may have to be read
        self.globals[key] = Unknown(f"{name} is defined in a circle", span)
        with self.done_once():
            self.globals[key] = value = self._module_name(path, name, span)
        self.changes.lasting.share(value)
        return value

    def _module_name(self, path: str, name: str, span: Span | None) -> Value:
        modules = self.workspace.modules
        definition = modules.definition(path, name)
        if definition is not None:
            return self.defined(definition)
        found = modules.resolve(path, name)
        if isinstance(found, Missing) and name == "Ellipsis":
            return ...
        if isinstance(found, Missing) and hasattr(builtins, name):
            return Builtin(name)
        return self._meant(found, name, span)

    def _meant(self, found: Resolved, name: str, span: Span | None, again: int = 0) -> Value:
        """What was found for a name; one that is given anew of what it was, `again` times so far, is followed back."""
        match found:
            case OutsideName():
                return self.outside_name(found.dotted)
            case Definition(node=t.Assign() | t.AnnAssign() as stored) if (value := stored.value) is not None:
                from kernelscope.interp.annotations import as_reassigned, declared
                from kernelscope.interp.expressions import evaluate
                from kernelscope.interp.optional_libraries import without_unknown_library
                from kernelscope.interp.set_globals import set_by_function

                scope = Scope(found.path)
                is_anew = any(isinstance(part, t.Name) and part.id == found.name for part in t.walk(value))
                if is_anew and again < MAX_ANEW:  # `model = model.eval()`
                    before = self.workspace.modules.resolve(found.path, found.name, before=stored.span.start)
                    scope.names[found.name] = self._meant(before, found.name, span, again + 1)
                outside, helpers, building = self.outside, self.helpers, self.symbols.building
                self.outside, self.helpers, self.symbols.building = self.calls, 0, 0  # however deep it is asked for
                self.quiet += 1
                try:
                    held = evaluate(self, scope, value)
                    if held is None:
                        given = set_by_function(self, found)
                        held = declared(self, found.path, name, stored) if given is None else given
                    return without_unknown_library(self, found, as_reassigned(self, found, held))
                finally:
                    self.quiet -= 1
                    self.outside, self.helpers, self.symbols.building = outside, helpers, building
            case Definition(node=t.FunctionDef() | t.ClassDef()):
                return self.defined(found)
            case ModuleRef():
                return found
            case _:
                return Unknown(f"{name} is not known here", span)

    def defined(self, definition: Definition) -> Value:
        """A definition of the workspace as a value."""
        match definition.node:
            case t.FunctionDef(decorator_list=[]):
                return Function(definition)
            case t.FunctionDef():
                from kernelscope.interp.jax_functions import decorated

                return decorated(self, Function(definition))
            case t.ClassDef():
                return Class(definition)
            case _:
                return Unknown(f"{definition.name} is not followed")

    def outside_name(self, dotted: str) -> Value:
        """A name outside the workspace; one of a module that is described is what is said there."""
        packages = self.workspace.modules.packages
        if (module := packages.described(dotted)) is not None:
            return module
        holder, _, name = dotted.rpartition(".")
        module = packages.described(holder)
        return external(dotted) if module is None else self.member(module, name)

    def member(self, module: ModuleRef, name: str) -> Value:
        """`module.name`."""
        found = self.workspace.modules.in_module(module, name)
        match found:
            case Definition():
                return self.module_name(found.path, found.name)
            case OutsideName():
                return external(found.dotted)
            case ModuleRef():
                return found
            case _:
                return Unknown(f"{name} is not in {module.name}")
