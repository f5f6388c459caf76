"""Which layers an object holds: what tells objects of one class apart that are made to do different things."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Hashable, Iterable

from kernelscope.interp.containers import contents
from kernelscope.interp.interpreter import Interpreter
from kernelscope.interp.prepared_objects import prepare
from kernelscope.interp.values import Alike, Choice, Instance, Maybe, Sequential, Unpacked, Value
from kernelscope.ops import Module

MAX_DEPTH = 3
"""Layers further inside are taken to be alike."""


def layers_of(run: Interpreter, value: Value, depth: int = 0) -> Hashable:
    """The kinds of the layers that a value is or holds, whatever their sizes; None if there are none."""
    match value:
        case Module():
            return value.name
        case Instance() if value.is_module:
            return value.cls.name, _held(run, value, depth + 1) if depth < MAX_DEPTH else None
        case Sequential():
            return _all(run, value.parts, depth)
        case list() | tuple():
            return _all(run, value, depth)
        case dict():
            return _all(run, value.values(), depth)
        case Alike():
            return "any number", layers_of(run, value.element, depth)
        case Unpacked():
            return layers_of(run, value.value, depth)
        case Maybe():
            return "perhaps", layers_of(run, value.value, depth)
        case Choice():
            return frozenset(layers_of(run, entry, depth) for entry in value.followed)
        case _:
            return None


def _all(run: Interpreter, values: Iterable[Value], depth: int) -> Hashable:
    found = tuple(layers_of(run, value, depth) for value in values)
    return found if any(part is not None for part in found) else None


def _held(run: Interpreter, instance: Instance, depth: int) -> Hashable:
    prepare(run, instance)
    if (inside := contents(run, instance)) is not None:
        return layers_of(run, inside, depth)
    told = ((name, layers_of(run, value, depth)) for name, value in instance.attributes.items())
    return tuple((name, layers) for name, layers in told if layers is not None)
