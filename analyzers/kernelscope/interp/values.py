"""What an expression can be worth to the interpreter, besides tensors, sizes and plain Python values.

Plain data; how these are called and read is decided in `calls` and `expressions`.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownLambdaType=false

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Set
from typing import Any

from msgspec import Struct, field

from kernelscope.dims import Dim, dim
from kernelscope.ops import Module
from kernelscope.results import Span
from kernelscope.syntax.python import tree as t
from kernelscope.tensor import DType, Fields, Several, Shape, Single, Tensor, Unknown
from kernelscope.workspace.modules import Definition

Value = Any
"""Tensor, Dim, int, float, str, bool, None, tuple, list, dict, slice, Module, Unknown, or a class of this module."""
Arguments = list[Value]
Keywords = dict[str, Value]


class Open(dict[str, Value]):
    """Keyword arguments of which there may be more than are known."""

    @staticmethod
    def together(first: Mapping[str, Value], more: Mapping[str, Value]) -> dict[str, Value]:
        """What two of them hold, the second before the first; more than is known as soon as one of them may."""
        held = {**first, **more}
        return Open(held) if isinstance(first, Open) or isinstance(more, Open) else held


@dataclasses.dataclass(frozen=True, slots=True)
class Opaque:
    """An unknown object with a name, such as a configuration: its attributes are named after it.

    Used as a size it is the symbol of its name, for what a size is made of is an integer.
    """

    name: str
    default: int | None = dataclasses.field(default=None, compare=False)
    """The number that it is unless a caller gives another."""
    known_as: str = dataclasses.field(default="", compare=False)
    """What its attributes are named after, where that is another name: of `given or default` they are called as of
    `given`."""
    cls: Definition | None = dataclasses.field(default=None, compare=False)
    """The class that it is promised to be an object of, if that class holds tensors."""
    is_typed: bool = dataclasses.field(default=False, compare=False)
    """Whether it is promised to be of a type that is not known here: it need be no number."""
    is_untold: bool = dataclasses.field(default=False, compare=False)
    """Whether it is a parameter of which nothing says what callers give: it may be an array as well as a number."""

    @property
    def is_element(self) -> bool:
        """Whether an unknown container holds it."""
        return self.name.endswith("]")

    def attribute(self, name: str) -> Opaque:
        return Opaque(f"{self.known_as or self.name}.{name}")

    def element(self, index: int) -> Opaque:
        return Opaque(f"{self.name}[{index}]")

    def as_dim(self) -> Dim:
        return dim(self.name)


class Copied(dict[str, "Value"]):
    """A copy of an unknown object, such as a configuration: what was stored in it anew, else what that one has."""

    def __init__(self, of: Opaque, stored: Mapping[str, Value] | None = None) -> None:
        super().__init__(stored or {})
        self.of = of

    def attribute(self, name: str) -> Value:
        return self[name] if name in self else self.of.attribute(name)


def original(value: Opaque | Copied) -> Opaque:
    """The unknown object that a value is, or is a copy of."""
    return value.of if isinstance(value, Copied) else value


class Flag(Struct, frozen=True):
    """A truth value that is not known."""

    reason: str = "a condition that is not known"
    name: str = ""
    """What it is the same as wherever it is asked again: `self.training`."""


class Number(Struct, frozen=True):
    """A number whose value is not known; it has no dims, so an operator with it keeps a tensor's shape."""

    reason: str = "a number that is not known"
    is_integer: bool = False


@dataclasses.dataclass(frozen=True)
class Formatted(Unknown):
    """A text that is put together of parts that are not all known: `pattern` has braces in their places."""

    pattern: str = ""


class Test(Struct, frozen=True):
    """A condition under which something is done: the test at a place of the source, and whether it holds."""

    path: str
    span: Span
    holds: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Maybe:
    """A value that may be None instead; whoever uses it as a value takes it to be there."""

    value: Value
    name: str = ""
    test: Test | None = None
    """Of a part of a list that may not be there: where it is put in."""


class External(Struct, frozen=True):
    """A name outside the workspace, spelt out in full: `torch.nn.functional.silu`."""

    name: str


class Builtin(Struct, frozen=True):
    """A builtin function of Python."""

    name: str


class TensorMethod(Struct, frozen=True):
    """`x.view`, before it is called; `of` is the class that the file's library calls tensors."""

    value: Tensor
    name: str
    of: str = "torch.Tensor"
    picked: Value = None
    """Of `x.at[index]`: what is read there."""

    @property
    def full(self) -> str:
        """The name in the operator table."""
        return f"{self.of}.{self.name}"


class PlainMethod(Struct, frozen=True):
    """A method of a list, dict, tuple or string, before it is called."""

    value: Any
    name: str


class Class(Struct, eq=False):
    """A class of the workspace."""

    definition: Definition


class Function(Struct, eq=False):
    """A function of the workspace; `receiver` is bound to its first parameter, `owner` is the class for `super()`."""

    definition: Definition
    receiver: Value = None
    is_bound: bool = False
    closure: Scope | None = None
    is_default: bool = False
    """Whether a table gives it for a key that is not known: another may be chosen."""


class LambdaValue(Struct, eq=False):
    node: t.Lambda
    closure: Scope


class Partial(Struct, eq=False):
    """`functools.partial(target, *args, **kwargs)`."""

    target: Value
    args: tuple[Value, ...]
    kwargs: dict[str, Value]


class Sequential(Struct, eq=False):
    """Layers that are called one after the other; `names` where they have names."""

    parts: list[Value]
    names: list[str] = field(default_factory=list[str])


class Instance(Struct, eq=False):
    """An object of a class of the workspace. `attributes` are what its methods stored so far."""

    cls: Definition
    attributes: dict[str, Value] = field(default_factory=dict[str, Value])
    is_ready: bool = False
    initialise: Callable[[Any, Instance], None] | None = None
    """Its constructor, still to be run by the interpreter that first asks for an attribute."""
    made_with: tuple[Arguments, Keywords] | None = None
    """What its constructor was given."""
    usual: Set[str] = frozenset()
    """Switches among that which are as they are by default."""
    like: Instance | None = None
    """A new object of which this one, which a caller gives, is a used one."""
    called: str = ""
    """What such an object is called where it is given."""
    is_module: bool = False
    """Whether it is a layer of torch, which is made once and then called."""
    layer: Module | Sequential | None = None
    """The torch layer that it is besides, when its class derives from one."""
    made: int = 1
    """How often it was made: layers that are made alike are one object here."""
    others: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict[str, "tuple[Instance, ...]"])
    """By attribute, layers that its constructor puts there in place of the one that it holds, if a switch is set
    otherwise."""

    @property
    def is_being_made(self) -> bool:
        """Whether its constructor is running: nobody else has it yet."""
        return self.is_module and not self.is_ready and self.initialise is None and self.like is None


class LayerMethod(Struct, frozen=True, eq=False):
    """A method that an object inherits from a torch layer or module: `super().__init__` and `super().forward`."""

    receiver: Instance
    base: str
    name: str


class Alike(Struct, frozen=True):
    """A sequence of unknown length whose elements are alike: `[Block(c) for _ in range(n)]`."""

    element: Value
    count: Value = None
    called: str = ""
    """What the caller's list is called if it holds integers: each is a size that is named after its place."""


class SuperValue(Struct, frozen=True):
    """`super()` in a method of `owner` on `receiver`: a class in those of the class."""

    owner: Definition
    receiver: Instance | Class


class Scope(Struct):
    """Names of one running function; `outer` is the function around it."""

    path: str
    function: Function | None = None
    names: dict[str, Value] = field(default_factory=dict[str, Value])
    outer: Scope | None = None
    frame: int = 0
    """The number of the call, unlike any other in this interpretation."""
    loops: list[list[dict[str, Value]]] = field(default_factory=list[list[dict[str, Value]]])
    """Names at each `break` and `continue` of the loops that are running."""
    outcomes: dict[str, list[Value]] = field(default_factory=dict[str, "list[Value]"])
    """What else a name may hold, where a call gave results of different kinds that are followed apart."""
    yielded: list[Value] = field(default_factory=list["Value"])
    """What the function yielded so far."""
    usual: set[str] = field(default_factory=set[str])
    """Switches that are as they are by default, and what follows from them: others may set them otherwise."""
    several: set[str] = field(default_factory=set[str])
    """Layers that may be of several classes on the way that is followed."""

    def is_usual(self, test: t.Expr) -> bool:
        """Whether an expression is what it is because of such a switch."""
        return bool(self.usual) and any(isinstance(n, t.Name) and n.id in self.usual for n in t.walk(test))


class Choice:
    """One of several callables: chosen by a key that is not known, or different in two branches.

    Those of one table do the same to shapes, so that its first entry stands for all, unless it demands something of
    what it is given; what it is called does not.
    """

    def __init__(self, entries: list[Value], is_of_table: bool = False, is_guess: bool = False) -> None:
        self.entries = entries
        self.is_of_table = is_of_table
        self.is_guess = is_guess
        """Whether nothing but what the key is called says that it chooses among these."""

    @property
    def followed(self) -> list[Value]:
        """The entries that say what a call does to shapes."""
        return self.entries[: 1 if self.is_of_table else MAX_CHOICES]

    def with_first(self, first: Value) -> Choice:
        """The same table with another value for its first entry."""
        return Choice([first, *self.entries[1:]], self.is_of_table, self.is_guess)


class Unpacked:
    """`*values` where the number of values is not known."""

    def __init__(self, value: Value) -> None:
        self.value = value


def has_unknown_length(value: Value) -> bool:
    """Whether a list or tuple holds a sequence of unknown length that was spread in it: `[first, *others]`."""
    return isinstance(value, tuple | list) and any(isinstance(part, Unpacked) for part in value)


CALLABLES = (Module, Instance, Function, Class, LambdaValue, Partial, External, Sequential, Choice)
MAX_CHOICES = 8


def is_known(value: Value) -> bool:
    return not isinstance(value, Unknown)


def present(value: Value) -> Value:
    """A value that is used as one: it is there."""
    return value.value if isinstance(value, Maybe) else value


def as_size(value: Value) -> Value:
    """An Opaque as the symbol that it is when used as a number; everything else as it is."""
    value = present(value)
    return value.as_dim() if isinstance(value, Opaque) else value


def for_op(value: Value) -> Value:
    """A value as the operator table takes it: opaque objects as sizes, flags as unknowns."""
    match value:
        case Opaque():
            return value.as_dim()
        case Flag() | Number():
            return Single(value.reason)
        case Maybe():
            return for_op(value.value)
        case Unpacked():
            return SPREAD
        case Fields():
            return Fields(value.names, map(for_op, value))
        case tuple() | list():
            found = [for_op(v) for v in value]
            return next((v for v in found if v is SPREAD), type(value)(found) if type(value) is list else tuple(found))
        case slice():
            return slice(for_op(value.start), for_op(value.stop), for_op(value.step))
        case External() | Builtin():
            return _plain_type(value.name)
        case Alike():
            element = for_op(value.element)
            if not isinstance(element, Tensor):
                return Unknown("a list of unknown length")
            count = as_size(value.count)
            return Several(element, count=count) if isinstance(count, Dim) else Several(element)
        case (
            Tensor() | Dim() | int() | float() | str() | None | Module() | DType() | Unknown() | Shape() | Several()
        ) | EllipsisType():
            return value
        case _:
            return Unknown("an argument that is no tensor or number")


def _plain_type(name: str) -> Value:
    return {"float": float, "int": int, "bool": bool, "complex": complex}.get(name, Unknown(f"{name} as an argument"))


EllipsisType = type(...)
SPREAD = Unknown("values of which the number is not known")
"""What an operator is given for `*values` among others."""
