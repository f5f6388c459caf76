"""What a kernel does besides computing: barriers, warp operations, atomics, tensor cores, copies, with their lines.

Follows calls into device functions of the file and its headers, methods of known types included. What is called and
not found there is remembered, so that nobody takes silence for knowledge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from tree_sitter import Node

from kernelscope.dims import Dim, dim
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.assembly import assembly_effects
from kernelscope.kernels.cuda.branches import Branches
from kernelscope.kernels.cuda.constants import Constants
from kernelscope.kernels.cuda.deduction import deduced_arguments
from kernelscope.kernels.cuda.intrinsics import (
    ANY_OBJECT,
    METHODS,
    Effect,
    Kind,
    effect_of,
    library_types,
    object_kind,
)
from kernelscope.kernels.cuda.library_objects import objects_of
from kernelscope.kernels.cuda.lookup import functions_meant
from kernelscope.kernels.cuda.overloads import (
    aliased,
    has_pack,
    is_compilers_own,
    specialised,
    takes_arguments,
    takes_pointers,
)
from kernelscope.kernels.cuda.units import Unit
from kernelscope.results import Location
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.functions import Function, FunctionKind
from kernelscope.syntax.cuda.nodes import one_line
from kernelscope.syntax.cuda.source import BRANCHES, LOOPS, CallSite

MAX_FUNCTIONS = 400
MAX_WALKS = 24
"""Sets of template arguments for which one function is read; a template that calls itself has one for each step."""
MAX_DEPTH = 16
MAX_INSTANCES = 8
MAX_OVERLOADS = 6
"""Functions of a name of which each may be meant."""
_MMA_ATOM = re.compile(r"SM(?<!\wSM)(\d+)_(\d+)x(\d+)x(\d+)_\w+")
_POINTED = re.compile(r"[(*&\s]*(\w+)")
"""What an object is called by, also through a pointer: `(*p)`."""
_ADDRESS = re.compile(r"\s*&\s*(\w+)\s*")
_FRAGMENT = re.compile(r"\bfragment\s*<[^,<>]*,\s*([\w:]+)\s*,\s*([\w:]+)\s*,\s*([\w:]+)")


@dataclass(frozen=True, slots=True)
class Operation:
    """One place in source that does something."""

    effect: Effect
    location: Location
    function: Function
    in_loop: bool
    in_branch: bool
    arguments: tuple[str, ...] = ()
    direct: bool = True
    """Whether it stands in the kernel itself."""
    open: bool = False
    """Whether it stands in an `if constexpr` of which it is not known that all instances take it."""

    @property
    def kind(self) -> Kind:
        return self.effect.kind


Key = tuple[str, int, tuple[tuple[str, str], ...], tuple[tuple[str, Dim], ...]]


@dataclass(frozen=True, slots=True)
class Reached:
    """A function that a kernel runs, with what its template parameters are given there."""

    unit: Unit
    function: Function
    bound: tuple[tuple[str, str], ...] = ()
    root: Unit | None = None
    """The file of the kernel."""
    values: tuple[tuple[str, Dim], ...] = ()
    """Template parameters whose values follow from those of the kernel, in its words."""

    @property
    def key(self) -> Key:
        """The same for all calls that run the function in the same way."""
        return self.unit.path, self.function.body.start_byte, self.bound, self.values

    @property
    def constants(self) -> Constants:
        outer = self.root if self.root is not self.unit else None
        return Constants(self.unit, self.function, dict(self.bound), values=dict(self.values), outer=outer)

    def instance(self, numbers: Mapping[str, int]) -> Constants:
        """The same with numbers for the template parameters of the kernel."""
        if self.function.kind is FunctionKind.KERNEL:
            return replace(self.constants, values={name: dim(number) for name, number in numbers.items()})
        return replace(self.constants, values={name: value.subs(numbers) for name, value in self.values})


@dataclass
class Behaviour:
    """Everything found on the way through a kernel."""

    operations: list[Operation] = field(default_factory=list[Operation])
    reached: list[Reached] = field(default_factory=list[Reached])
    """The kernel first."""
    unresolved: set[str] = field(default_factory=set[str])
    """Functions that are called and whose source is not here."""
    complete: bool = True
    instances: tuple[Mapping[str, int], ...] = ()
    """Numbers that launches give the kernel's template parameters; branches that none of them takes are left out."""
    calls: dict[Key, list[tuple[Reached, Node]]] = field(default_factory=dict["Key", "list[tuple[Reached, Node]]"])
    """By function that is reached: those that call it, and where."""

    def branches(self, one: Reached) -> Branches:
        """The branches of a function that the kernel runs."""
        instances = [one.instance(numbers) for numbers in self.instances]
        return Branches(one.unit.source, one.constants, instances)

    def of(self, kind: Kind) -> list[Operation]:
        return [operation for operation in self.operations if operation.kind is kind]


def behaviour(
    unit: Unit,
    kernel: Function,
    bound: Mapping[str, str] | None = None,
    instances: tuple[Mapping[str, int], ...] = (),
) -> Behaviour:
    """Walks a kernel and the device functions it calls."""
    found = Behaviour(instances=instances if 0 < len(instances) <= MAX_INSTANCES else ({},))
    todo: list[tuple[Reached, int]] = [(Reached(unit, kernel, tuple(sorted((bound or {}).items())), unit), 0)]
    seen: set[Key] = set()
    walks: Counter[tuple[str, int]] = Counter()
    while todo:
        reached, depth = todo.pop(0)
        key = reached.key
        if key in seen:
            continue
        place = reached.unit.path, reached.function.body.start_byte
        walks[place] += 1
        if walks[place] > MAX_WALKS:
            found.complete = False
            continue
        if len(seen) >= MAX_FUNCTIONS or depth > MAX_DEPTH:
            found.complete = False
            break
        seen.add(key)
        found.reached.append(reached)
        todo.extend((callee, depth + 1) for callee in _Walk(reached, depth == 0, found).run())
    if any(operation.effect.text.startswith("wgmma ") for operation in found.operations):
        # a fence tells of instructions that are not in sight; here they are
        found.operations = [operation for operation in found.operations if operation.effect.text != "wgmma"]
    return found


_TYPE_NAME = re.compile(r"(?!(?:const|volatile|__shared__|typename)\b)[A-Za-z_]\w*")


class _Walk:
    """One pass over one function's body."""

    def __init__(self, reached: Reached, direct: bool, found: Behaviour) -> None:
        self.unit, self.function, self.reached = reached.unit, reached.function, reached
        self.direct, self.found = direct, found
        self.source, self.path = reached.unit.source, reached.unit.file
        self.callees: list[Reached] = []
        self.constants = reached.constants
        self.instances = [reached.instance(numbers) for numbers in found.instances]
        self.branches = Branches(self.source, self.constants, self.instances)

    def run(self) -> list[Reached]:
        body = self.function.body
        for site in self.source.calls(body):
            if self.branches.is_dead(site.around, site.node.start_byte):
                continue
            before = len(self.callees)
            if site.node.type == "call_expression":
                self._call(site)
            else:
                self._assembly(site)
            for callee in self.callees[before:]:
                self.found.calls.setdefault(callee.key, []).append((self.reached, site.node))
        self._library_types(CallSite(body, ()))
        return self.callees

    def _add(self, effect: Effect, site: CallSite, arguments: tuple[str, ...] = ()) -> None:
        span = self.source.span(site.node)
        place = self.source.source.location(self.path, span)
        loop = any(node.type in LOOPS for node in site.around)
        branch = any(node.type in BRANCHES and not _is_asked(site.node, node) for node in site.around)
        is_open = any(map(self.branches.is_open, site.around))
        self.found.operations.append(
            Operation(effect, place, self.function, loop, branch, arguments, self.direct, is_open)
        )

    def _numbers(self, text: str, offset: int) -> Iterator[int | None]:
        """What an expression comes to in each instance of the kernel."""
        for constants in self.instances:
            value = constants.evaluate(text, offset)
            yield value.const if value is not None else None

    # -- calls ----------------------------------------------------------------------------------------------

    def _call(self, site: CallSite) -> None:
        node = site.node
        callee = node.child_by_field_name("function")
        if callee is None:
            return
        if callee.type == "field_expression":
            self._method(site, callee)
            return
        written = one_line(self.source.text(callee))
        name, templates = _without_arguments(written)
        arguments = self._arguments(node)
        effect = effect_of(name)
        if effect is not None:
            if effect.text == "wmma":
                effect = Effect(effect.kind, f"wmma {self._fragment()}".strip())
            if effect.kind is Kind.REGISTERS and templates:
                numbers = {str(number) for number in self._numbers(templates[0], node.start_byte) if number is not None}
                effect = Effect(effect.kind, f"{effect.text} {numbers.pop() if len(numbers) == 1 else templates[0]}")
            self._add(effect, site, arguments)
            return
        if self._group_function(name, site, arguments):
            return
        for meaning, given in self._given(name) or ((name, templates),):
            self._follow(meaning, given, arguments, node.start_byte)

    def _given(self, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The functions that a template parameter stands for, where the name is one."""
        if not any(template.name == name for template in self.function.templates):
            return ()
        return tuple(_without_arguments(text.lstrip("&")) for key, text in self.reached.bound if key == name)

    def _group_function(self, name: str, site: CallSite, arguments: tuple[str, ...]) -> bool:
        """`cg::sync(group)`."""
        if name.rpartition("::")[2] != "sync" or "::" not in name or len(arguments) != 1:
            return False
        kind = self._object(arguments[0], site.node.start_byte)
        effect = METHODS.get(kind or "", {}).get("sync")
        if effect is not None:
            self._add(effect, site)
        return effect is not None

    def _method(self, site: CallSite, callee: Node) -> None:
        node = site.node
        base, member = callee.child_by_field_name("argument"), callee.child_by_field_name("field")
        if base is None or member is None:
            return
        name, templates = _without_arguments(one_line(self.source.text(member)))
        written = one_line(self.source.text(base))
        kind = self._object(written, node.start_byte)
        effect = METHODS.get(kind or "", {}).get(name) or ANY_OBJECT.get(name)
        arguments = self._arguments(node)
        if effect is not None:
            self._add(effect, site, arguments)
            return
        owner, given = _without_arguments(self._class_of(written, node.start_byte) or "")
        candidates = [found for found in self.unit.find(name) if found[1].owner]
        exact = [found for found in candidates if found[1].owner.partition("<")[0].strip() == owner]
        made_for = [_without_arguments(found[1].owner)[1] for found in exact]
        exact = self._meant(exact, made_for, given, node.start_byte)
        for unit, function in exact or (candidates if len(candidates) == 1 and owner in ("", "auto") else ()):
            self.callees.append(self._reached(unit, function, templates, node.start_byte))

    def _class_of(self, written: str, offset: int) -> str | None:
        """The class of a parameter or variable, with its template arguments; None for any other expression."""
        if not written.isidentifier():
            return None
        parameter = next((p for p in self.function.params if p.name == written), None)
        declared = self.unit.declarations.at(written, offset) if parameter is None else parameter
        if declared is None:
            return None
        name, given = _without_arguments(aliased(self.unit, types.bare(declared.type).rstrip("&* ")))
        return name.rpartition("::")[2] + (f"<{', '.join(given)}>" if given else "")

    def _object(self, written: str, offset: int) -> str | None:
        """What kind of group or barrier an expression is."""
        direct = object_kind(written) if "(" in written else None
        if direct is not None:
            return direct
        plain = _POINTED.match(written)
        if plain is None:
            return None
        name = plain[1]
        parameter = next((p for p in self.function.params if p.name == name), None)
        if parameter is not None:
            kind = types.bare(parameter.type).rstrip("&* ")
            return kind_of_object(self.unit, dict(self.reached.bound).get(kind, parameter.type))
        declared = self.unit.declarations.at(name, offset)
        if declared is not None and declared.value and (address := _ADDRESS.fullmatch(declared.value)):
            declared = self.unit.declarations.at(address[1], offset)  # a pointer to it
        if declared is None:
            return None
        return kind_of_object(self.unit, declared.type, declared.value or declared.arguments or "")

    def _follow(self, name: str, templates: tuple[str, ...], arguments: tuple[str, ...], offset: int) -> None:
        tail, count = name.rpartition("::")[2], len(arguments)
        candidates = self._callable(name, arguments, offset)
        owner = _without_arguments(name.rpartition("::")[0])[0].rpartition("::")[2]
        meant = functions_meant(self.unit, candidates, name, offset)
        if meant:
            candidates = meant
        elif "::" in name and any(f[1].owner for f in candidates):
            candidates = [f for f in candidates if f[1].owner.partition("<")[0] == owner] or candidates[:1]
        written = [text for text in templates for _ in self._unpacked(text)]
        templates = tuple(one for text in templates for one in self._unpacked(text))
        if len(candidates) > 1:
            candidates = [f for f in candidates if takes_arguments(f[1], written, self.function)] or candidates
        fitting = [f for f in candidates if len(f[1].params) >= count and _required(f[1]) <= count]
        if len(fitting) > 1:
            fitting = self._taking(fitting, arguments, offset) or fitting
        made_for = [function.arguments for _, function in fitting]
        fitting = self._meant(fitting, made_for, templates, offset)
        for unit, function in (fitting or candidates)[:MAX_OVERLOADS]:
            deduced = deduced_arguments(function, templates, arguments, self.unit, self.function, offset)
            self.callees.append(self._reached(unit, function, deduced, offset))
        if not candidates and re.fullmatch(r"[A-Za-z_]\w*", tail):
            made = list(self._conversions(tail, templates, offset))
            self.callees += made
            if not made:
                self.found.unresolved.add(name)

    def _callable(self, name: str, arguments: tuple[str, ...], offset: int) -> list[tuple[Unit, Function]]:
        """The functions of a name that may be called so."""
        found = [f for f in self.unit.find(name) if f[1].kind is not FunctionKind.KERNEL]
        if not found or is_compilers_own(name, arguments, self.unit, self.function, offset):
            return []
        if self.source.is_active(self.function.span.start):  # others are for other compilers or libraries
            found = [f for f in found if f[0].source.is_active(f[1].span.start)] or found
        return [f for f in found if takes_pointers(f[1], arguments, self.unit, self.function, offset)]

    def _unpacked(self, text: str) -> list[str]:
        """A template argument, or those that a pack `Ops...` stands for."""
        pack = dict(self.reached.bound).get(text.removesuffix("...").strip()) if text.endswith("...") else None
        return split_arguments(pack) if pack else [text]

    def _conversions(self, owner: str, templates: tuple[str, ...], offset: int) -> Iterator[Reached]:
        """What an object of a class runs to become an address: `T* shared = Shared<T>();`."""
        found = [
            (unit, function)
            for unit in self.unit.with_name(owner)
            for function in unit.functions
            if function.name.startswith("operator ") and function.owner.partition("<")[0].strip() == owner
        ]
        made_for = [_without_arguments(function.owner)[1] for _, function in found]
        for unit, function in self._meant(found, made_for, templates, offset)[:1]:
            yield self._reached(unit, function, (), offset)

    def _meant(
        self,
        found: list[tuple[Unit, Function]],
        made_for: list[tuple[str, ...]],
        templates: tuple[str, ...],
        offset: int,
    ) -> list[tuple[Unit, Function]]:
        """Those that template arguments choose: made for them, else general ones; all where an argument is open."""
        given = [self._argument(text, offset) for text in templates] if any(made_for) else []
        if not given or None in given:
            return found
        general = [one for one, wanted in zip(found, made_for, strict=True) if not wanted]
        return specialised(found, made_for, given, lambda text: self._argument(text, offset)) or general or found

    def _argument(self, text: str, offset: int) -> str | None:
        """A template argument as it may be compared; None for a parameter of which nothing is known."""
        value = self.constants.evaluate(text, offset)
        if value is not None and value.const is not None:
            return str(value.const)
        text = dict(self.reached.bound).get(text, text)
        return None if any(p.name == text for p in self.function.templates) else types.bare(text).rpartition("::")[2]

    def _taking(
        self, overloads: list[tuple[Unit, Function]], arguments: tuple[str, ...], offset: int
    ) -> list[tuple[Unit, Function]]:
        """The overloads that are made for such arguments, where they differ; none where a type is open."""
        wanted = [[types.value_of(p.type) for p in f[1].params[: len(arguments)]] for f in overloads]
        deciding = [i for i in range(len(arguments)) if len({kinds[i] for kinds in wanted}) > 1]
        given = {i: self._type(arguments[i], offset) for i in deciding}
        if not deciding or None in given.values():
            return []
        fitting = zip(overloads, wanted, strict=True)
        return [f for f, kinds in fitting if all(kinds[i] == kind for i, kind in given.items())]

    def _type(self, argument: str, offset: int) -> str | None:
        """The number type of a variable; nothing is known of what else may stand as an argument."""
        written = self.unit.type_at(argument, self.function, offset)
        return types.value_of(written) if written is not None else None

    def _reached(self, unit: Unit, function: Function, templates: tuple[str, ...], offset: int) -> Reached:
        outer = dict(self.reached.bound)
        bound: list[tuple[str, str]] = []
        values: list[tuple[str, Dim]] = []
        last = len(function.templates) - 1
        if last >= 0 and len(templates) > last + 1 and has_pack(function):
            templates = (*templates[:last], ", ".join(templates[last:]))
        for parameter, text in zip(function.templates, templates, strict=False):
            value = self.constants.evaluate(text, offset) if parameter.type else None
            known = str(value.const) if value is not None and value.const is not None else text
            bound.append((parameter.name, outer.get(known, known)))
            if value is not None and value.const is None:
                values.append((parameter.name, value))
        return Reached(unit, function, tuple(bound), self.reached.root, tuple(values))

    def _arguments(self, node: Node) -> tuple[str, ...]:
        arguments = node.child_by_field_name("arguments")
        children = arguments.named_children if arguments is not None else ()
        return tuple(one_line(self.source.text(child)) for child in children if child.type != "comment")

    # -- instructions ---------------------------------------------------------------------------------------

    def _assembly(self, site: CallSite) -> None:
        for effect in assembly_effects(self.source, site.node, self._agreed):
            self._add(effect, site)

    def _fragment(self) -> str:
        """The shape of the fragments that a function makes or is given."""
        body = self.source.text(self.function.body)
        found = _FRAGMENT.search(body) or _FRAGMENT.search(self.function.header)
        if found is None:
            return ""
        sizes = [self._agreed(text) for text in found.groups()]
        if None not in sizes:
            return "m{}n{}k{}".format(*sizes)
        return "m×n×k = " + " × ".join(found.groups())

    def _agreed(self, text: str) -> int | None:
        """The number that an expression of constants comes to in all instances of the kernel."""
        numbers = set(self._numbers(text, self.function.body.start_byte + 1))
        return numbers.pop() if len(numbers) == 1 else None

    def _library_types(self, site: CallSite) -> None:
        body = self.source.text(site.node)
        if "::" not in body and "SM" not in body:
            return
        renamed = (line.name for line in self.unit.brought() if line.kind == "renamed" and line.target == "cub")
        for pattern, effects in library_types(frozenset(renamed)):
            for used in objects_of(site.node, body, pattern):
                for effect in effects:
                    self._add(effect, used)
        for found in _MMA_ATOM.finditer(body):
            how = {"90": "wgmma", "100": "tcgen05", "120": "mma.sync"}.get(found[1], "mma.sync")
            self._add(Effect(Kind.TENSOR, f"{how} m{found[2]}n{found[3]}k{found[4]}"), site)


def kind_of_object(unit: Unit, declared: str, value: str = "") -> str | None:
    """`block`, `barrier` … for a declaration's type and value; names that a file gives types are followed."""
    found = object_kind(f"{declared} {value}")
    if found is None and (name := _TYPE_NAME.search(declared)) is not None:
        given = (alias for one in unit.with_name(name[0]) for alias in one.declarations.aliases.get(name[0], ()))
        found = next((kind for alias in given if (kind := object_kind(alias.aliased)) is not None), None)
    return found


def _is_asked(node: Node, branch: Node) -> bool:
    """Whether a node stands in the condition of a branch, and so before it."""
    condition = branch.child_by_field_name("condition")
    return condition is not None and condition.start_byte <= node.start_byte < condition.end_byte


def _required(function: Function) -> int:
    return sum("optional" not in parameter.node.type for parameter in function.params)


@lru_cache(maxsize=4096)
def _without_arguments(name: str) -> tuple[str, tuple[str, ...]]:
    """A name's text without its last template arguments, and those."""
    if not name.endswith(">"):
        return name, ()
    depth = 0
    for i in range(len(name) - 1, -1, -1):
        depth += (name[i] == ">") - (name[i] == "<")
        if depth == 0:
            return name[:i].strip(), tuple(split_arguments(name[i + 1 : -1]))
    return name, ()


def functions_text(reached: list[Reached]) -> Iterator[str]:
    """The bodies that a kernel runs, as text."""
    for one in reached:
        yield one.unit.source.text(one.function.body)
