"""Type names to types: aliases, template arguments, members of structs, and the layout of structs in memory.

A type that the sources at hand do not define is `Opaque`; nothing is guessed of its size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kernelscope.dims import Dim, dim, maximum
from kernelscope.kernels.cuda.types import ACCESSORS, OF_ONE_SIZE
from kernelscope.kernels.cuda.warp.definitions import Definitions
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.specialisations import specialised
from kernelscope.kernels.cuda.warp.type_traits import TRAITS
from kernelscope.kernels.cuda.warp.types import (
    Array,
    Number,
    Opaque,
    PointerTo,
    Strided,
    StructType,
    Type,
    TypeParameter,
    Vector,
    alignment,
    builtin,
    component,
    size_of,
)
from kernelscope.kernels.cuda.warp.values import Cell, Int
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.spaces import plain_path

MAX_DEPTH = 24
CUB = "cub::"
"""Before the names of types of that library, whose operations are told by the objects that are made of them."""
_WRAPPERS = frozenset(("__restrict__", *(f"{trait}_t" for trait in OF_ONE_SIZE)))
_WRAPPED = re.compile(rf"(?:\w+::)*(?:{'|'.join(OF_ONE_SIZE)})\s*<")

_CONDITIONAL = re.compile(r"(?:\w+::)*conditional\s*<")


class Resolver:
    """Resolves types; `number` evaluates a constant expression, `known` puts in what launches give."""

    def __init__(
        self,
        definitions: Definitions,
        number: Callable[[t.Expr, Names], Dim | None],
        known: Callable[[Dim], Dim] = lambda number: number,
    ) -> None:
        self.definitions = definitions
        self.number = number
        self.known = known
        self._scopes: dict[StructType, Names] = {}
        self._layouts: dict[StructType, dict[str, tuple[Dim | None, Type]]] = {}
        self._sizes: dict[StructType, Dim | None] = {}
        self._constants: dict[tuple[StructType, str], Dim | None] = {}
        self._members: dict[tuple[StructType, str], Type | None] = {}
        self._parents: dict[StructType, list[StructType]] = {}
        self._chosen: dict[StructType, StructType | Opaque] = {}
        self._aligned: set[StructType] = set()
        """Structs whose alignment is being worked out."""
        self._sought: set[tuple[StructType, str]] = set()
        """Members whose types are being looked for."""

    def type(self, name: t.TypeName, names: Names, depth: int = 0) -> Type:
        """The type with all its pointers and arrays; references are what they refer to."""
        result = self._base(name, names, depth)
        for layer in reversed(name.layers):
            if isinstance(layer, t.ArrayOf):
                result = Array(result, self.number(layer.size, names) if layer.size is not None else None)
            elif layer == "*":
                result = PointerTo(result)
        return result

    def _base(self, name: t.TypeName, names: Names, depth: int) -> Type:
        if depth > MAX_DEPTH:
            return Opaque(name.base)
        if name.base in _WRAPPERS and name.arguments and isinstance(name.arguments[0], t.TypeName):
            return self.type(name.arguments[0], names, depth + 1)
        if name.scope and not name.scope.startswith("std"):
            owner = self.scope_type(name.scope, names, depth)
            if owner is not None:
                return self._member_type(owner, name, depth) or Opaque(name.base)
        if not name.scope:
            found = names.type(name.base)
            if found is not None:
                return found
            for around in names.arounds():
                if around.struct.name == name.base and not name.arguments:
                    return around
                if (member := self._member_type(around, name, depth)) is not None:
                    return member
        elif names.type(plain_path(name.scope).partition("::")[0]) is not None:
            return Opaque(name.base)
        known = builtin(name.base)
        if known is not None:
            return known
        if (chosen := self._conditional(name, names, depth)) is not None:
            return chosen
        if name.base == "type" and _WRAPPED.match(name.scope):
            wrapped = _written(name.scope).arguments
            if len(wrapped) == 1 and isinstance(wrapped[0], t.TypeName):
                return self.type(wrapped[0], names, depth + 1)
        named = self.definitions.named_type(name.base, name.scope, names.namespace())
        if isinstance(named, t.Using):
            return self.type(named.type, Names(space=named.space), depth + 1)
        if named is not None:
            return self.instance(named, name.arguments, names, depth)
        for macro in self.definitions.macro(name.base):
            if isinstance(macro, t.Name) and macro.id != name.base:
                return self.type(t.TypeName(macro.id, name.span, macro.scope, macro.arguments), names, depth + 1)
        if name.base in ACCESSORS and (accessor := self._accessor(name, names, depth)) is not None:
            return accessor
        scope = self.definitions.unrenamed(name.scope) if name.scope else ""
        return Opaque(f"{CUB}{name.base}" if f"::{scope}".endswith("::cub") else name.base)

    def _accessor(self, name: t.TypeName, names: Names, depth: int) -> Strided | None:
        """`PackedTensorAccessor32<float, 3>`, where the number of axes is known."""
        element, rank = name.arguments[:2] if len(name.arguments) > 1 else (None, None)
        if isinstance(rank, t.TypeName):
            rank = t.Name(rank.base, rank.span, rank.scope, rank.arguments)
        number = self.number(rank, names) if rank is not None else None
        axes = self.known(number).const if number is not None else None
        if not isinstance(element, t.TypeName) or axes is None or axes < 1:
            return None
        return Strided(self.type(element, names, depth + 1), axes)

    def _conditional(self, name: t.TypeName, names: Names, depth: int) -> Type | None:
        """`conditional_t<test, A, B>`, or `conditional<test, A, B>::type`, where the test is a number."""
        arguments = name.arguments if name.base == "conditional_t" else ()
        if name.base == "type" and _CONDITIONAL.match(name.scope):
            arguments = _written(name.scope).arguments
        if len(arguments) != 3:
            return None
        test, *ways = arguments
        if isinstance(test, t.TypeName):
            test = t.Name(test.base, test.span, test.scope, test.arguments)
        decided = self.number(test, names)
        number = self.known(decided).const if decided is not None else None
        given = ways[not number] if number is not None else None
        return self.type(given, names, depth + 1) if isinstance(given, t.TypeName) else None

    def trait(self, name: t.Name, names: Names) -> bool | None:
        """What `is_same_v<A, B>` or `is_same<A, B>::value` says; None for other names, and where it is open."""
        trait, arguments = name.id.removesuffix("_v"), name.arguments
        if name.id == "value" and "<" in name.scope:
            written = _written(name.scope)
            trait, arguments = written.id, written.arguments
        if trait not in TRAITS or not arguments:
            return None
        types = [self.type(given, names) for given in arguments if isinstance(given, t.TypeName)]
        return TRAITS[trait](types) if len(types) == len(arguments) else None

    def scope_type(self, scope: str, names: Names, depth: int = 0) -> StructType | None:
        """The struct that `A::B` names, if it is one and no namespace."""
        around, _, last = scope.rpartition("::")
        arguments: tuple[t.Expr | t.TypeName, ...] = ()
        if "<" in scope:
            written = _written(scope)
            around, last, arguments = written.scope, written.id or last.partition("<")[0].strip(), written.arguments
        found = self._base(t.TypeName(last, t.Span(0, 0), around, arguments), names, depth + 1)
        return found if isinstance(found, StructType) else None

    def instance(
        self,
        struct: t.Struct,
        arguments: tuple[t.Expr | t.TypeName, ...],
        names: Names,
        depth: int = 0,
        outer: StructType | None = None,
    ) -> StructType | Opaque:
        """A struct with template arguments, defaults filled in; the specialisation for them where there is one."""
        bound: list[tuple[str, Type | Dim]] = []
        for i, param in enumerate(struct.template):
            if i < len(arguments):
                value = self.argument(param, arguments[i], names, depth)
            else:  # what parameters are by default may be said by those before, and in the struct's own namespace
                inside = Names(self._outside(outer), space=struct.space)
                bind(inside, tuple(bound))
                value = self.argument(param, param.default, inside, depth)
            if value is not None:
                bound.append((param.name, value))
        made = StructType(struct, tuple(bound), outer)
        special = self.definitions.specialisations(struct) if struct.template else []
        if not special or struct in special:
            return made
        if made not in self._chosen:
            self._chosen[made] = made  # what a specialisation asks for may be made of the struct itself
            self._chosen[made] = specialised(
                made, special, lambda param, given: self.argument(param, given, Names(space=struct.space), depth + 1)
            )
        return self._chosen[made]

    def local(self, struct: t.Struct, names: Names) -> StructType:
        """A struct that a function defines for itself: what it names are the types and numbers there."""
        bound: list[tuple[str, Type | Dim]] = []
        for name in sorted(_named_in(struct)):
            kind, place = names.type(name), names.variable(name)
            if kind is not None:
                bound.append((name, kind))
            elif isinstance(place, Cell) and isinstance(place.value, Int):
                bound.append((name, place.value.d))
        return StructType(struct, tuple(bound))

    def argument(
        self, param: t.TemplateParam, given: t.Expr | t.TypeName | None, names: Names, depth: int = 0
    ) -> Type | Dim | None:
        """What a template parameter stands for; a bare name is a type or a value as the parameter says."""
        if given is None:
            return None
        if param.type is None:
            if isinstance(given, t.Name):
                given = t.TypeName(given.id, given.span, given.scope, given.arguments)
            return self.type(given, names, depth + 1) if isinstance(given, t.TypeName) else None
        if isinstance(given, t.TypeName):
            given = t.Name(given.base, given.span, given.scope, given.arguments)
        return self.number(given, names)

    def struct_names(self, kind: StructType) -> Names:
        """The scope of a struct: its template arguments; its members are found through `around`."""
        found = self._scopes.get(kind)
        if found is None:
            found = Names(self._outside(kind.outer), struct=kind, space=kind.struct.space)
            self._scopes[kind] = found
            bind(found, kind.arguments)
        return found

    def _outside(self, outer: StructType | None) -> Names | None:
        return self.struct_names(outer) if outer is not None else None

    def _member_type(self, owner: StructType, name: t.TypeName, depth: int) -> Type | None:
        if name.arguments:
            return self._written_member_type(owner, name, depth)
        key = (owner, name.base)
        if key not in self._members:
            self._members[key] = self._written_member_type(owner, name, depth)
        return self._members[key]

    def _written_member_type(self, owner: StructType, name: t.TypeName, depth: int) -> Type | None:
        key = (owner, name.base)
        if depth > MAX_DEPTH or key in self._sought:
            return None
        self._sought.add(key)
        try:
            return self._found_member_type(owner, name, depth)
        finally:
            self._sought.discard(key)

    def _found_member_type(self, owner: StructType, name: t.TypeName, depth: int) -> Type | None:
        names = self.struct_names(owner)
        if (bound := names.types.get(name.base)) is not None:
            return bound
        for node in owner.struct.body:
            if isinstance(node, t.Using) and node.name == name.base and node.type.base != name.base:
                return self.type(node.type, names, depth + 1)
            if isinstance(node, t.Struct) and node.name == name.base:
                return self.instance(node, name.arguments, names, depth, owner)
        for parent in self.parents(owner, depth):
            found = self._member_type(parent, name, depth + 1)
            if found is not None:
                return found
        return None

    def parents(self, owner: StructType, depth: int = 0) -> list[StructType]:
        """The structs that one derives from; what its own members are called means nothing there."""
        found = self._parents.get(owner)
        if found is None:
            self._parents[owner] = []
            names = Names(self._outside(owner.outer), space=owner.struct.space)
            bind(names, owner.arguments)
            bases = [self._base(base, names, depth + 1) for base in owner.struct.bases]
            found = [base for base in bases if isinstance(base, StructType) and base.struct is not owner.struct]
            self._parents[owner] = found
        return found

    def constant(self, owner: StructType, name: str, depth: int = 0) -> Dim | None:
        """A static constant of a struct, or of one that it derives from."""
        key = (owner, name)
        if key not in self._constants:
            self._constants[key] = None  # while it is worked out: what names itself there is another of its name
            self._constants[key] = self._written_constant(owner, name, depth)
        return self._constants[key]

    def _written_constant(self, owner: StructType, name: str, depth: int) -> Dim | None:
        names = self.struct_names(owner)
        for node in owner.struct.body:
            if isinstance(node, t.Declare) and node.name == name and node.value is not None:
                return self.number(node.value, names)
        for parent in self.parents(owner, depth) if depth < MAX_DEPTH else ():
            if (found := self.constant(parent, name, depth + 1)) is not None:
                return found
        return None

    # -- layout -----------------------------------------------------------------------------------------------

    def size(self, kind: Type) -> Dim | None:
        """Bytes of a value; None where a type is not known."""
        match kind:
            case StructType():
                return self._struct_size(kind)
            case Array(element=element, count=count):
                size = self.size(element)
                return None if size is None or count is None else size * count
            case Strided(element=element):
                size = self.size(element)
                return size * dim(kind.stride) if size is not None else None
            case _:
                return size_of(kind)

    def _struct_size(self, kind: StructType) -> Dim | None:
        if kind not in self._sizes:
            self._sizes[kind] = None  # while it is worked out: no struct holds itself, as a damaged one may seem to
            self._sizes[kind] = self._worked_out_size(kind)
        return self._sizes[kind]

    def _worked_out_size(self, kind: StructType) -> Dim | None:
        if any(isinstance(node, t.Struct) and not node.name for node in kind.struct.body):
            return self._size_with_unnamed(kind)
        fields = self.fields(kind)
        ends: list[Dim] = []
        largest = 1
        for offset, member in fields.values():
            size = self.size(member)
            if offset is None or size is None:
                return None
            aligned = self.alignment(member)
            # a type parameter is as large as it is aligned: only its like can stand beside it without a gap
            if aligned is None and any(not _like(other, member) for _, other in fields.values()):
                return None
            largest = max(largest, aligned or 1)
            ends.append(offset + size)
        end = maximum(*ends) if kind.struct.kind == "union" and ends else ends[-1] if ends else dim(1)
        return end if end.const is None else dim(-(-end.const // largest) * largest)

    def _size_with_unnamed(self, kind: StructType) -> Dim | None:
        """The size of a struct that holds unnamed ones, where all sizes are numbers."""
        end = 0
        for _, member in self._declared(kind, self.struct_names(kind)):
            size, aligned = self.size(member), self.alignment(member)
            if size is None or size.const is None or aligned is None or kind.struct.bases:
                return None
            begin = 0 if kind.struct.kind == "union" else -(-end // aligned) * aligned
            end = max(end, begin + size.const)
        largest = self.alignment(kind)
        return None if largest is None else dim(-(-end // largest) * largest)

    def alignment(self, kind: Type) -> int | None:
        if isinstance(kind, StructType):
            if kind in self._aligned:
                return None  # no struct holds itself, as one of a name that others have may seem to
            self._aligned.add(kind)
            each = [self.alignment(member) for _, member in self.fields(kind).values()]
            self._aligned.discard(kind)
            known = [n for n in each if n is not None]
            return max(known, default=1) if len(known) == len(each) else None
        if isinstance(kind, Array):
            return self.alignment(kind.element)
        return alignment(kind)

    def moved_apart(self, kind: Type) -> int | None:
        """The bytes that one instruction may move of a struct: it is aligned as its members are. None where it may ask
        for more, and for what is no struct."""
        if not isinstance(kind, StructType) or self._may_ask_alignment(kind, 0):
            return None
        return self.alignment(kind)

    def _may_ask_alignment(self, kind: StructType, depth: int) -> bool:
        if depth > MAX_DEPTH or kind.struct.bases or kind.struct.asks_alignment():
            return True
        members = (member for _, member in self.fields(kind).values())
        inner = (member.element if isinstance(member, Array) else member for member in members)
        return any(isinstance(member, StructType) and self._may_ask_alignment(member, depth + 1) for member in inner)

    def fields(self, kind: StructType) -> dict[str, tuple[Dim | None, Type]]:
        """Where each member lies, and its type; the offset is None after a member of unknown size."""
        found = self._layouts.get(kind)
        if found is None:
            found = self._layouts[kind] = {}
            found.update(self._laid_out(kind))
        return found

    def _laid_out(self, kind: StructType) -> Iterator[tuple[str, tuple[Dim | None, Type]]]:
        names = self.struct_names(kind)
        parents = self.parents(kind, 1)
        at: Dim | None = dim(0) if len(parents) == len(kind.struct.bases) else None
        for parent in parents:
            inherited = self.fields(parent)
            at = _rounded(at, self.alignment(parent))
            for name, (offset, member_type) in inherited.items():
                yield name, (None if at is None or offset is None else at + offset, member_type)
            size = self.size(parent) if inherited else dim(0)  # an empty base takes no room
            at = None if at is None or size is None else at + size
        for name, member_type in self._declared(kind, names):
            begin = dim(0) if kind.struct.kind == "union" else _rounded(at, self.alignment(member_type))
            if name or not isinstance(member_type, StructType):
                yield name, (begin, member_type)
            else:
                for inner, (offset, inner_type) in self.fields(member_type).items():
                    yield inner, (None if begin is None or offset is None else begin + offset, inner_type)
            size = self.size(member_type)
            at = None if begin is None or size is None else begin + size

    def _declared(self, kind: StructType, names: Names) -> Iterator[tuple[str, Type]]:
        """The members of a struct in order; one without a name is a struct whose members are the outer one's too."""
        for node in kind.struct.body:
            if isinstance(node, t.Declare) and "static" not in node.qualifiers:
                yield node.name, self.type(node.type, names, 1)
            elif isinstance(node, t.Struct) and not node.name:
                yield "", StructType(node, kind.arguments, kind)

    def member(self, kind: Type, name: str) -> tuple[Dim | None, Type] | None:
        """Where `.name` lies in a value of a type, and its type."""
        if isinstance(kind, Vector):
            place = component(kind, name)
            return None if place is None else (dim(place * kind.element.size), kind.element)
        if isinstance(kind, StructType):
            return self.fields(kind).get(name)
        return None


def _named_in(struct: t.Struct) -> set[str]:
    """The names that stand in a struct and in those that it defines."""
    found: set[str] = set()
    for node in t.walk(*struct.body, *struct.bases):
        if isinstance(node, t.Name):
            found.add(node.id)
        elif isinstance(node, t.TypeName):
            found.add(node.base)
        elif isinstance(node, t.Struct):
            found |= _named_in(node)
        if isinstance(node, t.Name | t.TypeName) and node.scope:
            found.add(plain_path(node.scope).partition("::")[0])
    return found


def _written(text: str) -> t.Name:
    """A name with its template arguments; one without any letter where the text is none."""
    from kernelscope.kernels.cuda.warp.definitions import parsed_expression

    found = parsed_expression(text.encode())
    return found if isinstance(found, t.Name) else t.Name("", t.Span(0, 0))


def _rounded(at: Dim | None, aligned: int | None) -> Dim | None:
    """The next multiple of an alignment, where both are numbers."""
    if at is None or at.const is None or aligned is None:
        return at
    return dim(-(-at.const // aligned) * aligned)


def _like(a: Type, b: Type) -> bool:
    """Whether both are of one type, or arrays of it."""
    return (a.element if isinstance(a, Array) else a) == (b.element if isinstance(b, Array) else b)


def bind(names: Names, arguments: tuple[tuple[str, Type | Dim], ...]) -> None:
    """Give template parameters their meaning in a scope."""
    for name, value in arguments:
        if isinstance(value, Dim):
            names.variables[name] = Cell(Int(value), Number("int", 4, True))
        else:
            names.types[name] = value


def parameters(names: Names, template: list[t.TemplateParam]) -> None:
    """Template parameters that nobody has given a meaning stand for themselves."""
    for param in template:
        if param.type is None and names.types.get(param.name) is None:
            names.types[param.name] = TypeParameter(param.name)
