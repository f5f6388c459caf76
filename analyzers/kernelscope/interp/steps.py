"""The steps of an interpretation: one operator, layer, call or loop each, with what it was given and what it gave."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from kernelscope import ops
from kernelscope.interp.autograd import FOR_BACKWARD
from kernelscope.interp.values import Alike, Arguments, Keywords, Maybe, Test, Value, for_op
from kernelscope.ops import Cost, Module
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import Several, Tensor, Unknown

NOWHERE = Span(0, 0)


class Given(Struct, frozen=True):
    """A value that a step was given: under which parameter, and the steps that it may come from."""

    name: str
    value: Tensor | Unknown
    origins: tuple[Step, ...]


class Step(Struct, eq=False):
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
    carried: list[tuple[Tensor | Unknown, tuple[Step, ...]]] = field(
        default_factory=list["tuple[Tensor | Unknown, tuple[Step, ...]]"]
    )
    """Of a loop: what a round begins with, and what made that of the round before."""
    element: tuple[int, ...] = ()
    """Which elements of short sequences, as in `[f(x) for x in (q, k, v)]`, it was made for."""
    bound: str = ""
    """The variable that the result is bound to first."""
    callee: t.Expr | None = None
    """What was called, as the source spells it."""
    own_result: bool = True
    """Whether the result was made here, and not by a step of the body."""
    ways: int = 1
    """How many functions, or objects with other layers, this one stands for, of which one is called."""
    or_else: str = ""
    """Of a layer: the classes of what may be in its place, which hands on what it is given."""
    is_augmented: bool = False
    """Whether it is `x += y`, which writes into the tensor that `x` is."""
    is_statement: bool = False
    """Whether a call that is not followed stands by itself: nobody takes its result, it is made for what it does."""
    changes: list[Value] = field(default_factory=list[Value])
    """Tensors that a call that is not followed changes, as far as its use tells."""

    @property
    def operator(self) -> ops.Op | None:
        """The entry of the operator table, for operators and layers."""
        if self.kind == "layer" and isinstance(self.target, Module):
            return ops.find(f"{self.target.name}.forward")
        return ops.find(self.name) if self.kind == "op" else None

    @property
    def is_for_backward(self) -> bool:
        """Whether a call notes something for the gradients only, which no forward reads."""
        return self.kind == "unfollowed" and self.name.rpartition(".")[2] in FOR_BACKWARD

    @property
    def changes_its_object(self) -> bool:
        """Whether a call that is not followed works in place on what it is of: `self.cache.copy_(new)` reads `new`."""
        callee = self.callee
        return isinstance(self.target, Unknown) and isinstance(callee, t.Attribute) and is_in_place(callee.attr)

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


def is_in_place(name: str) -> bool:
    """Whether torch's names tell that a function changes what it is given first."""
    return name.endswith("_") and not name.endswith("__")


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


def is_any_of(value: Tensor | Unknown, within: Value) -> bool:
    """Whether a tensor stands for each of any number of them: all that it may come from is there, not one of it."""
    match within:
        case tuple() | list():
            return any(is_any_of(value, part) for part in within)
        case dict():
            return any(is_any_of(value, part) for part in within.values())
        case Maybe():
            return is_any_of(value, within.value)
        case Alike():
            return any(value is part for part in tensors_in(within.element))
        case _:
            return False
