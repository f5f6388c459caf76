"""Integer constants of CUDA code as dims: template parameters stay names, macros and constexprs become numbers.

What depends on a run-time value is None, unless the one who asks says what such names are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from kernelscope.dims import Dim, TooLarge, ceil_div, dim, maximum, minimum
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.arithmetic import binary, extreme_of, quotient, short_cut, unary
from kernelscope.kernels.cuda.intrinsics import LIBRARY_CONSTANTS
from kernelscope.kernels.cuda.layouts import layout_of, plain_name, template_arguments
from kernelscope.kernels.cuda.lookup import functions_meant, visible
from kernelscope.kernels.cuda.specialisations import meant
from kernelscope.kernels.cuda.traits import trait
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.declarations import Alias, Declaration, Declarations, Struct
from kernelscope.syntax.cuda.expressions import (
    Binary,
    Call,
    Cast,
    Conditional,
    Expr,
    Name,
    Number,
    SizeOf,
    Subscript,
    Unary,
    parse_expression,
)
from kernelscope.syntax.cuda.functions import Function

MAX_NAMED = 60
MAX_DEPTH = 40
_MINIMA = frozenset(("min", "std::min", "cuda::std::min", "cute::min", "MIN"))
_MAXIMA = frozenset(("max", "std::max", "cuda::std::max", "cute::max", "MAX"))
_ROUNDED_QUOTIENTS = frozenset(
    ("cute::ceil_div", "cutlass::ceil_div", "at::ceil_div", "at::cuda::ATenCeilDiv", "cuda::ceil_div")
)
"""Of libraries, where these are not at hand."""
_ROUNDING_UP = frozenset(("ceil", "ceilf", "std::ceil"))
_CASTS = frozenset(
    ("static_cast", "const_cast", "Int", "_Int", "C", "std::size_t", "cute::Int", "unsigned", "unsigned_int")
)
_WORDS = re.compile(r"[A-Za-z_]\w*")
_RETURN = re.compile(r"\{\s*return\b(.*?);\s*\}\s*\Z", re.DOTALL)

Free = Callable[[str, int], Dim | None]
"""What a name that is no constant stands for, at an offset."""


@dataclass
class Constants:
    """Constants as seen from one function of a unit. `bound` gives template parameters their arguments as text."""

    unit: Unit
    function: Function | None = None
    bound: Mapping[str, str] = field(default_factory=dict[str, str])
    free: Free | None = None
    values: Mapping[str, Dim] = field(default_factory=dict[str, Dim])
    """Values of names, such as the arguments of a function that is looked into."""
    opaque: Callable[[Expr, int], Dim | None] | None = None
    """What members, elements and results of unknown functions stand for."""
    outer: Unit | None = None
    """The file that is compiled, where the function stands in a header: its macros are in force there."""
    outwards: bool = True
    """Whether the files that include the compiled one are still to be asked."""
    within: tuple[int, ...] = ()
    """The templates of structs whose constants are being worked out, by where they stand."""
    _known: dict[int, Dim | None] = field(
        init=False, repr=False, compare=False, default_factory=dict[int, "Dim | None"]
    )
    """Values of constants of this file, by where they are declared."""

    @property
    def root(self) -> Unit:
        """The file that is compiled."""
        return self.outer or self.unit

    def evaluate(self, text: str, offset: int, depth: int = 0) -> Dim | None:
        """The value of an expression at an offset of the prepared text."""
        try:
            return self.value(parse_expression(text), offset, depth)
        except (TooLarge, ArithmeticError, RecursionError):
            return None

    def value(self, expr: Expr, offset: int, depth: int = 0) -> Dim | None:
        if depth > MAX_DEPTH:
            return None
        match expr:
            case Number(value=number):
                return dim(number)
            case Name(text=name):
                return self._name(name, offset, depth + 1)
            case Cast(operand=inner):
                return self.value(inner, offset, depth + 1)
            case SizeOf(text=text):
                return self._size_of(text, offset, depth + 1)
            case Unary(op="*", operand=inner) if self.opaque is not None:
                return self.opaque(Subscript(inner, Number(0)), offset)
            case Unary(op=op, operand=inner):
                return unary(op, self.value(inner, offset, depth + 1))
            case Conditional(test=test, then=then, other=other):
                return self._conditional(test, then, other, offset, depth + 1)
            case Binary(op=op, left=left, right=right):
                a, b = self.value(left, offset, depth + 1), self.value(right, offset, depth + 1)
                if op == "+" and a is not None and isinstance(right, Binary) and right.op in (">", "!="):
                    rounded = self._rounded_up(right, a + 1, a, offset, depth + 1)  # `a / b + (a % b > 0)`
                    if rounded is not None:
                        return rounded
                return short_cut(op, a, b) if a is None or b is None else binary(op, a, b)
            case Call():
                found = self._call(expr, offset, depth + 1)
                return self.opaque(expr, offset) if found is None and self.opaque is not None else found
            case _:
                return self.opaque(expr, offset) if self.opaque is not None else None

    # -- names ----------------------------------------------------------------------------------------------

    def _name(self, name: str, offset: int, depth: int) -> Dim | None:
        if name in self.values:
            return self.values[name]
        if name == "warpSize":
            return dim(name) if self.root.is_for_amd else dim(32)
        if self.function is not None and any(t.name == name for t in self.function.templates):
            return self._parameter(name, depth)
        if "::" in name:
            told = trait(name, lambda text: self.bound.get(text, text)) if "<" in name else None
            return dim(int(told)) if told is not None else self._qualified(name, offset, depth)
        found = self._variable(name, offset)
        if found is not None:
            return self._declared(*found, name, offset, depth)
        for unit in self._units(name):
            macros = unit.source.macros.get(name.encode())
            if macros:
                return self._macro(macros[-1].body.decode("utf-8", "replace"), offset, depth)
        free = self.free(name, offset) if self.free is not None else None
        if free is not None and (free.name != name or self._is_held(name)):
            return free
        around = self._around(name, offset, depth)
        return free if around is None else around

    def _is_held(self, name: str) -> bool:
        """Whether a name is a parameter of the function, or may be a member of its class."""
        if self.function is not None and any(p.name == name for p in self.function.params):
            return True
        seen = (declared for unit in self._units(name) for declared in unit.declarations.variables.get(name, ()))
        return any(declared.owner for declared in seen)

    def _units(self, name: str) -> Iterator[Unit]:
        """The files that may hold a name: this one and its headers, then those of the compiled file."""
        yield from self.unit.with_name(name)
        yield from self.outer.with_name(name) if self.outer is not None else ()

    def _variable(self, name: str, offset: int) -> tuple[Unit, Declaration] | None:
        """The variable or enumerator that a name, perhaps a qualified one, means."""
        last = name.rpartition("::")[2]
        if last is name:
            here = self.unit.declarations.at(name, offset)
            if here is not None and (here.space is None or self._is_nearest(here, offset)):
                return self.unit, here
        found = visible(self.unit, self._units(last), lambda given: given.outside(last), name, offset)
        nearest = [declared for unit, declared in found if unit is found[0][0]]
        return (found[0][0], nearest[-1]) if nearest else None

    def _is_nearest(self, declared: Declaration, offset: int) -> bool:
        """Whether no namespace between a place and a declaration can hold another one of its name."""
        return declared.space == self.unit.declarations.space_at(offset)

    def _around(self, name: str, offset: int, depth: int) -> Dim | None:
        """A constant of the files that include this one, if they agree."""
        found: Dim | None = None
        for unit in self.root.around(name) if self.outwards else ():
            given = visible(self.unit, (unit,), lambda given: given.outside(name), name, offset)
            there, macros = Constants(unit, outwards=False), unit.source.own_macros.get(name.encode())
            if given:
                value = there._declared(*given[-1], name, offset, depth)
            elif macros and macros[-1].params is None:
                value = there._macro(macros[-1].body.decode("utf-8", "replace"), 0, depth)
            else:
                continue  # it mentions the name only by what it includes
            if value is None or (found is not None and value != found):
                return None
            found = value
        return found

    def _macro(self, body: str, offset: int, depth: int) -> Dim | None:
        return self.value(parse_expression(body), offset, depth + 1) if body else None

    def _parameter(self, name: str, depth: int) -> Dim | None:
        given = self.bound.get(name)
        if given is None:
            return dim(name)
        found = self.of_file(self.unit).value(parse_expression(given), 0, depth + 1)
        return found if found is not None else dim(name)

    def _declared(self, unit: Unit, declared: Declaration, name: str, offset: int, depth: int) -> Dim | None:
        constant = declared.words & {"const", "constexpr"} or declared.type.startswith("const ")
        if not constant or (declared.value is None and declared.arguments is None):
            return self.free(name, offset) if self.free is not None else None
        if declared.bounds or declared.pointer:
            return None
        text = declared.value if declared.value is not None else declared.arguments or ""
        text = text.strip()
        if text.startswith("{") and text.endswith("}"):
            text = text[1:-1]
        scope, place = self if unit is self.unit else self.of_file(unit), declared.node.start_byte
        if place not in scope._known:
            scope._known[place] = None  # while it is worked out: what needs itself has no value
            scope._known[place] = scope.value(parse_expression(text), place, depth + 1)
        found = scope._known[place]
        if found is None and self.free is not None:
            return self.free(name, offset)
        return found

    def _qualified(self, name: str, offset: int, depth: int) -> Dim | None:
        """`Traits::kSize` of a struct that is known; of a template parameter it stays a name."""
        owner, _, tail = name.rpartition("::")
        plain = owner.partition("<")[0].rpartition("::")[2]
        if self.function is not None and any(t.name == plain for t in self.function.templates):
            given = self.bound.get(plain)
            if given is None:
                return dim(name)
            owner, plain = given, given.partition("<")[0].rpartition("::")[2]
        path = owner.partition("<")[0]
        types_ = visible(self.unit, self.unit.with_name(plain), lambda given: _types(given, plain), path, offset)
        aliases = [alias for _, alias in types_ if isinstance(alias, Alias)]
        if aliases and depth < MAX_DEPTH:
            return self._qualified(f"{aliases[-1].aliased}::{tail}", offset, depth + 1)
        structs = [(unit, struct) for unit, struct in types_ if isinstance(struct, Struct)]
        if structs:
            arguments = [self.bound.get(argument, argument) for argument in template_arguments(owner)]
            struct = meant([one for _, one in structs], arguments, lambda text: self.is_known(text, offset))
            if struct is None:
                return dim(name)
            unit = next(unit for unit, one in structs if one is struct)
            member = next((f for f in struct.fields if f.name == tail), None)
            if member is not None and member.value is not None:
                bound = {
                    t: self._bound_text(a, offset, depth) for t, a in zip(struct.templates, arguments, strict=False)
                }
                place = struct.node.start_byte
                if place in self.within and any(value is None or value.const is None for value in bound.values()):
                    return None  # a template that calls itself, on numbers that nobody knows: it has no end
                around = replace(self.of_file(unit), within=(*self.within, place))
                inner = around.inside(struct, bound, depth)
                return inner.value(parse_expression(member.value), member.node.start_byte, depth + 1)
        found = self._variable(f"{path}::{tail}", offset)
        if found is None or found[1].value is None or found[1].owner:
            return self._named_constant(name)
        value = self._declared(*found, tail, offset, depth)
        return self._named_constant(name) if value is None else value

    def _named_constant(self, name: str) -> Dim | None:
        """A constant of a library, or of a class that is not at hand: that by its name where it is understood, in host
        code."""
        known = LIBRARY_CONSTANTS.get(name)
        if known is not None:
            return dim(known)
        return dim(name) if self.opaque is not None and len(name) <= MAX_NAMED else None

    def is_known(self, text: str, offset: int) -> bool:
        """Whether a template argument stands for one type or number."""
        plain = plain_name(text)
        if types.layout(text) is not None or any(
            unit.declarations.structs.get(plain) for unit in self.unit.with_name(plain)
        ):
            return True
        value = self.evaluate(text, offset)
        return value is not None and value.const is not None

    def _bound_text(self, argument: str, offset: int, depth: int) -> Dim | None:
        return self.value(parse_expression(argument), offset, depth + 1)

    # -- operations -----------------------------------------------------------------------------------------

    def _conditional(self, test: Expr, then: Expr, other: Expr, offset: int, depth: int) -> Dim | None:
        decided = self.value(test, offset, depth)
        if decided is not None and decided.const is not None:
            return self.value(then if decided.const else other, offset, depth)
        first, second = self.value(then, offset, depth), self.value(other, offset, depth)
        if first is None or second is None:
            return None
        if first == second:
            return first
        rounded = self._rounded_up(test, first, second, offset, depth)
        if rounded is not None:
            return rounded
        return extreme_of(test, first, second, lambda e: self.value(e, offset, depth))

    def _rounded_up(self, test: Expr, then: Dim, other: Dim, offset: int, depth: int) -> Dim | None:
        """`a % b ? a / b + 1 : a / b` is a division that rounds up; so is `a % b == 0 ? a / b : a / b + 1`."""
        if isinstance(test, Binary) and test.op == "==" and self.value(test.right, offset, depth) == 0:
            then, other, test = other, then, test.left
        elif isinstance(test, Binary) and test.op in ("!=", ">") and self.value(test.right, offset, depth) == 0:
            test = test.left
        if not isinstance(test, Binary) or test.op != "%":
            return None
        a, b = self.value(test.left, offset, depth), self.value(test.right, offset, depth)
        if a is None or b is None or b.const == 0 or other != a // b or then != other + 1:
            return None
        return ceil_div(a, b)

    def _call(self, call: Call, offset: int, depth: int) -> Dim | None:
        name = call.name
        if name in _MINIMA or name in _MAXIMA:
            values = [self.value(argument, offset, depth) for argument in call.args]
            known = [value for value in values if value is not None]
            if len(known) < max(2, len(values)):
                return None
            return minimum(*known) if name in _MINIMA else maximum(*known)
        if name in _ROUNDING_UP:
            parts = quotient(call.args[0]) if len(call.args) == 1 else None
            a, b = (self.value(part, offset, depth) for part in parts) if parts is not None else (None, None)
            return ceil_div(a, b) if a is not None and b is not None and b.const != 0 else None
        if name.rpartition("::")[2] in _CASTS or name in _CASTS or name in types.SCALARS:
            if len(call.args) == 1:
                return self.value(call.args[0], offset, depth)
            return self.value(parse_expression(call.templates[0]), offset, depth) if call.templates else None
        if name.startswith(".") or name in ("", "()"):
            return None
        for unit, function in functions_meant(self.unit, self.unit.find(name), name, offset):
            if not len(call.args) <= len(function.params) <= len(call.args) + len(_defaults(unit, function)):
                continue
            body = _RETURN.search(unit.source.text(function.body))
            if body is None:
                return None
            given: dict[str, Dim] = {}
            for parameter, argument in zip(function.params, call.args, strict=False):
                value = self.value(argument, offset, depth)
                if value is None:
                    return None
                given[parameter.name] = value
            there = self.of_file(unit)
            for name, text in _defaults(unit, function).items():
                value = there.evaluate(text, function.body.start_byte, depth) if name not in given else None
                if value is not None:
                    given[name] = value
            for template, text in zip(function.templates, call.templates, strict=False):
                value = self.evaluate(text, offset, depth)
                if value is not None:
                    given[template.name] = value
            inner = Constants(unit, function, {}, None, given, None, self._outer_of(unit), self.outwards)
            return inner.value(parse_expression(body[1].strip()), function.body.start_byte + 1, depth + 1)
        if name.removeprefix("::") in _ROUNDED_QUOTIENTS and len(call.args) == 2:
            a, b = (self.value(argument, offset, depth) for argument in call.args)
            return ceil_div(a, b) if a is not None and b is not None and b.const != 0 else None
        return None

    # -- types ----------------------------------------------------------------------------------------------

    def _size_of(self, text: str, offset: int, depth: int) -> Dim | None:
        declared = self.unit.declarations.at(text, offset) if re.fullmatch(r"\w+", text) else None
        if declared is not None:
            size = self.size_of(declared.type + ("*" if declared.pointer else ""), offset, depth)
            for bound in declared.bounds:
                length = self.evaluate(bound, offset, depth)
                size = size * length if size is not None and length is not None else None
            return size
        return self.size_of(text, offset, depth)

    def size_of(self, type_text: str, offset: int, depth: int = 0) -> Dim | None:
        """The bytes of a type; `sizeof(T)` of a template parameter."""
        found = layout_of(self, type_text, offset, depth)
        return found[0] if found is not None else None

    # -- other scopes ---------------------------------------------------------------------------------------

    def of_file(self, unit: Unit) -> Constants:
        """The constants of another file that is compiled with this one, outside of its functions."""
        return Constants(unit, outer=self._outer_of(unit), outwards=self.outwards, within=self.within)

    def _outer_of(self, unit: Unit) -> Unit | None:
        return self.root if unit is not self.root else None

    def inside(self, struct: Struct, bound: Mapping[str, Dim | None], depth: int) -> Constants:
        """What names mean inside of a struct of this file: its template parameters, and its own constants."""
        known: dict[str, Dim | None] = dict(bound)
        values = {f.name: f for f in struct.fields if f.value is not None}

        def free(name: str, offset: int) -> Dim | None:
            member = values.get(name)
            if name not in known and member is not None and member.value is not None:
                known[name] = None  # while it is worked out
                known[name] = inner.value(parse_expression(member.value), member.node.start_byte, depth + 8)
            found = known.get(name)
            return around.free(name, offset) if found is None and around.free is not None else found

        around = self if struct.space is None else self.of_file(self.unit)
        inner = replace(around, free=free)
        return inner


def _types(declarations: Declarations, name: str) -> list[Alias | Struct]:
    """Aliases and structs of a name; not `using Traits = Traits<T>;`."""
    aliases = declarations.aliases.get(name, ())
    others = (one for one in aliases if one.aliased.partition("<")[0].rpartition("::")[2].strip() != name)
    return [*others, *declarations.structs.get(name, ())]


def _defaults(unit: Unit, function: Function) -> dict[str, str]:
    """The parameters that may be left out, with what they are then."""
    defaults = ((p.name, p.node.child_by_field_name("default_value")) for p in function.params)
    return {name: unit.source.text(node) for name, node in defaults if node is not None}
