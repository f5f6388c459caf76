"""What names of launching code can hold, and the operations on it: sizes, tensors, shapes, tuples, grid functions."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kernelscope.dims import ARITHMETIC, Dim, ceil_div, dim, maximum, minimum, product
from kernelscope.syntax.python import tree as t

if TYPE_CHECKING:
    from kernelscope.kernels.triton.host_values import HostScope

SAME_SHAPE = frozenset(
    (
        "contiguous", "to", "detach", "clone", "cuda", "cpu", "half", "float", "bfloat16", "double", "long", "int",
        "bool", "type_as", "requires_grad_", "zero_", "fill_", "empty_like", "zeros_like", "ones_like", "full_like",
        "rand_like", "randn_like",
    )
)  # fmt: skip

CREATORS = frozenset(("empty", "zeros", "ones", "full", "rand", "randn", "new_empty", "new_zeros", "new_full"))

META = "META."
"""Prefix of atoms that a grid function reads from its argument: names of the kernel, not of the host."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something with a name: a tensor or a number. `shape` where its making tells it, `shape_of` whose shape it has."""

    label: str
    shape: tuple[Dim, ...] | None = None
    shape_of: str = ""
    rank: int | None = None
    contiguous: bool = False
    """Whether its elements are known to lie one after the other."""

    def size(self, index: int) -> Dim:
        if self.shape is not None and -len(self.shape) <= index < len(self.shape):
            return self.shape[index]
        if self.rank is not None and index < 0:
            index += self.rank
        return dim(f"{self.shape_of or self.label}.shape[{index}]")

    def stride(self, index: int) -> Dim:
        """How far apart neighbours along one axis are: a product of sizes where the elements are contiguous."""
        rank = len(self.shape) if self.shape is not None else self.rank
        if self.contiguous and index == -1:
            return dim(1)
        if self.contiguous and rank is not None and -rank <= index < rank:
            return product(self.size(axis) for axis in range(index % rank + 1, rank))
        return dim(f"{self.label}.stride({index})")

    def numel(self) -> Dim:
        return product(self.shape) if self.shape is not None else dim(f"{self.shape_of or self.label}.numel()")


@dataclass(frozen=True, slots=True)
class ShapeOf:
    """`x.shape`, unpacked or indexed later."""

    thing: Thing


@dataclass(frozen=True, slots=True)
class Plain:
    """A float, bool, string or None."""

    value: float | bool | str | None


@dataclass(frozen=True, slots=True)
class Meta:
    """The argument of a grid function."""


@dataclass(frozen=True, slots=True, eq=False)
class GridFunction:
    """A lambda or inner function that computes a grid."""

    params: tuple[str, ...]
    result: t.Expr
    scope: HostScope


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary with texts for keys, as keywords of a launch are gathered in."""

    entries: tuple[tuple[str, HostValue], ...]

    def get(self, key: str) -> HostValue:
        return dict(self.entries).get(key)

    def without(self, keys: Container[str]) -> Table:
        return Table(tuple(entry for entry in self.entries if entry[0] not in keys))


@dataclass(frozen=True, slots=True)
class Beginning:
    """A tuple to which the host may have added more than these."""

    items: tuple[HostValue, ...]


HostValue = Beginning | Dim | Thing | ShapeOf | Plain | Meta | GridFunction | Table | tuple["HostValue", ...] | None
"""None: nothing is known."""


def as_dim(value: HostValue) -> Dim | None:
    """A value where a number is meant."""
    if isinstance(value, Dim):
        return value
    if isinstance(value, Thing) and value.shape is None:
        return dim(value.label)
    if isinstance(value, Plain) and isinstance(value.value, bool):
        return dim(int(value.value))
    return None


def attribute_of(owner: HostValue, node: t.Attribute) -> HostValue:
    if isinstance(owner, Thing):
        if node.attr == "shape":
            return ShapeOf(owner)
        return Thing(f"{owner.label}.{node.attr}")
    name = t.dotted(node)
    return Thing(name) if name and owner is None else None


def part_of(owner: HostValue, node: t.Subscript, inner: object) -> HostValue:
    index = node.slice
    if isinstance(owner, Meta):
        if isinstance(index, t.Constant) and isinstance(index.value, str):
            return dim(META + index.value)
        return None
    if isinstance(owner, Table):
        return owner.get(index.value) if isinstance(index, t.Constant) and isinstance(index.value, str) else None
    number = index.value if isinstance(index, t.Constant) and isinstance(index.value, int) else None
    if isinstance(index, t.UnaryOp) and index.op == "-" and isinstance(index.operand, t.Constant):
        number = -index.operand.value if isinstance(index.operand.value, int) else None
    if number is not None:
        if isinstance(owner, ShapeOf):
            return owner.thing.size(number)
        if isinstance(owner, tuple) and -len(owner) <= number < len(owner):
            return owner[number]
        if isinstance(owner, Thing):
            return Thing(f"{owner.label}[{number}]")
    return None


def calculated(op: str, left: HostValue, right: HostValue) -> HostValue:
    if op == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return (*left, *right)
    if op == "+" and isinstance(left, Beginning):
        return left
    a, b = as_dim(left), as_dim(right)
    if a is None or b is None:
        return None
    if op in ARITHMETIC:
        return ARITHMETIC[op](a, b)
    match op:
        case "/":
            return a.exact_div(b)
        case "**" if b.const is not None:
            return a**b.const
        case "<<" if b.const is not None and 0 <= b.const < 64:
            return a * (1 << b.const)
        case _:
            return None


def of_function(name: str, arguments: list[HostValue]) -> HostValue:
    """Functions that grids are written with, by their last name: of triton, math and Python itself."""
    numbers = [as_dim(a) for a in arguments]
    if any(n is None for n in numbers) or not numbers:
        return _length(arguments[0]) if name == "len" and arguments else None
    known = [n for n in numbers if n is not None]
    if name in ("cdiv", "ceil_div", "ceildiv") and len(known) == 2:
        return ceil_div(known[0], known[1])
    if name == "next_power_of_2":
        number = known[0].const
        return dim(1 << max(0, number - 1).bit_length()) if number is not None else dim(f"{name}({known[0]!r})")
    if name in ("min", "max") and len(known) > 1:
        return minimum(*known) if name == "min" else maximum(*known)
    if name in ("int", "round") and len(known) == 1:
        return known[0]
    return _length(arguments[0]) if name == "len" else None


def _length(value: HostValue) -> HostValue:
    """Of a tensor its first size, as of every sequence that looks like one here."""
    if isinstance(value, Thing):
        return value.size(0)
    return dim(len(value)) if isinstance(value, tuple) else None


def of_method(owner: HostValue, name: str, arguments: list[HostValue], keywords: dict[str, HostValue]) -> HostValue:
    sizes = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], tuple) else tuple(arguments)
    if name in SAME_SHAPE and name.endswith("_like"):
        source = arguments[0] if arguments else None
        return source if isinstance(source, Thing) else None
    if name in CREATORS:
        given = keywords.get("size", sizes)
        if name in ("full", "new_full") or not isinstance(given, tuple):
            given = arguments[0] if arguments else given
        if isinstance(given, ShapeOf):
            thing = given.thing
            return Thing("", thing.shape, thing.shape_of or thing.label, thing.rank, True)
        listed = given if isinstance(given, tuple) else (given,)
        dims = [as_dim(s) for s in listed]
        return Thing("", tuple(d for d in dims if d is not None), contiguous=True) if None not in dims else None
    if not isinstance(owner, Thing):
        return None
    if name == "size":
        if not arguments:
            return ShapeOf(owner)
        index = as_dim(arguments[0])
        return owner.size(index.const) if index is not None and index.const is not None else None
    if name in ("numel", "nelement"):
        return owner.numel()
    if name == "stride":
        index = as_dim(arguments[0] if arguments else keywords.get("dim"))
        return owner.stride(index.const) if index is not None and index.const is not None else None
    if name == "contiguous" and not arguments:
        return replace(owner, contiguous=True)
    if name in SAME_SHAPE:
        return owner
    if name in ("view", "reshape"):
        return _viewed(owner, sizes)
    return None


def _viewed(owner: Thing, sizes: tuple[HostValue, ...]) -> HostValue:
    dims = [as_dim(s) for s in sizes]
    if any(d is None for d in dims):
        return None
    known = [d for d in dims if d is not None]
    open_places = [i for i, d in enumerate(known) if d == -1]
    if len(open_places) > 1:
        return None
    if open_places:
        rest = product(d for d in known if d != -1)
        known[open_places[0]] = owner.numel() // rest
    return Thing("", tuple(known), contiguous=owner.contiguous)
