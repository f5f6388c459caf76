"""Calls in device code: functions and methods are followed with their arguments, constructors make records.

A function whose code is not at hand gives an unknown value; what its arguments point to is unknown from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.dims import dim
from kernelscope.kernels.cuda.warp.deduction import bind_template
from kernelscope.kernels.cuda.warp.departures import Departures, all_of
from kernelscope.kernels.cuda.warp.expressions import cast, evaluate, place_of
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.merging import select
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.overloads import (
    Argument,
    functions_beside,
    functions_named,
    methods_of,
    overload,
    type_of,
)
from kernelscope.kernels.cuda.warp.resolution import CUB, bind, parameters
from kernelscope.kernels.cuda.warp.types import (
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
)
from kernelscope.kernels.cuda.warp.values import (
    Cell,
    Closure,
    Data,
    Group,
    InMemory,
    Int,
    Open,
    Place,
    Pointer,
    Record,
    Space,
    Symbol,
    Value,
)
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t

MAX_CALL_DEPTH = 14
MAX_APART = 3
"""Calls between two of one function by which it is found to call itself; others of its name are followed."""


def call(m: Machine, node: t.Call, names: Names) -> Value:
    """The value of a call."""
    func = node.func
    if any(isinstance(arg, t.Broken) for arg in node.args):  # a pack, in which there may be pointers
        m.unseen(f"{_called(func)}(…)")
    if isinstance(func, t.Member):
        return _method_call(m, node, func, names)
    if isinstance(func, t.Name):
        place = names.variable(func.id) if not func.scope else None
        if isinstance(place, Cell) and isinstance(place.value, Closure):
            return _closure_call(m, place.value, node, names)
        if isinstance(place, Cell) and isinstance(place.value, Record):
            result = method(m, place.value, "operator()", _arguments(m, node, names), (), node.span)
            if result is None and place.value.given:
                m.unseen(f"{func.id}(…)")
            return _loaded(m, result, node)
        if isinstance(place, Cell) and isinstance(place.value, Open):
            m.unseen(f"{func.id}(…)")
        return _named_call(m, node, func, names)
    value = evaluate(m, func, names)
    if isinstance(value, Closure):
        return _closure_call(m, value, node, names)
    if isinstance(value, Record):
        result = method(m, value, "operator()", _arguments(m, node, names), (), node.span, names)
        if result is not None:
            return m.load(result, node.span)
    values = [_passed(m, a, node) for a in _arguments(m, node, names)]
    if any(isinstance(value, Pointer) for value in values):
        m.unseen(f"{_called(func)}(…)")
    return Data(_varying(m, values) or "a function that is not known")


def _called(func: t.Expr) -> str:
    """What is called in `make<T>()(x)` or `table[i](x)`, for the reader."""
    match func:
        case t.Name(id=name) | t.Member(name=name):
            return name
        case t.Call(func=t.Name(id=name)):
            return f"{name}()"
        case t.Subscript(value=t.Name(id=name)):
            return f"{name}[…]"
        case _:
            return "…"


def _named_call(m: Machine, node: t.Call, func: t.Name, names: Names) -> Value:
    from kernelscope.kernels.cuda.warp.intrinsics import INTRINSICS

    candidates = functions_named(m, func, names)
    if not candidates or (func.id in INTRINSICS and func.scope in ("", "std", "cg", "cooperative_groups", "cuda")):
        intrinsic = INTRINSICS.get(func.id)
        if intrinsic is not None:
            result = intrinsic(m, node, names)
            if result is not None:
                return result
    if candidates:
        arguments = _arguments(m, node, names)
        candidates = candidates + ([] if func.scope else functions_beside(m, func.id, candidates, arguments))
        chosen = overload(m, candidates, arguments, func, names)
        if chosen is not None:
            return _loaded(m, _followed(m, chosen, arguments, func, names, node), node)
        return unfollowed(m, func.id, [_passed(m, a, node) for a in arguments])
    made = _constructed(m, node, func, names)
    if made is not None:
        return made
    if isinstance(kind := _type_of(m, func, names), Opaque) and kind.name.startswith(CUB):
        for arg in node.args:
            handed(m, arg, names)  # its storage, which it only keeps
        return Open(func.id)
    named = m.definitions.named_type(func.id, func.scope, names.namespace())
    if names.type(func.id) is not None or isinstance(named, t.Using):
        return unfollowed(m, func.id, [handed(m, arg, names) for arg in node.args])
    # names with two underscores are the compiler's, whose functions take values
    given = _value if func.id.startswith("__") else _passed
    return unfollowed(m, func.id, [given(m, a, node) for a in _arguments(m, node, names)])


def _followed(
    m: Machine, chosen: t.Function, arguments: list[Argument], func: t.Name, names: Names, node: t.Call
) -> Place | None:
    """What a function returns that is called by its name; a method's call of another one is on the same object."""
    this, around = names.object(), names.around()
    own = this is not None and around is not None and chosen in methods_of(m, around, func.id)
    return follow(
        m, chosen, arguments, func.arguments, names, node.span, this if own else None, around if own else None
    )


def handed(m: Machine, arg: t.Expr, names: Names) -> Value:
    """What an object of a class that is not at hand is made of: storage of such a class is given by its address."""
    place = place_of(m, arg, names) if isinstance(arg, t.Name | t.Member | t.Subscript) else None
    if isinstance(place, InMemory) and isinstance(place.pointer.target, Opaque):
        return place.pointer
    return evaluate(m, arg, names)


def unfollowed(m: Machine, name: str, values: Sequence[Value]) -> Value:
    """What code that is not at hand may have done."""
    for value in values:
        if isinstance(value, Pointer):
            if value.memory.space == "local":
                m.overwrite(value)
            elif not m.quiet:
                m.unfollowed.setdefault(name)
        elif isinstance(value, Open | Record) and value.given:
            m.unseen(f"{name}({value.name})")
    return Data(f"`{name}()` is not followed" if _varying(m, values) or not values else "")


def _varying(m: Machine, values: Sequence[Value]) -> str:
    return next((why for value in values if (why := m.varying(value))), "")


def _values(m: Machine, node: t.Call, names: Names) -> list[Value]:
    return [evaluate(m, arg, names) for arg in node.args]


def _arguments(m: Machine, node: t.Call, names: Names) -> list[Argument]:
    """Arguments as places where they name one, so that references reach them."""
    found: list[Argument] = []
    for arg in node.args:
        if _names_place(arg):
            place = place_of(m, arg, names)
            if place is not None:
                found.append(place)
                continue
        found.append(evaluate(m, arg, names))
    return found


def _names_place(node: t.Expr) -> bool:
    """Whether an expression may be written to: a name, a member or element, `*p`, a cast to a reference."""
    if isinstance(node, t.Cast):
        return bool(node.type.layers) and node.type.layers[0] == "&"
    return isinstance(node, t.Name | t.Subscript | t.Member) or (isinstance(node, t.Unary) and node.op == "*")


def _value(m: Machine, argument: Argument, node: t.Call | Span) -> Value:
    span = node if isinstance(node, Span) else node.span
    return m.load(argument, span) if isinstance(argument, Cell | InMemory) else argument


def _passed(m: Machine, argument: Argument, node: t.Call) -> Value:
    """What code that is not at hand is given: an object of a class is handed over as it lies in memory, not read."""
    if isinstance(argument, InMemory) and isinstance(argument.pointer.target, StructType | Opaque):
        return argument.pointer
    return _value(m, argument, node)


def _reached(argument: Argument) -> Value:
    """What a function may reach by an argument, without reading it."""
    match argument:
        case Cell(value=value):
            return value
        case InMemory(pointer=pointer):
            return pointer
        case _:
            return argument


def _loaded(m: Machine, result: Place | None, node: t.Call) -> Value:
    return m.load(result, node.span) if result is not None else Data("a function that is not followed")


# -- following ---------------------------------------------------------------------------------------------------


def follow(
    m: Machine,
    function: t.Function,
    arguments: list[Argument],
    given: Sequence[t.Expr | t.TypeName],
    caller: Names,
    span: Span,
    this: Record | None = None,
    owner: StructType | None = None,
) -> Place | None:
    """What a function returns: a place for references, else a cell with the value."""
    if len(m.calls) >= MAX_CALL_DEPTH or function in m.running[-MAX_APART:]:
        unfollowed(m, function.name, [_reached(argument) for argument in arguments])
        return None
    names = Names(struct=owner, this=this, space=function.space)
    if owner is not None:
        names.parent = m.resolver.struct_names(owner)
        bind(names, owner.arguments)
    bind_template(m, function, arguments, given, caller, names)
    parameters(names, function.template)
    for i, param in enumerate(function.params):
        _bind_parameter(m, param, arguments[i] if i < len(arguments) else None, names, span)
    m.calls.append((m.calls[0][0] if m.calls else span, function.name))
    m.running.append(function)
    try:
        for member, given_values in function.members if this is not None else ():
            if len(given_values) == 1 and this is not None:
                cell = m.member(this, member)
                m.assign(cell, m.converted(evaluate(m, given_values[0], names), cell.kind))
        return run_body(m, function.body, names, returns_reference(function))
    finally:
        m.calls.pop()
        m.running.pop()


def returns_reference(function: t.Function) -> bool:
    return function.returns is not None and bool(function.returns.layers) and function.returns.layers[0] == "&"


def _bind_parameter(m: Machine, param: t.Param, argument: Argument | None, names: Names, span: Span) -> None:
    kind = m.resolver.type(param.type, names)
    if argument is None:
        value = evaluate(m, param.default, names) if param.default is not None else Data()
        names.variables[param.name] = Cell(m.converted(value, kind), kind)
        return
    reference = bool(param.type.layers) and param.type.layers[0] == "&"
    if reference and isinstance(argument, Cell | InMemory):
        names.variables[param.name] = argument
        return
    value = _value(m, argument, span)
    if isinstance(kind, TypeParameter) or kind == NO_TYPE or isinstance(kind, Opaque):
        names.variables[param.name] = Cell(value, type_of(value) if not isinstance(kind, TypeParameter) else kind)
        return
    if isinstance(kind, Array):
        kind = PointerTo(kind.element)
    if isinstance(value, Record) and not reference:
        value = copied(value)
    names.variables[param.name] = Cell(m.converted(value, kind), kind)


def copied(record: Record) -> Record:
    """A record of its own, as passing by value makes one."""
    members = {
        name: Cell(copied(c.value) if isinstance(c.value, Record) else c.value, c.kind)
        for name, c in record.members.items()
    }
    return Record(record.kind, members, record.name, record.varying, record.space, record.given)


def run_body(m: Machine, body: list[t.Stmt], names: Names, reference: bool = False) -> Place | None:
    """Run a body; what it returns under several conditions becomes one value."""
    from kernelscope.kernels.cuda.warp.statements import Returned, run

    before = len(m.conditions)
    returned = Returned(reference, before)
    inside = Departures(m, ("return",)) if m.calls else None
    if inside is not None:
        returned.departures.append(inside)
    run(m, body, names, returned)
    del m.conditions[before:]
    if inside is not None:
        inside.merge("return")
    if not returned.values:
        return Cell(Data(), NO_TYPE)
    if len(returned.values) == 1:
        return returned.values[0][1]
    _, last = returned.values[-1]
    value = m.load(last, Span(0, 0)) if isinstance(last, InMemory) else last.value
    for conditions, place in reversed(returned.values[:-1]):
        given = place.value if isinstance(place, Cell) else m.load(place, Span(0, 0))
        value = select(m, all_of(m, conditions), given, value, "result")
    return Cell(value, type_of(value))


def _closure_call(m: Machine, closure: Closure, node: t.Call, names: Names) -> Value:
    outer = closure.names
    assert isinstance(outer, Names)
    arguments = _arguments(m, node, names)
    if len(m.calls) >= MAX_CALL_DEPTH:
        return Data("calls nested too deeply")
    inside = Names(outer)
    for param, argument in zip(closure.node.params, arguments, strict=False):
        _bind_parameter(m, param, argument, inside, node.span)
    m.calls.append((m.calls[0][0] if m.calls else node.span, m.calls[-1][1] if m.calls else ""))
    try:
        return _loaded(m, run_body(m, closure.node.body, inside), node)
    finally:
        m.calls.pop()


# -- methods and constructors ------------------------------------------------------------------------------------


def _method_call(m: Machine, node: t.Call, func: t.Member, names: Names) -> Value:
    base = _object(m, func, names)
    if isinstance(base, Group):
        from kernelscope.kernels.cuda.warp.groups import group_member

        return group_member(m, base, func.name, _values(m, node, names))
    if isinstance(base, Pointer) and isinstance(base.target, Strided):
        from kernelscope.kernels.cuda.warp.accessors import accessor_method

        told = accessor_method(m, base, base.target, func.name, _values(m, node, names))
        if told is not None:
            return told
    arguments = _arguments(m, node, names)
    if isinstance(base, Record):
        result = method(m, base, func.name, arguments, func.arguments, node.span, names)
        if result is not None:
            value = m.load(result, node.span)
            untold = isinstance(value, Data) and value.kind == NO_TYPE and _holds_shared(base)
            return Open(f"{base.name or '…'}.{func.name}()", m.varying(value), "unknown") if untold else value
        if base.home is not None:
            base = base.home
    values = [_passed(m, a, node) for a in arguments]
    in_global = isinstance(base, Pointer) and base.memory.space == "global"
    unfollowed(m, func.name, [base, *values] if in_global else values)
    space: Space = "unknown" if _holds_shared(base) or any(map(_holds_shared, values)) else "global"
    told = ", ".join(str(v.d.const) if isinstance(v, Int) and v.d.const is not None else "…" for v in values)
    name = f"{getattr(base, 'name', '') or '…'}.{func.name}({told})"
    varying = m.varying(base) or _varying(m, values)
    return Open(name, varying, space, number=m.symbols.new(name, Symbol(varying)) if values else None)


def _object(m: Machine, func: t.Member, names: Names) -> Value:
    """The object whose method is called; one in memory is not read by that, and keeps its place."""
    if func.arrow:
        base = evaluate(m, func.value, names)
        pointer = base if isinstance(base, Pointer) else None
    else:
        is_place = isinstance(func.value, t.Name | t.Subscript | t.Member | t.Unary)
        place = place_of(m, func.value, names) if is_place else None
        pointer = place.pointer if isinstance(place, InMemory) else None
        if pointer is None:
            return m.load(place, func.span) if place is not None else evaluate(m, func.value, names)
        base = pointer
    if pointer is None or not isinstance(pointer.target, StructType):
        return base
    local = pointer.memory.cell
    if local is not None and pointer.offset.const == 0 and isinstance(local.value, Record):
        return local.value
    return Record(pointer.target, {}, pointer.memory.name, m.symbols.varying(pointer.offset), home=pointer)


def _holds_shared(value: Value) -> bool:
    """Whether addresses of shared memory may come of a value."""
    if isinstance(value, Record):
        return any(_holds_shared(cell.value) for cell in value.members.values())
    return isinstance(value, Pointer) and value.memory.space == "shared"


def method(
    m: Machine,
    record: Record,
    name: str,
    arguments: Sequence[Argument],
    given: Sequence[t.Expr | t.TypeName],
    span: Span,
    caller: Names | None = None,
) -> Place | None:
    """What a method of a record returns; None when it has no such method at hand."""
    if not isinstance(record.kind, StructType):
        return None
    candidates = methods_of(m, record.kind, name)
    chosen = overload(m, candidates, list(arguments), None, Names()) if candidates else None
    if chosen is None:
        return None
    return follow(m, chosen, list(arguments), given, caller or Names(), span, record, record.kind)


def as_address(m: Machine, record: Record) -> Pointer | None:
    """What an object is where an address is asked for: what its conversion returns."""
    if not isinstance(record.kind, StructType):
        return None
    for part in record.kind.struct.body:
        if isinstance(part, t.Function) and part.name.startswith("operator ") and part.name.endswith("*"):
            span = part.name_span
            place = follow(m, part, [], (), Names(), m.calls[0][0] if m.calls else span, record, record.kind)
            value = m.load(place, span) if place is not None else None
            return value if isinstance(value, Pointer) else None
    return None


def _type_of(m: Machine, func: t.Name, names: Names) -> Type:
    """The type that a called name is, where it is one."""
    return m.resolver.type(t.TypeName(func.id, func.span, func.scope, func.arguments), names)


def _constructed(m: Machine, node: t.Call, func: t.Name, names: Names) -> Value | None:
    """`Vec<T, 4>(a, b)` and `T(x)`: a call of a type."""
    kind = _type_of(m, func, names)
    if isinstance(kind, Opaque):
        return None
    values = _values(m, node, names)
    if isinstance(kind, Number | TypeParameter | PointerTo):
        return cast(m, values[0], kind) if values else Int(dim(0))
    return construct(m, kind, values, node.span)


def construct(m: Machine, kind: Type, values: Sequence[Value], span: Span) -> Value:
    """`T{a, b}`: by a constructor, else member by member."""
    match kind:
        case Vector():
            members = {axis: Cell(value, kind.element) for axis, value in zip("xyzw", values, strict=False)}
            return Record(kind, members, "", _varying(m, values))
        case StructType():
            if len(values) == 1 and isinstance(values[0], Record) and values[0].kind == kind:
                return copied(values[0])
            record = Record(kind, {})
            makers = methods_of(m, kind, kind.struct.name)
            chosen = overload(m, makers, list(values), None, Names()) if makers else None
            if chosen is not None and values:
                record.varying = _varying(m, [v for v in values if isinstance(v, Int | Data)])
                follow(m, chosen, list(values), (), Names(), span, record, kind)
                return record
            for (name, (_, member)), value in zip(m.resolver.fields(kind).items(), values, strict=False):
                record.members[name] = Cell(m.converted(value, member), member)
            return record
        case _:
            return cast(m, values[0], kind) if len(values) == 1 else Data(_varying(m, values), kind)
