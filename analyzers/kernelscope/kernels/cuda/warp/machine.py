"""The state of one kernel's symbolic run: variables, what is known of unknown numbers, conditions, accesses so far.

Reads and writes of variables and memory live here; what expressions and statements mean is in their own modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import structs

from kernelscope.dims import Dim, TooLarge, dim
from kernelscope.kernels.cuda.warp.definitions import Definitions
from kernelscope.kernels.cuda.warp.filled_arrays import filling
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.resolution import Resolver
from kernelscope.kernels.cuda.warp.types import (
    CHAR,
    INT,
    NO_TYPE,
    Array,
    Number,
    Opaque,
    PointerTo,
    Strided,
    StructType,
    Type,
    TypeParameter,
    Vector,
    described,
)
from kernelscope.kernels.cuda.warp.values import (
    Cell,
    Closure,
    Data,
    Group,
    InMemory,
    Int,
    Memory,
    Open,
    Place,
    Pointer,
    Record,
    Space,
    Symbol,
    Symbols,
    Value,
)
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t

MAX_STEPS = 70_000
"""Expressions that are evaluated for one kernel, inlined functions included. Most take some hundred; the longest that
is known takes as many as this, a second's work, and is told in part if it is cut."""
ALLOCATED = 256
"""What addresses of allocated memory are multiples of."""
MAX_NAME = 40
SIZE_OF, OFFSET_OF = "size of ", "offset of "
"""How names begin that stand for sizes and offsets in types that are defined elsewhere."""


class Exhausted(Exception):
    """The kernel is too large to be followed to its end."""


@dataclass(frozen=True, slots=True)
class Access:
    """One place of the code that reads or writes memory, as one thread sees it."""

    memory: Memory
    kind: str
    """load, store or atomic."""
    offset: Dim
    """In bytes from the start of the memory."""
    target: Type
    width: Dim | None
    """Bytes per lane."""
    conditions: tuple[Dim, ...]
    span: Span
    """In the kernel: for code of functions that it calls, the outermost call."""
    through: str
    """The function that holds the access, if it is not the kernel."""
    written: str
    """The name that the code uses at the access."""
    loops: int
    vector: Pointer | None = None
    """The vector of which it is a member."""
    aligned: int | None = None
    """The bytes that one instruction may move of it, where its type says that these are few."""


@dataclass(frozen=True, slots=True)
class Stride:
    """A loop whose rounds lie a multiple of the grid apart, as one thread sees it."""

    start: Dim
    span: Span
    """In the kernel: for a loop of a function that it calls, the outermost call."""
    through: str
    """The function that holds the loop, if it is not the kernel."""
    by: Dim | None = None
    """The blocks that it goes on by, where names say it that need not be the grid's size."""


@dataclass(slots=True)
class Machine:
    """One run. `constants` are numbers that a launch gives names: they decide conditions; formulas keep the names."""

    definitions: Definitions
    constants: Mapping[str, int]
    symbols: Symbols = field(default_factory=Symbols)
    resolver: Resolver = field(init=False)
    accesses: list[Access] = field(default_factory=list[Access])
    strides: list[Stride] = field(default_factory=list[Stride])
    conditions: list[Dim] = field(default_factory=list[Dim])
    variables: dict[Span, tuple[str, Value, Type]] = field(default_factory=dict[Span, "tuple[str, Value, Type]"])
    """Values that names of the kernel are first given, by the name's span."""
    calls: list[tuple[Span, str]] = field(default_factory=list["tuple[Span, str]"])
    """Calls that are being followed: where, in the kernel, and which function."""
    running: list[t.Function] = field(default_factory=list[t.Function])
    """Functions that are being followed, closures aside."""
    left: dict[Span, None] = field(default_factory=dict[Span, None])
    """Where the kernel itself returns in some threads of a block and not in others."""
    unfollowed: dict[str, None] = field(default_factory=dict[str, None])
    """Functions that got a pointer and whose code is not at hand."""
    unread: dict[str, None] = field(default_factory=dict[str, None])
    """Objects that the launch passes and that may reach memory in ways that are not followed: `x[…]`, `f(x)`."""
    warp_size: Dim = field(default_factory=lambda: dim(32))
    """A name in code for GPUs whose warps have one size or another."""
    loops: int = 0
    rounds: list[str] = field(default_factory=list[str])
    """Counters of the loops in whose rounds what is followed stands; empty for one that may be left early."""
    steps: int = 0
    limit: int = MAX_STEPS
    """The step after which what is being followed is given up."""
    long: set[t.Node] = field(default_factory=set[t.Node])
    """Loops of which a whole round is too long to be tried."""
    quiet: int = 0
    """Above 0 while something is tried whose accesses do not count."""
    logs: list[dict[Cell, Value]] = field(default_factory=list["dict[Cell, Value]"])
    shared: dict[Span, Memory] = field(default_factory=dict[Span, Memory])
    globals: dict[str, Place] = field(default_factory=dict[str, "Place"])
    wanted: dict[t.Function, tuple[Type | None, ...]] = field(
        default_factory=dict[t.Function, "tuple[Type | None, ...]"]
    )
    """Types of parameters of functions among which calls choose."""
    _known: dict[Dim, Dim] = field(default_factory=dict[Dim, Dim])

    def __post_init__(self) -> None:
        from kernelscope.kernels.cuda.warp.expressions import constant

        self.resolver = Resolver(self.definitions, lambda node, names: constant(self, node, names), self.known)

    def step(self) -> None:
        self.steps += 1
        if self.steps > self.limit:
            raise Exhausted

    # -- values of which little is known -----------------------------------------------------------------------

    def unknown(
        self, kind: Type, name: str, varying: str = "", symbol: Symbol | None = None, space: Space = "global"
    ) -> Value:
        """A value of a type of which only the name is known."""
        match kind:
            case Number(integer=True):
                return Int(self.symbols.new(short(name), symbol or Symbol(varying)))
            case Number():
                return Data(varying, kind)
            case PointerTo(target=target):
                offset = dim(0)
                if varying:  # where lanes read one address it begins as aligned as what a launch passes
                    offset = self.symbols.new(short(name), symbol or Symbol(varying)) * ALLOCATED
                return Pointer(Memory(short(name), space, target), offset, target)
            case StructType() | Vector():
                return Record(kind, {}, name, varying, space)
            case Array(element=element):
                return Pointer(Memory(short(name), "local", element), dim(0), element)
            case TypeParameter() | Opaque():
                return Open(short(name), varying, space)
            case Strided():
                from kernelscope.kernels.cuda.warp.accessors import passed_accessor

                return passed_accessor(self, kind, short(name))

    def integer(self, value: Value) -> Dim | None:
        """The number that a value is when an index needs one."""
        match value:
            case Int(d=d):
                return d
            case Open(number=Dim() as number):
                return number
            case Open(name=name, varying=varying):
                return self.symbols.shared(name, Symbol(varying, size=not varying))
            case Data(varying=varying):
                return self.symbols.new("value", Symbol(varying))
            case Pointer(offset=offset):
                return offset if offset.const == 0 else None
            case _:
                return None

    def varying(self, value: Value) -> str:
        """Why a value differs by lane, when what is made of it is not known; empty if it does not."""
        match value:
            case Int(d=d):
                return self.symbols.varying(d)
            case Pointer(offset=offset):
                return self.symbols.varying(offset)
            case Data() | Open():
                return value.varying
            case Record():
                return value.varying or next((v for c in value.members.values() if (v := self.varying(c.value))), "")
            case Closure() | Group():
                return ""

    def known(self, d: Dim) -> Dim:
        """With the numbers that the launch gives names."""
        if not self.constants or d.const is not None:
            return d
        found = self._known.get(d)
        if found is None:
            try:
                found = d.subs(self.constants)
            except ArithmeticError:
                found = d
            self._known[d] = found
        return found

    # -- variables ---------------------------------------------------------------------------------------------

    def assign(self, cell: Cell, value: Value) -> None:
        """Give a variable a value; the innermost branch being tried remembers what it was."""
        if self.logs:
            self.logs[-1].setdefault(cell, cell.value)
        cell.value = value

    def reverted(self) -> dict[Cell, Value]:
        """End a branch: the values that it gave variables, which have their old ones again."""
        log = self.logs.pop()
        given = {cell: cell.value for cell in log}
        for cell, old in log.items():
            cell.value = old
        return given

    def note(self, name: str, span: Span, value: Value, kind: Type) -> None:
        """Remember what a name of the kernel itself was given."""
        if not self.calls and not self.quiet:
            self.variables.setdefault(span, (name, value, kind))

    def member_place(self, record: Record, name: str) -> Place:
        """A member of a record, where it lies."""
        if record.home is None:
            return self.member(record, name)
        return self.member_in_memory(record.home, name)

    def member_in_memory(self, pointer: Pointer, name: str) -> InMemory:
        """A member of what a pointer points to; its type is open where nobody knows the member."""
        found = self.resolver.member(pointer.target, name)
        offset, kind = found if found is not None else (None, Opaque(name))
        if offset is None:
            offset = self.symbols.shared(f"{OFFSET_OF}{name}", Symbol(size=True))
        vector = pointer if isinstance(pointer.target, Vector) else None
        return InMemory(Pointer(pointer.memory, pointer.offset + offset, kind), vector)

    def member(self, record: Record, name: str) -> Cell:
        """A member of a record, made when nobody gave it a value."""
        cell = record.members.get(name)
        if cell is None:
            found = self.resolver.member(record.kind, name)
            kind = found[1] if found is not None else NO_TYPE
            text = f"{record.name}.{name}" if record.name else name
            symbol = Symbol(record.varying, size=not record.varying and bool(record.name))
            if isinstance(kind, Array):
                memory = Memory(text, "local", kind.element, given=record.given)
                value: Value = Pointer(memory, dim(0), kind.element)
            else:
                is_set_elsewhere = record.space == "local" and isinstance(kind, PointerTo)
                space = "unknown" if is_set_elsewhere else record.space
                value = self.unknown(kind, text, record.varying, symbol, space)
                if isinstance(value, Record):
                    value.given = record.given
            cell = record.members[name] = Cell(value, kind)
        return cell

    # -- memory ------------------------------------------------------------------------------------------------

    def pointer(self, value: Value, names: Names | None = None) -> Pointer | None:
        """A value as an address; a number that holds an unknown address among its terms is one too."""
        match value:
            case Pointer():
                return value
            case Open(name=name, varying=varying, space=space):
                place = self.globals.get(f"*{name}")
                if place is None:
                    memory = Memory(name, space, Opaque())
                    offset = self.symbols.new(name, Symbol(varying)) if varying else dim(0)
                    place = self.globals[f"*{name}"] = Cell(Pointer(memory, offset, Opaque()), NO_TYPE)
                assert isinstance(place, Cell) and isinstance(place.value, Pointer)
                return place.value
            case _:
                return None

    def size(self, kind: Type) -> Dim:
        """Bytes of a type; a name where they are not known, which accesses then say."""
        size = self.resolver.size(kind)
        return size if size is not None else self.symbols.shared(f"{SIZE_OF}{_label(kind)}", Symbol(size=True))

    def moved(self, pointer: Pointer, steps: Dim) -> Pointer:
        """A pointer moved by a number of elements."""
        if steps.const == 0:
            return pointer
        size = self.size(pointer.target)
        try:
            return Pointer(pointer.memory, pointer.offset + steps * size, pointer.target)
        except TooLarge:
            return Pointer(pointer.memory, self.too_large(pointer.offset, steps), pointer.target)

    def too_large(self, *parts: Dim) -> Dim:
        varying = next((why for part in parts if (why := self.symbols.varying(part))), "")
        return self.symbols.new("…", Symbol(varying and "an expression too large to follow"))

    def record(
        self,
        kind: str,
        pointer: Pointer,
        span: Span,
        written: str,
        width: Dim | None = None,
        vector: Pointer | None = None,
    ) -> None:
        """An access of the kernel's warps to memory that they share."""
        if self.quiet or pointer.memory.space == "local":
            return
        size = width if width is not None else self.size(pointer.target)
        where, through = self.calls[0] if self.calls else (span, "")
        conditions = tuple(self.conditions)
        offset, target = pointer.offset, pointer.target
        aligned = self.resolver.moved_apart(target) if width is None else None
        told = (where, through, written, self.loops, vector, aligned)
        self.accesses.append(Access(pointer.memory, kind, offset, target, size, conditions, *told))

    def strides_over_grid(self, start: Dim, span: Span, by: Dim | None = None) -> None:
        """A loop of the kernel goes on a multiple of the grid, or of so many blocks, further in every round."""
        if not self.quiet:
            self.strides.append(Stride(start, *(self.calls[0] if self.calls else (span, "")), by))

    def unseen(self, text: str) -> None:
        """An object that the launch passes may be read or written by code that is not followed."""
        if not self.quiet:
            self.unread.setdefault(text)

    def load(self, place: Place, span: Span, written: str = "") -> Value:
        """Read a place; arrays are their own address, as are accessors of some axes of a tensor."""
        if isinstance(place, Cell):
            return place.value
        pointer = place.pointer
        if isinstance(pointer.target, Array):
            return Pointer(pointer.memory, pointer.offset, pointer.target.element)
        if isinstance(pointer.target, Strided):
            return pointer
        varying = self.symbols.varying(pointer.offset)
        if pointer.memory.space == "local":
            cell = pointer.memory.cell
            if cell is not None and pointer.offset.const == 0 and cell.kind == pointer.target:
                return cell.value
            found = pointer.memory.stored.get(pointer.offset)
            if found is not None:
                return found
            filled = pointer.memory.filled
            if filled is not None and (found := filled.at(pointer.offset, pointer.target, self.rounds)) is not None:
                return found
            if pointer.memory.given and not varying:
                return self._given_element(pointer)
            reason = f"`{pointer.memory.name}` is a local array"
            if isinstance(pointer.target, TypeParameter | Opaque):
                return Data(reason, pointer.target)
            return self.unknown(pointer.target, self._element_name(pointer), reason)
        self.record("load", pointer, span, written, vector=place.vector)
        return self.loaded(pointer, pointer.target, written)

    def loaded(self, pointer: Pointer, kind: Type, written: str = "") -> Value:
        """What is read from memory that lanes share: the same value where they read the same place."""
        varying = self.symbols.varying(pointer.offset)
        text = f"{written or pointer.memory.name}[…]"
        reason = f"an index comes from memory (`{text}`)" if varying else ""
        symbol = Symbol(reason, address=pointer.offset) if varying else None
        # of a type that is not known it may be a row of the same array, or an address of another
        is_row = pointer.memory.space == "shared" and isinstance(kind, Opaque)
        value = self.unknown(kind, text, reason, symbol, "unknown" if is_row else "global")
        if isinstance(value, Open):
            return structs.replace(value, number=self.symbols.new(value.name, symbol or Symbol()))
        return value

    def _given_element(self, pointer: Pointer) -> Value:
        """An element of an array that the launch passes; the same name for the same place."""
        name = self._element_name(pointer)
        if isinstance(pointer.target, Number) and pointer.target.integer and pointer.offset.const is not None:
            return Int(self.symbols.shared(name, Symbol(size=True)))
        value = self.unknown(pointer.target, name, "", Symbol())
        if isinstance(value, Record):
            value.given = True
        return value

    def _element_name(self, pointer: Pointer) -> str:
        """`v[2]` for an element whose place is a number, else `v[…]`."""
        at, size = pointer.offset.const, self.resolver.size(pointer.target)
        if at is None or size is None or not size.const:
            return f"{pointer.memory.name}[…]"
        return f"{pointer.memory.name}[{at // size.const}]"

    def store(self, place: Place, value: Value, span: Span, written: str = "") -> None:
        """Write a place."""
        if isinstance(place, Cell):
            self.assign(place, self.converted(value, place.kind))
            return
        pointer = place.pointer
        if pointer.memory.space == "local":
            if pointer.memory.cell is not None:
                self.overwrite(pointer, value)
                return
            if self.logs or self.loops or pointer.offset.const is None:
                pointer.memory.forget()
                if self.loops and not self.logs:
                    known, rounds = self.symbols.known, self.rounds
                    pointer.memory.filled = filling(pointer.offset, value, pointer.target, known, rounds)
            else:
                if pointer.memory.filled is not None:
                    pointer.memory.forget()
                pointer.memory.stored[pointer.offset] = value
            return
        self.record("store", pointer, span, written, vector=place.vector)

    def overwrite(self, pointer: Pointer, value: Value | None = None) -> None:
        """A variable is written through its address; without a value, with something unknown."""
        cell = pointer.memory.cell
        if cell is None:
            pointer.memory.forget()
        elif value is not None and pointer.offset.const == 0 and cell.kind == pointer.target:
            self.assign(cell, self.converted(value, cell.kind))
        elif not isinstance(cell.value, Pointer):
            self.assign(cell, self.unknown(cell.kind, pointer.memory.name, "a value written through its address"))

    def converted(self, value: Value, kind: Type) -> Value:
        """A value as a variable of a type holds it."""
        match kind, value:
            case PointerTo(target=Opaque(name="auto")), Pointer():
                return value
            case PointerTo(target=target), Pointer():
                return value if target == value.target else Pointer(value.memory, value.offset, target)
            case PointerTo(target=target), Open():
                made = self.pointer(value)
                return Pointer(made.memory, made.offset, target) if made is not None else value
            case PointerTo(), Int(d=d) if d.const == 0:
                return value
            case PointerTo(), Data():
                return self.unknown(kind, "address", self.varying(value), space="unknown")
            case PointerTo(), Int(d=d):
                why = self.varying(value)  # lanes in which the number is the same have one address
                return self.unknown(kind, _named(d) or "address", why, Symbol(why, address=d))
            case PointerTo(target=target), Record(kind=StructType()):
                from kernelscope.kernels.cuda.warp.calls import as_address

                made = as_address(self, value)
                return Pointer(made.memory, made.offset, target) if made is not None else value
            case Number(integer=True), Data(varying=varying):
                return self.unknown(kind, "value", varying)
            case Number(integer=True), Pointer():
                return Pointer(value.memory, value.offset, CHAR)
            case Number(integer=True), Record() if isinstance(value.kind, Vector):
                return self.unknown(INT, value.name or "value", self.varying(value))
            case Number(integer=True), Open():
                number = self.integer(value)
                return Int(number) if number is not None else value
            case Number(integer=False), Int() | Open():
                return Data(self.varying(value), kind)
            case ((StructType() | Vector()), Data() | Open()):
                return Record(kind, {}, "", self.varying(value), value.space if isinstance(value, Open) else "global")
            case _:
                return value


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"


def _named(d: Dim) -> str:
    """The name of what an address came from, where that is one thing: `rows[…]` of an array that holds addresses."""
    names = d.names()
    return names[0].rstrip("′") if len(names) == 1 and d == dim(names[0]) else ""


def _label(kind: Type) -> str:
    return described(kind) or "?"
