"""What an interpretation did: the steps that it took, in their calls, loops and branches.

Recorded only where it is asked for (`Interpreter.trace`). Values do not depend on it: it follows them by identity.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kernelscope import ops
from kernelscope.dims import NO_FACTS
from kernelscope.interp.kernel_writes import Launch
from kernelscope.interp.origins import Origins
from kernelscope.interp.steps import Given, Step, is_in_place, tensors_in
from kernelscope.interp.values import (
    Arguments,
    Builtin,
    Choice,
    External,
    Function,
    Instance,
    Keywords,
    Opaque,
    PlainMethod,
    Sequential,
    TensorMethod,
    Test,
    Value,
)
from kernelscope.ops import Module
from kernelscope.ops.modules import sized_by
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Tensor, Unknown
from kernelscope.workspace.modules import Definition

if TYPE_CHECKING:
    from kernelscope.interp.parameters import Parameter

EMPTY = {"empty", "empty_like", "new_empty", "empty_strided", "empty_permuted"}
"""Operators that give memory without contents."""
MAX_RECORDED = 20_000
MOST_ELEMENTS = 4
"""Sequences up to this length, such as q, k and v, have a step for each element."""
CONTENTS = {"items", "keys", "values"}
"""Methods that give what is in an object: nothing happens there."""
PLACED = {
    "jax.device_put", "jax.device_get", "jax.block_until_ready", "jax.lax.stop_gradient",
    "jax.lax.with_sharding_constraint", "jax.experimental.pjit.with_sharding_constraint",
    "flax.linen.with_logical_constraint", "jax.sharding.reshard", "jax.reshard", "jax.lax.pvary", "jax.lax.pcast",
    "jax.lax.optimization_barrier", "jax.ad_checkpoint.checkpoint_name",
}  # fmt: skip
"""Functions that give the array that they are given: where it lies, or what may be done with it, is all they change."""
TRANSPARENT = {*PLACED, "torch.utils.checkpoint.checkpoint", "torch.jit.annotate", "typing.cast",
               "collections.namedtuple", "typing.NamedTuple", "collections.OrderedDict",
               "itertools.chain", "itertools.islice"}  # fmt: skip
"""Functions that give, or call, one of their arguments, or hold them together."""
OF_PYTHON = {"sys", "gc", "os", "time", "warnings", "logging", "traceback", "inspect", "weakref"}
"""Modules of the standard library that look at objects, or tell of them, and do nothing to tensors."""


@dataclass(slots=True)
class Attempt:
    """The steps of one of several functions that may be called, and what they change."""

    steps: list[Step] = field(default_factory=list[Step])
    replaced: dict[Any, Value] = field(default_factory=dict[Any, Value])

    @property
    def length(self) -> int:
        """How many steps it is."""
        return sum(1 for step in self.steps for _ in step.walk())

    @property
    def lost(self) -> int:
        """How many calls in it are not followed."""
        return sum(inner.kind in ("unfollowed", "choice") for step in self.steps for inner in step.walk())


class Trace(Origins):
    """The steps of one interpretation, below `root`."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: tuple[Parameter, ...] = ()
        """The weights of the object whose method was traced."""
        self.guessed: list[str] = []
        """Inputs whose rank and sizes nothing but their names tells."""
        self.known = NO_FACTS
        """What is known of sizes at the end, also of those that had no name."""
        self._current = self.root
        self._tests: list[Test] = []
        self._element: tuple[int, ...] = ()
        self.callee: t.Expr | None = None
        """What the next call calls, as the source spells it."""
        self.effect: Span | None = None
        """The call that stands as a statement of its own: it is made for what it does."""
        self._broken: Step | None = None
        """The last call that did not come to its end."""
        self._recorded = 0
        self._sized: dict[int, tuple[Module, Module]] = {}
        """Layers with the weights that their first call gives them, with the layers themselves by identity."""
        self.complete = True
        """Whether the function was followed to its end."""
        self.shares = False
        """Whether no call may take more than its share of the steps."""

    def _given(self, args: Iterable[tuple[str, Value]]) -> tuple[Given, ...]:
        found: list[Given] = []
        for name, value in args:
            for tensor in tensors_in(value):
                latest = self.latest(tensor)
                if (origins := self.origins(latest)) or isinstance(tensor, Tensor):
                    found.append(Given(name, latest, origins))
        return tuple(found)

    def _held_by(self, kind: str, args: list[tuple[str, Value]]) -> tuple[Given, ...]:
        """What a layer, or a call that is not followed, is given where that are only objects from outside."""
        if kind not in ("layer", "unfollowed"):
            return ()
        held = [(name, self.held_in(value)) for name, value in (args[:1] if kind == "layer" else args)]
        return tuple(Given(name, tensor, self.origins(tensor)) for name, tensor in held if tensor is not None)

    def _step(self, kind: str, name: str, span: Any, args: Arguments, kwargs: Keywords) -> Step:
        place = span if isinstance(span, Span) else self._current.span
        named = [*(("", a) for a in args), *kwargs.items()]
        given = self._given(named) or self._held_by(kind, named)
        tests = tuple(self._tests)
        step = Step(kind, name, self.path, place, None, args, kwargs, given, None, tests, self._current)
        step.element = self._element
        return step

    def _add(self, step: Step) -> None:
        self._recorded += 1
        if self._recorded <= MAX_RECORDED:
            self._current.body.append(step)

    def operator(self, name: str, args: Arguments, kwargs: Keywords, span: Any, result: Value) -> Value:
        """An operator gave `result`. What it did in place is done to all that hold its first argument."""
        step = self._step("op", name, span, args, kwargs)
        found = ops.find(name)
        if (found is not None and found.kind == "result") or not (
            step.given or any(isinstance(value, Tensor) for value in tensors_in(result))
        ):
            return result
        holds = bool(args) and (isinstance(args[0], Tensor) or bool(self.origins(args[0])))
        changed = args[0] if holds and _in_place(name, found, result) else None
        is_view = found is not None and found.kind == "view"  # `x.transpose_(1, 2)`: of another shape from here on
        given, result = result, self.made(step, replace(changed) if changed is not None and not is_view else result)
        step.result = result
        if changed is not None:
            self._changed(step, changed, result)
        if changed is not None and is_view:
            self.replaced(given, result)
        self._add(step)
        return result

    def store(self, holder: Value, index: Value, value: Value, span: Any) -> None:
        """`holder[index] = value`."""
        if isinstance(holder, Tensor) or self.origins(holder):
            step = self._step("store", "store", span, [holder, index, value], {})
            step.result = self.made(step, holder)
            self._changed(step, holder, step.result)
            self._add(step)

    def carries(self, first: Value, last: Value) -> None:
        """A round of a loop begins with one value, and leaves another for the next round to begin with."""
        begun, left = [*tensors_in(first)], [*tensors_in(last)]
        if len(begun) == len(left):
            ends = [self.origins(self.latest(value)) for value in left]
            self._current.carried += zip(begun, ends, strict=True)
            for value, end in zip(begun, ends, strict=True):  # more may be known of it by now
                if (latest := self.latest(value)) is not value and self.origins(latest) == self._origins_of(value):
                    self._current.carried.append((latest, end))

    def call(self, target: Value, args: Arguments, kwargs: Keywords, span: Any, run: Callable[[], Value]) -> Value:
        """A call: one step if it leaves the workspace, else a step around what happens inside."""
        kind, name = _kind_of(target)
        step = self._step(kind, name, span, args, kwargs)
        step.target, step.callee, self.callee = target, self.callee, None
        if isinstance(target, Module) and args:
            step.target = self._sized.setdefault(id(target), (target, sized_by(target, args[0])))[1]
        if isinstance(target, Unknown) and isinstance(step.callee, t.Attribute) and self.origins(target):
            if step.callee.attr in CONTENTS and not args:
                return self.part(target, run())
            method = f"torch.Tensor.{step.callee.attr}"
            step.name = t.dotted(step.callee) or step.callee.attr
            if ops.find(method) is not None:
                step.kind, step.name, kind = "op", method, "op"
                step.args = [target, *args]
            step.given = (*self._given([("", target)]), *step.given)
        outer, self._current = self._current, step
        ended = False
        try:
            result = run()
            ended = True
        finally:
            self._current = outer
            if not ended and (step.body or step.given):  # what was reached stays
                self._broken = step
                self._add(step)
        is_one_way = isinstance(target, Choice) and target.is_of_table and len(step.body) == 1
        if kind == "choice" and is_one_way and _is_work(step):
            step.kind = kind = "call"  # how its first entry does the work is worth showing
        if kind == "through":
            for inner in step.body:
                inner.parent = outer
                self._add(inner)
            return result
        if kind == "op" and not step.body:
            receiver = [target.value] if isinstance(target, TensorMethod) else []
            return self.operator(step.name, [*receiver, *step.args], kwargs, span, result)
        if kind in ("op", "layer", "unfollowed", "choice") or (not step.body and self._is_lost(result)):
            if not step.given:
                return self.source("object", name, step.span, result) if isinstance(target, Opaque) else result
            step.kind = "unfollowed" if kind == "call" else kind
            step.result = result = self._passed_on(step, result) if kind == "choice" else self.made(step, result)
            if step.kind == "unfollowed":
                step.is_statement = step.span is self.effect
                self._effects(step)
            self._add(step)
            return result
        step.result = result
        if step.body:
            step.own_result = self._is_lost(result)
            if step.own_result:
                step.result = result = self.made(step, result)
            self._add(step)
        return result

    def _passed_on(self, step: Step, result: Value) -> Value:
        """What one of several callables gave: what it hands on as it was given comes from where it came from."""
        match result:
            case Tensor() | Unknown() if any(given.value is self.latest(result) for given in step.given):
                return result
            case tuple() if type(result) is tuple:
                return tuple(self._passed_on(step, part) for part in result)
            case dict() if type(result) is dict:
                return {key: self._passed_on(step, part) for key, part in result.items()}
            case _:
                return self.made(step, result)

    @contextmanager
    def attempt(self) -> Generator[Attempt]:
        """What happens inside is taken back at the end, and kept in the attempt."""
        attempt, body, first = Attempt(), self._current.body, len(self._current.body)
        before, callee = dict(self._replaced), self.callee
        try:
            yield attempt
        finally:
            attempt.steps, attempt.replaced, self.callee = body[first:], dict(self._replaced), callee
            del body[first:]
            self._replaced.clear()
            self._replaced.update(before)

    def settled(self, attempt: Attempt, ways: int, result: Value, own: Value) -> Value:
        """One of several attempts, in which that many different things are done, stands for all: `result` is what all
        give, `own` what this one does."""
        for step in attempt.steps[-1:]:
            step.ways = max(step.ways, ways)
        if self.changes is not None:
            self.changes.before(self._replaced)
        self._replaced.update(attempt.replaced)
        self._current.body += attempt.steps
        self.callee = None
        return self.as_of(result, own)

    def or_else(self, others: str, result: Value) -> Value:
        """The last step is that of a layer in whose place there may be one of others, that do nothing."""
        for step in self._current.body[-1:]:
            step.or_else = others
        return result

    def shut(self) -> None:
        """What was reached inside the current call is given up."""
        self._current.body.clear()

    def turned_out(self, value: Value, outcome: Value) -> None:
        """Of the kinds of results that the last call may give, its place takes one."""
        for step in self._current.body[-1:]:
            if step.result is value:
                step.result = outcome

    def broken(self, value: Value) -> Value:
        """What is known of the result of a call that contradicts itself: that it is the call's."""
        step, self._broken = self._broken, None
        if step is None or not step.given:
            return value
        step.kind = "unfollowed"
        step.result = value = self.made(step, value)
        return value

    def _effects(self, step: Step) -> None:
        """What a call that is not followed does to what it is given.

        Memory without contents is given to be filled. A call whose result nobody takes is made for what it changes:
        that is told of the tensors that this function made, and where a library is given none of them of its inputs.
        What a kernel writes its own code tells.
        """
        if step.is_for_backward or step.changes_its_object:
            return
        if isinstance(step.target, Launch) and step.target.writes:
            for value in step.target.written(step.args, step.kwargs):
                self._changes(step, self.latest(value))
            return
        empty = [given for given in step.given if self._is_made_by(given.value, _is_empty)]
        made = [given for given in step.given if step.is_statement and self._is_made_by(given.value, _computes)]
        inputs = [given for given in step.given if _is_of_library(step) and self._is_made_by(given.value, _is_input)]
        for given in empty or made or inputs:
            if isinstance(given.value, Tensor) or step.is_statement:
                self._changes(step, given.value)

    def _changes(self, step: Step, value: Value) -> None:
        """A call that is not followed changes a tensor."""
        if isinstance(value, Tensor) or self.origins(value):
            step.changes.append(value)
            self._changed(step, value, changed := self.made(step, value))
            step.result = changed if isinstance(step.result, Unknown) else step.result

    def _is_made_by(self, value: Value, kind: Callable[[Step], bool]) -> bool:
        """Whether a value is, but for how it is viewed, what a step of a kind gave."""
        todo, seen = list(self.origins(value)), set[Step]()
        while todo:
            step = todo.pop()
            if step in seen:
                continue
            seen.add(step)
            operator = step.operator
            if operator is not None and operator.kind == "view" and step.given:
                todo += step.given[0].origins
            elif kind(step):
                return True
        return False

    def _is_lost(self, result: Value) -> bool:
        """Whether a result cannot be traced to any step."""
        found = list(tensors_in(result))
        return bool(found) and not any(self.origins(v) for v in found)

    @contextmanager
    def inside(self, path: str) -> Generator[None]:
        """A function of the file at `path` runs."""
        outer, self.path = self.path, path
        try:
            yield
        finally:
            self.path = outer

    @contextmanager
    def element(self, index: int, count: int) -> Generator[None]:
        """What is done for one of `count` elements; those of long sequences are not told apart."""
        outer = self._element
        if count <= MOST_ELEMENTS:
            self._element = (*outer, index)
        try:
            yield
        finally:
            self._element = outer

    @contextmanager
    def loop(self, kind: str, span: Span, count: Value = None) -> Generator[None]:
        """A loop, or one round of it."""
        step = Step(kind, "", self.path, span, tests=tuple(self._tests), parent=self._current, count=count)
        outer, self._current = self._current, step
        try:
            yield
        finally:
            self._current = outer
            if step.body:
                self._add(step)

    @contextmanager
    def where(self, span: Span, holds: bool) -> Generator[None]:
        """What happens inside happens only where the test at `span` holds, or does not."""
        with self.only_where(Test(self.path, span, holds)):
            yield

    @contextmanager
    def only_where(self, test: Test) -> Generator[None]:
        """The same for a test that is made elsewhere."""
        self._tests.append(test)
        try:
            yield
        finally:
            self._tests.pop()


def _is_empty(step: Step) -> bool:
    """Whether a step gives memory without contents."""
    return step.kind == "op" and step.name.rpartition(".")[2] in EMPTY


def _is_work(step: Step) -> bool:
    """Whether more happens inside than what is done to each element."""
    for inner in step.walk():
        if inner.kind == "layer" and isinstance(inner.target, Module) and inner.target.parameters:
            return True
        operator = inner.operator
        if operator is not None and operator.kind == "compute" and operator.tier != "family":
            return True
    return False


def _computes(step: Step) -> bool:
    """Whether a step gives something that was not there before the call."""
    return step.kind not in ("input", "weight", "object") and bool(step.given)


def _is_input(step: Step) -> bool:
    return step.kind == "input"


def _is_of_library(step: Step) -> bool:
    """Whether a call that stands by itself is one of another library than torch: a kernel, mostly."""
    return step.is_statement and isinstance(step.target, External) and not step.target.name.startswith("torch.")


def _in_place(name: str, operator: ops.Op | None, result: Value) -> bool:
    if is_in_place(name.rpartition(".")[2]):
        return True
    return operator is not None and operator.kind == "communication" and not isinstance(result, Tensor)


def _kind_of(target: Value) -> tuple[str, str]:
    match target:
        case External(name=name):
            is_aside = name in TRANSPARENT or name.partition(".")[0] in OF_PYTHON
            return ("op" if ops.find(name) is not None else "through" if is_aside else "unfollowed"), name
        case TensorMethod():
            return "op", target.full
        case Module():
            return "layer", target.name.rpartition(".")[2]
        case Function(definition=Definition(name="forward", owner=Definition(name=name)), is_bound=False):
            return "call", name  # `apply` of a function with its own gradient
        case Function():
            return "call", target.definition.name
        case Instance():
            return "call", target.cls.name
        case Sequential():
            return "call", "Sequential"
        case Opaque():
            return "unfollowed", target.name
        case Unknown():
            return "unfollowed", ""
        case Choice():
            return "choice", ""
        case Builtin() | PlainMethod():
            return "through", ""
        case _:
            return "through", ""
