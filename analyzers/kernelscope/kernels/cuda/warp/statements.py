"""Statements of device code: declarations, branches, returns and inline PTX.

Both branches of a condition are followed from the same state and joined; what follows an early return runs for the
lanes that did not take it.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda.warp.departures import Departures
from kernelscope.kernels.cuda.warp.expressions import evaluate, kind_of, place_of, truth
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.merging import select
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.operators import as_truth, binary
from kernelscope.kernels.cuda.warp.ptx import elected_operand, movements
from kernelscope.kernels.cuda.warp.roots import written_name
from kernelscope.kernels.cuda.warp.types import CHAR, NO_TYPE, Array, Number, Opaque, StructType, Type, Vector
from kernelscope.kernels.cuda.warp.values import (
    UNNAMED,
    Cell,
    Data,
    InMemory,
    Int,
    Memory,
    Place,
    Pointer,
    Record,
    Symbol,
    Value,
)
from kernelscope.syntax.cuda import tree as t


class End(Enum):
    """How a run of statements ends."""

    THROUGH = "through"
    LEFT = "left"
    """By return, break, continue or goto, in every case."""


class Returned(Struct, eq=False):
    """Values that a function's returns gave, each with the conditions under which it did."""

    reference: bool
    before: int
    values: list[tuple[tuple[Dim, ...], Place]] = []
    departures: list[Departures] = []
    """Of the function and of the loops around a statement, the innermost last."""

    def departs(self, kind: str) -> None:
        """A path leaves the round or the function."""
        for place in reversed(self.departures):
            if kind in place.kinds:
                place.add(kind)
                return


def run(m: Machine, body: list[t.Stmt], names: Names, returned: Returned) -> End:
    """Run statements in order; those after one that always leaves are not reached."""
    for node in body:
        if statement(m, node, names, returned) is End.LEFT:
            return End.LEFT
    return End.THROUGH


def statement(m: Machine, node: t.Stmt, names: Names, returned: Returned) -> End:
    m.step()
    match node:
        case t.Declare():
            declare(m, node, names)
        case t.Express():
            evaluate(m, node.value, names)
        case t.If():
            return _if(m, node, names, returned)
        case t.For() | t.While():
            from kernelscope.kernels.cuda.warp.loops import loop

            return loop(m, node, names, returned)
        case t.ForEach():
            from kernelscope.kernels.cuda.warp.range_loops import each

            each(m, node, names, returned)
        case t.Block():
            return run(m, node.body, Names(names), returned)
        case t.Return():
            _return(m, node, names, returned)
            returned.departs("return")
            if not m.calls and not m.quiet and any(m.symbols.varying(condition) for condition in m.conditions):
                m.left.setdefault(node.span)
            return End.LEFT
        case t.Jump():
            returned.departs(node.kind)
            return End.LEFT
        case t.Switch():
            return _switch(m, node, names, returned)
        case t.Using():
            kind = m.resolver.type(node.type, names)
            if not isinstance(kind, Opaque) or kind.name != node.name:
                names.types[node.name] = kind
        case t.Bindings():
            _bindings(m, node, names)
        case t.Asm():
            _asm(m, node, names)
        case t.Struct():
            node.space = names.namespace()
            names.types[node.name] = m.resolver.local(node, names)
        case t.Function() | t.Broken():
            pass
    return End.THROUGH


# -- declarations ------------------------------------------------------------------------------------------------


def declare(m: Machine, node: t.Declare, names: Names) -> None:
    """A variable, a shared array, or a reference to a place."""
    kind = m.resolver.type(node.type, names)
    if "__shared__" in node.qualifiers:
        names.variables[node.name] = InMemory(Pointer(_shared(m, node, kind), dim(0), kind))
        return
    if node.type.layers and node.type.layers[0] == "&" and node.value is not None:
        place = place_of(m, node.value, names)
        if place is not None:
            if isinstance(place, InMemory) and not (isinstance(kind, Opaque) and kind.name == "auto"):
                place = InMemory(Pointer(place.pointer.memory, place.pointer.offset, kind))
            names.variables[node.name] = place
            return
    if isinstance(kind, Array):
        memory = Memory(node.name, "local", kind.element)
        if isinstance(node.value, t.Braced):
            size = m.resolver.size(kind.element)
            for i, item in enumerate(node.value.items):
                value = m.converted(evaluate(m, item, names), kind.element)
                if size is not None and isinstance(kind.element, Number):
                    memory.stored[size * i] = value
        elif node.value is not None:
            evaluate(m, node.value, names)
        names.variables[node.name] = Cell(Pointer(memory, dim(0), kind.element), kind)
        return
    value = _initial(m, node, kind, names)
    if isinstance(kind, Opaque) and kind.name in ("auto", ""):
        kind = _kind_of(value)
    names.variables[node.name] = Cell(value, kind)
    m.note(node.name, node.name_span, value, kind)


def _initial(m: Machine, node: t.Declare, kind: Type, names: Names) -> Value:
    if node.value is None:
        if isinstance(kind, StructType | Vector):
            return Record(kind, {}, node.name, "", "local")
        if isinstance(kind, Number):
            return Data("", kind, unset=True)
        return Data("a variable without a value", unset=True)
    if isinstance(node.value, t.Braced) and node.value.type is None:
        from kernelscope.kernels.cuda.warp.calls import construct, unfollowed

        items = [evaluate(m, item, names) for item in node.value.items]
        if isinstance(kind, StructType | Vector):
            return _named(construct(m, kind, items, node.span), node.name)
        if isinstance(kind, Opaque) and kind.name not in ("auto", "") and len(items) > 1:
            return unfollowed(m, kind.name, items)
        return m.converted(items[0], kind) if len(items) == 1 else Data()
    value = m.converted(evaluate(m, node.value, names), kind)
    if isinstance(value, Record) and isinstance(node.value, t.Name | t.Member):
        from kernelscope.kernels.cuda.warp.calls import copied

        return copied(value)
    return _named(_renamed(m, value, node.name), node.name)


def _named(value: Value, name: str) -> Value:
    if isinstance(value, Record) and not value.name:
        value.name = name
    return value


def _renamed(m: Machine, value: Value, name: str) -> Value:
    """A number that nobody has named yet is called as the variable that holds it."""
    if isinstance(value, Int) and value.d.name is not None:
        known = m.symbols.known.get(value.d.name)
        if known is not None and value.d.name.rstrip("′") in UNNAMED:
            return Int(m.symbols.new(name, known))
    return value


def _kind_of(value: Value) -> Type:
    from kernelscope.kernels.cuda.warp.types import INT, PointerTo

    match value:
        case Int():
            return INT
        case Pointer(target=target):
            return PointerTo(target)
        case Record(kind=kind) | Data(kind=kind):
            return kind
        case _:
            return NO_TYPE


def _shared(m: Machine, node: t.Declare, kind: Type) -> Memory:
    """One array for one declaration, however often its function is followed."""
    found = m.shared.get(node.name_span)
    if found is None:
        found = m.shared[node.name_span] = Memory(node.name, "shared", kind)
    return found


def _bindings(m: Machine, node: t.Bindings, names: Names) -> None:
    value = evaluate(m, node.value, names)
    members = list(m.resolver.fields(value.kind)) if isinstance(value, Record) and isinstance(
        value.kind, StructType
    ) else []  # fmt: skip
    for i, name in enumerate(node.names):
        if isinstance(value, Record) and i < len(members):
            names.variables[name.id] = m.member(value, members[i])
        else:
            names.variables[name.id] = Cell(Data(m.varying(value)), NO_TYPE)


# -- branches ----------------------------------------------------------------------------------------------------


def _if(m: Machine, node: t.If, names: Names, returned: Returned) -> End:
    inner = Names(names)
    run(m, node.setup, inner, returned)
    condition = truth(m, node.test, inner)
    decided = m.known(condition).const
    if decided is not None:
        return run(m, node.body if decided else node.orelse, Names(inner), returned)
    return _branch(m, condition, node.body, node.orelse, inner, returned)


def _branch(
    m: Machine, condition: Dim, body: list[t.Stmt], orelse: list[t.Stmt], names: Names, returned: Returned
) -> End:
    before = len(m.conditions)
    then_end, then = _tried(m, condition, body, names, returned)
    else_end, otherwise = _tried(m, 1 - condition, orelse, names, returned)
    if then_end is End.LEFT and else_end is End.LEFT:
        return End.LEFT
    if then_end is End.LEFT or else_end is End.LEFT:
        stays = otherwise if then_end is End.LEFT else then
        for cell, value in stays.items():
            m.assign(cell, value)
        del m.conditions[before:]
        m.conditions.append(1 - condition if then_end is End.LEFT else condition)
        return End.THROUGH
    for cell in dict.fromkeys((*then, *otherwise)):
        old = cell.value
        m.assign(cell, select(m, condition, then.get(cell, old), otherwise.get(cell, old)))
    return End.THROUGH


def _tried(
    m: Machine, condition: Dim, body: list[t.Stmt], names: Names, returned: Returned
) -> tuple[End, dict[Cell, Value]]:
    """Run one branch and take back what it did to variables."""
    before = len(m.conditions)
    m.conditions.append(condition)
    m.logs.append({})
    end = run(m, body, Names(names), returned)
    del m.conditions[before:]
    return end, m.reverted()


def _switch(m: Machine, node: t.Switch, names: Names, returned: Returned) -> End:
    """Cases as alternatives; one that falls through runs on into the next."""
    subject = evaluate(m, node.subject, names)
    chain: list[tuple[Dim | None, list[t.Stmt]]] = []
    for i, case in enumerate(node.cases):
        body: list[t.Stmt] = []
        for later in node.cases[i:]:
            body += [part for part in later.body if not (isinstance(part, t.Jump) and part.kind == "break")]
            if later.body and isinstance(later.body[-1], t.Jump | t.Return):
                break
        test = as_truth(m, binary(m, "==", subject, evaluate(m, case.value, names))) if case.value is not None else None
        chain.append((test, body))
    default = next((body for test, body in chain if test is None), list[t.Stmt]())
    tests = [(test, body) for test, body in chain if test is not None]
    for test, body in tests:
        if m.known(test).const == 1:
            return run(m, body, Names(names), returned)
    undecided = [(test, body) for test, body in tests if m.known(test).const is None]
    if not undecided:
        return run(m, default, Names(names), returned)
    return _chain(m, undecided, default, names, returned)


def _chain(
    m: Machine, tests: list[tuple[Dim, list[t.Stmt]]], default: list[t.Stmt], names: Names, returned: Returned
) -> End:
    outcomes = [(test, *_tried(m, test, body, names, returned)) for test, body in tests]
    end, result = _tried(m, dim(1), default, names, returned)
    ends = [end, *(e for _, e, _ in outcomes)]
    if all(e is End.LEFT for e in ends):
        return End.LEFT
    for test, left, given in reversed(outcomes):
        if left is End.LEFT:
            continue
        cells = dict.fromkeys((*given, *result))
        result = {c: select(m, test, given.get(c, c.value), result.get(c, c.value)) for c in cells}
    for cell, value in result.items():
        m.assign(cell, value)
    return End.THROUGH


def _return(m: Machine, node: t.Return, names: Names, returned: Returned) -> None:
    if node.value is None:
        return
    conditions = tuple(m.conditions[returned.before :])
    if returned.reference:
        place = place_of(m, node.value, names)
        if place is not None:
            returned.values.append((conditions, place))
            return
    value = evaluate(m, node.value, names)
    returned.values.append((conditions, Cell(value, _kind_of(value))))


# -- inline PTX --------------------------------------------------------------------------------------------------


def _asm(m: Machine, node: t.Asm, names: Names) -> None:
    inputs = [evaluate(m, value, names) for _, value in node.inputs]
    nodes = [value for _, value in node.outputs] + [value for _, value in node.inputs]
    values: list[Value] = [Data() for _ in node.outputs] + inputs
    source: Pointer | None = None
    for move in movements(node.code):
        if move.operand >= len(values):
            continue
        pointer = m.pointer(values[move.operand])
        if pointer is None or (move.space and pointer.memory.space not in (move.space, "unknown")):
            continue
        width: Dim | None = dim(move.width) if move.width is not None else None
        if width is None and move.size_operand is not None and move.size_operand < len(values):
            width = m.integer(values[move.size_operand])
        m.record(move.kind, pointer, node.span, written_name(nodes[move.operand]), width)
        source = pointer if move.kind == "load" else source
    register = _special_register(node.code)
    elected = elected_operand(node.code)
    for i, (_, output) in enumerate(node.outputs):
        place = place_of(m, output, names)
        if isinstance(place, Cell) or (place is not None and place.pointer.memory.space == "local"):
            kind = kind_of(place)
            value = m.loaded(source, kind) if source is not None else _output(m, node, kind, register, inputs)
            value = _is_first_lane(m) if i == elected and source is None else value
            m.store(place, value, output.span, written_name(output))


def _is_first_lane(m: Machine) -> Value:
    """Whether a lane is the elected one; nothing says which lane that is, so it is taken to be the first."""
    from kernelscope.kernels.cuda.warp.groups import thread_rank

    return binary(m, "==", Int(thread_rank() % 32), Int(dim(0)))


def _special_register(code: str) -> str:
    for register in ("laneid", "tid.x", "tid.y", "tid.z", "warpid", "ctaid.x", "ctaid.y", "ctaid.z"):
        if f"%{register}" in code.replace("%%", "%"):
            return register
    return ""


def _output(m: Machine, node: t.Asm, kind: Type, register: str, inputs: list[Value]) -> Value:
    if register == "laneid":
        from kernelscope.kernels.cuda.warp.groups import thread_rank

        return Int(thread_rank() % 32)
    if register.startswith("tid."):
        return Int(dim(f"threadIdx.{register[-1]}"))
    if register.startswith("ctaid."):
        return Int(dim(f"blockIdx.{register[-1]}"))
    if "cvta" in node.code and inputs and (pointer := m.pointer(inputs[0])) is not None:
        return Pointer(pointer.memory, pointer.offset, CHAR)
    return m.unknown(kind, "register", "a register that inline PTX writes", Symbol("inline PTX"))
