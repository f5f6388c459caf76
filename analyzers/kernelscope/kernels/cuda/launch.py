"""A launch of a kernel: grid, block and shared memory as values, and the template arguments it gives.

Expressions are kept as written; what they come to is found by following host variables, `dim3`s and helper functions,
with parameters of the host function as names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from kernelscope.dims import Dim
from kernelscope.kernels.cuda import types
from kernelscope.kernels.cuda.branch_values import branch_values
from kernelscope.kernels.cuda.host_values import Extent, Given, HostValues
from kernelscope.kernels.cuda.units import Unit
from kernelscope.kernels.cuda.ways import Branch
from kernelscope.results import Span
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.nodes import one_line

MAX_CONFIGURATION = 4_000
MAX_WAYS = 16
MAX_ALIASES = 3
MAX_CALLS = 256
"""Ways in which a host function is called that are compared."""
SOURCES = (".cu", ".cpp", ".cc", ".cxx", ".hip")
"""Suffixes of files that no others include."""


@dataclass(frozen=True)
class Caller:
    """A place that calls a function which launches a kernel."""

    unit: Unit
    function: Function | None
    offset: int


@dataclass(frozen=True)
class Wrapper:
    """A host function that launches the kernel it is given."""

    unit: Unit
    function: Function
    offset: int
    """Of its launch, in the prepared text."""
    given: Mapping[str, str]
    """Its parameters with the arguments, as the caller writes them."""
    caller: Caller | None = None
    """Who calls it, where the launch itself is told and not the call."""
    inner: Wrapper | None = None
    """The function to which it hands the kernel on, where it does not launch it itself; the launch stands there."""

    def chain(self) -> Iterator[Wrapper]:
        """From the function that is called to the one that holds the launch."""
        wrapper: Wrapper | None = self
        while wrapper is not None:
            yield wrapper
            wrapper = wrapper.inner


@dataclass(frozen=True)
class Launch:
    """One launch. Texts are as written (or as the macro that wrote them says); `offset` is in the prepared text."""

    unit: Unit
    function: Function | None
    """The host function around it."""
    callee: str
    """The kernel as the launch names it, or the variable that holds it."""
    kernel: str
    """The kernel's name, its namespaces left away."""
    templates: tuple[str, ...]
    configuration: tuple[str, ...]
    """Grid, block, shared bytes and stream."""
    arguments: tuple[str, ...]
    offset: int
    span: Span
    """In the file."""
    mechanism: str
    """`<<<>>>` or the function's name."""
    wrapper: Wrapper | None = None
    """The function that holds the launch, where this is a call that hands it the kernel: then the configuration is in
    its words."""
    branch: str = ""
    """The directive whose branch it stands in, where the preprocessor takes another one."""
    path: str = ""
    """The kernel's name with the namespaces that are written."""
    chosen: tuple[Branch, ...] = ()
    """One way through the branches before it that set its grid or block."""
    when: str = ""
    """What that way asks for."""

    @property
    def names_a_parameter(self) -> bool:
        """Whether the kernel is one that the host function is given: whatever is called so elsewhere is another."""
        given = self.function
        return given is not None and any(p.name == self.kernel for p in (*given.templates, *given.params))

    @property
    def written(self) -> tuple[str, ...]:
        """The configuration as the code has it: what is only handed on, as the caller has it."""
        if self.wrapper is None or self.wrapper.caller is not None:
            return self.configuration
        parts = self.configuration
        for wrapper in reversed(tuple(self.wrapper.chain())):
            parts = tuple(wrapper.given.get(part, part) for part in parts)
        return tuple(map(one_line, parts))

    @cached_property
    def line(self) -> int:
        return self.unit.source.source.line_of(self.span.start)

    @cached_property
    def _host(self) -> HostValues:
        branches = branch_values(self.unit, self.offset)
        return HostValues(self.unit, self.function, branches=branches, place=self.offset, chosen=self.chosen)

    @cached_property
    def _configured(self) -> tuple[HostValues, int]:
        """The values and the place in whose words the configuration is."""
        wrapper = self.wrapper
        if wrapper is None:
            return self._host, self.offset
        host, offset, caller = self._host, self.offset, wrapper.caller
        if caller is not None:
            branches = branch_values(caller.unit, caller.offset)
            host, offset = (
                HostValues(caller.unit, caller.function, branches=branches, place=caller.offset),
                caller.offset,
            )
        for step in wrapper.chain():
            given = {name: Given(host, text, offset) for name, text in step.given.items()}
            host, offset = HostValues(step.unit, step.function, given=given), step.offset
        return host, offset

    def _extent(self, part: int) -> Extent:
        host, offset = self._configured
        told = host.extent(self._part(part), offset)
        named = {parameter.name for parameter in self.function.templates} if self.function is not None else set[str]()
        if all(size is None or named.isdisjoint(size.names()) for size in told):
            return told
        x, y, z = (size.subs(self._fixed_numbers) if size is not None else None for size in told)
        return x, y, z

    @cached_property
    def _fixed_numbers(self) -> dict[str, int]:
        """Template parameters of the host function that are one number wherever it is called: of a function that other
        files may call, none is."""
        host = self.function
        if host is None or not host.templates or self.wrapper is not None or not self.unit.path.endswith(SOURCES):
            return {}
        ways = self._all_host_templates
        names = [parameter.name for parameter in host.templates if parameter.type]
        told = {name: {way.get(name, "") for way in ways} for name in names}
        calls = re.findall(rb"\b" + re.escape(host.name.encode()) + rb"\s*\(", self.unit.source.expanded)
        if len(ways) >= MAX_CALLS or len(calls) > 1:  # its definition, and calls that name no template argument
            return {}
        return {name: int(one) for name, given in told.items() for one in given if len(given) == 1 and one.isdigit()}

    def _part(self, index: int) -> str:
        return self.configuration[index] if index < len(self.configuration) else ""

    @cached_property
    def grid(self) -> Extent:
        """Blocks in x, y and z; None where the expression cannot be followed."""
        return self._extent(0)

    @cached_property
    def block(self) -> Extent:
        """Threads in x, y and z."""
        return self._extent(1)

    @cached_property
    def shared(self) -> Dim | None:
        """Dynamic shared memory in bytes."""
        host, offset = self._configured
        return host.value(self._part(2) or "0", offset)

    def template_values(self, kernel: Function) -> tuple[dict[str, str], ...]:
        """The kernel's template parameters with their arguments, for each way the launch is reached.

        A host function that is a template itself is followed to the places that say its arguments.
        """
        found: list[dict[str, str]] = []
        outside, host = HostValues(self.unit, None), self._host
        for given in self._host_templates:
            numbers = {name: Given(outside, text, self.offset) for name, text in given.items() if text.isdigit()}
            there = replace(host, given=numbers)
            bound = {p.name: p.default for p in kernel.templates if p.default}
            for parameter, text in zip(kernel.templates, self.templates, strict=False):
                value = host.value(text, self.offset) if parameter.type else None
                if numbers and value is not None and value.const is None:
                    value = there.value(text, self.offset)  # with the numbers that choose, as `D < 128 ? 8 : 2` does
                known = str(value.const) if value is not None and value.const is not None else text
                known = known if parameter.type else self._type_meant(known)
                bound[parameter.name] = given.get(known, known)
            bound = {p.name: bound[p.name] for p in kernel.templates if p.name in bound}
            if bound not in found:
                found.append(bound)
        return tuple(found)

    def _type_meant(self, text: str) -> str:
        """The type that a name stands for which the block around the launch gives it, as switches over types do."""
        for _ in range(MAX_ALIASES):
            named = self.unit.declarations.aliases.get(text, ())
            around = [a for a in named if a.space is None and a.scope[0] <= self.offset < a.scope[1]]
            if not around:
                break
            text = max(around, key=lambda alias: alias.node.start_byte).aliased
        return text

    def argument_numbers(self, kernel: Function) -> dict[str, int]:
        """The kernel's parameters that the launch passes a number."""
        given = zip(kernel.params, self.arguments, strict=False)
        values = {p.name: self._host.value(text, self.offset) for p, text in given if not p.type.endswith(("*", "&"))}
        return {name: value.const for name, value in values.items() if value is not None and value.const is not None}

    @cached_property
    def _specialised(self) -> set[tuple[str, ...]]:
        """The template arguments for which the host function is another one."""
        host = self.function
        return {f.arguments for f in self.unit.functions if host and f.name == host.name and f.arguments}

    def may_give(self, parameter: str, kind: str) -> bool:
        """Whether a template parameter of the host function may be a type where this launch is reached."""
        host = self.function
        if host is not None and len(host.templates) == 1 and (kind,) in self._specialised:
            return False
        told = {bound.get(parameter, "") for bound in self._host_templates}
        return kind in told or any(types.layout(text) is None for text in told)

    @cached_property
    def _host_templates(self) -> tuple[dict[str, str], ...]:
        """What the template parameters of the host function are given where it is called, as far as is looked."""
        return self._all_host_templates[:MAX_WAYS]

    @cached_property
    def _all_host_templates(self) -> tuple[dict[str, str], ...]:
        function = self.function
        if function is None or not function.templates or not self.templates:
            return ({},)
        found: list[dict[str, str]] = []
        names = [parameter.name for parameter in function.templates]
        made_for = self._specialised
        data = self.unit.source.expanded
        for match in re.finditer(re.escape(function.name.encode()) + rb"\s*(?=<)", data):
            written = data[match.end() : match.end() + MAX_CONFIGURATION].decode("latin-1")
            end = template_end(written, 0)
            if end is None or len(found) >= MAX_CALLS or data[match.start() - 1 : match.start()].isalnum():
                continue
            given = split_arguments(written[1 : end - 1])
            if tuple(given) in made_for:
                continue  # a specialisation, which launches what it launches
            host = HostValues(self.unit, self.unit.function_at(match.start()))
            bound: dict[str, str] = {}
            for name, text in zip(names, given, strict=False):
                value = host.constants.evaluate(text, match.start())
                bound[name] = str(value.const) if value is not None and value.const is not None else text
            for parameter in function.templates[len(given) :]:
                if parameter.default:
                    bound[parameter.name] = parameter.default
            if bound not in found:
                found.append(bound)
        return tuple(found) or ({},)
