"""Expressions of device code to values; what they read and write in shared and global memory is recorded.

Never fails: what is not understood is unknown, differs by lane if anything in it does, and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernelscope.dims import Dim, TooLarge, dim
from kernelscope.kernels.cuda.intrinsics import LIBRARY_CONSTANTS
from kernelscope.kernels.cuda.warp.machine import Exhausted, Machine
from kernelscope.kernels.cuda.warp.merging import select
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.operators import as_truth, binary, cast, safely
from kernelscope.kernels.cuda.warp.roots import written_name
from kernelscope.kernels.cuda.warp.types import (
    INT,
    NO_TYPE,
    UINT3,
    Array,
    Opaque,
    PointerTo,
    Strided,
    StructType,
    Type,
    Vector,
    described,
    is_integer,
)
from kernelscope.kernels.cuda.warp.values import (
    Cell,
    Closure,
    Data,
    InMemory,
    Int,
    Memory,
    Open,
    Place,
    Pointer,
    Record,
    Space,
    Symbol,
    Value,
)
from kernelscope.syntax.cuda import tree as t

_NOT_UNDERSTOOD = "code that is not understood"
BUILTIN_INDICES = ("threadIdx", "blockIdx", "blockDim", "gridDim")


def evaluate(m: Machine, node: t.Expr, names: Names) -> Value:
    """The value of an expression; one that grows beyond all bounds is unknown."""
    m.steps += 1  # as `step` does: this is what most of the time goes into
    if m.steps > m.limit:
        raise Exhausted
    if isinstance(node, t.Name) and not node.scope:
        place = names.variable(node.id)
        if isinstance(place, Cell):  # most of all expressions
            return place.value
    try:
        return _EVALUATED[node.__class__](m, node, names)
    except TooLarge:
        return Data("an expression too large to follow")


def constant(m: Machine, node: t.Expr, names: Names) -> Dim | None:
    """The number of an expression that has to be a constant, such as an array's size; records nothing."""
    m.quiet += 1
    try:
        value = evaluate(m, node, names)
    finally:
        m.quiet -= 1
    return value.d if isinstance(value, Int) else m.integer(value) if isinstance(value, Open) else None


def truth(m: Machine, node: t.Expr, names: Names) -> Dim:
    """A condition as 0 or 1; of one that is no number only whether it differs by lane is kept."""
    if isinstance(node, t.Binary) and node.op in ("&&", "||"):
        left, right = truth(m, node.left, names), truth(m, node.right, names)
        return safely(m, lambda: left * right if node.op == "&&" else left + right - left * right, left, right)
    if isinstance(node, t.Unary) and node.op == "!":
        return 1 - truth(m, node.operand, names)
    return as_truth(m, evaluate(m, node, names))


def _number(m: Machine, node: t.Number, names: Names) -> Value:
    return Int(dim(node.value)) if isinstance(node.value, int) else Data()


def _cast(m: Machine, node: t.Cast, names: Names) -> Value:
    kind = m.resolver.type(node.type, names)
    if isinstance(kind, PointerTo) and isinstance(node.operand, t.Member):
        place = place_of(m, node.operand, names)
        if isinstance(place, InMemory) and _may_be_array(place.pointer):
            return Pointer(place.pointer.memory, place.pointer.offset, kind.target)
        value = m.load(place, node.span, written_name(node.operand)) if place is not None else Data(_NOT_UNDERSTOOD)
        return cast(m, value, kind)
    return cast(m, evaluate(m, node.operand, names), kind)


def _may_be_array(pointer: Pointer) -> bool:
    """Whether what is taken as an address is a member of a local object of a class that is not at hand: such a member
    is an array of the object's own, as an address in it would come from code that is not seen."""
    memory = pointer.memory
    return memory.space == "local" and memory.cell is None and isinstance(pointer.target, Opaque)


def _call(m: Machine, node: t.Call, names: Names) -> Value:
    from kernelscope.kernels.cuda.warp.calls import call

    return call(m, node, names)


def _text(m: Machine, node: t.Text, names: Names) -> Value:
    return Data()


def _not_understood(m: Machine, node: t.Launch | t.Broken, names: Names) -> Value:
    return Data(_NOT_UNDERSTOOD)


# -- names ---------------------------------------------------------------------------------------------------------


def _name(m: Machine, node: t.Name, names: Names) -> Value:
    place = find(m, node, names)
    return m.load(place, node.span, node.id) if place is not None else _unknown_name(m, node, names)


def _unknown_name(m: Machine, node: t.Name, names: Names) -> Value:
    if node.id == "warpSize":
        return Int(m.warp_size)
    if (told := m.resolver.trait(node, names)) is not None:
        return Int(dim(int(told)))
    if node.scope:
        owner = m.resolver.scope_type(node.scope, names)
        if owner is not None and (number := m.resolver.constant(owner, node.id)) is not None:
            return Int(number)
        known = LIBRARY_CONSTANTS.get(f"{node.scope}::{node.id}")
        return Int(dim(known)) if known is not None else Open(f"{node.scope}::{node.id}")
    for around in names.arounds():
        if (number := m.resolver.constant(around, node.id)) is not None:
            return Int(number)
    return Open(node.id)


def find(m: Machine, node: t.Name, names: Names) -> Place | None:
    """The variable that a name means: local, member of `this`, or of the whole file."""
    if not node.scope:
        found = names.variable(node.id)
        if found is not None:
            return found
        this = names.object()
        if node.id == "this" and this is not None:
            return Cell(this, this.kind)
        if this is not None and (node.id in this.members or m.resolver.member(this.kind, node.id) is not None):
            return m.member_place(this, node.id)
        if any(m.resolver.constant(around, node.id) is not None for around in names.arounds()):
            return None
    if node.id in BUILTIN_INDICES:
        return _index_builtin(m, node.id)
    space = names.namespace()
    key = f"{space} {node.scope}::{node.id}" if space or node.scope else node.id
    if key not in m.globals:
        m.globals[key] = Cell(Open(node.id), NO_TYPE)  # while it is worked out: what needs itself has no value
        known = _of_file(m, node, space)
        if known is None:
            del m.globals[key]
            return None
        m.globals[key] = known
    return m.globals[key]


_SPACES: dict[str, Space] = {"__shared__": "shared", "__device__": "global", "__constant__": "constant", "": "constant"}


def _index_builtin(m: Machine, name: str) -> Place:
    members = {axis: Cell(Int(dim(f"{name}.{axis}")), INT) for axis in "xyz"}
    return m.globals.setdefault(name, Cell(Record(UINT3, members, name), UINT3))


def _of_file(m: Machine, node: t.Name, space: str) -> Place | None:
    """A constant, a `__device__` array or a macro of the file or of one that it includes."""
    name = node.id
    declared = m.definitions.variable(name, node.scope, space)
    if declared is not None:
        kind = m.resolver.type(declared.type, Names(space=declared.space))
        word = next((s for s in ("__constant__", "__shared__", "__device__") if s in declared.qualifiers), "")
        is_array = isinstance(kind, Array)
        # what never changes is no memory that anybody reads, of the device or not
        fixed = not declared.qualifiers.isdisjoint(("constexpr", "const")) or (not word and is_integer(kind))
        if declared.value is not None and fixed and not is_array:
            number = constant(m, declared.value, Names(space=declared.space))
            if number is not None:
                return Cell(Int(number), kind)
        if word or is_array:
            memory = Memory(name, _SPACES[word], kind)
            return InMemory(Pointer(memory, dim(0), kind))
        return Cell(m.unknown(kind, name, "", Symbol(size=True)), kind)
    for macro in m.definitions.macro(name):
        number = constant(m, macro, Names())
        if number is not None and number.const is not None:
            return Cell(Int(number), INT)
    return None


# -- places --------------------------------------------------------------------------------------------------------


def place_of(m: Machine, node: t.Expr, names: Names) -> Place | None:
    """What an expression names, to be read or written; None for what is only a value."""
    match node:
        case t.Name():
            found = find(m, node, names)
            if found is None and not node.scope:
                found = m.globals[node.id] = Cell(_unknown_name(m, node, names), NO_TYPE)
            return found
        case t.Unary(op="*", operand=operand):
            value = evaluate(m, operand, names)
            if isinstance(value, Record):
                return Cell(value, value.kind)  # `*this`
            pointer = m.pointer(value)
            return InMemory(pointer) if pointer is not None else None
        case t.Subscript():
            return _element(m, node, names)
        case t.Member():
            return _member(m, node, names)
        case t.Cast(type=kind, operand=operand) if kind.layers and kind.layers[0] == "&":
            place = place_of(m, operand, names)
            target = m.resolver.type(kind, names)
            if isinstance(place, InMemory):
                return InMemory(Pointer(place.pointer.memory, place.pointer.offset, target))
            return Cell(m.unknown(target, "value", m.varying(place.value)), target) if place is not None else None
        case t.Conditional(test=test, body=body, orelse=orelse):
            return _either_place(m, test, body, orelse, names)
        case t.Binary(op=",", left=left, right=right):
            evaluate(m, left, names)
            return place_of(m, right, names)
        case t.Assign() | t.Step():
            evaluate(m, node, names)
            return place_of(m, node.target if isinstance(node, t.Assign) else node.operand, names)
        case _:
            return None


def _either_place(m: Machine, test: t.Expr, body: t.Expr, orelse: t.Expr, names: Names) -> Place | None:
    condition = truth(m, test, names)
    one, other = place_of(m, body, names), place_of(m, orelse, names)
    if isinstance(one, InMemory) and isinstance(other, InMemory):
        chosen = select(m, condition, one.pointer, other.pointer)
        return InMemory(chosen) if isinstance(chosen, Pointer) else None
    return None


def _element(m: Machine, node: t.Subscript, names: Names) -> Place | None:
    base = evaluate_base(m, node.value, names)
    index = [evaluate(m, i, names) for i in node.indices][-1]
    if isinstance(base, Record):
        from kernelscope.kernels.cuda.warp.calls import method

        result = method(m, base, "operator[]", [index], (), node.span)
        if result is None or (isinstance(result, Cell) and not isinstance(result.value, Int | Data)):
            _unseen(m, node, names)
        return result or Cell(Data(m.varying(base) or m.varying(index)), NO_TYPE)
    pointer = m.pointer(base) if not isinstance(base, Open) or not base.given else None
    number = m.integer(index)
    if pointer is None or number is None:
        _unseen(m, node, names)
        varying = m.varying(base) or m.varying(index)
        if isinstance(base, Data):
            return Cell(Data(varying), NO_TYPE)
        space, given = (base.space, base.given) if isinstance(base, Open) else ("global", False)
        if pointer is not None:
            space = pointer.memory.space
        name = f"{written_name(node)}[…]" if given else written_name(node)
        return Cell(Open(name, varying, space, given, _open_element(m, name, number, varying)), NO_TYPE)
    if isinstance(pointer.target, Strided):
        from kernelscope.kernels.cuda.warp.accessors import element

        return element(m, pointer, pointer.target, number)
    return InMemory(m.moved(pointer, number))


def _open_element(m: Machine, name: str, index: Dim | None, varying: str) -> Dim:
    """The number that an element of something unknown is: the same for the same place, if that is plain."""
    name = name.removesuffix("[…]")
    if index is not None and index.const is not None and not varying:
        return m.symbols.shared(f"{name}[{index}]", Symbol(size=True))
    return m.symbols.new(f"{name}[…]", Symbol(varying))


def _unseen(m: Machine, node: t.Subscript, names: Names) -> None:
    """Elements of an object that the launch passes: its class is not at hand, or gives objects that stand for them."""
    root = written_name(node).partition(".")[0]
    place = names.variable(root)
    value = place.value if isinstance(place, Cell) else None
    if isinstance(value, Record | Open) and value.given:
        m.unseen(f"{value.name}[…]")


def evaluate_base(m: Machine, node: t.Expr, names: Names) -> Value:
    """What is subscripted or has its member taken: arrays are addresses, and nothing of them is read."""
    if isinstance(node, t.Name | t.Subscript | t.Member | t.Unary):
        place = place_of(m, node, names) if not (isinstance(node, t.Unary) and node.op != "*") else None
        if isinstance(place, InMemory) and isinstance(place.pointer.target, Array):
            return Pointer(place.pointer.memory, place.pointer.offset, place.pointer.target.element)
        if place is not None:
            return m.load(place, node.span, written_name(node))
    return evaluate(m, node, names)


def _member(m: Machine, node: t.Member, names: Names) -> Place | None:
    if node.arrow:
        value = evaluate(m, node.value, names)
        if isinstance(value, Record):
            return m.member_place(value, node.name)
        pointer = m.pointer(value)
        return _member_in_memory(m, InMemory(pointer), node) if pointer is not None else None
    place = place_of(m, node.value, names)
    if isinstance(place, InMemory):
        return _member_in_memory(m, place, node)
    value = place.value if place is not None else evaluate(m, node.value, names)
    if isinstance(value, Open):
        return Cell(Open(f"{value.name}.{node.name}", value.varying, value.space), NO_TYPE)
    if isinstance(value, Data) and place is not None and isinstance(place.kind, Vector | StructType):
        value = Record(place.kind, {}, written_name(node.value), value.varying)
        place.value = value
    if isinstance(value, Record):
        return m.member_place(value, node.name)
    return Cell(Data(m.varying(value)), NO_TYPE)


def _member_in_memory(m: Machine, place: InMemory, node: t.Member) -> Place:
    pointer = place.pointer
    cell = pointer.memory.cell
    if cell is not None and pointer.offset.const == 0 and isinstance(cell.value, Record):
        return m.member(cell.value, node.name)
    return m.member_in_memory(pointer, node.name)


def _read(m: Machine, node: t.Member | t.Subscript, names: Names) -> Value:
    place = place_of(m, node, names)
    return m.load(place, node.span, written_name(node)) if place is not None else Data(_NOT_UNDERSTOOD)


# -- operators -----------------------------------------------------------------------------------------------------


def _binary(m: Machine, node: t.Binary, names: Names) -> Value:
    if node.op in ("&&", "||"):
        return Int(truth(m, node, names))
    spine: list[t.Binary] = []
    left_node: t.Expr = node
    while isinstance(left_node, t.Binary) and left_node.op not in ("&&", "||"):
        spine.append(left_node)
        left_node = left_node.left
    value = evaluate(m, left_node, names)
    for part in reversed(spine):
        value = binary(m, part.op, value, evaluate(m, part.right, names))
    return value


def _unary(m: Machine, node: t.Unary, names: Names) -> Value:
    if node.op == "*":
        place = place_of(m, node, names)
        return m.load(place, node.span, written_name(node)) if place is not None else Data("an unknown address")
    if node.op == "&":
        return _address(m, node.operand, names)
    if node.op == "!":
        return Int(1 - truth(m, node.operand, names))
    value = evaluate(m, node.operand, names)
    number = m.integer(value) if isinstance(value, Int | Open) else None
    if number is None or node.op == "+":
        return value if node.op == "+" else Data(m.varying(value))
    return Int(-number if node.op == "-" else -number - 1)


def _address(m: Machine, operand: t.Expr, names: Names) -> Value:
    place = place_of(m, operand, names)
    if isinstance(place, InMemory):
        target = place.pointer.target
        return Pointer(place.pointer.memory, place.pointer.offset, target)
    if place is None:
        return Data("an unknown address")
    return Pointer(Memory(written_name(operand), "local", place.kind, cell=place), dim(0), place.kind)


def _conditional(m: Machine, node: t.Conditional, names: Names) -> Value:
    condition = truth(m, node.test, names)
    decided = m.known(condition).const
    if decided is not None:
        return evaluate(m, node.body if decided else node.orelse, names)
    m.conditions.append(condition)
    then = evaluate(m, node.body, names)
    m.conditions[-1] = 1 - condition
    orelse = evaluate(m, node.orelse, names)
    m.conditions.pop()
    return select(m, condition, then, orelse)


def _assign(m: Machine, node: t.Assign, names: Names) -> Value:
    value = evaluate(m, node.value, names)
    place = place_of(m, node.target, names)
    if place is None:
        return value
    written = written_name(node.target)
    if node.op != "=":
        value = binary(m, node.op[:-1], m.load(place, node.target.span, written), value)
    m.store(place, value, node.target.span, written)
    if isinstance(node.target, t.Name) and isinstance(place, Cell):
        m.note(node.target.id, node.target.span, place.value, place.kind)
    return value


def _step(m: Machine, node: t.Step, names: Names) -> Value:
    place = place_of(m, node.operand, names)
    if place is None:
        return Data()
    written = written_name(node.operand)
    old = m.load(place, node.span, written)
    new = binary(m, node.op[0], old, Int(dim(1)))
    m.store(place, new, node.span, written)
    return new if node.prefix else old


def _size_of(m: Machine, node: t.SizeOf, names: Names) -> Value:
    """A bare name between the brackets may be a variable or a type."""
    operand = node.operand
    if isinstance(operand, t.Name) and (operand.scope or find(m, operand, names) is None):
        operand = t.TypeName(operand.id, operand.span, operand.scope, operand.arguments)
    if isinstance(operand, t.TypeName):
        place = names.variable(operand.base) if operand.is_plain else None
        kind = kind_of(place) if place is not None else m.resolver.type(operand, names)
    else:
        m.quiet += 1
        place = place_of(m, operand, names)
        m.quiet -= 1
        kind = kind_of(place) if place is not None else NO_TYPE
    size = m.resolver.size(kind)
    return Int(size) if size is not None else Open(f"sizeof({described(kind) or '…'})")


def kind_of(place: Place) -> Type:
    """The type of what a place holds."""
    return place.kind if isinstance(place, Cell) else place.pointer.target


def _braced(m: Machine, node: t.Braced, names: Names) -> Value:
    from kernelscope.kernels.cuda.warp.calls import construct, handed

    kind = m.resolver.type(node.type, names) if node.type is not None else None
    given = handed if isinstance(kind, Opaque) else evaluate
    items = [given(m, item, names) for item in node.items]
    if kind is None:
        return items[0] if len(items) == 1 else Data(next((v for i in items if (v := m.varying(i))), ""))
    return construct(m, kind, items, node.span)


def _lambda(m: Machine, node: t.Lambda, names: Names) -> Value:
    return Closure(node, names)


_EVALUATED: dict[type, Callable[[Machine, Any, Names], Value]] = {
    t.Number: _number, t.Name: _name, t.Binary: _binary, t.Member: _read, t.Subscript: _read, t.Unary: _unary,
    t.Cast: _cast, t.Assign: _assign, t.Step: _step, t.Conditional: _conditional, t.Call: _call, t.SizeOf: _size_of,
    t.Lambda: _lambda, t.Braced: _braced, t.Text: _text, t.Launch: _not_understood, t.Broken: _not_understood,
}  # fmt: skip
"""By the node's class."""
