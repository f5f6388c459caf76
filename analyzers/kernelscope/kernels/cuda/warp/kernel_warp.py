"""A kernel of the workspace with one warp of it: which launch it is judged for, its run and the class of each access.

The launch that says most of the block and the template parameters is taken; without one, sizes stay names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from kernelscope.kernels.cuda.kernels import KernelFacts, number_of
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.types import layout
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.warp.accesses import Verdict, verdicts
from kernelscope.kernels.cuda.warp.definitions import Definitions, parsed_expression
from kernelscope.kernels.cuda.warp.kernel_run import Run, Setting, run_kernel
from kernelscope.kernels.cuda.warp.names import Names
from kernelscope.kernels.cuda.warp.resolution import Resolver
from kernelscope.kernels.cuda.warp.sectors import WARP
from kernelscope.kernels.cuda.warp.types import Opaque, Type
from kernelscope.results import Span
from kernelscope.syntax.cuda import tree as t
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.lower_statements import statement
from kernelscope.syntax.cuda.source import CudaSource
from kernelscope.syntax.cuda.spaces import Brought

MAX_THREADS = 1024
MAX_ELSEWHERE = 6
MAX_WAYS = 16
"""Launches, and template arguments of one launch, among which the best known is chosen."""


@dataclass(frozen=True, slots=True)
class _Way:
    """One way in which a kernel is launched."""

    launch: Launch
    setting: Setting
    known: int
    """How much it says."""
    bound: Mapping[str, str]
    """The template arguments as written."""


@dataclass
class KernelWarp:
    """Everything is computed when first asked for."""

    facts: KernelFacts
    given: _Way | None = None
    """The launch that it is judged for, where that is not the one that says most."""

    @cached_property
    def definitions(self) -> Definitions:
        return Definitions(lambda name: [unit.source for unit in self._holding(name)], self._brought)

    def _brought(self) -> Iterator[Brought]:
        """Lines that show names of other namespaces; those that take one name in a block are followed there."""
        return (line for line in self.facts.unit.brought() if line.block is None or line.kind != "taken")

    def _holding(self, name: str) -> Iterator[Unit]:
        """Files in force where a name may be defined: the kernel's, its headers, those that include it and theirs."""
        yield from self.facts.unit.with_name(name)
        yield from self.facts.unit.around(name)

    @cached_property
    def _ways(self) -> tuple[_Way, ...]:
        return tuple(
            _Way(launch, setting, _known(setting), bound)
            for launch in self.facts.launches[:MAX_WAYS]
            for bound in (launch.template_values(self.facts.function) or ({},))[:MAX_WAYS]
            for setting in (self._setting(launch, bound),)
        )

    @cached_property
    def _way(self) -> _Way | None:
        way = self.given or max(self._ways, key=lambda way: (way.known, _fills_a_warp(way.setting)), default=None)
        if way is None:
            return None
        passed = way.launch.argument_numbers(self.facts.function)
        return replace(way, setting=replace(self._certain(way), arguments=passed))

    def _certain(self, way: _Way) -> Setting:
        """What a launch says; numbers that a switch chooses stay names where it may choose them by a type not known,
        and then the types that go with only some of these numbers."""
        setting = way.setting
        if all(parameter.type or parameter.name in setting.types for parameter in self.facts.function.templates):
            return setting
        place = (way.launch.unit.path, way.launch.span)
        others = [o.setting for o in self._ways if (o.launch.unit.path, o.launch.span) == place]
        numbers = {
            n: number for n, number in setting.numbers.items() if all(o.numbers.get(n) == number for o in others)
        }
        if len(numbers) == len(setting.numbers):
            return setting
        types = {n: kind for n, kind in setting.types.items() if all(o.types.get(n) == kind for o in others)}
        return replace(setting, numbers=numbers, types=types)

    @property
    def launch(self) -> Launch | None:
        """The launch that the accesses are judged for."""
        return self._way.launch if self._way is not None else None

    @property
    def told_arguments(self) -> str:
        """The template arguments for which the accesses are judged, where the launch stands for several: a macro that
        switches over types launches once for each."""
        way = self._way
        if way is None or not way.bound:
            return ""
        place = (way.launch.unit.path, way.launch.span)
        others = [other for other in self._ways if (other.launch.unit.path, other.launch.span) == place]
        if all(other.bound == way.bound for other in others):
            return ""
        setting = self.setting
        told = (
            p.name if self._is_open(p.name, text, setting) else text
            for p in self.facts.function.templates
            for text in (way.bound.get(p.name, "?"),)
        )
        return f"<{', '.join(told)}>"

    @staticmethod
    def _is_open(name: str, text: str, setting: Setting) -> bool:
        """Whether a number or type is given, and others may be as well."""
        given = number_of(text) is not None or layout(text) is not None
        return given and name not in setting.numbers and name not in setting.types

    @property
    def setting(self) -> Setting:
        return self._way.setting if self._way is not None else Setting(numbers=self._defaults)

    @cached_property
    def _defaults(self) -> dict[str, int]:
        """Numbers of template parameters that nobody gives."""
        defaults = ((p.name, number_of(p.default)) for p in self.facts.function.templates if p.type and p.default)
        return {name: number for name, number in defaults if number is not None}

    @property
    def differs_by_launch(self) -> bool:
        """Whether other launches have other blocks or template arguments."""
        return any(way.setting != self.setting for way in self._ways)

    @property
    def types_differ_by_launch(self) -> bool:
        """Whether other launches have other types."""
        return any(way.setting.types != self.setting.types for way in self._ways)

    @property
    def sizes_differ_by_launch(self) -> bool:
        """Whether other launches have other blocks or numbers, which may change how neighbours lie to each other."""
        own = (self.setting.block, self.setting.numbers)
        return any((way.setting.block, way.setting.numbers) != own for way in self._ways)

    def elsewhere(self) -> Iterator[KernelWarp]:
        """The kernel as other launches have it of which as much is known."""
        told = [self.setting]
        for way in self._ways:
            if way.setting not in told and _names(way.setting) == _names(self.setting) and len(told) <= MAX_ELSEWHERE:
                told.append(way.setting)
                yield KernelWarp(self.facts, way)

    def _setting(self, launch: Launch, bound: Mapping[str, str]) -> Setting:
        x, y, z = (size.const if size is not None else None for size in launch.block)
        numbers: dict[str, int] = {}
        types: dict[str, Type] = {}
        for parameter in self.facts.function.templates:
            text = bound.get(parameter.name, "")
            if parameter.type:
                number = number_of(text)
                if number is not None:
                    numbers[parameter.name] = number
            elif text and (kind := self._type(text, launch)) is not None:
                types[parameter.name] = kind
        if x is not None and not 0 < x * (y or 1) * (z or 1) <= MAX_THREADS:
            x, y, z = None, None, None
        return Setting((x, y, z), numbers, types)

    def _type(self, text: str, launch: Launch) -> Type | None:
        """A type that is written as a template argument; None for one that the host function is given itself."""
        name = parsed_expression(f"sizeof({text})".encode())
        operand = name.operand if isinstance(name, t.SizeOf) else None
        if isinstance(operand, t.Name):
            operand = t.TypeName(operand.id, operand.span, operand.scope, operand.arguments)
        if not isinstance(operand, t.TypeName):
            return None
        own = launch.function.templates if launch.function is not None else ()
        given: dict[str, Type] = {parameter.name: Opaque(parameter.name) for parameter in own if not parameter.type}
        open_types = Names(types=given, space=launch.unit.source.spaces.at(launch.offset))
        kind = Resolver(self.definitions, lambda node, names: None).type(operand, open_types)
        return kind if not isinstance(kind, Opaque) else None

    @cached_property
    def run(self) -> Run | None:
        function = lowered(self.facts.unit.source, self.facts.function)
        for_amd = self.facts.unit.is_for_amd
        return run_kernel(self.definitions, function, self.setting, for_amd) if function is not None else None

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        return verdicts(self.run) if self.run is not None else ()

    def span(self, prepared: Span) -> Span:
        """The part of the user's file that a span of the run stands for."""
        return self.facts.unit.source.prepared.origin(prepared.start, prepared.end)

    def line(self, verdict: Verdict) -> int:
        return self.facts.unit.source.source.line_of(self.span(verdict.access.span).start)


def kernel_warp(facts: KernelFacts) -> KernelWarp:
    """The warp of a kernel, kept as long as what is known of the kernel."""
    kept = facts.derived.get(KernelWarp)
    if not isinstance(kept, KernelWarp):
        kept = facts.derived[KernelWarp] = KernelWarp(facts)
    return kept


def lowered(source: CudaSource, function: Function) -> t.Function | None:
    """The lowered kernel; one that the file's tree lost is lowered from its own."""
    start = function.body.start_byte
    for node in source.lowered.functions.get(function.name, ()):
        if node.span.start <= start < node.span.end and node.span.end == function.body.end_byte:
            return node
    outer = function.body.parent
    while outer is not None and outer.parent is not None and outer.parent.type == "template_declaration":
        outer = outer.parent
    found = statement(outer, 0) if outer is not None else ()
    alone = next((node for node in found if isinstance(node, t.Function)), None)
    if alone is not None:
        alone.space = function.space
    return alone


def _fills_a_warp(setting: Setting) -> bool:
    """Whether a block is a warp at least: in smaller ones lanes do not show how neighbours lie."""
    return prod(size or 1 for size in setting.block) >= WARP


def _known(setting: Setting) -> int:
    sizes = sum(2 for size in setting.block if size is not None)
    return sizes + 3 * len(setting.numbers) + 3 * len(setting.types)


def _names(setting: Setting) -> tuple[object, ...]:
    """What of a kernel a launch says."""
    return tuple(size is None for size in setting.block), set(setting.numbers), set(setting.types)
