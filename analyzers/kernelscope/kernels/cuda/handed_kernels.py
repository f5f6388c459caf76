"""Launches of kernels that a host function is given: `launch(kernel<float>, n, stream, args...)`.

The launch stands in the function, in whose words grid and block are written; what its parameters mean says the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelscope.kernels.cuda.arguments import Argument
from kernelscope.kernels.cuda.lambdas import Called, lambda_called
from kernelscope.kernels.cuda.launch import Launch, Wrapper
from kernelscope.kernels.cuda.launcher_objects import configuration_of, launcher_object
from kernelscope.kernels.cuda.units import Unit
from kernelscope.results import Span
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function, FunctionKind
from kernelscope.syntax.cuda.macros import closing

MAX_TEMPLATE = 2_000
MAX_HANDED = 400
"""Places of one file at which a kernel is handed on."""
MAX_VARIABLES = 2
"""Variables that one after the other stand for a kernel."""
MAX_HANDED_ON = 3
"""Functions that hand a kernel on before one launches it."""
_AFTER = re.compile(rb"\s*[,)]")


_Meaning = tuple[int, int, tuple[str, ...]]
"""Where a kernel is named, and its template arguments."""


@dataclass(frozen=True, slots=True)
class _Handed:
    """A place where a call is given a kernel, perhaps by a variable that stands for it."""

    argument: Argument
    start: int
    """Of the kernel's name, before its template arguments."""
    end: int
    templates: tuple[str, ...]


def handed_launches(unit: Unit, kernel: str, launches_in: Callable[[str], tuple[Launch, ...]]) -> Iterator[Launch]:
    """The launches that a file brings about where it hands a kernel to a function or method."""
    if kernel.encode() not in unit.handed_names:
        return
    text = unit.source.expanded
    todo = [*_named(unit, kernel), *_by_variable(unit, kernel)]
    for handed in todo:
        caller, close = unit.function_at(handed.argument.start), closing(text, handed.argument.opening)
        if caller is None or close is None:
            continue
        place = _Place(unit, caller, kernel, handed, close)
        called = lambda_called(unit, caller, handed.argument)
        if called is not None and len(todo) < MAX_HANDED:
            given = unit.arguments.between(called.parameter, *called.body)
            todo += [_Handed(argument, handed.start, handed.end, handed.templates) for argument in given]
            yield from _by_lambda(place, called, launches_in)
            continue
        by_object = list(_by_object(place, launches_in))
        yield from by_object or _by_function(place, launches_in)


@dataclass(frozen=True, slots=True)
class _Place:
    """A call that is handed a kernel."""

    unit: Unit
    caller: Function
    kernel: str
    handed: _Handed
    close: int

    @property
    def arguments(self) -> list[str]:
        opening = self.handed.argument.opening
        return split_arguments(self.unit.source.expanded[opening + 1 : self.close].decode("utf-8", "replace"))

    def launch(self, inner: Launch, host: Function, how: str, own: tuple[str, ...] = ()) -> Launch:
        """The call as a launch; `own` is its configuration where the caller's words tell it."""
        arguments = self.arguments
        params = zip(host.params, arguments, strict=False)
        given = {param.name: argument for param, argument in params if not param.type.endswith("...")}
        rest = arguments[len(given) :] if len(given) < len(host.params) else []
        templates = zip(host.templates, self.unit.arguments.templates(self.handed.argument), strict=False)
        given |= {template.name: text for template, text in templates if template.type}
        return self.given(inner, host, how, _passed(inner.arguments, given, rest), own, given)

    def given(
        self,
        inner: Launch,
        host: Function,
        how: str,
        passed: tuple[str, ...],
        own: tuple[str, ...],
        given: dict[str, str],
    ) -> Launch:
        """The same with the kernel's arguments and what the host's parameters are given."""
        text, start = self.unit.source.expanded, self.handed.argument.start
        return Launch(
            self.unit,
            self.caller,
            text[self.handed.start : self.handed.end].decode("utf-8", "replace"),
            self.kernel,
            self.handed.templates,
            own or inner.configuration,
            passed,
            start,
            Span(self.unit.source.prepared.origin(start, start + 1).start, _end(self.unit, self.close)),
            how,
            None if own else Wrapper(inner.unit, host, inner.offset, given, inner=inner.wrapper),
            inner.branch,
        )


def _by_function(place: _Place, launches_in: Callable[[str], tuple[Launch, ...]], depth: int = 0) -> Iterator[Launch]:
    """The launches of a function whose parameter the kernel is; one without any may hand the kernel on itself."""
    argument = place.handed.argument
    callee, position = place.unit.arguments.callee(argument), place.unit.arguments.position(argument)
    for host_unit, host in place.unit.find(callee) if callee else ():
        if host.kind is not FunctionKind.HOST or len(host.params) <= position:
            continue
        name = host.params[position].name
        own = _launches_of_parameter(launches_in(host_unit.path), host, name)
        for launch in own or (_handed_on(host_unit, host, name, launches_in, depth) if depth < MAX_HANDED_ON else ()):
            if launch.wrapper is None or not own:
                yield place.launch(launch, host, callee)


def _handed_on(
    unit: Unit, host: Function, name: str, launches_in: Callable[[str], tuple[Launch, ...]], depth: int
) -> Iterator[Launch]:
    """The launches of the functions to which a function hands its parameter, in the words of its call of them."""
    text = unit.source.expanded
    for argument in unit.arguments.between(name, host.body.start_byte, host.body.end_byte):
        close, end = closing(text, argument.opening), argument.start + len(name)
        if close is not None and _AFTER.match(text, end):
            handed = _Handed(argument, argument.start, end, ())
            yield from _by_function(_Place(unit, host, name, handed, close), launches_in, depth + 1)


def _by_lambda(place: _Place, called: Called, launches_in: Callable[[str], tuple[Launch, ...]]) -> Iterator[Launch]:
    """The launches of a lambda's parameter, in the words of the function around it and of the lambda's parameters."""
    given = dict(zip(called.parameters, place.arguments, strict=False))
    for inner in launches_in(place.unit.path):
        if inner.kernel == called.parameter and called.body[0] <= inner.offset < called.body[1]:
            passed = tuple(given.get(argument, argument) for argument in inner.arguments)
            yield place.given(inner, place.caller, called.name, passed, (), given)


def _by_object(place: _Place, launches_in: Callable[[str], tuple[Launch, ...]]) -> Iterator[Launch]:
    """The launches of a method whose parameter the kernel is, where its object holds grid and block."""
    made, position = launcher_object(place.unit, place.handed.argument), 0
    if made is not None:
        position = place.unit.arguments.position(place.handed.argument)
    for host_unit, host in place.unit.find(made.method) if made is not None else ():
        if made is None or host.owner != made.owner or len(host.params) <= position:
            continue
        for launch in _launches_of_parameter(launches_in(host_unit.path), host, host.params[position].name):
            own = configuration_of(place.unit, made, launch)
            if own is not None:
                yield place.launch(launch, host, made.owner, own)


def _named(unit: Unit, kernel: str) -> Iterator[_Handed]:
    """Where calls are given a kernel by its name."""
    text = unit.source.expanded
    for found in unit.arguments.between(kernel, 0, len(text)):
        end, templates = _templates(text, found.start + len(kernel))
        if _AFTER.match(text, end):
            yield _Handed(found, found.start, end, templates)


def _by_variable(unit: Unit, kernel: str) -> Iterator[_Handed]:
    """The same by a variable that was given the kernel: `auto& chosen = (wide ? k<8> : k<4>); launch(chosen, n);`."""
    text = unit.source.expanded
    todo: list[tuple[str, int, int, _Meaning | None, int]] = [(kernel, 0, len(text), None, 0)]
    while todo:
        name, begin, end, meaning, depth = todo.pop()
        for choice in unit.choices.of(name, begin, end):
            stop = _scope_end(unit, choice.start)
            if stop is None:
                continue
            after, templates = _templates(text, choice.start + len(name))
            meant = meaning or (choice.start, after, templates)
            ends = unit.choices.until(choice.variable, choice.done, stop)
            for found in unit.arguments.between(choice.variable, choice.done, ends):
                yield _Handed(found, *meant)
            if depth < MAX_VARIABLES:
                todo.append((choice.variable, choice.done, ends, meant, depth + 1))


def _scope_end(unit: Unit, offset: int) -> int | None:
    """Where the function or class ends in which a variable stands."""
    function = unit.function_at(offset)
    if function is not None:
        return function.body.end_byte
    node = unit.source.root.descendant_for_byte_range(offset, offset + 1)
    while node is not None and node.type not in ("class_specifier", "struct_specifier"):
        node = node.parent
    return node.end_byte if node is not None else None


def _launches_of_parameter(launches: tuple[Launch, ...], host: Function, name: str) -> list[Launch]:
    """The launches of a function's parameter; those whose configuration is not in sight only where all are so."""
    found = [
        launch
        for launch in launches
        if launch.kernel == name
        and launch.function is not None
        and launch.function.body.start_byte == host.body.start_byte
    ]
    return [launch for launch in found if launch.configuration] or found


def _templates(text: bytes, start: int) -> tuple[int, tuple[str, ...]]:
    """Where a kernel's name with its template arguments ends, and those."""
    written = text[start : start + MAX_TEMPLATE].decode("latin-1")
    end = template_end(written, 0) if written.startswith("<") else None
    return (start + end, tuple(split_arguments(written[1 : end - 1]))) if end is not None else (start, ())


def _passed(arguments: tuple[str, ...], given: dict[str, str], rest: list[str]) -> tuple[str, ...]:
    """The kernel's arguments in the caller's words, as far as the function passes on what it is given: `n, args...`.

    `...` stands for what it passes besides.
    """
    passed: list[str] = []
    for i, argument in enumerate(arguments):
        if argument.endswith("..."):
            return (*passed, *rest, *(("...",) if arguments[i + 1 :] else ()))
        if argument not in given:
            return (*passed, "...")
        passed.append(given[argument])
    return tuple(passed)


def _end(unit: Unit, close: int) -> int:
    return unit.source.prepared.origin(close, close + 1).end
