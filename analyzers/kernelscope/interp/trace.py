"""What an interpretation did: the steps that it took, what each was given and gave, and which value is whose result.

Recorded only where it is asked for (`Interpreter.trace`). Values do not depend on it: it follows them by identity.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kernelscope import ops
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Builtin,
    Choice,
    External,
    Function,
    Instance,
    Keywords,
    Maybe,
    Opaque,
    PlainMethod,
    Sequential,
    TensorMethod,
    Value,
    for_op,
)
from kernelscope.ops import Cost, Module
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Fields, Several, Tensor, Unknown

if TYPE_CHECKING:
    from kernelscope.interp.changes import Changes
    from kernelscope.interp.parameters import Parameter

EMPTY = {"empty", "empty_like", "new_empty", "empty_strided", "empty_permuted"}
"""Operators that give memory without contents."""
MAX_VIEWS = 8
MAX_RECORDED = 20_000
TRANSPARENT = {"torch.utils.checkpoint.checkpoint", "torch.jit.annotate", "typing.cast"}
"""Functions that give, or call, one of their arguments."""
NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Test:
    """A condition under which a step is taken: the test at a place of the source, and whether it holds."""

    path: str
    span: Span
    holds: bool


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a step was given: under which parameter, and the steps that it may come from."""

    name: str
    value: Tensor | Unknown
    origins: tuple[Step, ...]


@dataclass(slots=True, eq=False)
class Step:
    """One operator, layer, call, loop or source of a value; `body` is what happened inside a call or loop.

    `kind`: `op`, `layer`, `call` (followed), `choice` of several callables, `loop`, `round` of a loop, `unfollowed`
    call, `store` into a tensor, `input` of the function, `weight` of an object, what an unknown `object` gave.
    """

    kind: str
    name: str
    path: str
    span: Span
    target: Value = None
    args: Arguments = field(default_factory=list[Value])
    kwargs: Keywords = field(default_factory=dict[str, Value])
    given: tuple[Given, ...] = ()
    result: Value = None
    tests: tuple[Test, ...] = ()
    parent: Step | None = None
    body: list[Step] = field(default_factory=list["Step"])
    count: Value = None
    """How often a loop runs."""
    bound: str = ""
    """The variable that the result is bound to first."""
    callee: t.Expr | None = None
    """What was called, as the source spells it."""
    own_result: bool = True
    """Whether the result was made here, and not by a step of the body."""
    changes: list[Value] = field(default_factory=list[Value])
    """Tensors that a call that is not followed changes, as far as its use tells."""

    @property
    def operator(self) -> ops.Op | None:
        """The entry of the operator table, for operators and layers."""
        if self.kind == "layer" and isinstance(self.target, Module):
            return ops.find(f"{self.target.name}.forward")
        return ops.find(self.name) if self.kind == "op" else None

    def cost(self) -> Cost | None:
        """Work and traffic by the operator table."""
        operator = self.operator
        if operator is None:
            return None
        args = [for_op(a) for a in self.args]
        kwargs = {k: for_op(v) for k, v in self.kwargs.items()}
        if self.kind == "layer":
            return ops.cost(f"{self.target.name}.forward", [self.target, *args], kwargs, self.result)
        return ops.cost(self.name, args, kwargs, self.result)

    def walk(self) -> Iterator[Step]:
        """This step and all inside it, in the order in which they were taken."""
        yield self
        for step in self.body:
            yield from step.walk()


def tensors_in(value: Value) -> Iterator[Tensor | Unknown]:
    """The tensors, and values that may be tensors, in a value."""
    match value:
        case Tensor() | Unknown():
            yield value
        case tuple() | list():
            for part in value:
                yield from tensors_in(part)
        case dict():
            for part in value.values():
                yield from tensors_in(part)
        case Maybe():
            yield from tensors_in(value.value)
        case Several() | Alike():
            yield from tensors_in(value.element)
        case _:
            pass


class Trace:
    """The steps of one interpretation, below `root`."""

    def __init__(self) -> None:
        self.root = Step("call", "", "", NOWHERE, own_result=False)
        self.parameters: tuple[Parameter, ...] = ()
        """The weights of the object whose method was traced."""
        self.path = ""
        """The file of the function that is running."""
        self._current = self.root
        self._tests: list[Test] = []
        self._origins: dict[int, tuple[Value, tuple[Step, ...]]] = {}
        self._names: dict[int, str] = {}
        self._replaced: dict[Any, Value] = {}
        """Tensors that were changed in place, and what they are since."""
        self.callee: t.Expr | None = None
        """What the next call calls, as the source spells it."""
        self.effect: Span | None = None
        """The call that stands as a statement of its own: it is made for what it does."""
        self._broken: Step | None = None
        """The last call that did not come to its end."""
        self.changes: Changes | None = None
        """Where it is noted what one way through the code changes, so that another starts from what was before."""
        self._recorded = 0
        self.complete = True
        """Whether the function was followed to its end."""

    # -- values ------------------------------------------------------------------------------------------

    def latest(self, value: Value) -> Value:
        """A tensor as it is after what was done to it in place."""
        while id(value) in self._replaced:
            value = self._replaced[id(value)][1]
        return value

    def origins(self, value: Value) -> tuple[Step, ...]:
        """The steps that a value may come from."""
        found = self._origins.get(id(self.latest(value)))
        return found[1] if found is not None else ()

    def _origins_in(self, value: Value) -> tuple[Step, ...]:
        """The steps that the tensors in a value may come from."""
        return tuple(dict.fromkeys(step for tensor in tensors_in(value) for step in self.origins(tensor)))

    def _came_from(self, value: Value, origins: tuple[Step, ...]) -> Value:
        """A copy of a tensor that came from these steps."""
        fresh = replace(value)
        self._origins[id(fresh)] = (fresh, origins)
        return fresh

    def made(self, step: Step, value: Value) -> Value:
        """What a step gave, each tensor in it unlike any other."""
        match value:
            case Tensor() | Unknown():
                return self._came_from(value, (step,))
            case Fields():
                return Fields(value.names, (self.made(step, v) for v in value))
            case tuple():
                return tuple(self.made(step, v) for v in value)
            case list():
                return [self.made(step, v) for v in value]
            case Several():
                return replace(value, element=self.made(step, value.element))
            case Maybe():
                return Maybe(self.made(step, value.value), value.name)
            case _:
                return value

    def same(self, value: Value, old: Value) -> Value:
        """`value` is `old` with its sizes named anew."""
        if value is not old and isinstance(value, Tensor) and (origins := self.origins(old)):
            self._origins[id(value)] = (value, origins)
        elif isinstance(value, tuple) and isinstance(old, tuple):
            for new, before in zip(value, old, strict=False):
                self.same(new, before)
        elif isinstance(value, Maybe) and isinstance(old, Maybe):
            self.same(value.value, old.value)
        return value

    def sources(self, kind: str, name: str, span: Span, value: Value, path: str) -> None:
        """Every tensor in a value comes from outside."""
        match value:
            case Tensor() | Unknown():
                self.source(kind, name, span, value, path)
            case tuple() | list():
                for index, part in enumerate(value):
                    self.sources(kind, f"{name}[{index}]", span, part, path)
            case Maybe():
                self.sources(kind, name, span, value.value, path)
            case _:
                pass

    def bound(self, value: Value, name: str) -> None:
        """A variable's name for what it is bound to."""
        if isinstance(value, Maybe):
            value = value.value
        if isinstance(value, Tensor | Unknown):
            self._names.setdefault(id(self.latest(value)), name)
        for tensor in tensors_in(value):
            for step in self.origins(tensor):
                step.bound = step.bound or name

    def name_of(self, value: Value) -> str:
        """The variable that a tensor was bound to first, or an empty text."""
        return self._names.get(id(self.latest(value)), "")

    def met(self, value: Value, one: Value, other: Value) -> Value:
        """What two ways through the code left in one place came from the steps of both."""
        if type(value) is tuple and (isinstance(one, Unknown) or isinstance(other, Unknown)):
            lost = one if isinstance(one, Unknown) else other
            return tuple(self.met(part, part, lost) for part in value)
        if not isinstance(value, Tensor | Unknown):
            return value
        origins = tuple(dict.fromkeys((*self._origins_in(one), *self._origins_in(other))))
        return self._came_from(value, origins) if origins and origins != self.origins(value) else value

    def part(self, whole: Value, part: Value) -> Value:
        """An element of a value comes from where the whole does."""
        origins = self._origins_in(whole) if isinstance(part, Tensor | Unknown) else ()
        return self._came_from(part, origins) if origins else part

    def replaced(self, old: Value, new: Value) -> None:
        """`old += …` changed a tensor where it lies."""
        before = self.latest(old)
        if isinstance(old, Tensor | Unknown) and isinstance(new, Tensor | Unknown) and before is not new:
            self._replace(before, new)

    def _replace(self, before: Value, new: Value) -> None:
        if self.changes is not None:
            self.changes.before(self._replaced)
        self._replaced[id(before)] = (before, new)

    def _changed(self, step: Step, old: Value, new: Value) -> None:
        """A step changed a tensor where it lies, and so all that it is a view of."""
        for _ in range(MAX_VIEWS):
            before = self.latest(old)
            origins = self.origins(before)
            self._replace(before, new)
            maker = origins[0] if len(origins) == 1 else None
            operator = maker.operator if maker is not None else None
            if maker is None or operator is None or operator.kind != "view" or not maker.args:
                return
            old = maker.args[0]
            if not isinstance(old, Tensor | Unknown):
                return
            new = self.made(step, old)

    def source(self, kind: str, name: str, span: Span, value: Value, path: str = "") -> Value:
        """A tensor that comes from outside: an input, or a weight that an object holds."""
        if not isinstance(value, Tensor | Unknown) or self.origins(value):
            return value
        if kind == "weight" and not isinstance(value, Tensor):
            return value
        step = Step(kind, name, path or self.path, span, result=value, parent=self.root)
        self._origins[id(value)] = (value, (step,))
        return value

    # -- steps -------------------------------------------------------------------------------------------

    def _given(self, args: Iterable[tuple[str, Value]]) -> tuple[Given, ...]:
        found: list[Given] = []
        for name, value in args:
            for tensor in tensors_in(value):
                latest = self.latest(tensor)
                if (origins := self.origins(latest)) or isinstance(tensor, Tensor):
                    found.append(Given(name, latest, origins))
        return tuple(found)

    def _step(self, kind: str, name: str, span: Any, args: Arguments, kwargs: Keywords) -> Step:
        place = span if isinstance(span, Span) else self._current.span
        given = self._given([*(("", a) for a in args), *kwargs.items()])
        tests = tuple(self._tests)
        return Step(kind, name, self.path, place, None, args, kwargs, given, None, tests, self._current)

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
        step.result = result = self.made(step, replace(changed) if changed is not None else result)
        if changed is not None:
            self._changed(step, changed, result)
        self._add(step)
        return result

    def store(self, holder: Value, index: Value, value: Value, span: Any) -> None:
        """`holder[index] = value`."""
        if isinstance(holder, Tensor) or self.origins(holder):
            step = self._step("store", "store", span, [holder, index, value], {})
            step.result = self.made(step, holder)
            self._changed(step, holder, step.result)
            self._add(step)

    def call(self, target: Value, args: Arguments, kwargs: Keywords, span: Any, run: Callable[[], Value]) -> Value:
        """A call: one step if it leaves the workspace, else a step around what happens inside."""
        kind, name = _kind_of(target)
        step = self._step(kind, name, span, args, kwargs)
        step.target, step.callee, self.callee = target, self.callee, None
        if isinstance(target, Unknown) and isinstance(step.callee, t.Attribute) and self.origins(target):
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
            step.result = result = self.made(step, result)
            if step.kind == "unfollowed":
                self._effects(step, step.span is self.effect)
            self._add(step)
            return result
        step.result = result
        if step.body:
            step.own_result = self._is_lost(result)
            if step.own_result:
                step.result = result = self.made(step, result)
            self._add(step)
        return result

    def broken(self, value: Value) -> Value:
        """What is known of the result of a call that contradicts itself: that it is the call's."""
        step, self._broken = self._broken, None
        if step is None or not step.given:
            return value
        step.kind = "unfollowed"
        step.result = value = self.made(step, value)
        return value

    def _effects(self, step: Step, is_statement: bool) -> None:
        """What a call that is not followed does to what it is given.

        Memory without contents is given to be filled. A call whose result nobody takes is made for what it changes:
        that is told of the tensors that this function made.
        """
        empty = [given for given in step.given if self._is_made_by(given.value, _is_empty)]
        made = [given for given in step.given if is_statement and self._is_made_by(given.value, _computes)]
        for given in empty or made:
            if isinstance(given.value, Tensor) or is_statement:
                step.changes.append(given.value)
                self._changed(step, given.value, self.made(step, given.value))

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
        self._tests.append(Test(self.path, span, holds))
        try:
            yield
        finally:
            self._tests.pop()


def _is_empty(step: Step) -> bool:
    """Whether a step gives memory without contents."""
    return step.kind == "op" and step.name.rpartition(".")[2] in EMPTY


def _computes(step: Step) -> bool:
    """Whether a step gives something that was not there before the call."""
    return step.kind not in ("input", "weight", "object") and bool(step.given)


def _in_place(name: str, operator: ops.Op | None, result: Value) -> bool:
    short = name.rpartition(".")[2]
    if short.endswith("_") and not short.endswith("__"):
        return True
    return operator is not None and operator.kind == "communication" and not isinstance(result, Tensor)


def _kind_of(target: Value) -> tuple[str, str]:
    match target:
        case External(name=name):
            return ("op" if ops.find(name) is not None else "through" if name in TRANSPARENT else "unfollowed"), name
        case TensorMethod():
            return "op", f"torch.Tensor.{target.name}"
        case Module():
            return "layer", target.name.rpartition(".")[2]
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
