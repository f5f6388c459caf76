"""Launches whose grid or block the launching function is given: each call of that function tells them.

The launch stays where it is; what its parameters hold is said in the words of the callers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from kernelscope.kernels.cuda.host_values import is_extent
from kernelscope.kernels.cuda.launch import MAX_CONFIGURATION, MAX_WAYS, Caller, Launch, Wrapper
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments, template_end
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.macros import closing


def asks_its_callers(launch: Launch) -> bool:
    """Whether a launch has its grid or block from a parameter that holds three numbers."""
    if launch.function is None or launch.wrapper is not None:
        return False
    given = {p.name for p in launch.function.params if is_extent(p.type)}
    return not given.isdisjoint(part.strip() for part in launch.configuration[:2]) and (
        None in launch.grid or None in launch.block
    )


def as_called(launch: Launch, callers: Iterable[Unit]) -> tuple[Launch, ...]:
    """The launch for each call of its function; as it is where no call tells grid and block."""
    host = launch.function
    assert host is not None
    found: list[Launch] = []
    for unit in callers:
        for offset, arguments in _calls(unit, host):
            given = {p.name: text for p, text in zip(host.params, arguments, strict=False)}
            caller = Caller(unit, unit.function_at(offset), offset)
            found.append(replace(launch, wrapper=Wrapper(launch.unit, host, launch.offset, given, caller)))
    told = any(None not in one.grid or None not in one.block for one in found)
    return tuple(found[:MAX_WAYS]) if told else (launch,)


def qualifier(host: Function) -> str:
    """The class or namespace that a function's definition names: `Renderer` of `void Renderer::draw(…)`."""
    found = re.search(rf"(\w+)\s*::\s*{re.escape(host.name)}\s*\(", host.header)
    return found[1] if found is not None else host.space.rpartition("::")[2]


def _calls(unit: Unit, host: Function) -> Iterator[tuple[int, list[str]]]:
    """Where functions of a file call a function, and with which arguments."""
    text = unit.source.expanded
    name = host.name.encode()
    if name not in text:
        return
    required = sum("optional" not in parameter.node.type for parameter in host.params)
    space = qualifier(host).encode()
    for match in re.finditer(rb"(?:(\w+)\s*::\s*)?(?<![\w~])" + re.escape(name) + rb"\s*(?=[(<])", unit.source.plain):
        caller, opening = unit.function_at(match.start()), match.end()
        if caller is None or caller.body.start_byte == host.body.start_byte or (match[1] or space) != space:
            continue
        if text[opening : opening + 1] == b"<":
            end = template_end(text[opening : opening + MAX_CONFIGURATION].decode("latin-1"), 0)
            opening += end or 0
        close = closing(text, opening) if text[opening : opening + 1] == b"(" else None
        if close is not None:
            arguments = split_arguments(text[opening + 1 : close].decode("utf-8", "replace"))
            if required <= len(arguments) <= len(host.params):
                yield match.start(), arguments
