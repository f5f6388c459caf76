"""What variables of device code hold: integers as Dims, pointers as memory and byte offset, records, closures.

`Symbols` names what is not known, and says of each name whether it differs by lane and what it may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.warp.types import NO_TYPE, Opaque, StructType, Type, Vector
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t

if TYPE_CHECKING:
    from kernelscope.kernels.cuda.warp.filled_arrays import Filled

Space = Literal["global", "shared", "local", "constant", "unknown"]


class Memory(Struct, eq=False):
    """An array: a kernel's pointer argument, a `__shared__` array, a local one."""

    name: str
    space: Space
    element: Type
    dims: tuple[Dim | None, ...] = ()
    stored: dict[Dim, Value] = {}
    """What a local array was last given at its offsets."""
    cell: Cell | None = None
    """The variable whose address this is."""
    given: bool = False
    """Whether it is part of what the launch passes, and nobody has written it."""
    filled: Filled | None = None
    """What a loop has given its elements."""

    def forget(self) -> None:
        """Something unknown is written to it."""
        self.stored.clear()
        self.filled = None
        self.given = False


class Int(Struct, frozen=True, gc=False):
    d: Dim


class Data(Struct, frozen=True, gc=False):
    """A number that is no index: only whether it is the same in all lanes is known, and why it is not."""

    varying: str = ""
    kind: Type = NO_TYPE
    unset: bool = False
    """Whether nobody gave the variable a value yet: no program may read it so."""


class Open(Struct, frozen=True, gc=False):
    """Something of a type that is not known, such as a member of a struct defined elsewhere."""

    name: str
    varying: str = ""
    space: Space = "global"
    """Where it points, should it be an address."""
    given: bool = False
    """Whether it is an object that the launch passes."""
    number: Dim | None = None
    """The number that it is when an index needs one, where others have the same name: elements of one array."""


class Pointer(Struct, frozen=True):
    """`offset` is in bytes from the start of `memory`."""

    memory: Memory
    offset: Dim
    target: Type


class Record(Struct, eq=False):
    """A struct's or vector's value; members that nobody gave a value yet are made when asked for."""

    kind: StructType | Vector | Opaque
    members: dict[str, Cell]
    name: str = ""
    varying: str = ""
    space: Space = "global"
    """Where addresses point that it holds and nobody gave it."""
    given: bool = False
    """Whether the launch passes it: what it holds is the same for all lanes."""
    home: Pointer | None = None
    """Where it lies, of an object in memory whose method runs: its members are read and written there."""


class Closure(Struct, eq=False):
    """A lambda with the names that it sees."""

    node: t.Lambda
    names: object


class Group(Struct, frozen=True):
    """A cooperative group: its kind and, for tiles, its size."""

    kind: Literal["block", "grid", "tile", "cluster"]
    size: Dim | None = None


Value = Int | Data | Open | Pointer | Record | Closure | Group


class Cell(Struct, eq=False):
    """A variable in registers."""

    value: Value
    kind: Type
    span: Span | None = None


class InMemory(Struct, frozen=True):
    """A place in memory: what `p[i]` and `*p` are before they are read or written."""

    pointer: Pointer
    vector: Pointer | None = None
    """The vector of which it is a member."""


Place = Cell | InMemory


class Symbol(Struct, eq=False):
    """A name that stands for an unknown integer."""

    varying: str = ""
    """Why it differs by lane; empty if it does not."""
    low: int | None = None
    high: Dim | None = None
    """What it stays below."""
    values: Sequence[int] = ()
    rounds: str = ""
    """The counter of the loop whose rounds give it these values, one after the other."""
    counter: bool = False
    """Whether it counts the rounds of a loop."""
    size: bool = False
    """Whether it is a size or stride: a parameter or constant."""
    template: bool = False
    """Whether it is a template parameter: a number that the source fixes."""
    address: Dim | None = None
    """Where it was loaded from."""


UNNAMED = frozenset(("value", "choice", "result", "shuffled", "vote", "old"))
"""What numbers are called that the code gives no name."""


class Symbols:
    """Names of unknown integers, each used once."""

    def __init__(self) -> None:
        self.known: dict[str, Symbol] = {}
        self._free: dict[str, str] = {}
        """The name to try next for one that was used before."""
        self._varying: dict[Dim, str] = {}

    def new(self, name: str, symbol: Symbol) -> Dim:
        """A name like `name` that was not used before."""
        free = self._free.get(name, name)
        while free in self.known:
            free += "′"
        self.known[free] = symbol
        self._free[name] = free
        return dim(free)

    def shared(self, name: str, symbol: Symbol) -> Dim:
        """The same name for the same thing, whoever asks."""
        self.known.setdefault(name, symbol)
        return dim(name)

    def varying(self, d: Dim) -> str:
        """Why a Dim differs by lane; empty if it does not."""
        if d.const is not None:
            return ""
        found = self._varying.get(d)
        if found is None:
            found = self._varying[d] = self._why(d)
        return found

    def _why(self, d: Dim) -> str:
        for name in d.names():
            if name.startswith("threadIdx."):
                return f"`{name}` goes into it in a way that is not followed"
            found = self.known.get(name)
            if found is not None and found.varying:
                return found.varying
        return ""

    @property
    def varying_names(self) -> Mapping[str, str]:
        return {name: symbol.varying for name, symbol in self.known.items() if symbol.varying}
