"""Launches by objects that were made with grid and block: `Launcher(grid, block, stream)(kernel, n);`.

The class's own code decides: its constructor hands what it is given to members, with which a method launches a kernel.
Only what is handed on as it is counts, so that the configuration can be told in the words of who made the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kernelscope.kernels.cuda.arguments import Argument
from kernelscope.kernels.cuda.host_values import HostValues
from kernelscope.kernels.cuda.launch import Launch
from kernelscope.kernels.cuda.launches import APIS
from kernelscope.kernels.cuda.units import Unit
from kernelscope.syntax.cuda.expressions import split_arguments
from kernelscope.syntax.cuda.functions import Function
from kernelscope.syntax.cuda.macros import closing
from kernelscope.syntax.cuda.nodes import one_line

MAX_HEAD = 300
MAX_CHAIN = 6
_NAME = re.compile(rb"((?:(?<!\w)[A-Za-z_](?>\w*)\s*::\s*)*(?<!\w)[A-Za-z_](?>\w*))\s*\Z")
_MADE = re.compile(r"(?:\w+\s*::\s*)*(\w+)\s*[({](.*)[)}]", re.DOTALL)
_ASSIGNED = re.compile(r"(?<![\w.>])(?:this\s*->\s*)?([\w.]+)\s*=\s*(\w+)\s*;")
_RETURNED = re.compile(r"\breturn\s+(\w+)\s*;")
_FIELDS = ("gridDim", "blockDim", "dynamicSmemBytes", "stream")


@dataclass(frozen=True, slots=True)
class LauncherObject:
    """An object: its class, what its constructor was given, and the method that a kernel is handed to."""

    owner: str
    given: tuple[str, ...]
    method: str


def launcher_object(unit: Unit, argument: Argument) -> LauncherObject | None:
    """The object whose method or call is passed an argument."""
    text = unit.source.expanded
    end = len(text[: argument.opening].rstrip())
    named = _NAME.search(text, max(0, end - MAX_HEAD), end)
    method = "operator()"
    if named is not None and text[: named.start()].rstrip().endswith((b".", b"->")):
        method = named[1].decode()
        end = len(text[: named.start()].rstrip().removesuffix(b".").removesuffix(b"->"))
    made = _object(unit, end, argument.opening)
    return LauncherObject(*made, method) if made is not None else None


def _object(unit: Unit, end: int, offset: int) -> tuple[str, tuple[str, ...]] | None:
    """The class of an object that the expression before a place makes or names, and what its constructor is given."""
    text = unit.source.expanded
    for _ in range(MAX_CHAIN):
        end = len(text[:end].rstrip())
        opening = unit.arguments.opening(end - 1) if text[:end].endswith(b")") else None
        named = _NAME.search(text, max(0, (opening or end) - MAX_HEAD), opening or end)
        if named is None:
            return None
        before = text[: named.start()].rstrip()
        if opening is None:
            return _declared(unit, named[1].decode(), offset)
        if not before.endswith((b".", b"->")):
            given = split_arguments(text[opening + 1 : end - 1].decode("utf-8", "replace"))
            return named[1].decode().rpartition("::")[2], tuple(given)
        end = len(before.removesuffix(b".").removesuffix(b"->"))
    return None


def _declared(unit: Unit, name: str, offset: int) -> tuple[str, tuple[str, ...]] | None:
    declared = unit.declarations.at(name, offset)
    if declared is None:
        return None
    if declared.arguments is not None:
        return declared.type.rpartition("::")[2], tuple(split_arguments(declared.arguments))
    made = _MADE.fullmatch(declared.value.strip()) if declared.value is not None else None
    return (made[1], tuple(split_arguments(made[2]))) if made is not None else None


def configuration_of(unit: Unit, made: LauncherObject, launch: Launch) -> tuple[str, ...] | None:
    """The configuration of a method's launch in the words of the one who made the object; None where grid or block
    do not follow."""
    for host_unit, maker in unit.find(made.owner):
        if maker.owner != made.owner or len(maker.params) < len(made.given):
            continue
        given = {p.name: text for p, text in zip(maker.params, made.given, strict=False)}
        for parameter in maker.params[len(made.given) :]:
            default = parameter.node.child_by_field_name("default_value")
            given[parameter.name] = host_unit.source.text(default) if default is not None else ""
        members = dict(_members(host_unit, maker))
        whole = _whole(launch)
        if whole:
            held = _held(host_unit, members.get(whole, "")) or [
                members.get(f"{whole}.{field}", "") for field in _FIELDS
            ]
        else:
            held = [members.get(part, "") for part in launch.configuration]
        told = [one_line(given.get(part, "")) for part in held]
        while told and not told[-1]:
            told.pop()
        if len(told) >= 2 and told[0] and told[1]:
            return tuple(part or "0" for part in told)
    return None


def _whole(launch: Launch) -> str:
    """The `cudaLaunchConfig_t` that a launch is given; empty for one that is given its parts."""
    api = APIS.get(launch.mechanism)
    if api is None or api.config is None:
        return ""
    text = launch.unit.source.expanded
    opening = text.find(b"(", launch.offset)
    close = closing(text, opening) if opening >= 0 else None
    parts = split_arguments(text[opening + 1 : close].decode("utf-8", "replace")) if close is not None else []
    return parts[api.config].lstrip("&( ").rstrip(") ") if len(parts) > api.config else ""


def _members(unit: Unit, maker: Function) -> Iterator[tuple[str, str]]:
    """What a constructor gives members before its body, and in it."""
    definition = maker.body.parent
    for child in definition.named_children if definition is not None else ():
        for initial in child.named_children if child.type == "field_initializer_list" else ():
            parts = initial.named_children
            if initial.type == "field_initializer" and len(parts) == 2:
                yield unit.source.text(parts[0]), unit.source.text(parts[1])[1:-1].strip()
    for match in _ASSIGNED.finditer(unit.source.text(maker.body)):
        yield match[1], match[2]


def _held(unit: Unit, value: str) -> list[str]:
    """The parts of a configuration that a member is given: by a function that fills one, or part by part."""
    made = _MADE.fullmatch(value)
    for host_unit, function in unit.find(made[1]) if made is not None else ():
        arguments = dict(zip((p.name for p in function.params), split_arguments(made[2] if made else ""), strict=False))
        returned = set(_RETURNED.findall(host_unit.source.text(function.body)))
        if len(returned) == 1:
            parts = HostValues(host_unit, function).configuration(returned.pop(), function.body.end_byte - 1)
            return [arguments.get(part, "") for part in parts]
    return [part.strip() for part in split_arguments(value)] if made is None and "," in value else []
