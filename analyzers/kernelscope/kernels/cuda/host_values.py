"""Values of host code at one place: integers, `dim3`s and launch configurations, with inputs as names.

A variable that is assigned again on the way is a name of its own: nothing is guessed about which value it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from kernelscope.dims import Dim, dim, maximum, minimum
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.arithmetic import binary
from kernelscope.kernels.cuda.branch_values import BranchValue
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.lookup import functions_meant
from kernelscope.kernels.cuda.member_values import member_given
from kernelscope.kernels.cuda.references import is_handed_out, sole_filler
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.ways import Branch, is_made, is_repeated
from kernelscope.syntax.cuda.expressions import (
    Call,
    Cast,
    Conditional,
    Expr,
    Member,
    Name,
    Subscript,
    parse_expression,
    spelled,
    split_arguments,
    walk_expression,
)
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.macros import Expansion, closing
from kernelscope.syntax.cuda.mapped import Mapped
from kernelscope.syntax.cuda.nodes import one_line

MAX_FOLLOWED = 16
MAX_SPELLED = 60
MAX_ALIASES = 4
_EXTENTS = frozenset(("dim3", "uint3", "std::array", "make_uint3", "dim3_t"))
_NUMBERS = frozenset((".size", ".numel", ".dim", ".stride", ".length"))
"""Methods of tensors and containers that return a number."""
_CONFIG_FIELDS = ("gridDim", "blockDim", "dynamicSmemBytes", "stream")
_CLUSTER_FIELDS = ("grid_dims", "block_dims", "cluster_dims", "dynamic_smem_size_in_bytes", "cuda_stream")
"""Members of `cudaLaunchConfig_t` and of CUTLASS's `ClusterLaunchParams`, in their order."""

_CALLED = re.compile(rb"[A-Za-z_]\w*(?=\s*\()")
_CALLED_BEFORE = re.compile(rb"(?<![\w:])[\w:]+\s*\Z")
_INITIAL = re.compile(rb"\s*(?:=|\(|\{)")
"""What follows a declared name and gives it its first value."""

Extent = tuple[Dim | None, Dim | None, Dim | None]
UNKNOWN_EXTENT: Extent = (None, None, None)


@dataclass(frozen=True)
class Given:
    """An argument as its caller writes it."""

    caller: HostValues
    text: str
    offset: int


@dataclass
class HostValues:
    """The values in one host function; None stands for code outside of any."""

    unit: Unit
    function: Function | None
    depth: int = 0
    given: Mapping[str, Given] = field(default_factory=dict[str, Given])
    """Parameters of the function with their arguments, where it is looked at for one call."""
    branches: Mapping[str, BranchValue] = field(default_factory=dict[str, BranchValue])
    """What the branches around the place that is asked about say of variables."""
    place: int = 0
    """That place."""
    chosen: tuple[Branch, ...] = ()
    """Branches before it, for one of the ways through them."""

    @cached_property
    def constants(self) -> Constants:
        return Constants(self.unit, self.function, {}, self._variable, opaque=self._opaque, values=self._templates)

    @property
    def _templates(self) -> dict[str, Dim]:
        """The numbers that the call gives template parameters."""
        templates = self.function.templates if self.given and self.function is not None else ()
        found = {t.name: self._variable(t.name, 0) for t in templates if t.name in self.given}
        return {name: value for name, value in found.items() if value is not None}

    def value(self, text: str, offset: int) -> Dim | None:
        """An integer expression; None where it holds what cannot be told."""
        return self.constants.evaluate(self._expanded(text), offset)

    def extent(self, text: str, offset: int) -> Extent:
        """A grid or block: three numbers of blocks or threads."""
        return self._extent(parse_expression(self._expanded(text)), offset, 0) if text.strip() else UNKNOWN_EXTENT

    def _expanded(self, text: str) -> str:
        """With what macros that take arguments stand for: a launch is told as the user wrote it."""
        macros, data = self.unit.source.macros, text.encode()
        if not any(macro.params is not None for name in _CALLED.findall(data) for macro in macros.get(name, ())):
            return text
        expanded = Expansion(macros, self.unit.path).expand(Mapped.of_file(data))
        return expanded.data.decode("utf-8", "replace")

    def configuration(self, name: str, offset: int) -> tuple[str, ...]:
        """Grid, block, bytes and stream that a launch configuration holds, as written."""
        declared = self.unit.declarations.at(name, offset)
        is_cluster = declared is not None and declared.type.rpartition("::")[2] == "ClusterLaunchParams"
        members = _CLUSTER_FIELDS if is_cluster else _CONFIG_FIELDS
        if declared is not None and declared.value is not None and declared.value.startswith("{"):
            inner = split_arguments(declared.value[1:-1])
            if len(inner) >= 2 and not any(part.startswith(".") for part in inner):
                fields = dict(zip(members, inner, strict=False))
            else:
                fields = {p.partition("=")[0].strip(" ."): p.partition("=")[2].strip() for p in inner}
        else:
            fields = {}
        for member in members:
            assigned = self._assigned_member(name, member, offset)
            if assigned is not None:
                fields[member] = assigned
        found = [fields.get(member, "") for member in members if member != "cluster_dims"]
        while found and not found[-1]:
            found.pop()
        return tuple(one_line(part) or "0" for part in found)

    # -- integers -------------------------------------------------------------------------------------------

    def _variable(self, name: str, offset: int) -> Dim | None:
        """What a name that is no constant holds: its only value, else itself."""
        said = self.branches.get(name) if name not in self.given else None
        if said is not None and not self._may_change(name, said.begin, offset):
            return dim(said.number)
        if (assigned := self._assigned_parameter(name, offset)) is not None:
            return assigned
        if (argument := self.given.get(name)) is not None:
            return argument.caller.value(argument.text, argument.offset)
        declared = self.unit.declarations.at(name, offset)
        if declared is None or declared.bounds:
            return dim(name)
        text, at = declared.value if declared.value is not None else declared.arguments, declared.node.start_byte
        changes = self._changes(name, declared.node.end_byte, offset)
        if text is not None and len(changes) == 1 and (limit := self._limit(name, changes[0])) is not None:
            least, bound = limit
            inner = self._deeper().constants
            found, most = inner.evaluate(text.strip().strip("{}"), at), inner.evaluate(bound, changes[0])
            if found is not None and most is not None and self.depth <= MAX_FOLLOWED and declared.scope[0]:
                return maximum(found, most) if least else minimum(found, most)
        if self.chosen:
            changes = [change for change in changes if self._is_made(change, offset) is not False]
        if len(changes) == 1 and (text is None or (self.chosen and self._is_made(changes[0], offset))):
            text, at, changes = self.unit.assignments.value(changes[0]), changes[0], []
        if text is None or declared.scope[0] == 0 or changes or self.depth > MAX_FOLLOWED or not text.strip():
            return dim(name)
        if is_handed_out(self.unit, name, declared.node.end_byte, offset, is_set=True):
            return dim(name)
        inner = self._deeper()
        found = inner.constants.evaluate(text.strip().strip("{}"), at)
        return found if found is not None else dim(name)

    def _assigned_parameter(self, name: str, offset: int) -> Dim | None:
        """What a parameter holds that the function itself gives another value: this one if it surely does."""
        if self.function is None or not any(p.name == name for p in self.function.params):
            return None
        start = self.function.body.start_byte
        changes = self.unit.assignments.between(name, start, offset)
        if not changes or self.unit.declarations.at(name, offset) is not None:
            return None
        text, last = self.unit.assignments.value(changes[-1]), changes[-1]
        repeated = is_repeated(self.unit.source.expanded, start, last)
        if text is None or self.depth > MAX_FOLLOWED or repeated or not self._is_made(last, offset):
            return dim(name)
        found = self._deeper().constants.evaluate(text, last)
        return found if found is not None else dim(name)

    def _is_made(self, assigned: int, offset: int) -> bool | None:
        return is_made(self.unit.source.expanded, assigned, offset, self.chosen)

    def _limit(self, name: str, change: int) -> tuple[bool, str] | None:
        """Whether a change is `if (name > bound) name = bound;`: if it is a least value, and the bound."""
        bound = self.unit.assignments.value(change)
        before = self.unit.source.expanded[max(0, change - MAX_SPELLED) : change].decode("latin-1")
        found = re.search(rf"\bif\s*\(\s*{re.escape(name)}\s*([<>])=?\s*([^;{{}}]+?)\s*\)\s*\{{?\s*\Z", before)
        if bound is None or found is None or "".join(found[2].split()) != "".join(bound.split()):
            return None
        return found[1] == "<", bound

    def _may_change(self, name: str, begin: int, offset: int) -> bool:
        """Whether a variable may hold something else where a branch begins than at an offset that it is asked for."""
        start, end = min(begin, offset), max(offset, self.place)
        return bool(self.unit.assignments.between(name, start, end)) or is_handed_out(self.unit, name, start, end, True)

    def _changes(self, name: str, start: int, end: int) -> list[int]:
        """Where a variable is assigned, counted up or handed out by address between two places."""
        first = _INITIAL.match(self.unit.source.expanded, start)
        return self.unit.assignments.between(name, first.end() if first else start, end)

    def _opaque(self, expr: Expr, offset: int) -> Dim | None:
        """A size of a `dim3`, else what the expression is called: `params.batch`, `x.size(0)`."""
        if (
            isinstance(expr, Member)
            and expr.name in "xyz"
            and isinstance(expr.base, Name)
            and self.depth < MAX_FOLLOWED
        ):
            declared = self.unit.declarations.at(expr.base.text, offset)
            if declared is not None and declared.type.rpartition("::")[2] in _EXTENTS:
                found = self._deeper().extent(expr.base.text, offset)
                size = found["xyz".index(expr.name)]
                if size is not None:
                    return size
        if isinstance(expr, Member) and (member := self._given_member(expr)) is not None:
            return member.caller.value(member.text, member.offset)
        if isinstance(expr, Member | Subscript | Call) and not (isinstance(expr, Call) and expr.name in ("", "()")):
            text = spelled(expr)
            for part in walk_expression(expr):
                if isinstance(part, Name) and (argument := self.given.get(part.text)) is not None:
                    if not argument.text.isidentifier():
                        return None  # in the words of another function than the caller's
                    text = re.sub(rf"(?<![\w.]){re.escape(part.text)}\b", argument.text, text)
            return dim(text) if len(text) <= MAX_SPELLED else None
        return None

    # -- extents --------------------------------------------------------------------------------------------

    def _extent(self, expr: Expr, offset: int, depth: int) -> Extent:
        if depth > MAX_FOLLOWED:
            return UNKNOWN_EXTENT
        match expr:
            case Name(text=name):
                if (argument := self.given.get(name)) is not None:
                    return argument.caller.extent(argument.text, argument.offset)
                return self._named_extent(name, offset, depth)
            case Member() if (member := self._given_member(expr)) is not None:
                return member.caller.extent(member.text, member.offset)
            case Call(name=name, args=args) if name.rpartition("::")[2] in _EXTENTS or name == "":
                if len(args) == 1 and not self._is_number(args[0], offset):
                    return self._extent(args[0], offset, depth + 1)
                sizes = [self.constants.value(argument, offset) for argument in args[:3]]
                return _filled(sizes)
            case Call(name="static_cast", templates=(kind,)) if types.bare(kind) in types.INTEGERS:
                return _filled([self.constants.value(expr, offset)])
            case Call(name=name, args=args) if not name.startswith("."):
                returned = self._returned(name, args, offset, depth)
                return returned if returned is not None else self._single(expr, offset)
            case Conditional(then=then, other=other):
                decided = self.constants.value(expr, offset)
                if decided is not None:
                    return decided, dim(1), dim(1)
                first, second = self._extent(then, offset, depth + 1), self._extent(other, offset, depth + 1)
                return first if first == second else UNKNOWN_EXTENT
            case Cast(type=kind, operand=inner):
                if types.bare(kind) in types.INTEGERS:
                    return _filled([self.constants.value(inner, offset)])
                return self._extent(inner, offset, depth + 1)
            case _:
                return self._single(expr, offset)

    def _deeper(self) -> HostValues:
        return replace(self, depth=self.depth + 1)

    def _given_member(self, expr: Member) -> Given | None:
        """What a caller gave a member of a struct that it passes."""
        argument = self.given.get(expr.base.text) if isinstance(expr.base, Name) else None
        text = member_given(argument.caller.unit, argument.text, argument.offset, expr.name) if argument else None
        return Given(argument.caller, text, argument.offset) if argument is not None and text is not None else None

    def _is_number(self, expr: Expr, offset: int) -> bool:
        if isinstance(expr, Name):
            declared = self.unit.declarations.at(expr.text, offset)
            return declared is None or declared.type.rpartition("::")[2] not in _EXTENTS
        return not (isinstance(expr, Call) and expr.name.rpartition("::")[2] in _EXTENTS)

    def _single(self, expr: Expr, offset: int) -> Extent:
        """The extent that a number makes; of what may as well be three numbers nothing is known."""
        value = self.constants.value(expr, offset)
        if value is not None and value.name is not None and not self._counts(expr):
            return UNKNOWN_EXTENT
        return (value, dim(1), dim(1)) if value is not None else (None, dim(1), dim(1))

    def _counts(self, expr: Expr) -> bool:
        """Whether a parameter, a member or what a method returns is a number."""
        match expr:
            case Name(text=name):
                params = self.function.params if self.function is not None else ()
                types_ = [parameter.type for parameter in params if parameter.name == name]
                return not any(is_extent(type_) for type_ in types_)
            case Member(name=name):
                owned = (d for seen in self.unit.with_name(name) for d in seen.declarations.variables.get(name, ()))
                types_ = [declared.type for declared in owned if declared.owner]
            case Call(name=name) if name in _NUMBERS or name in types.INTEGERS:
                return True
            case Call(name=name) if name.encode() in self.unit.source.macros:
                return True
            case Call(name=name):
                types_ = [function.result for _, function in self.unit.find(name.lstrip("."))]
            case _:
                return True
        return bool(types_) and not any(is_extent(type_) for type_ in types_)

    def _named_extent(self, name: str, offset: int, depth: int) -> Extent:
        declared = self.unit.declarations.at(name, offset)
        if declared is None or declared.type.rpartition("::")[2] not in (*_EXTENTS, "auto"):
            return self._single(Name(name), offset)
        start = declared.node.end_byte
        if declared.arguments is not None:
            extent = self._extent(Call("dim3", (), tuple(map(parse_expression, split_arguments(declared.arguments)))),
                                  declared.node.start_byte, depth + 1)  # fmt: skip
        elif declared.value is not None:
            extent = self._extent(parse_expression(declared.value), declared.node.start_byte, depth + 1)
        else:
            extent = (dim(1), dim(1), dim(1))
        if is_handed_out(self.unit, name, start, offset, declared.arguments is not None or declared.value is not None):
            return self._filled_extent(name, extent, start, offset, depth)
        first = _INITIAL.match(self.unit.source.expanded, start)
        assigned = self.unit.assignments.between(name, first.end() if first else start, offset)
        ways = {at: self._is_made(at, offset) for at in assigned}
        made = [at for at in assigned if ways[at] is not False]
        if len(made) > 1 or any(ways[at] is None for at in made):
            return UNKNOWN_EXTENT
        for at in made:
            text = self.unit.assignments.value(at)
            extent = self._extent(parse_expression(text), at, depth + 1) if text is not None else UNKNOWN_EXTENT
        return self._with_members(name, extent, start, offset)

    def _filled_extent(self, name: str, extent: Extent, start: int, offset: int, depth: int) -> Extent:
        """What a helper function makes of a `dim3` that it takes by reference: `configure(grid, block, n);`."""
        filler = sole_filler(self.unit, name, start, offset) if depth <= MAX_FOLLOWED >= self.depth else None
        if filler is None or self.unit.assignments.between(name, start, offset):
            return UNKNOWN_EXTENT
        argument, unit, function = filler
        close = closing(self.unit.source.expanded, argument.opening)
        called = _CALLED_BEFORE.search(self.unit.source.expanded, start, argument.opening)
        if close is None or called is None or not self._is_made(called.start(), offset):
            return UNKNOWN_EXTENT
        written = split_arguments(self.unit.source.expanded[argument.opening + 1 : close].decode("utf-8", "replace"))
        filled = function.params[self.unit.arguments.position(argument)].name
        given = {
            p.name: Given(self, text, argument.start)
            for p, text in zip(function.params, written, strict=False)
            if not (p.type.endswith("&") and "const" not in p.type.split())
        }
        inner = HostValues(unit, function, self.depth + 1, given=given)
        begin, end = function.body.start_byte, function.body.end_byte - 1
        if is_handed_out(unit, filled, begin, end, True):
            return UNKNOWN_EXTENT
        for i, at in enumerate(unit.assignments.between(filled, begin, end)):
            text = unit.assignments.value(at)
            if i or text is None or not inner._is_made(at, end):
                return UNKNOWN_EXTENT
            extent = inner._extent(parse_expression(text), at, depth + 1)
        own = {declared.name for declared in unit.declarations.within(function.body)} | {
            p.name for p in function.params
        }
        x, y, z = (
            None if size is None or not own.isdisjoint(map(_base, size.names())) else size
            for size in inner._with_members(filled, extent, begin, end)
        )
        return x, y, z

    def _with_members(self, name: str, extent: Extent, start: int, end: int) -> Extent:
        """`grid.x = n;` and `grid.x /= 2;` after the declaration."""
        sizes = list(extent)
        for i, member in enumerate("xyz"):
            for assigned in self.unit.assignments.between(name, start, end, member):
                made = self._is_made(assigned, end)
                limit = self._limit(f"{name}.{member}", assigned) if made is None else None
                bound = self.constants.evaluate(limit[1], assigned) if limit is not None else None
                if limit is not None and bound is not None and (size := sizes[i]) is not None:
                    sizes[i] = maximum(size, bound) if limit[0] else minimum(size, bound)
                elif made is not False:
                    sizes[i] = self._changed(sizes[i], assigned, start) if made else None
        return sizes[0], sizes[1], sizes[2]

    def _changed(self, size: Dim | None, assigned: int, start: int) -> Dim | None:
        """A size after an assignment."""
        operator, text = self.unit.assignments.change(assigned)
        value = self.constants.evaluate(text, assigned) if text else None
        if operator == "=" or value is None:
            return value
        if size is None or is_repeated(self.unit.source.expanded, start, assigned):
            return None
        return binary(operator[:-1], size, value)

    def _assigned_member(self, name: str, member: str, offset: int) -> str | None:
        start = self.function.body.start_byte if self.function is not None else 0
        assigned = self.unit.assignments.between(name, start, offset, member)
        return self.unit.assignments.value(assigned[-1]) if assigned else None

    def _of_class(self, name: str, offset: int) -> list[tuple[Unit, Function]]:
        """The functions that a name means: of methods only those of the class by which it is qualified."""
        seen = self.unit.find(name)
        found = functions_meant(self.unit, seen, name, offset) or list(seen)
        qualifier = name.rpartition("::")[0]
        if qualifier and any(function.owner for _, function in found):
            meant = self._class(qualifier, offset)
            return [item for item in found if item[1].owner.partition("<")[0].strip() == meant]
        return found

    def _class(self, name: str, offset: int) -> str:
        """The class that a name stands for, without its template arguments."""
        for _ in range(MAX_ALIASES):
            name = name.partition("<")[0].strip().rpartition("::")[2]
            aliased = self.unit.declarations.aliases.get(name, ())
            inside = [(a.scope[0], a.aliased) for a in aliased if a.scope[0] <= offset < a.scope[1]]
            if not inside:
                break
            name = max(inside)[1]
        return name

    def _returned(self, name: str, args: tuple[Expr, ...], offset: int, depth: int) -> Extent | None:
        """What a helper function that returns a `dim3` gives."""
        for unit, function in self._of_class(name, offset):
            if function.result.rpartition("::")[2] not in _EXTENTS or len(function.params) < len(args):
                continue
            returns = re.findall(r"\breturn\b(.*?);", unit.source.text(function.body), re.DOTALL)
            if len(returns) != 1:
                return UNKNOWN_EXTENT
            passed = {p.name: Given(self, spelled(a), offset) for p, a in zip(function.params, args, strict=False)}
            inner = HostValues(unit, function, self.depth + 1, given=passed)
            return inner._extent(parse_expression(returns[0]), function.body.end_byte - 1, depth + 1)
        return None


def _base(name: str) -> str:
    """The variable of which a name is a member."""
    return name.partition(".")[0]


def is_extent(type_text: str) -> bool:
    """Whether a type holds three numbers, or may."""
    return types.bare(type_text).rstrip("& ").rpartition("::")[2] in (*_EXTENTS, "auto")


def _filled(sizes: list[Dim | None]) -> Extent:
    filled = [*sizes, *([dim(1)] * (3 - len(sizes)))]
    return filled[0], filled[1], filled[2]
