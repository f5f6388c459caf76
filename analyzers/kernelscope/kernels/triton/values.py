"""What a name in a Triton kernel can be: blocks, pointers, compile-time constants, tuples, functions, or unknown.

Sizes are Dims over the constexpr names in scope, None where a size is not known. Knows no operations. Values are never
changed; they are not frozen, because frozen ones take three times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kernelscope.dims import Dim
from kernelscope.syntax.python.tree import FunctionDef

Size = Dim | None
Sizes = tuple[Size, ...]


@dataclass(slots=True, unsafe_hash=True)
class Tensor:
    """A block, or a scalar when `shape` is empty; `shape` None means that not even the rank is known.

    `pointer`: the elements are addresses of `elem`. `bases`: parameters that it is (or, until an access tells, may
    be) an address into. `inputs`: parameters whose values entered it by arithmetic. `value`: an integer scalar as a
    Dim. `steps`: how far apart neighbours along each axis are, in elements, for integer and pointer blocks. `runs`:
    how many neighbours along each axis hold the same one, where some do (`i // 8`); steps are between those.
    """

    shape: Sizes | None
    elem: str = ""
    pointer: bool = False
    bases: tuple[str, ...] = ()
    inputs: frozenset[str] = frozenset()
    value: Dim | None = None
    steps: Sizes | None = None
    runs: Sizes | None = None

    @property
    def is_scalar(self) -> bool:
        return self.shape == ()


@dataclass(slots=True, unsafe_hash=True)
class Undecided:
    """The value of a constant that depends on the configuration."""

    kind: str = ""
    """`int`, `float` or `bool` where that much is known."""


@dataclass(slots=True, unsafe_hash=True)
class Const:
    """A compile-time constant: a Dim, float, bool, str, None, or `Undecided`.

    `known` is the number behind a name in the present context, so that `if STAGE == 1` is decided.
    """

    value: Dim | float | bool | str | Undecided | None
    known: int | None = None

    @property
    def number(self) -> int | None:
        if self.known is not None:
            return self.known
        return self.value.const if isinstance(self.value, Dim) else None


@dataclass(slots=True, unsafe_hash=True)
class ElementType:
    """A dtype as a value: `tl.float32`, `x.dtype`, a constexpr that is used as one."""

    elem: str
    pointer: bool = False


@dataclass(frozen=True, slots=True)
class BlockPointer:
    """What `tl.make_block_ptr` makes."""

    shape: Sizes | None
    elem: str = ""
    base: str = ""
    steps: Sizes | None = None
    """How far apart neighbours along each axis are."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A tensor descriptor with the block that it loads."""

    shape: Sizes | None
    elem: str = ""
    base: str = ""


@dataclass(slots=True, unsafe_hash=True)
class Items:
    """A tuple or list."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class JitFunction:
    """A helper of the workspace that is compiled into its caller."""

    path: str
    node: FunctionDef


@dataclass(slots=True, unsafe_hash=True)
class Namespace:
    """A module: its dotted name when it lies outside the workspace, else its file."""

    dotted: str
    path: str | None = None


@dataclass(slots=True, unsafe_hash=True)
class Method:
    """`x.sum`: an operation bound to its first argument."""

    owner: Value
    name: str


@dataclass(slots=True, unsafe_hash=True)
class Range:
    """What a `for` runs over. `unrolled` for `tl.static_range`."""

    elem: str
    unrolled: bool = False
    trips: Dim | None = None
    start: Dim | None = None
    step: Dim | None = None


@dataclass(slots=True, unsafe_hash=True)
class Unknown:
    """Nothing is known, for this reason."""

    reason: str


Value = (
    Tensor | Const | ElementType | BlockPointer | Descriptor | Items | JitFunction | Namespace | Method | Range
    | Unknown
)  # fmt: skip


def join(a: Value, b: Value) -> Value:
    """What holds of both; None and plain numbers give way to what they stand in for, scalars to the block that they
    meet: where ranks differ by configuration, what is told is the block."""
    if a == b:
        return a
    match a, b:
        case Tensor(), Tensor():
            return _join_tensors(a, b)
        case (Const(value=None), other) | (other, Const(value=None)):
            return other
        case (Const(), Tensor() as tensor) | (Tensor() as tensor, Const()):
            return Tensor(tensor.shape, tensor.elem, tensor.pointer, tensor.bases, tensor.inputs)
        case (Const() | Tensor(shape=()), BlockPointer() | Descriptor() as block) | (
            BlockPointer() | Descriptor() as block,
            Const() | Tensor(shape=()),
        ):
            return block
        case Const(), Const():
            kinds = {_kind(a), _kind(b)}
            return Const(Undecided(kinds.pop() if len(kinds) == 1 else ""))
        case ElementType(), ElementType():
            return ElementType("")
        case Items(), Items() if len(a.items) == len(b.items):
            return Items(tuple(join(x, y) for x, y in zip(a.items, b.items, strict=True)))
        case BlockPointer(), BlockPointer():
            return BlockPointer(join_sizes(a.shape, b.shape), a.elem if a.elem == b.elem else "", a.base)
        case Descriptor(), Descriptor():
            return Descriptor(join_sizes(a.shape, b.shape), a.elem if a.elem == b.elem else "", a.base)
        case (Unknown(), _) | (_, Unknown()):
            return a if isinstance(a, Unknown) else b
        case _:
            return Unknown("it is different things on different paths")


def carried(head: Value, after: Value) -> Value:
    """A name at the head of a loop whose rounds are not unrolled, or behind a branch on data: the front end refuses
    code that changes its type, so what is known of either side holds of both."""
    match head, after:
        case Tensor(), Tensor() if head.shape is not None and after.shape is not None:
            if len(head.shape) != len(after.shape):
                return join(head, after)
            joined = join(head, after)
            assert isinstance(joined, Tensor)
            shape = tuple(x if x is not None else y for x, y in zip(head.shape, after.shape, strict=True))
            return replace(joined, shape=shape, elem=head.elem or after.elem)
        case Items(), Items() if len(head.items) == len(after.items):
            return Items(tuple(carried(x, y) for x, y in zip(head.items, after.items, strict=True)))
        case Tensor(shape=tuple()), Tensor(shape=None):
            return replace(head, value=None, steps=None)
        case Tensor(shape=tuple()), Unknown():
            return replace(head, value=None, steps=None)
        case _:
            return join(head, after)


def _kind(constant: Const) -> str:
    match constant.value:
        case bool():
            return "bool"
        case Dim():
            return "int"
        case float():
            return "float"
        case Undecided(kind=kind):
            return kind
        case _:
            return ""


def join_sizes(a: Sizes | None, b: Sizes | None) -> Sizes | None:
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def _join_tensors(a: Tensor, b: Tensor) -> Tensor:
    if a.shape is not None and b.shape is not None and (not a.shape or not b.shape):
        shape: Sizes | None = a.shape or b.shape
    else:
        shape = join_sizes(a.shape, b.shape)
    even = a.steps is not None and b.steps is not None and a.runs == b.runs
    return Tensor(
        shape,
        a.elem if a.elem == b.elem else "",
        a.pointer or b.pointer,
        a.bases if a.bases == b.bases else tuple(dict.fromkeys((*a.bases, *b.bases))),
        a.inputs | b.inputs,
        a.value if a.value == b.value else None,
        join_sizes(a.steps, b.steps) if even else None,
        a.runs if even else None,
    )
