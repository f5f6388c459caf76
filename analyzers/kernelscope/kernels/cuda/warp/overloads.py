"""Which function a call means: by the scope of its name, and among overloads by the types of its arguments."""

from __future__ import annotations

from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.resolution import parameters
from kernelscope.kernels.cuda.warp.types import (
    INT,
    NO_TYPE,
    Array,
    Number,
    PointerTo,
    StructType,
    Type,
    Vector,
)
from kernelscope.kernels.cuda.warp.values import (
    Cell,
    Closure,
    Data,
    InMemory,
    Int,
    Place,
    Pointer,
    Record,
    Value,
)
from kernelscope.syntax.cuda import tree as t

MAX_OVERLOADS = 24
Argument = Place | Value


def functions_named(m: Machine, func: t.Name, names: Names) -> list[t.Function]:
    around = names.around()
    if not func.scope and around is not None:
        own = methods_of(m, around, func.id)
        if own:
            return own
    if func.scope:
        owner = m.resolver.scope_type(func.scope, names)
        if owner is not None:
            return methods_of(m, owner, func.id)
    found = [f for f in m.definitions.functions(func.id) if "__global__" not in f.qualifiers]
    device = [f for f in found if "__device__" in f.qualifiers or "constexpr" in f.qualifiers]
    return (device or found)[:MAX_OVERLOADS]


def methods_of(m: Machine, kind: StructType, name: str, depth: int = 0) -> list[t.Function]:
    """The methods that a type has under a name, also from its bases and out of its body."""
    found = [f for f in kind.struct.body if isinstance(f, t.Function) and f.name == name]
    scope = kind.struct.name
    found += [f for f in m.definitions.functions(name) if f.scope and f.scope.partition("<")[0].endswith(scope)]
    for parent in m.resolver.parents(kind) if not found and depth < 8 else ():
        return methods_of(m, parent, name, depth + 1)
    return found


def overload(
    m: Machine, candidates: list[t.Function], arguments: list[Argument], func: t.Name | None, names: Names
) -> t.Function | None:
    """The one candidate that takes such arguments; None where several might."""
    fitting: list[tuple[int, t.Function]] = []
    for candidate in candidates:
        needed = sum(1 for p in candidate.params if p.default is None)
        if not needed <= len(arguments) <= len(candidate.params):
            continue
        if func is not None and len(func.arguments) > len(candidate.template):
            continue
        score = _fit(m, candidate, arguments, names)
        if score is not None:
            fitting.append((score, candidate))
    if not fitting:
        return None
    best = max(score for score, _ in fitting)
    chosen = [candidate for score, candidate in fitting if score == best]
    if len(chosen) > 1 and len({tuple(_spelled(p.type) for p in c.params) for c in chosen}) > 1:
        return None
    return chosen[0]


def _spelled(name: t.TypeName) -> tuple[str, int]:
    return name.base, len(name.layers)


def _fit(m: Machine, candidate: t.Function, arguments: list[Argument], names: Names) -> int | None:
    """How well parameters fit arguments; None where they cannot."""
    scope = _definition_scope(m, candidate)
    templates = {p.name for p in candidate.template}
    score = 0
    for param, argument in zip(candidate.params, arguments, strict=False):
        if param.type.base in templates and param.type.is_plain:
            continue
        kind = m.resolver.type(param.type, scope)
        value = argument.value if isinstance(argument, Cell) else argument
        given = type_of(value)
        if isinstance(kind, PointerTo | Array):
            if (isinstance(value, Int) and value.d.const != 0) or isinstance(value, Record | Closure):
                return None
            inner = kind.target if isinstance(kind, PointerTo) else kind.element
            if isinstance(given, PointerTo):
                if given.target == inner:
                    score += 4
                elif isinstance(inner, Number | Vector | StructType) and isinstance(given.target, Number | Vector):
                    return None
        elif isinstance(value, Pointer):
            if isinstance(kind, Number | Vector):
                return None
        elif given == kind and kind != NO_TYPE:
            score += 4
        elif isinstance(kind, StructType) and isinstance(given, StructType):
            if kind.struct is not given.struct:
                return None
            score += 2
        elif isinstance(kind, Number) and isinstance(value, Record):
            return None
        elif isinstance(kind, Number) and isinstance(value, Int):
            score += 2 if kind.integer else 0
    return score


def type_of(value: Argument) -> Type:
    match value:
        case Int():
            return INT
        case Data(kind=kind):
            return kind
        case Pointer(target=target):
            return PointerTo(target)
        case Record(kind=kind):
            return kind
        case Cell(kind=kind):
            return kind
        case InMemory(pointer=pointer):
            return PointerTo(pointer.target.element) if isinstance(pointer.target, Array) else pointer.target
        case _:
            return NO_TYPE


def _definition_scope(m: Machine, function: t.Function) -> Names:
    names = Names()
    parameters(names, function.template)
    return names
