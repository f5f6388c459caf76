"""One call of an operation: its arguments by parameter name, and what rules may ask and report.

Rules never raise but `BlockMismatch`; what they cannot tell is an unknown value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from kernelscope.dims import Dim, dim
from kernelscope.kernels.triton.values import (
    Const,
    ElementType,
    Items,
    Size,
    Sizes,
    Tensor,
    Undecided,
    Unknown,
    Value,
)
from kernelscope.results import Span

ONE = dim(1)
Loop = tuple[Span, Span]
"""A loop as one caller runs it: the place in the outermost function, and its own."""
AccessPlace = tuple[Span, Span | None]
"""The place in the outermost function, and within a helper."""
AccessKind = Literal["load", "store", "atomic"]


class Side(NamedTuple):
    """One side of a branch that nothing decides: its file, where it stands, and which side.

    `question`: what several branches may ask of one launch (`MODE` of `MODE == 0` and `MODE == 1`), empty where nobody
    else can; on this side its answer is `answer`, or is another one, as `is_so` says.
    """

    path: str
    start: int
    is_so: bool
    question: str = ""
    answer: object = True
    is_rest: bool = False
    """Whether it is what follows a branch that ends the function."""


@dataclass(frozen=True, slots=True)
class Access:
    """One load, store or atomic as it was seen: where, through which pointer, the block moved, masked or not."""

    kind: AccessKind
    span: Span
    pointer: Value
    block: Value
    masked: bool
    loop: Loop | None = None
    """The innermost loop around it."""
    name: str = ""
    """The helper that makes the access, empty for the kernel itself."""
    times: Dim = ONE
    """How often a program makes it; loops of unknown length count as `rounds(L…)`."""
    at: Span | None = None
    """Where the helper `name` makes it."""
    sides: tuple[Side, ...] = ()
    """The sides of branches that it is on, the outermost first: a program passes one side of each."""
    around: tuple[Span, ...] = ()
    """The loops around it that are not unrolled, the outermost first."""

    @property
    def in_loop(self) -> bool:
        return self.loop is not None

    @property
    def place(self) -> AccessPlace:
        """Where it is made, through whatever call of a helper."""
        return self.span, self.at


@dataclass(frozen=True, slots=True)
class Product:
    """One `tl.dot` or `tl.dot_scaled`: the rows, columns and inner size, and how often a program does it."""

    span: Span
    sizes: tuple[Size, Size, Size]
    batch: Size
    times: Dim
    sides: tuple[Side, ...] = ()
    """The sides of branches that it is on, the outermost first."""
    around: tuple[Span, ...] = ()
    """The loops around it that are not unrolled, the outermost first."""
    elements: tuple[tuple[str, str], ...] = ()
    """The element types behind arguments that the formats of its operands tell."""
    supposed: bool = False
    """Whether the type of its result is that of floating-point operands, because theirs is not known."""
    types: tuple[str, str] = ("", "")
    """The element types of its operands."""
    unlike: bool = False
    """Whether its operands have inner sizes of different names."""


class Reporter(Protocol):
    """What an interpretation learns from rules."""

    def access(self, kind: AccessKind, pointer: Value, block: Value, masked: bool) -> None: ...
    def product(
        self,
        sizes: tuple[Size, Size, Size],
        batch: Size,
        types: tuple[str, str],
        elements: tuple[tuple[str, str], ...] = (),
        supposed: bool = False,
        unlike: bool = False,
    ) -> None: ...
    def is_pointer(self, names: tuple[str, ...]) -> None: ...
    def same_kind(self, one: Tensor, other: Tensor) -> None: ...
    def is_integer(self, names: frozenset[str]) -> None: ...
    def problem(self, code: str, message: str) -> None: ...


@dataclass(slots=True, eq=False)
class OpCall:
    """`arguments` holds what was given; `rest` the positional arguments of a `name*` parameter."""

    name: str
    arguments: Mapping[str, Value]
    report: Reporter
    rest: tuple[Value, ...] = ()

    def get(self, name: str) -> Value:
        return self.arguments.get(name, Const(None))

    def given(self, name: str) -> bool:
        found = self.arguments.get(name)
        return found is not None and found != Const(None)

    def tensor(self, name: str) -> Tensor | None:
        """The argument as a tensor; numbers become scalars of their type."""
        return as_tensor(self.get(name))

    def integer(self, name: str) -> int | None:
        """The argument as a known number."""
        return integer_of(self.get(name))

    def flag(self, name: str) -> bool | None:
        """The argument as a switch: absent is False, undecided is None."""
        found = self.get(name)
        if isinstance(found, Const):
            if isinstance(found.value, Undecided):
                return None
            if isinstance(found.value, Dim):
                return bool(found.number) if found.number is not None else None
            return bool(found.value)
        return None


def integer_of(value: Value) -> int | None:
    if isinstance(value, Const):
        if isinstance(value.value, bool):
            return int(value.value)
        return value.number
    if isinstance(value, Tensor) and value.value is not None:
        return value.value.const
    return None


def size_of(value: Value) -> Size:
    """An argument as a size: a constant integer or an expression of constexprs."""
    if isinstance(value, Const):
        if isinstance(value.value, bool):
            return None
        return value.value if isinstance(value.value, Dim) else None
    if isinstance(value, Tensor):
        return value.value if value.is_scalar else None
    return None


def sizes_of(value: Value) -> Sizes | None:
    """A shape argument; a single number is a shape of one dim."""
    if isinstance(value, Items):
        return tuple(size_of(item) for item in value.items)
    if isinstance(value, Const | Tensor):
        return (size_of(value),) if value != Const(None) else None
    return None


def as_tensor(value: Value) -> Tensor | None:
    """A tensor, or a number as the scalar that it becomes when it meets one."""
    if isinstance(value, Tensor):
        return value
    from kernelscope.kernels.triton.dtypes import of_number

    match value:
        case Const(value=Dim() as number):
            known = value.number
            return Tensor((), of_number(known if known is not None else 0), value=number)
        case Const(value=bool() | float() as number):
            return Tensor((), of_number(number))
        case Const(value=Undecided(kind=kind)):
            return Tensor((), {"int": "int32", "float": "fp32", "bool": "int1"}.get(kind, ""))
        case Unknown():
            return Tensor(None)
        case _:
            return None


def elem_of(value: Value) -> str:
    """A dtype argument as an element type; a constexpr that holds one is known by its name."""
    if isinstance(value, ElementType):
        return value.elem
    if isinstance(value, Const):
        if isinstance(value.value, Dim) and value.value.name:
            return f"T({value.value.name})"
        if isinstance(value.value, str):
            from kernelscope.kernels.triton.dtypes import SPELLINGS

            return SPELLINGS.get(value.value, "")
    return ""
