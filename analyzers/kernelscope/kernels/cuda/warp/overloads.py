"""Which function a call means: by the scope of its name, and among overloads by the types of its arguments."""

from __future__ import annotations

from collections.abc import Sequence

from kernelscope.dims import Dim
from kernelscope.kernels.cuda.warp.machine import Machine
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.resolution import parameters
from kernelscope.kernels.cuda.warp.type_traits import same_type
from kernelscope.kernels.cuda.warp.types import (
    CHAR,
    INT,
    NO_TYPE,
    Array,
    Number,
    Opaque,
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
from kernelscope.syntax.cuda.spaces import enclosing, names_path

MAX_PARENTS = 8
MAX_OVERLOADS = 24
Argument = Place | Value


def functions_named(m: Machine, func: t.Name, names: Names) -> list[t.Function]:
    around = names.around()
    if not func.scope and any(_is_made_by(m, struct, func.id) for struct in names.arounds()):
        return []
    if not func.scope and around is not None:
        own = methods_of(m, around, func.id)
        if own:
            return own
    if func.scope:
        owner = m.resolver.scope_type(func.scope, names)
        if owner is not None:
            return methods_of(m, owner, func.id)
    found = m.definitions.called(func.id, func.scope, names.namespace())
    if not found and not func.scope:
        found = m.definitions.functions(func.id)  # of several namespaces: arguments may decide
    return _of_device(found)


def _is_made_by(m: Machine, kind: StructType, name: str, depth: int = 0) -> bool:
    """Whether a struct, or one that it derives from, is called so: inside of it, calling that name makes an object."""
    if kind.struct.name == name:
        return True
    return depth < MAX_PARENTS and any(_is_made_by(m, p, name, depth + 1) for p in m.resolver.parents(kind))


def _of_device(found: Sequence[t.Function]) -> list[t.Function]:
    callable_ = [f for f in found if "__global__" not in f.qualifiers]
    device = [f for f in callable_ if "__device__" in f.qualifiers or "constexpr" in f.qualifiers]
    return (device or callable_)[:MAX_OVERLOADS]


def functions_beside(
    m: Machine, name: str, seen: Sequence[t.Function], arguments: Sequence[Argument]
) -> list[t.Function]:
    """Functions that a call may mean besides those of its own namespaces: those of its arguments' namespaces."""
    others = [f for f in m.definitions.functions(name) if f not in seen] if arguments else []
    kinds = [type_of(argument) for argument in arguments] if others else []
    kinds = [kind.target if isinstance(kind, PointerTo) else kind for kind in kinds]
    spaces = {space for kind in kinds if isinstance(kind, StructType) for space in enclosing(kind.struct.space)}
    return _of_device([f for f in others if f.space in spaces])


def methods_of(m: Machine, kind: StructType, name: str, depth: int = 0) -> list[t.Function]:
    """The methods that a type has under a name, also from its bases and out of its body."""
    found = [f for f in kind.struct.body if isinstance(f, t.Function) and f.name == name]
    apart = (f for f in m.definitions.functions(name) if f.scope)
    found += [f for f in apart if names_path(f.scope, f.space, kind.struct.path)]
    for parent in m.resolver.parents(kind) if not found and depth < MAX_PARENTS else ():
        return methods_of(m, parent, name, depth + 1)
    return found


def overload(
    m: Machine, candidates: list[t.Function], arguments: list[Argument], func: t.Name | None, names: Names
) -> t.Function | None:
    """The one candidate that takes such arguments; None where several might."""
    fitting: list[tuple[int, t.Function]] = []
    taking = [c for c in candidates if sum(p.default is None for p in c.params) <= len(arguments) <= len(c.params)]
    for candidate in _made_for(m, taking, func.arguments if func is not None else (), names):
        if func is not None and len(func.arguments) > len(candidate.template) and not candidate.specialisation:
            continue
        score = _fit(m, candidate, arguments, names)
        if score is not None:
            fitting.append((score, candidate))
    if not fitting:
        return None
    best = max(score for score, _ in fitting)
    chosen = [candidate for score, candidate in fitting if score == best]
    if len({(c.space, *(_spelled(p.type) for p in c.params)) for c in chosen}) > 1:
        return None
    return chosen[0]


def _made_for(
    m: Machine, candidates: list[t.Function], given: Sequence[t.Expr | t.TypeName], names: Names
) -> list[t.Function]:
    """The specialisations for template arguments, else what is made for none; nothing where arguments leave it open."""
    special = [candidate for candidate in candidates if candidate.specialisation]
    if not special or not given:
        return [candidate for candidate in candidates if not candidate.specialisation] or candidates
    is_made = {id(c): _is_made_for(m, c, given, names) for c in special}
    chosen = [candidate for candidate in special if is_made[id(candidate)]]
    if chosen or None in is_made.values():
        return chosen
    return [candidate for candidate in candidates if not candidate.specialisation]


def _is_made_for(m: Machine, special: t.Function, given: Sequence[t.Expr | t.TypeName], names: Names) -> bool | None:
    """Whether a specialisation's arguments are those of a call; None where that is open."""
    wanted, space = special.specialisation, special.space
    if len(wanted) != len(given):
        return False
    inside = Names(space=space)
    same = [_is_same(_meaning(m, w, inside), _meaning(m, g, names)) for w, g in zip(wanted, given, strict=True)]
    return False if False in same else None if None in same else True


def _meaning(m: Machine, argument: t.Expr | t.TypeName, names: Names) -> Type | Dim | None:
    """A template argument as a type, or as a number; a bare name is what it is known to be."""
    if isinstance(argument, t.TypeName):
        kind = m.resolver.type(argument, names)
        if not isinstance(kind, Opaque) or argument.layers:
            return kind
        argument = t.Name(argument.base, argument.span, argument.scope, argument.arguments)
    number = m.resolver.number(argument, names)
    return m.known(number) if number is not None else None


def _is_same(wanted: Type | Dim | None, given: Type | Dim | None) -> bool | None:
    if wanted is None or given is None:
        return None
    if isinstance(wanted, Dim) and isinstance(given, Dim):
        decided = wanted.const is not None and given.const is not None
        return True if wanted == given else False if decided else None
    return False if isinstance(wanted, Dim) or isinstance(given, Dim) else same_type(wanted, given)


def _spelled(name: t.TypeName) -> tuple[str, int]:
    return name.base, len(name.layers)


def _fit(m: Machine, candidate: t.Function, arguments: list[Argument], names: Names) -> int | None:
    """How well parameters fit arguments; None where they cannot."""
    score = 0
    for kind, argument in zip(_wanted(m, candidate), arguments, strict=False):
        if kind is None:
            continue
        value = argument.value if isinstance(argument, Cell) else argument
        given = type_of(value)
        if isinstance(kind, PointerTo | Array):
            if (isinstance(value, Int) and value.d.const != 0) or isinstance(value, Record | Closure):
                return None
            inner = kind.target if isinstance(kind, PointerTo) else kind.element
            if isinstance(given, PointerTo):
                same = same_type(given.target, inner)
                if same:
                    score += 4
                elif same is False and isinstance(given.target, Number | Vector) and not isinstance(inner, Array):
                    return None
        elif isinstance(value, Pointer):
            if isinstance(kind, Vector) or (isinstance(kind, Number) and not (kind.integer and _is_held(argument))):
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


def _is_held(argument: Argument) -> bool:
    """Whether an address is held as a number, as those of shared memory are for inline PTX."""
    if isinstance(argument, Cell) and isinstance(argument.kind, Number):
        return True
    value = argument.value if isinstance(argument, Cell) else argument
    return isinstance(value, Pointer) and value.target == CHAR


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


def _wanted(m: Machine, function: t.Function) -> tuple[Type | None, ...]:
    """The types of a function's parameters, as its definition has them; None for one that takes anything."""
    found = m.wanted.get(function)
    if found is None:
        names = Names(space=function.space)
        parameters(names, function.template)
        templates = {p.name for p in function.template}
        found = m.wanted[function] = tuple(
            None if p.type.base in templates and p.type.is_plain else m.resolver.type(p.type, names)
            for p in function.params
        )
    return found
