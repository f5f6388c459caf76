"""Where the tensors of an interpretation come from: values are followed by identity to the steps that gave them."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

from kernelscope.dims import Dim
from kernelscope.dims.spelling import is_of_dim
from kernelscope.interp.steps import NOWHERE, Step, tensors_in
from kernelscope.interp.values import Alike, Copied, Instance, Maybe, Opaque, Unpacked, Value
from kernelscope.results import Span
from kernelscope.tensor import Fields, Several, Tensor, Unknown

if TYPE_CHECKING:
    from kernelscope.interp.changes import Changes

MAX_VIEWS = 8
SIZE = ".shape["
"""In the name of a size of what an unknown object holds."""


def _is_unnamed(size: Dim | Opaque) -> bool:
    """Whether the source has no name for a size but that of what it is a size of."""
    name = size.name or ""
    return is_of_dim(name) if isinstance(size, Dim) else SIZE in name


def _is_any_number(part: Value) -> TypeGuard[Unpacked]:
    return isinstance(part, Unpacked) and isinstance(part.value, Alike)


class Origins:
    """The steps that each value may come from, and the variables' names for them."""

    def __init__(self) -> None:
        self.root = Step("call", "", "", NOWHERE, own_result=False)
        """The step around all others."""
        self.path = ""
        """The file of the function that is running."""
        self.changes: Changes | None = None
        """Where it is noted what one way through the code changes, so that another starts from what was before."""
        self._origins: dict[int, tuple[Value, tuple[Step, ...]]] = {}
        self._names: dict[int, tuple[Value, str]] = {}
        """By identity, with the value itself: one that is gone would lend its name to another in its place."""
        self.sizes: dict[str, str] = {}
        """The first variable for each size without a name of its own: `B` of `B, T, C = x.shape`."""
        self._replaced: dict[Any, Value] = {}
        """Tensors that were changed in place, and what they are since."""
        self._holders: dict[int, tuple[Value, str, Span, str]] = {}
        """Objects from outside that may hold tensors: how the source reaches them, and where they are given."""
        self._parts: dict[int, tuple[Value, ...]] = {}
        """By identity of what stands for each of several values: those."""
        self._held: dict[str, Unknown] = {}
        """What was taken for a tensor of such an object, by how the source reaches it."""

    def latest(self, value: Value) -> Value:
        """A tensor as it is after what was done to it in place."""
        while id(value) in self._replaced:
            value = self._replaced[id(value)][1]
        return value

    def origins(self, value: Value) -> tuple[Step, ...]:
        """The steps that a value may come from."""
        return self._origins_of(self.latest(value))

    def _origins_of(self, value: Value) -> tuple[Step, ...]:
        """The same of a tensor as it was."""
        found = self._origins.get(id(value))
        return found[1] if found is not None else ()

    def _origins_in(self, value: Value) -> tuple[Step, ...]:
        """The steps that the tensors in a value may come from."""
        return tuple(dict.fromkeys(step for tensor in tensors_in(value) for step in self.origins(tensor)))

    def _came_from(self, value: Value, origins: tuple[Step, ...]) -> Value:
        """A copy of a tensor that came from these steps."""
        fresh = replace(value)
        self._origins[id(fresh)] = (fresh, origins)
        return fresh

    def made(self, step: Step, value: Value) -> Value:
        """What a step gave, each tensor in it unlike any other."""
        match value:
            case Tensor() | Unknown():
                return self._came_from(value, (step,))
            case Fields():
                return Fields(value.names, (self.made(step, v) for v in value))
            case tuple():
                return tuple(self.made(step, v) for v in value)
            case list():
                return [self.made(step, v) for v in value]
            case dict() if type(value) is dict:
                return {key: self.made(step, v) for key, v in value.items()}
            case Several():
                return replace(value, element=self.made(step, value.element))
            case Alike():
                return Alike(self.made(step, value.element), value.count)
            case Maybe():
                return Maybe(self.made(step, value.value), value.name)
            case Instance(is_module=False, is_ready=True) if step.kind == "choice":  # one that stands for several
                value.attributes.update({name: self.made(step, v) for name, v in value.attributes.items()})
                return value
            case _:
                return value

    def same(self, value: Value, old: Value) -> Value:
        """`value` is `old` with its sizes named anew."""
        if value is not old and isinstance(value, Tensor) and (origins := self.origins(old)):
            self._origins[id(value)] = (value, origins)
        elif isinstance(value, tuple) and isinstance(old, tuple):
            for new, before in zip(value, old, strict=False):
                self.same(new, before)
        elif isinstance(value, Maybe) and isinstance(old, Maybe):
            self.same(value.value, old.value)
        return value

    def as_of(self, value: Value, own: Value) -> Value:
        """A value that comes from where another does."""
        if isinstance(own, Maybe):
            own = own.value
        match value:
            case Tensor() | Unknown():
                origins = self._origins_in(own)
                return self._came_from(value, origins) if origins else value
            case tuple() if type(value) is tuple and isinstance(own, tuple) and len(value) == len(own):
                return tuple(self.as_of(part, other) for part, other in zip(value, own, strict=True))
            case tuple() if type(value) is tuple and not isinstance(own, tuple):
                return tuple(self.as_of(part, own) for part in value)
            case list() if isinstance(own, list) and len(value) == len(own):
                return [self.as_of(part, other) for part, other in zip(value, own, strict=True)]
            case dict() if type(value) is dict and isinstance(own, dict):
                return {key: self.as_of(part, own.get(key)) for key, part in value.items()}
            case Maybe():
                return Maybe(self.as_of(value.value, own), value.name)
            case _:
                return value

    def collected(self, value: Value, one: Value) -> None:
        """What stands for the elements of a list that a loop fills comes from each that is put into it."""
        parts = (
            zip(value, one, strict=False) if isinstance(value, tuple) and isinstance(one, tuple) else ((value, one),)
        )
        for element, part in parts:
            if isinstance(element, Tensor | Unknown) and (found := self._origins_in(part)):
                origins = dict.fromkeys((*self.origins(element), *found))
                self._origins[id(element)] = (element, tuple(origins))
                self._parts[id(element)] = (*self._parts.get(id(element), ()), part)

    def any_of(self, value: Value, parts: Sequence[Value]) -> Value:
        """What stands for each of several values comes from all of them."""
        if isinstance(value, Maybe):
            return Maybe(self.any_of(value.value, parts), value.name, value.test)
        if not isinstance(value, Tensor | Unknown):
            return value
        found = [part.value.element if _is_any_number(part) else part for part in parts]
        origins = dict.fromkeys(step for part in found for step in self._origins_in(part))
        fresh = self._came_from(value, tuple(origins))
        self._parts[id(fresh)] = tuple(found)
        return fresh

    def parts_of(self, value: Value) -> list[Value]:
        """All that a value stands for each of, as it was put there."""
        todo, found = [value], dict[int, Value]()
        for part in todo:  # which grows
            if id(part) not in found:
                found[id(part)] = part
                todo.extend(self._parts.get(id(part), ()))
        return list(found.values())

    def sources(self, kind: str, name: str, span: Span, value: Value, path: str) -> None:
        """Every tensor in a value comes from outside."""
        match value:
            case Tensor() | Unknown():
                self.source(kind, name, span, value, path)
            case tuple() | list():
                for index, part in enumerate(value):
                    self.sources(kind, f"{name}[{index}]", span, part, path)
            case Copied():
                for key, part in value.items():
                    self.sources(kind, f"{name}.{key}", span, part, path)
            case dict():
                for key, part in value.items():
                    self.sources(kind, f"{name}[{key!r}]", span, part, path)
            case Maybe():
                self.sources(kind, name, span, value.value, path)
            case Alike() | Several():  # any of them
                self.sources(kind, name, span, value.element, path)
            case Instance(is_module=False) | Opaque():
                self._holders[id(value)] = (value, name, span, path)
            case _:
                pass

    def attribute(self, holder: Value, name: str, span: Span, value: Value) -> Value:
        """What an object holds: of one that comes from outside it comes from there, else it is a weight, perhaps."""
        holder = holder.value if isinstance(holder, Maybe) else holder
        found = self._holders.get(id(holder))
        if found is None:
            return self.latest(self.source("weight", name, span, value))  # another way may not have changed it
        _, reached, given, path = found
        self.sources("input", f"{reached}.{name}", given, value, path)
        return value

    def passed_through(self, given: Value, name: str, span: Span, value: Value, path: str) -> None:
        """The first that a function gets of arguments that are handed on, `self.inner(*args)`, is called as there."""
        if isinstance(given, Unpacked) and any(step.kind == "input" for step in self._origins_in(given.value)):
            self.source("input", name, span, value, path)

    def reached(self, value: Value) -> str:
        """How the source reaches an object from outside that may hold tensors; empty for all else."""
        found = self._holders.get(id(value))
        return found[1] if found is not None else ""

    def held_in(self, value: Value) -> Unknown | None:
        """The tensor, for all that is known, that an object from outside is where it is used as one."""
        found = self._holders.get(id(value))
        if found is None:
            return None
        _, name, span, path = found
        if name not in self._held:
            self._held[name] = Unknown("what the caller gives is not known", span)
            self.source("input", name, span, self._held[name], path)
        return self._held[name]

    def bound(self, value: Value, name: str) -> None:
        """A variable's name for what it is bound to."""
        if isinstance(value, Maybe):
            value = value.value
        if isinstance(value, Tensor | Unknown):
            latest = self.latest(value)
            self._names.setdefault(id(latest), (latest, name))
        elif isinstance(value, Dim | Opaque) and name.strip("_") and _is_unnamed(value):
            self.sizes.setdefault(value.name or "", name)
        for tensor in tensors_in(value):
            for step in self.origins(tensor):
                step.bound = step.bound or name

    def name_of(self, value: Value) -> str:
        """The variable that a tensor was bound to first, or an empty text."""
        found = self._names.get(id(self.latest(value)))
        return "" if found is None else found[1]

    def met(self, value: Value, one: Value, other: Value) -> Value:
        """What two ways through the code left in one place came from the steps of both."""
        if type(value) is tuple and (isinstance(one, Unknown) or isinstance(other, Unknown)):
            lost = one if isinstance(one, Unknown) else other
            return tuple(self.met(part, part, lost) for part in value)
        if not isinstance(value, Tensor | Unknown):
            if (holder := self._holders.get(id(one)) or self._holders.get(id(other))) is not None:
                self._holders[id(value)] = (value, *holder[1:])
            return value
        origins = tuple(dict.fromkeys((*self._origins_in(one), *self._origins_in(other))))
        return self._came_from(value, origins) if origins and origins != self.origins(value) else value

    def part(self, whole: Value, part: Value) -> Value:
        """An element of a value comes from where the whole does."""
        origins = self._origins_in(whole) if isinstance(part, Tensor | Unknown) else ()
        return self._came_from(part, origins) if origins else part

    def replaced(self, old: Value, new: Value, written: Span | None = None) -> None:
        """`old += …` changed a tensor, where it lies if the statement is `written` into it."""
        before = self.latest(old)
        for step in self.origins(new):
            step.is_augmented = step.is_augmented or (step.kind == "op" and step.span == written)
        if isinstance(old, Tensor | Unknown) and isinstance(new, Tensor | Unknown) and before is not new:
            self._replace(before, new)

    def _replace(self, before: Value, new: Value) -> None:
        if self.changes is not None:
            self.changes.before(self._replaced)
        self._replaced[id(before)] = (before, new)

    def _changed(self, step: Step, old: Value, new: Value) -> None:
        """A step changed a tensor where it lies, and so all that it is a view of."""
        for _ in range(MAX_VIEWS):
            before = self.latest(old)
            origins = self.origins(before)
            self._replace(before, new)
            maker = origins[0] if len(origins) == 1 else None
            operator = maker.operator if maker is not None else None
            if maker is None or operator is None or operator.kind != "view" or not maker.args:
                return
            old = maker.args[0]
            if not isinstance(old, Tensor | Unknown):
                return
            new = self.made(step, old)

    def source(self, kind: str, name: str, span: Span, value: Value, path: str = "") -> Value:
        """A tensor that comes from outside: an input, or a weight that an object holds, perhaps."""
        if isinstance(value, Maybe):
            self.source(kind, name, span, value.value, path)
        if not isinstance(value, Tensor | Unknown) or self.origins(value):
            return value
        if kind == "weight" and not isinstance(value, Tensor):
            return value
        step = Step(kind, name, path or self.path, span, result=value, parent=self.root)
        self._origins[id(value)] = (value, (step,))
        return value
