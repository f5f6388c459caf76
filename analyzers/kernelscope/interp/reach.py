"""The layers that a call can reach from what it is given: what others hold is nothing to it."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from kernelscope.dims import Dim
from kernelscope.interp.values import (
    Alike,
    Builtin,
    Choice,
    Class,
    External,
    Flag,
    Function,
    Instance,
    LayerMethod,
    Maybe,
    Number,
    Opaque,
    Partial,
    PlainMethod,
    Sequential,
    TensorMethod,
    Unpacked,
    Value,
)
from kernelscope.ops import Module
from kernelscope.tensor import DType, Several, Shape, Tensor, Unknown
from kernelscope.workspace.modules import ModuleRef


class Anything(Exception):
    """A value from which it is not seen what can be reached."""


@dataclass(slots=True)
class Reach:
    """What can be reached from layers, until one of them gets another part."""

    parts: int = 0
    """How often a layer got one when this was found."""
    known: dict[int, tuple[Instance, frozenset[int]]] = field(
        default_factory=dict[int, "tuple[Instance, frozenset[int]]"]
    )
    """By identity of a layer, which lives as long as that counts."""

    def of(self, values: Iterable[Value], parts: int) -> frozenset[int] | None:
        """The identities of the attributes of all layers that can be reached; None where that is not seen."""
        if parts != self.parts:
            self.parts = parts
            self.known.clear()
        found: set[int] = set()
        try:
            for value in values:
                found |= self._of(value)
        except (Anything, RecursionError):
            return None
        return frozenset(found)

    def _of(self, value: Value) -> Set[int]:
        if isinstance(value, Instance) and (told := self.known.get(id(value))) is not None:
            return told[1]
        walk = _Walk(self.known)
        walk.visit(value)
        if isinstance(value, Instance) and value.is_module and walk.is_whole:
            self.known[id(value)] = value, frozenset(walk.found)
        return walk.found

    def holds_layers(self, value: Value) -> bool:
        """Whether a layer is seen to be reached."""
        return bool(self.of([value], self.parts))


class _Walk:
    def __init__(self, known: dict[int, tuple[Instance, frozenset[int]]]) -> None:
        self.known = known
        self.found: set[int] = set()
        self.met: set[int] = set()
        self.is_whole = True
        """Whether every object that was met has been made."""

    def visit(self, value: Value) -> None:
        match value:
            case Tensor() | Dim() | None | bool() | str() | float() | int() | DType() | Number() | Flag() | Unknown():
                pass
            case Opaque() | Shape() | Class() | External() | Builtin() | Module() | slice():
                pass
            case TensorMethod() | PlainMethod() | ModuleRef():
                pass
            case Instance():
                self._instance(value)
            case list() | tuple():
                self._each(value, value)
            case dict():
                self._each(value, value.values())
            case Maybe() | Unpacked():
                self.visit(value.value)
            case Alike() | Several():
                self.visit(value.element)
            case Sequential():
                self._each(value, value.parts)
            case Choice():
                self._each(value, value.entries)
            case Partial():
                self._each(value, (value.target, *value.args, *value.kwargs.values()))
            case Function() if value.closure is None:
                self.visit(value.receiver)
            case LayerMethod():
                self.visit(value.receiver)
            case _ if value is ...:
                pass
            case _:
                raise Anything

    def _each(self, whole: Value, parts: Iterable[Value]) -> None:
        if id(whole) not in self.met:
            self.met.add(id(whole))
            for part in parts:
                self.visit(part)

    def _instance(self, value: Instance) -> None:
        if id(value) in self.met:
            return
        if (told := self.known.get(id(value))) is not None:
            self.found |= told[1]
            return
        self.met.add(id(value))
        if value.is_module:
            self.found.add(id(value.attributes))
        if not value.is_ready:
            self.is_whole = False
            args, kwargs = value.made_with or ((), {})
            for given in (*args, *kwargs.values(), value.like):
                self.visit(given)
        self.visit(value.layer)
        for held in value.attributes.values():
            self.visit(held)
