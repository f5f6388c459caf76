"""Launches of kernels that a host function is given: `launch(kernel<float>, n, stream, args...)`.

The launch stands in the function, in whose words grid and block are written; what its parameters mean says the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernelscope.kernels.cuda.arguments import Argument
from kernelscope.kernels.cuda.launch import Launch, Wrapper
from kernelscope.kernels.cuda.units import Unit
from kernelscope.results import Span
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function, FunctionKind
from kernelscope.syntax.cuda.macros import closing

MAX_TEMPLATE = 2_000
MAX_VARIABLES = 2
"""Variables that one after the other stand for a kernel."""
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
    for handed in (*_named(unit, kernel), *_by_variable(unit, kernel)):
        found = handed.argument
        callee, caller, close = (
            unit.arguments.callee(found),
            unit.function_at(found.start),
            closing(text, found.opening),
        )
        if not callee or caller is None or close is None:
            continue
        position = unit.arguments.position(found)
        arguments = split_arguments(text[found.opening + 1 : close].decode("utf-8", "replace"))
        for host_unit, host in unit.find(callee):
            if host.kind is not FunctionKind.HOST or len(host.params) <= position:
                continue
            name = host.params[position].name
            given = {p.name: a for p, a in zip(host.params, arguments, strict=False) if not p.type.endswith("...")}
            rest = arguments[len(given) :] if len(given) < len(host.params) else []
            for launch in _launches_of_parameter(launches_in(host_unit.path), host, name):
                if launch.wrapper is None:
                    yield Launch(
                        unit,
                        caller,
                        text[handed.start : handed.end].decode("utf-8", "replace"),
                        kernel,
                        handed.templates,
                        launch.configuration,
                        _passed(launch.arguments, given, rest),
                        found.start,
                        Span(unit.source.prepared.origin(found.start, found.start + 1).start, _end(unit, close)),
                        callee,
                        Wrapper(host_unit, host, launch.offset, given),
                    )


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
        name, begin, stop, meaning, depth = todo.pop()
        for choice in unit.choices.of(name, begin, stop):
            caller = unit.function_at(choice.start)
            if caller is None:
                continue
            end, templates = _templates(text, choice.start + len(name))
            meant = meaning or (choice.start, end, templates)
            ends = unit.choices.until(choice.variable, choice.done, caller.body.end_byte)
            for found in unit.arguments.between(choice.variable, choice.done, ends):
                yield _Handed(found, *meant)
            if depth < MAX_VARIABLES:
                todo.append((choice.variable, choice.done, ends, meant, depth + 1))


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
