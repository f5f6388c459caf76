"""What is stored in objects, lists and dicts, so that two ways through the code can each start from what was before."""

# Values are dynamic by nature; narrowing one to a container leaves its elements unknown to the type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kernelscope.dims import Dim
from kernelscope.interp.joins import Join
from kernelscope.interp.reach import Reach
from kernelscope.interp.values import CALLABLES, Flag, Instance, Maybe, Number, Opaque, Test, Value
from kernelscope.tensor import DType, Tensor, Unknown

Container = dict[Any, Value] | list[Value]
Contents = dict[int, tuple[Container, Container]]
"""By identity: a container and a copy of what it held."""
Content = tuple[tuple[Hashable, Hashable], ...]
"""What stands for what a container holds."""
PLAIN = (Dim, Tensor, Number, Flag, Unknown, Opaque, DType, str, bool, int, float, type(None))
"""What holds nothing else."""


@dataclass(slots=True)
class Lasting:
    """What layers hold, and the names of files: seen by every call that follows."""

    held: dict[int, Container] = field(default_factory=dict[int, Container])
    """By identity."""
    _first: dict[int, Content] = field(default_factory=dict[int, Content])
    """What containers held before they changed for the first time."""
    _other: dict[int, Content] = field(default_factory=dict[int, Content])
    """What those hold now that hold something else."""
    _changed: dict[int, Container] = field(default_factory=dict[int, Container])
    """Those that may have changed since it was last asked for the version."""
    _versions: dict[frozenset[tuple[int, Content]], int] = field(default_factory=lambda: {frozenset(): 0})
    _met: list[object] = field(default_factory=list[object])
    """What is told by its identity, and must live for that."""
    _version: int = 0
    _layers: set[int] = field(default_factory=set[int])
    """Those that are the attributes of a layer."""
    _parts: dict[int, tuple[int, ...]] = field(default_factory=dict[int, "tuple[int, ...]"])
    """The identities of what they hold that may hold something itself."""
    _new_parts: int = 0
    """How often a layer got another part."""
    _reach: Reach = field(default_factory=Reach)
    _shared: list[Value] = field(default_factory=list[Value])
    """What every call can reach, as far as there are layers in it."""

    @property
    def version(self) -> int:
        """The same when all of it is the same."""
        if self._changed:
            for key, container in self._changed.items():
                content = self._content(container)
                if content == self._first[key]:
                    self._other.pop(key, None)
                else:
                    self._other[key] = content
                if (parts := _parts_of(container)) != self._parts[key]:
                    self._parts[key] = parts
                    self._new_parts += 1
            self._changed.clear()
            self._version = self._versions.setdefault(frozenset(self._other.items()), len(self._versions))
        return self._version

    def version_for(self, values: Iterable[Value]) -> int:
        """The same when all of it is the same that a call sees which is given these values."""
        version = self.version
        layers = self._reach.of((*values, *self._shared), self._new_parts) if self._layers else None
        if layers is None:
            return version
        seen = frozenset(part for part in self._other.items() if part[0] in layers or part[0] not in self._layers)
        return self._versions.setdefault(seen, len(self._versions))

    def of_object(self, value: Instance) -> None:
        """A layer, or what one holds, is about to change that has been made."""
        self.held[id(value.attributes)] = value.attributes
        if value.is_module:
            self._layers.add(id(value.attributes))

    def share(self, value: Value) -> None:
        """A name of a file stands for this."""
        self.hold(value)
        if self._reach.holds_layers(value):
            self._shared.append(value)

    def _content(self, container: Container) -> Content:
        self._met.append(container)
        entries = container.items() if isinstance(container, dict) else enumerate(container)
        return tuple((key, self._told(value)) for key, value in entries)

    def _told(self, value: Value) -> Hashable:
        """What is the same for values that are alike, or for the same one if they cannot be compared."""
        try:
            hash(value)
        except TypeError:
            self._met.append(value)
            return id(value)
        return type(value), value

    def hold(self, value: Value, depth: int = 3) -> None:
        """A layer, or a file, holds this."""
        match value:
            case list() | dict():
                self.held[id(value)] = value
                parts = value.values() if isinstance(value, dict) else value
            case tuple():
                parts = value
            case Instance() if not value.is_module and value.is_ready:
                self.held[id(value.attributes)] = value.attributes
                parts = value.attributes.values()
            case _:
                return
        for part in parts if depth else ():
            self.hold(part, depth - 1)

    def change(self, container: Container) -> None:
        """A container is about to change."""
        key = id(container)
        if key in self.held and key not in self._changed:
            if key not in self._first:
                self._first[key] = self._content(container)
                self._parts[key] = _parts_of(container)
            self._changed[key] = container


@dataclass(slots=True)
class Changes:
    """Copies of containers, each made before a change, in order."""

    log: list[tuple[Container, Container]] = field(default_factory=list[tuple[Container, Container]])
    lasting: Lasting = field(default_factory=Lasting)
    uneven: dict[int, Container] = field(default_factory=dict[int, Container])
    """Lists that one way of several left longer than another did, by identity."""
    made: dict[int, Container] | None = None
    """Chains of layers that were made in the round of a loop that is being run, by identity."""

    def make(self, container: Container) -> None:
        """Note that a container is new."""
        if self.made is not None:
            self.made[id(container)] = container

    @contextmanager
    def one_round(self) -> Generator[dict[int, Container]]:
        """Inside, a round of a loop is run; gives what was made in it: that grows with no other round."""
        around, self.made = self.made, {}
        made = self.made
        try:
            yield made
        finally:
            self.made = None if around is None else around | made

    def before(self, container: Container) -> None:
        """Note that a container is about to change."""
        self.lasting.change(container)
        self.log.append((container, container.copy()))

    def mark(self) -> int:
        return len(self.log)

    def containers(self, mark: int) -> dict[int, Container]:
        """What changed since `mark`, by identity."""
        return {id(container): container for container, _ in self.log[mark:]}

    def stored(self, mark: int) -> Contents:
        """What layers hold that has changed since `mark`, by identity, with what it held then."""
        first = {id(container): (container, copy) for container, copy in reversed(self.log[mark:])}
        return {key: pair for key, pair in first.items() if key in self.lasting.held}

    def since(self, mark: int) -> Contents:
        """What the containers that changed since `mark` hold now."""
        return {id(container): (container, container.copy()) for container, _ in self.log[mark:]}

    def undo(self, mark: int) -> Contents:
        """Put everything back to what it was at `mark`; gives what it is then."""
        for container, copy in reversed(self.log[mark:]):
            self.lasting.change(container)
            _put(container, copy)
        found = self.since(mark)
        del self.log[mark:]
        return found

    def enter(self, contents: Contents) -> None:
        """Give containers the contents that they have at the end of another way."""
        for container, copy in contents.values():
            self.before(container)
            _put(container, copy)

    def join(self, before: Contents, one: Contents, other: Contents, join: Join) -> None:
        """Give containers what either way may have left in them."""
        for key in dict.fromkeys((*one, *other)):
            container = (one.get(key) or other[key])[0]
            first, second = (way[key][1] if key in way else _old(before, key, container) for way in (one, other))
            if len(first) != len(second):
                self.uneven[id(container)] = container
            self.before(container)
            _put(container, _joined(first, second, join))


@contextmanager
def as_left(contents: Contents) -> Generator[None]:
    """Inside, containers hold what they hold at the end of a way: a list that was made there is not empty where it
    meets that of another way."""
    before = [(container, container.copy()) for container, _ in contents.values()]
    for container, content in contents.values():
        _put(container, content)
    try:
        yield
    finally:
        for container, content in before:
            _put(container, content)


def _parts_of(container: Container) -> tuple[int, ...]:
    """The identities of what may hold something itself."""
    parts = container.values() if isinstance(container, dict) else container
    return tuple(id(part) for part in parts if not isinstance(part, PLAIN))


def _old(before: Mapping[int, tuple[Container, Container]], key: int, container: Container) -> Container:
    return before[key][1] if key in before else container.copy()


def _put(container: Container, contents: Container) -> None:
    container.clear()
    if isinstance(container, dict) and isinstance(contents, dict):
        container.update(contents)
    elif isinstance(container, list) and isinstance(contents, list):
        container.extend(contents)


def _only_where(part: Value, test: Test | None, holds: bool) -> Value:
    """A layer that one of two ways puts into a list."""
    if test is None or not isinstance(part, CALLABLES):
        return part
    return Maybe(part, test=Test(test.path, test.span, holds))


def _joined(one: Container, other: Container, join: Join) -> Container:
    if isinstance(one, dict) and isinstance(other, dict):
        return join.names(one, other)
    if isinstance(one, list) and isinstance(other, list):
        longer = one if len(one) >= len(other) else other
        both = [join.values(f"part_{i}", a, b) for i, (a, b) in enumerate(zip(one, other, strict=False))]
        return [*both, *(_only_where(part, join.test, longer is one) for part in longer[len(both) :])]
    return one
