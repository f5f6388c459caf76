"""Values written so that those which differ in the names of their sizes only are written alike, and put in other names.

`Form` is what two calls are compared by; `Copy` gives a value of one call to another.
"""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from kernelscope.dims import Dim
from kernelscope.dims import Opaque as Operation
from kernelscope.dims.monomial import Atom
from kernelscope.interp.operators import Quotient
from kernelscope.interp.values import (
    Alike,
    Arguments,
    Builtin,
    Choice,
    Class,
    Copied,
    External,
    Flag,
    Function,
    Instance,
    Keywords,
    LayerMethod,
    Maybe,
    Number,
    Opaque,
    Open,
    Partial,
    PlainMethod,
    Sequential,
    TensorMethod,
    Unpacked,
    Value,
)
from kernelscope.ops import Module
from kernelscope.tensor import Called, DType, Fields, Several, Shape, Size, Tensor, Unknown
from kernelscope.workspace.modules import Definition

MAX_DEPTH = 12


Make = Callable[[Definition, Arguments, Keywords], Value]
"""Makes an object of a class."""


class Unfit(Exception):
    """A value that belongs to one call only, such as a function that sees the variables of another."""


class Form:
    """How values are written: `names` are the free names of sizes and `objects` the lists, dicts and objects that may
    change, each in the order in which they are met."""

    def __init__(self, rewrite: Callable[[Dim], Dim], is_free: Callable[[str], bool]) -> None:
        self.rewrite = rewrite
        self.is_free = is_free
        self.names: dict[str, int] = {}
        self.spelled: list[Dim] = []
        """The sizes themselves, as the caller writes them."""
        self.objects: list[Value] = []
        self.numbers: dict[int, int] = {}
        self.fixed: list[str] = []
        """Free names of what is no size: they stay as they are."""

    def of(self, value: Value, depth: int = 0) -> Hashable:
        """A value as it is written. Raises Unfit where it cannot be."""
        if depth > MAX_DEPTH:
            raise Unfit
        depth += 1
        match value:
            case Tensor():
                dtype = None if isinstance(value.dtype, Unknown) else value.dtype
                return Tensor, self._shape(value.shape), dtype, value.place, value.or_number
            case Dim():
                return self.size(value)
            case None | bool() | str() | float() | int() | DType() | External() | Builtin() | Flag() | Number():
                return type(value), value
            case Called():
                self.fixed.extend(() if value.size is None else value.size.names())
                return Called, value.reason, value.size
            case Unknown():
                return Unknown, value.reason
            case Maybe():
                return Maybe, self.of(value.value, depth), value.name
            case Opaque():
                if self.is_free(value.name):
                    self.fixed.append(value.name)
                return Opaque, value.name, value.default, value.known_as, None if value.cls is None else value.cls.node
            case Fields():
                return Fields, value.names, tuple(self.of(v, depth) for v in value)
            case tuple():
                return tuple, tuple(self.of(v, depth) for v in value)
            case list():
                known = self._known(value)
                return known or (list, tuple(self.of(v, depth) for v in value))
            case Copied():
                known = self._known(value)
                return known or (Copied, self.of(value.of), tuple((k, self.of(v, depth)) for k, v in value.items()))
            case dict():
                known = self._known(value)
                return known or (type(value), tuple((key, self.of(v, depth)) for key, v in value.items()))
            case Instance():
                return self._instance(value, depth)
            case Shape():
                return Shape, self._shape(value)
            case Several():
                return Several, self.of(value.element, depth), value.reason, self.of(value.count, depth)
            case Alike():
                return Alike, self.of(value.element, depth), self.of(value.count, depth)
            case Function() if value.closure is None:
                return Function, id(value.definition.node), value.is_bound, self.of(value.receiver, depth)
            case Class():
                return Class, id(value.definition.node)
            case Quotient():
                return Quotient, self.size(value.over), self.size(value.under)
            case Partial():
                args = tuple(self.of(v, depth) for v in value.args)
                kwargs = tuple((key, self.of(v, depth)) for key, v in value.kwargs.items())
                return Partial, self.of(value.target, depth), args, kwargs, isinstance(value.kwargs, Open)
            case Choice():
                return Choice, value.is_of_table, value.is_guess, tuple(self.of(v, depth) for v in value.entries)
            case TensorMethod():
                return TensorMethod, self.of(value.value, depth), value.full
            case PlainMethod():
                return PlainMethod, self.of(value.value, depth), value.name
            case LayerMethod():
                return LayerMethod, self.of(value.receiver, depth), value.base, value.name
            case Unpacked():
                return Unpacked, self.of(value.value, depth)
            case slice():
                return slice, self.of(value.start, depth), self.of(value.stop, depth), self.of(value.step, depth)
            case Module() | Sequential():
                return type(value), id(value)
            case _ if value is ...:
                return (type(value),)
            case _:
                raise Unfit

    def _known(self, value: Value) -> Hashable:
        """What was met before is written as its number."""
        number = self.numbers.get(id(value))
        if number is not None:
            return "met", number
        self.numbers[id(value)] = len(self.objects)
        self.objects.append(value)
        return None

    def _instance(self, value: Instance, depth: int) -> Hashable:
        if value.is_module:
            return Instance, id(value)
        if known := self._known(value):
            return known
        cls = id(value.cls.node)
        if not value.is_ready:
            if value.made_with is None:
                raise Unfit
            args, kwargs = value.made_with
            made = (self.of(args, depth), self.of(kwargs, depth))
            return (
                Instance,
                cls,
                frozenset(value.usual),
                made,
                None if value.like is None else (self.of(value.like, depth), value.called),
            )
        if value.layer is not None:
            raise Unfit
        self._known(value.attributes)
        return (
            Instance,
            cls,
            frozenset(value.usual),
            tuple((key, self.of(v, depth)) for key, v in value.attributes.items()),
        )

    def _shape(self, shape: Shape) -> Hashable:
        tail = None if shape.tail is None else self._sizes(shape.tail)
        return self._sizes(shape.head), tail, shape.reason if shape.tail is not None else ""

    def _sizes(self, sizes: Iterable[Size]) -> Hashable:
        return tuple(self.size(s) if isinstance(s, Dim) else s.reason for s in sizes)

    def size(self, size: Dim) -> Hashable:
        """A size, its free names as numbers."""
        self.spelled.append(size)
        return self._plain(self.rewrite(size))

    def _plain(self, size: Dim) -> Hashable:
        name = size.name
        if name is not None:
            return (self._number(name),) if self.is_free(name) else size
        if not any(map(self.is_free, size.names())):
            return size
        return tuple((tuple((self._atom(a), e) for a, e in monomial), c) for monomial, c in size.terms)

    def _atom(self, atom: Atom) -> Hashable:
        if isinstance(atom, Operation):
            return atom.op, tuple(map(self._plain, atom.args))
        return (self._number(atom),) if self.is_free(atom) else atom

    def _number(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names))


class Copy:
    """A value of one call in the words of another, so that what changes here changes nothing there."""

    def __init__(self, change: Callable[[Dim], Dim], objects: Mapping[int, Value], make: Make) -> None:
        self.change = change
        self.make = make
        self.objects = dict(objects)
        """By identity: what stands for the lists, dicts and objects that a call was given."""

    def of(self, value: Value, depth: int = 0) -> Value:
        """The value in other words. Raises Unfit where it belongs to its call."""
        if depth > MAX_DEPTH:
            raise Unfit
        depth += 1
        match value:
            case Tensor():
                shape = self._shape(value.shape)
                return value if shape is value.shape else value.with_shape(shape)
            case Dim():
                return self.change(value)
            case None | bool() | str() | float() | int() | DType() | External() | Builtin() | Flag() | Number():
                return value
            case Unknown() | Opaque() | Class() | Module() | Sequential():
                return value
            case Maybe():
                return Maybe(self.of(value.value, depth), value.name, value.test)
            case Fields():
                return Fields(value.names, (self.of(v, depth) for v in value))
            case tuple():
                return tuple(self.of(v, depth) for v in value)
            case list() | dict() | Instance():
                return self._object(value, depth)
            case Shape():
                return self._shape(value)
            case Several():
                return Several(self.of(value.element, depth), value.reason, self.of(value.count, depth))
            case Alike():
                return Alike(self.of(value.element, depth), self.of(value.count, depth))
            case Quotient():
                return Quotient(self.change(value.over), self.change(value.under))
            case Function() if value.closure is None:
                receiver = self.of(value.receiver, depth)
                return value if receiver is value.receiver else Function(value.definition, receiver, value.is_bound)
            case TensorMethod():
                return TensorMethod(self.of(value.value, depth), value.name, value.of)
            case Choice():
                entries = [self.of(v, depth) for v in value.entries]
                same = all(one is other for one, other in zip(entries, value.entries, strict=True))
                return value if same else Choice(entries, value.is_of_table, value.is_guess)
            case _:
                raise Unfit

    def _object(self, value: Any, depth: int) -> Value:
        known = self.objects.get(id(value))
        if known is not None:
            return known
        if isinstance(value, Instance):
            if value.is_module:
                return value
            if value.layer is not None:
                raise Unfit
            if not value.is_ready:
                return self._unused(value, depth)
            made = self.objects[id(value)] = Instance(value.cls, {}, True, made_with=value.made_with, usual=value.usual)
            made.attributes.update(self.contents(value.attributes, depth))
            return made
        made = self.objects[id(value)] = Copied(value.of) if isinstance(value, Copied) else type(value)()
        if isinstance(made, dict):
            made.update(self.contents(value, depth))
        else:
            made.extend(self.contents(value, depth))
        return made

    def _unused(self, value: Instance, depth: int) -> Instance:
        """An object whose constructor is still to run."""
        if value.made_with is None or value.attributes:
            raise Unfit
        args, kwargs = value.made_with
        given: Arguments = [self.of(v, depth) for v in args]
        named: Keywords = {key: self.of(v, depth) for key, v in kwargs.items()}
        named = Open(named) if isinstance(kwargs, Open) else named
        if value.like is None:
            made = self.make(value.cls, given, named)
        else:
            like = self.of(value.like, depth)
            made = Instance(value.cls, made_with=(given, named), like=like, called=value.called)
        self.objects[id(value)] = made
        return made

    def contents(self, value: Any, depth: int = 0) -> Any:
        """What a list or dict holds, in other words."""
        if isinstance(value, dict):
            return {key: self.of(v, depth) for key, v in value.items()}
        return [self.of(v, depth) for v in value]

    def _shape(self, shape: Shape) -> Shape:
        head = self._sizes(shape.head)
        tail = None if shape.tail is None else self._sizes(shape.tail)
        return shape if head == shape.head and tail == shape.tail else Shape(head, tail, shape.reason)

    def _sizes(self, sizes: Iterable[Size]) -> tuple[Size, ...]:
        return tuple(self.change(s) if isinstance(s, Dim) else s for s in sizes)
