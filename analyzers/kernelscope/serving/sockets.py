"""Sockets behind classes of a program: `Inbox(config.addr)`, where `Inbox` opens one at the address it is given.

Every place that makes such an object is an end of a channel, at the address that is written there. Where that is an
argument of a function that processes run, it is what those are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kernelscope.results import Location
from kernelscope.serving.channels import SOCKETS, Channel, channels, owner_of
from kernelscope.serving.claims import PythonSource, literal
from kernelscope.serving.guards import guards_text, last_name, own_calls, statements
from kernelscope.serving.pieces import by_function
from kernelscope.serving.sections import words
from kernelscope.syntax.python import tree as t

ADDRESSES = {"addr", "addrs", "address", "addresses", "endpoint", "endpoints", "url", "urls", "ipc", "uri", "port",
             "ports", "path", "paths", "host"}  # fmt: skip
"""Words of what may be the address of a socket."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A class that opens a socket of a kind at the address that its constructor gets as argument `param`."""

    cls: str
    pattern: str
    param: str
    place: int
    location: Location

    @property
    def way(self) -> tuple[str, str, int]:
        """What wrappers have in common that may stand for each other."""
        return self.pattern, self.param, self.place


@dataclass(frozen=True, slots=True)
class Wrapping:
    """An object that is made of a class; `given` are what may be addresses, by number or name of the argument."""

    cls: str
    given: tuple[tuple[str, str], ...]
    end: Channel


@dataclass(frozen=True, slots=True)
class Argument:
    """A function that a process or thread runs gets `value` as its argument `name`."""

    function: str
    name: str
    value: str


def wrappers(source: PythonSource) -> Iterator[Wrapper]:
    """The classes of a file that open a socket at an address they are given."""
    if not any(f".{kind}".encode() in source.text.data for kind in SOCKETS):
        return
    opened = {c.where: c for c in channels(source) if c.pattern and c.where.endswith(".__init__")}
    for scope in source.module.functions():
        channel = opened.get(scope.qualified_name)
        if channel is None or not isinstance(scope.node, t.FunctionDef) or scope.owner is None:
            continue
        names = [p.name for p in scope.node.args][1:]
        if channel.address in names:
            place = names.index(channel.address)
            yield Wrapper(scope.owner.name, channel.pattern, channel.address, place, channel.location)


@by_function
def wrappings(source: PythonSource) -> Iterator[Wrapping]:
    """Objects that a file makes with something that may be an address."""
    if source.aside:
        return
    for scope in source.module.functions():
        for statement, guards in statements(scope.node):
            for call, held in _made(statement):
                given = [(str(i), a) for i, a in enumerate(call.args)]
                given += [(k.arg, k.value) for k in call.keywords if k.arg]
                said = tuple((name, source.quote(a)) for name, a in given if _may_be_address(a))
                if said:
                    condition = " and ".join(guards_text(source, guards))
                    where = scope.qualified_name
                    end = Channel("ZeroMQ", "", "", where, source.at(call), held, condition)
                    yield Wrapping(last_name(call.func), said, end)


def _made(statement: t.Stmt) -> Iterator[tuple[t.Call, str]]:
    """Calls of classes in a statement with what holds the result: a name, or the argument of another class."""
    held = ""
    match statement:
        case t.Assign(targets=[target]) | t.AnnAssign(target=target):
            held = t.dotted(target) or ""
        case _:
            pass
    for node in t.walk(statement):
        if not isinstance(node, t.Call):
            continue
        for k in node.keywords:
            if isinstance(k.value, t.Call) and _is_class(k.value):
                yield k.value, k.arg or ""
        if _is_class(node) and isinstance(statement, t.Assign | t.AnnAssign) and statement.value is node:
            yield node, held


def _is_class(call: t.Call) -> bool:
    return last_name(call.func)[:1].isupper()


def _may_be_address(node: t.Expr) -> bool:
    said = literal(node)
    if isinstance(said, str):
        return "://" in said
    return isinstance(node, t.JoinedStr) or bool(ADDRESSES & set(words(last_name(node))))


@by_function
def arguments(source: PythonSource) -> Iterator[Argument]:
    """What processes and threads are given that may be an address: `Process(target=f, kwargs={"addr": config.addr})`,
    and by position to functions of the file, `Thread(target=self.take, args=(config.inputs,))`."""
    if source.aside:
        return
    for scope in source.module.functions():
        for call in own_calls(scope.node):
            keywords = {k.arg: k.value for k in call.keywords}
            if "target" not in keywords:
                continue
            function = last_name(keywords["target"])
            for name, value in _given(source, function, keywords):
                if _may_be_address(value) or ADDRESSES & set(words(name)):
                    yield Argument(function, name, source.quote(value))


def _given(source: PythonSource, function: str, keywords: dict[str | None, t.Expr]) -> Iterator[tuple[str, t.Expr]]:
    """The arguments of what is run, by the names that it has for them."""
    table, several = keywords.get("kwargs"), keywords.get("args")
    if isinstance(table, t.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            name = literal(key) if key is not None else None
            if isinstance(name, str):
                yield name, value
    if isinstance(several, t.Tuple | t.List):
        named = [s.node for s in source.module.functions() if s.node.name == function]
        if len(named) == 1 and isinstance(named[0], t.FunctionDef):
            names = [p.name for p in named[0].args if p.name != "self"]
            yield from zip(names, several.elts, strict=False)


def unwrapped(
    opened: Iterable[Channel], found: Iterable[Wrapper], made: Iterable[Wrapping], given: Iterable[Argument]
) -> list[Channel]:
    """The channels of a system, those of wrapping classes at each place where one is made."""
    by_class: dict[str, Wrapper | None] = {}
    for wrapper in found:  # of several classes of one name that are not alike nobody knows which is meant
        known = by_class.setdefault(wrapper.cls, wrapper)
        if known is not None and known.way != wrapper.way:
            by_class[wrapper.cls] = None
    passed: dict[tuple[str, str], list[str]] = {}
    for argument in given:
        passed.setdefault((argument.function, argument.name), []).append(argument.value)
    ends: list[Channel] = []
    replaced: set[Location] = set()
    for wrapping in made:
        wrapper = by_class.get(wrapping.cls)
        table = dict(wrapping.given)
        address = table.get(wrapper.param) or table.get(str(wrapper.place)) if wrapper is not None else None
        if wrapper is None or address is None or owner_of(wrapping.end.where) == wrapper.cls:
            continue
        replaced.add(wrapper.location)
        function = wrapping.end.where.rpartition(".")[2]
        for value in dict.fromkeys(passed.get((function, address), [address])):
            ends.append(replace(wrapping.end, pattern=wrapper.pattern, address=value))
    plain = (channel for channel in opened if channel.location not in replaced)
    return [*(_in_words_of_giver(channel, passed) for channel in plain), *ends]


def _in_words_of_giver(channel: Channel, passed: dict[tuple[str, str], list[str]]) -> Channel:
    """A socket at an address that the process or thread which opens it is given."""
    values = set(passed.get((channel.where.rpartition(".")[2], channel.address), ())) if channel.pattern else set[str]()
    return replace(channel, address=values.pop()) if len(values) == 1 else channel
